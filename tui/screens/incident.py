"""The incident's card over the console: what it is, who does what, when what was; beside it the runbook's checklists.

Everything on it is changed from the keyboard, each change with an entry of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static

from incident.entry import Kind
from incident.errors import StoreError
from incident.review import Mark, marks
from incident.timeline import Timeline
from tui import card_changes, writing
from tui.card import Row, held_since, rows
from tui.card_lines import card_row, item_id, list_rows
from tui.outline import NARROW
from tui.relapse import summary
from widgets.banner_state import stopwatch
from widgets.row_list import ListRow, RowList

if TYPE_CHECKING:
    from incident.entry import Incident
    from tui.checklists import ItemView
    from tui.room import ControlRoom

NOT_OURS = "a drill and the real thing never mix: this incident belongs to the other kind of console"


class CardList(RowList):
    """What the incident is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "screen.take", "take", id="card.take", show=False, tooltip="Take the role under the cursor"),
        Binding("y", "screen.answer('yes')", "yes", id="card.yes", show=False, tooltip="Answer the question: yes"),
        Binding("n", "screen.answer('no')", "no", id="card.no", show=False, tooltip="Answer the question: no"),
        Binding("u", "screen.answer('?')", "unknown", id="card.unknown", show=False, tooltip="It is not known"),
    ]


