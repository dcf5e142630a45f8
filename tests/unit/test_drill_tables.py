"""kubectl's ages and rows: the words of real printers for pods, nodes, events and workloads."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from drill import durations, tables
from drill.kinds import kind
from drill.records import Record

Json = dict[str, Any]
NOW = durations.instant("2026-11-23T12:00:00Z") or 0.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-0.5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (599, "9m59s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (12_000, "3h20m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (273_600, "3d4h"),
        (691_200, "8d"),
        (63_072_000, "2y"),
        (66_000_000, "2y33d"),
        (300_000_000, "9y"),
    ],
)
def test_ages_are_kubectls(seconds: float, text: str) -> None:
    assert durations.human(seconds) == text


@pytest.mark.parametrize("text", [None, "", "yesterday", "2026-13-01T00:00:00Z"])
def test_no_instant_is_unknown(text: str | None) -> None:
    assert durations.instant(text) is None


def cells(plural: str, **content: Any) -> list[Any]:
    of = kind(plural)
    metadata = {"name": "one", "creationTimestamp": "2026-11-23T11:50:00Z", **content.pop("metadata", {})}
    record = Record(of, 1, {"kind": of.kind, "apiVersion": of.api_version, "metadata": metadata, **content})
    body = msgspec.json.decode(tables.table([record], of, "v1", "Metadata", NOW, {}))
    assert len(body["columnDefinitions"]) == len(body["rows"][0]["cells"])
    row: list[Any] = body["rows"][0]["cells"]
    return row


def pod(
    *states: Json, phase: str = "Running", init: tuple[Json, ...] = (), sidecars: tuple[str, ...] = (), **more: Any
) -> tuple[Any, ...]:
    """(READY, STATUS, RESTARTS) of a pod with these container statuses."""
    status = more.pop("status", {})
    row = cells(
        "pods",
        spec={
            "containers": [{"name": f"c{at}"} for at, _ in enumerate(states)],
            "initContainers": [
                {"name": one["name"], **({"restartPolicy": "Always"} if one["name"] in sidecars else {})}
                for one in init
            ],
        },
        status={
            "phase": phase,
            "containerStatuses": [{"name": f"c{at}", "restartCount": 0, **state} for at, state in enumerate(states)],
            "initContainerStatuses": [{"restartCount": 0, **one} for one in init],
            **status,
        },
        **more,
    )
    return tuple(row[1:4])


RUNNING: Json = {"ready": True, "state": {"running": {}}}
CRASHED: Json = {
    "ready": False,
    "restartCount": 7,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-11-23T11:57:00Z"}},
}
DONE: Json = {"ready": False, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}


def test_pods_say_what_kubectl_says() -> None:
    assert pod(RUNNING) == ("1/1", "Running", "0")
    assert pod(RUNNING, CRASHED) == ("1/2", "CrashLoopBackOff", "7 (3m ago)")
    assert pod(DONE, phase="Succeeded") == ("0/1", "Completed", "0")
    assert pod({"state": {"terminated": {"exitCode": 137, "signal": 9}}}) == ("0/1", "Signal:9", "0")
    assert pod({"state": {"terminated": {"exitCode": 3}}}) == ("0/1", "ExitCode:3", "0")
    assert pod({"state": {"waiting": {"reason": "ImagePullBackOff"}}}, phase="Pending")[1] == "ImagePullBackOff"


def test_a_pod_that_still_runs_is_not_completed() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert pod(DONE, RUNNING, status=ready)[1] == "Running"
    assert pod(DONE, RUNNING)[1] == "NotReady"


def test_init_containers_come_first() -> None:
    waiting: Json = {"state": {"waiting": {"reason": "PodInitializing"}}}
    first, failed = {"name": "i", "state": {"running": {}}}, {"name": "i", "state": {"terminated": {"exitCode": 2}}}
    assert pod(waiting, init=(first,), phase="Pending")[1] == "Init:0/1"
    assert pod(waiting, init=(failed,), phase="Pending")[1] == "Init:ExitCode:2"
    crashing = {"name": "i", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 4}
    assert pod(waiting, init=(crashing,), phase="Pending")[1:] == ("Init:CrashLoopBackOff", "4")


def test_a_sidecar_counts_as_a_container() -> None:
    sidecar = {"name": "proxy", "started": True, "ready": True, "restartCount": 2, "state": {"running": {}}}
    assert pod(RUNNING, init=(sidecar,), sidecars=("proxy",)) == ("2/2", "Running", "2")


def test_pods_that_go_or_never_came() -> None:
    leaving = {"deletionTimestamp": "2026-11-23T12:00:30Z"}
    assert pod(RUNNING, metadata=leaving)[1] == "Terminating"
    assert pod(RUNNING, metadata=leaving, status={"reason": "NodeLost"})[1] == "Unknown"
    assert pod(phase="Failed", status={"reason": "Evicted"})[1] == "Evicted"
    gated = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}
    assert pod(phase="Pending", status=gated)[1] == "SchedulingGated"


def test_nodes_tell_readiness_cordon_and_roles() -> None:
    row = cells(
        "nodes",
        metadata={"labels": {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/agent": ""}},
        spec={"unschedulable": True},
        status={"conditions": [{"type": "Ready", "status": "Unknown"}], "nodeInfo": {"kubeletVersion": "v1.34.2"}},
    )
    assert row[1:5] == ["NotReady,SchedulingDisabled", "agent,worker", "10m", "v1.34.2"]
    assert cells("nodes")[1] == "Unknown"


def test_events_tell_the_last_time_and_the_count() -> None:
    regarding = {"kind": "Pod", "name": "web"}
    classic = cells(
        "events",
        involvedObject=regarding,
        firstTimestamp="2026-11-23T11:00:00Z",
        lastTimestamp="2026-11-23T11:59:00Z",
        count=7,
        type="Warning",
        reason="BackOff",
        message="Back-off\n",
    )
    assert classic == ["60s", "Warning", "BackOff", "pod/web", "", "", "Back-off", "60m", 7, "one"]
    series = cells(
        "events",
        involvedObject=regarding,
        eventTime="2026-11-23T11:00:00.5Z",
        series={"count": 9, "lastObservedTime": "2026-11-23T11:58:00.000000Z"},
    )
    assert (series[0], series[7], series[8]) == ("2m", "59m", 9)
    assert cells("events", involvedObject=regarding)[0] == "<unknown>"


def test_workloads_tell_their_counts() -> None:
    spec = {
        "replicas": 3,
        "selector": {
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "canary", "operator": "DoesNotExist"}],
        },
        "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}},
    }
    status = {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2, "replicas": 3}
    deployment = cells("deployments", spec=spec, status=status)
    assert deployment == ["one", "2/3", 3, 2, "10m", "web", "web:1", "app=web,!canary"]
    assert cells("replicasets", spec=spec, status=status)[1:4] == [3, 3, 2]
    assert cells("statefulsets", spec=spec, status=status)[1] == "2/3"


def test_services_tell_addresses_and_ports() -> None:
    ports = [{"port": 80, "protocol": "TCP", "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]
    spec = {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "ports": ports, "selector": {"app": "web"}}
    row = cells("services", spec=spec, status={"loadBalancer": {"ingress": [{"ip": "20.1.2.3"}]}})
    assert row[1:5] == ["LoadBalancer", "10.0.0.1", "20.1.2.3", "80:30080/TCP,53/UDP"]
    assert cells("services", spec=spec)[3] == "<pending>"


def test_every_kind_has_a_row_even_when_it_is_empty() -> None:
    from drill.kinds import KINDS

    for of in KINDS:
        record = Record(of, 1, {"kind": of.kind, "apiVersion": of.api_version, "metadata": {"name": "one"}})
        body = msgspec.json.decode(tables.table([record], of, "v1", "None", NOW, {}))
        assert len(body["columnDefinitions"]) == len(body["rows"][0]["cells"]), of


def test_cells_are_made_once_and_ages_every_time() -> None:
    of = kind("pods")
    record = Record(of, 1, {"metadata": {"name": "one", "creationTimestamp": "2026-11-23T11:59:00Z"}})

    def age(now: float) -> str:
        text: str = msgspec.json.decode(tables.table([record], of, "v1", "None", now, {}))["rows"][0]["cells"][4]
        return text

    assert [age(NOW), age(NOW + 5)] == ["60s", "65s"]
