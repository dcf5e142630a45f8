"""What controllers ask of a pod, and the pod they make of a template. Pods are dicts as the store hands them out."""

from __future__ import annotations

from typing import Any, Final

from drill import stored_form
from drill.clock import Clock
from drill.kinds import Kind
from drill.owners import owner_reference

Json = dict[str, Any]

TEMPLATE_HASH: Final = "pod-template-hash"


def condition(obj: Json, kind: str) -> Json | None:
    """The condition of that type in an object's status, or None."""
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found["type"] == kind:
            return dict(found)
    return None


def is_true(obj: Json, kind: str) -> bool:
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found["type"] == kind:
            return bool(found["status"] == "True")
    return False


def is_ready(pod: Json) -> bool:
    return is_true(pod, "Ready")


def is_terminating(pod: Json) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_active(pod: Json) -> bool:
    """Neither finished nor being deleted: what a controller counts as one of its replicas."""
    return phase(pod) not in ("Succeeded", "Failed") and not is_terminating(pod)


def phase(pod: Json) -> str:
    found: str = (pod.get("status") or {}).get("phase", "Pending")
    return found


def is_available(pod: Json, min_ready_seconds: float, clock: Clock) -> bool:
    """Ready for at least so long (a Deployment's ``minReadySeconds``)."""
    ready = condition(pod, "Ready")
    if ready is None or ready["status"] != "True":
        return False
    return min_ready_seconds <= 0 or clock.world(ready["lastTransitionTime"]) + min_ready_seconds <= clock.now


def restarts(pod: Json) -> int:
    return sum(status.get("restartCount", 0) for status in (pod.get("status") or {}).get("containerStatuses") or ())


def labels(obj: Json) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def notes(obj: Json) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def from_template(kind: Kind, owner: Json, template: Json, *, name: str, generated: bool = True) -> Json:
    """A pod of a workload's template, owned by it; ``generated`` says that the name came of a prefix."""
    meta = template.get("metadata") or {}
    metadata: Json = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": dict(meta.get("labels") or {}),
        "annotations": dict(meta.get("annotations") or {}),
        "ownerReferences": [owner_reference(kind, owner)],
    }
    if generated:
        metadata["generateName"] = owner["metadata"]["name"] + "-"
    spec = stored_form.requested(template.get("spec") or {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "enableServiceLinks": True,
            **admitted(spec),
        },
        "status": {"phase": "Pending", "qosClass": qos_class(spec)},
    }


def admitted(spec: Json) -> Json:
    """A pod's spec with what the admission plugins for service accounts, priorities and tolerations add."""
    own = spec.get("tolerations") or []
    account = spec.get("serviceAccountName") or "default"
    return {
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
        **spec,
        "serviceAccountName": account,
        "serviceAccount": account,
        "tolerations": [*own, *_impatience(own)],
    }


def readmitted(before: Json, spec: Json) -> Json:
    """A changed pod's spec with what the plugins see to again: its priority, and its tolerations of lost nodes."""
    kept: Json = {name: before[name] for name in ("priority", "preemptionPolicy") if name in before}
    own = spec.get("tolerations") or []
    patience = {"tolerations": [*own, *_impatience(own)]} if before.get("tolerations") else {}
    return {**kept, **spec, **patience}


def _impatience(own: list[Json]) -> list[Json]:
    """What the admission plugin DefaultTolerationSeconds adds, beside tolerations that a pod has."""
    return [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
        if not any(one.get("key", key) == key and one.get("effect") in (None, "", "NoExecute") for one in own)
    ]


def qos_class(spec: Json) -> str:
    """Guaranteed, Burstable or BestEffort, by the containers' requests and limits."""
    guaranteed, anything = True, False
    for container in spec.get("containers") or ():
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        anything = anything or bool(limits or requests)
        for name in ("cpu", "memory"):
            if name not in limits or requests.get(name, limits[name]) != limits[name]:
                guaranteed = False
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
