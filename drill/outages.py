"""When which Deployment was not available: what other services' logs complain about, then and afterwards."""

from __future__ import annotations

from typing import Any

from drill import pods
from drill.clock import Clock, parse_instant
from drill.kinds import Kind
from drill.store import ObjectStore
from drill.world import DEPLOYMENT

Json = dict[str, Any]


class Outages:
    """Intervals in wall seconds by (namespace, Deployment), out of the condition Available."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._clock = clock
        self._spans: dict[tuple[str, str], list[tuple[float, float | None]]] = {}
        store.subscribe(self._observe)

    def at(self, namespace: str, name: str, instant: float) -> bool:
        """Whether it was down at that instant."""
        spans = self._spans.get((namespace, name), ())
        return any(since <= instant and (until is None or instant < until) for since, until in spans)

    def _observe(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        if kind is not DEPLOYMENT:
            return
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        available = pods.condition(obj, "Available")
        down = change == "DELETED" or (available is not None and available["status"] != "True")
        spans = self._spans.get(key, [])
        is_open = bool(spans) and spans[-1][1] is None
        if down and not is_open:
            since = parse_instant(available["lastTransitionTime"]) if available else self._clock.wall()
            self._spans.setdefault(key, []).append((since, None))
        elif not down and is_open:
            spans[-1] = (spans[-1][0], self._clock.wall())
