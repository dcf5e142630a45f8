"""The few numbers that the banner shows, counted from snapshots as they pass: sick pods, pressed nodes, error rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from probes.freshness import Freshness, Snapshot, State
from probes.rows import Endpoint, Event, Health, Node, Pod

HISTORY = 30 * 60
"""Seconds of sick-pod counts that the sparkline covers."""

SAMPLES = 22
RATE_WINDOW = 60.0


class VitalSigns:
    """Counts kept up to date by the keys that changed, so that a big cluster costs no more than its changes."""

    def __init__(self) -> None:
        self.freshness: dict[str, Freshness] = {}
        self.pods = 0
        self.sick_pods = 0
        self.sick_services = 0
        self.sick_databases = 0
        self.nodes = 0
        self.sick_nodes = 0
        self.pressed_nodes = 0
        self.unready_nodes = 0
        self.warnings_per_minute = 0
        self._sick: set[str] = set()
        self._done: set[str] = set()  # pods that have ended, or were evicted: nobody counts on them
        self._since: dict[str, float] = {}  # sick pods and endpoints: when their trouble began
        self._warnings: dict[str, tuple[int, float]] = {}
        self._warned: deque[tuple[float, int]] = deque()
        self._samples: deque[tuple[float, int]] = deque()
        self._events_seen = False
        self._sick_workloads = self._sick_endpoints = 0

    def see(self, snapshot: Snapshot[Any], now: float) -> None:
        """Take a snapshot into the counts."""
        self.freshness[snapshot.source] = snapshot.freshness
        keys = snapshot.rows.keys() if snapshot.changed is None else snapshot.changed
        match snapshot.source:
            case "pods":
                self._see_pods(snapshot.rows, keys if snapshot.changed is not None else None)
            case "nodes":
                self._see_nodes(snapshot.rows)
            case "events":
                self._see_events(snapshot.rows, keys, now)
            case "endpoints":
                self._see_endpoints(snapshot.rows)
            case "databases":
                self.sick_databases = sum(1 for row in snapshot.rows.values() if row.health <= Health.DEGRADED)
            case "workloads":
                self._sick_workloads = sum(1 for row in snapshot.rows.values() if row.health <= Health.DEGRADED)
        self.sick_services = self._sick_workloads + self._sick_endpoints

    @property
    def live(self) -> int:
        """Sources that are what they show."""
        return sum(1 for freshness in self.freshness.values() if freshness.live)

    @property
    def stale(self) -> int:
        """Sources that were live and are not."""
        return sum(1 for freshness in self.freshness.values() if freshness.state is State.STALE)

    def standing(self, source: str) -> State | None:
        """How ``source`` stands, None before it was heard of."""
        freshness = self.freshness.get(source)
        return freshness.state if freshness is not None else None

    def known(self, source: str) -> bool:
        """Whether ``source`` was ever live, so that its counts mean something."""
        freshness = self.freshness.get(source)
        return freshness is not None and freshness.state in (State.LIVE, State.STALE)

    @property
    def first_symptom(self) -> float | None:
        """When the oldest of the present troubles of pods and endpoints began, epoch seconds."""
        return min(self._since.values(), default=None)

    def tick(self, now: float) -> None:
        """A second has passed."""
        while self._warned and self._warned[0][0] < now - RATE_WINDOW:
            self._warned.popleft()
        self.warnings_per_minute = sum(count for _, count in self._warned)
        if self.pods and (not self._samples or now - self._samples[-1][0] >= HISTORY / SAMPLES):
            self._samples.append((now, self.sick_pods))
        while self._samples and self._samples[0][0] < now - HISTORY:
            self._samples.popleft()

    @property
    def history(self) -> tuple[int, ...]:
        """Sick pods over the last half hour, oldest first, the present count last."""
        return (*(count for _, count in self._samples), self.sick_pods)

    def _see_pods(self, rows: Mapping[str, Pod], changed: Any) -> None:
        if changed is None:
            self._sick, self._done = set(), set()
            self._since = {key: at for key, at in self._since.items() if key.startswith("endpoint:")}
        for key in rows if changed is None else changed:
            pod = rows.get(key)
            if pod is not None and pod.health <= Health.DEGRADED:
                self._sick.add(key)
                self._since[key] = pod.unready_since or pod.created_at
            else:
                self._sick.discard(key)
                self._since.pop(key, None)
            if pod is not None and pod.health is Health.DORMANT:
                self._done.add(key)
            else:
                self._done.discard(key)
        self.pods, self.sick_pods = len(rows) - len(self._done), len(self._sick)

    def _see_nodes(self, rows: Mapping[str, Node]) -> None:
        self.nodes = len(rows)
        self.sick_nodes = sum(1 for node in rows.values() if node.health <= Health.DEGRADED)
        self.pressed_nodes = sum(1 for node in rows.values() if node.pressures)
        self.unready_nodes = sum(1 for node in rows.values() if not node.ready)

    def _see_events(self, rows: Mapping[str, Event], keys: Any, now: float) -> None:
        fresh = 0
        if len(self._warnings) > len(rows):  # a new list does not name what is gone
            self._warnings = {key: seen for key, seen in self._warnings.items() if key in rows}
        for key in keys:
            event = rows.get(key)
            if event is None:
                self._warnings.pop(key, None)
                continue
            if event.type != "Warning":
                continue
            count, _ = self._warnings.get(key, (0, 0.0))
            self._warnings[key] = (event.count, event.last_at)
            if self._events_seen:
                fresh += max(event.count - count, 0)
            elif event.last_at > now - RATE_WINDOW:
                fresh += 1  # how many of its count fell into this minute is not known; one did
        if rows:
            self._events_seen = True
        if fresh:
            self._warned.append((now, fresh))

    def _see_endpoints(self, rows: Mapping[str, Endpoint]) -> None:
        self._sick_endpoints = sum(1 for endpoint in rows.values() if endpoint.health <= Health.DEGRADED)
        for key, endpoint in rows.items():
            if endpoint.ok is False and endpoint.changed_at is not None:
                self._since[f"endpoint:{key}"] = endpoint.changed_at
            else:
                self._since.pop(f"endpoint:{key}", None)
