"""Pods: each container's state, the word kubectl prints, the workload it belongs to, and how sick it is."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator, Sequence
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from probes import pod_status, wire
from probes.cluster import Cluster, Scope
from probes.freshness import Snapshot
from probes.reflector import Kind, reflect
from probes.rows import Container, Health, Owner, Pod

_MOST_MESSAGE = 1024  # characters; a termination message can be 4 KiB per container


class PodsProbe:
    """The pods of a scope, from one list and one watch per namespace."""

    name = "pods"

    def __init__(self, cluster: Cluster, scope: Scope) -> None:
        self.cluster = cluster
        self.scope = scope

    def watch(self) -> AsyncGenerator[Snapshot[Pod], None]:
        return reflect(self.name, self.cluster, self.scope, [(PODS,)])


_REPLACING = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")


def row(pod: wire.Pod) -> Pod:
    """The row of a pod as it stands now. Missing parts become empty, never an error."""
    meta, spec, status = pod.metadata, pod.spec or wire.PodSpec(), pod.status or wire.PodStatus()
    labels = meta.labels or {}
    summary = pod_status.summarize(pod)
    created_at = wire.instant(meta.creation_timestamp) or 0.0
    verdict, owner = pod_status.judge(pod, summary, created_at, time.time()), owner_of(meta)
    if status.phase == "Failed" and owner is not None and owner.kind in _REPLACING:
        verdict = pod_status.Verdict(Health.DORMANT, None)  # evicted: it is only a record, another pod is there instead
    containers = _containers(spec, status)
    deleting_since = wire.instant(meta.deletion_timestamp)
    if deleting_since is not None:
        deleting_since -= meta.deletion_grace_period_seconds or 0
    return Pod(
        uid=meta.uid,
        namespace=sys.intern(meta.namespace),
        name=meta.name,
        resource_version=meta.resource_version,
        status=sys.intern(summary.status),
        phase=sys.intern(status.phase or ""),
        health=verdict.health,
        ready=summary.ready,
        total=summary.total,
        restarts=summary.restarts,
        restarted_at=summary.restarted_at,
        unready_since=_unready_since(status),
        node=sys.intern(spec.node_name or ""),
        ip=status.pod_ip or "",
        created_at=created_at,
        deleting_since=deleting_since,
        owner=owner,
        app=sys.intern(labels.get("app.kubernetes.io/name", "")),
        containers=containers,
        message=_message(summary.status, status, containers),
        overdue_at=verdict.overdue_at,
    )


def overdue(pod: Pod) -> tuple[float, Pod] | None:
    """When a pod gets worse by itself, and what it is from then on."""
    if pod.overdue_at is None:
        return None
    return pod.overdue_at, replace(pod, health=Health.DEGRADED, overdue_at=None)


PODS: Final = Kind("/api/v1", "pods", wire.Pod, row, overdue=overdue)


def owner_of(meta: wire.Meta) -> Owner | None:
    """The workload a person thinks of: the Deployment, not the ReplicaSet in between.

    A Deployment names its ReplicaSets NAME-HASH and labels their pods ``pod-template-hash=HASH``.
    """
    references = meta.owner_references
    if not references:
        return None
    reference = references[0]
    if not reference.controller:
        reference = next((r for r in references if r.controller), reference)
    if reference.kind == "ReplicaSet":
        ending = "-" + (meta.labels or {}).get("pod-template-hash", "")
        if len(ending) > 1 and reference.name.endswith(ending):
            return _owner("Deployment", reference.name.removesuffix(ending))
    return _owner(reference.kind, reference.name)


@lru_cache(maxsize=4096)
def _owner(kind: str, name: str) -> Owner:
    return Owner(sys.intern(kind), name)


def _containers(spec: wire.PodSpec, status: wire.PodStatus) -> tuple[Container, ...]:
    rows: list[Container] = []
    for specs, statuses, role in (
        (spec.init_containers, status.init_container_statuses, "init"),
        (spec.containers, status.container_statuses, "app"),
        (spec.ephemeral_containers, status.ephemeral_container_statuses, "ephemeral"),
    ):
        if specs or statuses:
            rows += _with_status(specs or [], statuses or [], role)
    return tuple(rows)


def _with_status(
    specs: Sequence[wire.ContainerSpec], statuses: Sequence[wire.ContainerStatus], role: str
) -> list[Container]:
    by_name = {status.name: status for status in statuses}
    rows = [_container(spec, by_name.pop(spec.name, None), role) for spec in specs]
    # A status without its spec cannot come from a kubelet, but hiding it would hide its error.
    rows += [_container(wire.ContainerSpec(name=name), status, role) for name, status in by_name.items()]
    return rows


def _container(spec: wire.ContainerSpec, status: wire.ContainerStatus | None, role: str) -> Container:
    name, image = sys.intern(spec.name), sys.intern(spec.image or "")
    if role == "init" and spec.restart_policy == "Always":
        role = "sidecar"
    if status is None:
        return Container(name=name, role=role, image=image, ready=False, state="")
    state = status.state or wire.ContainerState()
    last = status.last_state.terminated if status.last_state is not None else None
    word, reason, message = "", "", ""
    exit_code: int | None = None
    started_at: float | None = None
    if state.running is not None:
        word, started_at = "running", wire.instant(state.running.started_at)
    elif state.terminated is not None:
        ended = state.terminated
        word, reason, message, exit_code = "terminated", ended.reason or "", ended.message or "", ended.exit_code
        started_at = wire.instant(ended.started_at)
    elif state.waiting is not None:
        word, reason, message = "waiting", state.waiting.reason or "", state.waiting.message or ""
    return Container(
        name=name,
        role=role,
        image=image,
        ready=status.ready,
        state=word,
        reason=sys.intern(reason),
        message=_short(message),
        exit_code=exit_code,
        restarts=status.restart_count,
        started_at=started_at,
        last_reason=sys.intern(last.reason or "") if last is not None else "",
        last_exit_code=last.exit_code if last is not None else None,
        last_finished_at=wire.instant(last.finished_at) if last is not None else None,
    )


def _unready_since(status: wire.PodStatus) -> float | None:
    for condition in status.conditions or ():
        if condition.type == "Ready" and condition.status == "False":
            return wire.instant(condition.last_transition_time)
    return None


def _message(word: str, status: wire.PodStatus, containers: tuple[Container, ...]) -> str:
    """The text that explains the word: the pod's own, else of the container that gave it, else of its scheduling."""
    if status.message:
        return _short(status.message)
    if word == "Running":
        return ""
    bare = word.removeprefix("Init:")
    for container in containers:
        if container.message and container.reason == bare:
            return container.message
    for condition in status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False" and condition.message:
            return _short(condition.message)
    return ""


def _short(text: str) -> str:
    return text if len(text) <= _MOST_MESSAGE else text[:_MOST_MESSAGE] + "…"
