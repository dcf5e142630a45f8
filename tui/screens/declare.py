"""Declare an incident: what is wrong, what is affected, what is known of the matrix's questions, and how bad that is.

The probes propose services and answers, the decision matrix a severity; the person decides. Where one answer is all
that the matrix lacks, enter leads there first, so that nobody declares an incident unclassified in haste.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from runbook.classification import ASK, QUESTIONS, View, deciding, proposed
from runbook.response import FACTS, Fact, Response
from tui.severity_text import UNCLASSIFIED, level_of, levels, meaning, segments
from tui.writing import answered
from widgets.backdrop import Dialog
from widgets.plain import plain
from widgets.segments import Segment, Segments

if TYPE_CHECKING:
    from runbook.classification import Proposal

QUIET = "$foreground 60%"
ANSWERS: dict[str, bool | None] = {"yes": True, "no": False, "?": None}
WORDS = {answer: word for word, answer in ANSWERS.items()}


class Declaration(Struct, frozen=True, kw_only=True):
    """What is to be declared. ``facts`` hold what is known."""

    title: str
    severity: int | None
    services: tuple[str, ...]
    impact: str
    facts: dict[str, bool]


def answers() -> list[Segment]:
    """Yes, no, and not known."""
    return [Segment("yes", "yes", ("y",)), Segment("no", "no", ("n",)), Segment("?", "?", ("question_mark", "u"))]


def named(text: str) -> tuple[str, ...]:
    """The services in a typed line, each once."""
    return tuple(dict.fromkeys(filter(None, (" ".join(part.split()) for part in text.split(",")))))


class DeclareScreen(Dialog[None]):
    """Enter goes from the title to the question that decides, if one does, then to the button; escape always leaves.

    ``declare`` begins the incident and answers what went wrong, or nothing; what was typed stays until it worked.
    """

    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-roomy")]  # noqa: RUF012  # an instance variable in Textual
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel", id="declare-cancel", tooltip="Leave; nothing is declared"),
        Binding("down", "app.focus_next", "next", show=False),
        Binding("up", "app.focus_previous", "previous", show=False),
    ]
    CSS = """
    DeclareScreen {
        & #declare-box { width: 124; max-width: 98%; max-height: 100%; }
        & .declare-row { height: 1; }
        & .declare-gap { height: 1; }
        & .declare-label { width: 22; height: 1; color: $foreground 80%; }
        & Input { width: 1fr; }
        & .declare-seen { width: 1fr; height: 1; padding: 0 0 0 2; color: $foreground 60%; }
        & .declare-seen { text-wrap: nowrap; text-overflow: ellipsis; }
        & #declare-proposal { height: auto; max-height: 2; }
        & #declare-proposal { padding: 0 0 0 22; }
        & #declare-meaning { height: auto; min-height: 3; max-height: 8; padding: 1 0 0 22; }
        & #declare-warning, & #declare-error { height: auto; }
        & #declare-buttons { height: 3; align-horizontal: right; & Button { margin-left: 2; min-width: 18; } }
        &.-short #declare-box { padding: 0 1; }
        &.-short #declare-buttons { height: 1; }
        &.-short #declare-proposal { padding: 0; }
        &.-short #declare-meaning { padding: 0; max-height: 5; }
    }
    """

    def __init__(
        self,
        where: str,
        response: Response | None,
        seen: View,
        declare: Callable[[Declaration], Awaitable[str]],
        *,
        open_incident: str = "",
        later: Callable[[], Awaitable[tuple[Response, View]]] | None = None,
    ) -> None:
        super().__init__(classes="dialog")
        self._declare = declare
        self._where = where
        self._open = open_incident
        self._seen = seen
        self._later = later
        self._take(response)
        self._decided = False  # a person chose the severity
        self._asked: Fact | None = None  # the question that enter has led to
        self._answered_by_person: set[str] = set()
        self._busy = False

    def _take(self, response: Response | None) -> None:
        self._unread = response is None
        self._matrix = response.matrix if response is not None else ()
        self._levels = levels(response)

    # ------------------------------------------------------------------ what is shown

    def compose(self) -> ComposeResult:
        with Vertical(id="declare-box", classes="dialog-box") as box:
            box.border_title = Content.styled("Declare an incident", "bold")
            box.border_subtitle = Content(self._where)
            if self._open:
                yield Static(
                    Content.styled(f"! {self._open} is still open. A new incident gets a timeline of its own.", "bold"),
                    id="declare-warning",
                )
            yield from self._line(
                "What is wrong", "declare-title", "as a customer would say it: payments fail", limit=200
            )
            yield from self._line("Services affected", "declare-services", "names, with commas between", self._services)
            yield from self._line("Customer impact", "declare-impact", "what customers notice, and how many of them")
            yield Static(classes="declare-gap")
            for fact in FACTS:
                yield from self._question(fact)
            yield Static(classes="declare-gap")
            with Horizontal(classes="declare-row"):
                yield Static("Severity", classes="declare-label")
                yield Segments(segments(self._levels), UNCLASSIFIED, id="declare-severity")
            yield Static(id="declare-proposal")
            yield Static(id="declare-meaning")
            yield Static(id="declare-error")
            with Horizontal(id="declare-buttons"):
                yield Button("Cancel  esc", id="declare-no")
                yield Button(self._yes(UNCLASSIFIED), id="declare-yes", variant="primary")

    def _line(self, label: str, name: str, hint: str, value: str = "", limit: int = 5_000) -> ComposeResult:
        with Horizontal(classes="declare-row"):
            yield Static(label, classes="declare-label")
            yield Input(value, placeholder=hint, id=name, max_length=limit, compact=True, select_on_focus=False)

    def _question(self, fact: Fact) -> ComposeResult:
        with Horizontal(classes="declare-row"):
            yield Static(f"{QUESTIONS[fact]}?", classes="declare-label")
            value, said = self._probed(fact)
            yield Segments(answers(), value, id=f"declare-{fact}")
            yield Static(Content(said), classes="declare-seen", id=f"declare-seen-{fact}")

    def _probed(self, fact: Fact) -> tuple[str, str]:
        """The answer that probes give, and what they saw."""
        seen = self._seen.facts.get(fact)
        if seen is None:
            return "?", ASK
        return WORDS[seen.answer], plain(
            f"seen by probes: {seen.evidence}" if seen.answer is not None else seen.evidence, 300
        )

    @property
    def _services(self) -> str:
        return plain(", ".join(self._seen.services), 500)

    def on_mount(self) -> None:
        self.call_after_refresh(self._fit)
        self._propose()
        self.query_one("#declare-title", Input).focus()
        if self._unread and self._later is not None:
            self.run_worker(self._read(self._later), exit_on_error=False)

    async def _read(self, later: Callable[[], Awaitable[tuple[Response, View]]]) -> None:
        """The runbook came: its severities and its matrix are asked by, and what a person has answered stays."""
        response, self._seen = await later()
        self._take(response)
        severity = self.query_one("#declare-severity", Segments)
        severity.choices = segments(self._levels)
        for fact in FACTS:
            if fact not in self._answered_by_person:
                value, said = self._probed(fact)
                self.query_one(f"#declare-{fact}", Segments).value = value
                self.query_one(f"#declare-seen-{fact}", Static).update(Content(said))
        services = self.query_one("#declare-services", Input)
        services.value = services.value or self._services
        self._propose()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        for button in self.query(Button):
            button.compact = self.has_class("-short")
        for gap in self.query(".declare-gap"):
            gap.display = not (self.has_class("-short") and self._open)

    # ------------------------------------------------------------------ what is proposed

    @property
    def facts(self) -> dict[str, bool]:
        """What is known of the matrix's questions: seen by probes, or answered by the person."""
        found = {fact: ANSWERS[self.query_one(f"#declare-{fact}", Segments).value] for fact in FACTS}
        return {fact: answer for fact, answer in found.items() if answer is not None}

    @property
    def proposal(self) -> Proposal:
        return proposed(self._matrix, self.facts)

    def _propose(self) -> None:
        """The severity follows the answers until a person chooses one."""
        found, chosen = self.proposal, self.query_one("#declare-severity", Segments)
        if not self._decided:
            chosen.value = UNCLASSIFIED if found.severity is None else str(found.severity)
        level = level_of(chosen.value)
        self.query_one("#declare-yes", Button).label = self._yes(chosen.value)
        agreed = found.severity is not None and level == found.severity
        mark = ("✓ ", "$text-success") if agreed else ("○ ", QUIET)
        yours = " · you decided otherwise" if self._decided and not agreed and found.severity is not None else ""
        style = "bold" if found.severity is not None else "$foreground 80%"
        words = "The runbook is still being read: choose a severity, or leave it open" if self._unread else found.words
        self.query_one("#declare-proposal", Static).update(
            Content.assemble(mark, (plain(words, 300), style), (yours, "$text-warning"))
        )
        self.query_one("#declare-meaning", Static).update(meaning(self._levels, level))

    @staticmethod
    def _yes(severity: str) -> str:
        """The button says what it declares."""
        return f"Declare {'unclassified' if severity == UNCLASSIFIED else f'SEV {severity}'}  enter"

    @on(Segments.Changed)
    def _answered(self, event: Segments.Changed) -> None:
        event.stop()
        if event.segments.id == "declare-severity":
            self._decided = True
        elif event.segments.id is not None:
            fact = event.segments.id.removeprefix("declare-")
            self._answered_by_person.add(fact)
            seen = self.query_one(f"#declare-seen-{fact}", Static)
            seen.update(Content("you say so"))
            self._hint("")
        self._propose()

    # ------------------------------------------------------------------ declaring

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter" and isinstance(self.focused, Segments):
            event.stop()
            self._go_on()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._go_on()

    def _go_on(self) -> None:
        if not self._title:
            self._lacks_title()
            return
        fact = None if self._decided else deciding(self._matrix, self.facts)
        if fact is not None and fact != self._asked:
            self._asked = fact
            self.query_one(f"#declare-{fact}", Segments).focus()
            self._hint(f"{QUESTIONS[fact]}? y or n decides the severity; enter leaves it open")
        else:
            self._hint("")
            self.query_one("#declare-yes", Button).focus()

    @property
    def _title(self) -> str:
        return " ".join(self.query_one("#declare-title", Input).value.split())

    def _lacks_title(self) -> None:
        self._fail("An incident needs a title.")
        self.query_one("#declare-title", Input).focus()

    def _hint(self, sentence: str) -> None:
        self.query_one("#declare-error", Static).update(Content.styled(sentence, "bold $text-accent"))

    def _fail(self, sentence: str) -> None:
        self.query_one("#declare-error", Static).update(Content.styled(plain(f"✗ {sentence}", 500), "bold $text-error"))

    @on(Button.Pressed, "#declare-no")
    def action_leave(self) -> None:
        if not self._busy:
            self.dismiss(None)

    @on(Button.Pressed, "#declare-yes")
    def _said_yes(self) -> None:
        if not self._title:
            self._lacks_title()
        elif not self._busy:
            self._busy = True
            self.run_worker(self._begin(), group="declare")

    async def _begin(self) -> None:
        declaration = Declaration(
            title=self._title,
            severity=level_of(self.query_one("#declare-severity", Segments).value),
            services=named(self.query_one("#declare-services", Input).value),
            impact=" ".join(self.query_one("#declare-impact", Input).value.split()),
            facts=self.facts,
        )
        trouble = await answered(self._declare(declaration))
        self._busy = False
        if trouble:
            self._fail(trouble)
        else:
            self.dismiss(None)
