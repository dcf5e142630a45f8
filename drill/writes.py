"""Creating, replacing, patching and deleting: from a request's body to the store, with dry runs and preconditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from drill import admission, apply, evictions, forms, kinds, patches, scales, statuses
from drill.calls import APPLY, Call
from drill.kinds import Kind
from drill.reads import number
from drill.records import Record, ordered_metadata
from drill.routes import Target
from drill.selectors import selection
from drill.store import ObjectStore

Json = dict[str, Any]

MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
_RETURNED: Final = frozenset(
    {"Pod", "Service", "ServiceAccount", "PersistentVolume", "PersistentVolumeClaim", "Namespace"}
)
_SERVER_SET: Final = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a write: an HTTP status, and a record or another body."""

    code: int
    record: Record | None = None
    body: Json | None = None
    records: tuple[Record, ...] | None = None


class Writes:
    """Carries out the calls."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._namespaces = kinds.kind("namespaces")

    # Creating

    def create(self, call: Call) -> Outcome:
        """POST to a collection. Raises NotFound for a missing namespace, AlreadyExists, Invalid."""
        kind = call.target.kind
        obj = call.object()
        for field in _SERVER_SET:
            obj["metadata"].pop(field, None)
        if "status" in kind.subresources and kind.kind not in ("Node", "Namespace"):
            obj.pop("status", None)
        return self._create(call, obj, track=True)

    def _create(self, call: Call, obj: Json, *, track: bool) -> Outcome:
        kind, store = call.target.kind, self._store
        if kind.namespaced and store.record(self._namespaces, None, call.target.namespace) is None:
            raise statuses.not_found(self._namespaces, call.target.namespace)
        obj = _initial(kind, admission.admit(kind, _stored_form(kind, obj)))
        manager = call.manager if track else None
        if call.dry:
            record = store.prepare(kind, obj, manager=manager)
            return Outcome(201, _without_version(record))
        created = store.create(kind, obj, manager=manager)
        return Outcome(201, self._record(kind, created))

    # Changing

    def update(self, call: Call) -> Outcome:
        """PUT. Raises NotFound, Conflict, Invalid."""
        kind = call.target.kind
        obj = call.object()
        current = self._current(call.target)
        obj["metadata"].pop("managedFields", None)
        if current.metadata.get("managedFields"):
            obj["metadata"]["managedFields"] = current.metadata["managedFields"]
        return self._update(call, current, _stored_form(kind, obj))

    def patch(self, call: Call) -> Outcome:
        """PATCH of any type. Raises NotFound, Conflict, Invalid, UnsupportedMediaType."""
        kind, media = call.target.kind, call.media
        if media in APPLY:
            return self._apply(call)
        if media not in (MERGE, JSON_PATCH, STRATEGIC) or (media == STRATEGIC and kind.custom):
            raise statuses.unsupported_media_type()
        current = self._current(call.target)
        shown = forms.converted(current, kind)
        patched = patch_with(kind, shown, call)
        if patched.get("kind") != kind.kind or patched.get("apiVersion") != kind.api_version:
            raise statuses.bad_request("the patch changes the kind or the API version of the object")
        return self._update(call, current, _stored_form(kind, patched))

    def _update(self, call: Call, current: Record, obj: Json, *, track: bool = True) -> Outcome:
        kind, subresource = call.target.kind, call.target.subresource or None
        given = obj["metadata"].get("resourceVersion")
        if given not in (None, "", current.metadata["resourceVersion"]):
            raise statuses.conflict(kind, current.name)
        admission.check_update(kind, current.object, obj)
        if subresource is None:
            obj = admission.admit(kind, obj)
        manager = call.manager if track else None
        if call.dry:
            revised = self._store.revise(current, obj, subresource=subresource, manager=manager)
            return Outcome(200, _at_version(revised, current.version))
        updated = self._store.update(kind, obj, subresource=subresource, manager=manager)
        record = self._store.record(kind, current.namespace, current.name)
        return Outcome(200, record or Record(current.kind, current.version, updated))

    def _apply(self, call: Call) -> Outcome:
        kind, target = call.target.kind, call.target
        if not call.query.get("fieldManager"):
            raise statuses.invalid_options("fieldManager", "Required value: is required for apply patch")
        config = call.object()
        if config["metadata"].get("managedFields"):
            raise statuses.bad_request("metadata.managedFields must be nil")
        uid = config["metadata"].get("uid")
        current = self._store.record(kind, target.namespace, target.name)
        if current is None and (target.subresource or uid):
            raise statuses.not_found(kind, target.name)
        applied = apply.apply(
            kind,
            forms.converted(current, kind) if current is not None else None,
            config,
            manager=call.manager,
            force=call.query.get("force") in ("true", "1"),
            now=self._store.now(),
            subresource=target.subresource,
        )
        if current is None:
            return self._create(call, applied, track=False)
        return self._update(call, current, _stored_form(kind, applied), track=False)

    # Scale

    def scale(self, call: Call, method: str) -> Outcome:
        """GET, PUT and PATCH of the scale subresource; the answer is a Scale."""
        kind = call.target.kind
        current = self._current(call.target)
        shown = scales.scale_of(current)
        if method == "GET":
            return Outcome(200, body=shown)
        if method == "PUT":
            wanted = call.decoded()
        elif call.media in (MERGE, JSON_PATCH, STRATEGIC):
            wanted = patch_with(kind, shown, call)
        else:
            raise statuses.unsupported_media_type()
        replicas = scales.replicas_of(wanted, current)
        metadata = wanted.get("metadata") or {}
        version, uid = metadata.get("resourceVersion"), metadata.get("uid")
        if uid not in (None, "", current.uid):
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {current.uid}"
            raise statuses.conflict(kind, current.name, why)
        if version not in (None, "", current.metadata["resourceVersion"]):
            raise statuses.conflict(kind, current.name)
        obj = {**current.object, "spec": {**current.object["spec"], "replicas": replicas}}
        if call.dry:
            revised = self._store.revise(current, obj, manager=call.manager, through="scale")
            revised = _at_version(revised, current.version)
        else:
            self._store.update(kind, obj, manager=call.manager, through="scale")
            revised = self._current(call.target)
        return Outcome(200, body=scales.scale_of(revised))

    # Deleting

    def delete(self, call: Call) -> Outcome:
        """DELETE of one object. Raises NotFound, Conflict (preconditions)."""
        options = self._delete_options(call)
        current = self._current(call.target)
        preconditions = options.get("preconditions") or {}
        for field, shown in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            wanted, has = preconditions.get(field), current.metadata[field]
            if wanted not in (None, has):
                why = f"Precondition failed: {shown} in precondition: {wanted}, {shown} in object meta: {has}"
                raise statuses.conflict(call.target.kind, current.name, why)
        last = current if call.dry or _dry(options) else self._delete(current, options)
        if call.target.kind.kind in _RETURNED or last.metadata.get("finalizers"):
            return Outcome(200, last)
        details: Json = {"name": current.name}
        if call.target.kind.group:
            details["group"] = call.target.kind.group
        details |= {"kind": call.target.kind.plural, "uid": current.uid}
        return Outcome(
            200,
            body={"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details},
        )

    def delete_collection(self, call: Call) -> Outcome:
        """DELETE of what the selectors match; the answer lists it."""
        options = self._delete_options(call)
        wanted = selection(call.target.kind, call.query.get("labelSelector", ""), call.query.get("fieldSelector", ""))
        matching = [
            record
            for record in self._store.records(call.target.kind, call.target.namespace or None)
            if wanted.matches(record)
        ]
        if not call.dry and not _dry(options):
            for record in matching:
                self._delete(record, options)
        return Outcome(200, records=tuple(matching))

    def _delete(self, record: Record, options: Json) -> Record:
        orphan = options.get("propagationPolicy") == "Orphan" or options.get("orphanDependents") is True
        if orphan:
            self._orphan(record.uid)
        grace = options.get("gracePeriodSeconds")
        last = self._store.delete(record.kind, record.namespace, record.name, grace_seconds=grace)
        return Record(record.kind, record.version, last)

    def _orphan(self, owner: str) -> None:
        """Take the owner's reference from its dependents, so that the garbage collector leaves them."""
        for kind in kinds.KINDS:
            if kind.stored_as is not None or "update" not in kind.verbs:
                continue
            for obj in self._store.list(kind):
                references = obj["metadata"].get("ownerReferences") or []
                kept = [reference for reference in references if reference.get("uid") != owner]
                if len(kept) != len(references):
                    self._store.update(kind, {**obj, "metadata": {**obj["metadata"], "ownerReferences": kept}})

    @staticmethod
    def _delete_options(call: Call) -> Json:
        options: Json = {}
        if call.body.strip():
            decoded = call.decoded()
            options = decoded if isinstance(decoded, dict) else {}
        if "gracePeriodSeconds" in call.query:
            options["gracePeriodSeconds"] = number(call.query, "gracePeriodSeconds")
        if "propagationPolicy" in call.query:
            options["propagationPolicy"] = call.query["propagationPolicy"]
        return options

    # Pods

    def bind(self, call: Call) -> Outcome:
        """POST of a Binding: what a scheduler does."""
        pod = self._current(call.target)
        binding = call.decoded()
        node = (binding.get("target") or {}).get("name", "")
        if (pod.object.get("spec") or {}).get("nodeName"):
            raise statuses.conflict(pod.kind, pod.name, f"pod {pod.name} is already assigned to node")
        if not call.dry:
            self._store.update(pod.kind, {**pod.object, "spec": {**pod.object["spec"], "nodeName": node}})
        return Outcome(
            201, body={"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        )

    def evict(self, call: Call) -> Outcome:
        """POST of an Eviction: a delete that disruption budgets may refuse with 429."""
        pod = self._current(call.target)
        eviction = call.decoded() if call.body.strip() else {}
        options = eviction.get("deleteOptions") or {}
        dry = call.dry or _dry(options)
        evictions.admit(self._store, pod, options, dry=dry)
        if not dry:
            self._delete(pod, options)
        return Outcome(
            201, body={"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        )

    # Within

    def _current(self, target: Target) -> Record:
        record = self._store.record(target.kind, target.namespace, target.name)
        if record is None:
            raise statuses.not_found(target.kind, target.name)
        return record

    def _record(self, kind: Kind, obj: Json) -> Record:
        metadata = obj["metadata"]
        found = self._store.record(kind, metadata.get("namespace"), metadata["name"])
        # A subscriber may have changed or removed it already; the answer is what was created.
        if found is not None and found.object is obj:
            return found
        return Record(kinds.stored(kind), int(metadata["resourceVersion"]), obj)


def _dry(options: Json) -> bool:
    """Whether a DeleteOptions says dryRun."""
    return "All" in (options.get("dryRun") or ())


def patch_with(kind: Kind, shown: Json, call: Call) -> Json:
    """``shown`` after the call's JSON, merge or strategic merge patch. Raises BadRequest, Invalid."""
    patch = call.decoded()
    try:
        if call.media == JSON_PATCH:
            patched = patches.json_patch(shown, patch)
        elif not isinstance(patch, dict):
            raise statuses.bad_request("the patch is not an object")
        elif call.media == MERGE:
            patched = patches.merge(shown, patch)
        else:
            patched = patches.strategic(kind.kind, shown, patch)
    except patches.PatchFailed as error:
        if call.media == JSON_PATCH:
            raise statuses.rejected(
                f"the server rejected our request due to an error in our request: {error}"
            ) from None
        raise statuses.bad_request(str(error)) from None
    if not isinstance(patched, dict) or not isinstance(patched.get("metadata"), dict):
        raise statuses.rejected("it leaves no object")
    name, namespace = shown["metadata"]["name"], shown["metadata"].get("namespace")
    if patched["metadata"].get("name") != name or patched["metadata"].get("namespace") != namespace:
        raise statuses.bad_request("the name of the object does not match the name on the URL")
    return patched


def _initial(kind: Kind, obj: Json) -> Json:
    """A new object with the status that the server itself gives it."""
    if kind.kind == "Pod":
        return {**obj, "status": {"phase": "Pending", "qosClass": "Burstable"}}
    if kind.kind == "Namespace":
        labels = {**(obj["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": obj["metadata"].get("name")}
        metadata = {**obj["metadata"], "labels": labels}
        return {**obj, "metadata": metadata, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    if kind.kind == "Service":
        return {**obj, "status": {"loadBalancer": {}}}
    if "status" in kind.subresources and not kind.custom and "status" not in obj:
        return {**obj, "status": {}}
    return obj


def _stored_form(kind: Kind, obj: Json) -> Json:
    """An object of a second view as the kind that is stored."""
    if kind.kind == "Event":
        return forms.to_core_event(obj) if kind.group else forms.complete_event(obj)
    return obj


def _without_version(record: Record) -> Record:
    metadata = {key: value for key, value in record.metadata.items() if key != "resourceVersion"}
    return Record(record.kind, record.version, {**record.object, "metadata": metadata})


def _at_version(record: Record, version: int) -> Record:
    metadata = ordered_metadata({**record.metadata, "resourceVersion": str(version)})
    return Record(record.kind, version, {**record.object, "metadata": metadata})
