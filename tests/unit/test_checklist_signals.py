"""What ticks an item of a checklist by itself, in tables; and which items an incident has."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec.structs import replace

from probes.freshness import State
from probes.rows import Event, Health, Release, Usage
from runbook.checklist import SOURCES, items, read
from runbook.response import Checklist, Item, Response, Signal
from tests.pilot.pane_harness import NOW, pod, snapshot
from tests.unit.diagnosis_world import crashing, endpoint, node, running, workload

RUNBOOK = Response(name="bank", severities=(), errors_gone_for=600.0)
GIB = 1 << 30


def warning(ago: float, kind: str = "Warning") -> Event:
    return Event(
        uid=f"event-{ago}",
        namespace="prod",
        name="e",
        type=kind,
        reason="BackOff",
        kind="Pod",
        object_name="payment-1",
        object_uid="",
        message="",
        count=1,
        first_at=NOW - ago,
        last_at=NOW - ago,
        reporter="kubelet",
    )


def release(status: str) -> Release:
    return Release(
        namespace="prod",
        name="bank",
        health=Health.HEALTHY,
        revision=3,
        status=status,
        updated=NOW,
        chart="bank",
        chart_version="1",
        app_version="1",
        description="",
        history=(),
    )


def usage(cpu: float, memory: float) -> Usage:
    return Usage(namespace="", name="a", cpu=cpu, memory=int(memory * GIB), at=NOW)


BIG = node("a", cpu_allocatable=4.0, memory_allocatable=8 * GIB)
SICK_POD = replace(pod("x-1", "x"), health=Health.DEGRADED)


@pytest.mark.parametrize(
    ("signal", "rows", "holds", "evidence"),
    [
        ("endpoints-healthy", [endpoint("api"), endpoint("web")], True, "2 of 2 endpoints answer as expected"),
        ("endpoints-healthy", [endpoint("api", ok=False), endpoint("web")], False, "1 of 2 endpoints fail: api 503"),
        ("endpoints-healthy", [endpoint("api", ok=None)], None, "not every endpoint was checked yet"),
        ("endpoints-healthy", [], None, "no health endpoint is configured"),
        ("pods-ready", [*running("x"), pod("job-1", status="Completed")], True, "3 of 3 pods ready"),
        ("pods-ready", [*running("x"), *crashing("y", 1)], False, "1 of 4 pods not ready: y-0 CrashLoopBackOff"),
        ("pods-ready", [SICK_POD], False, "1 of 1 pod not ready: x-1 not ready"),
        ("pods-ready", [], None, "there are no pods"),
        ("rollouts-complete", [workload("x"), workload("off", 0, 0)], True, "1 of 1 workload updated and ready"),
        ("rollouts-complete", [workload("x", 2)], False, "1 of 1 workload incomplete: x 2/3 ready, 3 updated"),
        (
            "rollouts-complete",
            [workload("x", updated=1)],
            False,
            "1 of 1 workload incomplete: x 3/3 ready, 1 updated",
        ),
        ("releases-deployed", [release("deployed")], True, "1 of 1 release deployed"),
        ("releases-deployed", [release("pending-upgrade")], False, "1 of 1 release not deployed: bank pending-upgrade"),
        ("releases-deployed", [], None, "there are no Helm releases"),
    ],
)
def test_a_signal_holds_or_does_not_and_says_by_what(
    signal: Signal, rows: list[Any], holds: bool | None, evidence: str
) -> None:
    found = read(signal, {SOURCES[signal]: snapshot(SOURCES[signal], rows)}, RUNBOOK, NOW)
    assert (found.holds, found.evidence) == (holds, evidence)


@pytest.mark.parametrize(
    ("watched", "rows", "holds", "evidence"),
    [
        (3600, [], True, "no warning event for 10 min"),
        (3600, [warning(601), warning(1, "Normal")], True, "no warning event for 10 min"),
        (3600, [warning(180)], False, "the last warning was 3 min ago, not yet 10 min: BackOff payment-1"),
        # Nothing seen is not nothing there: the watch must have lasted as long.
        (120, [], None, "no warning for the 2 min that the events are watched, of 10 min"),
        (120, [warning(30)], False, "the last warning was 30 s ago, not yet 10 min: BackOff payment-1"),
    ],
)
def test_errors_are_gone_after_ten_watched_minutes_without_one(
    watched: float, rows: list[Event], holds: bool | None, evidence: str
) -> None:
    events = snapshot("events", rows)
    events = replace(events, freshness=replace(events.freshness, since=NOW - watched))
    found = read("errors-gone", {"events": events}, RUNBOOK, NOW)
    assert (found.holds, found.evidence) == (holds, evidence)


OTHER = replace(warning(50), uid="other", reason="ContainerMemoryHigh", object_name="fraud-scoring-x")


@pytest.mark.parametrize(
    ("services", "rows", "holds", "evidence"),
    [
        (("payment",), [OTHER], True, "no warning event about payment for 10 min; elsewhere the last was 50 s ago: "),
        (
            ("payment",),
            [OTHER, warning(30)],
            False,
            "the last warning about payment was 30 s ago, not yet 10 min: BackOff payment-1",
        ),
        (
            ("payment", "fraud-scoring"),
            [OTHER],
            False,
            "the last warning about payment, fraud-scoring was 50 s ago, not yet 10 min: ",
        ),
        # What somebody called it in words of their own cannot be told from the rest.
        (
            ("card payments",),
            [OTHER],
            False,
            "the last warning was 50 s ago, not yet 10 min: ContainerMemoryHigh fraud-scoring-x",
        ),
        ((), [OTHER], False, "the last warning was 50 s ago, not yet 10 min: ContainerMemoryHigh fraud-scoring-x"),
    ],
)
def test_errors_of_what_the_incident_does_not_affect_do_not_keep_it_open(
    services: tuple[str, ...], rows: list[Event], holds: bool, evidence: str
) -> None:
    events = snapshot("events", rows)
    events = replace(events, freshness=replace(events.freshness, since=NOW - 900))
    workloads = snapshot("workloads", [workload("payment"), workload("fraud-scoring")])
    found = read("errors-gone", {"events": events, "workloads": workloads}, RUNBOOK, NOW, services)
    assert found.holds is holds
    assert found.evidence.startswith(evidence)


@pytest.mark.parametrize(
    ("nodes", "used", "holds", "evidence"),
    [
        ([BIG], [usage(1.0, 6.0)], True, "no node under pressure, the most is a at 75% of its memory"),
        ([BIG], [usage(3.8, 1.0)], False, "1 of 1 node near the limit: a at 95% of its processor"),
        ([node("a", pressures=("MemoryPressure",))], [], False, "1 of 1 node in trouble: a under MemoryPressure"),
        ([BIG], [], None, "what the nodes use is not measured now"),
    ],
)
def test_usage_is_normal_below_the_nodes_limits(
    nodes: list[Any], used: list[Usage], holds: bool | None, evidence: str
) -> None:
    found = read("usage-normal", {"nodes": snapshot("nodes", nodes), "usage": snapshot("usage", used)}, RUNBOOK, NOW)
    assert (found.holds, found.evidence) == (holds, evidence)


@pytest.mark.parametrize("signal", get_args(Signal))
def test_a_source_that_is_not_live_knows_nothing(signal: Signal) -> None:
    assert read(signal, {}, RUNBOOK, NOW).holds is None
    stale = snapshot(SOURCES[signal], [], state=State.STALE)
    found = read(signal, {SOURCES[signal]: stale}, RUNBOOK, NOW)
    assert (found.holds, "stale since" in found.evidence) == (None, True)


def test_items_are_of_the_incidents_severity_or_scenario() -> None:
    checklist = Checklist(
        id="c",
        title="C",
        when="respond",
        items=(
            Item(id="always", text="a"),
            Item(id="grave", text="g", severities=(1, 2)),
            Item(id="breach", text="b", scenarios=("security-incident",)),
            Item(id="either", text="e", severities=(1,), scenarios=("security-incident",)),
        ),
    )

    def of(severity: int | None, *scenarios: str) -> list[str]:
        return [item.id for item in items(checklist, severity, scenarios)]

    assert of(1) == ["always", "grave", "either"]
    assert of(2) == ["always", "grave"]
    assert of(3) == ["always"]
    assert of(3, "security-incident") == ["always", "breach", "either"]
    assert of(None) == ["always", "grave", "either"]  # nobody knows yet how bad it is
