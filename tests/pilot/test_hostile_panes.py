"""Hostile text stays text in every pane: no control, no direction, no markup, and every line as wide as the screen."""

from __future__ import annotations

import asyncio
import types
import typing
import unicodedata
from enum import Enum
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from probes.azure.rows import Activity, Database, FiredAlert
from probes.freshness import State
from probes.rows import Commit, Endpoint, Event, Node, Owner, Pod, Release, Usage, Workload
from tests.breadth import examples
from tests.pilot.pane_harness import NOW, PaneApp, clocked, pod, snapshot
from widgets.changes import ChangesPane
from widgets.databases import DatabasesPane
from widgets.events import EventsPane
from widgets.nodes import NodesPane
from widgets.pods import PodsPane
from widgets.services import ServicesPane
from widgets.table import TablePane

_PIECES = ("\x1b[2J", "\x1b]0;x\x07", "\x9b31m", "\n", "\t", "\u202e", "\u2066", "\u200b", "\u2028", "\ud800", "[/bar]")
HOSTILE = st.one_of(
    st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=8)), max_size=5).map("".join),
    st.sampled_from(["A" * 1_000_000, "e" + "\u0301" * 500, "界" * 300, "[bold]" * 99]),
)


@cache  # building a strategy costs more than drawing from it
def filled(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a row type: every text hostile, every number anything."""
    if kind is str:
        return HOSTILE
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(-5, 10**18)
    if kind is float:
        return st.floats(-1e15, 1e15)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{name: filled(hints[name]) for name in kind.__struct_fields__})
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        return st.sampled_from(arguments)
    if isinstance(kind, types.UnionType):
        return st.one_of(*(st.none() if part is type(None) else filled(part) for part in arguments))
    if arguments[-1] is Ellipsis:
        return st.lists(filled(arguments[0]), max_size=3).map(tuple)
    return st.tuples(*(filled(part) for part in arguments))


PANES: dict[type[TablePane[Any]], dict[str, Any]] = {
    PodsPane: {"pods": Pod, "usage": Usage},
    NodesPane: {"nodes": Node, "usage": Usage, "pods": Pod},
    EventsPane: {"events": Event},
    ChangesPane: {"releases": Release, "commits": Commit, "activity": Activity, "alerts": FiredAlert},
    ServicesPane: {"endpoints": Endpoint, "workloads": Workload},
    DatabasesPane: {"databases": Database},
}


async def draw(pane: TablePane[Any], shown: dict[str, list[Any]], size: tuple[int, int], word: str) -> None:
    app = clocked(pane)
    async with app.run_test(size=size) as pilot:
        for source, rows in shown.items():
            pane.show(snapshot(source, rows, detail=word, hint=word))
        await pilot.pause()
        check(app, size[0])
        for state in (State.STALE, State.FORBIDDEN):
            for source in shown:
                pane.show(snapshot(source, [], state=state, detail=word, hint=word, version=2))
            await pilot.pause()
            check(app, size[0])
        pane.set_filter(word)
        pane.tick(NOW + 61)
        assert pane.row_text().isprintable()
        await pilot.pause()
        check(app, size[0])


def check(app: PaneApp, width: int) -> None:
    for y in range(app.pane.size.height):  # before the compositor makes lines fit
        strip = app.pane.render_line(y)
        assert strip.cell_length == cell_len(strip.text) == app.pane.size.width
    assert app.widths() == {width}
    for line in app.lines:
        for character in line:
            assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), (line, character)


@pytest.mark.parametrize("pane", PANES, ids=lambda pane: pane.__name__)
@settings(max_examples=examples(5), deadline=None)
@given(data=st.data())
def test_hostile_text_reaches_no_line_of_any_pane(pane: type[TablePane[Any]], data: st.DataObject) -> None:
    shown = {
        source: data.draw(st.lists(filled(kind), min_size=1, max_size=4), label=source)
        for source, kind in PANES[pane].items()
    }
    size = data.draw(st.sampled_from([(200, 12), (80, 12), (30, 8)]))
    asyncio.run(draw(pane(), shown, size, data.draw(HOSTILE)))


def test_an_owner_is_hostile_text_too() -> None:
    rows = [msgspec.structs.replace(pod("a", "b"), owner=Owner("Deploy\x1b[2Jment", "pay\u202ement\n"))]
    asyncio.run(draw(PodsPane(), {"pods": rows}, (80, 12), "x"))
