"""Memory that runs out: what kubelets and kernels do about it, on nodes whose usage is the sum of their pods'.

Below the eviction threshold a node is under MemoryPressure, takes no new pods, and its kubelet ends one pod after
another until there is enough: first those that use more than they asked for, of these the ones with the most above it
(https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/). Whoever asked for what it uses is
the last to go, however much that is. The condition stays for five minutes after the last time that it was true.
Above its own limit a container is killed by the kernel, and starts again.
"""

from __future__ import annotations

from typing import Any, Final

from drill import pods, quantities
from drill.ailing import Ailing
from drill.controllers import ControlPlane
from drill.nodes import MEMORY_PRESSURE
from drill.scheduler import requests
from drill.usage import MIB, Usage
from drill.world import POD

Json = dict[str, Any]

THRESHOLD: Final = 100 * MIB  # the kubelet's memory.available, as AKS has it from 1.29 on
_LOOK: Final = 10.0  # seconds; a kubelet's housekeeping
_TRANSITION: Final = 300.0  # seconds; eviction-pressure-transition-period
_CRITICAL: Final = "system-"  # priority classes that are never evicted
_SLOW: Final = 1.1  # crowding from which a service answers slowly
_SECONDS: Final = 2.4  # of an answer, at twice the cores that there are


class Pressure:
    """The memory side of all kubelets of one world."""

    def __init__(self, plane: ControlPlane, usage: Usage, namespace: str) -> None:
        self._plane = plane
        self._world = plane.world
        self._usage = usage
        self._namespace = namespace
        self._short: dict[str, float] = {}  # node → when it was short of memory last

    def watch(self, since: float) -> None:
        """Look after the nodes from an instant of the world on."""
        self._world.clock.at(since, self._look)

    def complaint(self, service: str) -> Ailing | None:
        """What ails a service most of whose pods share nodes with somebody who takes the cores."""
        nodes = self._usage.nodes()
        mine = [
            self._usage.crowding(nodes[pod["spec"]["nodeName"]])
            for pod in self._world.store.list(POD, self._namespace)
            if pods.labels(pod).get("app.kubernetes.io/name") == service
            and pods.is_ready(pod)
            and pod["spec"].get("nodeName") in nodes
        ]
        crowding = sum(mine) / len(mine) if mine else 0.0
        if crowding <= _SLOW:
            return None
        took = _SECONDS * (crowding - 1)
        return Ailing("Degraded", f"{service}: p95 {took * 1000:.0f} ms, its pods wait for a core", took)

    def _look(self) -> None:
        self._usage.refresh()
        for name, node in self._usage.nodes().items():
            self._kill_above_limit(name)
            self._relieve(name, node)
        self._world.clock.after(_LOOK, self._look)

    def _pods(self, node: str) -> list[Json]:
        """Those that run there, in the order of their names."""
        found = self._world.store.list(POD)
        return [pod for pod in found if pod["spec"].get("nodeName") == node and pods.phase(pod) == "Running"]

    def _kill_above_limit(self, node: str) -> None:
        for pod in self._pods(node):
            limits = [(one.get("resources") or {}).get("limits") or {} for one in pod["spec"]["containers"]]
            limit = sum(quantities.parse(one["memory"]) for one in limits if "memory" in one)
            if limit and self._usage.of(pod)[1] > limit:
                self._plane.kubelets.kill(pod["metadata"]["uid"])

    def _relieve(self, name: str, node: Json) -> None:
        now = self._world.clock.now
        capacity = quantities.parse(node["status"]["allocatable"]["memory"])
        available = capacity - self._usage.node(node)[1]
        if available >= THRESHOLD:
            if name in self._short and now - self._short[name] >= _TRANSITION:
                del self._short[name]
                self._plane.nodes.afflict(name, "")
            return
        if name not in self._short:
            self._plane.nodes.afflict(name, MEMORY_PRESSURE)
        self._short[name] = now
        mine = [pod for pod in self._pods(name) if not pods.is_terminating(pod)]
        victims = [pod for pod in mine if not pod["spec"].get("priorityClassName", "").startswith(_CRITICAL)]
        if victims:
            victim = min(victims, key=self._rank)
            self._plane.kubelets.evict(victim, self._words(victim, max(0.0, available)))

    def _rank(self, pod: Json) -> tuple[bool, float, float]:
        """The first one goes first; equal ones in the order of their names."""
        above = self._usage.of(pod)[1] - requests(pod)[1]
        return above <= 0, float(pod["spec"].get("priority") or 0), -above

    def _words(self, pod: Json, available: float) -> str:
        """As pkg/kubelet/eviction/helpers.go says it."""
        used, asked = self._usage.of(pod)[1], requests(pod)[1]
        text = (
            f"The node was low on resource: memory. Threshold quantity: {THRESHOLD // MIB}Mi, "
            f"available: {available / 1024:.0f}Ki. "
        )
        if used > asked:
            name = pod["spec"]["containers"][0]["name"]
            text += (
                f"Container {name} was using {used / 1024:.0f}Ki, request is {asked / MIB:.0f}Mi, "
                "has larger consumption of memory. "
            )
        return text
