"""A probe ticks what has lasted, once, and opens it again; what a person said stands. The rest is on the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from incident.checks import check_draft
from incident.entry import Kind, Status
from probes.freshness import Snapshot
from runbook.response import Checklist, Item, Response, Scenario
from tests.pilot.pane_harness import NOW, snapshot
from tests.unit.diagnosis_world import endpoint
from tui.checklists import STEADY, Checklists, ItemView, told_open
from tui.journal import Journal

RUNBOOK = Response(
    name="bank",
    severities=(),
    scenarios=(Scenario(id="breach", number=1, title="A breach", symptoms=""),),
    checklists=(
        Checklist(
            id="resolution",
            title="Resolution",
            when="resolve",
            items=(
                Item(id="health", text="Endpoints answer", signal="endpoints-healthy"),
                Item(id="flow", text="Payments work"),
                Item(id="regulator", text="Regulator told", scenarios=("breach",)),
            ),
        ),
        Checklist(id="review", title="Review", when="review", items=(Item(id="cause", text="Cause found"),)),
    ),
)


@dataclass
class Named:
    context: str = "aks-prod"
    cluster: Any = None
    latest: Any = None


@dataclass
class Feeds:
    latest: dict[str, Snapshot[Any]] = field(default_factory=dict)


class Room:
    """What the checklists need of a control room: a real store, snapshots to be changed, a clock to be moved."""

    def __init__(self, path: Path) -> None:
        self.at = NOW
        self.response = RUNBOOK
        self.feeds = Feeds()
        self.session = Named(cluster=Named())
        self.diagnosing = Named()
        self.journal = Journal(path, "ada", drill=False, clock=lambda: int(self.at * 1000), changed=self._changed)
        self.lists = Checklists(cast(Any, self))

    async def _changed(self, touched: set[str] | None) -> None:
        return None

    def now(self) -> float:
        return self.at

    async def look(self, well: bool | None, times: int = 1, every: float = 1.0) -> None:
        """So often, a second apart, somebody looks while the endpoint is like this."""
        self.feeds.latest = {"endpoints": snapshot("endpoints", [endpoint("api", ok=well)])}
        for _ in range(times):
            self.at += every
            self.lists.look()
            while self.lists._errands._tasks:
                await asyncio.gather(*self.lists._errands._tasks)

    async def said(self) -> list[tuple[str, str]]:
        """The ticks on the timeline: who, and what."""
        assert self.journal.incident is not None
        entries = await self.journal.of_kinds(self.journal.incident.id, (Kind.CHECK,))
        return [(entry.author, entry.text.split("\n")[0]) for entry in entries]

    def item(self, name: str) -> ItemView:
        return next(one for found in self.lists.lists() for one in found.items if one.item.id == name)


@asynccontextmanager
async def looking(path: Path) -> AsyncIterator[Room]:
    room = Room(path)
    await room.journal.open()
    if room.journal.incident is None:
        await room.journal.declare("Payments failing", 2, cluster="aks-prod", namespace="bank")
    await room.lists.read()
    try:
        yield room
    finally:
        await room.lists.close()
        await room.journal.close()


async def test_a_scenario_whose_guide_was_followed_brings_its_items_whatever_fits(tmp_path: Path) -> None:
    async with looking(tmp_path / "w.db") as room:
        assert "regulator" not in {one.item.id for found in room.lists.lists() for one in found.items}
        step = check_draft("breach", "evidence", "done", "ada", text="Keep evidence")
        await room.journal.write(step)
        await room.lists.read()
        assert room.item("regulator").open


DONE, AGAIN = ("probe", "Done: Endpoints answer"), ("probe", "Open again: Endpoints answer")


async def test_a_probe_ticks_what_has_lasted_once_and_opens_it_when_that_is_over(tmp_path: Path) -> None:
    async with looking(tmp_path / "w.db") as room:
        await room.look(True, STEADY - 1)
        assert await room.said() == []
        await room.look(True, 10)
        assert await room.said() == [DONE]
        tick = room.item("health").tick
        assert tick is not None
        assert (tick.by, tick.note) == ("probe", "1 of 1 endpoint answer as expected")
        await room.look(False, STEADY)
        assert await room.said() == [DONE, AGAIN]
        await room.look(True, STEADY)
        assert await room.said() == [DONE, AGAIN, DONE]


async def test_what_flaps_is_not_written_and_what_is_not_known_changes_nothing(tmp_path: Path) -> None:
    async with looking(tmp_path / "w.db") as room:
        for _ in range(5):
            await room.look(True, STEADY - 1)
            await room.look(False)
        assert await room.said() == []
        await room.look(True, STEADY)
        for well in (False, None, False, None, False, True, False):
            await room.look(well)
        room.session.cluster = Named(context="another")
        await room.look(False, 10)
        assert await room.said() == [DONE]


async def test_what_nobody_looked_at_has_not_lasted(tmp_path: Path) -> None:
    async with looking(tmp_path / "w.db") as room:
        for _ in range(STEADY):
            await room.look(True, every=60.0)
        assert await room.said() == []


async def test_what_a_person_said_stands_and_a_contradiction_is_marked(tmp_path: Path) -> None:
    async with looking(tmp_path / "w.db") as room:
        await room.look(False)
        assert (await room.lists.set(room.item("health"), "done", "checked by hand")).ok
        await room.look(False, 2 * STEADY)
        assert await room.said() == [("ada", "Done: Endpoints answer")]
        assert room.item("health").contradicted
        await room.look(True)
        assert not room.item("health").contradicted
        await room.lists.set(room.item("health"), "not-needed", "no endpoint here")
        await room.look(True, 2 * STEADY)
        assert [who for who, _ in await room.said()] == ["ada", "ada"]


async def test_who_resolves_has_ticked_what_holds_at_that_moment(tmp_path: Path) -> None:
    async with looking(tmp_path / "w.db") as room:
        await room.look(True)
        await room.lists.settle()
        assert await room.said() == [DONE]
        left = room.lists.open_items()
        assert told_open(left) == "1 item was open on the resolution checklist: Payments work"
        await room.journal.set_status(Status.RESOLVED)
        await room.look(False, 2 * STEADY)  # the resolution checklist is history now
        assert await room.said() == [DONE]
        assert [found.now for found in room.lists.lists()] == [True, False]  # the review's turn


async def test_two_consoles_tick_an_item_once_and_a_new_one_knows_of_it(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    async with looking(path) as one:
        async with looking(path) as two:
            for _ in range(STEADY):
                await one.look(True)
                await two.look(True)
            assert await one.said() == [DONE]
        async with looking(path) as three:
            tick = three.item("health").tick
            assert tick is not None
            assert tick.state == "done"
