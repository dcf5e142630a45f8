"""The platform's clock: a past that is lived through at once, and a present at the wall's pace."""

from __future__ import annotations

import asyncio
import time

import pytest

from drill.clock import Clock, parse_instant
from drill.metrics import WINDOW, Metrics
from drill.store import ObjectStore
from drill.world import NODE


def test_the_past_is_lived_through_in_order_without_waiting() -> None:
    clock, seen = Clock(1000.0), []

    def again() -> None:
        seen.append(clock.now)
        clock.after(3600, again)

    clock.at(5000.0, lambda: seen.append(clock.now))
    clock.after(10, again)
    clock.advance(10_000.0)

    assert seen == [1010.0, 4610.0, 5000.0, 8210.0]
    assert clock.now == 10_000.0


def test_a_cancelled_timer_does_nothing_even_when_cancelled_twice() -> None:
    clock, seen = Clock(0.0), []
    timer = clock.after(5, lambda: seen.append(1))
    timer.cancel()
    timer.cancel()
    clock.advance(10)
    assert seen == []


def test_what_is_due_at_the_same_instant_happens_in_the_order_it_was_set() -> None:
    clock, seen = Clock(0.0), []
    for number in range(5):
        clock.at(1.0, lambda number=number: seen.append(number))  # type: ignore[misc]
    clock.advance(1.0)
    assert seen == [0, 1, 2, 3, 4]


async def test_a_live_clock_follows_the_wall_at_its_speed_and_stamps_the_walls_instants() -> None:
    wall = 5000.0
    clock = Clock(1000.0, speed=60.0, source=lambda: wall)
    clock.advance(5000.0)
    clock.go_live()

    wall = 5002.0

    assert clock.now == 5120.0
    assert clock.wall() == 5002.0
    assert clock.wall(4000.0) == 4000.0
    assert parse_instant(clock.stamp()) == 5002.0
    assert clock.world(clock.stamp()) == 5120.0
    clock.stop()


async def test_timers_fire_by_themselves_once_live_and_a_broken_one_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock(time.time(), speed=100.0)
    clock.advance(time.time())
    done = asyncio.Event()

    def broken() -> None:
        raise RuntimeError("on purpose")

    clock.go_live()
    clock.after(1.0, broken)
    clock.after(2.0, done.set)
    async with asyncio.timeout(60):
        await done.wait()
    clock.stop()
    assert "on purpose" in caplog.text


async def test_a_live_clock_cannot_be_advanced() -> None:
    clock = Clock(0.0)
    clock.go_live()
    with pytest.raises(RuntimeError, match="follows the wall"):
        clock.advance(10.0)
    clock.stop()


def test_a_speed_must_be_positive() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Clock(0.0, speed=0)


async def test_what_is_measured_right_after_the_start_is_fresh_however_fast_the_clock_runs() -> None:
    wall = 5_000.0
    clock = Clock(1000.0, speed=100.0, source=lambda: wall)
    store = ObjectStore(clock=clock.wall)
    metrics = Metrics(store, clock, pod_loads={}, node_loads={})
    ready = {"type": "Ready", "status": "True"}
    store.create(
        NODE,
        {"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "8", "memory": "1Gi"}, "conditions": [ready]}},
    )
    clock.advance(wall)
    clock.go_live()
    for later in (0.0, 4.0, 30.0):
        wall = 5_000.0 + later
        [node] = metrics.nodes()
        assert 0 <= wall - parse_instant(node["timestamp"]) < WINDOW
    clock.stop()
