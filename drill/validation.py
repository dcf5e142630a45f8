"""Why the API server refuses an object: the rules that an operator meets, in a real server's words (422)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from drill import naming, statuses
from drill.kinds import Kind
from drill.validation_pods import Cause, invalid, missing, pod_spec, supported

Json = dict[str, Any]
TEMPLATED: Final = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
_LABEL_NAMED: Final = ("Namespace", "ServiceAccount")
_PATH_NAMED: Final = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
_STRATEGIES: Final = {"Deployment": ("strategy", ("Recreate", "RollingUpdate"))}
_PROTOCOLS: Final = ("TCP", "UDP", "SCTP")
_SERVICES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_RANGE: Final = "must be between 1 and 65535, inclusive"
_LIMIT: Final = 1024 * 1024  # bytes of a ConfigMap or a Secret


def causes(kind: Kind, obj: Json) -> list[Cause]:
    """Everything that is wrong with an object."""
    found = _metadata(kind, obj["metadata"])
    spec: Json = obj.get("spec") or {}
    if kind.custom:
        return found
    if kind.kind == "Pod":
        return found + pod_spec(spec, "spec")
    if kind.kind in TEMPLATED:
        return found + _workload(kind, spec)
    if kind.kind in ("ConfigMap", "Secret"):
        return found + _data(obj)
    if kind.kind == "Service" and "spec" in obj:
        return found + _service(spec)
    return found + (_network_policy(spec) if kind.kind == "NetworkPolicy" else [])


def replicas(value: int, field: str = "spec.replicas") -> list[Cause]:
    """Why a number of replicas is refused."""
    return [invalid(field, value, "must be greater than or equal to 0")] if value < 0 else []


def _metadata(kind: Kind, metadata: Json) -> list[Cause]:
    name = metadata.get("name") or ""
    causes: list[Cause] = []
    if not name and not metadata.get("generateName"):
        causes.append(("FieldValueRequired", "metadata.name", "Required value: name or generateName is required"))
    rule = naming.subdomain
    if kind.kind in _LABEL_NAMED and kind.kind == "Namespace":
        rule = naming.label
    elif kind.kind in _PATH_NAMED or kind.kind == "Event":
        rule = naming.path_segment
    elif kind.kind == "Service":
        rule = naming.service
    causes += [invalid("metadata.name", name, why) for why in (rule(name) if name else ())]
    for field in ("labels", "annotations"):
        for key, value in (metadata.get(field) or {}).items():
            shown = key if field == "labels" else key.lower()
            causes += [invalid(f"metadata.{field}", key, why) for why in naming.qualified(shown)]
            if field == "labels":
                causes += [invalid("metadata.labels", value, why) for why in naming.label_value(value)]
    for at, finalizer in enumerate(metadata.get("finalizers") or ()):
        causes += [invalid(f"metadata.finalizers[{at}]", finalizer, why) for why in naming.qualified(finalizer)]
    return causes


def _data(obj: Json) -> list[Cause]:
    causes: list[Cause] = []
    size = 0
    for field in ("data", "binaryData"):
        for key, value in (obj.get(field) or {}).items():
            causes += [invalid(f"{field}[{key}]", key, why) for why in naming.config_key(key)]
            size += len(value)
    if size > _LIMIT:
        causes.append(("FieldValueTooLong", "", f"Too long: may not be more than {_LIMIT} bytes"))
    return causes


def check_base64(kind: Kind, data: Json) -> None:
    """Refuse with 400, as the decoder does, what is not base64."""
    for value in data.values():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            at = next((i for i, char in enumerate(value) if not (char.isalnum() or char in "+/=")), len(value))
            raise statuses.bad_request(
                f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: illegal base64 data at '
                f"input byte {at}"
            ) from None


def _workload(kind: Kind, spec: Json) -> list[Cause]:
    causes: list[Cause] = []
    if isinstance(spec.get("replicas"), int):
        causes += replicas(spec["replicas"])
    selector = spec.get("selector")
    template: Json = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector is None:
        causes.append(missing("spec.selector"))
    else:
        wrong = label_selector(selector, "spec.selector")
        causes += wrong
        if any(field.startswith("spec.selector.matchExpressions") for _, field, _ in wrong):
            shown = json.dumps(selector, separators=(",", ":"))
            causes.append(invalid("spec.selector", shown, "invalid label selector", quoted=False))
        if not selector:
            causes.append(invalid("spec.selector", "{}", "empty selector is invalid for deployment", quoted=False))
    readable = not any("invalid label selector" in why for _, _, why in causes)
    if selector is None or (selector and readable and not _matches(selector, labels)):
        shown = json.dumps(labels, separators=(",", ":"), sort_keys=True) if labels else "null"
        why = "`selector` does not match template `labels`"
        causes.append(invalid("spec.template.metadata.labels", shown, why, quoted=False))
    causes += pod_spec(template.get("spec") or {}, "spec.template.spec", template=True)
    ready, deadline = spec.get("minReadySeconds", 0), spec.get("progressDeadlineSeconds")
    causes += _strategy(kind, spec)
    if ready < 0:
        causes.append(invalid("spec.minReadySeconds", ready, "must be greater than or equal to 0"))
    if deadline is not None and deadline <= ready:
        causes.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return causes


def _strategy(kind: Kind, spec: Json) -> list[Cause]:
    name, known = _STRATEGIES.get(kind.kind, ("", ()))
    strategy = spec.get(name) or {}
    if not strategy:
        return []
    field, wanted = f"spec.{name}", strategy.get("type", "RollingUpdate")
    if wanted not in known:
        return [supported(field, json.dumps(strategy, separators=(",", ":")), known, quoted=False)]
    rolling = strategy.get("rollingUpdate")
    if wanted == "Recreate":
        if rolling is None:
            return []
        why = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        return [("FieldValueForbidden", f"{field}.rollingUpdate", why)]
    causes: list[Cause] = []
    for part in ("maxUnavailable", "maxSurge"):
        value = (rolling or {}).get(part)
        if isinstance(value, str) and not (value.endswith("%") and value[:-1].isdigit()):
            why = (
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
                "regex used for validation is '[0-9]+%')"
            )
            causes.append(invalid(f"{field}.rollingUpdate.{part}", value, why))
    if not causes and all((rolling or {}).get(part) in (0, "0%") for part in ("maxUnavailable", "maxSurge")):
        unavailable = (rolling or {})["maxUnavailable"]
        why = "may not be 0 when `maxSurge` is 0"
        causes.append(invalid(f"{field}.rollingUpdate.maxUnavailable", unavailable, why))
    return causes


def label_selector(selector: Json, field: str) -> list[Cause]:
    """Why a metav1.LabelSelector is refused."""
    causes: list[Cause] = []
    for key, value in (selector.get("matchLabels") or {}).items():
        causes += [invalid(f"{field}.matchLabels", key, why) for why in naming.qualified(key)]
        causes += [invalid(f"{field}.matchLabels", value, why) for why in naming.label_value(value)]
    for at, term in enumerate(selector.get("matchExpressions") or ()):
        place, operator = f"{field}.matchExpressions[{at}]", term.get("operator")
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            causes.append(invalid(f"{place}.operator", operator, "not a valid selector operator"))
        elif operator in ("In", "NotIn") and not term.get("values"):
            why = "Required value: must be specified when `operator` is 'In' or 'NotIn'"
            causes.append(("FieldValueRequired", f"{place}.values", why))
    return causes


def _matches(selector: Json, labels: Json) -> bool:
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for term in selector.get("matchExpressions") or ():
        has, values = labels.get(term.get("key")), term.get("values") or ()
        right = {"In": has in values, "NotIn": has not in values, "Exists": has is not None}
        if not right.get(term.get("operator"), has is None):
            return False
    return bool(selector)


def _service(spec: Json) -> list[Cause]:
    causes: list[Cause] = []
    ports, kind = spec.get("ports") or [], spec.get("type", "ClusterIP")
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        causes.append(missing("spec.ports"))
    for at, port in enumerate(ports):
        field = f"spec.ports[{at}]"
        if len(ports) > 1 and not port.get("name"):
            causes.append(missing(f"{field}.name"))
        if not 1 <= port.get("port", 0) <= 65535:
            causes.append(invalid(f"{field}.port", port.get("port", 0), _RANGE))
        if port.get("protocol", "TCP") not in _PROTOCOLS:
            causes.append(supported(f"{field}.protocol", port["protocol"], ("SCTP", "TCP", "UDP")))
        target = port.get("targetPort", port.get("port", 0))
        if isinstance(target, int) and not 1 <= target <= 65535:
            causes.append(invalid(f"{field}.targetPort", target, _RANGE))
        elif isinstance(target, str):
            causes += [invalid(f"{field}.targetPort", target, why) for why in naming.port_name(target)]
    if kind not in _SERVICES:
        causes.append(supported("spec.type", kind, _SERVICES))
    return causes


def _network_policy(spec: Json) -> list[Cause]:
    causes = label_selector(spec.get("podSelector") or {}, "spec.podSelector")
    types = spec.get("policyTypes") or ()
    if len(types) > 2:
        why = "may not specify more than two policyTypes"
        causes.append(invalid("spec.policyTypes", json.dumps(types), why, quoted=False))
    return causes + [
        supported(f"spec.policyTypes[{at}]", one, ("Ingress", "Egress"))
        for at, one in enumerate(types)
        if one not in ("Ingress", "Egress")
    ]
