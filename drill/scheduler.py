"""The scheduler: gives a pending pod the node with the most room of those that would have it, or says why not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from drill import pods, quantities
from drill.kinds import Kind
from drill.world import NODE, POD, WorkQueue, World

Json = dict[str, Any]
Key = tuple[str, str]

_COMPONENT: Final = "default-scheduler"
_RETRY: Final = 30.0  # seconds until an unschedulable pod is tried again though nothing changed


@dataclass(slots=True)
class _Load:
    """What the pods of a node asked for."""

    cpu: float = 0.0
    memory: float = 0.0
    pods: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, uid: str, requests: tuple[float, float]) -> None:
        if uid not in self.pods:
            self.pods[uid] = requests
            self.cpu += requests[0]
            self.memory += requests[1]

    def drop(self, uid: str) -> None:
        requests = self.pods.pop(uid, None)
        if requests is not None:
            self.cpu -= requests[0]
            self.memory -= requests[1]


class Scheduler:
    """kube-scheduler, as far as requests, taints, cordons and node selectors go."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: WorkQueue[Key] = WorkQueue(world.clock, self._schedule)
        self._loads: dict[str, _Load] = {}
        self._waiting: dict[Key, None] = {}

    def observe_pod(self, change: str, kind: Kind, pod: Json, old: Json | None) -> None:
        node = pod["spec"].get("nodeName")
        meta = pod["metadata"]
        if change == "DELETED":
            self._waiting.pop((meta["namespace"], meta["name"]), None)
            if node and node in self._loads:
                self._loads[node].drop(meta["uid"])
                self._retry_all()
        elif node and pods.phase(pod) in ("Succeeded", "Failed"):
            # What has ended is only a record, and takes no room.
            if node in self._loads and meta["uid"] in self._loads[node].pods:
                self._loads[node].drop(meta["uid"])
                self._retry_all()
        elif node:
            if old is None or not old["spec"].get("nodeName"):
                self._loads.setdefault(node, _Load()).add(meta["uid"], requests(pod))
        elif old is None and pod["spec"].get("schedulerName", _COMPONENT) == _COMPONENT:
            self._queue.add((meta["namespace"], meta["name"]))

    def observe_node(self, change: str, kind: Kind, node: Json, old: Json | None) -> None:
        if old is None or node["spec"] != old["spec"] or pods.is_ready(node) != pods.is_ready(old):
            self._retry_all()

    def node_load(self, node: str) -> int:
        """How many pods are on a node."""
        return len(self._loads[node].pods) if node in self._loads else 0

    def _retry_all(self) -> None:
        for key in self._waiting:
            self._queue.add(key)

    def _schedule(self, key: Key) -> None:
        world = self._world
        pod = world.store.get(POD, *key)
        if pod is None or pod["spec"].get("nodeName") or pods.is_terminating(pod):
            self._waiting.pop(key, None)
            return
        needs, refusals, best = requests(pod), Counter[str](), None
        best_score = -1.0
        nodes = world.store.list(NODE)
        for node in nodes:
            refusal, score = self._judge(pod, node, needs)
            if refusal:
                refusals[refusal] += 1
            elif score > best_score:
                best, best_score = node, score
        if best is None:
            self._refuse(key, pod, len(nodes), refusals)
            return
        self._waiting.pop(key, None)
        self.bind(pod, best["metadata"]["name"])

    def bind(self, pod: Json, node: str) -> None:
        """Give a pod its node."""
        world, meta = self._world, pod["metadata"]
        stamp = world.clock.stamp()
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": stamp}
        bound = world.store.update(POD, {**pod, "spec": {**pod["spec"], "nodeName": node}})
        status = {**(bound.get("status") or {}), "conditions": [scheduled]}
        bound = world.set_status(POD, bound, status)
        message = f"Successfully assigned {meta['namespace']}/{meta['name']} to {node}"
        world.events.say(POD, bound, "Scheduled", message, component=_COMPONENT)

    def _refuse(self, key: Key, pod: Json, total: int, refusals: Counter[str]) -> None:
        world = self._world
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refusals.items())) or "no nodes"
        message = f"0/{total} nodes are available: {reasons}."
        unscheduled = pods.condition(pod, "PodScheduled")
        if unscheduled is None or unscheduled.get("message") != message:
            said = {
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": None,
                "lastTransitionTime": world.clock.stamp(),
                "reason": "Unschedulable",
                "message": message,
            }
            pod = world.set_status(POD, pod, {**(pod.get("status") or {}), "phase": "Pending", "conditions": [said]})
        world.events.say(POD, pod, "FailedScheduling", message, warning=True, component=_COMPONENT)
        if key not in self._waiting:
            self._waiting[key] = None
        self._queue.add_after(key, _RETRY * world.chance.uniform(0.9, 1.3))

    def _judge(self, pod: Json, node: Json, needs: tuple[float, float]) -> tuple[str, float]:
        """Why a node cannot have a pod, or ``""`` and how much room it would leave (0 to 1)."""
        spec, name = node.get("spec") or {}, node["metadata"]["name"]
        if spec.get("unschedulable"):
            return "node(s) were unschedulable", 0.0
        for taint in spec.get("taints") or ():
            if taint["effect"] != "PreferNoSchedule" and not tolerates(pod, taint):
                return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}", 0.0
        if not pods.is_ready(node):
            return "node(s) were not ready", 0.0
        if not (pod["spec"].get("nodeSelector") or {}).items() <= pods.labels(node).items():
            return "node(s) didn't match Pod's node affinity/selector", 0.0
        room, load = node["status"].get("allocatable") or {}, self._loads.get(name) or _Load()
        cpu, memory = quantities.parse(room.get("cpu")), quantities.parse(room.get("memory"))
        if len(load.pods) >= quantities.parse(room.get("pods")):
            return "Too many pods", 0.0
        if load.cpu + needs[0] > cpu:
            return "Insufficient cpu", 0.0
        if load.memory + needs[1] > memory:
            return "Insufficient memory", 0.0
        siblings = pods.labels(pod).get("app.kubernetes.io/name")
        crowd = sum(1 for other in self._siblings(pod) if other == name) if siblings else 0
        free = 1.0 - max((load.cpu + needs[0]) / cpu, (load.memory + needs[1]) / memory)
        return "", free / (1.0 + crowd)

    def _siblings(self, pod: Json) -> list[str]:
        """The nodes of the other pods of the same owner: spreading keeps one node's death survivable."""
        owners = pod["metadata"].get("ownerReferences") or ()
        return [
            sibling["spec"].get("nodeName", "")
            for owner in owners
            for sibling in self._world.owned.of(owner["uid"], POD)
        ]


def requests(pod: Json) -> tuple[float, float]:
    """Cores and bytes that a pod's containers ask for."""
    cpu = memory = 0.0
    for container in pod["spec"].get("containers") or ():
        asked = (container.get("resources") or {}).get("requests") or {}
        cpu += quantities.parse(asked.get("cpu"))
        memory += quantities.parse(asked.get("memory"))
    return cpu, memory


def tolerates(pod: Json, taint: Json) -> bool:
    """Whether one of a pod's tolerations covers a taint."""
    for toleration in pod["spec"].get("tolerations") or ():
        if toleration.get("effect") not in (None, "", taint["effect"]):
            continue
        if toleration.get("operator") == "Exists":
            if toleration.get("key") in (None, "", taint["key"]):
                return True
        elif toleration.get("key") == taint["key"] and toleration.get("value", "") == taint.get("value", ""):
            return True
    return False
