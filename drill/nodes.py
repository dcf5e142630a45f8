"""Nodes: their conditions, heartbeats and taints, and what befalls the pods of one whose kubelet falls silent.

The annotation ``drill/fate`` on a node says what is wrong with it: ``memory-pressure`` or ``not-ready``.
"""

from __future__ import annotations

from typing import Any, Final

from drill import pods
from drill.clock import Timer
from drill.fates import ANNOTATION
from drill.kinds import Kind
from drill.kubelet import Kubelets
from drill.scheduler import tolerates
from drill.world import NODE, POD, WorkQueue, World

Json = dict[str, Any]

MEMORY_PRESSURE: Final = "memory-pressure"
NOT_READY: Final = "not-ready"

_HEARTBEAT: Final = 300.0  # seconds; a kubelet's nodeStatusReportFrequency
_EVICTION: Final = 300.0  # seconds; the default tolerationSeconds for not-ready and unreachable
_RECLAIM: Final = 180.0  # seconds between two attempts to reclaim memory
_GOOD: Final = {
    "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    "Ready": ("True", "KubeletReady", "kubelet is posting ready status"),
}
_SILENT: Final = ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
_PRESSED: Final = ("True", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available")


def conditions(fate: str, before: list[Json], stamp: str) -> list[Json]:
    """The four conditions of a node with that fate; a silent kubelet's heartbeat stays what it was."""
    past = {condition["type"]: condition for condition in before}
    written = []
    for kind, good in _GOOD.items():
        status, reason, message = good
        if fate == NOT_READY:
            status, reason, message = _SILENT
        elif fate == MEMORY_PRESSURE and kind == "MemoryPressure":
            status, reason, message = _PRESSED
        old = past.get(kind)
        same = old is not None and old["status"] == status
        beat = old["lastHeartbeatTime"] if fate == NOT_READY and old is not None else stamp
        written.append(
            {
                "type": kind,
                "status": status,
                "lastHeartbeatTime": beat,
                "lastTransitionTime": old["lastTransitionTime"] if same and old is not None else stamp,
                "reason": reason,
                "message": message,
            }
        )
    return written


class Nodes:
    """The node side of the kubelets, and the node lifecycle controller."""

    def __init__(self, world: World, kubelets: Kubelets) -> None:
        self._world = world
        self._kubelets = kubelets
        self._queue: WorkQueue[str] = WorkQueue(world.clock, self._reconcile)
        self._evictions: dict[str, Timer] = {}
        self._reclaims: dict[str, Timer] = {}
        self._beating: dict[str, None] = {}
        self._fates: dict[str, str] = {}

    def observe_node(self, change: str, kind: Kind, node: Json, old: Json | None) -> None:
        name = node["metadata"]["name"]
        if change == "DELETED":
            self._beating.pop(name, None)
            return
        if old is None or pods.notes(node) != pods.notes(old) or node["spec"] != old["spec"]:
            self._queue.add(name)

    def afflict(self, name: str, fate: str) -> None:
        """Give a node a fate that no annotation tells; ``""`` ends it."""
        self._fates[name] = fate
        self._queue.add(name)

    def _fate(self, node: Json) -> str:
        return pods.notes(node).get(ANNOTATION) or self._fates.get(node["metadata"]["name"], "")

    def beat(self, name: str) -> None:
        """Let a node renew its heartbeat from now on. Big fleets do without, to be still when nothing happens."""
        if name not in self._beating:
            self._beating[name] = None
            since = self._world.clock.now - _HEARTBEAT * self._world.chance.random()
            self._beat(name, since)

    def _beat(self, name: str, at: float) -> None:
        node = self._world.store.get(NODE, None, name)
        if node is None or name not in self._beating:
            return
        self._write_conditions(node, at)
        self._world.clock.at(at + _HEARTBEAT, lambda: self._beat(name, at + _HEARTBEAT))

    def _reconcile(self, name: str) -> None:
        node = self._world.store.get(NODE, None, name)
        if node is None:
            return
        fate = self._fate(node)
        was_ready, was_pressed = pods.is_ready(node), pods.is_true(node, "MemoryPressure")
        node = self._write_conditions(node)
        node = self._write_taints(node, fate)
        if fate == NOT_READY and was_ready:
            self._fall_silent(node)
        elif fate != NOT_READY and not was_ready:
            self._come_back(node)
        if fate == MEMORY_PRESSURE and not was_pressed:
            message = f"Node {name} status is now: NodeHasInsufficientMemory"
            self._say(node, "NodeHasInsufficientMemory", message, warning=False)
            self._reclaim(name)
        elif fate != MEMORY_PRESSURE and name in self._reclaims:
            self._reclaims.pop(name).cancel()
            message = f"Node {name} status is now: NodeHasSufficientMemory"
            self._say(node, "NodeHasSufficientMemory", message, warning=False)

    def _write_conditions(self, node: Json, at: float | None = None) -> Json:
        status, fate = node.get("status") or {}, self._fate(node)
        renewed = conditions(fate, status.get("conditions") or [], self._world.clock.stamp(at))
        return self._world.set_status(NODE, node, {**status, "conditions": renewed})

    def _write_taints(self, node: Json, fate: str) -> Json:
        """The taints that follow from cordon and conditions; those that somebody else set stay."""
        spec = node.get("spec") or {}
        ours = {
            ("node.kubernetes.io/unschedulable", "NoSchedule"): bool(spec.get("unschedulable")),
            ("node.kubernetes.io/memory-pressure", "NoSchedule"): fate == MEMORY_PRESSURE,
            ("node.kubernetes.io/unreachable", "NoSchedule"): fate == NOT_READY,
            ("node.kubernetes.io/unreachable", "NoExecute"): fate == NOT_READY,
        }
        before = spec.get("taints") or []
        taints = [taint for taint in before if ours.get((taint["key"], taint["effect"]), True)]
        had = {(taint["key"], taint["effect"]) for taint in before}
        for (key, effect), wanted in ours.items():
            if wanted and (key, effect) not in had:
                taints.append({"key": key, "effect": effect, "timeAdded": self._world.clock.stamp()})
        if taints == before:
            return node
        changed = {name: value for name, value in spec.items() if name != "taints"}
        if taints:
            changed["taints"] = taints
        return self._world.store.update(NODE, {**node, "spec": changed})

    # What follows

    def _fall_silent(self, node: Json) -> None:
        name, world = node["metadata"]["name"], self._world
        self._kubelets.freeze(name)
        message = f"Node {name} status is now: NodeNotReady"
        world.events.say(NODE, node, "NodeNotReady", message, component="node-controller")
        for pod in self._pods_on(name):
            self._mark_unready(pod)
        self._evictions[name] = world.clock.after(_EVICTION, lambda: self._evict(name))

    def _come_back(self, node: Json) -> None:
        name = node["metadata"]["name"]
        eviction = self._evictions.pop(name, None)
        if eviction is not None:
            eviction.cancel()
        self._say(node, "NodeReady", f"Node {name} status is now: NodeReady", warning=False)
        self._kubelets.thaw(name)

    def _evict(self, name: str) -> None:
        """The taint manager: pods that do not tolerate the silence for longer are deleted; their set makes new ones."""
        world = self._world
        for pod in self._pods_on(name):
            forever = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
            patient = [t for t in pod["spec"].get("tolerations") or () if "tolerationSeconds" not in t]
            if not tolerates({"spec": {"tolerations": patient}}, forever) and not pods.is_terminating(pod):
                where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
                message = f"Marking for deletion Pod {where}"
                world.events.say(POD, pod, "TaintManagerEviction", message, component="taint-eviction-controller")
                world.store.delete(POD, pod["metadata"]["namespace"], pod["metadata"]["name"])

    def _mark_unready(self, pod: Json) -> None:
        world, status = self._world, pod.get("status") or {}
        if not pods.is_ready(pod):
            return
        changed = [
            {**condition, "status": "False", "lastTransitionTime": world.clock.stamp()}
            if condition["type"] == "Ready"
            else condition
            for condition in status.get("conditions") or ()
        ]
        pod = world.set_status(POD, pod, {**status, "conditions": changed})
        world.events.say(POD, pod, "NodeNotReady", "Node is not ready", warning=True, component="node-controller")

    def _reclaim(self, name: str) -> None:
        node = self._world.store.get(NODE, None, name)
        if node is None:
            return
        self._say(node, "EvictionThresholdMet", "Attempting to reclaim memory")
        self._reclaims[name] = self._world.clock.after(_RECLAIM, lambda: self._reclaim(name))

    def _pods_on(self, name: str) -> list[Json]:
        return [pod for pod in self._world.store.list(POD) if pod["spec"].get("nodeName") == name]

    def _say(self, node: Json, reason: str, message: str, *, warning: bool = True) -> None:
        name = node["metadata"]["name"]
        self._world.events.say(NODE, node, reason, message, warning=warning, component="kubelet", host=name)
