"""Deployments: one ReplicaSet per template, moved from the old to the new one by a rolling update or by recreation.

Revisions, history, pause, scaling and undo work as `kubectl rollout` and Helm expect of a real controller manager.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from drill import pods
from drill.kinds import Kind
from drill.label_selector import selects
from drill.owners import controller_of, owner_reference
from drill.rolling import Count, Fence, new_size, old_sizes, proportional
from drill.rollout_status import Conditions, counts, new_set_condition
from drill.store import EVERYTHING
from drill.world import DEPLOYMENT, POD, REPLICA_SET, WorkQueue, World

Json = dict[str, Any]
Key = tuple[str, str]  # namespace, name

REVISION: Final = "deployment.kubernetes.io/revision"
_HISTORY: Final = "deployment.kubernetes.io/revision-history"
_DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
_MAXIMUM: Final = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED: Final = frozenset(
    {REVISION, _HISTORY, _DESIRED, _MAXIMUM, "kubectl.kubernetes.io/last-applied-configuration"}
)
_COMPONENT: Final = "deployment-controller"
_SAFE: Final = "bcdfghjklmnpqrstvwxz2456789"  # as k8s.io/apimachinery/pkg/util/rand.SafeEncodeString


def template_hash(template: Json) -> str:
    """The pod-template-hash: the same for the same template, in this process and in the next."""
    canonical = json.dumps(template, sort_keys=True, separators=(",", ":")).encode()
    number = int.from_bytes(hashlib.blake2b(canonical, digest_size=4).digest(), "big")
    return "".join(_SAFE[ord(digit) % len(_SAFE)] for digit in str(number))


class Deployments:
    """The Deployment controller."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: WorkQueue[Key] = WorkQueue(world.clock, self._reconcile)

    def observe_deployment(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        if change != "DELETED" and (old is None or obj.get("status") is old.get("status")):
            self._queue.add((obj["metadata"]["namespace"], obj["metadata"]["name"]))

    def observe_set(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        owner = controller_of(obj)
        if owner is not None and owner["kind"] == "Deployment":
            self._queue.add((obj["metadata"]["namespace"], owner["name"]))

    def observe_pod(self, change: str, kind: Kind, pod: Json, old: Json | None) -> None:
        """A Recreate waits for the last old pod to be gone."""
        if change == "DELETED":
            owner = controller_of(pod)
            if owner is not None and owner["kind"] == "ReplicaSet":
                found = self._world.store.get(REPLICA_SET, pod["metadata"]["namespace"], owner["name"])
                if found is not None:
                    self.observe_set("MODIFIED", REPLICA_SET, found, None)

    def _reconcile(self, key: Key) -> None:
        deployment = self._world.store.get(DEPLOYMENT, *key)
        if deployment is None:
            return
        sets = self._claim(deployment)
        conditions = Conditions(deployment, self._world.clock)
        new = self._find_new(deployment, sets)
        conditions.paused(deployment)
        if not (deployment["metadata"].get("deletionTimestamp") or deployment["spec"].get("paused")):
            new, sets, deployment = self._ensure_new(deployment, new, sets, conditions)
        old = [found for found in sets if new is None or found["metadata"]["uid"] != new["metadata"]["uid"]]
        if not deployment["metadata"].get("deletionTimestamp"):
            if deployment["spec"].get("paused") or self._was_scaled(deployment, sets):
                self._scale(deployment, new, old)
            elif new is not None and (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
                self._recreate(deployment, new, old)
            elif new is not None:
                self._roll(deployment, new, old)
        every = self._fresh(sets)
        new = None if new is None else self._world.store.get(REPLICA_SET, key[0], new["metadata"]["name"])
        status = counts(deployment, new, every)
        conditions.availability(deployment, status)
        again = conditions.progress(deployment, status, new)
        if again is not None:
            self._queue.add_after(key, again + 1)
        previous = deployment.get("status") or {}
        if "collisionCount" in previous:
            status["collisionCount"] = previous["collisionCount"]
        status["conditions"] = conditions.items
        self._world.set_status(DEPLOYMENT, deployment, status)
        reason = (conditions.get("Progressing") or {}).get("reason")
        if reason == "NewReplicaSetAvailable":
            self._clean_up(deployment, new, every)

    # The sets

    def _claim(self, deployment: Json) -> list[Json]:
        """Its ReplicaSets, oldest first, orphans that match adopted."""
        world, meta = self._world, deployment["metadata"]
        sets = world.owned.of(meta["uid"], REPLICA_SET)
        for found in world.store.list(REPLICA_SET, meta["namespace"]) if not sets else ():
            matches = selects(deployment["spec"].get("selector"), pods.labels(found))
            if matches and controller_of(found) is None and not meta.get("deletionTimestamp"):
                metadata = {**found["metadata"], "ownerReferences": [owner_reference(DEPLOYMENT, deployment)]}
                sets.append(world.store.update(REPLICA_SET, {**found, "metadata": metadata}))
        return sorted(sets, key=lambda found: (found["metadata"]["creationTimestamp"], found["metadata"]["name"]))

    def _fresh(self, sets: list[Json]) -> list[Json]:
        read = (self._world.store.get(REPLICA_SET, s["metadata"]["namespace"], s["metadata"]["name"]) for s in sets)
        return [found for found in read if found is not None]

    def _find_new(self, deployment: Json, sets: list[Json]) -> Json | None:
        wanted = deployment["spec"]["template"]
        return next((found for found in sets if _same_template(found["spec"]["template"], wanted)), None)

    def _ensure_new(
        self, deployment: Json, new: Json | None, sets: list[Json], conditions: Conditions
    ) -> tuple[Json, list[Json], Json]:
        """Make or find the ReplicaSet of the current template, with the next revision number."""
        world, meta, spec = self._world, deployment["metadata"], deployment["spec"]
        newest = max((_revision(found) for found in sets if found is not new), default=0)
        created = new is None
        if new is None:
            revision = str(newest + 1)
            new = self._make_set(deployment, revision, self._first_size(deployment, sets))
            sets = [*sets, new]
            new_set_condition(conditions, new["metadata"]["name"], created=True)
        else:
            revision = str(max(newest + 1, _revision(new)))
            noted = dict(pods.notes(new))
            if noted.get(REVISION) != revision:
                past = [past for past in (noted.get(_HISTORY), noted.get(REVISION)) if past]
                noted.update({REVISION: revision, _HISTORY: ",".join(past)})
            noted.update({k: v for k, v in pods.notes(deployment).items() if k not in _NOT_COPIED})
            if noted != pods.notes(new):
                new = world.store.update(REPLICA_SET, {**new, "metadata": {**new["metadata"], "annotations": noted}})
            current = conditions.get("Progressing")
            if pods.notes(deployment).get(REVISION) != revision or current is None:
                new_set_condition(conditions, new["metadata"]["name"], created=False)
        if pods.notes(deployment).get(REVISION) != revision:
            metadata = {**meta, "annotations": {**(meta.get("annotations") or {}), REVISION: revision}}
            deployment = world.store.update(DEPLOYMENT, {**deployment, "metadata": metadata}, subresource=EVERYTHING)
        if created and spec.get("replicas", 1) == 0:
            self._note_size(deployment, new)
        return new, sets, deployment

    def _first_size(self, deployment: Json, old: list[Json]) -> int:
        """How many replicas a new set begins with; where pods are recreated, it waits for the old ones to go."""
        spec = deployment["spec"]
        if (spec.get("strategy") or {}).get("type") == "Recreate":
            return 0
        return new_size(spec.get("replicas", 1), Fence.of(spec), Count(0, 0), [_count(found) for found in old])

    def _make_set(self, deployment: Json, revision: str, size: int) -> Json:
        world, meta, spec = self._world, deployment["metadata"], deployment["spec"]
        stamp = template_hash(spec["template"])
        marks = {k: v for k, v in (meta.get("annotations") or {}).items() if k not in _NOT_COPIED}
        template = _with_hash(spec["template"], stamp)
        selector = spec["selector"]
        patience: Json = {"minReadySeconds": spec["minReadySeconds"]} if spec.get("minReadySeconds") else {}
        made = world.create(
            REPLICA_SET,
            {
                "metadata": {
                    "name": f"{meta['name']}-{stamp}",
                    "namespace": meta["namespace"],
                    "labels": {**template["metadata"]["labels"]},
                    "annotations": {**marks, **self._sizes(deployment), REVISION: revision},
                    "ownerReferences": [owner_reference(DEPLOYMENT, deployment)],
                },
                "spec": {
                    "replicas": size,
                    **patience,
                    "selector": {
                        **selector,
                        "matchLabels": {**(selector.get("matchLabels") or {}), pods.TEMPLATE_HASH: stamp},
                    },
                    "template": template,
                },
                "status": {"replicas": 0},
            },
        )
        if size:
            message = f"Scaled up replica set {made['metadata']['name']} from 0 to {size}"
            world.events.say(DEPLOYMENT, deployment, "ScalingReplicaSet", message, component=_COMPONENT)
        return made

    # Moving

    def _roll(self, deployment: Json, new: Json, old: list[Json]) -> None:
        desired, fence = deployment["spec"].get("replicas", 1), Fence.of(deployment["spec"])
        size = new_size(desired, fence, _count(new), [_count(found) for found in old])
        if size != _count(new).wanted:
            self._resize(deployment, new, size)
            return
        standing = [found for found in old if _count(found).wanted]
        for found, wanted in zip(
            standing, old_sizes(desired, fence, _count(new), [_count(s) for s in standing]), strict=True
        ):
            self._resize(deployment, found, wanted)

    def _recreate(self, deployment: Json, new: Json, old: list[Json]) -> None:
        for found in old:
            self._resize(deployment, found, 0)
        if not any(self._world.owned.of(found["metadata"]["uid"], POD) for found in old):
            self._resize(deployment, new, deployment["spec"].get("replicas", 1))

    def _was_scaled(self, deployment: Json, sets: list[Json]) -> bool:
        desired = str(deployment["spec"].get("replicas", 1))
        return any(
            found["spec"].get("replicas", 1) and pods.notes(found).get(_DESIRED, desired) != desired for found in sets
        )

    def _scale(self, deployment: Json, new: Json | None, old: list[Json]) -> None:
        """Follow a new number of replicas; in the middle of a rollout all sets take their share."""
        desired = deployment["spec"].get("replicas", 1)
        every = [*old, *([new] if new is not None else [])]
        active = [found for found in every if found["spec"].get("replicas", 1)]
        if len(active) <= 1:
            target = active[0] if active else new
            if target is not None:
                self._resize(deployment, target, desired)
            return
        allowed = desired + Fence.of(deployment["spec"]).surge if desired else 0
        if new is not None and _count(new).available >= desired:
            sizes = [desired if found is new else 0 for found in active]
        else:
            sizes = proportional([found["spec"].get("replicas", 1) for found in active], allowed)
        for found, size in zip(active, sizes, strict=True):
            self._resize(deployment, found, size)
        self._note_sizes(deployment, active)

    def _resize(self, deployment: Json, found: Json, size: int) -> None:
        world, before = self._world, found["spec"].get("replicas", 1)
        name = found["metadata"]["name"]
        if size == before:
            self._note_size(deployment, found)
            return
        marks = {**pods.notes(found), **self._sizes(deployment)}
        metadata = {**found["metadata"], "annotations": marks}
        world.store.update(REPLICA_SET, {**found, "metadata": metadata, "spec": {**found["spec"], "replicas": size}})
        direction = "up" if size > before else "down"
        message = f"Scaled {direction} replica set {name} from {before} to {size}"
        world.events.say(DEPLOYMENT, deployment, "ScalingReplicaSet", message, component=_COMPONENT)

    def _note_sizes(self, deployment: Json, sets: list[Json]) -> None:
        for found in self._fresh(sets):
            self._note_size(deployment, found)

    def _note_size(self, deployment: Json, found: Json) -> None:
        marks = {**pods.notes(found), **self._sizes(deployment)}
        if marks != pods.notes(found) and found["spec"].get("replicas", 1):
            self._world.store.update(REPLICA_SET, {**found, "metadata": {**found["metadata"], "annotations": marks}})

    def _sizes(self, deployment: Json) -> dict[str, str]:
        desired = deployment["spec"].get("replicas", 1)
        return {_DESIRED: str(desired), _MAXIMUM: str(desired + Fence.of(deployment["spec"]).surge)}

    def _clean_up(self, deployment: Json, new: Json | None, every: list[Json]) -> None:
        """Forget old, empty ReplicaSets beyond revisionHistoryLimit."""
        limit = deployment["spec"].get("revisionHistoryLimit", 10)
        past = [s for s in every if new is None or s["metadata"]["uid"] != new["metadata"]["uid"]]
        empty = [s for s in past if not s["spec"].get("replicas", 1) and not (s.get("status") or {}).get("replicas")]
        surplus = len(past) - limit
        for found in sorted(empty, key=_revision)[: max(0, surplus)]:
            self._world.store.delete(REPLICA_SET, found["metadata"]["namespace"], found["metadata"]["name"])


def _count(found: Json) -> Count:
    return Count(found["spec"].get("replicas", 1), (found.get("status") or {}).get("availableReplicas", 0))


def _revision(found: Json) -> int:
    return int(pods.notes(found).get(REVISION, "0"))


def _with_hash(template: Json, stamp: str) -> Json:
    meta = template.get("metadata") or {}
    return {**template, "metadata": {**meta, "labels": {**(meta.get("labels") or {}), pods.TEMPLATE_HASH: stamp}}}


def _same_template(ours: Json, wanted: Json) -> bool:
    meta = ours.get("metadata") or {}
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != pods.TEMPLATE_HASH}
    theirs = wanted.get("metadata") or {}
    same_meta = labels == {k: v for k, v in (theirs.get("labels") or {}).items() if k != pods.TEMPLATE_HASH}
    same_notes = (meta.get("annotations") or {}) == (theirs.get("annotations") or {})
    return same_meta and same_notes and ours.get("spec") == wanted.get("spec")
