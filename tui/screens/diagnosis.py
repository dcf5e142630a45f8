"""The diagnosis over the console: the tree at the left, what fits and what changed at the right, or below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen

from tui.outline import NARROW
from widgets.diagnosis import DiagnosisPane
from widgets.plain import ago, plain

if TYPE_CHECKING:
    from tui.room import ControlRoom
    from widgets.diagnosis_view import PlaceView

HINTS = "enter shows it · g guide · y copy · esc back"


class DiagnosisScreen(Screen[None]):
    """Evaluated live while it is in front."""

    AUTO_FOCUS = "#diagnosis-tree"
    CSS = "DiagnosisScreen { layout: horizontal; } #diagnosis-side { width: 46%; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,d", "leave", "back", id="diagnosis-back", tooltip="Back to the console"),
        Binding("tab", "other(1)", "other side", id="diagnosis-next", show=False, tooltip="To the other side"),
        Binding(
            "shift+tab", "other(-1)", "other side", id="diagnosis-previous", show=False, tooltip="To the other side"
        ),
    ]

    def __init__(self, host: ControlRoom) -> None:
        super().__init__()
        self._host = host

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield DiagnosisPane("tree", id="diagnosis-tree")
            yield DiagnosisPane("side", id="diagnosis-side")

    def on_mount(self) -> None:
        self._arrange()
        self._look()
        self.set_interval(1.0, self._look, name="diagnosis")

    @property
    def chart(self) -> DiagnosisPane:
        return self.query_one("#diagnosis-tree", DiagnosisPane)

    @property
    def beside(self) -> DiagnosisPane:
        return self.query_one("#diagnosis-side", DiagnosisPane)

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        """On a narrow terminal one pane has it all."""
        if not self.is_mounted:
            return
        narrow = self.size.width < NARROW
        self.beside.display = not narrow
        self.chart.part = "all" if narrow else "tree"
        self.chart.border_subtitle = Content(HINTS if narrow else "")
        self.beside.border_subtitle = Content(HINTS)
        if narrow and self.focused is self.beside:
            self.chart.focus()

    def _look(self) -> None:
        if not self.is_mounted:
            return
        now = self._host.now()
        self._host.diagnosing.look(now)
        view = self._host.diagnosing.view(now)
        self.chart.show(view)
        self.beside.show(view)
        found = self._host.diagnosing.latest
        began = found.first_symptom if found is not None else None
        since = f"  first symptom {ago(now - began)} ago" if began is not None else ""
        title = Content.assemble("Diagnosis", (since, "$foreground 60%"))
        if self.chart.border_title != title:
            self.chart.border_title = title
        self.beside.border_title = Content("What fits, what changed")

    @on(DiagnosisPane.Jump)
    def _jump(self, event: DiagnosisPane.Jump) -> None:
        event.stop()
        if event.place is None:
            self._host.tell("there is nothing to go to: it is not known", timeout=3)
        else:
            self.dismiss(None)
            self._show(event.place)

    def _show(self, place: PlaceView) -> None:
        if not self._host.desk.show_row(place.pane, place.key):
            self._host.tell(f"that row is not in the {plain(place.pane, 20)} pane any more", timeout=3)

    @on(DiagnosisPane.Guide)
    def _guide(self, event: DiagnosisPane.Guide) -> None:
        event.stop()
        self.dismiss(None)
        self._host.desk.action_guide(event.scenario)

    @on(DiagnosisPane.Copied)
    def _copy(self, event: DiagnosisPane.Copied) -> None:
        event.stop()
        self.app.copy_to_clipboard(event.text)
        self._host.tell("copied", timeout=2)

    def action_other(self, step: int) -> None:
        if self.beside.display:
            (self.chart if self.focused is self.beside else self.beside).focus()

    def action_leave(self) -> None:
        self.dismiss(None)
