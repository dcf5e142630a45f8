"""Whether more pods of a workload would find a node, as far as that is plain without reading every pod there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probes.quantities import cores, number_of_bytes
from runbook.plan import Finding, Json, Level

if TYPE_CHECKING:
    from runbook.scene import Scene

GIB = 1024**3


def room_for(scene: Scene, workload: Json, pods: list[Json], wanted: int) -> list[Finding]:
    """Amber when some of its pods already wait for a node, or when all its pods want more than all nodes have."""
    waiting = [reason for pod in pods if (reason := _unschedulable(pod))]
    if waiting:
        text = f"{_counted(len(waiting))} of it already {_wait(len(waiting))} for a node: {waiting[0]}"
        return [Finding("room", Level.AMBER, text, "more pods will wait, too, until there is room")]
    snapshot = scene.latest.get("nodes")
    nodes: list[Any] = [node for node in snapshot.rows.values() if node.ready and not node.cordoned] if snapshot else []
    if not nodes:
        return []
    cpu, memory = _requests(workload)
    has_cpu = sum(node.cpu_allocatable for node in nodes)
    has_memory = sum(node.memory_allocatable for node in nodes)
    missing = []
    if cpu * wanted > has_cpu:
        missing.append(f"{cpu * wanted:g} cores where the nodes have {has_cpu:g}")
    if memory * wanted > has_memory:
        missing.append(f"{memory * wanted / GIB:.0f} GiB where the nodes have {has_memory / GIB:.0f} GiB")
    if wanted > (most := sum(node.pods_allocatable for node in nodes)) > 0:
        missing.append(f"{wanted} pods where the nodes take {most}")
    if not missing:
        return []
    return [Finding("room", Level.AMBER, f"{_counted(wanted)} want {' and '.join(missing)}")]


def _requests(workload: Json) -> tuple[float, int]:
    """What one pod of the template asks for: cores, bytes."""
    template = (workload.get("spec") or {}).get("template") or {}
    asked = [
        (container.get("resources") or {}).get("requests") or {}
        for container in (template.get("spec") or {}).get("containers") or ()
    ]
    return sum(cores(one.get("cpu")) for one in asked), sum(number_of_bytes(one.get("memory")) for one in asked)


def _unschedulable(pod: Json) -> str:
    """Why the scheduler found no node for a pod; empty if it did."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return str(condition.get("message") or "Unschedulable")[:200]
    return ""


def _counted(pods: int) -> str:
    return "1 pod" if pods == 1 else f"{pods} pods"


def _wait(pods: int) -> str:
    return "waits" if pods == 1 else "wait"
