"""The decision matrix, row by row, and what the probes can answer of its questions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from probes.freshness import Snapshot, State
from runbook.classification import View, deciding, proposed, standing, view
from runbook.response import Response
from tests.pilot.pane_harness import NOW, snapshot
from tests.unit.diagnosis_world import banking, crashing, endpoint, node, running, workload

YES, NO = True, False


@pytest.mark.parametrize(
    ("facts", "severity", "words"),
    [
        ({"service_down": YES, "customer_impact": YES}, 1, "Severity 1 proposed: Service Down + Customer Impact"),
        ({"service_down": YES, "customer_impact": NO}, 2, "Severity 2 proposed: Service Down + No Customer Impact"),
        (
            {"degraded": YES, "complaints": YES},
            2,
            "Severity 2 proposed: Performance Degradation + Customer Complaints",
        ),
        ({"degraded": YES, "complaints": NO}, 3, "Severity 3 proposed: Performance Degradation + No Complaints"),
        # The first row that applies decides.
        (
            {"service_down": YES, "customer_impact": YES, "degraded": YES, "complaints": NO},
            1,
            "Severity 1 proposed: Service Down + Customer Impact",
        ),
        (
            {"service_down": NO, "customer_impact": YES, "degraded": YES, "complaints": NO},
            3,
            "Severity 3 proposed: Performance Degradation + No Complaints",
        ),
        # What is not known proposes nothing, and says what would have to be known.
        ({}, None, "No severity proposed yet: answer what is known"),
        (
            {"service_down": YES},
            None,
            "No severity proposed yet: customer impact? yes: severity 1, no: severity 2",
        ),
        (
            {"service_down": YES, "degraded": YES},
            None,
            "No severity proposed yet: customer impact? yes: severity 1, no: severity 2",
        ),
        # A row that a worse one comes before, whatever is answered, proposes nothing.
        (
            {"service_down": YES, "degraded": YES, "complaints": NO},
            None,
            "No severity proposed yet: customer impact? yes: severity 1, no: severity 2",
        ),
        # One that only may come after a worse one says so.
        (
            {"customer_impact": YES, "degraded": YES, "complaints": NO},
            3,
            "Severity 3 proposed: Performance Degradation + No Complaints; service down? yes: severity 1",
        ),
        (
            {"degraded": YES},
            None,
            "No severity proposed yet: customer complaints? yes: severity 2, no: severity 3",
        ),
        (
            dict.fromkeys(("service_down", "customer_impact", "degraded", "complaints"), NO),
            None,
            "No severity proposed: no row of the decision matrix applies",
        ),
    ],
)
def test_the_matrix_proposes_by_its_first_row_that_applies(
    facts: dict[str, bool], severity: int | None, words: str
) -> None:
    found = proposed(banking().matrix, facts)
    assert (found.severity, found.words) == (severity, words)
    assert (found.row is None) is (severity is None)


@pytest.mark.parametrize(
    ("facts", "question"),
    [
        ({}, None),
        ({"service_down": YES, "degraded": YES}, "customer_impact"),
        ({"degraded": YES}, "complaints"),
        ({"degraded": YES, "complaints": NO}, None),
        ({"service_down": NO, "degraded": NO}, None),
    ],
)
def test_the_question_that_decides_is_the_one_to_ask(facts: dict[str, bool], question: str | None) -> None:
    assert deciding(banking().matrix, facts) == question


def test_without_a_matrix_nothing_is_proposed() -> None:
    assert proposed((), {"service_down": True}).words == "No severity proposed: the runbook has no decision matrix"


@pytest.mark.parametrize(
    ("facts", "severity", "words"),
    [
        ({"service_down": YES, "customer_impact": YES}, 1, "Service Down + Customer Impact = Severity 1"),
        (
            {"service_down": YES, "customer_impact": YES},
            3,
            "! matrix says 1: Service Down + Customer Impact; a person decided",
        ),
        (
            {"degraded": YES, "complaints": NO},
            None,
            "matrix: Performance Degradation + No Complaints = Severity 3",
        ),
        ({}, 2, "decided by a person, the questions below are open"),
        (
            dict.fromkeys(("service_down", "customer_impact", "degraded", "complaints"), NO),
            2,
            "decided by a person, no row of the matrix applies",
        ),
        ({}, None, "No severity proposed yet: answer what is known"),
    ],
)
def test_a_severity_stands_to_the_matrix(facts: dict[str, bool], severity: int | None, words: str) -> None:
    assert standing(banking().matrix, facts, severity) == words


# ---------------------------------------------------------------------- the probes


def looked(*snapshots: Snapshot[Any], response: Response | None = None) -> View:
    return view({one.source: one for one in snapshots}, response or banking(), NOW)


def platform(
    *,
    workloads: Iterable[Any] = (),
    pods: Iterable[Any] = (),
    endpoints: Iterable[Any] = (),
    nodes: Iterable[Any] = (),
) -> View:
    return looked(
        snapshot("workloads", workloads),
        snapshot("pods", pods),
        snapshot("endpoints", endpoints),
        snapshot("nodes", nodes),
    )


def test_a_critical_service_without_a_ready_replica_is_down() -> None:
    found = platform(
        workloads=[workload("payment-service", 0), workload("account-service")],
        pods=[*crashing(), *running("account-service")],
        endpoints=[endpoint("api")],
        nodes=[node("a")],
    )
    assert found.answers == {"service_down": True, "degraded": True}
    assert found.facts["service_down"].evidence == "payment-service: 0 of 3 ready"
    assert found.facts["degraded"].evidence == "3 of 3 payment-service in CrashLoopBackOff"
    assert found.services == ("payment-service",)


def test_what_is_not_critical_degrades_and_is_not_down() -> None:
    found = platform(workloads=[workload("notification-service", 0)], pods=crashing("notification-service"))
    assert found.answers == {"service_down": False, "degraded": True}
    assert found.facts["service_down"].evidence == ("no critical service is down (not critical: notification-service)")


def test_where_the_runbook_calls_nothing_critical_everything_is() -> None:
    response = Response(name="any", severities=())
    dead = workload("notification-service", 0)
    found = looked(snapshot("workloads", [dead]), snapshot("pods", crashing("notification-service")), response=response)
    assert found.answers["service_down"] is True


def test_when_every_endpoint_fails_the_service_is_down_whatever_the_pods_say() -> None:
    up: dict[str, Any] = {"workloads": [workload("payment-service")], "pods": running("payment-service")}
    found = platform(endpoints=[endpoint("api", ok=False), endpoint("web", ok=False)], **up)
    assert found.answers["service_down"] is True
    assert found.facts["service_down"].evidence == "every health endpoint fails: api 503, web 503"
    assert found.services == ("api", "web")
    one_of_two = platform(endpoints=[endpoint("api", ok=False), endpoint("web")], **up)
    assert one_of_two.answers == {"service_down": False, "degraded": True}
    assert one_of_two.facts["degraded"].evidence == "api 503"


@pytest.mark.parametrize(
    ("changed", "evidence"),
    [
        ({"pods": [*running("x", 2), *crashing("x", 1)], "workloads": [workload("x", 2)]}, "1 of 3 x in CrashLoopB"),
        ({"nodes": [node("a", ready=False)]}, "a NotReady"),
        ({"nodes": [node("a", pressures=("DiskPressure",))]}, "a under DiskPressure"),
        (
            {"endpoints": [endpoint("api", latency_ms=5200.0, history=tuple((NOW - n, 40.0) for n in range(8)))]},
            "api slow, 5.2 s",
        ),
    ],
)
def test_degraded_says_by_what(changed: dict[str, Any], evidence: str) -> None:
    well: dict[str, Any] = {
        "workloads": [workload("x")],
        "pods": running("x"),
        "nodes": [node("a")],
        "endpoints": [endpoint("api")],
    }
    assert platform(**well).answers == {"service_down": False, "degraded": False}
    found = platform(**(well | changed))
    assert found.answers["degraded"] is True
    assert evidence in found.facts["degraded"].evidence


def test_what_cannot_be_seen_stays_unknown() -> None:
    found = looked()
    assert found.answers == {}
    assert found.facts["service_down"].evidence == "workloads are not loaded yet"
    stale = looked(
        snapshot("workloads", [workload("payment-service", 0)], state=State.STALE),
        snapshot("pods", crashing(), state=State.STALE),
    )
    assert stale.answers == {}
    assert "stale since" in stale.facts["service_down"].evidence
    # Whether customers notice or complain no probe is asked at all.
    assert set(found.facts) == {"service_down", "degraded"}
