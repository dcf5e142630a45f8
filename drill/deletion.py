"""Deleting: preconditions, grace, finalizers for those who own something, one by one or a collection."""

from __future__ import annotations

from typing import Any, Final

from drill import options, statuses
from drill.calls import Call
from drill.records import Record
from drill.selectors import selection
from drill.store import ObjectStore

Json = dict[str, Any]
# Kinds whose deletion answers with the object; the others with a Status.
_RETURNED: Final = frozenset(
    {"Pod", "Service", "ServiceAccount", "PersistentVolume", "PersistentVolumeClaim", "Namespace"}
)
_FINALIZERS: Final = {"Orphan": "orphan", "Foreground": "foregroundDeletion"}


class Deletion:
    """Carries out what asks for something to go."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def one(self, call: Call) -> Record | Json:
        """DELETE of one object: it, or a Status. Raises NotFound, Conflict (preconditions), Invalid, BadRequest."""
        asked = self._options(call)
        kind = call.target.kind
        current = self._store.record(kind, call.target.namespace, call.target.name)
        if current is None:
            raise statuses.not_found(kind, call.target.name)
        preconditions = asked.get("preconditions") or {}
        for field, shown in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            wanted, has = preconditions.get(field), current.metadata[field]
            if wanted not in (None, has):
                raise statuses.precondition(kind, current.name, shown, str(wanted), has)
        last = self.remove(current, asked)
        if kind.kind in _RETURNED or last.metadata.get("finalizers"):
            return last
        details: Json = {"name": current.name} | ({"group": kind.group} if kind.group else {})
        details |= {"kind": kind.plural, "uid": current.uid}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def collection(self, call: Call) -> tuple[Record, ...]:
        """DELETE of what the selectors match; all of it as it was."""
        asked = self._options(call)
        kind, query = call.target.kind, call.query
        wanted = selection(kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        records = self._store.records(kind, call.target.namespace or None)
        matching = tuple(record for record in records if wanted.matches(record))
        if not asked.get("dryRun"):
            for record in matching:
                self.remove(record, asked)
        return matching

    def remove(self, record: Record, asked: Json) -> Record:
        """Delete with these DeleteOptions; the last or the marked state."""
        policy = asked.get("propagationPolicy") or ("Orphan" if asked.get("orphanDependents") else "")
        last = self._store.delete(
            record.kind,
            record.namespace,
            record.name,
            grace_seconds=asked.get("gracePeriodSeconds"),
            finalizer=_FINALIZERS.get(policy),
            dry=bool(asked.get("dryRun")),
        )
        return Record(record.kind, record.version, last)

    @staticmethod
    def _options(call: Call) -> Json:
        return options.of_deletion(call.query, call.decoded() if call.body.strip() else None)
