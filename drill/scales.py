"""The scale subresource: a workload seen as an autoscaling/v1 Scale, and what a Scale asks of it."""

from __future__ import annotations

from typing import Any

from drill import statuses, validation, validation_pods
from drill.columns import label_selector, pairs
from drill.patches import go_type
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


def replacement(scale: Any, name: str) -> Json:
    """A Scale that was sent whole, for the workload of this name. Raises BadRequest."""
    if not isinstance(scale, dict):
        raise statuses.bad_request("the object provided is unrecognized (must be of type Scale)")
    given = (scale.get("metadata") or {}).get("name")
    if not given:
        raise statuses.bad_request(
            f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )
    if given != name:
        raise statuses.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
    return scale


def replicas_of(scale: Any, record: Record) -> int:
    """The replicas that a Scale asks for. Raises Invalid for a negative number, BadRequest for nonsense."""
    replicas = ((scale.get("spec") or {}) if isinstance(scale, dict) else {}).get("replicas", 0)
    if not isinstance(replicas, int):
        told = go_type(replicas)
        raise statuses.bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal '
            f"{told} into Go struct field ScaleSpec.spec.replicas of type int32"
        )
    causes = validation.replicas(replicas)
    if not (scale.get("metadata") or {}).get("namespace"):
        causes = [validation_pods.missing("metadata.namespace"), *causes]
    if causes:
        raise statuses.invalid(record.kind, record.name, causes, kind_name="Scale", group="autoscaling")
    return replicas
