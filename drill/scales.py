"""The scale subresource: a workload seen as an autoscaling/v1 Scale, and what a Scale asks of it."""

from __future__ import annotations

from typing import Any

from drill import admission, statuses
from drill.columns import label_selector, pairs
from drill.records import Record

Json = dict[str, Any]


def scale_of(record: Record) -> Json:
    """The autoscaling/v1 Scale of a workload."""
    spec, status, metadata = record.object.get("spec") or {}, record.object.get("status") or {}, record.metadata
    selector = spec.get("selector") or {}
    shown: Json = {"replicas": status.get("replicas", 0)}
    if selector:
        shown["selector"] = pairs(selector) if record.kind.kind == "ReplicationController" else label_selector(selector)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            key: metadata[key]
            for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
            if key in metadata
        },
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": shown,
    }


def replicas_of(scale: Any, record: Record) -> int:
    """The replicas that a Scale asks for. Raises Invalid for a negative number, BadRequest for nonsense."""
    replicas = ((scale.get("spec") or {}) if isinstance(scale, dict) else {}).get("replicas", 0)
    if not isinstance(replicas, int):
        raise statuses.bad_request("spec.replicas is not a number")
    if replicas < 0:
        cause = ("FieldValueInvalid", "spec.replicas", admission.negative(replicas))
        raise statuses.invalid(record.kind, record.name, [cause], kind_name="Scale", group="autoscaling")
    return replicas
