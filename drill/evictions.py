"""Evictions: a delete that the pod's disruption budget may refuse (pkg/registry/core/pod/storage/eviction.go)."""

from __future__ import annotations

from typing import Any, Final

from drill import kinds, pods, statuses
from drill.label_selector import selects
from drill.records import Record
from drill.store import ObjectStore, rfc3339

Json = dict[str, Any]

BUDGET: Final = kinds.kind("poddisruptionbudgets")


def admit(store: ObjectStore, pod: Record, options: Json, *, dry: bool) -> None:
    """Let a pod's eviction pass, and take it off its budget. ``options`` are the eviction's DeleteOptions.

    Raises Conflict (preconditions), TooManyRequests (the budget), InternalError (more than one budget).
    """
    _check_preconditions(pod, options.get("preconditions") or {})
    if pods.is_terminating(pod.object) or pods.phase(pod.object) in ("Succeeded", "Failed", "Pending"):
        return
    found = [
        budget
        for budget in store.records(BUDGET, pod.namespace)
        if selects((budget.object.get("spec") or {}).get("selector"), pod.labels)
    ]
    if len(found) > 1:
        text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise statuses.ApiError(500, "InternalError", text)
    if found and not _is_out_anyway(pod.object, found[0].object):
        _take(store, pod, found[0], dry=dry)


def _check_preconditions(pod: Record, wanted: Json) -> None:
    for field, shown in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(field) not in (None, pod.metadata[field]):
            why = f"Precondition failed: {shown} in precondition: {wanted[field]}, "
            raise statuses.conflict(pod.kind, pod.name, f"{why}{shown} in object meta: {pod.metadata[field]}")


def _is_out_anyway(pod: Json, budget: Json) -> bool:
    """Whether a pod does not count for its budget: it is not ready, and the others suffice or do not matter."""
    if pods.is_ready(pod):
        return False
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    desired = status.get("desiredHealthy", 0)
    suffices = desired > 0 and status.get("currentHealthy", 0) >= desired
    return suffices or spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow"


def _take(store: ObjectStore, pod: Record, budget: Record, *, dry: bool) -> None:
    status = budget.object.get("status") or {}
    if status.get("observedGeneration", 0) < budget.metadata.get("generation", 0):
        raise statuses.disruption(budget.object, "is still being processed by the server.", 10)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed < 1:
        raise statuses.disruption(budget.object)
    if not dry:
        gone = {**(status.get("disruptedPods") or {}), pod.name: rfc3339(store.clock())}
        taken = {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": gone}
        store.update(BUDGET, {**budget.object, "status": taken}, subresource="status")
