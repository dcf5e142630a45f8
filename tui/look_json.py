"""A look as data: the keys of ``warroom status --json``, which stay. Instants are RFC 3339 in UTC with milliseconds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from probes.rows import Health
from tui import azure_look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probes.rows import Endpoint, Event, Node, Pod, Release, Usage, Workload
    from tui.look import Look


def to_json(seen: Look) -> str:
    """The whole look as one indented JSON document. Text from the cluster is kept as it is; JSON escapes it."""
    # ASCII only: bidi overrides and C1 controls reach a terminal as \\u escapes.
    return json.dumps(to_dict(seen), indent=2)


def to_dict(seen: Look) -> dict[str, Any]:
    """The document before it is text."""
    pods, nodes = list(seen.pods.rows.values()), sorted(seen.nodes.rows.values(), key=lambda node: node.name)
    workloads = sorted(seen.workloads.rows.values(), key=lambda row: (row.namespace, row.kind, row.name))
    events = sorted(seen.events.rows.values(), key=lambda event: event.last_at, reverse=True)
    releases = sorted(seen.releases.rows.values(), key=lambda release: release.updated or 0, reverse=True)
    commits = sorted(seen.commits.rows.values(), key=lambda commit: commit.at, reverse=True)
    return {
        "time": timestamp(seen.at),
        "healthy": None if seen.blind else seen.healthy,
        "cluster": {"context": seen.context, "server": seen.server, "version": seen.version},
        "namespace": ",".join(seen.namespaces) or "*",
        "pods": {
            "total": len(pods),
            "ready": sum(_is_ready(pod) for pod in pods),
            "unhealthy": [_pod(pod) for pod in unhealthy(pods)],
        },
        "nodes": {
            "total": len(nodes),
            "ready": sum(node.ready for node in nodes),
            "items": [_node(node, seen.usage.rows) for node in nodes],
        },
        "deployments": [_workload(row) for row in workloads if row.kind == "Deployment"],
        "workloads": [{"kind": row.kind, **_workload(row)} for row in workloads if row.kind != "Deployment"],
        "events": [_event(event) for event in events],
        "releases": [_release(release) for release in releases],
        "endpoints": [_endpoint(endpoint) for endpoint in seen.endpoints.rows.values()],
        "changes": [
            {"time": timestamp(row.at), "commit": row.commit, "author": row.author, "subject": row.subject}
            for row in commits
        ],
        "azure": azure_look.to_dict(seen),
        "probes": [
            {
                "name": snapshot.source,
                "freshness": snapshot.freshness.state.value,
                "detail": snapshot.freshness.detail,
                "hint": snapshot.freshness.hint,
            }
            for snapshot in seen.snapshots
        ],
    }


def timestamp(at: float | None) -> str | None:
    """``2026-11-23T14:02:05.120Z``, or None; also None for an instant that no calendar has."""
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, OSError, ValueError):
        return None


def unhealthy(pods: list[Pod]) -> list[Pod]:
    """The pods that need somebody: sick first, then the newest."""
    sick = (pod for pod in pods if pod.health < Health.HEALTHY)
    return sorted(sick, key=lambda pod: (pod.health, -pod.created_at, pod.namespace, pod.name))


def percent(used: float, of: float) -> float | None:
    """One decimal, or None when there is nothing to take a share of."""
    return round(100 * used / of, 1) if of > 0 else None


def _is_ready(pod: Pod) -> bool:
    return 0 < pod.total == pod.ready


def _pod(pod: Pod) -> dict[str, Any]:
    return {
        "namespace": pod.namespace,
        "name": pod.name,
        "reason": pod.status,
        "restarts": pod.restarts,
        "owner": f"{pod.owner.kind}/{pod.owner.name}" if pod.owner else None,
        "ready": f"{pod.ready}/{pod.total}",
        "node": pod.node,
        "since": timestamp(pod.unready_since),
        "message": pod.message,
    }


def _node(node: Node, usage: Mapping[str, Usage]) -> dict[str, Any]:
    used = usage.get(node.name)
    return {
        "name": node.name,
        "ready": node.ready,
        "cpu_percent": percent(used.cpu, node.cpu_allocatable) if used else None,
        "memory_percent": percent(used.memory, node.memory_allocatable) if used else None,
        "status": node.status,
        "pressures": list(node.pressures),
        "version": node.version,
    }


def _workload(row: Workload) -> dict[str, Any]:
    return {
        "namespace": row.namespace,
        "name": row.name,
        "desired": row.desired,
        "ready": row.ready,
        "updated": row.updated,
        "condition": row.condition,
        "message": row.message,
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "time": timestamp(event.last_at),
        "type": event.type,
        "reason": event.reason,
        "object": f"{event.kind}/{event.object_name}",
        "message": event.message,
        "count": event.count,
        "namespace": event.namespace,
    }


def _release(release: Release) -> dict[str, Any]:
    return {
        "name": release.name,
        "namespace": release.namespace,
        "revision": release.revision,
        "status": release.status,
        "chart": "-".join(part for part in (release.chart, release.chart_version) if part),
        "app_version": release.app_version,
        "updated": timestamp(release.updated),
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "url": endpoint.url,
        "ok": endpoint.ok,
        "status": endpoint.status,
        "latency_ms": None if endpoint.latency_ms is None else round(endpoint.latency_ms, 1),
        "name": endpoint.name,
        "error": endpoint.error,
        "tls_expires": timestamp(endpoint.tls_expires_at),
    }
