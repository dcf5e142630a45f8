"""What this console carries out and has carried out: each act with its progress, and a way to stop it where safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui import acting
from widgets.backdrop import Dialog
from widgets.banner_state import countdown
from widgets.plain import clock, plain

if TYPE_CHECKING:
    from runbook.act import Act
    from tui.room import ControlRoom

NOTHING = "Nothing was carried out by this console yet."
_STYLES = {"good": "$text-success", "bad": "bold $text-error", "warn": "$text-warning", "dim": "$foreground 60%"}


class ActsScreen(Dialog[None]):
    """The newest act first. Leaving stops nothing."""

    AUTO_FOCUS = "#acts-list"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,w", "leave", "back", id="acts-back", tooltip="Back to the console; acts go on"),
        Binding("x", "stop", "stop", id="acts-stop", tooltip="Stop it where that is safe, or stop watching"),
        Binding("y", "copy", "copy", id="acts-copy", tooltip="Copy the command of the act (OSC 52)"),
    ]

    def __init__(self, host: ControlRoom) -> None:
        super().__init__(classes="dialog")
        self._host = host
        self._asked = ""  # the act whose stop was asked for once
        self._told: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="acts-box", classes="dialog-box") as box:
            box.border_title = Content("Acts of this console")
            box.border_subtitle = Content("x stops where it is safe · y copies the command · esc leaves, acts go on")
            yield OptionList(id="acts-list", markup=False, compact=True)
            with VerticalScroll(id="acts-body", can_focus=False):
                yield Static(id="acts-detail")
            yield Static(id="acts-note")

    def on_mount(self) -> None:
        self._fill()
        self.set_interval(0.5, self._refresh_acts, name="acts")

    @property
    def acts(self) -> list[Act]:
        return self._host.gates.acts[::-1]

    @property
    def selected(self) -> Act | None:
        options = self.query_one(OptionList)
        index = options.highlighted
        acts = self.acts
        return acts[index] if index is not None and index < len(acts) else None

    def _fill(self) -> None:
        options = self.query_one(OptionList)
        place = options.highlighted or 0
        options.clear_options()
        options.add_options([Option(_line(act), id=act.plan.id) for act in self.acts])
        options.highlighted = min(place, options.option_count - 1) if options.option_count else None
        options.display = bool(options.option_count)
        self._show()

    def _refresh_acts(self) -> None:
        options = self.query_one(OptionList)
        acts = self.acts
        if options.option_count != len(acts):
            self._fill()
            return
        for act in acts:
            options.replace_option_prompt(act.plan.id, _line(act))
        self._show()

    @on(OptionList.OptionHighlighted)
    def _moved(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._asked = ""
        self._show()

    def _show(self) -> None:
        act = self.selected
        detail = self.query_one("#acts-detail", Static)
        if act is None:
            detail.update(Content.styled(NOTHING, "$foreground 60%"))
            self.query_one("#acts-note", Static).update("")
            return
        parts: list[tuple[str, str]] = []
        for command in act.plan.commands:
            parts += [("$ ", "$foreground 60%"), (plain(command, 500) + "\n", "$text-accent")]
        for at, text in act.progress[-40:]:
            parts += [(f"{clock(at, self._host.local_time)} ", "$foreground 60%"), (plain(text, 500) + "\n", "")]
        if act.outcome is not None:
            row = acting.row_of(act)
            parts.append((f"{row.mark} {row.verdict}: {plain(act.outcome.text, 1000)}\n", _STYLES[row.style]))
            undo = act.outcome.undo or act.plan.undo
            parts += [("undo: ", "$foreground 60%"), (plain(undo.words, 300), "")]
        if parts != self._told:  # how it ended is last, and no key scrolls there
            self._told = parts
            detail.update(Content.assemble(*parts))
            self.query_one("#acts-body").scroll_end(animate=False)
        stop = act.can_stop
        said = f"x again {stop}" if self._asked == act.plan.id and stop else f"x {stop}" if stop else ""
        self.query_one("#acts-note", Static).update(Content.styled(said, "$text-warning"))

    def action_stop(self) -> None:
        act = self.selected
        if act is None or not act.can_stop:
            self._host.tell("this cannot be stopped safely now; it is seen through", "warning", timeout=4)
        elif self._asked != act.plan.id:
            self._asked = act.plan.id
            self._show()
        else:
            self._asked = ""
            act.stop(self._host.journal.author)

    def action_copy(self) -> None:
        act = self.selected
        if act is not None:
            self.app.copy_to_clipboard("\n".join(act.plan.commands))
            self._host.tell("copied", timeout=2)

    def action_leave(self) -> None:
        self.dismiss(None)


def _line(act: Act) -> Content:
    row = acting.row_of(act)
    news = row.verdict or row.phase
    return Content.assemble(
        (f"{row.mark} ", _STYLES[row.style]),
        (plain(row.title, 120), "bold"),
        (f"   {news}   ", _STYLES[row.style]),
        (countdown(row.seconds), "$foreground 60%"),
    )
