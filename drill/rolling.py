"""The arithmetic of a rolling update, as pkg/controller/deployment does it. Pure: counts in, counts out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


def resolve(value: int | str | None, desired: int, *, up: bool) -> int:
    """An IntOrString of a strategy as a count: ``25%`` of the desired replicas, rounded up or down."""
    if value is None:
        value = "25%"
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        return int(value)
    share = desired * int(value[:-1]) / 100
    return math.ceil(share) if up else math.floor(share)


@dataclass(frozen=True, slots=True)
class Fence:
    """How many more, and how many fewer, than desired there may be during a rollout."""

    surge: int
    unavailable: int

    @classmethod
    def of(cls, spec: dict[str, Any]) -> Fence:
        """Of a Deployment's spec. Both zero would never move, so then one may be unavailable."""
        desired = spec.get("replicas", 1)
        strategy = spec.get("strategy") or {}
        if strategy.get("type") == "Recreate":
            return cls(0, 0)
        rolling = strategy.get("rollingUpdate") or {}
        surge = resolve(rolling.get("maxSurge"), desired, up=True)
        unavailable = resolve(rolling.get("maxUnavailable"), desired, up=False)
        if surge == 0 and unavailable == 0:
            unavailable = 1
        return cls(surge, min(unavailable, desired))


@dataclass(frozen=True, slots=True)
class Count:
    """A ReplicaSet as the arithmetic sees it: how many it is asked for, has, and has available."""

    wanted: int
    available: int
    created: int = 0


def new_size(desired: int, fence: Fence, new: Count, old: Sequence[Count]) -> int:
    """How many replicas the new ReplicaSet should have next."""
    if new.wanted >= desired:
        return desired
    room = desired + fence.surge - new.wanted - sum(count.wanted for count in old)
    return new.wanted + max(0, min(room, desired - new.wanted))


def old_sizes(desired: int, fence: Fence, new: Count, old: Sequence[Count]) -> list[int]:
    """How many replicas each old ReplicaSet (oldest first) should have next.

    Replicas that are not available anyway go first; then as many as leave ``desired - maxUnavailable`` available.
    """
    sizes = [count.wanted for count in old]
    minimum = desired - fence.unavailable
    budget = sum(sizes) + new.wanted - minimum - (new.wanted - new.available)
    if budget <= 0:
        return sizes
    for index, count in enumerate(old):
        sick = max(0, min(sizes[index] - count.available, budget))
        sizes[index] -= sick
        budget -= sick
    spare = new.available + sum(count.available for count in old) - minimum
    for index in range(len(sizes)):
        going = max(0, min(sizes[index], spare))
        sizes[index] -= going
        spare -= going
    return sizes


def proportional(sizes: Sequence[int], allowed: int) -> list[int]:
    """Spread a change of scale over the sets of an unfinished rollout by their sizes; the largest takes the rest."""
    total = sum(sizes)
    if total == 0:
        return [*sizes]
    scaled = [round(size * allowed / total) for size in sizes]
    largest = max(range(len(sizes)), key=lambda index: sizes[index])
    scaled[largest] = max(0, scaled[largest] + allowed - sum(scaled))
    return scaled
