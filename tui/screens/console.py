"""The console's main screen: where every pane is, which one has the focus, and what each key asks for.

It draws what the app hands it. What a key starts beyond the screen (a fetch, a write to the timeline) is
`tui.acts`' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import Screen

from incident.entry import ACTS, Line
from probes.freshness import Freshness, Snapshot, State
from tui import acting, looking, writing
from tui.banner_facts import banner_state
from tui.keys import PANE_KEYS, Key, act_keys, bar_keys, bindings, first_key
from tui.looking import pods_of
from tui.outline import NARROW
from tui.subjects import Subject, subject_of
from tui.vital_signs import VitalSigns
from widgets.acts_strip import ActsStrip
from widgets.banner import Banner
from widgets.changes import ChangesPane
from widgets.editor import QuickLog
from widgets.events import EventsPane
from widgets.key_bar import KeyBar
from widgets.nodes import NodesPane
from widgets.pods import PodsPane
from widgets.services import ServicesPane
from widgets.tab_bar import Tab, TabBar
from widgets.table import TablePane
from widgets.timeline import TimelinePane

if TYPE_CHECKING:
    from runbook.mitigation import Mitigation
    from runbook.plan import Aim
    from tui.room import ControlRoom

TAB_SHORTS = {
    "pods": "Pods",
    "nodes": "Nodes",
    "events": "Ev",
    "services": "Svc",
    "changes": "Chg",
    "timeline": "Time",
}

NO_INCIDENT = "No incident yet. Press I to declare one; what is seen meanwhile is kept for it."

Pane = TablePane[Any] | TimelinePane


LAYOUT, DIALOGS = (Path(__file__).parents[1] / name for name in ("console.tcss", "dialogs.tcss"))
"""For the app's stylesheet, before the screen is pushed (as its CSS_PATH, Textual would parse everything twice) and
after its first frame."""


class ConsoleScreen(Screen[None]):
    """Banner, panes, timeline with its editor, keys. See DESIGN's console section for the layout."""

    BINDINGS: ClassVar[list[BindingType]] = bindings()
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-wide")]  # noqa: RUF012  # an instance variable in Textual
    VERTICAL_BREAKPOINTS = [(0, "-short"), (42, "-medium"), (60, "-tall")]  # noqa: RUF012
    ALLOW_IN_MAXIMIZED_VIEW = ".-textual-system, #banner, #keys"
    AUTO_FOCUS = "#pods"

    def __init__(self, host: ControlRoom) -> None:
        # Textual sets these once the screen is laid out, and then styles and lays out everything again (40 ms).
        width, height = host.app.size
        marks = (self.HORIZONTAL_BREAKPOINTS, width), (self.VERTICAL_BREAKPOINTS, height)
        super().__init__(classes=" ".join(_class_at(extent, names) for names, extent in marks))
        self.host = host
        self.vitals = VitalSigns()
        self._current = "pods"
        self._shown_before = False
        self._mitigations: dict[str, Mitigation] = {}

    def compose(self) -> ComposeResult:
        yield Banner(id="banner")
        yield TabBar(id="tabs")
        with Vertical(id="left"):
            yield PodsPane(id="pods", classes="pane")
            yield NodesPane(id="nodes", classes="pane")
            yield EventsPane(id="events", classes="pane")
            yield ServicesPane(id="services", classes="pane")
        with Vertical(id="right"):
            yield ChangesPane(id="changes", classes="pane")
            yield TimelinePane(id="timeline", classes="pane", placeholder="opening the timeline …")
        yield QuickLog(id="log", preview=self._preview)
        yield ActsStrip(id="acts")
        keymap = self.app._keymap
        yield KeyBar(bar_keys(keymap), help_key=first_key("help", "question_mark", keymap), id="keys")

    def on_mount(self) -> None:
        if not self.children:
            return  # the app is leaving already, and Textual composes nothing any more
        self.set_local_time(self.host.local_time)
        self._arrange()
        self.host.furnished()

    def update_node_styles(self, animate: bool = True) -> None:
        """Textual asks for this when a screen comes to the front, and so right after it has styled every widget of it.

        The first time only the screen itself is not styled yet; the rest would take 15 ms of the start for nothing.
        """
        if self._shown_before:
            super().update_node_styles(animate)
        else:
            self._shown_before = True
            self.app.stylesheet.update_nodes([self], animate=animate)

    # ------------------------------------------------------------------ what the app hands over

    @property
    def tables(self) -> Iterator[TablePane[Any]]:
        return iter(self.query(TablePane))

    @property
    def timeline(self) -> TimelinePane:
        return self.query_one("#timeline", TimelinePane)

    @property
    def log_line(self) -> QuickLog:
        return self.query_one("#log", QuickLog)

    def show(self, snapshot: Snapshot[Any]) -> None:
        """Hand a snapshot to every pane that draws its source."""
        for pane in self.tables:
            if snapshot.source in pane.SOURCES:
                pane.show(snapshot)
        now = self.host.now()
        standing = self.vitals.standing(snapshot.source)
        self.vitals.see(snapshot, now)
        if self.vitals.standing(snapshot.source) is not standing:
            self._show_banner(now)  # a source that came or went is told at once; counts can wait for the tick

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
        self._show_banner(self.host.now())

    def show_timeline(self, touched: set[str] | None) -> None:
        """The lines in ``touched`` changed; None: another timeline is shown."""
        if touched is None:
            self.show_incident()
        else:
            self.timeline.update(touched)

    def show_incident(self) -> None:
        journal = self.host.journal
        if journal.incident is None:
            self.timeline.show(None, journal.trouble or NO_INCIDENT)
        else:
            self.timeline.show(journal.timeline)
        self._show_banner(self.host.now())

    def set_local_time(self, local: bool) -> None:
        for pane in self.tables:
            pane.local_time = local
        self.timeline.local_time = local
        self.query_one(Banner).local_time = local
        self._show_banner(self.host.now())

    def tick(self, now: float) -> None:
        """Once a second: ages, freshness, the clock. Panes redraw only what reads differently."""
        self.vitals.tick(now)
        for pane in self.tables:
            if pane.display:
                pane.tick(now)
        self.query_one("#changes", ChangesPane).first_symptom = self.vitals.first_symptom
        self.timeline.tick(now)
        self.log_line.tick()
        self._show_banner(now)
        self.show_acts()

    # ------------------------------------------------------------------ acts

    def furnish_acts(self, mitigations: Mapping[str, Mitigation]) -> None:
        """The mitigations there are: their keys work from now on. They are not needed for the first frame."""
        self._mitigations = dict(mitigations)
        known = {binding.id for _, binding in self._bindings}
        for key in act_keys(mitigations.values()):
            if key.id not in known:
                pressed = self.app._keymap.get(key.id, key.keys)
                self._bindings.bind(pressed, key.action, key.label, show=False)
        self._show_keys()

    def show_acts(self) -> None:
        """What is under way, over the keys."""
        acts = self.host.gates.acts
        self.timeline.running = {act.entry for act in acts if not act.finished} | self.host.book.elsewhere()
        rows = acting.rows(acts, self.host.now())
        self.set_class(bool(rows), "-acting")
        self.query_one(ActsStrip).show(rows)

    def selected_row(self) -> object:
        """The row that keys are about, as of now."""
        pane = self.pane
        return pane.selected if isinstance(pane, TimelinePane) else pane.selected_row

    def refusal(self, name: str, aim: Aim) -> str:
        """Why a mitigation makes no sense for ``aim``, or an empty string."""
        return self._mitigations[name].refuses(aim) if name in self._mitigations else "not ready yet"

    @property
    def act_keys(self) -> tuple[Key, ...]:
        """The keys of the mitigations, once they are known."""
        return act_keys(self._mitigations.values())

    def act_label(self, name: str) -> str:
        return self._mitigations[name].label if name in self._mitigations else name

    def _show_keys(self) -> None:
        """The footer: what acts is dim where it makes no sense on this row."""
        if not self._mitigations or not self.children:
            return
        from tui.aims import aim_of

        aim = aim_of(self.selected_row(), self.host.feeds.latest)
        off = {name: mitigation.refuses(aim) for name, mitigation in self._mitigations.items()}
        self.query_one(KeyBar).show(bar_keys(self.app._keymap, self.act_keys, off))

    @on(TablePane.Selected)
    def _row_selected(self, event: TablePane.Selected) -> None:
        event.stop()
        if event.pane is self.pane:
            self._show_keys()

    def action_act(self, name: str) -> None:
        acting.plan(self.host, name)

    def action_arm(self) -> None:
        acting.arm(self.host)

    def action_undo(self) -> None:
        acting.undo(self.host)

    def action_watch(self) -> None:
        acting.watch(self.host)

    def _show_banner(self, now: float) -> None:
        banner = self.query_one(Banner)
        banner.show(banner_state(self.host, self.vitals))
        banner.tick(now)
        if self.has_class("-narrow"):
            self.query_one(TabBar).show(self._tabs(), self._current)

    def _tabs(self) -> list[Tab]:
        vitals = self.vitals
        sick = {
            "pods": ("✗", vitals.sick_pods),
            "nodes": ("✗" if vitals.unready_nodes else "!", vitals.sick_nodes),
            "services": ("✗", vitals.sick_services),
        }
        tabs = []
        for name, number in PANE_KEYS:
            mark, count = sick.get(name, ("", 0))
            key = first_key(f"pane-{name}", number, self.app._keymap)
            tabs.append(Tab(name, key, name.capitalize(), TAB_SHORTS[name], mark if count else "", count))
        return tabs

    @on(TabBar.Chosen)
    def _tab_chosen(self, event: TabBar.Chosen) -> None:
        event.stop()
        self.action_pane(event.tab.id)

    @on(KeyBar.Pressed)
    async def _hint_clicked(self, event: KeyBar.Pressed) -> None:
        event.stop()
        if event.hint.action:
            await self.run_action(event.hint.action)

    # ------------------------------------------------------------------ layout and focus

    def on_resize(self) -> None:
        self.call_after_refresh(self._arrange)

    def _arrange(self) -> None:
        """In the narrow layout only the current pane is displayed; in the wide one, all."""
        if not self.children:
            return
        narrow = self.size.width < NARROW
        current = self.query_one(f"#{self._current}")
        for pane in self.query(".pane"):
            pane.set_class(narrow and pane is not current, "aside")
        for side in self.query("#left, #right"):
            side.set_class(narrow and current not in side.children, "aside")
        self._show_banner(self.host.now())

    def on_descendant_focus(self) -> None:
        for name, _ in PANE_KEYS:
            if self.focused is not None and self.focused.id == name:
                self._current = name
                self._arrange()
                self._show_keys()

    @property
    def pane(self) -> Pane:
        """The pane that keys are about: the focused one, or the one that had the focus last."""
        if isinstance(self.focused, TablePane | TimelinePane):
            return self.focused
        found = self.query_one(f"#{self._current}")
        assert isinstance(found, TablePane | TimelinePane)
        return found

    def subject(self) -> Subject | None:
        """What the selected row is about, as of this keypress."""
        return subject_of(self.selected_row())

    # ------------------------------------------------------------------ keys

    def action_pane(self, name: str) -> None:
        self._current = name
        if self.maximized is not None:
            self.minimize()
        self._arrange()
        self.query_one(f"#{name}").focus()

    def action_step_pane(self, step: int) -> None:
        """The next pane or the one before, and the log line after the last: those out of sight too."""
        stops = [name for name, _ in PANE_KEYS] + ["log"]
        here = "log" if self.focused is self.log_line else self._current
        name = stops[(stops.index(here) + step) % len(stops)]
        if name == "log":
            self.action_note()
        else:
            self.action_pane(name)

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

    def action_note(self) -> None:
        if self.maximized is not None:
            self.minimize()
        self.log_line.focus()

    def action_editor(self) -> None:
        from widgets.dialogs import EntryDialog

        self.app.push_screen(EntryDialog(read_time=self._read_time, local_time=self.host.local_time))

    def action_export(self) -> None:
        writing.export(self.host)

    def action_incidents(self) -> None:
        writing.choose_incident(self.host)

    def action_declare(self) -> None:
        writing.declare(self.host)

    def action_namespaces(self) -> None:
        looking.choose_namespaces(self.host)

    def action_contexts(self) -> None:
        looking.choose_context(self.host)

    def action_clock(self) -> None:
        self.host.app.local_time = not self.host.app.local_time

    def action_theme(self) -> None:
        self.host.tell(f"theme {self.host.app.next_theme()}", timeout=2)

    def action_maximise(self) -> None:
        if self.maximized is not None:
            self.minimize()
        else:
            self.maximize(self.pane)

    def action_help(self) -> None:
        from tui.help_text import help_sections
        from tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(help_sections(self.app, self.act_keys)))

    def _subject(self, refusal: str) -> Subject | None:
        subject = self.subject()
        if subject is None:
            self.host.tell(f"nothing is selected here that {refusal}", "warning", timeout=3)
        return subject

    # ------------------------------------------------------------------ the timeline's editor

    def _preview(self, text: str) -> str:
        return writing.preview(text, self.host.local_time)

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


def _class_at(extent: int, breakpoints: Sequence[tuple[int, str]]) -> str:
    return max((least, name) for least, name in breakpoints if extent >= least)[1]
