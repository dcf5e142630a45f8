"""The editor of several lines, for new entries and for amendments, and the question why an entry is retracted.

Plain widgets, to be put on a screen (see `widgets.dialogs`). Both keep their text until it is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Checkbox, Input, Static, TextArea

from incident.entry import Kind, Line
from widgets.plain import plain
from widgets.timeline_line import clock_of, day_of, mark_of, words

ReadTime = Callable[[str], str]
"""Reads what is in the time field and says when that is; raises ValueError saying what is wrong with it."""


def as_it_was(line: Line, local: bool) -> Content:
    """The entry that is about to be amended or retracted, inert."""
    text = "\n".join(words(line)[0])
    return Content(f"{day_of(line.happened_at, local)} {clock_of(line.happened_at, local)} {mark_of(line)} {text}")


class KeptText(Vertical):
    """A widget whose text stays until the application says that it is saved."""

    DEFAULT_CSS = """
    KeptText {
        height: auto;
        border: round $border;
        padding: 0 1;
        background: $surface;
        & .entry--original { color: $foreground 60%; max-height: 6; padding-bottom: 1; }
    }
    """

    class Closed(Message):
        """The widget has done its work: saved, or given up."""

        def __init__(self, control: KeptText, saved: bool) -> None:
            super().__init__()
            self._control = control
            self.saved = saved

        @property
        def control(self) -> KeptText:
            return self._control

    def __init__(self, title: str, hint: str, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._title, self._hint = title, hint
        self.saving = False
        self._asked = False  # escape was pressed once on unsaved text

    def on_mount(self) -> None:
        self.say()

    def say(self, text: str = "", *, bad: bool = False) -> None:
        """Puts a sentence beside the title."""
        style = "bold $text-error" if bad else "$foreground 60%"
        self.border_title = Content.assemble(self._title, (f"  {plain(text, 200)}" if text else "", style))
        self.border_subtitle = Content(self._hint)

    def saved(self) -> None:
        """What was submitted is on disk."""
        self.saving = False
        self.post_message(self.Closed(self, True))

    def failed(self, reason: str) -> None:
        """What was submitted is not on disk; the text stays."""
        self.saving = False
        self.say(f"✗ not saved: {reason}", bad=True)

    @property
    def dirty(self) -> bool:
        """Whether there is something to lose."""
        raise NotImplementedError

    def action_leave(self) -> None:
        if self.saving:
            return
        if self.dirty and not self._asked:
            self._asked = True
            self.say("not saved yet: esc again throws it away", bad=True)
            return
        self.post_message(self.Closed(self, False))

    @on(Input.Changed)
    @on(TextArea.Changed)
    def edited(self, event: Message) -> None:
        """Whoever goes on writing is asked again."""
        event.stop()
        if self._asked:
            self._asked = False
            self.say()


class EntryEditor(KeptText):
    """Several lines of text, the time it happened, and whether it is a follow-up.

    With ``original`` it is an amendment: the entry is shown as it stands and its text is there to be corrected.
    ``read_time`` is asked at every change of the time field.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "save", id="entry.save", priority=True, tooltip="Save the entry"),
        Binding("escape", "leave", "leave", id="entry.leave", tooltip="Leave; asks before text is thrown away"),
    ]

    DEFAULT_CSS = """
    EntryEditor {
        & #fields { height: 3; }
        & #when { width: 1fr; border: round $border-blurred; &:focus { border: round $border; } }
        & #todo { width: auto; border: round $border-blurred; &:focus { border: round $border; } }
        & #text { height: 12; border: round $border-blurred; &:focus { border: round $border; } }
    }
    """

    class Submitted(Message):
        """Save this, then call `saved` or `failed` on ``control``. ``when`` is the time field as typed, maybe empty."""

        def __init__(self, control: EntryEditor, text: str, when: str, todo: bool) -> None:
            super().__init__()
            self._control = control
            self.text = text
            self.when = when
            self.todo = todo
            self.original = control.original

        @property
        def control(self) -> EntryEditor:
            return self._control

    def __init__(
        self,
        text: str = "",
        *,
        original: Line | None = None,
        read_time: ReadTime | None = None,
        local_time: bool = False,
        id: str | None = None,  # noqa: A002
    ) -> None:
        title = "New entry" if original is None else "Amend entry"
        super().__init__(title, "ctrl+s saves · tab goes to the time · esc leaves", id=id)
        self.original = original
        self._read_time = read_time
        self._local = local_time
        raw = text if original is None or text else original.text
        self._start = "\n".join(plain(part, limit=len(part) + 1) for part in raw.splitlines())

    def compose(self) -> ComposeResult:
        if self.original is not None:
            yield Static(as_it_was(self.original, self._local), classes="entry--original", markup=False)
        with Horizontal(id="fields"):
            now = "when it happened; empty: now" if self.original is None else "empty: as it is"
            yield Input(placeholder=f"14:02, -5m …  {now}", id="when", select_on_focus=False)
            if self.original is None:
                yield Checkbox("follow-up (TODO)", id="todo")
        yield TextArea(self._start, id="text", soft_wrap=True, show_line_numbers=False, tab_behavior="focus")

    def on_mount(self) -> None:
        self.query_one("#when", Input).border_title = "Time"
        area = self.query_one("#text", TextArea)
        area.border_title = "Text"
        area.move_cursor(area.document.end)
        area.focus()

    @property
    def text(self) -> str:
        return self.query_one("#text", TextArea).text

    @property
    def when(self) -> str:
        return self.query_one("#when", Input).value.strip()

    @property
    def dirty(self) -> bool:
        return self.text.strip() != ("" if self.original is None else self._start.strip()) or bool(self.when)

    @property
    def _follow_up(self) -> bool:
        if self.original is not None:
            return self.original.entry.kind is Kind.FOLLOWUP
        return self.query_one("#todo", Checkbox).value

    @on(Input.Changed, "#when")
    def time_edited(self) -> None:
        field = self.query_one("#when", Input)
        field.border_subtitle = Content(plain(self._time()[0], 100)) if self.when else None

    def _time(self) -> tuple[str, bool]:
        """What the time field means, and whether that is an error."""
        if not self.when or self._read_time is None:
            return "", False
        try:
            return self._read_time(self.when), False
        except ValueError as error:
            return f"✗ {error}", True

    def action_save(self) -> None:
        if self.saving:
            return
        said, wrong = self._time()
        if wrong:
            self.say(said, bad=True)
        elif not self.text.strip():
            self.say("✗ there is no text yet", bad=True)
        elif self.original is not None and not self.dirty:
            self.say("nothing is changed yet")
        else:
            self.saving = True
            self.say("saving …")
            self.post_message(self.Submitted(self, self.text.strip(), self.when, self._follow_up))


