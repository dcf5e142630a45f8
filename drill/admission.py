"""What the API server does to an object before storing it: refuses what is invalid, fills in stored_form.

Only the rules that an operator meets; their words are a real server's (422 with causes).
"""

from __future__ import annotations

import base64
import re
import secrets
from typing import Any, Final

from drill import statuses, stored_form
from drill.kinds import Kind

Json = dict[str, Any]
Cause = tuple[str, str, str]  # reason, field, message

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?\Z")
_NAME_RULE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_TEMPLATED: Final = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")


def admit(kind: Kind, obj: Json) -> Json:
    """The object as it will be stored, sharing what needed no default. Raises Invalid."""
    _check(kind, obj)
    spec = obj.get("spec")
    if kind.kind == "Secret":
        return _secret(obj)
    if not isinstance(spec, dict):
        return obj
    match kind.kind:
        case "Pod":
            filled = {"serviceAccountName": "default", "enableServiceLinks": True, **stored_form.pod_spec(spec)}
            return {**obj, "spec": filled}
        case "Deployment":
            return stored_form.deployment(obj)
        case "StatefulSet":
            return stored_form.stateful_set(obj)
        case "DaemonSet":
            return stored_form.daemon_set(obj)
        case "ReplicaSet":
            template = {**spec["template"], "spec": stored_form.pod_spec(spec["template"]["spec"])}
            return {**obj, "spec": {"replicas": 1, **spec, "template": template}}
        case "Service" if spec.get("type") != "ExternalName":
            address = spec.get("clusterIP") or f"10.0.{secrets.randbelow(254) + 1}.{secrets.randbelow(254) + 1}"
            status = {"status": obj["status"]} if "status" in obj else {}
            return {**stored_form.service(obj, address), **status}
        case _:
            return obj


def _secret(secret: Json) -> Json:
    filled = {**secret, "type": secret.get("type", "Opaque")}
    plain = filled.pop("stringData", None)
    if isinstance(plain, dict):
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        filled["data"] = {**(filled.get("data") or {}), **encoded}
    return filled


def negative(value: int) -> str:
    """The message about a number that must not be negative."""
    return f"Invalid value: {value}: must be greater than or equal to 0"


def _check(kind: Kind, obj: Json) -> None:
    metadata, spec = obj["metadata"], obj.get("spec")
    name = metadata.get("name") or ""
    causes: list[Cause] = []
    if not name and not metadata.get("generateName"):
        causes.append(("FieldValueRequired", "metadata.name", "Required value: name or generateName is required"))
    elif name and not _NAME.match(name) and kind.group != "rbac.authorization.k8s.io":
        causes.append(("FieldValueInvalid", "metadata.name", f'Invalid value: "{name}": {_NAME_RULE}'))
    if isinstance(spec, dict):
        replicas = spec.get("replicas")
        if isinstance(replicas, int) and replicas < 0:
            causes.append(("FieldValueInvalid", "spec.replicas", negative(replicas)))
        if kind.kind == "Pod":
            causes += _check_containers(spec, "spec")
        if kind.kind in _TEMPLATED:
            causes += _check_template(spec)
    elif kind.kind in ("Pod", *_TEMPLATED):
        causes.append(("FieldValueRequired", "spec", "Required value"))
    if causes:
        raise statuses.invalid(kind, name, causes)


def _check_containers(spec: Any, field: str) -> list[Cause]:
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(containers, list) or not containers:
        return [("FieldValueRequired", f"{field}.containers", "Required value")]
    return [
        ("FieldValueRequired", f"{field}.containers[{at}].{required}", "Required value")
        for at, container in enumerate(containers)
        for required in ("name", "image")
        if not isinstance(container, dict) or not isinstance(container.get(required), str)
    ]


def _check_template(spec: Json) -> list[Cause]:
    template = spec.get("template")
    if not isinstance(template, dict):
        return [("FieldValueRequired", "spec.template", "Required value")]
    causes: list[Cause] = []
    selector = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not spec.get("selector"):
        causes.append(("FieldValueRequired", "spec.selector", "Required value"))
    elif any(labels.get(key) != value for key, value in selector.items()):
        shown = "{" + ",".join(f'"{key}":"{value}"' for key, value in sorted(labels.items())) + "}"
        message = f"Invalid value: {shown}: `selector` does not match template `labels`"
        causes.append(("FieldValueInvalid", "spec.template.metadata.labels", message))
    return causes + _check_containers(template.get("spec"), "spec.template.spec")


def check_update(kind: Kind, old: Json, new: Json) -> None:
    """Refuse with 422 changes of what is immutable."""
    name, had, given = old["metadata"]["name"], old["metadata"], new["metadata"]
    uid = given.get("uid")
    if uid not in (None, "", had["uid"]):
        cause = ("FieldValueInvalid", "metadata.uid", f'Invalid value: "{uid}": field is immutable')
        raise statuses.invalid(kind, name, [cause, cause])  # twice, as recorded
    if kind.kind in _TEMPLATED:
        before, after = (old.get("spec") or {}).get("selector"), (new.get("spec") or {}).get("selector")
        if before != after:
            cause = ("FieldValueInvalid", "spec.selector", f"Invalid value: {after}: field is immutable")
            raise statuses.invalid(kind, name, [cause])
