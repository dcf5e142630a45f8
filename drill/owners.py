"""Who owns whom by metadata.ownerReferences, kept as an index, and the garbage collection that follows from it."""

from __future__ import annotations

from typing import Any

from drill.kinds import Kind
from drill.store import ObjectStore

Json = dict[str, Any]
Place = tuple[Kind, str, str]  # kind, namespace, name


def owner_reference(kind: Kind, owner: Json) -> Json:
    """The reference by which a controller marks what it made."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Json) -> Json | None:
    """The owner reference with ``controller: true``, or None for an orphan."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return None


def owner_uids(obj: Json) -> list[str]:
    return [reference["uid"] for reference in obj["metadata"].get("ownerReferences") or ()]


def place_of(kind: Kind, obj: Json) -> Place:
    meta = obj["metadata"]
    return kind, meta.get("namespace") or "", meta["name"]


class Owners:
    """Dependents by their owner's UID, kept up to date by `observe`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._dependents: dict[str, dict[Place, None]] = {}

    def observe(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        if change == "MODIFIED" and old is not None:
            references = obj["metadata"].get("ownerReferences")
            if references is old["metadata"].get("ownerReferences"):
                return  # a new status, most of all
        before = owner_uids(old) if old is not None else []
        after = [] if change == "DELETED" else owner_uids(obj)
        if before == after and change != "DELETED":
            return
        place = place_of(kind, obj)
        for uid in {*before, *owner_uids(obj)}:
            if uid not in after:
                dependents = self._dependents.get(uid)
                if dependents is not None:
                    dependents.pop(place, None)
                    if not dependents:
                        del self._dependents[uid]
        for uid in after:
            self._dependents.setdefault(uid, {})[place] = None

    def places(self, uid: str) -> list[Place]:
        return [*self._dependents.get(uid, ())]

    def of(self, uid: str, kind: Kind) -> list[Json]:
        """The living dependents of one kind."""
        found = (self._store.get(*place) for place in self._dependents.get(uid, ()) if place[0] is kind)
        return [obj for obj in found if obj is not None]
