"""What the API server makes of an object before storing it: defaults, its plugins' additions, what never changes.

Why an object is refused is `validation`'s affair.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final
from zlib import crc32

from drill import pods, statuses, stored_form, validation
from drill.kinds import Kind
from drill.validation_pods import invalid

Json = dict[str, Any]
Cause = tuple[str, str, str]  # reason, field, message
# The counts that a new status shows though nobody has counted yet.
_COUNTS: Final = {
    "PodDisruptionBudget": ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"),
    "ReplicaSet": ("replicas",),
    "StatefulSet": ("replicas", "availableReplicas"),
    "DaemonSet": ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"),
}
_POD_MAY_CHANGE: Final = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")


def defaulted(kind: Kind, obj: Json, old: Json | None = None) -> Json:
    """The object with its defaults, sharing what needed none. Raises Invalid, also for changes that ``old`` forbids."""
    if kind.kind == "Secret":
        obj = _secret(kind, obj)
    if kind.kind == "Pod" and old is not None and isinstance(obj.get("spec"), dict):
        obj = {**obj, "spec": pods.readmitted(old.get("spec") or {}, obj["spec"])}
    causes = validation.causes(kind, obj) + (_changes(kind, old, obj) if old is not None else [])
    if causes:
        raise statuses.invalid(kind, obj["metadata"].get("name") or "", causes)
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return obj
    match kind.kind:
        case "Pod":
            filled = stored_form.requested(stored_form.pod_spec(spec))
            return {**obj, "spec": {"enableServiceLinks": True, **filled}}
        case "Deployment":
            return stored_form.deployment(obj)
        case "StatefulSet":
            return stored_form.stateful_set(obj)
        case "DaemonSet":
            return stored_form.daemon_set(obj)
        case "ReplicaSet":
            template = {**spec["template"], "spec": stored_form.pod_spec(spec["template"]["spec"])}
            return {**obj, "spec": {"replicas": 1, **spec, "template": template}}
        case "NetworkPolicy":
            return {**obj, "spec": stored_form.network_policy(spec)}
        case "Service" if spec.get("type") != "ExternalName":
            return stored_form.service_defaults(obj)
        case _:
            return obj


def completed(kind: Kind, obj: Json) -> Json:
    """A new object with what admission plugins and the server itself add, which nobody owns: addresses, a status."""
    if kind.kind == "Pod":
        spec = pods.admitted(obj["spec"])
        return {**obj, "spec": spec, "status": {"phase": "Pending", "qosClass": pods.qos_class(spec)}}
    if kind.kind == "Namespace":
        labels = {**(obj["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": obj["metadata"].get("name")}
        metadata = {**obj["metadata"], "labels": labels}
        return {**obj, "metadata": metadata, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    if kind.kind == "Service" and isinstance(obj.get("spec"), dict):
        if obj["spec"].get("type") != "ExternalName":
            address = obj["spec"].get("clusterIP") or _address(obj["metadata"])
            obj = stored_form.service(obj, address)
        return {**obj, "status": {"loadBalancer": {}}}
    if "status" in kind.subresources and not kind.custom and "status" not in obj:
        return {**obj, "status": dict.fromkeys(_COUNTS.get(kind.kind, ()), 0)}
    return obj


def _address(metadata: Json) -> str:
    """A Service's address: by its name, so that it has the same one in every run of a drill."""
    number = crc32(f"{metadata.get('namespace')}/{metadata.get('name')}".encode()) % (254 * 254)
    return f"10.0.{number // 254 + 1}.{number % 254 + 1}"


def _secret(kind: Kind, secret: Json) -> Json:
    filled = {**secret, "type": secret.get("type", "Opaque")}
    plain = filled.pop("stringData", None)
    if isinstance(plain, dict):
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        filled["data"] = {**(filled.get("data") or {}), **encoded}
    validation.check_base64(kind, filled.get("data") or {})
    return filled


def check_uid(kind: Kind, old: Json, new: Json) -> None:
    """Refuse with 422 another UID than the object has."""
    uid, had = new["metadata"].get("uid"), old["metadata"]
    if uid not in (None, "", had["uid"]):
        cause = invalid("metadata.uid", uid, "field is immutable")
        raise statuses.invalid(kind, had["name"], [cause, cause])  # twice, as recorded


def _changes(kind: Kind, old: Json, new: Json) -> list[Cause]:
    """What is changed that must not be."""
    had, given = old["metadata"], new["metadata"]
    causes: list[Cause] = []
    if had.get("deletionTimestamp"):
        added = sorted({*(given.get("finalizers") or ())} - {*(had.get("finalizers") or ())})
        if added:
            shown = "[]string{" + ", ".join(f'"{one}"' for one in added) + "}"
            why = "no new finalizers can be added if the object is being deleted, found new finalizers"
            causes.append(("FieldValueForbidden", "metadata.finalizers", f"Forbidden: {why} {shown}"))
    before, after = old.get("spec"), new.get("spec")
    if kind.kind in validation.TEMPLATED and isinstance(before, dict) and isinstance(after, dict):
        causes += _selector(before.get("selector"), after.get("selector"))
    if kind.kind == "Pod" and isinstance(before, dict) and isinstance(after, dict):
        causes += _pod(before, after)
    if kind.kind == "Service" and isinstance(before, dict) and isinstance(after, dict):
        address = after.get("clusterIP")
        if address not in (None, "", before.get("clusterIP")) and before.get("clusterIP"):
            shown = json.dumps([address], separators=(",", ":"))
            causes.append(invalid("spec.clusterIPs[0]", shown, "may not change once set", quoted=False))
    if kind.kind == "Secret" and new.get("type", old.get("type")) != old.get("type"):
        causes.append(invalid("type", new["type"], "field is immutable"))
    if kind.kind in ("ConfigMap", "Secret") and old.get("immutable"):
        why = "Forbidden: field is immutable when `immutable` is set"
        causes += [("FieldValueForbidden", "immutable", why)] if not new.get("immutable") else []
        causes += [
            ("FieldValueForbidden", field, why)
            for field in ("data", "binaryData")
            if (old.get(field) or {}) != (new.get(field) or {})
        ]
    return causes


def _selector(before: Any, after: Any) -> list[Cause]:
    if before == after:
        return []
    shown = json.dumps(after, separators=(",", ":")) if after is not None else "null"
    return [invalid("spec.selector", shown, "field is immutable", quoted=False)]


def _pod(before: Json, after: Json) -> list[Cause]:
    """Of a pod's spec only the images, and a few numbers, may change."""

    def fixed(spec: Json) -> Json:
        kept = {key: value for key, value in stored_form.pod_spec(spec).items() if key not in _POD_MAY_CHANGE}
        for name in ("containers", "initContainers", "ephemeralContainers"):
            kept[name] = [{**one, "image": ""} for one in kept.get(name) or []]
        return kept

    had = before.get("tolerations") or []
    if fixed(before) == fixed(after) and all(one in (after.get("tolerations") or []) for one in had):
        return []
    why = (
        "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
        "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
    )
    return [("FieldValueForbidden", "spec", why)]
