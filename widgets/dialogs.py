"""The long editor and the retraction as modal screens. Imported on first use: they bring text areas and buttons."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from incident.entry import Line
from widgets.backdrop import Dialog
from widgets.entry_editor import EntryEditor, KeptText, ReadTime, RetractPrompt


class EntryDialog(Dialog[bool]):
    """`EntryEditor` over the console. Its `EntryEditor.Submitted` reaches the application; dismissed with True once
    that has called `saved`, with False if the person left."""

    DEFAULT_CSS: ClassVar[str] = """
    EntryDialog { align: center middle; & > * { width: 100; max-width: 96%; } }
    """

    def __init__(
        self,
        text: str = "",
        *,
        original: Line | None = None,
        read_time: ReadTime | None = None,
        local_time: bool = False,
    ) -> None:
        super().__init__()
        self.editor = EntryEditor(text, original=original, read_time=read_time, local_time=local_time)

    def compose(self) -> ComposeResult:
        yield self.editor

    @on(KeptText.Closed)
    def closed(self, event: KeptText.Closed) -> None:
        event.stop()
        self.dismiss(event.saved)


class RetractDialog(Dialog[bool]):
    """`RetractPrompt` over the console. Its `RetractPrompt.Submitted` reaches the application; dismissed with True once
    that has called `saved`, with False if the person left."""

    DEFAULT_CSS: ClassVar[str] = """
    RetractDialog { align: center middle; & > * { width: 100; max-width: 96%; } }
    """

    def __init__(self, line: Line, *, local_time: bool = False) -> None:
        super().__init__()
        self.prompt = RetractPrompt(line, local_time=local_time)

    def compose(self) -> ComposeResult:
        yield self.prompt

    @on(KeptText.Closed)
    def closed(self, event: KeptText.Closed) -> None:
        event.stop()
        self.dismiss(event.saved)
