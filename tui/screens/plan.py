"""A plan over the console: where, what exactly, what changes, what speaks against it, and the one way to say yes.

Cancel has the focus. Nothing here writes: a confirmation that was meant is handed to the gate, which has the last word.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Button, Input, Static

from probes.errors import ProbeError
from runbook.errors import Changed, MitigationError
from runbook.gate import Confirmation, Gate
from runbook.plan import Aim, Plan
from tui import writing
from tui.screens.plan_body import QUIET, PlanBody, heading, place
from tui.screens.plan_confirmation import PhraseInput, PlanConfirmation
from tui.screens.plan_fields import FieldChanged, PlanFields
from widgets.backdrop import Dialog
from widgets.deliberation import ALONE, HASTY, Deliberation
from widgets.paragraphs import EMPTY, Paragraph, Paragraphs
from widgets.plain import plain

if TYPE_CHECKING:
    from tui.room import ControlRoom

log = logging.getLogger(__name__)

SETTLE = 0.3  # seconds after the last change of a field until the plan is made anew


class PlanScreen(Dialog[None]):
    """``aim`` was captured when the key was pressed. ``note`` says why the plan is shown, e.g. that it is an undo."""

    AUTO_FOCUS = "#plan-no"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-roomy")]  # noqa: RUF012  # an instance variable in Textual
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel", id="plan-cancel", tooltip="Leave; nothing is sent"),
        Binding("exclamation_mark", "confirm", "do it", id="plan-confirm", tooltip="Carry the plan out"),
        Binding("space", "acknowledge", "acknowledge", id="plan-acknowledge", tooltip="Acknowledge the next warning"),
        Binding("y", "copy", "copy", id="plan-copy", tooltip="Copy the equivalent command (OSC 52)"),
        Binding("down,j", "scroll(1)", "down", show=False, id="plan-down", tooltip="Scroll the plan"),
        Binding("up,k", "scroll(-1)", "up", show=False, id="plan-up", tooltip="Scroll the plan"),
        Binding("pagedown", "diff(1)", "more", show=False, id="plan-diff-down", tooltip="A page down in what changes"),
        Binding("pageup", "diff(-1)", "back", show=False, id="plan-diff-up", tooltip="A page up in what changes"),
        Binding("tab", "onward", "next", show=False, id="plan-onward", tooltip="To what has to be typed, or the next"),
        Binding("right", "app.focus_next", "next", show=False, id="plan-next", tooltip="The next button"),
        Binding("left", "app.focus_previous", "previous", show=False, id="plan-previous", tooltip="The button before"),
    ]

    def __init__(
        self,
        host: ControlRoom,
        gate: Gate,
        mitigation: str,
        aim: Aim,
        choices: Mapping[str, str] | None = None,
        *,
        note: str = "",
    ) -> None:
        super().__init__(classes="dialog")
        self._host = host
        self._gate = gate
        self._mitigation = mitigation
        self._aim = aim
        self._choices = dict(choices or {})
        self._note = note
        self._plan: Plan | None = None
        self._read: set[str] = set()  # warnings that were acknowledged
        self._refused = ""  # the blocked plan that was said yes to
        self._sending = False
        self._says_what_to_type = False
        self._says_how = False
        self._settling: Timer | None = None
        # Instants are those of `textual.events.Event.time`: monotonic.
        self.deliberation = Deliberation()

    # ------------------------------------------------------------------ what is shown

    def compose(self) -> ComposeResult:
        with Vertical(id="plan-box", classes="dialog-box"):
            yield Paragraphs(id="plan-head")
            yield PlanFields(id="plan-fields")
            yield PlanBody(id="plan-body")
            yield Static(id="plan-note")
            yield PlanConfirmation(id="plan-confirmation")

    def on_mount(self) -> None:
        self._place(*self._gate.where(self._aim))  # known before there is a plan, and if there is none
        self._head("looking …", QUIET)
        self._look()

    @property
    def plan(self) -> Plan | None:
        return self._plan

    @work(group="plan", exclusive=True, exit_on_error=False, description="makes the plan")
    async def _look(self) -> None:
        plan, asked = None, dict(self._choices)
        try:
            plan = await self._gate.plan(self._mitigation, self._aim, asked)
        except (ProbeError, MitigationError) as error:
            refusal = str(error), error.hint
        except Exception as error:  # a mitigation's own defect ends neither the console nor the person's patience
            log.exception("a plan could not be made")
            refusal = f"the plan could not be made: {type(error).__name__}: {error}", "see the log file"
        if asked != self._choices:
            return  # another value stands in a field by now: the look for that one is due
        if plan is None:
            self._show_refusal(*refusal)
        else:
            await self._show(plan)

    async def _show(self, plan: Plan) -> None:
        self._plan = plan
        self._choices = dict(plan.choices) or self._choices
        self._read &= {finding.text for finding in plan.warnings}
        self._place(plan.target.context, plan.target.namespace, plan.production)
        self.query_one("#plan-head", Paragraphs).show(heading(plan, self._note))
        await self.query_one(PlanFields).show(plan.fields, plan.choices)
        self.query_one(PlanBody).show(plan, self._read)
        self._show_confirmation(plan)
        self.deliberation.shown(time.monotonic())
        self.call_after_refresh(self._fit)

    def _place(self, context: str, namespace: str, production: bool) -> None:
        box = self.query_one("#plan-box")
        box.set_class(production, "-production")
        box.border_title = place(context, namespace, production)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self, again: bool = True) -> None:
        """``again``: what was put on the screen just now may be laid out only after the next refresh."""
        short = self.has_class("-short")
        for confirmation in self.query(PlanConfirmation):  # none if the screen was left before it was laid out
            confirmation.compact(short)
        for body in self.query(PlanBody):
            body.fit(self._plan, margin=0 if short else 2)
        if again:
            self.call_after_refresh(self._fit, again=False)

    def _show_refusal(self, text: str, hint: str) -> None:
        self._plan = None
        self._head(f"✗ {plain(text, 500)}", "bold $text-error")
        self._say(hint)
        self.query_one(PlanBody).show_nothing()
        self.query_one(PlanConfirmation).show_nothing()

    def _show_confirmation(self, plan: Plan) -> None:
        confirmation = self.query_one(PlanConfirmation)
        unread = len(self._unread)
        confirmation.show(plan, unread)
        choosable = {field.id for field in plan.fields}
        if plan.blocked and all(finding.name in choosable for finding in plan.blocked):
            self._say(f"{plan.blocked[0].advice or 'choose something else'}: tab", QUIET)
        elif plan.blocked:
            self._say(confirmation.obstacle)
        elif unread:
            self._say(f"{unread} to acknowledge: space", "$text-warning")
        elif plan.phrase:
            self._say_what_to_type()
        else:
            self._say_how()

    @on(events.DescendantFocus, "Input")
    @on(events.DescendantBlur, "Input")
    def _moved(self) -> None:
        """Where the focus is already, tab would lead away from it. What else was said meanwhile stays."""
        if self._says_what_to_type:
            self._say_what_to_type()
        elif self._says_how:
            self._say_how()

    def _say_how(self) -> None:
        """A field takes what is typed: it has to be left first."""
        within = isinstance(self.focused, Input)
        self._say(f"{'enter, then ' if within else ''}! carries it out · esc leaves", QUIET)
        self._says_how = True

    def _say_what_to_type(self) -> None:
        for phrase in self.query(PhraseInput):  # none while the screen is being left
            wanted = self._plan.phrase if self._plan is not None else ""
            self._say(f"{'' if phrase.has_focus else 'tab, then '}type {wanted} and press enter")
            self._says_what_to_type = True

    def _head(self, text: str, style: str) -> None:
        """What was asked for, and a sentence about it, where a plan's title would be."""
        asked = f"{self._gate.mitigation(self._mitigation).label.capitalize()} {plain(str(self._aim), 120)}"
        head = [Paragraph(EMPTY, Content.styled(words, how)) for words, how in ((asked, "bold"), (text, style))]
        self.query_one("#plan-head", Paragraphs).show(head)

    def _say(self, text: str, style: str = "$text-warning") -> None:
        self._says_what_to_type = self._says_how = False
        self.query_one("#plan-note", Static).update(Content.styled(plain(text, 400), style))

    # ------------------------------------------------------------------ what stands in the way

    @property
    def _unread(self) -> list[str]:
        return [finding.text for finding in self._plan.warnings if finding.text not in self._read] if self._plan else []

    # ------------------------------------------------------------------ keys

    def hear(self, event: events.Key) -> None:
        """Every key is heard here before it means anything: a burst of them is nobody's decision."""
        self.deliberation.pressed(event.time)

    @on(PhraseInput.Pasted)
    def _pasted(self) -> None:
        self._say("pasting does not confirm: type it")

    @on(Input.Submitted, "#plan-phrase")
    @on(Button.Pressed, "#plan-yes")
    def _said_yes(self, event: Input.Submitted | Button.Pressed) -> None:
        event.stop()
        self.action_confirm()

    @on(Button.Pressed, "#plan-no")
    def _said_no(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_leave()

    @on(FieldChanged)
    def _chosen(self, event: FieldChanged) -> None:
        """The plan follows the fields; what was shown for other values cannot be confirmed meanwhile."""
        event.stop()
        if self._choices.get(event.field_id) == event.value:
            return
        self._choices[event.field_id] = event.value
        self._plan_void("looking …")
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLE, self._look, name="plan anew")

    def _plan_void(self, why: str) -> None:
        self._plan = None
        self.deliberation.shown(float("inf"))
        self.query_one(PlanConfirmation).void()
        self._say(why, QUIET)

    def action_acknowledge(self) -> None:
        unread = self._unread
        if self._plan is None or not unread or self._plan.blocked:
            return
        if not self.query_one(PlanBody).shows(self._plan, unread[0]):
            self._say("this is the warning: read it, then press space again")
            return
        self._read.add(unread[0])
        self.query_one(PlanBody).show_findings(self._plan, self._read)
        self._show_confirmation(self._plan)
        if not self._unread and self._plan.phrase:
            self.query_one(PhraseInput).focus()

    def action_onward(self) -> None:
        """From Cancel to what has to be typed or may be chosen, not to the button that acts; else as everywhere."""
        phrase, first = self.query_one(PhraseInput), self.query_one(PlanFields).first
        if self.focused is None or self.focused.id != "plan-no":
            self.focus_next()
        elif phrase.display and not phrase.disabled:
            phrase.focus()
        elif first is not None:
            first.focus()
        else:
            self.focus_next()

    def action_copy(self) -> None:
        if self._plan is not None:
            self.app.copy_to_clipboard("\n".join(self._plan.commands))
            self._say("copied", QUIET)

    def action_scroll(self, lines: int) -> None:
        for body in self.query(PlanBody):  # none while the screen is being left
            # At once: scrolling after the next frame takes all that a held key asked for until then as one line.
            body.scroll_relative(y=lines, animate=False, immediate=True)

    def action_diff(self, pages: int) -> None:
        for body in self.query(PlanBody):
            body.page_diff(pages)

    def action_leave(self) -> None:
        plan = self._plan
        if plan is not None and not self._sending:
            tried = plan.id == self._refused
            writing.begin(self._host, self._gate.cancelled(plan, tried), "records a plan that was not carried out")
        self.dismiss(None)

    def action_confirm(self) -> None:
        if self._sending:
            return
        if self._plan is not None and self._plan.blocked:
            self._refused = self._plan.id
        typed = len(self._plan.phrase) if self._plan is not None else 0
        why = self.query_one(PlanConfirmation).obstacle or self.deliberation.objection(time.monotonic(), typed)
        if why:
            self._say(why)
            return
        self._hold(True)
        self._say("…", QUIET)
        heard = self.deliberation.count
        self.set_timer(ALONE, lambda: self._confirmed(heard), name="no key follows")

    def _hold(self, held: bool) -> None:
        """A yes is being looked at or carried out: no second one until it is let go."""
        self._sending = held
        for confirmation in self.query(PlanConfirmation):  # none once the screen was left
            confirmation.hold(held)

    def _confirmed(self, heard: int) -> None:
        """No other key came right after it: it was meant."""
        plan = self._plan
        if plan is None or self.query_one(PlanConfirmation).obstacle or self.deliberation.count != heard:
            self._hold(False)
            if plan is not None:
                self._say(HASTY)
            return
        by, read = self._host.journal.author, frozenset(self._read)
        confirmation = Confirmation(by=by, phrase=plan.phrase, acknowledged=read)
        writing.begin(self._host, self._carry_out(plan, confirmation), f"begins: {plan.title}")

    async def _carry_out(self, plan: Plan, confirmation: Confirmation) -> None:
        """Beside the screen, which may be left meanwhile: the gate's answer is told all the same."""
        try:
            await self._gate.carry_out(plan, confirmation)
        except MitigationError as error:
            self._hold(False)
            hint = f" · {error.hint}" if error.hint else ""
            if not self.is_attached:
                self._host.tell(f"{plan.title}: {error}{hint}", "error", timeout=15)
                return
            self._plan_void("")
            self._head(plain(str(error), 500), "bold $text-error")
            self._read = set()
            if isinstance(error, Changed):
                self._host.tell(f"{error}. This is the plan as of now.", "warning", timeout=10)
            else:
                self._host.tell(f"not carried out: {error}{hint}", "error", timeout=15)
            self._look()
        else:
            if self.is_attached:
                self.dismiss(None)
