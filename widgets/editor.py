"""The one-line editor at the bottom: type, press enter, it is on the timeline. The text stays until that is true."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from rich.highlighter import Highlighter
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from widgets.plain import plain
from widgets.table_standing import fitting

Preview = Callable[[str], str]
"""Reads a line and says what would be recorded, e.g. ``happened 14:02 UTC today``; raises ValueError saying why not."""

HISTORY = 50  # lines that up and down bring back
LONGEST_PASTE = 500  # characters, or
MOST_LINES_PASTED = 3  # beyond either, a paste opens the long editor
_HINTS = ("enter saves", "14:02 or -5m sets the time", "TODO makes a follow-up", "ctrl+e more", "↑ earlier lines")


class _Prefixes(Highlighter):
    """The time steps back and TODO stands out, before anything is saved."""

    _pattern = (
        r"^\s*(?P<time>(?:\d{4}-\d{1,2}-\d{1,2}[ T])?\d{1,2}:\d{2}(?::\d{2})?|[-−](?:\d+[smhd])+)?"
        r"\s*(?P<todo>TODO\b)?"
    )

    def highlight(self, text: Text) -> None:
        match = re.match(self._pattern, text.plain)
        if match is not None:
            text.stylize("dim", *match.span("time"))
            text.stylize("bold", *match.span("todo"))


class QuickLog(Input, inherit_css=False):
    """A bordered one-line input. ``preview`` is asked at every change and its answer shown in the border.

    After `Submitted` the text is kept until `saved` or `failed` is called; what is typed meanwhile belongs to the
    next line. Enter pressed twice submits once. A pasted newline never submits.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "history(-1)", "earlier line", id="log.earlier", show=False, tooltip="The line written before"),
        Binding("down", "history(1)", "later line", id="log.later", show=False, tooltip="The line written after"),
        Binding("ctrl+e", "expand", "long entry", id="log.expand", tooltip="Go on in the editor of several lines"),
        Binding("escape", "cancel", "leave", id="log.leave", show=False, tooltip="Back to the panes; the text stays"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = Input.COMPONENT_CLASSES

    # Textual's own rules for an input are many, and all of them would be parsed before the first pane is live.
    DEFAULT_CSS = """
    QuickLog {
        width: 100%;
        height: 3;
        background: $surface;
        color: $foreground;
        border: round $border-blurred;
        padding: 0 1;
        scrollbar-size-horizontal: 0;
        pointer: text;
        &:focus { border: round $border; }
        &.-failed { border: round $error; }
        & > .input--cursor {
            color: $input-cursor-foreground;
            background: $input-cursor-background;
            text-style: $input-cursor-text-style;
        }
        & > .input--selection { color: $input-selection-foreground; background: $input-selection-background; }
        & > .input--placeholder { color: $text-disabled; }
    }
    """

    class Submitted(Input.Submitted):
        """Save ``text``, then call `QuickLog.saved` or `QuickLog.failed` on ``control``."""

        @property
        def text(self) -> str:
            return self.value

        @property
        def control(self) -> QuickLog:
            assert isinstance(self.input, QuickLog)
            return self.input

    class Expand(Message):
        """Go on with ``text``, possibly of several lines, in the long editor."""

        def __init__(self, control: QuickLog, text: str) -> None:
            super().__init__()
            self._control = control
            self.text = text

        @property
        def control(self) -> QuickLog:
            return self._control

    class Cancelled(Message):
        """Escape: the person goes back to the panes. The text stays where it is."""

    def __init__(
        self,
        *,
        preview: Preview | None = None,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(
            placeholder="What happened? What did you see, decide or do?",
            highlighter=_Prefixes(),
            select_on_focus=False,
            name=name,
            id=id,
            classes=classes,
        )
        self._preview = preview
        self._saving: str | None = None
        self._trouble = ""
        self._done = ""
        self._aside = False
        self._lines: list[str] = []
        self._recalled: int | None = None  # which of `_lines` is shown; None: the person's own draft
        self._draft = ""
        self._caption()

    # What the application says.

    def saved(self, *, in_store: bool = True) -> None:
        """The submitted line is on disk; or kept aside until the store takes it, and not to be written again."""
        line, self._saving = self._saving, None
        if line is None:
            return
        self._lines = [*(other for other in self._lines if other != line), line][-HISTORY:]
        self._recalled, self._trouble = None, ""
        self._done, self._aside = ("✓ saved", False) if in_store else ("! kept aside, not in the store yet", True)
        self._adopt(self.value.removeprefix(line))

    def arrived(self) -> None:
        """What was kept aside is in the store now."""
        if self._aside:
            self._done, self._aside = "", False
            self._caption()

    def failed(self, reason: str) -> None:
        """The submitted line is not on disk; it stays in the editor and ``reason`` in the border."""
        line, self._saving = self._saving, None
        if line and self.value != line and self.value.startswith(line):
            self._adopt(f"{line} {self.value.removeprefix(line)}")  # typed meanwhile: kept, and kept apart
        self._trouble, self._done = reason or "no reason given", ""
        self._caption()

    def possible(self, reason: str) -> None:
        """What was refused for this ``reason`` would be taken now; its text is still there to be sent."""
        if self._trouble == reason:
            self._trouble = ""
            self._caption()

    def discard(self) -> None:
        """The text went elsewhere (into the long editor): start empty."""
        self._recalled, self._trouble, self._done = None, "", ""
        self._adopt("")

    @property
    def saving(self) -> bool:
        """Whether a line was submitted and is not yet on disk."""
        return self._saving is not None

    # Keys.

    async def action_submit(self) -> None:
        if self.saving or not self.value.strip():
            return
        said, wrong = self._read()
        if wrong:
            self._trouble = said
            self._caption()
            return
        self._saving, self._trouble, self._done = self.value, "", ""
        self.cursor_position = len(self.value)  # what is typed from here on is the next line
        self._caption()
        self.post_message(self.Submitted(self, self.value.strip()))

    def action_expand(self) -> None:
        if not self.saving:
            self.post_message(self.Expand(self, self.value))

    def action_cancel(self) -> None:
        self.post_message(self.Cancelled())

    def action_history(self, step: int) -> None:
        if not self._lines or self.saving:
            return
        if self._recalled is None:
            if step > 0:
                return
            self._draft, place = self.value, len(self._lines) - 1
        else:
            place = self._recalled + step
        if place >= len(self._lines):
            self._recalled = None
            self._adopt(self._draft)
        elif place >= 0:
            self._recalled = place
            self._adopt(self._lines[place])

    def _adopt(self, text: str) -> None:
        self.value = text
        self.cursor_position = len(text)
        self._caption()

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()  # the parent's handler would drop all but the first line
        lines = [plain(line, limit=len(line) + 1) for line in event.text.splitlines()]
        while lines and not lines[-1].strip():
            lines.pop()
        text = " ⏎ ".join(lines)
        start, end = sorted(self.selection)
        if len(lines) > MOST_LINES_PASTED or len(text) > LONGEST_PASTE:
            if not self.saving:
                whole = self.value[:start] + "\n".join(lines) + self.value[end:]
                self.post_message(self.Expand(self, whole))
            return
        if text:
            self.replace(text, start, end)

    # The border.

    def watch_value(self) -> None:
        if self.value:
            self._done = ""
        self._caption()

    def on_resize(self) -> None:
        self._caption()

    def tick(self) -> None:
        """Time has passed: what ``-5m`` means has moved on."""
        if self.value and self._preview is not None:
            self._caption()

    def _read(self) -> tuple[str, bool]:
        """What the preview says of the text, and whether that is an error."""
        if self._preview is None or not self.value.strip():
            return "", False
        try:
            return self._preview(self.value.strip()), False
        except ValueError as error:
            return str(error), True

    def _caption(self) -> None:
        said, wrong = self._read()
        parts: list[str | tuple[str, str]] = ["Log"]
        if self._trouble:
            parts.append((f"  ✗ not saved: {plain(self._trouble, 200)}", "bold $text-error"))
        elif self.saving:
            parts.append(("  saving …", "$foreground 60%"))
        elif said:
            parts.append(
                (f"  {'✗ ' if wrong else ''}{plain(said, 200)}", "$text-error" if wrong else "$foreground 60%")
            )
        elif self._done:
            parts.append((f"  {self._done}", "bold $text-warning" if self._aside else "$text-success"))
        title = Content.assemble(*parts)
        subtitle = Content(fitting(_HINTS, self.size.width - 2 if self.size.width else 80))
        if title.markup != self.border_title:
            self.border_title = title
        if subtitle.markup != self.border_subtitle:
            self.border_subtitle = subtitle
        self.set_class(bool(self._trouble), "-failed")
