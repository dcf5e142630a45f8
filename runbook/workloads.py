"""Deployments, StatefulSets and DaemonSets as mitigations meet them: which one a row means, its pods, its API path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook.errors import NoPlan
from runbook.plan import Aim, Json
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
