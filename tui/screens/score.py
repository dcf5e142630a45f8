"""A drill's score over the console: what was judged, and the ideal path with what was done beside it.

While the incident is open, steps that were not done stay hidden: somebody may still find them.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static

from incident.dossier import Dossier, dossier
from incident.errors import StoreError
from incident.score import Score, score
from incident.standard import NEUTRAL
from tui import writing
from tui.measure import converted
from tui.outline import NARROW
from tui.score_rows import hints, path_rows, point_rows, title
from widgets.plain import plain
from widgets.row_list import ListRow, RowList

if TYPE_CHECKING:
    from incident.entry import Entry, Incident
    from incident.standard import Standard
    from tui.room import ControlRoom

log = logging.getLogger(__name__)

NO_SCORE = "This drill does not say what a good response is, so there is no score."


class PointList(RowList):
    """What is judged."""


class PathList(RowList):
    """The ideal path and yours."""


class ScoreScreen(Screen[None]):
    """Worked out again when something is recorded, and each second while times run."""

    AUTO_FOCUS = "#points"
    CSS = """
    ScoreScreen {
        layout: vertical;
        & Horizontal { height: 1fr; }
        & #points { width: 50%; }
        & #path { width: 1fr; }
        & .-alone { width: 100% !important; }
        & #whole { height: 1; padding: 0 2; color: $foreground 80%; &.-alone { height: 2; } }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,r", "leave", "back", id="score-back", tooltip="Back to the console"),
        Binding("tab,shift+tab", "other", "other side", id="score-other", show=False, tooltip="Points or the path"),
        Binding("e", "export", "export", id="score-export", show=False, tooltip="Export the incident with its score"),
    ]

    def __init__(self, host: ControlRoom) -> None:
        super().__init__()
        self._host = host
        self._dossier: Dossier | None = None
        self._known: object = None  # what the dossier was made of
        self._found: Score | None = None  # as it is shown
        self._reading = False
        self._trouble = ""
        self._alone = ""  # which side has a narrow terminal

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield PointList(id="points")
            yield PathList(id="path")
        yield Static(id="whole")

    def on_mount(self) -> None:
        self._arrange()
        self._tick()
        self.set_interval(1.0, self._tick, name="drill score")

    @property
    def points(self) -> PointList:
        return self.query_one(PointList)

    @property
    def path(self) -> PathList:
        return self.query_one(PathList)

    def on_resize(self) -> None:
        self._arrange()
        self.call_after_refresh(self._look)

    def on_screen_resume(self) -> None:
        self._tick()

    def _arrange(self) -> None:
        if not self.is_mounted:
            return
        narrow = self.size.width < NARROW
        self._alone = (self._alone or "points") if narrow else ""
        for side in (self.points, self.path):
            side.display = self._alone in ("", side.id)
            side.set_class(narrow, "-alone")
        self.query_one("#whole").set_class(narrow, "-alone")

    # ------------------------------------------------------------------ what is shown

    def _tick(self) -> None:
        journal = self._host.journal
        if not self.is_mounted or journal.incident is None:
            return
        lines = journal.timeline.lines
        known = journal.incident, len(lines), lines[-1].last_at if lines else 0, self._host.response is not None
        if known != self._known and not self._reading:
            self._reading = True
            writing.begin(self._host, self._read(journal.incident, known), "works out the score")
        self._look()

    async def _read(self, incident: Incident, known: object) -> None:
        """Work the incident out from all that is recorded; beside the console, because a timeline may be long."""
        response = self._host.response
        standard = NEUTRAL if response is None else converted(response)
        try:
            entries = await self._host.journal.all_entries()
            self._dossier, self._trouble = await asyncio.to_thread(_made, incident, entries, standard), ""
            self._known = known
        except StoreError as error:
            log.error("the score cannot be worked out: %s", error)
            self._trouble = f"The score cannot be worked out: {error}"
        finally:
            self._reading = False
        self._look()

    def _look(self) -> None:
        incident = self._host.journal.incident
        if not self.is_mounted or incident is None:
            return
        found = None if self._dossier is None else score(self._dossier, round(self._host.now() * 1000))
        self._found = found
        if found is None:
            said = self._trouble or ("working it out …" if self._dossier is None else NO_SCORE)
            self.points.show([ListRow("none", Content.styled(plain(said, 300), "$foreground 60%"), heading=True)])
            self.path.show([])
        else:
            local = self._host.local_time
            self.points.show(point_rows(found, max(self.points.scrollable_content_region.width - 1, 40)))
            self.path.show(path_rows(found, max(self.path.scrollable_content_region.width - 1, 40), local=local))
        self._titles(incident, found)

    def _titles(self, incident: Incident, found: Score | None) -> None:
        drill = Content.styled(f"{'DRILL · ' if incident.drill else ''}{incident.id}", "bold")
        self.points.border_title = drill if found is None else Content.assemble(drill, "  ", title(found))
        name = "" if found is None or not (found.finished or found.left) else f"  {plain(found.played, 60)}"
        self.path.border_title = Content.assemble(("Ideal and yours", "bold"), (name, "$foreground 60%"))
        self.points.border_subtitle = hints(("tab the path" if self._alone else "tab", "e export", "esc back"))
        self.path.border_subtitle = hints(("tab the points" if self._alone else "", "times since the drill was opened"))
        side = self.path if self.focused is self.path else self.points
        self.query_one("#whole", Static).update(Content(side.full))

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        incident = self._host.journal.incident
        if incident is not None:
            self._titles(incident, self._found)

    # ------------------------------------------------------------------ keys

    def action_other(self) -> None:
        there = self.path if self.focused is self.points else self.points
        if self._alone:
            self._alone = there.id or "points"
            self._arrange()
        there.focus()
        self.call_after_refresh(self._look)

    def action_export(self) -> None:
        writing.export(self._host)

    def action_leave(self) -> None:
        self.dismiss(None)


def _made(incident: Incident, entries: list[Entry], standard: Standard) -> Dossier:
    return dossier(incident, entries, standard)
