"""DaemonSets: one pod on every node that tolerates it, replaced one node at a time when the template changes."""

from __future__ import annotations

from typing import Any, Final

from drill import pods
from drill.deployments import template_hash
from drill.kinds import Kind
from drill.owners import controller_of
from drill.replicasets import counts_differently
from drill.rolling import resolve
from drill.scheduler import Scheduler, tolerates
from drill.world import DAEMON_SET, NODE, POD, WorkQueue, World

Json = dict[str, Any]
Key = tuple[str, str]

HASH: Final = "controller-revision-hash"
_COMPONENT: Final = "daemonset-controller"
# A daemon's pods live on nodes that are cordoned, pressed or silent (pkg/controller/daemon/util).
_TOLERATED: Final = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
    for key, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("unreachable", "NoSchedule"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
]


class DaemonSets:
    """The DaemonSet controller."""

    def __init__(self, world: World, scheduler: Scheduler) -> None:
        self._world = world
        self._scheduler = scheduler
        self._queue: WorkQueue[Key] = WorkQueue(world.clock, self._reconcile)

    def observe_set(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        if change != "DELETED" and (old is None or obj.get("status") is old.get("status")):
            self._queue.add((obj["metadata"]["namespace"], obj["metadata"]["name"]))

    def observe_pod(self, change: str, kind: Kind, pod: Json, old: Json | None) -> None:
        owner = controller_of(pod)
        if owner is not None and owner["kind"] == "DaemonSet":
            if change == "MODIFIED" and old is not None and not counts_differently(pod, old):
                return
            self._queue.add((pod["metadata"]["namespace"], owner["name"]))

    def observe_node(self, change: str, kind: Kind, node: Json, old: Json | None) -> None:
        if change == "MODIFIED" and old is not None and node["spec"] == old["spec"]:
            return
        for found in self._world.store.list(DAEMON_SET):
            self._queue.add((found["metadata"]["namespace"], found["metadata"]["name"]))

    def _reconcile(self, key: Key) -> None:
        world = self._world
        found = world.store.get(DAEMON_SET, *key)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return
        stamp = template_hash(found["spec"]["template"])
        by_node: dict[str, Json] = {}
        leaving: set[str] = set()
        for pod in world.owned.of(found["metadata"]["uid"], POD):
            if pods.is_active(pod):
                by_node[pod["spec"].get("nodeName", "")] = pod
            else:
                leaving.add(pod["spec"].get("nodeName", ""))
        wanted = [node["metadata"]["name"] for node in world.store.list(NODE) if self._belongs(found, node)]
        for name in wanted:
            if name not in by_node and name not in leaving:
                by_node[name] = self._create_pod(found, name, stamp)
        for name in by_node.keys() - set(wanted):
            self._delete_pod(found, by_node.pop(name))
        self._replace(found, by_node, stamp, len(wanted))
        self._write_status(found, by_node, stamp, len(wanted))

    def _belongs(self, found: Json, node: Json) -> bool:
        spec = found["spec"]["template"]["spec"]
        if not (spec.get("nodeSelector") or {}).items() <= pods.labels(node).items():
            return False
        patient = {"spec": {"tolerations": [*_TOLERATED, *(spec.get("tolerations") or ())]}}
        return all(
            taint["effect"] == "PreferNoSchedule" or tolerates(patient, taint)
            for taint in node["spec"].get("taints") or ()
        )

    def _create_pod(self, found: Json, node: str, stamp: str) -> Json:
        world = self._world
        name = f"{found['metadata']['name']}-{world.suffix()}"
        pod = pods.from_template(DAEMON_SET, found, found["spec"]["template"], name=name)
        pod["metadata"]["labels"] |= {HASH: stamp, "pod-template-generation": "1"}
        pod["spec"]["tolerations"] = [*_TOLERATED, *(found["spec"]["template"]["spec"].get("tolerations") or ())]
        # Bound at once: a real one asks the scheduler for exactly this node by affinity.
        created = world.create(POD, {**pod, "spec": {**pod["spec"], "nodeName": ""}})
        self._scheduler.bind(created, node)
        world.events.say(DAEMON_SET, found, "SuccessfulCreate", f"Created pod: {name}", component=_COMPONENT)
        return world.store.get(POD, found["metadata"]["namespace"], name) or created

    def _delete_pod(self, found: Json, pod: Json) -> None:
        world, meta = self._world, pod["metadata"]
        world.store.delete(POD, meta["namespace"], meta["name"])
        world.events.say(DAEMON_SET, found, "SuccessfulDelete", f"Deleted pod: {meta['name']}", component=_COMPONENT)

    def _replace(self, found: Json, by_node: dict[str, Json], stamp: str, desired: int) -> None:
        """Delete outdated pods, as many as may be unavailable at a time; the next turn makes their successors."""
        strategy = found["spec"].get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            return
        allowed = max(1, resolve((strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1), desired, up=True))
        down = desired - sum(pods.is_ready(pod) for pod in by_node.values())
        outdated = [(name, pod) for name, pod in by_node.items() if pods.labels(pod).get(HASH) != stamp]
        for name, pod in sorted(outdated, key=lambda item: pods.is_ready(item[1])):
            if pods.is_ready(pod):
                if down >= allowed:
                    return
                down += 1
            self._delete_pod(found, pod)
            del by_node[name]

    def _write_status(self, found: Json, by_node: dict[str, Json], stamp: str, desired: int) -> None:
        ready = sum(pods.is_ready(pod) for pod in by_node.values())
        status: Json = {
            "currentNumberScheduled": len(by_node),
            "numberMisscheduled": 0,
            "desiredNumberScheduled": desired,
            "numberReady": ready,
            "observedGeneration": found["metadata"].get("generation", 1),
            "updatedNumberScheduled": sum(pods.labels(pod).get(HASH) == stamp for pod in by_node.values()),
            "numberAvailable": ready,
        }
        if desired > ready:
            status["numberUnavailable"] = desired - ready
        self._world.set_status(DAEMON_SET, found, status)
