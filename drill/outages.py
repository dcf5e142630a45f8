"""When which Deployment was not available: what other services' logs complain about, then and afterwards."""

from __future__ import annotations

from typing import Any

from drill import pods
from drill.clock import Clock, parse_instant
from drill.kinds import Kind
from drill.store import ObjectStore
from drill.world import DEPLOYMENT

Json = dict[str, Any]
Spans = dict[tuple[str, str], list[tuple[float, float | None]]]


class Outages:
    """Intervals in wall seconds by (namespace, Deployment), out of the condition Available and the ready replicas."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._clock = clock
        self._down: Spans = {}
        self._gone: Spans = {}
        store.subscribe(self._observe)

    def at(self, namespace: str, name: str, instant: float) -> bool:
        """Whether it was down at that instant: it had fewer pods than it must have."""
        return _within(self._down, (namespace, name), instant)

    def gone(self, namespace: str, name: str, instant: float) -> bool:
        """Whether it had no ready pod at all at that instant."""
        return _within(self._gone, (namespace, name), instant)

    def _observe(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        if kind is not DEPLOYMENT:
            return
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        available, now = pods.condition(obj, "Available"), self._clock.wall()
        down = change == "DELETED" or (available is not None and available["status"] != "True")
        _turn(self._down, key, down, parse_instant(available["lastTransitionTime"]) if available else now, now)
        _turn(self._gone, key, change == "DELETED" or not (obj.get("status") or {}).get("readyReplicas"), now, now)


def _turn(spans: Spans, key: tuple[str, str], holds: bool, since: float, now: float) -> None:
    mine = spans.get(key, [])
    is_open = bool(mine) and mine[-1][1] is None
    if holds and not is_open:
        spans.setdefault(key, []).append((since, None))
    elif not holds and is_open:
        mine[-1] = (mine[-1][0], now)


def _within(spans: Spans, key: tuple[str, str], instant: float) -> bool:
    return any(since <= instant and (until is None or instant < until) for since, until in spans.get(key, ()))
