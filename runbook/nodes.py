"""A node as a cordon and a drain meet it: what runs there, what a drain would evict, who else takes pods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from probes.errors import ProbeError
from runbook.plan import Finding, Json, Level
from runbook.workloads import is_finished

if TYPE_CHECKING:
    from runbook.scene import Scene

PATH = "/api/v1/nodes/"
_MIRROR = "kubernetes.io/config.mirror"  # of a static pod: the kubelet would bring it back at once


class OnNode(Struct, frozen=True, kw_only=True):
    """The pods of a node, as a drain sorts them. ``unmanaged`` and ``scratch`` are among ``going``.

    https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/
    """

    going: tuple[Json, ...] = ()
    daemons: tuple[Json, ...] = ()  # their DaemonSet ignores the cordon and would put them back
    static: tuple[Json, ...] = ()
    finished: tuple[Json, ...] = ()
    leaving: tuple[Json, ...] = ()  # being deleted already
    unmanaged: tuple[Json, ...] = ()  # nobody makes them anew
    scratch: tuple[Json, ...] = ()  # with an emptyDir, whose content goes with them

    @property
    def staying(self) -> str:
        """What is not evicted, in words; empty if there is nothing."""
        kinds = ((self.daemons, "of DaemonSets"), (self.static, "static"), (self.finished, "finished"))
        return ", ".join(f"{len(pods)} {word}" for pods, word in kinds if pods)


def sorted_out(pods: Iterable[Json]) -> OnNode:
    """What a drain does with each of these pods."""
    by: dict[str, list[Json]] = {name: [] for name in OnNode.__struct_fields__}
    for pod in pods:
        metadata = pod.get("metadata") or {}
        controller = controller_of(pod)
        if is_finished(pod):
            by["finished"].append(pod)
        elif _MIRROR in (metadata.get("annotations") or {}):
            by["static"].append(pod)
        elif controller is not None and controller.get("kind") == "DaemonSet":
            by["daemons"].append(pod)
        elif metadata.get("deletionTimestamp"):
            by["leaving"].append(pod)
        else:
            by["going"].append(pod)
            if controller is None:
                by["unmanaged"].append(pod)
            if any("emptyDir" in volume for volume in (pod.get("spec") or {}).get("volumes") or ()):
                by["scratch"].append(pod)
    return OnNode(**{name: tuple(found) for name, found in by.items()})


def controller_of(pod: Json) -> Json | None:
    """The reference of the owner that would make the pod anew, None if there is none."""
    for owner in (pod.get("metadata") or {}).get("ownerReferences") or ():
        if owner.get("controller"):
            return dict(owner)
    return None


def workload_behind(pod: Json) -> tuple[str, str]:
    """(kind, name) of what a person would call its owner: the Deployment, not the ReplicaSet in between."""
    owner = controller_of(pod)
    if owner is None:
        return "", ""
    kind, name = str(owner.get("kind") or ""), str(owner.get("name") or "")
    ending = "-" + str(((pod.get("metadata") or {}).get("labels") or {}).get("pod-template-hash", ""))
    if kind == "ReplicaSet" and len(ending) > 1 and name.endswith(ending):
        return "Deployment", name.removesuffix(ending)
    return kind, name


def place_of(pod: Json) -> str:
    """``namespace/name``."""
    metadata = pod.get("metadata") or {}
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"


async def pods_on(scene: Scene, node: str) -> list[Json]:
    """Every pod of a node, of all namespaces. Raises `ProbeError`."""
    return await scene.items(("v1",), "", "pods", fields=f"spec.nodeName={node}")


def is_cordoned(node: Json) -> bool:
    return bool((node.get("spec") or {}).get("unschedulable"))


def is_ready(node: Json) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


async def takers(scene: Scene, node: str) -> list[str]:
    """The other nodes that take new pods: ready and not cordoned. Raises `ProbeError`."""
    snapshot = scene.latest.get("nodes")
    if snapshot is not None and snapshot.freshness.live:  # hundreds of nodes are megabytes, and the probe has them
        rows: list[Any] = list(snapshot.rows.values())
        return sorted(row.name for row in rows if row.ready and not row.cordoned and row.name != node)
    nodes = await scene.items(("v1",), "", "nodes")
    names = [str(one["metadata"]["name"]) for one in nodes if is_ready(one) and not is_cordoned(one)]
    return sorted(name for name in names if name != node)


async def room_elsewhere(scene: Scene, node: str, *, drain: bool) -> Finding:
    """Whether anything else takes the pods that cannot start here any more."""
    try:
        others = await takers(scene, node)
    except ProbeError as error:
        return Finding("room", Level.AMBER, f"whether another node takes pods is not known: {error}", error.hint)
    if others:
        few = f": {others[0]}" if len(others) == 1 else ""
        text = f"{len(others)} other node{' takes' if len(others) == 1 else 's take'} pods{few}"
        return Finding("room", Level.GREEN, text)
    how = "kubectl get nodes; uncordon one or add one first"
    if drain:
        return Finding("room", Level.RED, "no other node takes pods: what is evicted would start nowhere", how)
    text = "THE LAST NODE THAT TAKES PODS: after this nothing that dies, restarts or scales up can start anywhere"
    return Finding("room", Level.AMBER, text, how)


def illness(node: Json) -> str:
    """Why new pods on this node would be a bad idea: not ready, or under pressure; empty if it is well."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    bad = [str(one.get("type")) for one in conditions if one.get("type") != "Ready" and one.get("status") == "True"]
    return ", ".join(([] if is_ready(node) else ["not ready"]) + bad)
