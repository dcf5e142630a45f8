"""What an act would change, line by line: what goes, what comes, and in which object. Only what is seen is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.content import Content
from textual.strip import Strip

from widgets.ink import breaks, painted
from widgets.item_view import ItemView
from widgets.plain import plain
from widgets.themed import Ink

LONGEST = 4_096  # characters of a line that are drawn
_STYLES = {"-": "minus", "+": "plus", " ": "same"}


class DiffView(ItemView, can_focus=False):
    """Shows objects, each a title and lines that begin with ``-``, ``+`` or a blank. The mark tells, not the colour."""

    FOLLOWS = False

    INKS: ClassVar[Mapping[str, Ink]] = {
        "title": Ink("$text-accent"),
        "minus": Ink("$text-error"),
        "plus": Ink("$text-success"),
        "same": Ink("$foreground 60%"),
    }

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name, id=id, classes=classes)
        self._lines: list[tuple[str, str]] = []
        self.border_title = Content("What changes")

    def show(self, objects: Sequence[tuple[str, Sequence[str]]], *, unchanged: int = 0, remark: str = "") -> None:
        """``objects`` are (title, lines); ``unchanged`` counts those that stay, ``remark`` says who worked it out."""
        lines = []
        for title, changes in objects:
            lines.append(("title", plain(title, 300)))
            lines += [(line[:1] if line[:1] in _STYLES else " ", plain(line, LONGEST)) for line in changes]
        if unchanged:
            lines.append((" ", f"  unchanged: {unchanged} objects"))
        self._lines = lines or [(" ", "  nothing")]
        total = len(objects) + unchanged
        count = f"  {len(objects)} of {total} objects" if unchanged else ""
        self.border_title = Content.assemble("What changes", (count, "$foreground 60%"))
        self.border_subtitle = Content(plain(remark, 80))
        self._top = self._skip = 0
        self.forget()
        self.refresh()

    @property
    def line_count(self) -> int:
        return len(self._lines)

    def rows_up_to(self, most: int) -> int:
        """The rows that it takes, long lines wrapped to the width it has, but no more than ``most``."""
        cells, rows = self.content_size.width, 0
        for index in range(len(self._lines)):
            rows += len(self.item_rows(index, cells)) if cells else 1
            if rows >= most:
                return most
        return rows

    def item_count(self) -> int:
        return len(self._lines)

    def item_rows(self, index: int, cells: int) -> Sequence[Strip]:
        kind, text = self._lines[index]
        style = self.ink("title" if kind == "title" else _STYLES[kind])
        indent = 0 if kind == "title" else 4
        rows: list[Strip] = []
        for start, end in breaks(text, max(cells - indent, 8)):
            before = [Segment(" " * indent)] if rows else []
            rows.append(Strip([*before, *painted(text, start, end, style)]))
        return rows
