"""Feeds fold what comes between two looks into one, keep ``changed`` true, and outlive a probe that breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.app import App

from probes.freshness import Freshness, Snapshot, State
from tui.feeds import Feeds, News

LIVE = Freshness(State.LIVE, 0.0, 0.0)


class Listener(App[None]):
    """An app that only hears that there is news."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Event()
        self.times = 0

    def on_news(self, _: News) -> None:
        self.times += 1
        self.heard.set()


class Scripted:
    """A probe that yields what it was given, then waits, or fails."""

    def __init__(self, name: str, *snapshots: Snapshot[Any], error: Exception | None = None) -> None:
        self.name = name
        self.closed = False
        self._snapshots = snapshots
        self._error = error

    async def watch(self) -> AsyncIterator[Snapshot[Any]]:
        try:
            for snapshot in self._snapshots:
                yield snapshot
            if self._error is not None:
                raise self._error
            await asyncio.Event().wait()
        finally:
            self.closed = True


@asynccontextmanager
async def feeds() -> AsyncIterator[tuple[Feeds, Listener]]:
    app = Listener()
    async with app.run_test():
        yield Feeds(app, lambda: 42.0), app


def snap(version: int, rows: str, changed: str | None = None, *, source: str = "pods") -> Snapshot[Any]:
    return Snapshot(source, LIVE, {key: key for key in rows}, version, None if changed is None else frozenset(changed))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # a worker's progress sets no event
            await asyncio.sleep(0.005)


async def test_one_look_takes_everything_pending_once() -> None:
    async with feeds() as (found, app):
        found.put(snap(1, "a"))
        found.put(snap(1, "n", source="nodes"))
        async with asyncio.timeout(60):
            await app.heard.wait()

        assert {snapshot.source for snapshot in found.take()} == {"pods", "nodes"}
        assert found.take() == []


async def test_a_flood_is_one_snapshot_with_every_change_in_it() -> None:
    async with feeds() as (found, _):
        found.put(snap(1, "ab"))
        found.take()
        found.put(snap(2, "abc", "c"))
        found.put(snap(3, "bc", "a"))
        (taken,) = found.take()

        assert set(taken.rows) == {"b", "c"}
        assert taken.changed == frozenset("ac")
        assert taken.version == 2  # one after the last that was taken


async def test_a_missed_version_means_anything_may_have_changed() -> None:
    async with feeds() as (found, _):
        found.put(snap(1, "a"))
        found.take()
        found.put(snap(3, "abc", "c"))
        (taken,) = found.take()
        assert taken.changed is None

        found.put(snap(4, "abcd", "d"))
        found.put(snap(9, "x"))
        (taken,) = found.take()
        assert taken.changed is None


async def test_a_first_snapshot_never_taken_stays_a_first_one() -> None:
    async with feeds() as (found, _):
        found.put(snap(1, "a"))
        found.put(snap(2, "ab", "b"))
        (taken,) = found.take()

        assert taken.changed is None
        assert set(taken.rows) == {"a", "b"}


async def test_versions_go_on_after_a_switch_so_that_no_pane_believes_an_old_difference() -> None:
    async with feeds() as (found, _):
        found.start([Scripted("pods", snap(1, "a"), snap(2, "ab", "b"))])
        await until(lambda: "pods" in found.latest and found.latest["pods"].version == 2)
        (before,) = found.take()
        await found.stop()
        assert found.latest == {}

        found.start([Scripted("pods", snap(1, "z"))])
        await until(lambda: "pods" in found.latest)
        (after,) = found.take()
        assert after.version > before.version
        assert after.changed is None


async def test_stop_ends_every_probe_and_waits_for_it() -> None:
    async with feeds() as (found, _):
        probes = [Scripted("pods", snap(1, "a")), Scripted("nodes", snap(1, "n", source="nodes"))]
        found.start(probes)
        await until(lambda: len(found.latest) == 2)
        await found.stop()

        assert all(probe.closed for probe in probes)


async def test_a_probe_that_breaks_is_unavailable_and_keeps_its_rows() -> None:
    async with feeds() as (found, app):
        found.start([Scripted("pods", snap(1, "ab"), error=RuntimeError("[/bar] boom"))])
        await until(lambda: "pods" in found.latest and not found.latest["pods"].freshness.live)

        broken = found.latest["pods"]
        assert broken.freshness.state is State.UNAVAILABLE
        assert "RuntimeError" in broken.freshness.detail
        assert set(broken.rows) == {"a", "b"}
        assert app.is_running
