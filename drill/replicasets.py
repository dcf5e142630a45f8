"""ReplicaSets: keep so many pods of a template alive, adopt those that match, let go of those that no longer do."""

from __future__ import annotations

from typing import Any, Final

from drill import pods
from drill.kinds import Kind
from drill.label_selector import selects
from drill.owners import controller_of, owner_reference
from drill.world import POD, REPLICA_SET, WorkQueue, World

Json = dict[str, Any]
Key = tuple[str, str]  # namespace, name

_COMPONENT: Final = "replicaset-controller"


class ReplicaSets:
    """The ReplicaSet controller."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: WorkQueue[Key] = WorkQueue(world.clock, self._reconcile)
        self._orphans: dict[Key, None] = {}  # pods without a controller

    def observe_set(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        if change != "DELETED" and (old is None or obj.get("spec") is not old.get("spec") or _meta_moved(obj, old)):
            self._queue.add((obj["metadata"]["namespace"], obj["metadata"]["name"]))

    def observe_pod(self, change: str, kind: Kind, pod: Json, old: Json | None) -> None:
        if old is not None and change == "MODIFIED" and not counts_differently(pod, old):
            return
        meta = pod["metadata"]
        key = (meta["namespace"], meta["name"])
        owners = [controller_of(pod), controller_of(old) if old is not None else None]
        if owners[0] is None and change != "DELETED":
            self._orphans[key] = None
            for candidate in self._world.store.list(REPLICA_SET, meta["namespace"]):
                if selects(candidate["spec"].get("selector"), meta.get("labels")):
                    self._queue.add((meta["namespace"], candidate["metadata"]["name"]))
        else:
            self._orphans.pop(key, None)
        for owner in owners:
            if owner is not None and owner["kind"] == "ReplicaSet":
                self._queue.add((meta["namespace"], owner["name"]))

    def _reconcile(self, key: Key) -> None:
        found = self._world.store.get(REPLICA_SET, *key)
        if found is None:
            return
        mine = [pod for pod in self._claim(found) if pods.is_active(pod)]
        if not found["metadata"].get("deletionTimestamp"):
            missing = found["spec"].get("replicas", 1) - len(mine)
            if missing > 0:
                mine += [self._create_pod(found) for _ in range(missing)]
            elif missing < 0:
                doomed = sorted(mine, key=_deletion_order)[:-missing]
                for pod in doomed:
                    self._delete_pod(found, pod)
                mine = [pod for pod in mine if pod not in doomed]
        self._write_status(found, mine)

    def _claim(self, found: Json) -> list[Json]:
        """The pods of the set: released when their labels moved away (quarantine), adopted when they match."""
        world, meta = self._world, found["metadata"]
        selector = found["spec"].get("selector")
        mine = []
        for pod in world.owned.of(meta["uid"], POD):
            if selects(selector, pods.labels(pod)) or pods.is_terminating(pod):
                mine.append(pod)
            else:
                references = [r for r in pod["metadata"]["ownerReferences"] if r["uid"] != meta["uid"]]
                world.store.update(POD, {**pod, "metadata": {**pod["metadata"], "ownerReferences": references}})
        for namespace, name in [*self._orphans]:
            if namespace != meta["namespace"]:
                continue
            pod_or_none = world.store.get(POD, namespace, name)
            if pod_or_none is None or controller_of(pod_or_none) is not None:
                self._orphans.pop((namespace, name), None)
            elif selects(selector, pods.labels(pod_or_none)) and pods.is_active(pod_or_none):
                references = [owner_reference(REPLICA_SET, found)]
                metadata = {**pod_or_none["metadata"], "ownerReferences": references}
                mine.append(world.store.update(POD, {**pod_or_none, "metadata": metadata}))
        return mine

    def _create_pod(self, found: Json) -> Json:
        world = self._world
        name = f"{found['metadata']['name']}-{world.suffix()}"
        pod = world.create(POD, pods.from_template(REPLICA_SET, found, found["spec"]["template"], name=name))
        world.events.say(REPLICA_SET, found, "SuccessfulCreate", f"Created pod: {name}", component=_COMPONENT)
        return pod

    def _delete_pod(self, found: Json, pod: Json) -> None:
        world, meta = self._world, pod["metadata"]
        world.store.delete(POD, meta["namespace"], meta["name"])
        world.events.say(REPLICA_SET, found, "SuccessfulDelete", f"Deleted pod: {meta['name']}", component=_COMPONENT)

    def _write_status(self, found: Json, mine: list[Json]) -> None:
        world, spec = self._world, found["spec"]
        min_ready = spec.get("minReadySeconds", 0)
        wanted = (spec["template"].get("metadata") or {}).get("labels") or {}
        ready = [pod for pod in mine if pods.is_ready(pod)]
        available = [pod for pod in ready if pods.is_available(pod, min_ready, world.clock)]
        status: Json = {"replicas": len(mine), "observedGeneration": found["metadata"].get("generation", 1)}
        counts = {
            "fullyLabeledReplicas": sum(wanted.items() <= pods.labels(pod).items() for pod in mine),
            "readyReplicas": len(ready),
            "availableReplicas": len(available),
        }
        status.update({name: count for name, count in counts.items() if count})
        if len(available) < len(ready):
            self._queue.add_after((found["metadata"]["namespace"], found["metadata"]["name"]), min_ready)
        if world.store.get(REPLICA_SET, found["metadata"]["namespace"], found["metadata"]["name"]) is not None:
            world.set_status(REPLICA_SET, found, status)


def counts_differently(pod: Json, old: Json) -> bool:
    """Whether a change of a pod can matter to who counts it: readiness, phase, deletion, labels, owners."""
    if pods.is_ready(pod) != pods.is_ready(old) or pods.phase(pod) != pods.phase(old):
        return True
    return _meta_moved(pod, old)


def _meta_moved(obj: Json, old: Json) -> bool:
    now, before = obj["metadata"], old["metadata"]
    return bool(
        now.get("deletionTimestamp") != before.get("deletionTimestamp")
        or now.get("labels") != before.get("labels")
        or now.get("ownerReferences") != before.get("ownerReferences")
    )


def _deletion_order(pod: Json) -> tuple[bool, bool, bool, int, float]:
    """Which pod goes first when a set shrinks: unassigned, pending, unready, restarted most, youngest."""
    created = pod["metadata"]["creationTimestamp"]
    return (
        bool(pod["spec"].get("nodeName")),
        pods.phase(pod) != "Pending",
        pods.is_ready(pod),
        -pods.restarts(pod),
        -float("".join(filter(str.isdigit, created))),
    )
