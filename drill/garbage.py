"""Garbage collection by ownerReferences: what an owner leaves behind goes too, unless it was asked to stay."""

from __future__ import annotations

from typing import Any, Final

from drill.kinds import Kind
from drill.owners import Place, owner_uids, place_of
from drill.world import WorkQueue, World

Json = dict[str, Any]


_MANAGER: Final = "kube-controller-manager"


class Garbage:
    """The garbage collector: background, foreground (``foregroundDeletion``) and orphaning (``orphan``) deletion."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._orphaned: WorkQueue[str] = WorkQueue(world.clock, self._collect)
        self._waiting: WorkQueue[Place] = WorkQueue(world.clock, self._finalize)
        self._owners_waiting: dict[str, Place] = {}  # owners that go after their last dependent

    def observe(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        meta = obj["metadata"]
        if change == "DELETED":
            if self._world.owned.places(meta["uid"]):
                self._orphaned.add(meta["uid"])
            for uid in owner_uids(obj):
                owner = self._owners_waiting.get(uid)
                if owner is not None:
                    self._waiting.add(owner)
        elif meta.get("deletionTimestamp") and meta.get("finalizers"):
            self._waiting.add(place_of(kind, obj))

    def _collect(self, uid: str) -> None:
        """The owner is gone: its dependents go, those that have another owner only lose the reference."""
        for place in self._world.owned.places(uid):
            self._let_go(place, uid, delete=True)

    def _finalize(self, place: Place) -> None:
        owner = self._world.store.get(*place)
        if owner is None:
            return
        meta = owner["metadata"]
        finalizers = meta.get("finalizers") or []
        dependents = self._world.owned.places(meta["uid"])
        if "orphan" in finalizers:
            for dependent in dependents:
                self._let_go(dependent, meta["uid"], delete=False)
            self._drop_finalizer(place, owner, "orphan")
        elif "foregroundDeletion" in finalizers:
            self._owners_waiting[meta["uid"]] = place
            for dependent in dependents:
                obj = self._world.store.get(*dependent)
                if obj is not None and not obj["metadata"].get("deletionTimestamp"):
                    self._world.store.delete(*dependent)
            if not self._world.owned.places(meta["uid"]):
                del self._owners_waiting[meta["uid"]]
                self._drop_finalizer(place, owner, "foregroundDeletion")

    def _let_go(self, place: Place, uid: str, *, delete: bool) -> None:
        obj = self._world.store.get(*place)
        if obj is None:
            return
        references = [r for r in obj["metadata"].get("ownerReferences") or () if r["uid"] != uid]
        if delete and not references:
            if not obj["metadata"].get("deletionTimestamp"):
                self._world.store.delete(*place)
            return
        metadata = {**obj["metadata"], "ownerReferences": references}
        self._world.store.update(place[0], {**obj, "metadata": metadata}, manager=_MANAGER)

    def _drop_finalizer(self, place: Place, owner: Json, finalizer: str) -> None:
        left = [name for name in owner["metadata"].get("finalizers") or () if name != finalizer]
        self._world.store.update(place[0], {**owner, "metadata": {**owner["metadata"], "finalizers": left}})
