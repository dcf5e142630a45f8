"""The extended watch after resolution: what is a relapse, what is none, and that it is recorded once and survives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from incident.entry import Entry, Kind, Status
from incident.store import Store
from probes.transitions import Transition
from runbook.response import Response
from tui.journal import Journal
from tui.relapse import RelapseWatch, summary

START = 1_800_000_000.0
MINUTE = 60.0


@dataclass
class Cluster:
    context: str = "aks-prod"


@dataclass
class Session:
    cluster: Cluster | None = field(default_factory=Cluster)


class Room:
    """What the watch needs of a control room: a real store, and a clock to be moved."""

    def __init__(self, path: Path, watch_for: float = 7200.0) -> None:
        self.at = START
        self.session = Session()
        self.response = Response(name="bank", severities=(), watch_for=watch_for)
        self.told: list[str] = []
        self.desk = self
        self.journal = Journal(path, "ops", drill=False, clock=lambda: int(self.at * 1000), changed=self._changed)
        self.watch = RelapseWatch(cast(Any, self))

    async def _changed(self, touched: set[str] | None) -> None:
        self.watch.changed()

    def now(self) -> float:
        return self.at

    def tell(self, text: str, severity: str = "", timeout: float = 0.0) -> None:
        self.told.append(text)

    def show_banner(self, now: float) -> None:
        return None

    async def sees(self, key: str, text: str, level: str = "bad", *, at: float | None = None) -> None:
        """The probes see something turn; it goes the way that the control room sends it."""
        turn = Transition(key=key, at=self.at if at is None else at, level=cast(Any, level), text=text)
        await self.journal.observe([turn])
        await self.watch.observed([turn])

    async def resolve(self) -> None:
        assert (await self.journal.set_status(Status.RESOLVED)).ok
        self.watch.changed()

    async def relapses(self) -> list[Entry]:
        assert self.journal.incident is not None
        found = await self.journal.of_kinds(self.journal.incident.id, (Kind.OBSERVATION,))
        return [entry for entry in found if (entry.fold or "").startswith("relapse/")]

    @property
    def banner(self) -> str:
        assert self.journal.incident is not None
        return summary(self.watch.standing, self.journal.incident.resolved_at or 0)


@asynccontextmanager
async def watching(path: Path, **fields: Any) -> AsyncIterator[Room]:
    room = Room(path, **fields)
    await room.journal.open()
    if room.journal.incident is None:
        await room.journal.declare("Payments failing", 2, cluster="aks-prod", namespace="bank")
    try:
        yield room
    finally:
        await room.journal.close()


ILL = "workload/prod/Deployment/payment-service/unhealthy"
WELL = "workload/prod/Deployment/payment-service/recovered"


async def test_what_falls_ill_again_is_recorded_on_the_resolved_incident_and_told(tmp_path: Path) -> None:
    async with watching(tmp_path / "w.db") as room:
        await room.resolve()
        room.at += 4 * MINUTE
        assert room.banner == ""
        await room.sees(ILL, "payment-service unhealthy, 0 of 3 ready")
        (entry,) = await room.relapses()
        assert entry.text == "RELAPSE 4 min after resolution: payment-service unhealthy, 0 of 3 ready"
        assert (entry.level, entry.source.value) == ("bad", "probe")
        assert room.banner == "payment-service unhealthy 4 min after resolution"
        assert any("RELAPSE 4 min after INC-" in told for told in room.told)
        await room.sees("node/aks-1/notready", "aks-1 NotReady")
        assert room.banner == "payment-service unhealthy and 1 more 4 min after resolution"
    async with await Store.open(tmp_path / "w.db") as store:  # the chain of a resolved incident stays whole
        (incident,) = await store.incidents()
        assert (await store.verify(incident.id)).ok


async def test_what_turns_in_the_second_of_the_resolution_counts_although_the_cluster_tells_whole_seconds(
    tmp_path: Path,
) -> None:
    async with watching(tmp_path / "w.db") as room:
        room.at = START + 0.4
        await room.resolve()
        room.at += 3
        await room.sees("node/aks-1/notready", "aks-1 NotReady", at=START)
        await room.sees("node/aks-2/notready", "aks-2 NotReady", at=START - 5)  # not after the resolution
        (entry,) = await room.relapses()
        assert entry.text == "RELAPSE 0 s after resolution: aks-1 NotReady"
        assert room.banner == "aks-1 NotReady 0 s after resolution"


async def test_well_again_is_quiet_again_and_the_next_time_is_another_relapse(tmp_path: Path) -> None:
    async with watching(tmp_path / "w.db") as room:
        await room.resolve()
        for turn in range(2):
            room.at += MINUTE
            await room.sees(ILL, "payment-service unhealthy")
            await room.sees(ILL, "payment-service unhealthy")  # the same illness, told twice
            room.at += MINUTE
            await room.sees(WELL, "payment-service healthy", "good")
            assert room.banner == "", turn
        assert [entry.text.split(":")[0] for entry in await room.relapses()] == [
            "RELAPSE 1 min after resolution",
            "Relapse over",
            "RELAPSE 3 min after resolution",
            "Relapse over",
        ]


async def test_nothing_is_recorded_while_all_is_quiet_nor_of_what_was_ill_before(tmp_path: Path) -> None:
    async with watching(tmp_path / "w.db") as room:
        await room.sees(ILL, "payment-service unhealthy")
        await room.resolve()  # although it was still ill
        room.at += MINUTE
        await room.sees(ILL, "payment-service still unhealthy")
        await room.sees("release/bank/deployed", "bank 13 deployed", "info")
        await room.sees("workload/x/restarts", "x restarted", "warn")
        assert await room.relapses() == []
        await room.sees(WELL, "payment-service healthy", "good")
        room.at += MINUTE
        await room.sees(ILL, "payment-service unhealthy")
        assert len(await room.relapses()) == 1  # well in between: now it is one


async def test_while_another_incident_is_open_only_what_was_ill_in_this_one_is_its_relapse(tmp_path: Path) -> None:
    async with watching(tmp_path / "w.db") as room:
        await room.sees(ILL, "payment-service unhealthy, 0 of 3 ready")
        await room.sees(WELL, "payment-service healthy", "good")
        await room.resolve()
        first = room.journal.incident
        assert first is not None
        await room.watch.read()
        room.at += 4 * MINUTE
        await room.journal.declare("Cards slow", 3, cluster="aks-prod", namespace="bank")
        await room.sees("workload/prod/Deployment/card-service/unhealthy", "card-service unhealthy")
        await room.sees(ILL, "payment-service already unhealthy when the console opened, 0 of 3 ready")
        found = await room.journal.of_kinds(first.id, (Kind.OBSERVATION,))
        texts = [entry.text for entry in found if (entry.fold or "").startswith("relapse/")]
        assert texts == ["RELAPSE 4 min after resolution: payment-service unhealthy, 0 of 3 ready"]
        assert [told for told in room.told if "RELAPSE" in told]
        assert room.watch.standing == []  # the banner is the open incident's


async def test_only_in_time_and_on_the_incidents_own_cluster(tmp_path: Path) -> None:
    async with watching(tmp_path / "w.db", watch_for=600.0) as room:
        await room.resolve()
        room.session.cluster = Cluster("another")
        room.at += MINUTE
        await room.sees(ILL, "payment-service unhealthy")
        room.session.cluster = Cluster()
        # Ill since before the resolution, whenever it is noticed.
        await room.sees("node/a/notready", "a already NotReady", at=START - 5)
        room.at += 11 * MINUTE
        await room.sees("endpoint/https://api/down", "api 200 → 503")
        assert await room.relapses() == []
        assert room.watch.left(room.at) is None


async def test_a_console_that_is_opened_again_goes_on_watching(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    async with watching(path) as room:
        await room.resolve()
        room.at += MINUTE
        await room.sees(ILL, "payment-service unhealthy")
    async with watching(path) as room:
        room.at = START + 3 * MINUTE
        await room.watch.read()
        assert room.banner == "payment-service unhealthy 1 min after resolution"
        assert room.watch.left(room.at) == 7200.0 - 3 * MINUTE
        # Each console finds it ill when it opens: it is the same relapse.
        await room.sees(ILL, "payment-service already unhealthy when the console opened", at=START + MINUTE)
        assert len(await room.relapses()) == 1
        await room.sees("endpoint/https://api/down", "api already unhealthy when the console opened: 503")
        assert len(await room.relapses()) == 2


async def test_two_consoles_record_one_relapse_once(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    async with watching(path) as one:
        await one.resolve()
        async with watching(path) as two:
            for room in (one, two):
                room.at = START + MINUTE
                await room.watch.read()
            await one.sees(ILL, "payment-service unhealthy")
            await two.sees(ILL, "payment-service unhealthy")
            assert len(await one.relapses()) == 1


async def test_reopened_it_is_over_and_what_follows_is_an_observation(tmp_path: Path) -> None:
    async with watching(tmp_path / "w.db") as room:
        await room.resolve()
        room.at += MINUTE
        await room.sees(ILL, "payment-service unhealthy")
        assert (await room.journal.set_status(Status.INVESTIGATING, text="Reopened: it is back")).ok
        assert room.banner == ""
        await room.sees("node/a/notready", "a NotReady")
        assert len(await room.relapses()) == 1
    async with await Store.open(tmp_path / "w.db") as store:
        (incident,) = await store.incidents()
        texts = [entry.text for entry in await store.entries(incident.id)]
    assert texts[-1] == "a NotReady"
