"""Rows of a platform for the diagnosis to look at, and the banking platform's runbook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from probes.freshness import Snapshot, State
from probes.rows import Commit, Endpoint, Event, Health, Node, Pod, Release, Revision, Workload
from runbook import playbook_file, response_file
from runbook.diagnosis.diagnostician import NOTHING_TOLD, Diagnostician
from runbook.diagnosis.findings import Diagnosis
from runbook.diagnosis.situation import Told
from runbook.response import Response
from tests.pilot.pane_harness import NOW, PROD, pod, snapshot

SINCE = 1200.0
"""Seconds that the payment service has been ill."""

SOURCES = ("pods", "nodes", "workloads", "events", "usage", "releases", "endpoints", "commits")


@cache
def banking() -> Response:
    return response_file.load(playbook_file.find("banking-platform")).response


def crashing(name: str = "payment-service", count: int = 3, *, since: float = SINCE, **fields: Any) -> list[Pod]:
    """Pods of one workload in a crash loop."""
    one: Any = {"restarts": 8, "exit_code": 1, "unready_for": since, "age": since} | fields
    return [pod(f"{name}-{index}", name, "CrashLoopBackOff", **one) for index in range(count)]


def running(name: str, count: int = 3, **fields: Any) -> list[Pod]:
    return [pod(f"{name}-{index}", name, **fields) for index in range(count)]


def workload(name: str, ready: int = 3, desired: int = 3, *, since: float = SINCE, **fields: Any) -> Workload:
    health = Health.HEALTHY if ready >= desired else Health.DEGRADED if ready else Health.FAILING
    row = Workload(
        uid=f"uid-deploy-{name}",
        kind="Deployment",
        namespace=PROD,
        name=name,
        resource_version="1",
        health=health,
        desired=desired,
        updated=desired,
        ready=ready,
        available=ready,
        condition="complete" if ready >= desired else "progressing",
        message="",
        changed_at=NOW - since,
        created_at=NOW - 90_000,
        revision="2",
        images=("app:1",),
        release=PROD,
    )
    return replace(row, **fields)


def endpoint(name: str = "api", ok: bool | None = True, *, since: float | None = SINCE, **fields: Any) -> Endpoint:
    row = Endpoint(
        name=name,
        url=f"https://{name}/health",
        health=Health.HEALTHY if ok else Health.DORMANT if ok is None else Health.FAILING,
        ok=ok,
        status=None if ok is None else 200 if ok else 503,
        latency_ms=None if ok is None else 40.0,
        error="" if ok else "status 503, expected 200",
        excerpt="",
        tls_expires_at=None,
        checked_at=NOW,
        changed_at=None if ok or since is None else NOW - since,
        history=(),
    )
    return replace(row, **fields)


def node(name: str, *, ready: bool = True, pressures: tuple[str, ...] = (), since: float = 60, **fields: Any) -> Node:
    row = Node(
        uid=f"uid-{name}",
        name=name,
        resource_version="1",
        health=Health.FAILING if not ready else Health.DEGRADED if pressures else Health.HEALTHY,
        ready=ready,
        status="Ready" if ready else "NotReady",
        reason="",
        message="",
        changed_at=NOW - since,
        pressures=pressures,
        taints=(),
        cordoned=False,
        roles=(),
        version="v1.34.2",
        created_at=NOW - 900_000,
        cpu_allocatable=8,
        memory_allocatable=1 << 34,
        pods_allocatable=110,
    )
    return replace(row, **fields)


def event(reason: str, about: str, message: str = "", *, ago: float = 30, kind: str = "Pod", **fields: Any) -> Event:
    row = Event(
        uid=f"event-{reason}-{about}-{ago:g}",
        namespace=PROD,
        name=f"{about}.1",
        type="Warning",
        reason=reason,
        kind=kind,
        object_name=about,
        object_uid=f"uid-{about}",
        message=message,
        count=1,
        first_at=NOW - ago,
        last_at=NOW - ago,
        reporter="kubelet",
    )
    return replace(row, **fields)


def scaled(name: str, message: str, *, ago: float, **fields: Any) -> Event:
    one: Any = {"kind": "Deployment", "type": "Normal", "reporter": "deployment-controller"} | fields
    return event("ScalingReplicaSet", name, message, ago=ago, **one)


def release(*revisions: tuple[int, float], name: str = PROD, namespace: str = PROD) -> Release:
    """``revisions``: (number, seconds ago), newest first."""
    history = tuple(
        Revision(
            number=number,
            status="deployed" if index == 0 else "superseded",
            updated=NOW - ago,
            secret=f"s{number}",
            chart="bank",
            chart_version="1.5.0",
        )
        for index, (number, ago) in enumerate(revisions)
    )
    first = history[0]
    return Release(
        namespace=namespace,
        name=name,
        health=Health.HEALTHY,
        revision=first.number,
        status=first.status,
        updated=first.updated,
        chart="bank",
        chart_version="1.5.0",
        app_version="1.5.0",
        description="",
        history=history,
    )


def commit(subject: str, *, ago: float, author: str = "ada") -> Commit:
    name = sha256(f"{subject}{ago}".encode()).hexdigest()[:40]
    return Commit(commit=name, author=author, subject=subject, at=NOW - ago)


def seen(**rows: Iterable[Any]) -> dict[str, Snapshot[Any]]:
    """Every source live; those not named have no rows."""
    return {source: snapshot(source, rows.get(source, ())) for source in SOURCES}


def standing(source: str, state: State, rows: Sequence[Any] = (), detail: str = "") -> Snapshot[Any]:
    return snapshot(source, rows, state=state, detail=detail, confirmed=NOW - 90)


def diagnose(
    latest: dict[str, Snapshot[Any]], told: Told = NOTHING_TOLD, response: Response | None = None
) -> Diagnosis:
    return Diagnostician(response or banking()).diagnose(latest, NOW, told=told)
