"""Whom an update goes to: a line for each channel, ticked as the matrix demands; after sending, how each one fared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from widgets.plain import crop, plain

if TYPE_CHECKING:
    from incident.channels.message import Channel
    from tui.update_draft import Recipient
    from tui.update_sending import Sending

NAME = 32
"""Cells of a channel's name."""

NONE = "The runbook names no channel for this: the words are recorded, and f3 copies them for you to send."
MARKS = {"waiting": "…", "trying": "…", "ok": "✓", "failed": "✗"}


class ChannelList(OptionList):
    """Space or enter ticks; a channel that cannot be used is there, and says why."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "select", "tick", show=False)]


class UpdateChannels(Vertical):
    """`show` what can be chosen, then `follow` what was sent."""

    class Ticked(Message):
        """Somebody changed whom it goes to."""

    DEFAULT_CSS = """
    UpdateChannels {
        height: auto;
        & ChannelList { height: auto; max-height: 9; border: round $border-blurred; padding: 0 1; }
        & ChannelList:focus { border: round $border; }
        & #update-none, & #update-outcomes { height: auto; padding: 0 2; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._recipients: Sequence[Recipient] = ()
        self._ticked: set[str] = set()

    def compose(self) -> ComposeResult:
        yield Static("To  (tab, then space ticks)", id="update-label", markup=False)
        yield ChannelList(id="update-channels", markup=False)
        yield Static(NONE, id="update-none", markup=False)
        yield Static(id="update-outcomes")

    def on_mount(self) -> None:
        self.query_one("#update-outcomes").display = False

    @property
    def choices(self) -> ChannelList:
        return self.query_one(ChannelList)

    @property
    def ticked(self) -> list[str]:
        """The ids of the channels that are ticked, in the runbook's order."""
        return [one.channel.id for one in self._recipients if one.channel.id in self._ticked]

    @property
    def chosen(self) -> list[Channel]:
        return [one.channel for one in self._recipients if one.channel.id in self._ticked]

    def show(self, recipients: Sequence[Recipient], ticked: Sequence[str] | None = None) -> None:
        """``ticked``: as somebody left them; None: as the matrix demands."""
        self._recipients = recipients
        wanted = [one.channel.id for one in recipients if one.wanted] if ticked is None else ticked
        self._ticked = {one.channel.id for one in recipients if one.channel.id in wanted and not one.trouble}
        self.choices.clear_options()
        for one in recipients:
            self.choices.add_option(
                Option(_line(one, one.channel.id in self._ticked), one.channel.id, disabled=bool(one.trouble))
            )
        self.choices.highlighted = next((n for n, one in enumerate(recipients) if not one.trouble), None)
        self.choices.display = self.query_one("#update-label").display = bool(recipients)
        self.query_one("#update-none").display = not recipients

    @on(OptionList.OptionSelected)
    def _toggled(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        recipient = self._recipients[event.option_index]
        self._ticked ^= {recipient.channel.id}
        line = _line(recipient, recipient.channel.id in self._ticked)
        self.choices.replace_option_prompt_at_index(event.option_index, line)
        self.post_message(self.Ticked())

    def follow(self, sending: Sending) -> None:
        """How far it is, with every channel."""
        for name in ("#update-channels", "#update-none", "#update-label"):
            self.query_one(name).display = False
        outcomes = self.query_one("#update-outcomes", Static)
        outcomes.display = True
        lines = [Content.styled("Recorded. Nothing to deliver.", "$foreground 60%")] if not sending.outcomes else []
        for outcome in sending.outcomes:
            bad = outcome.state == "failed"
            said = {"waiting": "waits", "trying": "sending", "ok": "", "failed": "NOT delivered: "}[outcome.state]
            if outcome.state == "trying" and outcome.attempt > 1:
                said = f"try {outcome.attempt}, because: "
            style = "bold $text-error" if bad else "$text-success" if outcome.state == "ok" else "$foreground 80%"
            tries = f" (try {outcome.attempt})" if outcome.state == "ok" and outcome.attempt > 1 else ""
            lines.append(
                Content.assemble(
                    (f"{MARKS[outcome.state]} ", style),
                    (crop(plain(outcome.channel.name, 80), NAME).ljust(NAME), "bold"),
                    (f" {said}{plain(outcome.detail, 400)}{tries}", style),
                )
            )
        outcomes.update(Content("\n").join(lines))


def _line(one: Recipient, ticked: bool) -> Content:
    tick = ("[×] " if ticked else "[ ] ", "bold" if ticked else "")
    name = crop(plain(one.channel.name, 80), NAME).ljust(NAME)
    if one.trouble:
        wanted = f" · {one.why}" if one.wanted else ""
        return Content.assemble(
            "  ✗ ", (f"{name} ", ""), (f"{plain(one.trouble, 200)}{plain(wanted, 200)}", "$text-warning")
        )
    mark = "! " if one.judge else ""
    style = "$text-warning" if one.judge else "$foreground 70%"
    return Content.assemble(tick, (f"{name} ", "bold"), (f"{mark}{plain(one.why, 200)}", style))
