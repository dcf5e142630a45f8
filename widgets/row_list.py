"""`RowList`: rows with headings between them, under a cursor that stays on its row while rows change around it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option


class ListRow(Struct, frozen=True):
    """One row, inert. ``id`` is its own for as long as it is shown; a ``heading`` cannot be chosen.

    ``full`` is what it says in full, if its content had to be cropped.
    """

    id: str
    content: Content
    heading: bool = False
    full: str = ""


class RowList(OptionList):
    """Hand it rows with `show`; only those that read differently are painted again."""

    DEFAULT_CSS = """
    RowList { height: 1fr; border: round $border-blurred; padding: 0 1; background: $background; }
    RowList:focus { border: round $border; background-tint: $foreground 0%; }
    RowList:focus:nocolor > .option-list--option-highlighted { color: $background; background: $foreground; }
    RowList > .option-list--option-disabled { color: $foreground; text-style: none; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, markup=False)
        self._shown: list[ListRow] = []

    @property
    def chosen(self) -> str:
        """The id of the row under the cursor; empty if there is none."""
        row = self._row
        return row.id if row is not None else ""

    @property
    def full(self) -> str:
        """What the row under the cursor says in full; empty if all of it is on the screen."""
        row = self._row
        return row.full if row is not None else ""

    @property
    def _row(self) -> ListRow | None:
        row = self.highlighted
        return self._shown[row] if row is not None and row < len(self._shown) else None

    def show(self, rows: Sequence[ListRow]) -> None:
        """Draws other rows."""
        before, here = self._shown, self.chosen
        self._shown = list(rows)
        if [(row.id, row.heading) for row in before] == [(row.id, row.heading) for row in rows]:
            for index, (old, new) in enumerate(zip(before, rows, strict=True)):
                if old.content != new.content:
                    self.replace_option_prompt_at_index(index, new.content)
            return
        self.set_options(Option(row.content, disabled=row.heading) for row in rows)
        there = next((index for index, row in enumerate(rows) if row.id == here and here), None)
        self.highlighted = (
            there if there is not None else next((n for n, row in enumerate(rows) if not row.heading), None)
        )

    def go_to(self, row: str) -> None:
        """The cursor on the row with this id, if it is there."""
        index = next((index for index, one in enumerate(self._shown) if one.id == row), None)
        if index is not None:
            self.highlighted = index
