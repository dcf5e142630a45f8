"""The console's main screen: it draws what the app hands it, and knows what each key asks for.

Where the panes are is the business of `console_layout`, the keys that act of `console_acts`, the guide of
`console_guide`, the editors of `console_editor`. What a key starts beyond the screen is that of `tui.looking`,
`tui.writing` and `tui.acting`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType

from probes.freshness import Freshness, Snapshot, State
from tui import looking, writing
from tui.keys import bindings
from tui.looking import pods_of
from tui.screens.console_editor import ConsoleEditor
from tui.screens.console_guide import ConsoleGuide
from tui.subjects import Subject, subject_of
from tui.vital_signs import VitalSigns
from widgets.banner import Banner
from widgets.changes import ChangesPane
from widgets.table import TablePane
from widgets.timeline import TimelinePane

NO_INCIDENT = "No incident yet. Press I to declare one; what is seen meanwhile is kept for it."

LAYOUT, DIALOGS = (Path(__file__).parents[1] / name for name in ("console.tcss", "dialogs.tcss"))
"""For the app's stylesheet, before the screen is pushed (as its CSS_PATH, Textual would parse everything twice) and
after its first frame."""


class ConsoleScreen(ConsoleGuide, ConsoleEditor):
    """Banner, panes, timeline with its editor, keys. See DESIGN's console section for the layout."""

    BINDINGS: ClassVar[list[BindingType]] = bindings()

    def on_mount(self) -> None:
        if not self.children:
            return  # the app is leaving already, and Textual composes nothing any more
        self.set_local_time(self.host.local_time)
        self.arrange_panes()
        self.host.furnished()

    # ------------------------------------------------------------------ what the app hands over

    def show(self, snapshot: Snapshot[Any]) -> None:
        """Hand a snapshot to every pane that draws its source."""
        for pane in self.tables:
            if snapshot.source in pane.SOURCES:
                pane.show(snapshot)
        now = self.host.now()
        standing = self.vitals.standing(snapshot.source)
        self.vitals.see(snapshot, now)
        if self.vitals.standing(snapshot.source) is not standing:
            self.show_banner(now)  # a source that came or went is told at once; counts can wait for the tick

    def clear(self) -> None:
        """Another cluster or namespace: nothing of the old one may stay on the screen."""
        self.vitals = VitalSigns()
        loading = Freshness(State.LOADING, self.host.now())
        for pane in self.tables:
            if pane.frozen_since is not None:
                pane.action_freeze()
            for source in pane.SOURCES:
                pane.show(Snapshot(source, loading))

    def show_where(self) -> None:
        """The cluster, the namespaces or the version became known or changed."""
        where = self.host.session.scope_text
        for pane in self.tables:
            pane.where = where if where.startswith("all") else f"in namespace {where}"
        self.show_banner(self.host.now())

    def show_timeline(self, touched: set[str] | None) -> None:
        """The lines in ``touched`` changed; None: another timeline is shown."""
        if touched is None:
            self.show_incident()
        else:
            self.timeline.update(touched)
        self.hear_timeline(touched)

    def show_incident(self) -> None:
        journal = self.host.journal
        if journal.incident is None:
            self.timeline.show(None, journal.trouble or NO_INCIDENT)
        else:
            self.timeline.show(journal.timeline)
        if journal.recording:
            self.log_line.possible(writing.NO_INCIDENT)
        self.show_banner(self.host.now())

    def set_local_time(self, local: bool) -> None:
        for pane in self.tables:
            pane.local_time = local
        self.timeline.local_time = local
        self.query_one(Banner).local_time = local
        self.show_banner(self.host.now())

    def tick(self, now: float) -> None:
        """Once a second: ages, freshness, the clock. Panes redraw only what reads differently."""
        self.vitals.tick(now)
        for pane in self.tables:
            if pane.display:
                pane.tick(now)
        changes, diagnosing = self.query_one("#changes", ChangesPane), self.host.diagnosing
        changes.accuse(diagnosing.first_symptom or self.vitals.first_symptom, diagnosing.accused)
        self.timeline.tick(now)
        self.log_line.tick()
        if not self.host.journal.aside:
            self.log_line.arrived()
        self.tick_guide()
        self.show_banner(now)
        self.show_acts()

    # ------------------------------------------------------------------ keys

    def action_detail(self) -> None:
        pane = self.pane
        if isinstance(pane, TimelinePane | TablePane):
            pane.action_open()

    @on(TablePane.Opened)
    @on(TimelinePane.Opened)
    def _opened(self, event: TablePane.Opened | TimelinePane.Opened) -> None:
        event.stop()
        row = event.row if isinstance(event, TablePane.Opened) else event.line
        subject = subject_of(row)
        if subject is not None:
            from tui.screens.detail import DetailScreen

            self.app.push_screen(DetailScreen(self.host, subject))

    def action_diagnose(self) -> None:
        from tui.screens.diagnosis import DiagnosisScreen

        self.app.push_screen(DiagnosisScreen(self.host))

    def action_filter(self) -> None:
        pane = self.pane
        if isinstance(pane, TimelinePane):
            pane.action_query()
        else:
            pane.action_filter()

    def action_freeze(self) -> None:
        pane = self.pane
        if isinstance(pane, TablePane):
            pane.action_freeze()

    def action_logs(self) -> None:
        subject = self._subject("has no logs to follow")
        if subject is None:
            return
        pods = subject.pods or pods_of(subject, self.host.feeds.latest)
        if not pods:
            self.host.tell(f"{subject.title or 'this row'} has no pods whose logs could be followed", "warning")
        elif self.host.session.cluster is None:
            self.host.tell("not connected to a cluster", "warning")
        else:
            from tui.screens.logs import LogsScreen

            self.app.push_screen(LogsScreen(self.host, subject, pods))

    def action_copy(self) -> None:
        pane = self.pane
        text = pane.copy_text() if isinstance(pane, TimelinePane) else pane.row_text()
        if text:
            self.app.copy_to_clipboard(text)
            self.host.tell(f"copied: {text[:80]}", timeout=3)

    def action_pin(self) -> None:
        subject = self._subject("cannot be pinned")
        if subject is not None:
            writing.pin(self.host, subject)

    def action_export(self) -> None:
        writing.export(self.host)

    def action_incidents(self) -> None:
        writing.choose_incident(self.host)

    def action_update(self) -> None:
        writing.update(self.host)

    def action_declare(self) -> None:
        writing.declare(self.host)

    def action_namespaces(self) -> None:
        looking.choose_namespaces(self.host)

    def action_contexts(self) -> None:
        looking.choose_context(self.host)

    def action_clock(self) -> None:
        self.host.app.local_time = not self.host.app.local_time

    def action_theme(self) -> None:
        self.host.tell(f"theme {self.host.app.next_theme()}", timeout=4)

    def action_help(self) -> None:
        from tui.help_text import help_sections
        from tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(help_sections(self.app, self.act_keys, databases=self.has_databases)))

    def _subject(self, refusal: str) -> Subject | None:
        subject = self.subject()
        if subject is None:
            self.host.tell(f"nothing is selected here that {refusal}", "warning", timeout=3)
        return subject
