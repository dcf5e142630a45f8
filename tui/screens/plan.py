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
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Button, Input, Static

from probes.errors import ProbeError
from runbook.errors import Changed, MitigationError
from runbook.gate import Confirmation, Gate
from runbook.plan import Aim, Level, Plan
from tui import writing
from tui.screens.plan_fields import FieldChanged, PlanFields
from widgets.backdrop import Dialog
from widgets.deliberation import ALONE, HASTY, Deliberation
from widgets.diff_view import DiffView
from widgets.plain import plain

if TYPE_CHECKING:
    from tui.room import ControlRoom

log = logging.getLogger(__name__)

SETTLE = 0.3  # seconds after the last change of a field until the plan is made anew
MOST_DIFF = 14  # rows
_STYLES = {Level.GREEN: "$text-success", Level.AMBER: "$text-warning", Level.RED: "bold $text-error"}


class PhraseInput(Input):
    """Takes a phrase by typing and by nothing else."""

    class Pasted(Message):
        """Somebody tried to paste."""

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.post_message(self.Pasted())

    def action_paste(self) -> None:
        self.post_message(self.Pasted())


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
        self._sending = False
        self._settling: Timer | None = None
        # Instants are those of `textual.events.Event.time`: monotonic.
        self.deliberation = Deliberation()

    # ------------------------------------------------------------------ what is shown

    def compose(self) -> ComposeResult:
        with Vertical(id="plan-box", classes="dialog-box"):
            yield Static(id="plan-head")
            yield PlanFields(id="plan-fields")
            with VerticalScroll(id="plan-body", can_focus=False):
                yield Static(id="plan-commands")
                yield DiffView(id="plan-diff")
                yield Static(id="plan-findings")
                yield Static(id="plan-after")
            yield Static(id="plan-note")
            with Horizontal(id="plan-confirmation"):
                yield PhraseInput(id="plan-phrase", disabled=True)
                yield Button("Cancel  esc", id="plan-no", variant="primary")
                yield Button("…", id="plan-yes", disabled=True)

    def on_mount(self) -> None:
        box = self.query_one("#plan-box")
        mitigation = self._gate.mitigation(self._mitigation)
        box.border_title = Content(f" {mitigation.label} {plain(str(self._aim), 120)} ")
        self.query_one("#plan-head", Static).update(Content.styled("looking …", "$foreground 60%"))
        self.query_one("#plan-phrase").display = False
        self.query_one(DiffView).display = False
        self._look()

    @property
    def plan(self) -> Plan | None:
        return self._plan

    @work(group="plan", exclusive=True, exit_on_error=False, description="makes the plan")
    async def _look(self) -> None:
        try:
            plan = await self._gate.plan(self._mitigation, self._aim, self._choices)
        except (ProbeError, MitigationError) as error:
            self._show_refusal(str(error), error.hint)
        except Exception as error:  # a mitigation's own defect ends neither the console nor the person's patience
            log.exception("a plan could not be made")
            self._show_refusal(f"the plan could not be made: {type(error).__name__}: {error}", "see the log file")
        else:
            await self._show(plan)

    async def _show(self, plan: Plan) -> None:
        self._plan = plan
        self._choices = dict(plan.choices) or self._choices
        self._read &= {finding.text for finding in plan.warnings}
        target = plan.target
        box = self.query_one("#plan-box")
        box.set_class(plan.production, "-production")
        where = " · ".join(filter(None, (plain(target.context, 80), plain(target.namespace, 80))))
        word = " PRODUCTION  " if plan.production else " "
        box.border_title = Content.styled(f"{word}{where} ", "bold")
        head = [(plain(plan.title, 300), "bold"), (f"   {plain(plan.remark, 300)}", "$foreground 60%")]
        self.query_one("#plan-head", Static).update(Content.assemble(*head))
        await self.query_one(PlanFields).show(plan.fields, plan.choices)
        self._show_commands(plan)
        self._show_diff(plan)
        self._show_findings()
        after = Content.assemble(
            ("Afterwards  ", "$foreground 60%"),
            ("verified by: ", "bold"),
            (plain(plan.verified_by, 300), "$foreground 80%"),
            ("\n            ", ""),
            ("undo: ", "bold"),
            (plain(plan.undo.words, 300), "$foreground 80%"),
        )
        self.query_one("#plan-after", Static).update(after)
        self._show_confirmation(plan)
        self.deliberation.shown(time.monotonic())

        self.call_after_refresh(self._fit)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """What is asked and the two buttons are always on the screen; what explains them scrolls between."""
        if not self.query("#plan-body"):
            return  # the screen was left before it was laid out
        short = self.has_class("-short")
        for button in self.query(Button):
            button.compact = short
        box, body = self.query_one("#plan-box"), self.query_one("#plan-body")
        others = sum(
            widget.outer_size.height + widget.styles.margin.height for widget in box.children if widget.display
        )
        others -= body.outer_size.height + body.styles.margin.height
        room = self.app.size.height - (0 if short else 2) - box.gutter.height - others - body.styles.margin.height
        body.styles.max_height = max(room, 3)
        if self._plan is not None:
            self._show_diff(self._plan)

    def _show_refusal(self, text: str, hint: str) -> None:
        self._plan = None
        self.query_one("#plan-head", Static).update(Content.styled(f"✗ {plain(text, 500)}", "bold $text-error"))
        self._say(hint)
        for name in ("#plan-commands", "#plan-findings", "#plan-after"):
            self.query_one(name, Static).update("")
        self.query_one(DiffView).display = False
        self.query_one("#plan-yes").display = False
        self.query_one("#plan-phrase").display = False

    def _show_commands(self, plan: Plan) -> None:
        parts: list[tuple[str, str]] = []
        lines = [line for command in plan.commands for line in command.split("\n")]
        for number, line in enumerate(lines[:12]):
            parts.append(("$ " if line in plan.commands or number == 0 else "  ", "$foreground 60%"))
            parts.append((plain(line, 600), "$text-accent"))
            parts.append(("   y copies\n" if number == 0 else "\n", "$foreground 60%"))
        if len(lines) > 12:
            parts.append((f"  … {len(lines) - 12} more lines\n", "$foreground 60%"))
        self.query_one("#plan-commands", Static).update(Content.assemble(*parts))

    def _show_diff(self, plan: Plan) -> None:
        view = self.query_one(DiffView)
        view.show(
            [(hunk.title, hunk.lines) for hunk in plan.diff.hunks],
            unchanged=plan.diff.unchanged,
            remark=plan.diff.source if plan.diff.hunks else "",
        )
        view.display = bool(plan.diff.hunks)
        room = max(5, self.app.size.height - 36)
        view.styles.height = min(view.line_count, room, MOST_DIFF) + 2

    def _show_findings(self) -> None:
        plan = self._plan
        assert plan is not None
        parts: list[tuple[str, str]] = [("Before it runs", "$foreground 60%")]
        if plan.blast:
            parts += [("   hits: ", "$foreground 60%"), (plain(plan.blast, 200), "bold")]
        order = {Level.RED: 0, Level.AMBER: 1, Level.GREEN: 2}
        unread = [finding for finding in plan.warnings if finding.text not in self._read]
        for finding in sorted(plan.findings, key=lambda finding: order[finding.level]):
            seen = finding.level is Level.AMBER and finding.text in self._read
            style = "$foreground 60%" if finding.level is Level.GREEN or seen else _STYLES[finding.level]
            parts.append((f"\n  {finding.level.mark} ", _STYLES[finding.level]))
            parts.append((f"{plain(finding.name, 40)}: ", "bold"))
            parts.append((plain(finding.text, 500), style))
            if finding.level is Level.AMBER:
                said = "   acknowledged" if seen else "   space acknowledges" if finding is unread[0] else ""
                parts.append((said, "$foreground 60%" if seen else "$text-accent"))
            if finding.advice and finding.level is not Level.GREEN:
                parts.append((f"\n      → {plain(finding.advice, 300)}", "$foreground 80%"))
        self.query_one("#plan-findings", Static).update(Content.assemble(*parts))

    def _show_confirmation(self, plan: Plan) -> None:
        button, phrase = self.query_one("#plan-yes", Button), self.query_one("#plan-phrase", PhraseInput)
        blocked, unread = bool(plan.blocked), self._unread
        phrase.display = bool(plan.phrase) and not blocked
        phrase.disabled = not phrase.display or bool(unread)
        phrase.border_title = Content(f"type {plain(plan.phrase, 120)} to confirm") if plan.phrase else None
        button.display = True
        button.label = Content(f"{plain(plan.verb, 24)}  {'enter' if plan.phrase else '!'}")
        button.disabled = self._sending or bool(self._unready)
        if blocked:
            self._say("blocked: what is marked ✗ stands against it")
        elif unread:
            self._say(f"{len(unread)} to acknowledge: space", "$text-warning")
        elif plan.phrase:
            self._say(f"tab, then type {plan.phrase} and press enter" if self.focused is not phrase else "")
        else:
            self._say(f"! carries it out · esc leaves{'' if not self._note else ' · ' + self._note}", "$foreground 60%")

    def _say(self, text: str, style: str = "$text-warning") -> None:
        self.query_one("#plan-note", Static).update(Content.styled(plain(text, 400), style))

    # ------------------------------------------------------------------ what stands in the way

    @property
    def _unread(self) -> list[str]:
        return [finding.text for finding in self._plan.warnings if finding.text not in self._read] if self._plan else []

    @property
    def _unready(self) -> str:
        """Why it cannot be confirmed yet, or an empty string."""
        plan = self._plan
        if plan is None:
            return "there is no plan"
        if plan.blocked:
            return "blocked: what is marked ✗ stands against it"
        if self._unread:
            return "acknowledge what is marked ! first: space"
        if plan.phrase and self.query_one("#plan-phrase", PhraseInput).value != plan.phrase:
            return f"type {plan.phrase} first"
        return ""

    # ------------------------------------------------------------------ keys

    def hear(self, event: events.Key) -> None:
        """Every key is heard here before it means anything: a burst of them is nobody's decision."""
        self.deliberation.pressed(event.time)

    @on(Input.Changed, "#plan-phrase")
    def _phrase_typed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one("#plan-yes", Button).disabled = self._sending or bool(self._unready)

    @on(PhraseInput.Pasted)
    def _pasted(self) -> None:
        self._say("pasting does not confirm: type it")

    @on(Input.Submitted, "#plan-phrase")
    def _phrase_entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_confirm()

    @on(Button.Pressed, "#plan-yes")
    def _pressed_yes(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_confirm()

    @on(Button.Pressed, "#plan-no")
    def _pressed_no(self, event: Button.Pressed) -> None:
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
        self.query_one("#plan-yes", Button).disabled = True
        phrase = self.query_one("#plan-phrase", PhraseInput)
        phrase.value = ""
        phrase.disabled = True
        self._say(why, "$foreground 60%")

    def action_acknowledge(self) -> None:
        unread = self._unread
        if self._plan is None or not unread or self._plan.blocked:
            return
        self._read.add(unread[0])
        self._show_findings()
        self._show_confirmation(self._plan)
        if not self._unread and self._plan.phrase:
            self.query_one("#plan-phrase").focus()

    def action_onward(self) -> None:
        """From Cancel to the place where the name is typed, if there is one; else as everywhere."""
        phrase = self.query_one("#plan-phrase", PhraseInput)
        if self.focused is not None and self.focused.id == "plan-no" and phrase.display and not phrase.disabled:
            phrase.focus()
        else:
            self.focus_next()

    def action_copy(self) -> None:
        if self._plan is not None:
            self.app.copy_to_clipboard("\n".join(self._plan.commands))
            self._say("copied", "$foreground 60%")

    def action_scroll(self, lines: int) -> None:
        for body in self.query("#plan-body").results(VerticalScroll):  # none while the screen is being left
            body.scroll_relative(y=lines, animate=False)

    def action_diff(self, pages: int) -> None:
        for view in self.query(DiffView):
            view.action_pages(pages)

    def action_leave(self) -> None:
        plan = self._plan
        if plan is not None and not self._sending:
            writing.begin(self._host, self._gate.cancelled(plan), "records a plan that was not carried out")
        self.dismiss(None)

    def action_confirm(self) -> None:
        if self._sending:
            return
        typed = len(self._plan.phrase) if self._plan is not None else 0
        why = self._unready or self.deliberation.objection(time.monotonic(), typed)
        if why:
            self._say(why)
            return
        self._sending = True
        self.query_one("#plan-yes", Button).disabled = True
        self._say("…", "$foreground 60%")
        heard = self.deliberation.count
        self.set_timer(ALONE, lambda: self._confirmed(heard), name="no key follows")

    def _confirmed(self, heard: int) -> None:
        """No other key came right after it: it was meant."""
        plan = self._plan
        if plan is None or self._unready or self.deliberation.count != heard:
            self._sending = False
            if plan is not None:
                self.query_one("#plan-yes", Button).disabled = bool(self._unready)
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
            self._sending = False
            hint = f" · {error.hint}" if error.hint else ""
            if not self.is_attached:
                self._host.tell(f"{plan.title}: {error}{hint}", "error", timeout=15)
                return
            self._plan_void("")
            self.query_one("#plan-head", Static).update(Content.styled(plain(str(error), 500), "bold $text-error"))
            self._read = set()
            if isinstance(error, Changed):
                self._host.tell(f"{error}. This is the plan as of now.", "warning", timeout=10)
            else:
                self._host.tell(f"not carried out: {error}{hint}", "error", timeout=15)
            self._look()
        else:
            if self.is_attached:
                self.dismiss(None)
