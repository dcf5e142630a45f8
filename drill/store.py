"""The platform's objects in memory: what etcd and the watch cache are to a Kubernetes API server.

One global resourceVersion, optimistic concurrency, a bounded history per kind for watches, and every object's
JSON encoded at most once. Single-threaded: everything happens on the event loop, callbacks are synchronous.
"""

from __future__ import annotations

import random
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from drill import kinds, ownership, statuses
from drill.kinds import Kind
from drill.records import Change, Record, Shelf, grace_period, ordered_metadata

Json = dict[str, Any]
Objects = list[Json]
Records = list[Record]
Changes = list[Change]
Subscriber = Callable[[str, Kind, Json, Json | None], None]

EVERYTHING: Final = "*"  # as a subresource of `update`: spec, status and metadata at once; only controllers may
_NAME_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"  # as k8s.io/apimachinery/pkg/util/rand: no vowels, no words
_SNAPSHOTS_KEPT: Final = 64  # several clients page at once while everything changes
_SNAPSHOTS_LAST: Final = 120.0  # seconds; each keeps the versions alive that were current when it was taken
_FIXED: Final = ("name", "generateName", "namespace", "uid", "creationTimestamp", "deletionTimestamp")
_COLLECTORS: Final = ("orphan", "foregroundDeletion")  # the garbage collector's own finalizers


