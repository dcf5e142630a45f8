"""Every key, grouped, with one sentence each: made from the bindings themselves, so that it cannot lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from widgets.backdrop import Dialog

HelpSection = tuple[str, Sequence[tuple[str, str]]]
"""A heading and its (keys, sentence) rows."""

MARKS: HelpSection = (
    "Marks",
    (
        ("✗", "failing"),
        ("!", "degraded, or a warning"),
        ("✓", "healthy"),
        ("○", "finished or switched off on purpose"),
    ),
)


class HelpScreen(Dialog[None]):
    """Shows ``sections``; any of the usual keys leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "dismiss", "close", id="help-close", tooltip="Back to the console")
    ]

    def __init__(self, sections: Sequence[HelpSection]) -> None:
        super().__init__(classes="dialog")
        self._sections = sections

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help-box", classes="dialog-box") as box:
            box.border_title = Text("Keys")
            box.border_subtitle = Text("esc closes · lower case looks, upper case acts")
            yield Static(self._table(), id="help-table")

    def _table(self) -> Text:
        width = max(len(keys) for _, rows in self._sections for keys, _ in rows)
        text = Text()
        for number, (heading, rows) in enumerate(self._sections):
            text.append(f"{chr(10) if number else ''}{heading}\n", "bold")
            for keys, sentence in rows:
                text.append(f"  {keys.ljust(width)}  ", "bold cyan")
                text.append(f"{sentence}\n")
        return text
