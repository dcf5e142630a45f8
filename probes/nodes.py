"""Nodes: ready or not, under which pressure, cordoned, tainted, and what they can hold."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Mapping
from typing import Final

from probes import wire
from probes.cluster import Cluster, Scope
from probes.freshness import Snapshot
from probes.quantities import cores, count, number_of_bytes
from probes.reflector import Kind, reflect
from probes.rows import Health, Node, Taint

_ROLE = "node-role.kubernetes.io/"
_MOST_MESSAGE = 1024


class NodesProbe:
    """Every node of the cluster; nodes have no namespace."""

    name = "nodes"

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def watch(self) -> AsyncGenerator[Snapshot[Node], None]:
        return reflect(self.name, self.cluster, Scope(), [(NODES,)])


def row(node: wire.Node) -> Node:
    """The row of a node. ``status`` is kubectl's: Ready, NotReady or Unknown, ``,SchedulingDisabled`` if cordoned."""
    meta, spec, status = node.metadata, node.spec or wire.NodeSpec(), node.status or wire.NodeStatus()
    conditions = status.conditions or []
    condition = next((c for c in conditions if c.type == "Ready"), None)
    ready = condition is not None and condition.status == "True"
    # Every condition but Ready is bad when it is True: the pressures, NetworkUnavailable, the problem detector's own.
    bad = [c for c in conditions if c.type != "Ready" and c.status == "True"]
    cordoned = bool(spec.unschedulable)
    word = "Unknown" if condition is None else "Ready" if ready else "NotReady"
    # What explains the health: the Ready condition if it is not True, else the first pressure.
    cause = condition if not ready else bad[0] if bad else None
    allocatable = status.allocatable or {}
    return Node(
        uid=meta.uid,
        name=sys.intern(meta.name),
        resource_version=meta.resource_version,
        health=_health(ready, bool(bad), cordoned),
        ready=ready,
        status=sys.intern(word + (",SchedulingDisabled" if cordoned else "")),
        reason=(cause.reason or "") if cause is not None else "",
        message=((cause.message or "") if cause is not None else "")[:_MOST_MESSAGE],
        changed_at=wire.instant((cause or condition or wire.Condition()).last_transition_time),
        pressures=tuple(sys.intern(c.type) for c in bad),
        taints=tuple(Taint(t.key, t.value or "", t.effect or "") for t in spec.taints or ()),
        cordoned=cordoned,
        roles=_roles(meta.labels or {}),
        version=sys.intern((status.node_info.kubelet_version or "") if status.node_info else ""),
        created_at=wire.instant(meta.creation_timestamp) or 0.0,
        cpu_allocatable=cores(allocatable.get("cpu")),
        memory_allocatable=number_of_bytes(allocatable.get("memory")),
        pods_allocatable=count(allocatable.get("pods")),
    )


NODES: Final = Kind("/api/v1", "nodes", wire.Node, row, namespaced=False)


def _health(ready: bool, pressed: bool, cordoned: bool) -> Health:
    if not ready:
        return Health.FAILING
    if pressed:
        return Health.DEGRADED
    return Health.DORMANT if cordoned else Health.HEALTHY


def _roles(labels: Mapping[str, str]) -> tuple[str, ...]:
    """As in kubectl's ROLES: ``node-role.kubernetes.io/NAME``, or ``kubernetes.io/role=NAME``."""
    roles = {key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    return tuple(sorted(role for role in roles if role))
