"""How much work arrives at services, and what they make of it when fewer of their pods are ready than it takes.

Work is counted in pods: 3.4 is what three pods cannot carry and four can. Where it is too much, answers get slow; where
it is far too much, requests are turned away. Nothing of it makes a pod unready, so that only more ready pods help.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drill.ailing import Ailing
from drill.script import Traffic
from drill.store import ObjectStore
from drill.world import ENDPOINTS

Json = dict[str, Any]

_SHEDS: Final = 1.25  # times what the ready pods can carry, from which requests are turned away
_SLOW: Final = 1.3  # seconds of an answer where all is just about carried
_GIVES_UP: Final = 2.6  # seconds until the gateway does


class Loads:
    """``worth`` is service → the work that arrives, in pods; a service without one is never overworked."""

    def __init__(self, store: ObjectStore, namespace: str, worth: Mapping[str, float]) -> None:
        self._store = store
        self._namespace = namespace
        self._worth = dict(worth)

    def turn(self, step: Traffic) -> None:
        """More or less arrives from now on."""
        self._worth[step.service] = step.pods

    def complaint(self, service: str) -> Ailing | None:
        """What ails a service that has ready pods, and too few of them."""
        worth, ready = self._worth.get(service, 0.0), self._ready(service)
        if not ready or worth <= ready:
            return None
        share = worth / ready
        busy = f"{service}: {ready} ready pods at {share:.0%} of what they can carry"
        if share > _SHEDS:
            return Ailing("Unhealthy", f"{busy}, requests are turned away", _GIVES_UP)
        seconds = _SLOW * share
        return Ailing("Degraded", f"{busy}, p95 {seconds * 1000:.0f} ms", seconds)

    def _ready(self, service: str) -> int:
        found = self._store.get(ENDPOINTS, self._namespace, service) or {}
        return sum(len(subset.get("addresses") or ()) for subset in found.get("subsets") or ())
