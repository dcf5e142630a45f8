"""The composer of status updates: the draft, whom it goes to and why, and after that how each channel fared.

Nothing is sent by one key: ctrl+s says what would happen, and only ! (or the button) after a calm look does it. What
was written and not sent is there again when the composer is opened the next time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Static, TextArea

from incident.told import CUSTOMERS, PAGER, TEAM
from tui import writing
from tui.screens.update_channels import UpdateChannels
from tui.update_draft import clock
from tui.updates import NotSent
from widgets.backdrop import Dialog
from widgets.banner_state import countdown
from widgets.deliberation import ALONE, HASTY, UNREAD, Deliberation
from widgets.plain import plain

if TYPE_CHECKING:
    from incident.channels.message import Event
    from tui.room import ControlRoom
    from tui.update_sending import Sending

QUIET = "$foreground 60%"
FOLLOW = 0.2  # seconds between two looks at how far deliveries are
PAGES: dict[Event, str] = {
    "trigger": "pages the people on call",
    "acknowledge": "acknowledges the page",
    "resolve": "ends the page",
}
Asked = Literal["", "send", "trigger", "acknowledge", "resolve"]
TITLES = {TEAM: "Status update", CUSTOMERS: "Update for customers"}


class UpdateScreen(Dialog[None]):
    """Opened on the incident that is shown."""

    AUTO_FOCUS = "#update-text"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-roomy")]  # noqa: RUF012  # an instance variable in Textual
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "ask", "send", id="update-send", priority=True, tooltip="Say what would be sent to whom"),
        Binding("exclamation_mark", "confirm", "do it", id="update-confirm", tooltip="Send it, after ctrl+s"),
        Binding("escape", "leave", "leave", id="update-leave", tooltip="Back, then leave; the text is kept for later"),
        Binding(
            "f2",
            "audience",
            "customers",
            id="update-audience",
            priority=True,
            tooltip="The update for customers, or the team's",
        ),
        Binding("f3", "copy", "copy", id="update-copy", priority=True, tooltip="Copy the words (OSC 52)"),
        Binding(
            "f5",
            "anew",
            "draft anew",
            id="update-anew",
            priority=True,
            tooltip="Draft it anew; asks before words are lost",
        ),
        Binding("f6", "page('trigger')", "page", id="update-page", priority=True, tooltip="Page the people on call"),
        Binding("f7", "page('acknowledge')", "ack", id="update-ack", priority=True, tooltip="Acknowledge the page"),
        Binding("f8", "page('resolve')", "end page", id="update-resolve", priority=True, tooltip="End the page"),
    ]

    def __init__(self, host: ControlRoom) -> None:
        super().__init__(classes="dialog")
        incident = host.journal.incident
        assert incident is not None
        self._host = host
        self._updates = host.updates
        self._incident = incident
        self.audience = TEAM
        self._drafted: dict[str, str] = {}  # as they were drafted, by audience
        self._texts: dict[str, str] = {}  # as somebody left them while looking at the other audience
        self._ticks: dict[str, list[str]] = {}
        self._loaded: str | None = None  # the text as it was put there, until somebody types
        self._asked: Asked = ""  # what ! would do: "send", or a pager's event
        self._anew = False  # f5 was pressed once on words that somebody wrote
        self._busy = False
        self._standing = False  # the line over the buttons says how things stand, and follows the clock
        self.sending: Sending | None = None
        self.deliberation = Deliberation()

    # ------------------------------------------------------------------ what is shown

    def compose(self) -> ComposeResult:
        with Vertical(id="update-box", classes="dialog-box"):
            yield TextArea(id="update-text", soft_wrap=True, show_line_numbers=False, tab_behavior="focus")
            yield UpdateChannels(id="update-to")
            yield Static(id="update-note")
            with Horizontal(id="update-buttons"):
                yield Button("Leave  esc", id="update-no", variant="primary")
                yield Button("Send  ctrl+s", id="update-yes")

    def on_mount(self) -> None:
        self._title()
        writing.begin(self._host, self._open(TEAM), "drafts an update")
        self.set_interval(1.0, self._tick, name="update due")

    @property
    def area(self) -> TextArea:
        return self.query_one("#update-text", TextArea)

    @property
    def channels(self) -> UpdateChannels:
        return self.query_one(UpdateChannels)

    async def _open(self, audience: str, *, fresh: bool = False) -> None:
        """Put this audience's text and channels on the screen: as they were left, or drafted."""
        text, trouble = await self._updates.draft(audience)
        if not self.is_attached:
            return
        self.audience = audience
        self._drafted[audience] = "\n".join(plain(line, limit=len(line) + 1) for line in text.split("\n"))
        kept = "" if fresh else self._texts.get(audience) or self._updates.kept.get((self._incident.id, audience), "")
        self._loaded = kept or self._drafted[audience]
        self.area.load_text(self._loaded)
        self.channels.show(self._updates.recipients(audience), self._ticks.get(audience))
        self._title()
        if trouble:
            self._say(f"{trouble} This is a plain draft.")
        elif kept and audience not in self._texts:
            self._say("as you left it; f5 drafts it anew from what is known now")
        else:
            self._say_standing()

    def _title(self) -> None:
        incident = self._incident
        severity = "unclassified" if incident.severity is None else f"SEV {incident.severity}"
        drill = " DRILL ·" if incident.drill else ""
        box = self.query_one("#update-box")
        where = f"{severity} {incident.status.value} · {incident.id}"
        box.border_title = Content.styled(f"{drill} {TITLES[self.audience]} · {plain(where, 80)} ", "bold")
        hints = ["ctrl+s send", "tab channels"]
        if self._updates.speaks_to_customers:
            hints.append("f2 the team's" if self.audience == CUSTOMERS else "f2 customers")
        hints += ["f3 copy", "f5 anew"]
        if self._updates.pagers():
            hints.append("f6 page f7 ack f8 end")
        box.border_subtitle = Content(" · ".join(hints) if self.sending is None else "f3 copy · esc leaves")

    def _tick(self) -> None:
        if self.sending is not None or self._busy:
            return
        incident, before = self._host.journal.incident, self._incident
        if incident is not None and incident.id == before.id and incident != before:
            self._incident = incident
            self._title()
            if (incident.severity, incident.status) != (before.severity, before.status):
                self._disarm()
                self.channels.show(self._updates.recipients(self.audience))
                self._say("the incident has changed meanwhile, and whom it goes to with it; f5 drafts it anew")
        elif not self._asked and self._standing:
            self._say_standing()

    def _say_standing(self) -> None:
        """How long the text is, and what is due when."""
        text, parts = self.area.text, []
        words = len(text)
        parts.append(f"{words:,} characters")
        left = self._updates.countdown(self._host.now())
        if left is not None and self.audience == TEAM:
            parts.append(f"OVERDUE {countdown(-left.left)}" if left.overdue else f"due in {countdown(left.left)}")
        due = self._updates.due(text)
        if self.audience == TEAM and self._updates.customers_wait:
            parts.append("customers must be told, too: f2")
        if self.audience == TEAM:
            now = int(self._host.now() * 1000)
            past = due is not None and due <= now
            promise = "this is the last one" if due is None else f"promises the next one for {clock(due, now)}"
            parts.append(f"{promise}, which is past" if past else promise)
        elif self.audience == CUSTOMERS:
            parts.append("customers read this")
        self._say(" · ".join(parts), QUIET)
        self._standing = True

    def _say(self, text: str, style: str = "$text-warning") -> None:
        self._standing = False
        self.query_one("#update-note", Static).update(Content.styled(plain(text, 600), style))

    # ------------------------------------------------------------------ writing

    def hear(self, event: events.Key) -> None:
        """Every key is heard here before it means anything: a burst of them is nobody's decision."""
        self.deliberation.pressed(event.time)

    @on(TextArea.Changed)
    def _typed(self, event: TextArea.Changed) -> None:
        event.stop()
        if self.area.text == self._loaded:
            return  # nobody typed that
        self._loaded, self._anew = None, False
        if self.sending is None and not self._busy:
            self._disarm()

    @on(UpdateChannels.Ticked)
    def _ticked(self, event: UpdateChannels.Ticked) -> None:
        event.stop()
        if self.sending is None and not self._busy and self._asked:
            self._disarm()

    def _disarm(self) -> None:
        self._asked = ""
        self.query_one("#update-yes", Button).label = "Send  ctrl+s"
        self._say_standing()

    @property
    def _edited(self) -> bool:
        return self.area.text.strip() != self._drafted.get(self.audience, "").strip()

    def _keep(self) -> None:
        """What was written is there again the next time; what was only drafted is drafted anew then."""
        key = self._incident.id, self.audience
        if self._edited and self.area.text.strip():
            self._updates.kept[key] = self.area.text
        else:
            self._updates.kept.pop(key, None)

    def action_audience(self) -> None:
        if self.sending is not None or self._busy or not self._updates.speaks_to_customers:
            return
        self._keep()
        self._texts[self.audience], self._ticks[self.audience] = self.area.text, self.channels.ticked
        self._asked = ""
        other = TEAM if self.audience == CUSTOMERS else CUSTOMERS
        writing.begin(self._host, self._open(other), "drafts an update")

    def action_anew(self) -> None:
        if self.sending is not None or self._busy:
            return
        if self._edited and not self._anew:
            self._anew = True
            self._say("f5 again throws away what you wrote and drafts it from what is known now")
            return
        self._anew = False
        self._texts.pop(self.audience, None)
        writing.begin(self._host, self._open(self.audience, fresh=True), "drafts an update")

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.area.text)
        self._say("copied", QUIET)

    @on(Button.Pressed, "#update-no")
    def _said_no(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_leave()

    def action_leave(self) -> None:
        if self._busy:
            return
        if self._asked:
            self._disarm()
            self.area.focus()
            return
        if self.sending is None:
            self._keep()
        self.dismiss(None)

    # ------------------------------------------------------------------ sending

    def action_ask(self) -> None:
        """Say what would be sent to whom; nothing is sent yet."""
        if self.sending is not None or self._busy:
            return
        text, now = self.area.text, int(self._host.now() * 1000)
        if not text.strip():
            self._say("✗ there is nothing to send yet")
            return
        due = self._updates.due(text)
        if self.audience == TEAM and due is not None and due <= now:
            self._say(
                f"✗ it promises the next update for {clock(due)}, which is past: correct it, or f5 drafts it anew"
            )
            return
        names = [one.name for one in self.channels.chosen]
        whom = f"sends it to {', '.join(names)}" if names else "records it, and sends it to nobody"
        if any(one.kind == "pagerduty" for one in self.channels.chosen) and not self._updates.told.paged:
            whom += ", which PAGES" if self._incident.open else ""
        self._arm("send", f"! {whom} · esc goes back to the text", "Send  !" if names else "Record  !")

    def action_page(self, event: Event) -> None:
        if self.sending is not None or self._busy or not (pagers := self._updates.pagers()):
            return
        names = ", ".join(one.name for one in pagers)
        self._arm(event, f"! {PAGES[event]} through {names} · esc goes back", "Do it  !")

    def _arm(self, what: Asked, said: str, label: str) -> None:
        self._asked = what
        button = self.query_one("#update-yes", Button)
        button.label = label
        button.focus()
        self.deliberation = Deliberation()  # what was typed before, fast as it may have been, says nothing about this
        self.deliberation.shown(time.monotonic())
        self._say(said, "bold $text-accent")

    @on(Button.Pressed, "#update-yes")
    def _said_yes(self, event: Button.Pressed) -> None:
        event.stop()
        if self._asked:
            self.action_confirm()
        else:
            self.action_ask()

    def action_confirm(self) -> None:
        if self._busy or not self._asked or self.sending is not None:
            return
        why = self.deliberation.objection(time.monotonic())
        if why:
            self._say("that was too soon: read whom it goes to, then press again" if why == UNREAD else why)
            return
        self._busy = True
        heard = self.deliberation.count
        self.set_timer(ALONE, lambda: self._confirmed(heard), name="no key follows")

    def _confirmed(self, heard: int) -> None:
        """No other key came right after it: it was meant."""
        if self.deliberation.count != heard:
            self._busy = False
            self._say(HASTY)
            return
        writing.begin(self._host, self._send(self._asked, self.area.text), "sends an update")

    async def _send(self, what: Asked, text: str) -> None:
        """Beside the screen, which may be left meanwhile."""
        try:
            shown = self._host.journal.incident
            if shown is None or shown.id != self._incident.id:
                raise NotSent(f"another incident is shown than {self._incident.id}")
            if what == "send":
                sending = await self._updates.send(text, self.channels.chosen, audience=self.audience)
            else:
                sending = await self._updates.page(what)
        except NotSent as error:
            self._host.tell(f"not sent: {error}", "error", timeout=15)
            if self.is_attached:
                self._disarm()
                self._say(f"✗ not sent: {error}")
            return
        finally:
            self._busy = False
        if sending.trouble:
            self._host.tell(f"sent, and kept aside, not in the store yet: {sending.trouble}", "error", timeout=15)
        if self.is_attached:
            self._sent(sending, PAGER if what != "send" else self.audience)

    def _sent(self, sending: Sending, audience: str) -> None:
        self.sending, self._asked = sending, ""
        if audience != PAGER:
            self._loaded = sending.text
            self.area.load_text(sending.text)
        self.area.read_only = True
        self.query_one("#update-yes").display = False
        self.query_one("#update-no").focus()
        self._title()
        self._follow()
        self.set_interval(FOLLOW, self._follow, name="deliveries")

    def _follow(self) -> None:
        sending = self.sending
        assert sending is not None
        self.channels.follow(sending)
        failed = [one for one in sending.outcomes if one.state == "failed"]
        if not sending.finished:
            self._say("recorded · being delivered, which goes on if you leave", QUIET)
        elif failed:
            self._say(
                f"recorded · {len(failed)} of {len(sending.outcomes)} NOT delivered: M tries again, or tell them",
                "bold $text-error",
            )
        elif sending.outcomes:
            self._say("recorded and delivered · esc leaves", "$text-success")
        else:
            self._say("recorded word for word · f3 copies it · esc leaves", "$text-success")
