"""StatefulSets: pods with ordinals, made one after the other and replaced from the last to the first."""

from __future__ import annotations

from typing import Any, Final

from drill import pods
from drill.daemonsets import HASH
from drill.deployments import template_hash
from drill.kinds import Kind
from drill.owners import controller_of
from drill.replicasets import counts_differently
from drill.world import POD, STATEFUL_SET, WorkQueue, World

Json = dict[str, Any]
Key = tuple[str, str]

_COMPONENT: Final = "statefulset-controller"
_POD_NAME: Final = "statefulset.kubernetes.io/pod-name"
_POD_INDEX: Final = "apps.kubernetes.io/pod-index"


class StatefulSets:
    """The StatefulSet controller, with both pod management policies and the partition of a rolling update."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: WorkQueue[Key] = WorkQueue(world.clock, self._reconcile)

    def observe_set(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        if change != "DELETED" and (old is None or obj.get("status") is old.get("status")):
            self._queue.add((obj["metadata"]["namespace"], obj["metadata"]["name"]))

    def observe_pod(self, change: str, kind: Kind, pod: Json, old: Json | None) -> None:
        owner = controller_of(pod)
        if owner is not None and owner["kind"] == "StatefulSet":
            if change == "MODIFIED" and old is not None and not counts_differently(pod, old):
                return
            self._queue.add((pod["metadata"]["namespace"], owner["name"]))

    def _reconcile(self, key: Key) -> None:
        found = self._world.store.get(STATEFUL_SET, *key)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return
        update = f"{key[1]}-{template_hash(found['spec']['template'])}"
        by_ordinal = {
            int(pod["metadata"]["name"].rpartition("-")[2]): pod
            for pod in self._world.owned.of(found["metadata"]["uid"], POD)
        }
        self._one_step(found, by_ordinal, update)
        self._write_status(found, update)

    def _one_step(self, found: Json, by_ordinal: dict[int, Json], update: str) -> None:
        """Create, delete or replace; with OrderedReady never more than one pod, and only while all before are ready."""
        spec = found["spec"]
        desired, parallel = spec.get("replicas", 1), spec.get("podManagementPolicy") == "Parallel"
        for ordinal in range(desired):
            pod = by_ordinal.get(ordinal)
            if pod is None:
                self._create_pod(found, ordinal, update)
            if not parallel and (pod is None or not pods.is_ready(pod) or pods.is_terminating(pod)):
                if pod is not None and not pods.is_terminating(pod) and self._outdated(found, ordinal, pod, update):
                    self._delete_pod(found, pod)  # a broken old pod does not hold up its own replacement
                return
        for ordinal in sorted(by_ordinal.keys() - set(range(desired)), reverse=True):
            if not pods.is_terminating(by_ordinal[ordinal]):
                self._delete_pod(found, by_ordinal[ordinal])
            if not parallel:
                return
        for ordinal in sorted(by_ordinal.keys() & set(range(desired)), reverse=True):
            pod = by_ordinal[ordinal]
            if pods.is_terminating(pod):
                return
            if self._outdated(found, ordinal, pod, update):
                self._delete_pod(found, pod)
                return
            if not pods.is_ready(pod):
                return

    @staticmethod
    def _outdated(found: Json, ordinal: int, pod: Json, update: str) -> bool:
        strategy = found["spec"].get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete" or ordinal < (strategy.get("rollingUpdate") or {}).get("partition", 0):
            return False
        return pods.labels(pod).get(HASH) != update

    def _create_pod(self, found: Json, ordinal: int, update: str) -> None:
        world = self._world
        name = f"{found['metadata']['name']}-{ordinal}"
        pod = pods.from_template(STATEFUL_SET, found, found["spec"]["template"], name=name, generated=False)
        pod["metadata"]["labels"] |= {HASH: update, _POD_NAME: name, _POD_INDEX: str(ordinal)}
        pod["spec"] |= {"hostname": name, "subdomain": found["spec"].get("serviceName", "")}
        world.create(POD, pod)
        message = f"create Pod {name} in StatefulSet {found['metadata']['name']} successful"
        world.events.say(STATEFUL_SET, found, "SuccessfulCreate", message, component=_COMPONENT)

    def _delete_pod(self, found: Json, pod: Json) -> None:
        world, meta = self._world, pod["metadata"]
        world.store.delete(POD, meta["namespace"], meta["name"])
        message = f"delete Pod {meta['name']} in StatefulSet {found['metadata']['name']} successful"
        world.events.say(STATEFUL_SET, found, "SuccessfulDelete", message, component=_COMPONENT)

    def _write_status(self, found: Json, update: str) -> None:
        mine = [pod for pod in self._world.owned.of(found["metadata"]["uid"], POD) if pods.is_active(pod)]
        ready = sum(pods.is_ready(pod) for pod in mine)
        updated = sum(pods.labels(pod).get(HASH) == update for pod in mine)
        before = found.get("status") or {}
        done = updated == len(mine) == found["spec"].get("replicas", 1)
        status: Json = {
            "observedGeneration": found["metadata"].get("generation", 1),
            "replicas": len(mine),
            "readyReplicas": ready,
            "currentReplicas": updated if done else len(mine) - updated,
            "updatedReplicas": updated,
            "currentRevision": update if done else before.get("currentRevision", update),
            "updateRevision": update,
            "collisionCount": 0,
            "availableReplicas": ready,
        }
        self._world.set_status(STATEFUL_SET, found, status)
