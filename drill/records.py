"""The store's parts: one version of an object, one change of it, and the shelf of a kind."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from drill.kinds import Kind

Json = dict[str, Any]

# The order in which a recorded server writes metadata; others follow.
_METADATA_ORDER: Final = (
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
)
_METADATA_LEFT: Final = frozenset((*_METADATA_ORDER, "selfLink"))  # in their order already, empty, or never kept
_DEFAULT_GRACE: Final = 30  # seconds, of a pod that names none
_EMPTY: Final[Json] = {}
_FRESH: Final = 512  # changes whose watch lines are kept, for who comes back after a moment


def encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def ordered_metadata(metadata: Json) -> Json:
    """The same metadata in the server's order, without what is empty."""
    get = metadata.get
    ordered: Json = {key: value for key in _METADATA_ORDER if (value := get(key)) or value == 0}
    if len(ordered) < len(metadata):
        for key, value in metadata.items():
            if key not in _METADATA_LEFT:
                ordered[key] = value
    return ordered


class Record:
    """One version of one object, never changed. Its JSON is made when first asked for and kept.

    ``views`` keeps what others derive from this version (its Table cells, its form in another API version).
    """

    __slots__ = ("_encoded", "kind", "name", "namespace", "object", "version", "views")

    def __init__(self, kind: Kind, version: int, content: Json) -> None:
        metadata = content["metadata"]
        self.kind = kind
        self.version = version
        self.namespace: str = metadata.get("namespace", "")
        self.name: str = metadata["name"]
        self.object = content
        self.views: dict[object, Any] = {}
        self._encoded: bytes | None = None

    @property
    def metadata(self) -> Json:
        metadata: Json = self.object["metadata"]
        return metadata

    @property
    def uid(self) -> str:
        uid: str = self.object["metadata"]["uid"]
        return uid

    @property
    def labels(self) -> Json:
        labels: Json = self.object["metadata"].get("labels") or _EMPTY
        return labels

    @property
    def encoded(self) -> bytes:
        """The object's JSON, beginning with kind and apiVersion."""
        if self._encoded is None:
            self._encoded = encode(self.object)
        return self._encoded

    def let_go(self) -> None:
        """Forget what was derived: the version is not the current one any more, and few will ask for it again."""
        self._encoded = None
        self.views.clear()


def grace_period(record: Record, asked: int | None) -> int:
    """Seconds that an object may live on after its deletion: of a pod on a node those asked for, or its own."""
    spec, status = record.object.get("spec") or {}, record.object.get("status") or {}
    if record.kind.kind != "Pod" or not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    own: int = spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE)
    return own if asked is None else max(asked, 0)


class Change:
    """One write: ADDED, MODIFIED or DELETED, the record after it (for DELETED the last state) and before it."""

    __slots__ = ("lines", "old", "record", "type")

    def __init__(self, change_type: str, record: Record, old: Record | None) -> None:
        self.type = change_type
        self.record = record
        self.old = old
        self.lines: dict[object, bytes] = {}  # watch lines, by the form they are in: made once, sent to every watcher

    @property
    def version(self) -> int:
        return self.record.version


class Shelf:
    """All objects of one kind, by namespace and name, and what happened to them lately."""

    def __init__(self, kind: Kind, history: int) -> None:
        self.kind = kind
        self.objects: dict[str, dict[str, Record]] = {}
        self.history: deque[Change] = deque(maxlen=history)
        self.floor = 0  # a watch may start at this resourceVersion or a later one
        self.watchers: dict[object, Callable[[Change], None]] = {}
        self._names: dict[str, list[str]] = {}  # sorted, because lists come in the order of keys

    def put(self, record: Record) -> None:
        space = self.objects.get(record.namespace)
        if space is None:
            space = self.objects[record.namespace] = {}
            self._names[record.namespace] = []
        if record.name not in space:
            insort(self._names[record.namespace], record.name)
        space[record.name] = record

    def drop(self, record: Record) -> None:
        space = self.objects[record.namespace]
        del space[record.name]
        names = self._names[record.namespace]
        del names[bisect_left(names, record.name)]
        if not space:
            del self.objects[record.namespace], self._names[record.namespace]

    def records(self, namespace: str | None) -> Iterator[Record]:
        """In the order of namespace and name; ``namespace`` None means all."""
        for space in sorted(self.objects) if namespace is None else (namespace,):
            objects = self.objects.get(space)
            if objects is not None:
                yield from [objects[name] for name in self._names[space]]

    def remember(self, change: Change) -> None:
        if len(self.history) == self.history.maxlen:
            self.floor = self.history[0].version
        self.history.append(change)
        if change.old is not None and change.old is not change.record:
            change.old.let_go()
        if len(self.history) > _FRESH:
            self.history[-_FRESH].lines.clear()
        for watcher in [*self.watchers.values()]:
            watcher(change)

    def forget(self, version: int) -> None:
        """Drop the history up to ``version``, as etcd's compaction does."""
        while self.history and self.history[0].version <= version:
            self.history.popleft()
        self.floor = max(self.floor, version)

    def since(self, version: int) -> list[Change]:
        """The changes after ``version``, oldest first."""
        changes: list[Change] = []
        for change in reversed(self.history):
            if change.version <= version:
                break
            changes.append(change)
        changes.reverse()
        return changes

    def as_of(self, namespace: str | None, version: int) -> list[Record]:
        """The records as they were at a version that is not forgotten: what came after it, undone."""
        found = {(one.namespace, one.name): one for one in self.records(namespace)}
        for change in reversed(self.since(version)):
            place = (change.record.namespace, change.record.name)
            if namespace not in (None, place[0]):
                continue
            if change.old is None:
                found.pop(place, None)
            else:
                found[place] = change.old
        return [found[place] for place in sorted(found)]
