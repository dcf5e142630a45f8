"""Where the console's panes are and which of them has the focus: the layout, the tabs, the banner above them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.widget import Widget

from tui import writing
from tui.banner_facts import banner_state
from tui.keys import bar_keys, first_key, pane_keys
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
    from tui.room import ControlRoom

TAB_SHORTS = {
    "pods": "Pods",
    "nodes": "Nodes",
    "events": "Ev",
    "services": "Svc",
    "changes": "Chg",
    "timeline": "Time",
    "databases": "DB",
}

Pane = TablePane[Any] | TimelinePane


class ConsoleLayout(Screen[None]):
    """The screen's places. What the keys ask for and what the panes report is the business of its subclasses."""

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
        self.has_databases = False

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
            if self.host.settings.azure.configured:
                yield self._databases_pane()
            yield TimelinePane(id="timeline", classes="pane", placeholder="opening the timeline …")
        yield QuickLog(id="log", preview=self.preview)
        yield ActsStrip(id="acts")
        keymap = self.app._keymap
        yield KeyBar(
            bar_keys(keymap, without=self.without), help_key=first_key("help", "question_mark", keymap), id="keys"
        )

    def _databases_pane(self) -> Widget:
        """Imported here, as all that is about Azure: without it in the settings nothing of it is."""
        from tui import azure_subjects  # noqa: F401  # from now on its rows can be looked at and pinned
        from widgets.databases import DatabasesPane

        self.has_databases = True
        return DatabasesPane(id="databases", classes="pane")

    def furnish_azure(self) -> None:
        """Where to look is known by now; a drill's settings come with its platform, after the panes."""
        if not self.host.settings.azure.configured:
            return
        self.query_one("#changes", ChangesPane).azure = True
        if not self.has_databases:
            self.query_one("#right").mount(self._databases_pane(), after="#changes")
            self.call_after_refresh(self._databases_mounted)

    def _databases_mounted(self) -> None:
        pane = self.query_one("#databases", TablePane)
        pane.local_time = self.host.local_time
        if (seen := self.host.feeds.latest.get("databases")) is not None:
            pane.show(seen)
        self.arrange_panes()

    def preview(self, text: str) -> str:
        """What a typed line would record. Raises ValueError saying what is wrong with its time."""
        return writing.preview(text, self.host.local_time)

    def update_node_styles(self, animate: bool = True) -> None:
        """Textual asks for this when a screen comes to the front, and so right after it has styled every widget of it.

        The first time only the screen itself is not styled yet; the rest would take 15 ms of the start for nothing.
        """
        if self._shown_before:
            super().update_node_styles(animate)
        else:
            self._shown_before = True
            self.app.stylesheet.update_nodes([self], animate=animate)

    # ------------------------------------------------------------------ the places

    @property
    def panes(self) -> tuple[tuple[str, str], ...]:
        """The panes there are, each with its key."""
        return pane_keys(self.has_databases)

    @property
    def without(self) -> tuple[str, ...]:
        """The keys that are of no use here: a score is a drill's."""
        incident = self.host.journal.incident
        drill = self.host.app.options.drill is not None or (incident is not None and incident.drill)
        return () if drill else ("score",)

    @property
    def tables(self) -> Iterator[TablePane[Any]]:
        return (pane for side in self.children for pane in side.children if isinstance(pane, TablePane))

    @property
    def timeline(self) -> TimelinePane:
        return self.query_one("#timeline", TimelinePane)

    @property
    def log_line(self) -> QuickLog:
        return self.query_one("#log", QuickLog)

    @property
    def pane(self) -> Pane:
        """The pane that keys are about: the focused one, or the one that had the focus last."""
        if isinstance(self.focused, TablePane | TimelinePane):
            return self.focused
        found = self.query_one(f"#{self._current}")
        assert isinstance(found, TablePane | TimelinePane)
        return found

    @property
    def front(self) -> str:
        """Which pane a narrow terminal shows."""
        return self._current

    def selected_row(self) -> object:
        """The row that keys are about, as of now."""
        pane = self.pane
        return pane.selected if isinstance(pane, TimelinePane) else pane.selected_row

    def subject(self) -> Subject | None:
        """What the selected row is about, as of this keypress."""
        return subject_of(self.selected_row())

    # ------------------------------------------------------------------ layout and focus

    def on_resize(self) -> None:
        self.call_after_refresh(self.arrange_panes)

    def arrange_panes(self) -> None:
        """In the narrow layout only the current pane is displayed; in the wide one, all."""
        if not self.children:
            return
        narrow = self.size.width < NARROW
        current = self.query_one(f"#{self.front}")
        for pane in self.query(".pane"):
            pane.set_class(narrow and pane is not current, "aside")
        for side in self.query("#left, #right"):
            side.set_class(narrow and current not in side.children, "aside")
        self.show_banner(self.host.now())

    def on_descendant_focus(self) -> None:
        for name, _ in self.panes:
            if self.focused is not None and self.focused.id == name:
                self._current = name
                self.arrange_panes()

    def action_pane(self, name: str) -> None:
        self._current = name
        if self.maximized is not None:
            self.minimize()
        self.arrange_panes()
        self.query_one(f"#{name}").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The databases' key does nothing where there is no such pane."""
        return self.has_databases if (action, parameters) == ("pane", ("databases",)) else True

    def show_row(self, pane: str, key: str) -> bool:
        """Go to a pane, and there to the row with this key (empty: to none). False: there is no such row."""
        table = next((table for table in self.tables if table.id == pane), None)
        if table is None:
            return False
        self.action_pane(pane)
        return not key or table.go_to(key)

    def action_step_pane(self, step: int) -> None:
        """The next pane or the one before, and the log line after the last: those out of sight too."""
        stops = self.stops()
        name = stops[(stops.index(self.stop_here()) + step) % len(stops)]
        if name == "log":
            self.action_note()
        else:
            self.action_pane(name)

    def stops(self) -> list[str]:
        """Where tab goes, in this order."""
        return [*(name for name, _ in self.panes), "log"]

    def stop_here(self) -> str:
        return "log" if self.focused is self.log_line else self._current

    def action_note(self) -> None:
        if self.maximized is not None:
            self.minimize()
        self.log_line.focus()

    def action_maximise(self) -> None:
        if self.maximized is not None:
            self.minimize()
        else:
            self.maximize(self.pane)

    # ------------------------------------------------------------------ banner and tabs

    def show_banner(self, now: float) -> None:
        banner = self.query_one(Banner)
        banner.show(banner_state(self.host, self.vitals), now)
        if self.has_class("-narrow"):
            self.query_one(TabBar).show(self._tabs(), self.front)

    def _tabs(self) -> list[Tab]:
        vitals = self.vitals
        sick = {
            "pods": ("✗", vitals.sick_pods),
            "nodes": ("✗" if vitals.unready_nodes else "!", vitals.sick_nodes),
            "services": ("✗", vitals.sick_services),
            "databases": ("✗", vitals.sick_databases),
        }
        tabs = []
        for name, number in self.panes:
            mark, count = sick.get(name, ("", 0))
            key = first_key(f"pane-{name}", number, self.app._keymap)
            tabs.append(Tab(name, key, name.capitalize(), TAB_SHORTS[name], mark if count else "", count))
        return tabs

    @on(TabBar.Chosen)
    def _tab_chosen(self, event: TabBar.Chosen) -> None:
        event.stop()
        self.action_pane(event.tab.id)


def _class_at(extent: int, breakpoints: Sequence[tuple[int, str]]) -> str:
    return max((least, name) for least, name in breakpoints if extent >= least)[1]
