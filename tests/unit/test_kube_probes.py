"""Nodes, workloads, events and pods: rows from what a real server answers, and from what it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from probes import nodes, wire, workloads
from probes.cluster import Cluster, Scope
from probes.events import EventsProbe, core_event, new_event
from probes.freshness import State
from probes.nodes import NodesProbe
from probes.pods import PodsProbe
from probes.rows import Health, Taint
from probes.workloads import WorkloadsProbe
from tests.unit.api_server import ApiServer, api_server, connected, first_answer, forbidden, pod

IN_PROD = Scope(("prod",))
EVENTS = "/apis/events.k8s.io/v1/namespaces/prod/events"
RECORDED = Path(__file__).parents[3] / "shared/wire/kubernetes-1.36"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        yield running


@pytest.fixture
async def cluster(server: ApiServer, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with connected(server, tmp_path) as connection:
        yield connection


def recorded(name: str) -> Any:
    path = RECORDED / name
    if not path.exists():
        pytest.skip(f"the recorded answers are not here: {path}")
    return json.loads(path.read_text())["body"]


# ---------------------------------------------------------------- nodes


def node(name: str = "aks-1", **more: Any) -> dict[str, Any]:
    conditions = {"MemoryPressure": "False", "Ready": "True", **more.pop("conditions", {})}
    return {
        "metadata": {"name": name, "labels": {"node-role.kubernetes.io/agent": "", "kubernetes.io/role": "agent"}},
        "spec": more,
        "status": {
            "allocatable": {"cpu": "3860m", "memory": "12880756Ki", "pods": "110"},
            "conditions": [
                {
                    "type": kind,
                    "status": value,
                    "reason": f"Because{kind}",
                    "message": "so",
                    "lastTransitionTime": "2026-11-23T07:37:45Z",
                }
                for kind, value in conditions.items()
            ],
            "nodeInfo": {"kubeletVersion": "v1.30.6"},
        },
    }


async def test_a_node_tells_what_it_can_hold(server: ApiServer, cluster: Cluster) -> None:
    server.put("/api/v1/nodes", node())
    (row,) = (await first_answer(NodesProbe(cluster).watch())).rows.values()
    assert (row.name, row.status, row.ready, row.health) == ("aks-1", "Ready", True, Health.HEALTHY)
    assert (row.cpu_allocatable, row.memory_allocatable, row.pods_allocatable) == (3.86, 12880756 * 1024, 110)
    assert (row.roles, row.version, row.reason) == (("agent",), "v1.30.6", "")


@pytest.mark.parametrize(
    ("thing", "status", "health", "reason"),
    [
        (node(conditions={"Ready": "False"}), "NotReady", Health.FAILING, "BecauseReady"),
        (node(conditions={"Ready": "Unknown"}), "NotReady", Health.FAILING, "BecauseReady"),
        (node(conditions={"MemoryPressure": "True"}), "Ready", Health.DEGRADED, "BecauseMemoryPressure"),
        (node(unschedulable=True), "Ready,SchedulingDisabled", Health.DORMANT, ""),
        ({"metadata": {"name": "new"}}, "Unknown", Health.FAILING, ""),
    ],
)
def test_a_nodes_health_has_a_reason(thing: dict[str, Any], status: str, health: Health, reason: str) -> None:
    row = nodes.row(msgspec.json.decode(json.dumps(thing), type=wire.Node))
    assert (row.status, row.health, row.reason) == (status, health, reason)


def test_taints_and_pressures_are_listed() -> None:
    thing = node(taints=[{"key": "k", "effect": "NoSchedule"}], conditions={"DiskPressure": "True"})
    row = nodes.row(msgspec.json.decode(json.dumps(thing), type=wire.Node))
    assert row.taints == (Taint("k", "", "NoSchedule"),)
    assert row.pressures == ("DiskPressure",)


# ---------------------------------------------------------------- workloads


def workload(spec: dict[str, Any], status: dict[str, Any], **meta: Any) -> wire.Workload:
    thing = {"metadata": {"name": "w", "generation": 2, **meta}, "spec": spec, "status": status}
    thing["status"] = {"observedGeneration": 2, **status}
    return msgspec.json.decode(json.dumps(thing), type=wire.Workload)


def progressing(reason: str, **more: Any) -> dict[str, Any]:
    return {"conditions": [{"type": "Progressing", "status": "True", "reason": reason, "message": "m", **more}]}


FULL = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}


@pytest.mark.parametrize(
    ("spec", "status", "condition", "health"),
    [
        ({"replicas": 3}, FULL, "complete", Health.HEALTHY),
        ({"replicas": 0}, {}, "complete", Health.DORMANT),
        ({}, {}, "progressing", Health.FAILING),
        ({"replicas": 3}, {**FULL, "updatedReplicas": 1}, "progressing", Health.HEALTHY),
        ({"replicas": 3}, {**FULL, "replicas": 4}, "progressing", Health.HEALTHY),
        ({"replicas": 3}, {**FULL, "availableReplicas": 2, "readyReplicas": 2}, "progressing", Health.DEGRADED),
        ({"replicas": 3, "paused": True}, FULL, "paused", Health.HEALTHY),
        ({"replicas": 3}, {**FULL, "observedGeneration": 1}, "progressing", Health.HEALTHY),
        (
            {"replicas": 3},
            {**FULL, **progressing("ProgressDeadlineExceeded")},
            "ProgressDeadlineExceeded",
            Health.FAILING,
        ),
        (
            {"replicas": 3},
            {**FULL, "conditions": [{"type": "ReplicaFailure", "status": "True"}]},
            "ReplicaFailure",
            Health.FAILING,
        ),
    ],
)
def test_a_deployments_rollout_has_kubectls_word(
    spec: dict[str, Any], status: dict[str, Any], condition: str, health: Health
) -> None:
    row = workloads.deployment(workload(spec, status))
    assert (row.condition, row.health) == (condition, health)


def test_a_deployment_names_its_revision_release_and_images() -> None:
    annotations = {"deployment.kubernetes.io/revision": "7", "meta.helm.sh/release-name": "bank"}
    spec = {"template": {"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b"}]}}}
    row = workloads.deployment(workload(spec, {}, annotations=annotations))
    assert (row.revision, row.release, row.images) == ("7", "bank", ("x:1", ""))


def test_a_stateful_set_and_a_daemon_set_count_in_their_own_fields() -> None:
    status = {**FULL, "readyReplicas": 2, "availableReplicas": 2, "currentRevision": "w-1", "updateRevision": "w-1"}
    row = workloads.stateful_set(workload({"replicas": 3}, status))
    assert (row.kind, row.desired, row.ready, row.revision, row.health) == ("StatefulSet", 3, 2, "1", Health.DEGRADED)
    rolling = {**FULL, "updatedReplicas": 1, "currentRevision": "w-1", "updateRevision": "w-2"}
    assert workloads.stateful_set(workload({"replicas": 3}, rolling)).condition == "progressing"
    waiting = {**rolling, "updatedReplicas": 0}
    on_delete = {"replicas": 3, "updateStrategy": {"type": "OnDelete"}}
    assert workloads.stateful_set(workload(on_delete, waiting)).condition == "waiting"
    counts = {"desiredNumberScheduled": 4, "updatedNumberScheduled": 4, "numberReady": 4, "numberAvailable": 4}
    assert workloads.daemon_set(workload({}, counts)).condition == "complete"
    row = workloads.daemon_set(workload({}, {**counts, "numberReady": 3, "numberAvailable": 3}))
    assert (row.desired, row.ready, row.health) == (4, 3, Health.DEGRADED)
    assert workloads.daemon_set(workload({}, {})).health is Health.DORMANT


def test_replicas_that_went_missing_after_a_rollout_are_missing_since_then_and_not_since_the_rollout() -> None:
    done = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
    lost = {"type": "Available", "status": "False", "lastTransitionTime": "2026-11-23T07:00:00Z"}
    conditions = [{**done, "lastUpdateTime": "2026-11-20T07:00:00Z"}, lost]
    short = {**FULL, "readyReplicas": 2, "availableReplicas": 2}

    row = workloads.deployment(workload({"replicas": 3}, {**short, "conditions": conditions}))
    assert row.changed_at == datetime(2026, 11, 23, 7, tzinfo=UTC).timestamp()
    within_budget = [conditions[0], {**lost, "status": "True"}]
    row = workloads.deployment(workload({"replicas": 3}, {**short, "conditions": within_budget}))
    assert row.changed_at is None


def test_a_rollout_that_does_not_move_becomes_sick_long_before_its_deadline() -> None:
    status = {**FULL, "updatedReplicas": 1, **progressing("ReplicaSetUpdated", lastUpdateTime="2026-11-23T07:00:00Z")}
    row = workloads.deployment(workload({"replicas": 3}, status))
    due = workloads.stuck(row)
    assert due is not None
    assert due[0] == (row.changed_at or 0.0) + workloads.STUCK_AFTER
    assert due[1].health is Health.DEGRADED
    assert workloads.stuck(due[1]) is None
    assert workloads.stuck(workloads.deployment(workload({"replicas": 3}, FULL))) is None


async def test_a_refused_kind_is_told_and_the_others_are_shown(server: ApiServer, cluster: Cluster) -> None:
    apps = "/apis/apps/v1/namespaces/prod"
    server.put(f"{apps}/deployments", {"metadata": {"name": "d"}, "spec": {"replicas": 1}})
    server.put(f"{apps}/daemonsets", {"metadata": {"name": "s"}})
    server.refusals[f"{apps}/statefulsets"] = (403, forbidden("list", "statefulsets", "apps", "prod"))
    snapshot = await first_answer(WorkloadsProbe(cluster, IN_PROD).watch())
    assert {row.kind for row in snapshot.rows.values()} == {"Deployment", "DaemonSet"}
    assert snapshot.freshness.state is State.LIVE
    assert snapshot.freshness.detail == "cannot list statefulsets.apps in namespace prod: forbidden for viewer"


# ---------------------------------------------------------------- events


def event(reason: str = "BackOff", last: str = "2026-11-23T07:38:10Z", **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "e", "namespace": "prod", "creationTimestamp": "2026-11-23T07:38:00Z"},
        "eventTime": None,
        "type": "Warning",
        "reason": reason,
        "regarding": {"kind": "Pod", "name": "p", "uid": "pod-uid"},
        "note": "back-off restarting failed container",
        "deprecatedFirstTimestamp": "2026-11-23T07:38:05Z",
        "deprecatedLastTimestamp": last,
        "deprecatedCount": 2,
        **more,
    }


async def test_repeats_about_one_object_become_one_row_that_counts(server: ApiServer, cluster: Cluster) -> None:
    oldest = server.put(EVENTS, event(deprecatedFirstTimestamp="2026-11-23T07:00:00Z"))
    server.put(EVENTS, event(last="2026-11-23T08:00:00Z"))
    server.put(EVENTS, event("Pulled"))
    probe = EventsProbe(cluster, IN_PROD)
    async with aclosing(probe.watch()) as snapshots:
        snapshot = await anext(snapshots)
        while snapshot.freshness.state is not State.LIVE:
            snapshot = await anext(snapshots)
        folded = snapshot.rows[oldest["metadata"]["uid"]]
        assert len(snapshot.rows) == 2
        assert (folded.count, folded.first_at, folded.last_at) == (
            4,
            wire.instant("2026-11-23T07:00:00Z"),
            wire.instant("2026-11-23T08:00:00Z"),
        )
        while not server.watchers:
            snapshot = await anext(snapshots)
        server.delete(EVENTS, oldest["metadata"]["uid"])
        while oldest["metadata"]["uid"] in snapshot.rows:
            snapshot = await anext(snapshots)
        assert snapshot.changed is not None
        assert oldest["metadata"]["uid"] in snapshot.changed
        assert {row.count for row in snapshot.rows.values()} == {2}
        assert snapshot.changed <= snapshot.rows.keys() | {oldest["metadata"]["uid"]}


@pytest.mark.parametrize("code", [403, 404])
async def test_where_the_new_group_is_not_to_be_had_core_events_are_read(
    server: ApiServer, cluster: Cluster, code: int
) -> None:
    body = forbidden("list", "events", "events.k8s.io", "prod") if code == 403 else "404 page not found\n"
    server.refusals[EVENTS] = (code, body)
    core = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Node", "name": "n"},
        "message": "from core",
        "count": 3,
        "lastTimestamp": "2026-11-23T07:38:10Z",
        "source": {"component": "kubelet"},
    }
    server.put("/api/v1/namespaces/prod/events", core)
    (row,) = (await first_answer(EventsProbe(cluster, IN_PROD).watch())).rows.values()
    assert (row.message, row.kind, row.count, row.reporter, row.type) == ("from core", "Node", 3, "kubelet", "Normal")


async def test_when_both_are_refused_it_says_so(server: ApiServer, cluster: Cluster) -> None:
    server.refusals[EVENTS] = (403, forbidden("list", "events", "events.k8s.io", "prod"))
    server.refusals["/api/v1/namespaces/prod/events"] = (403, forbidden("list", "events", "", "prod"))
    freshness = (await first_answer(EventsProbe(cluster, IN_PROD).watch())).freshness
    assert freshness.state is State.FORBIDDEN
    assert freshness.detail == "cannot list events in namespace prod: forbidden for viewer"


@pytest.mark.parametrize(
    ("fields", "first_at", "last_at", "count"),
    [
        (
            {
                "eventTime": "2026-11-23T07:00:00.25Z",
                "series": {"count": 9, "lastObservedTime": "2026-11-23T09:00:00Z"},
            },
            "2026-11-23T07:00:00.25Z",
            "2026-11-23T09:00:00Z",
            9,
        ),
        ({"eventTime": "2026-11-23T07:00:00Z"}, "2026-11-23T07:00:00Z", "2026-11-23T07:00:00Z", 1),
        ({}, "2026-11-23T06:00:00Z", "2026-11-23T06:00:00Z", 1),
        (
            {"deprecatedLastTimestamp": "2026-11-23T08:00:00Z", "deprecatedCount": 5},
            "2026-11-23T08:00:00Z",
            "2026-11-23T08:00:00Z",
            5,
        ),
    ],
)
def test_an_events_times_come_from_whichever_field_has_them(
    fields: dict[str, Any], first_at: str, last_at: str, count: int
) -> None:
    thing = {"metadata": {"name": "e", "creationTimestamp": "2026-11-23T06:00:00Z"}, **fields}
    row = new_event(msgspec.json.decode(json.dumps(thing), type=wire.NewEvent))
    assert (row.first_at, row.last_at, row.count) == (wire.instant(first_at), wire.instant(last_at), count)


def test_both_recorded_groups_give_the_same_rows() -> None:
    new = [new_event(msgspec.convert(thing, wire.NewEvent)) for thing in recorded("19-events-k8s-io.json")["items"]]
    core = {
        row.uid: row
        for row in (core_event(msgspec.convert(t, wire.CoreEvent)) for t in recorded("18-events-core.json")["items"])
    }
    assert new == [core[row.uid] for row in new]


def test_the_recorded_watch_is_readable_line_by_line() -> None:
    lines = recorded("11-watch-from-oldest.json")["watch_lines"]
    kinds = {line["type"] for line in lines}
    assert kinds <= {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"}
    for line in lines:
        change = msgspec.json.decode(json.dumps(line), type=wire.WatchLine)
        thing = msgspec.json.decode(change.object, type=wire.Pod)
        assert thing.metadata.resource_version or change.type == "ERROR"


# ---------------------------------------------------------------- pods


async def test_all_namespaces_are_one_list(server: ApiServer, cluster: Cluster) -> None:
    server.put("/api/v1/pods", pod("a", "prod"))
    server.put("/api/v1/pods", pod("b", "dev"))
    snapshot = await first_answer(PodsProbe(cluster, Scope()).watch())
    assert {row.namespace for row in snapshot.rows.values()} == {"prod", "dev"}
    assert server.lists == 1


async def test_the_recorded_pages_replay_into_rows(server: ApiServer, cluster: Cluster) -> None:
    pages = [recorded("05-pods-page-1.json"), recorded("06-pods-page-2.json")]
    del pages[1]["metadata"]["continue"]

    async def replay(request: web.Request) -> web.StreamResponse:
        if request.query.get("watch"):
            return await server._watch(request)
        return web.json_response(pages["continue" in request.query])

    server.answers["/api/v1/namespaces/prod/pods"] = replay
    snapshot = await first_answer(PodsProbe(cluster, IN_PROD).watch())
    assert len(snapshot.rows) == 4
    assert {row.status for row in snapshot.rows.values()} == {"Running"}
    assert {row.owner.name for row in snapshot.rows.values() if row.owner} == {"account-service", "api-gateway"}
