"""What changed by itself: snapshots in, turns for the timeline out. Pure: it reads no clock unless none is given.

Each kind of thing has its own judge (`probes.turns`, `probes.workload_turns`, `probes.blindness`); this is the door.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from probes.blindness import Blindness
from probes.freshness import Snapshot
from probes.turns import EndpointTurns, NodeTurns, ReleaseTurns, Transition
from probes.workload_turns import WorkloadTurns

if TYPE_CHECKING:
    from probes.azure.turns import AzureTurns

AZURE_SOURCES = ("activity", "databases", "alerts")

__all__ = ["Transition", "Watcher"]


class Watcher:
    """Remembers how everything stood, and tells what turned. One per connection: another cluster needs another one.

    The first live snapshot of a source is where it begins: what is ill by then is told as *already* ill.
    """

    def __init__(self) -> None:
        self._blindness = Blindness()
        self._workloads = WorkloadTurns()
        self._nodes = NodeTurns()
        self._releases = ReleaseTurns()
        self._endpoints = EndpointTurns()
        self._azure: AzureTurns | None = None  # with the first snapshot of its sources

    def observe(self, snapshot: Snapshot[Any], now: float | None = None) -> list[Transition]:
        """The turns that this snapshot shows, oldest first. ``now`` is in epoch seconds, for tests."""
        now = time.time() if now is None else now
        if snapshot.source in AZURE_SOURCES:
            from probes.azure.turns import AzureTurns

            self._azure = self._azure or AzureTurns()
            return sorted(self._azure.observe(snapshot, now), key=lambda each: each.at)
        turns = self._blindness.observe(snapshot, now)
        if snapshot.source in ("pods", "workloads"):
            turns += self._workloads.observe(snapshot, now)
        elif snapshot.freshness.live:
            if snapshot.source == "nodes":
                turns += self._nodes.observe(snapshot.rows, now)
            elif snapshot.source == "releases":
                turns += self._releases.observe(snapshot.rows, now)
            elif snapshot.source == "endpoints":
                turns += self._endpoints.observe(snapshot.rows, now)
        return sorted(turns, key=lambda each: each.at)

    def tick(self, now: float | None = None) -> list[Transition]:
        """The turns that become certain by time alone. Call it about once a second while nothing else comes."""
        now = time.time() if now is None else now
        turns = self._blindness.tick(now)
        if self._blindness.sees:
            turns += self._workloads.tick(now)
            turns += self._releases.tick(now)
        if self._azure is not None:
            turns += self._azure.tick(now)
        return sorted(turns, key=lambda each: each.at)
