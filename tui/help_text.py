"""The help screen's rows, made from the bindings that are in force, so that they cannot disagree with the keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from textual.binding import Binding
from textual.widget import Widget

from tui.keys import KEYS, STEP_KEYS, Key, pane_keys, readable
from tui.screens.help import MARKS, HelpSection
from widgets.detail import DetailView
from widgets.diagnosis import DiagnosisPane
from widgets.editor import QuickLog
from widgets.guide import GuidePane
from widgets.log_view import LogView
from widgets.pods import PodsPane
from widgets.table import TablePane
from widgets.timeline import TimelinePane

if TYPE_CHECKING:
    from textual.app import App

HEADINGS = {"look": "Look", "record": "Record", "view": "View", "act": "Act"}


def help_sections(app: App[Any], acts: Sequence[Key] = (), *, databases: bool = False) -> list[HelpSection]:
    """Everything there is to press, the console's own keys first."""
    keymap = app._keymap
    sections: list[HelpSection] = []
    for group, heading in HEADINGS.items():
        rows = [(_keys(keymap.get(key.id, key.keys)), key.tooltip) for key in (*acts, *KEYS) if key.group == group]
        sections.append((heading, rows))
    panes = [(_keys(keymap.get(f"pane-{name}", number)), f"Go to {name}") for name, number in pane_keys(databases)]
    steps = [(_keys(keymap.get(name, keys)), sentence) for name, keys, _, sentence in STEP_KEYS]
    sections.append(("Panes", [*panes, *steps]))
    sections += [
        ("In a table", _rows(keymap, TablePane)),
        ("In the pods", _rows(keymap, PodsPane)),
        ("On the timeline", _rows(keymap, TimelinePane)),
        ("In the log line", _rows(keymap, QuickLog)),
        ("In logs", _rows(keymap, LogView)),
        ("In a detail", _rows(keymap, DetailView)),
        ("In the diagnosis", _rows(keymap, DiagnosisPane)),
        ("In a guide", _rows(keymap, GuidePane)),
        ("On the incident's card", _card_rows(keymap)),
        ("On a drill's score", _score_rows(keymap)),
        ("On the rows of a query", _query_rows(keymap)),
        ("In a plan", _plan_rows(keymap)),
        ("In a status update", _update_rows(keymap)),
        MARKS,
    ]
    return sections


def _rows(keymap: Any, widget: type[Widget]) -> list[tuple[str, str]]:
    own: Iterable[Any] = widget.__dict__.get("BINDINGS", ())
    return [
        (_keys(keymap.get(binding.id, binding.key)), binding.tooltip)
        for binding in own
        if isinstance(binding, Binding) and binding.tooltip
    ]


def _plan_rows(keymap: Any) -> list[tuple[str, str]]:
    from tui.screens.plan import PlanScreen

    return _rows(keymap, PlanScreen)


def _card_rows(keymap: Any) -> list[tuple[str, str]]:
    from tui.screens.incident import CardList, CheckList, IncidentScreen

    return [row for widget in (CardList, CheckList, IncidentScreen) for row in _rows(keymap, widget)]


def _score_rows(keymap: Any) -> list[tuple[str, str]]:
    from tui.screens.score import ScoreScreen

    return _rows(keymap, ScoreScreen)


def _query_rows(keymap: Any) -> list[tuple[str, str]]:
    from tui.screens.rows import RowsScreen

    return _rows(keymap, RowsScreen)


def _update_rows(keymap: Any) -> list[tuple[str, str]]:
    from tui.screens.update import UpdateScreen

    return _rows(keymap, UpdateScreen)


def _keys(keys: str) -> str:
    return ", ".join(map(readable, keys.split(",")))
