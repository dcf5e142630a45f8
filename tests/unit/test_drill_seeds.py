"""Two platforms of one seed are the same in names and in times since their start; those of two seeds are not."""

from __future__ import annotations

import re
from typing import Any

from drill.clock import parse_instant
from drill.platform import Platform
from drill.recorder import EVENT
from drill.scenario import Scenario, load, parse
from drill.world import NODE, POD, REPLICA_SET
from tests.unit.test_drill_variation import SCENARIO, VARIES

UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def world(seed: int, start: float, scenario: Scenario | None = None) -> list[tuple[Any, ...]]:
    """What somebody sees of a platform that starts at ``start``, with times relative to that."""
    told = scenario or parse(SCENARIO + VARIES, seed=seed)
    platform = Platform(told, seed=seed, source=lambda: start)
    platform.plane.stop()

    def since(stamp: str | None) -> float | None:
        return None if stamp is None else parse_instant(stamp) - start

    seen: list[tuple[Any, ...]] = []
    for kind in (NODE, REPLICA_SET, POD):
        for obj in platform.store.list(kind):
            meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
            conditions = [
                (one["type"], one["status"], since(one.get("lastTransitionTime")))
                for one in status.get("conditions") or ()
            ]
            restarts = [one["restartCount"] for one in status.get("containerStatuses") or ()]
            seen.append((meta["name"], since(meta["creationTimestamp"]), spec.get("nodeName"), conditions, restarts))
    for event in platform.store.list(EVENT):
        about = event["involvedObject"]["name"]
        seen.append(
            (
                about,
                event["reason"],
                UID.sub("UID", event["message"]),
                event.get("count"),
                since(event.get("lastTimestamp")),
            )
        )
    return seen


def test_the_same_seed_makes_the_same_platform_at_any_time_and_another_seed_another() -> None:
    assert world(3, 1_764_000_000.0) == world(3, 1_765_123_456.0)
    assert world(3, 1_764_000_000.0) != world(4, 1_764_000_000.0)
    same = parse(SCENARIO)
    names = [{row[0] for row in world(seed, 1_764_000_000.0, same)} for seed in (0, 5)]
    assert names[0] != names[1]  # names differ by seed, also where the scenario has nothing that varies


def test_so_is_what_services_feel_of_a_database() -> None:
    told = load("database-degradation", 3)
    first = world(3, 1_764_000_000.0, told)
    assert first == world(3, 1_765_123_456.0, told)
    assert any(row[1] == "Unhealthy" for row in first)
