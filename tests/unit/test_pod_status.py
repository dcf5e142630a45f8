"""kubectl's words for pods, case by case as its own table tests have them, and what we make of them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from probes import wire
from probes.pod_status import SETTLING, Summary, summarize
from probes.pods import overdue, row
from probes.rows import Health, Owner

LONG_AGO = "2020-01-01T00:00:00Z"


def stamp(seconds_ago: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))


JUST_NOW = stamp(-3600)
"""Of a server whose clock is ahead: cases are made when this file is read, and judged when their turn comes."""


def read(thing: dict[str, Any]) -> wire.Pod:
    return msgspec.json.decode(json.dumps(thing), type=wire.Pod)


def waiting(reason: str = "", **more: Any) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason}}, **more}


def running(ready: bool = True, **more: Any) -> dict[str, Any]:
    return {"state": {"running": {"startedAt": LONG_AGO}}, "ready": ready, **more}


def ended(code: int = 0, reason: str = "", **more: Any) -> dict[str, Any]:
    signal = more.pop("signal", None)
    terminated = {"exitCode": code, "reason": reason, **({"signal": signal} if signal else {})}
    return {"state": {"terminated": terminated}, **more}


def pod(
    *containers: dict[str, Any],
    init: list[dict[str, Any]] | None = None,
    sidecars: int = 0,
    phase: str = "Running",
    conditions: dict[str, str] | None = None,
    created: str = LONG_AGO,
    **more: Any,
) -> dict[str, Any]:
    """A pod whose first ``sidecars`` init containers are restartable."""
    init = init or []
    status = {
        "phase": phase,
        "conditions": [
            {"type": kind, "status": value if value in ("True", "False") else "False", "reason": value}
            for kind, value in (conditions or {}).items()
        ],
        "containerStatuses": [{"name": f"c{n}", **c} for n, c in enumerate(containers)],
        "initContainerStatuses": [{"name": f"i{n}", **c} for n, c in enumerate(init)],
        **more.pop("status", {}),
    }
    return {
        "metadata": {"name": "p", "namespace": "prod", "uid": "u", "creationTimestamp": created, **more},
        "spec": {
            "containers": [{"name": f"c{n}"} for n in range(len(containers))],
            "initContainers": [
                {"name": f"i{n}", **({"restartPolicy": "Always"} if n < sidecars else {})} for n in range(len(init))
            ],
        },
        "status": status,
    }


INITIALIZED = {"Initialized": "True", "Ready": "True"}

CASES: list[tuple[str, dict[str, Any], str, str, int, Health]] = [
    ("running", pod(running()), "Running", "1/1", 0, Health.HEALTHY),
    ("running, not ready", pod(running(False)), "Running", "0/1", 0, Health.DEGRADED),
    ("one of two ready", pod(running(), running(False)), "Running", "1/2", 0, Health.DEGRADED),
    ("crash loop", pod(waiting("CrashLoopBackOff", restartCount=7)), "CrashLoopBackOff", "0/1", 7, Health.FAILING),
    ("image", pod(waiting("ImagePullBackOff"), phase="Pending"), "ImagePullBackOff", "0/1", 0, Health.FAILING),
    ("config", pod(waiting("CreateContainerConfigError")), "CreateContainerConfigError", "0/1", 0, Health.FAILING),
    ("the first container's word wins", pod(waiting("A"), waiting("B")), "A", "0/2", 0, Health.DEGRADED),
    ("ended with reason", pod(ended(137, "OOMKilled")), "OOMKilled", "0/1", 0, Health.FAILING),
    ("ended by signal", pod(ended(137, signal=9)), "Signal:9", "0/1", 0, Health.FAILING),
    ("ended by code", pod(ended(3)), "ExitCode:3", "0/1", 0, Health.FAILING),
    ("completed", pod(ended(0, "Completed"), phase="Succeeded"), "Completed", "0/1", 0, Health.DORMANT),
    (
        "completed beside a running one",
        pod(ended(0, "Completed"), running(), conditions=INITIALIZED),
        "Running",
        "1/2",
        0,
        Health.DEGRADED,
    ),
    (
        "completed beside one that is not ready",
        pod(ended(0, "Completed"), running()),
        "NotReady",
        "1/2",
        0,
        Health.DEGRADED,
    ),
    ("failed", pod(phase="Failed", status={"reason": "Evicted"}), "Evicted", "0/0", 0, Health.FAILING),
    ("pending for long", pod(phase="Pending"), "Pending", "0/0", 0, Health.DEGRADED),
    (
        "creating",
        pod(waiting("ContainerCreating"), phase="Pending", created=JUST_NOW),
        "ContainerCreating",
        "0/1",
        0,
        Health.HEALTHY,
    ),
    (
        "creating for long",
        pod(waiting("ContainerCreating"), phase="Pending"),
        "ContainerCreating",
        "0/1",
        0,
        Health.DEGRADED,
    ),
    (
        "unschedulable at once",
        pod(phase="Pending", created=stamp(0), conditions={"PodScheduled": "Unschedulable"}),
        "Pending",
        "0/0",
        0,
        Health.DEGRADED,
    ),
    (
        "gated",
        pod(phase="Pending", conditions={"PodScheduled": "SchedulingGated"}),
        "SchedulingGated",
        "0/0",
        0,
        Health.DEGRADED,
    ),
    (
        "initializing",
        pod(waiting("PodInitializing"), init=[ended(0), running()], phase="Pending"),
        "Init:1/2",
        "0/1",
        0,
        Health.DEGRADED,
    ),
    (
        "init error",
        pod(waiting("PodInitializing"), init=[ended(1, "Error", restartCount=2)], phase="Pending"),
        "Init:Error",
        "0/1",
        2,
        Health.FAILING,
    ),
    ("init code", pod(init=[ended(4)], phase="Pending"), "Init:ExitCode:4", "0/0", 0, Health.FAILING),
    ("init signal", pod(init=[ended(4, signal=15)], phase="Pending"), "Init:Signal:15", "0/0", 0, Health.FAILING),
    (
        "init crash loop",
        pod(init=[waiting("CrashLoopBackOff", restartCount=3)], phase="Pending"),
        "Init:CrashLoopBackOff",
        "0/0",
        3,
        Health.FAILING,
    ),
    (
        "init waits for its turn",
        pod(init=[waiting("PodInitializing")], phase="Pending"),
        "Init:0/1",
        "0/0",
        0,
        Health.DEGRADED,
    ),
    (
        "after init its restarts are forgotten",
        pod(running(restartCount=1), init=[ended(0, restartCount=5)], conditions=INITIALIZED),
        "Running",
        "1/1",
        1,
        Health.HEALTHY,
    ),
    (
        "sidecar counts",
        pod(running(), init=[running(started=True, restartCount=2)], sidecars=1, conditions=INITIALIZED),
        "Running",
        "2/2",
        2,
        Health.HEALTHY,
    ),
    (
        "sidecar not ready",
        pod(running(), init=[running(False, started=True)], sidecars=1, conditions=INITIALIZED),
        "Running",
        "1/2",
        0,
        Health.DEGRADED,
    ),
    (
        "sidecar not started",
        pod(waiting("PodInitializing"), init=[running(False, started=False)], sidecars=1, phase="Pending"),
        "Init:0/1",
        "0/2",
        0,
        Health.DEGRADED,
    ),
    ("terminating", pod(running(), deletionTimestamp=stamp(-7200)), "Terminating", "1/1", 0, Health.HEALTHY),
    ("terminating for long", pod(running(), deletionTimestamp=stamp(60)), "Terminating", "1/1", 0, Health.DEGRADED),
    (
        "finished and being deleted",
        pod(ended(0, "Completed"), phase="Succeeded", deletionTimestamp=stamp(60)),
        "Completed",
        "0/1",
        0,
        Health.DORMANT,
    ),
    (
        "node lost",
        pod(running(), deletionTimestamp=stamp(60), status={"reason": "NodeLost"}),
        "Unknown",
        "1/1",
        0,
        Health.DEGRADED,
    ),
    ("nothing known", {"metadata": {"name": "p", "uid": "u"}}, "Unknown", "0/0", 0, Health.DEGRADED),
    (
        "nulls",
        {
            "metadata": {"name": "p", "labels": None},
            "spec": {"containers": None},
            "status": {"conditions": None, "containerStatuses": None},
        },
        "Unknown",
        "0/0",
        0,
        Health.DEGRADED,
    ),
]


@pytest.mark.parametrize(
    ("thing", "word", "ready", "restarts", "health"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_the_words_are_kubectls(thing: dict[str, Any], word: str, ready: str, restarts: int, health: Health) -> None:
    made = row(read(thing))
    assert (made.status, f"{made.ready}/{made.total}", made.restarts, made.health) == (word, ready, restarts, health)


def test_the_last_restart_is_the_latest_end_of_any_container() -> None:
    last: dict[str, Any] = {"lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-11-23T07:38:10Z"}}}
    older: dict[str, Any] = {"lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-11-23T07:00:00Z"}}}
    summary = summarize(read(pod(running(restartCount=1, **older), running(restartCount=2, **last))))
    assert summary == Summary("Running", 2, 2, 3, wire.instant("2026-11-23T07:38:10Z"))


def test_a_crash_loop_stays_failing_while_its_container_runs_for_a_moment() -> None:
    crashed: dict[str, Any] = {"lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": stamp(20)}}}
    assert row(read(pod(running(False, restartCount=3, **crashed)))).health is Health.FAILING
    assert row(read(pod(running(True, restartCount=3, **crashed)))).health is Health.HEALTHY


def test_a_young_pod_tells_when_it_will_be_overdue() -> None:
    made = row(read(pod(waiting("ContainerCreating"), phase="Pending", created=stamp(5))))
    due = overdue(made)
    assert due is not None
    assert due[0] == made.created_at + SETTLING
    assert due[1].health is Health.DEGRADED
    assert overdue(due[1]) is None


@pytest.mark.parametrize(
    ("references", "labels", "owner"),
    [
        (
            [{"kind": "ReplicaSet", "name": "pay-75cc", "controller": True}],
            {"pod-template-hash": "75cc"},
            Owner("Deployment", "pay"),
        ),
        ([{"kind": "ReplicaSet", "name": "pay-75cc", "controller": True}], {}, Owner("ReplicaSet", "pay-75cc")),
        (
            [{"kind": "ReplicaSet", "name": "bare", "controller": True}],
            {"pod-template-hash": "x"},
            Owner("ReplicaSet", "bare"),
        ),
        ([{"kind": "Job", "name": "j", "controller": True}], {}, Owner("Job", "j")),
        ([{"kind": "Node", "name": "n1", "controller": True}], {}, Owner("Node", "n1")),
        (
            [{"kind": "Other", "name": "o"}, {"kind": "StatefulSet", "name": "s", "controller": True}],
            {},
            Owner("StatefulSet", "s"),
        ),
        ([], {}, None),
    ],
)
def test_the_owner_is_the_workload_a_person_thinks_of(
    references: list[dict[str, Any]], labels: dict[str, str], owner: Owner | None
) -> None:
    assert row(read({"metadata": {"name": "p", "ownerReferences": references, "labels": labels}})).owner == owner


def test_the_row_tells_of_each_container() -> None:
    crashed = {
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-23T07:38:10Z"}},
        "restartCount": 9,
    }
    made = row(read(pod(running(), crashed, init=[running(started=True)], sidecars=1)))
    assert [(c.name, c.role, c.state) for c in made.containers] == [
        ("i0", "sidecar", "running"),
        ("c0", "app", "running"),
        ("c1", "app", "waiting"),
    ]
    sick = made.containers[2]
    assert (sick.reason, sick.last_reason, sick.last_exit_code, sick.restarts) == (
        "CrashLoopBackOff",
        "OOMKilled",
        137,
        9,
    )
    assert sick.last_finished_at == wire.instant("2026-11-23T07:38:10Z")
    assert made.message == "back-off 5m0s"


def test_a_container_without_a_status_is_shown_as_unreported() -> None:
    made = row(read({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "x"}]}}))
    assert [(c.name, c.state, c.ready) for c in made.containers] == [("a", "", False)]


def test_the_recorded_crashing_pod_reads_like_kubectl() -> None:
    recorded = Path(__file__).parents[3] / "shared/wire/kubernetes-1.36/08-pods-crashing.json"
    if not recorded.exists():
        pytest.skip(f"the recorded answers are not here: {recorded}")
    made = row(read(json.loads(recorded.read_text())["body"]["items"][0]))
    assert (made.status, made.ready, made.total, made.restarts) == ("CrashLoopBackOff", 0, 1, 3)
    assert made.owner == Owner("Deployment", "payment-service")
    assert made.health is Health.FAILING