def rfc3339(at: float) -> str:
    """``2026-11-23T07:37:59Z``: the form of metav1.Time."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def generated_name(prefix: str, chance: random.Random) -> str:
    """What the API server makes of a generateName: the prefix and five random characters."""
    return prefix + "".join(chance.choice(_NAME_ALPHABET) for _ in range(5))


class ObjectStore:
    """Objects by kind, namespace and name. Dicts that come out are frozen by agreement: copy before changing.

    Dicts that go in belong to the store afterwards. Cluster-scoped objects have the namespace ``""`` (None means the
    same, except for `list` and `records`, where it means every namespace). A kind that is a second view of another
    (events.k8s.io) is stored, reported and handed out as that other; converting is the server's affair.

    ``history`` is how many changes per kind a watch can catch up on; older ones answer 410.
    ``clock`` gives seconds since the epoch; ``seed`` decides UIDs and generated names, so that the same writes make the
    same objects. Refusals are `statuses.ApiError`.
    """

    def __init__(
        self, *, history: int = 8192, clock: Callable[[], float] = time.time, seed: int | str | None = None
    ) -> None:
        self.clock = clock
        self._chance = random.Random(seed)  # noqa: S311 (no secret hangs on it)
        self._history = history
        self._version = 1
        self._shelves: dict[Kind, Shelf] = {}
        self._subscribers: dict[object, Subscriber] = {}
        self._snapshots: OrderedDict[tuple[Kind, str | None, int], tuple[float, Records]] = OrderedDict()
        self._compacted = 0
        self._unreported: deque[Change] = deque()
        self._reporting = False

    @property
    def version(self) -> int:
        """The resourceVersion of the last write."""
        return self._version

    def now(self) -> str:
        """The store's clock, as metav1.Time."""
        return rfc3339(self.clock())

    # Reading

    def get(self, kind: Kind, namespace: str | None, name: str) -> Json | None:
        record = self.record(kind, namespace, name)
        return None if record is None else record.object

    def list(self, kind: Kind, namespace: str | None = None) -> Objects:
        """All objects, in the order of namespace and name; of one namespace if given."""
        return [record.object for record in self._shelf(kind).records(namespace)]

    def record(self, kind: Kind, namespace: str | None, name: str) -> Record | None:
        return self._shelf(kind).objects.get(namespace or "", {}).get(name)

    def records(self, kind: Kind, namespace: str | None = None) -> Records:
        return [*self._shelf(kind).records(namespace)]

    # Writing

    def create(self, kind: Kind, obj: Json, *, now: float | None = None, manager: str | None = None) -> Json:
        """Store a new object and return it as stored. ``now`` backdates its creation (seconds since the epoch).

        A generateName gets its five characters. Raises AlreadyExists.
        """
        record = self.prepare(kind, obj, now=now, manager=manager)
        self._commit("ADDED", record, None)
        return record.object

    def prepare(self, kind: Kind, obj: Json, *, now: float | None = None, manager: str | None = None) -> Record:
        """What `create` would store, with all its checks, without storing it: a dry run."""
        kind = kinds.stored(kind)
        given = obj.get("metadata") or {}
        name = given.get("name") or generated_name(given.get("generateName") or "", self._chance)
        namespace = (given.get("namespace") or "") if kind.namespaced else ""
        there = self.record(kind, namespace, name)
        if there is not None:
            raise statuses.already_exists(kind, name, going=bool(there.metadata.get("deletionTimestamp")))
        metadata = {
            **given,
            "name": name,
            "namespace": namespace,
            "uid": str(uuid.UUID(int=self._chance.getrandbits(128), version=4)),
            "resourceVersion": str(self._version + 1),
            "creationTimestamp": rfc3339(self.clock() if now is None else now),
            "generation": 1 if kind.generation else None,
            "deletionTimestamp": None,
            "deletionGracePeriodSeconds": None,
        }
        content = self._content(kind, obj, ordered_metadata(metadata))
        if manager is not None:
            ownership.track(kind, None, content, manager, self.now())
        return Record(kind, self._version + 1, content)

    def update(
        self,
        kind: Kind,
        obj: Json,
        *,
        subresource: str | None = None,
        manager: str | None = None,
        through: str = "",
    ) -> Json:
        """Replace an object and return it as stored; nothing is written when nothing changed.

        ``subresource`` None replaces all but the status, ``"status"`` only the status, `EVERYTHING` both.
        A resourceVersion or uid in ``obj.metadata`` must match. The generation grows when the spec changes, a
        Deployment's also with its annotations. An
        object that is being deleted goes when its last finalizer does. ``manager`` keeps metadata.managedFields,
        with ``through`` as the subresource (scale) that the spec was changed through.

        Raises NotFound, Conflict.
        """
        given = obj["metadata"]
        current = self.record(kind, given.get("namespace"), given["name"])
        if current is None:
            raise statuses.not_found(kind, given["name"])
        record = self.revise(current, obj, subresource=subresource, manager=manager, through=through, view=kind)
        if record is current:
            return current.object
        metadata = record.metadata
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers") and current.metadata.get("finalizers"):
            return self._erase(record)
        self._commit("MODIFIED", record, current)
        return record.object

    def revise(
        self,
        current: Record,
        obj: Json,
        *,
        subresource: str | None = None,
        manager: str | None = None,
        through: str = "",
        view: Kind | None = None,
    ) -> Record:
        """What `update` would store, without storing it; ``current`` itself when nothing would change.

        ``view`` is the kind as which it was written, whose version the owner of the fields is noted with.
        """
        kind, old = current.kind, current.object
        given, had = obj["metadata"], current.metadata
        if given.get("resourceVersion") not in (None, "", had["resourceVersion"]):
            raise statuses.conflict(kind, current.name)
        if given.get("uid") not in (None, "", had["uid"]):
            raise statuses.conflict(
                kind,
                current.name,
                f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {had['uid']}",
            )
        if subresource == "status":
            content = {**old}
            if "status" in obj:
                content["status"] = obj["status"]
            metadata = {**had, "managedFields": given.get("managedFields", had.get("managedFields"))}
        else:
            content = self._content(kind, obj, given)  # whose metadata is put in order below
            if subresource is None and "status" in kind.subresources:
                content.pop("status", None)
                if "status" in old:
                    content["status"] = old["status"]
            metadata = {**given, **{key: had.get(key) for key in _FIXED}}
            metadata["deletionGracePeriodSeconds"] = had.get("deletionGracePeriodSeconds")
        metadata["resourceVersion"] = had["resourceVersion"]
        metadata["generation"] = had.get("generation")
        noted = kind is kinds.kind("deployments") and subresource is None
        if kind.generation and (
            content.get("spec") != old.get("spec")
            or (noted and (metadata.get("annotations") or {}) != (had.get("annotations") or {}))
        ):
            metadata["generation"] = had.get("generation", 0) + 1
        content["metadata"] = ordered_metadata(metadata)
        if content == old:
            return current
        if manager is not None:
            part = "status" if subresource == "status" else through
            ownership.track(view or kind, old, content, manager, self.now(), part)
        content["metadata"]["resourceVersion"] = str(self._version + 1)
        return Record(kind, self._version + 1, content)

    def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        grace_seconds: int | None = None,
        uid: str | None = None,
        finalizer: str | None = None,
        dry: bool = False,
    ) -> Json:
        """Delete an object, or mark it as being deleted; returns its last or its marked state, ``dry`` only that.

        A pod on a node is marked and given ``grace_seconds`` (default: its own, else 30; 0 is at once); whoever plays
        the kubelet calls `remove`. Finalizers are waited for, ``finalizer`` too, which is the garbage collector's. A
        namespace takes everything in it along.

        Raises NotFound, and Conflict for another uid.
        """
        current = self.record(kind, namespace, name)
        if current is None:
            raise statuses.not_found(kind, name)
        if uid is not None and uid != current.uid:
            raise statuses.conflict(
                kind, name, f"Precondition failed: UID in precondition: {uid}, UID in object meta: {current.uid}"
            )
        grace = grace_period(current, grace_seconds)
        finalizers = [*(current.metadata.get("finalizers") or ())]
        if finalizer is not None and finalizer not in finalizers:
            finalizers = [*(one for one in finalizers if one not in _COLLECTORS), finalizer]
        if grace == 0 and not finalizers:
            last = current.object if dry else self.remove(kind, namespace, name)
            if current.kind is not kinds.kind("pods") or current.metadata.get("deletionTimestamp"):
                return last
            ended = {"deletionTimestamp": self.now(), "deletionGracePeriodSeconds": 0}
            return {**last, "metadata": ordered_metadata({**last["metadata"], **ended})}
        marked = current.metadata.get("deletionTimestamp")
        if marked and grace >= current.metadata.get("deletionGracePeriodSeconds", 0):
            return current.object
        metadata = {
            **current.metadata,
            "resourceVersion": str(self._version + 1),
            "deletionTimestamp": rfc3339(self.clock() + grace),
            "deletionGracePeriodSeconds": grace,
            "finalizers": finalizers,
        }
        if current.kind.generation and not marked:
            metadata["generation"] = metadata.get("generation", 0) + 1
        if dry:
            metadata["resourceVersion"] = current.metadata["resourceVersion"]
            return {**current.object, "metadata": ordered_metadata(metadata)}
        record = Record(current.kind, self._version + 1, {**current.object, "metadata": ordered_metadata(metadata)})
        self._commit("MODIFIED", record, current)
        return record.object

    def remove(self, kind: Kind, namespace: str | None, name: str) -> Json:
        """Take an object away for good, whatever its finalizers say; returns its last state. Raises NotFound."""
        current = self.record(kind, namespace, name)
        if current is None:
            raise statuses.not_found(kind, name)
        if current.kind is kinds.kind("namespaces"):
            for shelf in [*self._shelves.values()]:
                for record in [*shelf.records(name)]:
                    self._erase(record)
        return self._erase(current)

    # Following

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call ``callback(type, kind, object, old)`` after every write; the result ends that.

        The type is ADDED, MODIFIED or DELETED; for DELETED the object is the last state. Calls come in the order of
        the writes, all of them before the outermost write returns. A callback may write.
        """
        token = object()
        self._subscribers[token] = callback

        def unsubscribe() -> None:
            self._subscribers.pop(token, None)

        return unsubscribe

    def watch(self, kind: Kind, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Like `subscribe`, for the changes of one kind, as `Change`s. The callback must not write."""
        shelf, token = self._shelf(kind), object()
        shelf.watchers[token] = callback

        def unwatch() -> None:
            shelf.watchers.pop(token, None)

        return unwatch

    def since(self, kind: Kind, version: int) -> Changes:
        """The changes of a kind after a resourceVersion, oldest first. Raises Expired (410) when they are forgotten."""
        shelf = self._shelf(kind)
        if version < shelf.floor:
            raise statuses.too_old(version, shelf.floor)
        return shelf.since(version)

    def snapshot(self, kind: Kind, namespace: str | None, version: int) -> Records:
        """What `records` gave when the resourceVersion was ``version``, if `keep` kept it. Raises Expired (410)."""
        kept = self._snapshots.get((kinds.stored(kind), namespace, version))
        if kept is None:
            raise statuses.continue_expired()
        return kept[1]

    def as_of(self, kind: Kind, namespace: str | None, version: int) -> Records:
        """What `records` gave when the resourceVersion was ``version``. Raises Expired (410) when it is forgotten."""
        shelf = self._shelf(kind)
        if version < shelf.floor:
            raise statuses.list_expired()
        return shelf.as_of(namespace, version)

    def keep(self, kind: Kind, namespace: str | None, version: int, records: Records) -> None:
        """Keep the records of a resourceVersion for the next pages of a paged list; the oldest snapshot is let go."""
        key = (kinds.stored(kind), namespace, version)
        now = time.monotonic()
        self._snapshots[key] = now, records
        self._snapshots.move_to_end(key)
        while len(self._snapshots) > _SNAPSHOTS_KEPT or now - next(iter(self._snapshots.values()))[0] > _SNAPSHOTS_LAST:
            self._snapshots.popitem(last=False)

    def compact(self) -> None:
        """Forget the history and the snapshots: older watches and continue tokens answer 410 from now on."""
        self._snapshots.clear()
        self._compacted = self._version
        for shelf in self._shelves.values():
            shelf.forget(self._version)

    # Within

    def _shelf(self, kind: Kind) -> Shelf:
        shelf = self._shelves.get(kind)
        if shelf is None:
            kind_stored = kinds.stored(kind)
            shelf = self._shelves.get(kind_stored)
            if shelf is None:
                shelf = self._shelves[kind_stored] = Shelf(kind_stored, self._history)
                shelf.floor = self._compacted
            self._shelves[kind] = shelf
        return shelf

    @staticmethod
    def _content(kind: Kind, obj: Json, metadata: Json) -> Json:
        content: Json = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
        for key, value in obj.items():
            if key not in content:
                content[key] = value
        return content

    def _erase(self, record: Record) -> Json:
        version = self._version + 1
        content = {**record.object, "metadata": {**record.metadata, "resourceVersion": str(version)}}
        self._commit("DELETED", Record(record.kind, version, content), record)
        return content

    def _commit(self, change_type: str, record: Record, old: Record | None) -> None:
        self._version = record.version
        shelf = self._shelf(record.kind)
        if change_type == "DELETED":
            shelf.drop(record)
        else:
            shelf.put(record)
        change = Change(change_type, record, old)
        shelf.remember(change)
        self._unreported.append(change)
        if self._reporting:
            return
        self._reporting = True
        try:
            while self._unreported:
                reported = self._unreported.popleft()
                before = None if reported.old is None else reported.old.object
                for subscriber in [*self._subscribers.values()]:
                    subscriber(reported.type, reported.record.kind, reported.record.object, before)
        finally:
            self._reporting = False
