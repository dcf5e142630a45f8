"""metrics.k8s.io: what nodes and pods use right now. A pure function of time, so that it costs nothing unasked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from zlib import crc32

from drill import pods, quantities
from drill.clock import Clock
from drill.store import ObjectStore, rfc3339
from drill.world import NODE, POD

Json = dict[str, Any]

WINDOW: Final = 15.0  # seconds; metrics-server's resolution
_WINDOW: Final = f"{WINDOW:.0f}s"
_PERIODS: Final = ((1, 47.0), (2, 210.0), (3, 1313.0))  # seconds; a short, a middle and a long swing
_TURN: Final = 2 * math.pi
_WHOLE: Final = 2**32


@dataclass(frozen=True, slots=True)
class Load:
    """What one healthy pod uses: cores and MiB; or, for a node, shares of what it has."""

    cpu: float
    memory: float


_UNKNOWN: Final = Load(0.05, 120.0)


class Summed(Protocol):
    """`drill.usage.Usage`, as it is asked here."""

    def of(self, pod: Json) -> tuple[float, float]: ...

    def node(self, node: Json) -> tuple[float, float]: ...


class Metrics:
    """Serves NodeMetrics and PodMetrics. ``pods`` is by container name, ``nodes`` by node name.

    ``summed`` gives both instead (see `drill.usage`): cores and bytes of a pod, and of a node. ``start`` is the wall's
    instant from which it swings, so that two drills of one seed swing alike.
    """

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        start: float = 0.0,
        *,
        pod_loads: Mapping[str, Load],
        node_loads: Mapping[str, Load],
    ) -> None:
        self._store = store
        self._clock = clock
        self._start = start
        self._pod_loads = pod_loads
        self._node_loads = node_loads
        self.summed: Summed | None = None

    def nodes(self) -> Sequence[Json]:
        """The nodes whose kubelet answers."""
        at, stamp = self._window()
        found = []
        for node in self._store.list(NODE):
            if not pods.is_ready(node):
                continue
            name, room = node["metadata"]["name"], node["status"]["allocatable"]
            cores, memory = quantities.parse(room["cpu"]), quantities.parse(room["memory"])
            if self.summed is not None:
                used = self.summed.node(node)
                load, most = Load(used[0] / cores, used[1] / memory), 1.0
            else:
                load, most = self._node_loads.get(name) or _fleet_load(name), 0.97
            usage = {
                "cpu": quantities.cpu(cores * min(0.99, load.cpu * swing(name, at, 0.06))),
                "memory": quantities.memory(memory * min(most, load.memory * swing(name, at / 5, 0.015))),
            }
            found.append(_item(node, stamp, {"usage": usage}))
        return found

    def pods(self, namespace: str | None) -> Sequence[Json]:
        """The pods that run on a node whose kubelet answers; one that waits for its next start is not measured."""
        at, stamp = self._window()
        found = []
        silent = {node["metadata"]["name"] for node in self._store.list(NODE) if not pods.is_ready(node)}
        for pod in self._store.list(POD, namespace):
            if pod["spec"].get("nodeName") in silent:
                continue
            statuses = (pod.get("status") or {}).get("containerStatuses") or ()
            containers = [
                {"name": status["name"], "usage": self._usage(pod, status["name"], at)}
                for status in statuses
                if "running" in (status.get("state") or {})
            ]
            if containers:
                found.append(_item(pod, stamp, {"containers": containers}))
        return found

    def _usage(self, pod: Json, container: str, at: float) -> Json:
        load, uid = self._pod_loads.get(container, _UNKNOWN), pod["metadata"]["uid"]
        if self.summed is not None:
            cpu, memory = self.summed.of(pod)
            load = Load(cpu, memory / 2**20)
        return {
            "cpu": quantities.cpu(load.cpu * swing(uid, at, 0.16)),
            "memory": quantities.memory(load.memory * 2**20 * swing(uid, at / 5, 0.04)),
        }

    def _window(self) -> tuple[float, str]:
        """The seconds since the start at which a window began, and the stamp of that."""
        at = math.floor((self._clock.wall() - self._start) / WINDOW) * WINDOW
        return at, rfc3339(self._start + at)  # the wall's already: an instant of the world may be before it ran fast


def swing(key: str, at: float, width: float) -> float:
    """A factor around 1 that moves slowly and differently for every key; ``width`` is how far it strays."""
    phase = crc32(key.encode()) / _WHOLE
    total = 0.0
    for n, period in _PERIODS:
        total += math.sin(_TURN * (at / period + phase * n))
    return 1.0 + width * total / len(_PERIODS)


def _fleet_load(name: str) -> Load:
    """A node that no scenario describes."""
    share = crc32(name.encode()) / _WHOLE
    return Load(0.25 + 0.35 * share, 0.35 + 0.3 * ((share * 7) % 1))


def _item(obj: Json, stamp: str, measured: Json) -> Json:
    meta = obj["metadata"]
    metadata: Json = {"name": meta["name"]}  # in the server's order
    if meta.get("namespace"):
        metadata["namespace"] = meta["namespace"]
    metadata["creationTimestamp"] = stamp
    if meta.get("labels"):
        metadata["labels"] = meta["labels"]
    return {"metadata": metadata, "timestamp": stamp, "window": _WINDOW, **measured}
