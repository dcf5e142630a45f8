"""The rows that a query gave, over the console: aligned, inert, and bounded by what was kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer, Vertical
from textual.content import Content
from textual.widgets import Static

from widgets.backdrop import Dialog
from widgets.plain import plain

if TYPE_CHECKING:
    from runbook.sql_reading import Rows
    from tui.room import ControlRoom

WIDEST = 60  # cells of a column but the last
WIDEST_LAST = 160
QUIET = "$foreground 60%"


class RowsScreen(Dialog[None]):
    """``where`` is server and database; ``query`` what was asked."""

    AUTO_FOCUS = "#rows-body"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "back", id="rows-back", tooltip="Back to the guide"),
        Binding("y", "copy", "copy", id="rows-copy", tooltip="Copy the rows, with tabs between their cells (OSC 52)"),
        Binding("Y", "copy_query", "query", id="rows-query", tooltip="Copy the query (OSC 52)"),
    ]

    def __init__(self, host: ControlRoom, title: str, where: str, query: str, rows: Rows) -> None:
        super().__init__(classes="dialog")
        self._host = host
        self._title = title
        self._where = where
        self._query = query
        self._rows = rows

    def compose(self) -> ComposeResult:
        with Vertical(id="rows-box", classes="dialog-box") as box:
            box.border_title = Content(plain(self._title, 120))
            box.border_subtitle = Content("arrows scroll · y copies the rows · Y copies the query · esc leaves")
            yield Static(Content.assemble((self._summary(), "bold")), id="rows-head")
            with ScrollableContainer(id="rows-body"):
                yield Static(_drawn(self._rows), id="rows-table")

    def _summary(self) -> str:
        count = len(self._rows.rows)
        said = "no row" if not count else "1 row" if count == 1 else f"{count} rows"
        more = ", and more that were not fetched" if self._rows.more else ""
        return plain(f"{said}{more} · {self._where} · {self._rows.seconds:.1f} s", 300)

    def action_copy(self) -> None:
        lines = [self._rows.columns, *self._rows.rows]
        self.app.copy_to_clipboard("\n".join("\t".join(map(_cell, line)) for line in lines))
        self._host.tell("copied", timeout=2)

    def action_copy_query(self) -> None:
        self.app.copy_to_clipboard(self._query)
        self._host.tell("copied the query", timeout=2)

    def action_leave(self) -> None:
        self.dismiss(None)


def _cell(text: str) -> str:
    """On one line: a statement has many."""
    return plain(" ".join(text.split()), 2_000)


def _drawn(rows: Rows) -> Content:
    heads, lines = [_cell(column) or "?" for column in rows.columns], [list(map(_cell, row)) for row in rows.rows]
    widths = [
        min(WIDEST_LAST if place == len(heads) - 1 else WIDEST, max(map(len, (head, *(line[place] for line in lines)))))
        for place, head in enumerate(heads)
    ]
    numbers = [all(_is_number(line[place]) for line in lines) and bool(lines) for place in range(len(heads))]
    parts = [(_line(heads, widths, numbers) + "\n", QUIET)]
    parts += [(_line(line, widths, numbers) + "\n", "") for line in lines]
    if not lines:
        parts.append(("(nothing)", QUIET))
    return Content.assemble(*parts)


def _line(cells: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> str:
    fitted = [
        cell if len(cell) <= width else f"{cell[: width - 1]}…" for cell, width in zip(cells, widths, strict=True)
    ]
    placed = zip(fitted, widths, numbers, strict=True)
    return "  ".join(cell.rjust(width) if number else cell.ljust(width) for cell, width, number in placed).rstrip()


def _is_number(text: str) -> bool:
    return text == "NULL" or text.lstrip("-").replace(".", "", 1).isdigit()
