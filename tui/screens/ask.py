"""One line asked for over the console: it stays until what was typed is on disk, and says why it is not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from runbook.response import SeverityLevel
from tui.severity_text import UNCLASSIFIED, level_of, meaning, segments
from tui.writing import answered
from widgets.backdrop import Dialog
from widgets.plain import plain
from widgets.segments import Segments

Save = Callable[[str], Awaitable[str]]
"""Takes what was typed, and answers what went wrong, or nothing."""

Preview = Callable[[str], str]
"""What the line would record. Raises ValueError saying what is wrong with it."""


class AskScreen(Dialog[bool]):
    """Dismissed with True once ``save`` worked, with False when the person left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel", id="ask-cancel", tooltip="Leave without changing anything")
    ]
    CSS = """
    AskScreen {
        & #ask-box { width: 90; }
        & #ask-about { height: auto; margin-bottom: 1; color: $foreground 80%; }
        & #ask-note { height: auto; min-height: 1; margin-top: 1; }
        & #ask-meaning { height: auto; min-height: 5; margin: 1 0; }
        & Segments { margin-bottom: 1; }
    }
    """

    def __init__(
        self,
        title: str,
        save: Save,
        *,
        about: str = "",
        value: str = "",
        hint: str = "",
        preview: Preview | None = None,
    ) -> None:
        super().__init__(classes="dialog")
        self._title = title
        self._save = save
        self._about = about
        self._value = value
        self._hint = hint
        self._preview = preview
        self._busy = False

    def compose(self) -> ComposeResult:
        with Vertical(id="ask-box", classes="dialog-box") as box:
            box.border_title = Content.styled(plain(self._title, 200), "bold")
            box.border_subtitle = Content("enter saves · esc leaves")
            yield from self.above()
            yield Input(plain(self._value, 5_000), placeholder=plain(self._hint, 200), id="ask-line", compact=True)
            yield Static(id="ask-note")

    def above(self) -> ComposeResult:
        """What stands over the line."""
        if self._about:
            yield Static(Content(plain(self._about, 500)), id="ask-about")

    def on_mount(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Where the focus is first."""
        self.query_one("#ask-line", Input).focus()

    @on(Input.Changed, "#ask-line")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._preview is None or not event.value.strip():
            self._say("")
            return
        try:
            self._say(self._preview(event.value), "$foreground 60%")
        except ValueError:
            self._say("")  # it is said when it is entered; nobody has finished typing yet

    @on(Input.Submitted, "#ask-line")
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if not self._busy:
            self._busy = True
            self.run_worker(self._saved(event.value), group="ask")

    async def _saved(self, text: str) -> None:
        trouble = await answered(self._save(" ".join(text.split())))
        self._busy = False
        if trouble:
            self._say(f"✗ {trouble}", "bold $text-error")
        else:
            self.dismiss(True)

    def _say(self, text: str, style: str = "") -> None:
        self.query_one("#ask-note", Static).update(Content.styled(plain(text, 600), style))

    def action_leave(self) -> None:
        if not self._busy:
            self.dismiss(False)


class SeverityScreen(AskScreen):
    """Another severity, with the reason for it."""

    def __init__(
        self,
        levels: tuple[SeverityLevel, ...],
        current: int | None,
        says: str,
        save: Callable[[int | None, str], Awaitable[str]],
    ) -> None:
        super().__init__("Severity", self._with_reason, about=says, hint="why: what is known now (may stay empty)")
        self._levels = levels
        self._current = current
        self._save_severity = save

    def above(self) -> ComposeResult:
        yield from super().above()
        value = UNCLASSIFIED if self._current is None else str(self._current)
        yield Segments(segments(self._levels), value, id="ask-severity")
        yield Static(id="ask-meaning")

    @property
    def chosen(self) -> int | None:
        return level_of(self.query_one(Segments).value)

    def begin(self) -> None:
        self._explain()
        self.query_one(Segments).focus()

    @on(Segments.Changed)
    def _chosen(self, event: Segments.Changed) -> None:
        event.stop()
        self._explain()

    def on_key(self, event: events.Key) -> None:
        """Enter goes from the severity on to its reason, and is not heard there, too."""
        if event.key == "enter" and isinstance(self.focused, Segments):
            event.stop()
            event.prevent_default()
            self.query_one("#ask-line", Input).focus()

    def _explain(self) -> None:
        self.query_one("#ask-meaning", Static).update(meaning(self._levels, self.chosen))

    async def _with_reason(self, reason: str) -> str:
        return await self._save_severity(self.chosen, reason)
