"""From a row under the cursor to what a mitigation aims at, as of the keypress."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any

from msgspec.structs import replace

from probes.azure.rows import Database
from probes.freshness import Snapshot
from probes.rows import Event, Node, Pod, Release, Workload
from runbook.plan import Aim
from widgets.changes import Change
from widgets.pod_groups import PodRow, WorkloadGroup


class Aims:
    """Rows in, aims out. The workloads are indexed once for each snapshot of them: a held cursor key asks often."""

    def __init__(self) -> None:
        self._snapshot: Snapshot[Any] | None = None
        self._workloads: dict[tuple[str, str, str], Workload] = {}

    def of(self, row: object, latest: Mapping[str, Snapshot[Any]]) -> Aim:
        """What this row means. An empty aim is about nothing that can be acted on."""
        aim = _aim(row)
        if aim.kind == "Pod" and not aim.owner_kind:
            aim = _with_owner(aim, latest)
        if aim.kind and not aim.release:
            kind, name = (aim.owner_kind, aim.owner_name) if aim.kind == "Pod" else (aim.kind, aim.name)
            workload = self._named(latest.get("workloads"), kind, aim.namespace, name)
            if workload is not None:
                aim = replace(aim, release=workload.release)
                if aim.kind == workload.kind and not aim.uid:
                    aim = replace(aim, uid=workload.uid)
        return aim

    def _named(self, snapshot: Snapshot[Any] | None, kind: str, namespace: str, name: str) -> Workload | None:
        if snapshot is not self._snapshot:
            rows = snapshot.rows.values() if snapshot is not None else ()
            self._workloads = {(row.kind, row.namespace, row.name): row for row in rows}
            self._snapshot = snapshot
        return self._workloads.get((kind, namespace, name))


def _with_owner(aim: Aim, latest: Mapping[str, Snapshot[Any]]) -> Aim:
    """An event does not say whose pod it is about; the pods pane knows, if it is still there."""
    snapshot = latest.get("pods")
    pod = snapshot.rows.get(aim.uid) if snapshot else None
    if pod is None or pod.owner is None or (pod.namespace, pod.name) != (aim.namespace, aim.name):
        return aim
    return replace(aim, owner_kind=pod.owner.kind, owner_name=pod.owner.name, pods=(pod.name,))


@singledispatch
def _aim(row: object) -> Aim:
    return Aim()


@_aim.register
def _pod(row: Pod) -> Aim:
    owner = row.owner
    return Aim(
        kind="Pod",
        namespace=row.namespace,
        name=row.name,
        uid=row.uid,
        owner_kind=owner.kind if owner else "",
        owner_name=owner.name if owner else "",
        pods=(row.name,),
    )


@_aim.register
def _pod_row(row: PodRow) -> Aim:
    return _pod(row.pod)


@_aim.register
def _group(row: WorkloadGroup) -> Aim:
    return Aim(kind=row.kind, namespace=row.namespace, name=row.name, pods=tuple(pod.name for pod in row.pods))


@_aim.register
def _workload(row: Workload) -> Aim:
    return Aim(kind=row.kind, namespace=row.namespace, name=row.name, uid=row.uid, release=row.release)


@_aim.register
def _node(row: Node) -> Aim:
    return Aim(kind="Node", name=row.name, uid=row.uid)


@_aim.register
def _event(row: Event) -> Aim:
    """What the event regards; of a pod, its owner is not known and is looked up when it is planned."""
    return Aim(kind=row.kind, namespace=row.namespace, name=row.object_name, uid=row.object_uid)


@_aim.register
def _database(row: Database) -> Aim:
    return Aim(kind="SqlDatabase", namespace=f"{row.resource_group}/{row.server}", name=row.name, uid=row.key)


@_aim.register
def _change(row: Change) -> Aim:
    if row.revision is None or not isinstance(row.item, Release):
        return Aim()
    return Aim(kind="Release", namespace=row.item.namespace, name=row.item.name, revision=row.revision)