class RetractPrompt(KeptText):
    """Asks why an entry does not stand. The entry stays on the timeline, struck through, with the reason."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", id="retract.leave", tooltip="Leave the entry as it is"),
    ]

    DEFAULT_CSS = """
    RetractPrompt {
        & #reason { border: round $border-blurred; &:focus { border: round $border; } }
    }
    """

    class Submitted(Message):
        """Retract the entry for this reason, then call `saved` or `failed` on ``control``."""

        def __init__(self, control: RetractPrompt, reason: str) -> None:
            super().__init__()
            self._control = control
            self.entry_id = control.line.id
            self.line = control.line
            self.reason = reason

        @property
        def control(self) -> RetractPrompt:
            return self._control

    def __init__(self, line: Line, *, local_time: bool = False, id: str | None = None) -> None:  # noqa: A002
        super().__init__("Retract entry", "enter retracts · esc leaves the entry as it is", id=id)
        self.line = line
        self._local = local_time

    def compose(self) -> ComposeResult:
        yield Static(as_it_was(self.line, self._local), classes="entry--original", markup=False)
        yield Input(placeholder="Why does it not stand?", id="reason")

    def on_mount(self) -> None:
        self.query_one("#reason", Input).focus()

    @property
    def dirty(self) -> bool:
        return bool(self.query_one("#reason", Input).value.strip())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        reason = event.value.strip()
        if self.saving:
            return
        if not reason:
            self.say("✗ a retraction needs a reason", bad=True)
            return
        self.saving = True
        self.say("saving …")
        self.post_message(self.Submitted(self, reason))
