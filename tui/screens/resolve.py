"""Before an incident is resolved: its resolution checklist, what is open on it, and the question whether it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Key
from textual.widgets import Button, Input, Static

from tui.card_changes import resolved
from tui.card_lines import item_line
from tui.writing import answered
from widgets.backdrop import Dialog
from widgets.plain import plain

if TYPE_CHECKING:
    from tui.checklists import ItemView
    from tui.room import ControlRoom


NAMED = 3
"""Open items that the question names; all of them are listed, and recorded."""


class ResolveScreen(Dialog[bool]):
    """Dismissed with True once it is resolved. Back has the focus while something is open."""

    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-roomy")]  # noqa: RUF012  # an instance variable in Textual
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", id="resolve-back", tooltip="Back; the incident stays as it is")
    ]
    CSS = """
    ResolveScreen {
        & #resolve-box { width: 110; max-height: 100%; }
        & #resolve-items { height: auto; max-height: 22; }
        & #resolve-list { height: auto; }
        & #resolve-asks { height: auto; margin: 1 0; }
        & #resolve-note { height: auto; }
        & #resolve-buttons { height: 3; align-horizontal: right; & Button { margin-left: 2; min-width: 20; } }
        &.-short #resolve-box { padding: 0 1; }
        &.-short #resolve-items { max-height: 13; }
        &.-short #resolve-asks { margin: 0; }
        &.-short #resolve-buttons { height: 1; }
    }
    """

    def __init__(self, host: ControlRoom) -> None:
        super().__init__(classes="dialog")
        self._host = host
        self._busy = False

    def compose(self) -> ComposeResult:
        incident = self._host.journal.incident
        with Vertical(id="resolve-box", classes="dialog-box") as box:
            box.border_title = Content.styled(f"Resolve {incident.id if incident else ''}", "bold")
            box.border_subtitle = Content("space ticks on the card (v)")
            with VerticalScroll(id="resolve-items", can_focus=False):
                yield Static(id="resolve-list")
            yield Static(id="resolve-asks")
            hint = "what ended it (may stay empty)"
            yield Input(placeholder=hint, id="resolve-reason", compact=True, select_on_focus=False)
            yield Static(id="resolve-note")
            with Horizontal(id="resolve-buttons"):
                yield Button("Back  esc", id="resolve-no")
                yield Button("Resolve", id="resolve-yes", variant="primary")

    def on_mount(self) -> None:
        self.call_after_refresh(self._fit)
        self._look()
        self.query_one("#resolve-no" if self._open else "#resolve-yes", Button).focus()
        self.set_interval(1.0, self._look, name="resolution checklist")

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        for button in self.query(Button):
            button.compact = self.has_class("-short")
        self._look()

    @property
    def _items(self) -> list[ItemView]:
        lists = self._host.commanding.checklists.lists()
        return [item for found in lists if found.checklist.when == "resolve" for item in found.items]

    @property
    def _open(self) -> list[ItemView]:
        return [item for item in self._items if item.open]

    def _look(self) -> None:
        """A second has passed: probes may have ticked something meanwhile."""
        if not self.is_mounted:
            return
        self._host.commanding.checklists.look()
        items, now = self._items, self._host.now()
        cells = max(self.query_one("#resolve-list").size.width, 40)
        # What is open comes first: it is what is asked about.
        lines = [
            item_line(one, cells, local=self._host.local_time, now=now)
            for one in sorted(items, key=lambda one: not one.open)
        ]
        self.query_one("#resolve-list", Static).update(Content("\n").join(lines))
        found = self._open
        if found:
            names = "; ".join(one.item.text for one in found[:NAMED])
            names += f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
            count = "1 item is open" if len(found) == 1 else f"{len(found)} items are open"
            asks = Content.styled(plain(f"! {count}: {names}. Resolve anyway?", 500), "bold $text-warning")
        else:
            asks = Content.styled("✓ Nothing is open on the resolution checklist.", "$text-success")
        self.query_one("#resolve-asks", Static).update(asks)
        self.query_one("#resolve-yes", Button).label = "Resolve anyway" if found else "Resolve"

    def on_key(self, event: Key) -> None:
        """Words that are typed while a button has the focus are the reason; they went nowhere, and `enter` resolved."""
        if isinstance(self.focused, Button) and event.is_printable and event.character is not None:
            event.stop()
            reason = self.query_one("#resolve-reason", Input).focus()
            reason.insert_text_at_cursor(event.character)

    @on(Input.Submitted, "#resolve-reason")
    def _reason_given(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#resolve-yes", Button).focus()

    @on(Button.Pressed, "#resolve-no")
    def action_leave(self) -> None:
        if not self._busy:
            self.dismiss(False)

    @on(Button.Pressed, "#resolve-yes")
    def _said_yes(self) -> None:
        if not self._busy:
            self._busy = True
            self.run_worker(self._resolve(), group="resolve")

    async def _resolve(self) -> None:
        reason = " ".join(self.query_one("#resolve-reason", Input).value.split())
        trouble = await answered(resolved(self._host, reason, self._open))
        self._busy = False
        if trouble:
            self.query_one("#resolve-note", Static).update(
                Content.styled(plain(f"✗ {trouble}", 500), "bold $text-error")
            )
        else:
            self.dismiss(True)
