"""Tables for a shell: aligned by terminal cells, inert, coloured only where a person reads them."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, TextIO

from widgets.plain import plain, width

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GAP = "   "
ANY_WIDTH = 1000
CELL = 160  # characters of one cell; an event's message can be a megabyte
_SGR = {"bad": "31;1", "warn": "33", "good": "32", "dim": "2", "head": "1"}


class Page:
    """Writes headings and tables to ``out``. A column whose heading begins with ``>`` is aligned right."""

    def __init__(self, out: TextIO | None = None, *, no_color: bool = False) -> None:
        self._out = out or sys.stdout
        self._color = (
            not no_color
            and self._out.isatty()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM", "dumb") != "dumb"
        )

    @property
    def columns(self) -> int:
        """What a line may take: a terminal's width; anything else takes what it is given."""
        return shutil.get_terminal_size().columns if self._out.isatty() else ANY_WIDTH

    def heading(self, title: str, *remarks: str) -> None:
        """A blank line, the title, and what there is to say about all of it."""
        said = "   ".join(plain(remark, CELL) for remark in remarks if remark)
        self._line(f"\n{self.painted(title, 'head')}   {said}".rstrip())

    def line(self, text: str, level: str = "") -> None:
        self._line(self.painted(plain(text, 2000), level))

    def table(self, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> None:
        """``rows`` are (level, cells); level is bad, warn, good, dim or empty. The last column is not padded."""
        right = [name.startswith(">") for name in columns]
        cells = [[name.lstrip(">") for name in columns]]
        levels = ["dim"]
        for level, row in rows:
            levels.append(level)
            cells.append([plain(cell, CELL) for cell in row])
        widths = [max(width(row[index]) for row in cells) for index in range(len(columns))]
        for level, row in zip(levels, cells, strict=True):
            padded = [
                " " * (size - width(cell)) + cell if to_right else cell + " " * (size - width(cell))
                for cell, size, to_right in zip(row, widths, right, strict=True)
            ]
            self._line(self.painted(GAP.join(padded).rstrip(), level))

    def painted(self, text: str, level: str) -> str:
        """``text`` in the colour of ``level``, when colours are wanted. The text must be inert already."""
        return f"\x1b[{_SGR[level]}m{text}\x1b[0m" if self._color and level else text

    def _line(self, text: str) -> None:
        self._out.write(text + "\n")
