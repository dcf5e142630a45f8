"""A Deployment's status and its conditions Available and Progressing, as `kubectl rollout status` reads them.

Source of the rules: pkg/controller/deployment/{sync,progress}.go and its util.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from drill.clock import Clock
from drill.rolling import Fence

Json = dict[str, Any]

DEFAULT_DEADLINE: Final = 600  # seconds; spec.progressDeadlineSeconds


def counts(deployment: Json, new: Json | None, every: Sequence[Json]) -> Json:
    """The numbers of a status; zeros are left out, as the API leaves them out."""

    def total(name: str, sets: Sequence[Json]) -> int:
        return sum((found.get("status") or {}).get(name, 0) for found in sets)

    wanted = sum(found["spec"].get("replicas", 1) for found in every)
    available = total("availableReplicas", every)
    numbers = {
        "replicas": total("replicas", every),
        "updatedReplicas": total("replicas", [new] if new is not None else []),
        "readyReplicas": total("readyReplicas", every),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
    }
    status: Json = {"observedGeneration": deployment["metadata"].get("generation", 1)}
    status.update({name: number for name, number in numbers.items() if number})
    return status


def complete(deployment: Json, status: Json) -> bool:
    desired = deployment["spec"].get("replicas", 1)
    return all(status.get(name, 0) == desired for name in ("updatedReplicas", "replicas", "availableReplicas"))


class Conditions:
    """The conditions of one Deployment, changed one by one with the right transition times."""

    def __init__(self, deployment: Json, clock: Clock) -> None:
        self._clock = clock
        self.items: list[Json] = [*((deployment.get("status") or {}).get("conditions") or ())]

    def get(self, kind: str) -> Json | None:
        return next((item for item in self.items if item["type"] == kind), None)

    def set(self, kind: str, status: str, reason: str, message: str, *, touch: bool = False) -> None:
        """Set a condition; unless something differs, it stays as it is (``touch`` renews lastUpdateTime)."""
        now, old = self._clock.stamp(), self.get(kind)
        if old is not None and (old["status"], old["reason"]) == (status, reason) and not touch:
            return
        moved = old is None or old["status"] != status
        new = {
            "type": kind,
            "status": status,
            "lastUpdateTime": now,
            "lastTransitionTime": now if moved or old is None else old["lastTransitionTime"],
            "reason": reason,
            "message": message,
        }
        self.items = [*(item for item in self.items if item["type"] != kind), new]

    def availability(self, deployment: Json, status: Json) -> None:
        desired = deployment["spec"].get("replicas", 1)
        if status.get("availableReplicas", 0) >= desired - Fence.of(deployment["spec"]).unavailable:
            self.set("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        else:
            message = "Deployment does not have minimum availability."
            self.set("Available", "False", "MinimumReplicasUnavailable", message)

    def progress(self, deployment: Json, status: Json, new: Json | None) -> float | None:
        """Set Progressing; returns the world seconds after which to look again for the deadline, if one runs."""
        spec, old = deployment["spec"], deployment.get("status") or {}
        deadline = spec.get("progressDeadlineSeconds", DEFAULT_DEADLINE)
        subject = f'ReplicaSet "{new["metadata"]["name"]}"' if new is not None else "Deployment"
        current = self.get("Progressing")
        if new is None or spec.get("paused"):
            return None
        settled = current is not None and current["reason"] == "NewReplicaSetAvailable"
        if settled and status.get("replicas", 0) == status.get("updatedReplicas", 0):
            return None  # complete once stays complete, even when its pods fail later
        if complete(deployment, status):
            self.set("Progressing", "True", "NewReplicaSetAvailable", f"{subject} has successfully progressed.")
            return None
        if _progressing(old, status):
            self.set("Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing.", touch=True)
            return float(deadline)
        if current is None or current["reason"] == "ProgressDeadlineExceeded":
            return None
        left: float = self._clock.world(current["lastUpdateTime"]) + deadline - self._clock.now
        if left <= 0:
            self.set("Progressing", "False", "ProgressDeadlineExceeded", f"{subject} has timed out progressing.")
            return None
        return left

    def paused(self, deployment: Json) -> None:
        """Say that a Deployment was paused or resumed; a rollout that missed its deadline keeps saying that."""
        current = self.get("Progressing")
        if current is not None and current["reason"] == "ProgressDeadlineExceeded":
            return
        was = current is not None and current["reason"] == "DeploymentPaused"
        if deployment["spec"].get("paused") and not was:
            self.set("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
        elif was and not deployment["spec"].get("paused"):
            self.set("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")


def _progressing(old: Json, new: Json) -> bool:
    """Whether the counts moved towards the goal since the last status."""

    def get(status: Json, name: str) -> int:
        number: int = status.get(name, 0)
        return number

    return (
        get(new, "updatedReplicas") > get(old, "updatedReplicas")
        or get(new, "replicas") - get(new, "updatedReplicas") < get(old, "replicas") - get(old, "updatedReplicas")
        or get(new, "readyReplicas") > get(old, "readyReplicas")
        or get(new, "availableReplicas") > get(old, "availableReplicas")
    )


def new_set_condition(conditions: Conditions, name: str, *, created: bool) -> None:
    """What Progressing says right after the new ReplicaSet was made, or found among the old ones."""
    reason, verb = ("NewReplicaSetCreated", "Created") if created else ("FoundNewReplicaSet", "Found")
    conditions.set("Progressing", "True", reason, f'{verb} new replica set "{name}"', touch=True)
