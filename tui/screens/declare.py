"""Declare an incident: a title and, if it is clear already, a severity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Select, Static

from widgets.backdrop import Dialog

# The runbook's "Severity Levels".
SEVERITIES = (
    ("1  critical: outage or breach, customers affected", 1),
    ("2  high: a critical service down or badly degraded", 2),
    ("3  medium: a non-critical service, minor degradation", 3),
    ("4  low: no impact on service", 4),
)


@dataclass(frozen=True, slots=True)
class Declaration:
    title: str
    severity: int | None


class DeclareScreen(Dialog[Declaration | None]):
    """Answers with what was declared, or None. Cancel has the focus once the title was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel", id="declare-cancel", tooltip="Leave; nothing is declared")
    ]

    def __init__(self, where: str, open_incident: str = "") -> None:
        super().__init__(classes="dialog")
        self._where = where
        self._open = open_incident

    def compose(self) -> ComposeResult:
        with Vertical(id="declare-box", classes="dialog-box") as box:
            box.border_title = Text("Declare an incident")
            box.border_subtitle = Text(self._where)
            if self._open:
                yield Static(
                    Text(f"{self._open} is still open. A new incident gets a timeline of its own.", style="bold"),
                    id="declare-warning",
                )
            yield Static(Text("What is wrong, as a customer would say it"), classes="dialog-label")
            yield Input(placeholder="Payments failing for web and app", id="declare-title", max_length=200)
            yield Static(Text("Severity"), classes="dialog-label")
            yield Select(SEVERITIES, prompt="not classified yet", id="declare-severity")
            yield Static(Text(""), id="declare-error")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel  esc", id="declare-no", variant="primary")
                yield Button("Declare", id="declare-yes")

    def on_mount(self) -> None:
        self.query_one("#declare-title", Input).focus()

    @on(Input.Submitted)
    def _title_entered(self) -> None:
        self.query_one("#declare-no", Button).focus()

    @on(Button.Pressed, "#declare-no")
    def action_leave(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#declare-yes")
    def _declare(self) -> None:
        title = " ".join(self.query_one("#declare-title", Input).value.split())
        if not title:
            self.query_one("#declare-error", Static).update(Text("An incident needs a title.", style="bold"))
            self.query_one("#declare-title", Input).focus()
            return
        severity = self.query_one("#declare-severity", Select).value
        self.dismiss(Declaration(title, severity if isinstance(severity, int) else None))
