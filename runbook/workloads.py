"""Deployments, StatefulSets and DaemonSets as mitigations meet them: which one a row means, its pods, its API path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook.errors import NoPlan
from runbook.plan import Aim, Json, Target
from runbook.scene import api_path
from runbook.selectors import as_query

if TYPE_CHECKING:
    from runbook.scene import Scene

PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


def workload_of(aim: Aim) -> tuple[str, str]:
    """(kind, name) of the workload that a row means: itself, or the owner of a pod. ("", "") if there is none."""
    if aim.kind in PLURALS:
        return aim.kind, aim.name
    if aim.kind == "Pod" and aim.owner_kind in PLURALS:
        return aim.owner_kind, aim.owner_name
    return "", ""


def refuse_no_workload(aim: Aim) -> str:
    """Why a row means no workload, or an empty string."""
    if workload_of(aim)[0]:
        return ""
    if aim.kind == "Pod":
        return f"a pod of {'a ' + aim.owner_kind if aim.owner_kind else 'nobody'}"
    return "not a workload"


def workload_path(kind: str, namespace: str, name: str, subresource: str = "") -> str:
    """Its API path, or that of its ``scale``."""
    if kind not in PLURALS:
        raise NoPlan(f"a {kind} is not a workload that can be changed here")
    path = api_path("apps/v1", namespace, PLURALS[kind], name)
    return f"{path}/{subresource}" if subresource else path


async def pods_of(scene: Scene, workload: Json) -> list[Json]:
    """The pods that its selector matches. Raises `ProbeError`."""
    selector = (workload.get("spec") or {}).get("selector")
    if not selector:
        return []
    namespace = (workload.get("metadata") or {}).get("namespace", "")
    return await scene.items(("v1",), namespace, "pods", as_query(selector))


def names_of(objects: list[Json]) -> list[str]:
    return [str((obj.get("metadata") or {}).get("name", "")) for obj in objects]


def template_labels(workload: Json) -> dict[str, str]:
    """The labels that its pods get."""
    template = (workload.get("spec") or {}).get("template") or {}
    return dict((template.get("metadata") or {}).get("labels") or {})


def workload_aim(target: Target) -> Aim:
    """To aim at a plan's target again."""
    return Aim(kind=target.kind, namespace=target.namespace, name=target.name, uid=target.uid)


def controller_of(obj: Json) -> Json | None:
    """The owner reference of who manages an object; None if nobody does."""
    owners = (obj.get("metadata") or {}).get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def is_ready(pod: Json) -> bool:
    """Whether a pod serves: Ready, and not on its way out."""
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def is_finished(pod: Json) -> bool:
    """Whether it has run to its end and only its object is left."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def to_go_first(kind: str, pods: list[Json]) -> list[Json]:
    """Pods in the order in which the controller of a workload removes them when there are to be fewer.

    A StatefulSet's go by their number, the last one first; of others those without a node, then the unready, then the
    youngest (https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset).
    """
    if kind == "StatefulSet":
        return sorted(pods, key=_ordinal, reverse=True)
    youngest_first = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)
    return sorted(youngest_first, key=lambda pod: (bool((pod.get("spec") or {}).get("nodeName")), is_ready(pod)))


def _ordinal(pod: Json) -> int:
    number = str(pod["metadata"].get("name", "")).rpartition("-")[2]
    return int(number) if number.isdecimal() else -1
