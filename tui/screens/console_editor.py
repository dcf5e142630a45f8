"""The timeline's editors on the console: the line at the bottom, the long one, amending and retracting."""

from __future__ import annotations

from textual import on

from incident.entry import ACTS, Line
from tui import writing
from tui.screens.console_layout import ConsoleLayout
from widgets.editor import QuickLog
from widgets.timeline import TimelinePane


class ConsoleEditor(ConsoleLayout):
    """What is typed reaches the timeline; an editor keeps its text until the entry is on disk."""

    def action_editor(self) -> None:
        from widgets.dialogs import EntryDialog

        self.app.push_screen(EntryDialog(read_time=self._read_time, local_time=self.host.local_time))

    def action_card(self) -> None:
        writing.card(self.host)

    def action_score(self) -> None:
        writing.score(self.host)

    def _read_time(self, text: str) -> str:
        return writing.preview_time(text, self.host.local_time)

    @on(QuickLog.Submitted)
    def _line_submitted(self, event: QuickLog.Submitted) -> None:
        event.stop()
        writing.begin(self.host, self._save_line(event.control, event.text), "saves a line")

    async def _save_line(self, line: QuickLog, text: str) -> None:
        trouble = await writing.answered(writing.quick_entry(self.host, text))
        if trouble:
            line.failed(trouble)
        else:
            line.saved(in_store=not self.host.journal.aside)

    @on(QuickLog.Expand)
    def _line_expanded(self, event: QuickLog.Expand) -> None:
        event.stop()
        from widgets.dialogs import EntryDialog

        line = event.control
        dialog = EntryDialog(event.text, read_time=self._read_time, local_time=self.host.local_time)
        self.app.push_screen(dialog, lambda saved: line.discard() if saved else None)

    @on(QuickLog.Cancelled)
    def _line_left(self, event: QuickLog.Cancelled) -> None:
        event.stop()
        self.query_one(f"#{self._current}").focus()

    def _stands(self, line: Line) -> bool:
        """Whether the entry can be neither amended nor retracted, which is told before anybody types."""
        if line.entry.kind in ACTS:
            self.host.tell("what was done stands as it is: write a note beside it (n)", "warning", timeout=5)
            return True
        return False

    @on(TimelinePane.Amend)
    def _amend(self, event: TimelinePane.Amend) -> None:
        from widgets.dialogs import EntryDialog

        event.stop()
        if self._stands(event.line):
            return
        self.app.push_screen(
            EntryDialog(original=event.line, read_time=self._read_time, local_time=self.host.local_time)
        )

    @on(TimelinePane.Retract)
    def _retract(self, event: TimelinePane.Retract) -> None:
        from widgets.dialogs import RetractDialog

        event.stop()
        if self._stands(event.line):
            return
        self.app.push_screen(RetractDialog(event.line, local_time=self.host.local_time))
