"""Creating, replacing, patching and deleting: from a request's body to the store, with dry runs and preconditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from drill import admission, apply, evictions, forms, kinds, options, ownership, patches, scales, statuses, typed
from drill.calls import APPLY, Call
from drill.deletion import Deletion
from drill.kinds import Kind
from drill.records import Record, encode, ordered_metadata
from drill.routes import Target
from drill.store import ObjectStore

Json = dict[str, Any]

MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
# Kinds whose replacement must say which version it replaces; the others may be replaced blindly.
_CONDITIONAL: Final = ("Lease", "PodDisruptionBudget")
_ACCOUNTS: Final = kinds.kind("serviceaccounts")
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
        self._deletion = Deletion(store)
        self._namespaces = kinds.kind("namespaces")

    # Creating

    def create(self, call: Call) -> Outcome:
        """POST to a collection. Raises NotFound for a missing namespace, AlreadyExists, Invalid."""
        kind = call.target.kind
        options.check("CreateOptions", call.query)
        obj = typed.of_body(kind, call.object())
        for field in _SERVER_SET:
            obj["metadata"].pop(field, None)
        if "status" in kind.subresources and kind.kind not in ("Node", "Namespace"):
            obj.pop("status", None)
        return self._create(call, obj, track=True)

    def _create(self, call: Call, obj: Json, *, track: bool) -> Outcome:
        kind, store = call.target.kind, self._store
        if kind.namespaced and store.record(self._namespaces, None, call.target.namespace) is None:
            raise statuses.not_found(self._namespaces, call.target.namespace)
        obj = admission.defaulted(kind, _stored_form(kind, obj))
        if kind.kind == "Pod":
            self._check_account(call.target.namespace, obj)
        if track:  # before the server's own additions, which belong to nobody
            obj["metadata"] = {**obj["metadata"]}
            ownership.track(kind, None, obj, call.manager, store.now())
        obj = admission.completed(kind, obj)
        if call.dry:
            return Outcome(201, _without_version(store.prepare(kind, obj)))
        return Outcome(201, self._record(kind, store.create(kind, obj)))

    def _check_account(self, namespace: str, pod: Json) -> None:
        """Refuse a pod whose service account does not exist. The default one is there sooner or later."""
        account = pod["spec"].get("serviceAccountName") or "default"
        if account != "default" and self._store.record(_ACCOUNTS, namespace, account) is None:
            why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
            raise statuses.not_admitted(kinds.kind("pods"), pod["metadata"].get("name") or "", why)

    # Changing

    def update(self, call: Call) -> Outcome:
        """PUT. Raises NotFound, Conflict, Invalid."""
        kind, name = call.target.kind, call.target.name
        options.check("UpdateOptions", call.query)
        given = call.object(named=False)
        if not given["metadata"].get("name"):
            raise statuses.bad_request(
                f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
            )
        obj = typed.of_body(kind, given)
        current = self._current(call.target)
        uid = obj["metadata"].get("uid")
        if uid not in (None, "", current.uid):
            raise statuses.another_uid(kind, call.target.namespace, name, uid, current.uid)
        if (kind.custom or kind.kind in _CONDITIONAL) and not obj["metadata"].get("resourceVersion"):
            raise statuses.version_needed(kind, name)
        obj["metadata"].pop("managedFields", None)
        if current.metadata.get("managedFields"):
            obj["metadata"]["managedFields"] = current.metadata["managedFields"]
        return self._update(call, current, _stored_form(kind, obj))

    def patch(self, call: Call) -> Outcome:
        """PATCH of any type. Raises NotFound, Conflict, Invalid, UnsupportedMediaType."""
        kind, media = call.target.kind, call.media
        if media in APPLY:
            return self._apply(call)
        if kind.custom and media not in (MERGE, JSON_PATCH):
            raise statuses.unknown_format(patch=True)
        if media not in (MERGE, JSON_PATCH, STRATEGIC):
            raise statuses.unsupported_media_type()
        options.check("PatchOptions", call.query)
        current = self._current(call.target)
        shown = forms.converted(current, kind)
        patched = patch_with(kind, shown, call)
        return self._update(call, current, _stored_form(kind, patched))

    def _update(self, call: Call, current: Record, obj: Json, *, track: bool = True) -> Outcome:
        kind, subresource = call.target.kind, call.target.subresource or None
        given = obj["metadata"].get("resourceVersion")
        if given not in (None, "", current.metadata["resourceVersion"]):
            raise statuses.conflict(kind, current.name)
        admission.check_uid(kind, current.object, obj)
        if subresource is None:
            obj = admission.defaulted(kind, obj, current.object)
        manager = call.manager if track else None
        if call.dry:
            revised = self._store.revise(current, obj, subresource=subresource, manager=manager, view=kind)
            return Outcome(200, _at_version(revised, current.version))
        updated = self._store.update(kind, obj, subresource=subresource, manager=manager)
        record = self._store.record(kind, current.namespace, current.name)
        if record is None:  # its last finalizer went: that was no new version of it
            record = _at_version(Record(current.kind, current.version, updated), current.version)
        return Outcome(200, record)

    def _apply(self, call: Call) -> Outcome:
        kind, target = call.target.kind, call.target
        options.check("PatchOptions", call.query, apply=True)
        config = typed.of_body(kind, call.configuration())
        if config["metadata"].get("managedFields"):
            raise statuses.bad_request("metadata.managedFields must be nil")
        uid = config["metadata"].get("uid")
        current = self._store.record(kind, target.namespace, target.name)
        if current is None and target.subresource:
            raise statuses.not_found(kind, target.name)
        if current is None and uid:
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise statuses.conflict(kind, target.name, why)
        applied = apply.apply(
            kind,
            forms.converted(current, kind) if current is not None else None,
            config,
            manager=call.manager,
            force=call.query.get("force") in ("true", "1"),
            now=self._store.now(),
            subresource=target.subresource,
        )
        applied = typed.of_body(kind, applied)
        if current is None:
            return self._create(call, applied, track=False)
        return self._update(call, current, _stored_form(kind, applied), track=False)

    # Scale

    def scale(self, call: Call, method: str) -> Outcome:
        """GET, PUT and PATCH of the scale subresource; the answer is a Scale."""
        kind, name = call.target.kind, call.target.name
        current = self._store.record(kind, call.target.namespace, name)
        if current is None:
            raise statuses.not_found(kind, name, "scale" if method == "GET" else "")
        shown = scales.scale_of(current)
        if method == "GET":
            return Outcome(200, body=shown)
        if method == "PUT":
            options.check("UpdateOptions", call.query)
            wanted = scales.replacement(call.decoded(), name)
        elif call.media in (MERGE, JSON_PATCH, STRATEGIC):
            options.check("PatchOptions", call.query)
            wanted = patch_with(kind, shown, call)
        else:
            raise statuses.unsupported_media_type()
        metadata = wanted.get("metadata") or {}
        version, uid = metadata.get("resourceVersion"), metadata.get("uid")
        if uid not in (None, "", current.uid):
            raise statuses.another_uid(kind, call.target.namespace, name, uid, current.uid)
        if version not in (None, "", current.metadata["resourceVersion"]):
            raise statuses.conflict(kind, current.name)
        replicas = scales.replicas_of(wanted, current)
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
        last = self._deletion.one(call)
        return Outcome(200, last) if isinstance(last, Record) else Outcome(200, body=last)

    def delete_collection(self, call: Call) -> Outcome:
        """DELETE of what the selectors match; the answer lists it."""
        return Outcome(200, records=self._deletion.collection(call))

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
        asked = eviction.get("deleteOptions") or {}
        dry = call.dry or "All" in (asked.get("dryRun") or ())
        evictions.admit(self._store, pod, asked, dry=dry)
        if not dry:
            self._deletion.remove(pod, asked)
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


def patch_with(kind: Kind, shown: Json, call: Call) -> Json:
    """``shown`` after the call's JSON, merge or strategic merge patch. Raises BadRequest, Invalid."""
    patch = call.decoded()
    try:
        if call.media == JSON_PATCH:
            patched = patches.json_patch(shown, patch)
        elif call.media == MERGE:
            patched = patches.merge(shown, patch)
        elif isinstance(patch, dict):
            patched = patches.strategic(kind.kind, shown, patch)
        else:
            raise statuses.bad_request(
                f"json: cannot unmarshal {patches.go_type(patch)} into Go value of type map[string]interface {{}}"
            )
    except patches.NoPatch as error:
        raise statuses.bad_request(str(error)) from None
    except patches.PatchFailed as error:
        if call.media == JSON_PATCH:
            raise statuses.rejected() from None
        raise statuses.unexpected(str(error)) from None
    name, namespace = shown["metadata"]["name"], shown["metadata"].get("namespace")
    patched = _read(kind, patched, shown)
    metadata = patched["metadata"]
    if metadata.get("name") != name:
        given = metadata.get("name", "")
        raise statuses.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
    if metadata.get("namespace") != namespace:
        given = metadata.get("namespace", "")
        raise statuses.bad_request(
            f"the namespace of the object ({given}) does not match the namespace on the request ({namespace})"
        )
    return patched


def _read(kind: Kind, patched: Any, shown: Json) -> Json:
    """What a patch has made, as the object that it must still be. Raises Invalid."""
    why = ""
    if not isinstance(patched, dict):
        why = f"json: cannot unmarshal {patches.go_type(patched)} into Go value of type struct"
    elif (patched.get("kind"), patched.get("apiVersion")) != (shown["kind"], shown["apiVersion"]):
        given = f"{patched.get('apiVersion', '')}, Kind={patched.get('kind', '')}"
        why = f"converting ({given}) to ({kind.api_version}, Kind={kind.kind}): unknown conversion"
    else:
        try:
            return typed.decoded(kind, patched)
        except typed.WrongType as error:
            why = str(error)
    raise statuses.unreadable_patch(encode(patched).decode(), why)


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
