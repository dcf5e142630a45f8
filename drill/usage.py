"""What pods use where a scenario's usage is summed: a node uses what its pods do, and besides that a share for itself.

A container that starts warms up; one that has a `scenario.Growth` grows. A service's work is that of as many pods as
the scenario gives it: fewer that are ready share it, and each of them uses more. Where cores are short, requests queue
up, and who has them in memory uses more of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drill import pods, quantities
from drill.clock import Clock
from drill.kinds import Kind
from drill.metrics import Load
from drill.offsets import seconds
from drill.scenario import Growth, Scenario
from drill.store import ObjectStore
from drill.world import NODE, POD

Json = dict[str, Any]

MIB: Final = 2**20
_WARM: Final = 90.0  # seconds until a service's container has filled its caches
_COLD: Final = 0.6  # of its memory, as it starts
_QUEUES: Final = 0.25  # of its memory more, for as many cores again as there are
_MOST_WORK: Final = 3.0  # times its usual work, more of which waits
_UNKNOWN: Final = Load(0.05, 120.0)


class Usage:
    """Cores and bytes, at the world's present instant."""

    def __init__(self, scenario: Scenario, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._namespace = scenario.namespace
        self._loads = {service.name: Load(service.cpu, service.memory) for service in scenario.services}
        self._loads |= {addon.name: Load(addon.cpu, addon.memory) for addon in scenario.addons}
        self._growths: Mapping[str, Growth] = {one.name: one.grows for one in scenario.addons if one.grows is not None}
        self._usual = {service.name: service.replicas for service in scenario.services}
        self._own = {node.name: Load(node.cpu, node.memory) for node in scenario.nodes}
        self._began: dict[str, tuple[str, float]] = {}  # pod → the stamp of its container's start, and when that was
        self._work: dict[str, float] = {}  # how much each pod of a service has to do, 1 on an ordinary day
        self._crowded: dict[str, float] = {}  # node → its crowding
        store.subscribe(self._observe)

    def _observe(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        if kind is not POD:
            return
        uid = obj["metadata"]["uid"]
        if change == "DELETED":
            self._began.pop(uid, None)
        for status in (obj.get("status") or {}).get("containerStatuses") or ():
            begun = ((status.get("state") or {}).get("running") or {}).get("startedAt")
            if begun is not None and self._began.get(uid, ("", 0.0))[0] != begun:
                self._began[uid] = (begun, self._clock.now)

    def refresh(self) -> None:
        """Look anew at how the work is shared and how crowded the nodes are; what is read in between is as of then."""
        ready: dict[str, int] = dict.fromkeys(self._usual, 0)
        for pod in self._store.list(POD, self._namespace):
            name = pods.labels(pod).get("app.kubernetes.io/name", "")
            if name in ready and pods.is_ready(pod) and pods.is_active(pod):
                ready[name] += 1
        self._work = {name: min(_MOST_WORK, usual / max(1, ready[name])) for name, usual in self._usual.items()}
        self._crowded = {name: self.crowding(node) for name, node in self.nodes().items()}

    def of(self, pod: Json) -> tuple[float, float]:
        """What a pod uses; nothing while its container does not run."""
        statuses = (pod.get("status") or {}).get("containerStatuses") or ()
        running = [status["name"] for status in statuses if "running" in (status.get("state") or {})]
        age = self._clock.now - self._began.get(pod["metadata"]["uid"], ("", self._clock.now))[1]
        crowded = self._crowded.get(pod["spec"].get("nodeName", ""), 0.0)
        found = [self._container(name, age, crowded) for name in running]
        return sum(cpu for cpu, _ in found), sum(memory for _, memory in found)

    def node(self, node: Json) -> tuple[float, float]:
        """What a node and its pods ask of it together: more than there is is possible."""
        name, room = node["metadata"]["name"], node["status"]["allocatable"]
        own = self._own.get(name) or Load(0.05, 0.1)
        found = [self.of(pod) for pod in self._store.list(POD) if pod["spec"].get("nodeName") == name]
        cpu = own.cpu * quantities.parse(room["cpu"]) + sum(cpu for cpu, _ in found)
        return cpu, own.memory * quantities.parse(room["memory"]) + sum(memory for _, memory in found)

    def crowding(self, node: Json) -> float:
        """The cores that are asked for, by those there are; above 1 everything on the node is slower by that."""
        return self.node(node)[0] / quantities.parse(node["status"]["allocatable"]["cpu"])

    def nodes(self) -> dict[str, Json]:
        """The nodes whose kubelets answer, by name."""
        return {node["metadata"]["name"]: node for node in self._store.list(NODE) if pods.is_ready(node)}

    def _container(self, name: str, age: float, crowded: float) -> tuple[float, float]:
        load, growth = self._loads.get(name, _UNKNOWN), self._growths.get(name)
        if growth is not None:
            grown = min(1.0, age / seconds(growth.over))
            memory = load.memory + (growth.memory - load.memory) * grown
            return load.cpu + (growth.cpu - load.cpu) * grown, memory * MIB
        if name not in self._usual:
            return load.cpu, load.memory * MIB
        work = self._work.get(name, 1.0)
        warm = _COLD + (1 - _COLD) * min(1.0, age / _WARM)
        queued = 1 + _QUEUES * max(0.0, crowded - 1)
        return load.cpu * work, load.memory * MIB * warm * queued
