"""Pick one of a list by typing a part of its name: namespaces, contexts, incidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from widgets.backdrop import Dialog
from widgets.plain import plain


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to pick. ``key`` is the answer; ``label`` and ``detail`` are shown, and searched."""

    key: str
    label: str
    detail: str = ""
    current: bool = False

    def text(self, width: int) -> Text | Table:
        """A line with the detail in a column at ``width``, going on below itself; 0 puts it on a line of its own."""
        mark = "● " if self.current else "  "
        if not width:
            return Text.assemble(mark, (plain(self.label), "bold"), "\n    ", (plain(self.detail), "dim"))
        found = Table.grid(padding=(0, 2, 0, 0))
        found.add_column(width=min(width, 40) + 2, overflow="fold")  # a longer label goes on below, too
        found.add_column()
        found.add_row(Text.assemble(mark, (plain(self.label), "bold")), Text(plain(self.detail), "dim"))
        return found


class ChooseScreen(Dialog[str | None]):
    """Answers with the chosen key, or None when the person left with escape.

    What is typed filters; enter takes the highlighted line. ``free`` allows an answer that is not listed
    (a namespace that this user may look into but not list). ``stacked`` is for labels and details that are sentences.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel", id="choose-cancel", tooltip="Leave without changing anything"),
        Binding("down", "move(1)", "next", show=False, id="choose-next", tooltip="Next line"),
        Binding("up", "move(-1)", "previous", show=False, id="choose-previous", tooltip="Previous line"),
    ]

    def __init__(
        self, title: str, choices: Sequence[Choice], *, hint: str = "", free: bool = False, stacked: bool = False
    ) -> None:
        super().__init__(classes="dialog")
        self._title = title
        self._hint = hint
        self._choices = choices
        self._free = free
        self._stacked = stacked

    def compose(self) -> ComposeResult:
        with Vertical(id="choose-box", classes="dialog-box") as box:
            box.border_title = Text(plain(self._title))
            box.border_subtitle = Text(plain(self._hint, 300) or "type to filter · enter takes it · esc leaves")
            yield Input(placeholder="filter", id="choose-filter", compact=True)
            yield OptionList(id="choose-list", markup=False, compact=True)

    def on_mount(self) -> None:
        self._fill("")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        options = self.query_one(OptionList)
        if options.highlighted is not None and options.option_count:
            self.dismiss(options.get_option_at_index(options.highlighted).id)
        elif self._free and event.value.strip():
            self.dismiss(event.value.strip())

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if options.option_count:
            options.highlighted = ((options.highlighted or 0) + by) % options.option_count

    def action_leave(self) -> None:
        self.dismiss(None)

    def _fill(self, query: str) -> None:
        if not self.query(OptionList):
            return  # typed on while the screen was being left
        words = query.casefold().split()
        found = [c for c in self._choices if all(w in f"{c.label} {c.detail}".casefold() for w in words)]
        # What is called so comes before what only speaks of it.
        found.sort(key=lambda c: not all(w in c.label.casefold() for w in words))
        width = 0 if self._stacked else max((len(plain(choice.label)) for choice in found), default=0)
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(choice.text(width), id=choice.key) for choice in found])
        current = next((index for index, choice in enumerate(found) if choice.current and not query), 0)
        options.highlighted = current if found else None
