"""How a plan is said yes to: the target's name is typed where that is asked for, then one button. Cancel is first."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Input

from runbook.plan import Plan
from widgets.plain import plain


class PhraseInput(Input):
    """Takes a phrase by typing and by nothing else."""

    class Pasted(Message):
        """Somebody tried to paste."""

    async def _on_key(self, event: events.Key) -> None:
        """A space too many, which was for the last warning, does not become the beginning of the phrase."""
        if event.key == "space" and not self.value:
            event.stop()
            event.prevent_default()
            return
        await super()._on_key(event)

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.post_message(self.Pasted())

    def action_paste(self) -> None:
        self.post_message(self.Pasted())


class PlanConfirmation(Horizontal):
    """Knows what still stands between this plan and a yes. Whether a yes was meant, the screen judges."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._plan: Plan | None = None
        self._unread = 0
        self._held = False

    def compose(self) -> ComposeResult:
        yield PhraseInput(id="plan-phrase", disabled=True)
        yield Button("Cancel  esc", id="plan-no", variant="primary")
        yield Button("…", id="plan-yes", disabled=True)

    def on_mount(self) -> None:
        self.phrase.display = False

    @property
    def phrase(self) -> PhraseInput:
        return self.query_one(PhraseInput)

    @property
    def _yes(self) -> Button:
        return self.query_one("#plan-yes", Button)

    @property
    def obstacle(self) -> str:
        """Why it cannot be confirmed yet, or an empty string."""
        plan = self._plan
        if plan is None:
            return "there is no plan"
        if plan.blocked:
            return "blocked: what is marked ✗ stands against it"
        if self._unread:
            return "acknowledge what is marked ! first: space"
        if plan.phrase and self.phrase.value != plan.phrase:
            return f"type {plan.phrase} first"
        return ""

    def show(self, plan: Plan, unread: int) -> None:
        """``unread`` is how many warnings are still to be acknowledged."""
        self._plan, self._unread = plan, unread
        phrase, yes = self.phrase, self._yes
        phrase.display = bool(plan.phrase) and not plan.blocked
        phrase.disabled = not phrase.display or bool(unread)
        phrase.border_title = Content(f"type {plain(plan.phrase, 120)} to confirm") if plan.phrase else None
        yes.display = True
        yes.label = Content(f"{plain(plan.verb, 24)}  {'enter' if plan.phrase else '!'}")
        yes.refresh(layout=True)  # a longer label does not widen a button by itself
        self._enable()

    def void(self) -> None:
        """The plan does not hold any more; what was typed for it neither."""
        self._plan = None
        self.phrase.value = ""
        self.phrase.disabled = True
        self._enable()

    def show_nothing(self) -> None:
        """There is no plan to say yes to."""
        self._plan = None
        self.phrase.display = self._yes.display = False

    def hold(self, held: bool) -> None:
        """A yes is being looked at or carried out: no second one until it is let go."""
        self._held = held
        self._enable()

    def compact(self, short: bool) -> None:
        """Without borders, hence without the border's title: what is to be typed stands in the field itself."""
        wanted = self._plan.phrase if short and self._plan is not None else ""
        self.phrase.placeholder = f"type {plain(wanted, 120)}" if wanted else ""
        for button in self.query(Button):
            button.compact = short

    def _enable(self) -> None:
        self._yes.disabled = self._held or bool(self.obstacle)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._enable()