class CheckList(RowList):
    """The runbook's checklists."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "screen.tick", "tick", id="checks.tick", show=False, tooltip="Done, or open again"),
        Binding("x", "screen.drop", "not needed", id="checks.drop", show=False, tooltip="Not needed here, and why"),
    ]


class IncidentScreen(Screen[None]):
    """Live while it is in front: probes tick what they see."""

    AUTO_FOCUS = "#card"
    CSS = """
    IncidentScreen {
        layout: vertical;
        & Horizontal { height: 1fr; }
        & #card { width: 56%; }
        & #checks { width: 1fr; }
        & .-alone { width: 100% !important; }
        & #whole { height: 1; padding: 0 2; color: $foreground 80%; &.-alone { height: 2; } }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,v", "leave", "back", id="card-back", tooltip="Back to the console"),
        Binding("tab,shift+tab", "other", "other side", id="card-other", show=False, tooltip="Card or checklists"),
        Binding("M", "update", "update", id="card-update", show=False, tooltip="Write a status update"),
    ]

    def __init__(self, host: ControlRoom) -> None:
        super().__init__()
        self._host = host
        self._rows: list[Row] = []
        self._marks: tuple[object, dict[str, Mark]] = (None, {})
        self._held: dict[str, int] = {}
        self._held_of: object = None
        self._alone = ""  # which side has a narrow terminal

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield CardList(id="card")
            yield CheckList(id="checks")
        yield Static(id="whole")

    def on_mount(self) -> None:
        self._arrange()
        self._look()
        self.set_interval(1.0, self._tick, name="incident card")

    @property
    def card(self) -> CardList:
        return self.query_one(CardList)

    @property
    def checks(self) -> CheckList:
        return self.query_one(CheckList)

    def on_resize(self) -> None:
        self._arrange()
        self.call_after_refresh(self._look)

    def on_screen_resume(self) -> None:
        self._look()

    def _arrange(self) -> None:
        if not self.is_mounted:
            return
        narrow = self.size.width < NARROW
        self._alone = (self._alone or "card") if narrow else ""
        for side in (self.card, self.checks):
            side.display = self._alone in ("", side.id)
            side.set_class(narrow, "-alone")
        self.query_one("#whole").set_class(narrow, "-alone")

    # ------------------------------------------------------------------ what is shown

    def _tick(self) -> None:
        if self.is_current:  # a dialog in front looks for itself, or is about something else
            self._host.commanding.checklists.look()
        self._look()

    def _look(self) -> None:
        incident = self._host.journal.incident
        if not self.is_mounted or incident is None:
            return
        now, local = self._host.now(), self._host.local_time
        self._read_roles(incident)
        again = summary(self._host.commanding.relapse.standing, incident.resolved_at or 0)
        marked = self._marked(incident)
        self._rows = rows(
            incident,
            self._host.response,
            marked,
            self._held,
            local=local,
            now=now,
            relapse=again,
            seen=self._host.commanding.seen_of(incident),
        )
        cells = max(self.card.scrollable_content_region.width - 1, 40)
        self.card.show([card_row(row, cells) for row in self._rows])
        checklists = self._host.commanding.checklists
        found = checklists.lists()
        cells = max(self.checks.scrollable_content_region.width - 1, 30)
        empty = "opening the checklists …" if not checklists.ready else "The runbook has no checklists."
        quiet = [ListRow("none", Content.styled(empty, "$foreground 60%"), heading=True)]
        self.checks.show(list_rows(found, cells, local=local, now=now) or quiet)
        self._title(incident, now)

    def _title(self, incident: Incident, now: float) -> None:
        drill = "DRILL · " if incident.drill else ""
        began = stopwatch(now - incident.declared_at / 1000)
        took = f"open {began}" if incident.open else incident.status.value
        self.card.border_title = Content.assemble((f"{drill}{incident.id}", "bold"), (f"  {took}", "$foreground 60%"))
        hint = next((row.hint for row in self._rows if row.id == self.card.chosen), "")
        self.card.border_subtitle = Content(" · ".join(filter(None, (hint, "tab checklists", "esc back"))))
        left = self._host.commanding.relapse.left(now)
        watch = f"  watched for another {stopwatch(left)}" if left is not None else ""
        self.checks.border_title = Content.assemble(("Checklists", "bold"), (watch, "$foreground 60%"))
        full = self.checks.full if self.focused is self.checks else self.card.full
        self.query_one("#whole", Static).update(Content(full))
        self.checks.border_subtitle = Content("space ticks · x not needed · enter notes · tab card")

    def _marked(self, incident: Incident) -> dict[str, Mark]:
        """When what was, worked out again only when something happened: a timeline may be long."""
        lines = self._host.journal.timeline.lines
        known = incident, len(lines), lines[-1].last_at if lines else 0
        if self._marks[0] != known:
            self._marks = known, marks(incident, lines)
        return self._marks[1]

    def _read_roles(self, incident: Incident) -> None:
        known = incident.id, tuple(sorted(incident.roles.items()))
        if self._held_of != known:
            self._held_of = known
            writing.begin(self._host, self._read_held(incident), "reads the roles")

    async def _read_held(self, incident: Incident) -> None:
        try:
            changes = await self._host.journal.of_kinds(incident.id, (Kind.STATUS,))
        except StoreError:  # it is told wherever it matters; here only the "since" is missing
            return
        self._held = held_since(Timeline(changes).lines, incident)
        self._look()

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        incident = self._host.journal.incident
        if incident is not None:
            self._title(incident, self._host.now())

    # ------------------------------------------------------------------ keys

    @property
    def _ours(self) -> bool:
        """Whether this console may change the incident."""
        journal = self._host.journal
        if journal.incident is not None and journal.incident.drill is not journal.drill:
            self._host.tell(NOT_OURS, "warning")
            return False
        return True

    @property
    def item(self) -> ItemView | None:
        """The item under the cursor."""
        chosen = self.checks.chosen
        lists = self._host.commanding.checklists.lists()
        return next((one for found in lists for one in found.items if item_id(one) == chosen), None)

    @on(OptionList.OptionSelected, "#card")
    def _change(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self._ours:
            card_changes.change(self._host, self.card.chosen)

    @on(OptionList.OptionSelected, "#checks")
    def _note(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self.item is not None and self._ours:
            card_changes.note(self._host, self.item, not_needed=False)

    def action_take(self) -> None:
        if self._ours:
            card_changes.take(self._host, self.card.chosen)

    def action_answer(self, said: card_changes.Answer) -> None:
        if self._ours:
            card_changes.answer(self._host, self.card.chosen, said)

    def action_tick(self) -> None:
        if self.item is not None and self._ours:
            card_changes.tick(self._host, self.item)

    def action_drop(self) -> None:
        if self.item is not None and self._ours:
            card_changes.note(self._host, self.item, not_needed=True)

    def action_update(self) -> None:
        writing.update(self._host)

    def action_other(self) -> None:
        there = self.checks if self.focused is self.card else self.card
        if self._alone:
            self._alone = there.id or "card"
            self._arrange()
        there.focus()
        self.call_after_refresh(self._look)

    def action_leave(self) -> None:
        self.dismiss(None)
