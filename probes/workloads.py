"""Deployments, StatefulSets and DaemonSets: replicas wanted, updated and ready, and where a rollout stands.

The words for a rollout follow ``kubectl rollout status`` (kubectl pkg/polymorphichelpers/rollout_status.go).
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from typing import Final, NamedTuple

from msgspec.structs import replace

from probes import wire
from probes.cluster import Cluster, Scope
from probes.freshness import Snapshot
from probes.reflector import Kind, reflect
from probes.rows import Health, Workload

_MOST_MESSAGE = 1024
# A rollout that has not moved for this many seconds is stuck, long before its progress deadline (10 minutes) says so.
STUCK_AFTER = 60.0


class WorkloadsProbe:
    """Three watches per namespace. If one kind is refused, ``detail`` says so and the others are shown."""

    name = "workloads"

    def __init__(self, cluster: Cluster, scope: Scope) -> None:
        self.cluster = cluster
        self.scope = scope

    def watch(self) -> AsyncGenerator[Snapshot[Workload], None]:
        return reflect(self.name, self.cluster, self.scope, [(DEPLOYMENTS,), (STATEFUL_SETS,), (DAEMON_SETS,)])


class Rollout(NamedTuple):
    desired: int
    updated: int
    ready: int
    available: int
    condition: str  # complete, progressing, paused, waiting, ProgressDeadlineExceeded, ReplicaFailure
    message: str
    changed_at: float | None


def deployment(thing: wire.Workload) -> Workload:
    """The row of a Deployment."""
    spec, status = _parts(thing)
    desired = 1 if spec.replicas is None else spec.replicas
    updated, total = status.updated_replicas or 0, status.replicas or 0
    ready, available = status.ready_replicas or 0, status.available_replicas or 0
    conditions = {c.type: c for c in status.conditions or ()}
    progressing, failure = conditions.get("Progressing"), conditions.get("ReplicaFailure")
    cause: wire.Condition | None = conditions.get("Available")
    message = ""
    if failure is not None and failure.status == "True":
        word, cause = "ReplicaFailure", failure
    elif progressing is not None and progressing.reason == "ProgressDeadlineExceeded":
        word, cause = "ProgressDeadlineExceeded", progressing
    elif spec.paused:
        word, cause = "paused", progressing or cause
    elif _unobserved(thing):
        word, message = "progressing", "the new specification has not been observed yet"
    elif updated < desired:
        word, message = "progressing", f"{updated} of {desired} new replicas have been updated"
    elif total > updated:
        word, message = "progressing", f"{total - updated} old replicas are pending termination"
    elif available < updated:
        word, message = "progressing", f"{available} of {updated} updated replicas are available"
    else:
        word = "complete"
    if not message and cause is not None and word != "complete":
        message = (cause.message or "")[:_MOST_MESSAGE]
    when = (cause.last_transition_time if word != "progressing" else None) if cause is not None else None
    if word == "progressing" and progressing is not None:
        when = progressing.last_update_time or progressing.last_transition_time
        if progressing.reason == "NewReplicaSetAvailable" and updated >= desired and total <= updated:
            # That rollout ended long ago; what is missing now went missing when the condition Available turned.
            lost = conditions.get("Available")
            when = lost.last_transition_time if lost is not None and lost.status == "False" else None
    revision = (thing.metadata.annotations or {}).get("deployment.kubernetes.io/revision", "")
    rollout = Rollout(desired, updated, ready, available, word, message, wire.instant(when))
    return _row("Deployment", thing, rollout, revision)


def stateful_set(thing: wire.Workload) -> Workload:
    """The row of a StatefulSet."""
    spec, status = _parts(thing)
    desired = 1 if spec.replicas is None else spec.replicas
    updated, ready = status.updated_replicas or 0, status.ready_replicas or 0
    # Servers before 1.22 do not count available replicas.
    available = ready if status.available_replicas is None else status.available_replicas
    on_delete = spec.update_strategy is not None and spec.update_strategy.type == "OnDelete"
    rolled = status.update_revision == status.current_revision
    if rolled and updated < desired:
        updated = min(status.replicas or 0, desired)  # the field is only kept while a rolling update runs
    if _unobserved(thing):
        word, message = "progressing", "the new specification has not been observed yet"
    elif not rolled and not on_delete and updated < desired:
        word, message = "progressing", f"{updated} of {desired} new pods have been updated"
    elif ready < desired:
        word, message = "progressing", f"{ready} of {desired} pods are ready"
    elif not rolled and on_delete:
        word, message = "waiting", "new pods come only when old ones are deleted (updateStrategy OnDelete)"
    else:
        word, message = "complete", ""
    revision = _short_hash(status.update_revision or "", thing.metadata.name)
    return _row("StatefulSet", thing, Rollout(desired, updated, ready, available, word, message, None), revision)


def daemon_set(thing: wire.Workload) -> Workload:
    """The row of a DaemonSet; desired is the number of nodes that should run it."""
    spec, status = _parts(thing)
    desired, updated = status.desired_number_scheduled or 0, status.updated_number_scheduled or 0
    ready, available = status.number_ready or 0, status.number_available or 0
    on_delete = spec.update_strategy is not None and spec.update_strategy.type == "OnDelete"
    if _unobserved(thing):
        word, message = "progressing", "the new specification has not been observed yet"
    elif updated < desired and not on_delete:
        word, message = "progressing", f"{updated} of {desired} new pods have been updated"
    elif available < desired:
        word, message = "progressing", f"{available} of {desired} pods are available"
    elif updated < desired:
        word, message = "waiting", "new pods come only when old ones are deleted (updateStrategy OnDelete)"
    else:
        word, message = "complete", ""
    # The hash is on the pods only; the generation tells people "which" well enough.
    revision = (thing.metadata.annotations or {}).get("deprecated.daemonset.template.generation", "")
    return _row("DaemonSet", thing, Rollout(desired, updated, ready, available, word, message, None), revision)


def stuck(workload: Workload) -> tuple[float, Workload] | None:
    """When a healthy rollout that does not move becomes DEGRADED, and its row from then on."""
    moving = workload.condition == "progressing" and workload.health is Health.HEALTHY
    if not moving or workload.changed_at is None:
        return None
    return workload.changed_at + STUCK_AFTER, replace(workload, health=Health.DEGRADED)


def _kind(resource: str, row: Callable[[wire.Workload], Workload]) -> Kind[wire.Workload, Workload]:
    return Kind("/apis/apps/v1", resource, wire.Workload, row, overdue=stuck)


DEPLOYMENTS: Final = _kind("deployments", deployment)
STATEFUL_SETS: Final = _kind("statefulsets", stateful_set)
DAEMON_SETS: Final = _kind("daemonsets", daemon_set)


def _row(kind: str, thing: wire.Workload, rollout: Rollout, revision: str) -> Workload:
    meta, spec = thing.metadata, thing.spec or wire.WorkloadSpec()
    template = spec.template.spec if spec.template is not None else None
    return Workload(
        uid=meta.uid,
        kind=kind,
        namespace=sys.intern(meta.namespace),
        name=meta.name,
        resource_version=meta.resource_version,
        health=_health(rollout),
        desired=rollout.desired,
        updated=rollout.updated,
        ready=rollout.ready,
        available=rollout.available,
        condition=rollout.condition,
        message=rollout.message,
        changed_at=rollout.changed_at,
        created_at=wire.instant(meta.creation_timestamp) or 0.0,
        revision=revision,
        images=tuple(c.image or "" for c in (template.containers if template is not None else None) or ()),
        release=(meta.annotations or {}).get("meta.helm.sh/release-name", ""),
    )


def _health(rollout: Rollout) -> Health:
    if rollout.desired == 0:
        return Health.DORMANT
    if rollout.available == 0 or rollout.condition in ("ProgressDeadlineExceeded", "ReplicaFailure"):
        return Health.FAILING
    # A rollout that is under way with everything ready is not an illness.
    return Health.DEGRADED if min(rollout.ready, rollout.available) < rollout.desired else Health.HEALTHY


def _parts(thing: wire.Workload) -> tuple[wire.WorkloadSpec, wire.WorkloadStatus]:
    return thing.spec or wire.WorkloadSpec(), thing.status or wire.WorkloadStatus()


def _unobserved(thing: wire.Workload) -> bool:
    observed = thing.status.observed_generation if thing.status is not None else None
    return (observed or 0) < (thing.metadata.generation or 0)


def _short_hash(revision: str, name: str) -> str:
    return revision.removeprefix(f"{name}-")
