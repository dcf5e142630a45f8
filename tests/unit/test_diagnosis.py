"""From what the probes saw to answers, evidence, the path that is lit, and the scenario that fits."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probes.freshness import Snapshot, State
from probes.rows import Health
from runbook.diagnosis.findings import Answer, Finding
from runbook.diagnosis.situation import FirstSeen, LinesRead, Told
from runbook.response import Question, Response
from tests.pilot.pane_harness import NOW, pod
from tests.unit.diagnosis_world import (
    banking,
    commit,
    crashing,
    diagnose,
    endpoint,
    event,
    node,
    release,
    running,
    seen,
    standing,
    workload,
)

World = dict[str, Snapshot[Any]]


def payment_failure(**more: Any) -> World:
    """The drill's incident: revision 12 rolled out a payment service that crash-loops 40 s later."""
    rows: dict[str, Any] = {
        "pods": [*crashing(), *running("card-service")],
        "workloads": [workload("payment-service", 0, condition="ProgressDeadlineExceeded"), workload("card-service")],
        "nodes": [node("aks-system-00000"), node("aks-system-00001")],
        "events": [event("BackOff", f"payment-service-{n}", "Back-off restarting", count=40) for n in range(3)],
        "endpoints": [endpoint("api", False), endpoint("login")],
        "releases": [release((12, 1240), (11, 273_600))],
        "commits": [commit("payments: raise pool timeout", ago=1500)],
    }
    return seen(**(rows | more))


def outage() -> World:
    return seen(
        pods=[*crashing(since=100), *crashing("card-service", since=100)],
        nodes=[node("a", ready=False, since=200), node("b", ready=False, since=190)],
        endpoints=[endpoint("api", False, since=100), endpoint("login", False, since=90)],
    )


def slow_database() -> World:
    quick = [(NOW - 1800 + 15 * step, 40.0) for step in range(100)]
    lately = [(NOW - 300 + 15 * step, 1400.0) for step in range(20)]
    return seen(
        pods=running("card-service"),
        endpoints=[endpoint("api", latency_ms=1400.0, history=(*quick, *lately))],
        events=[
            event("Slow", "card-service-0", "SqlException: Timeout expired, the pool of BankingAccountsDb is empty")
        ],
    )


def break_in() -> World:
    return seen(
        pods=running("identity-service"),
        endpoints=[endpoint("api")],
        events=[event("SecurityAlert", "identity-service-0", "unusual authentication pattern from 203.0.113.9")],
    )


def healthy() -> World:
    return seen(
        pods=running("card-service"),
        workloads=[workload("card-service")],
        nodes=[node("a"), node("b")],
        endpoints=[endpoint("api")],
        releases=[release((12, 1240))],
    )


def of(asks: str, world: World, told: Told | None = None) -> Finding:
    found = diagnose(world, told or Told())
    return next(one for one in found.findings if one.asks == asks)


# ---------------------------------------------------------------- the path


ANSWERS: list[tuple[str, World, tuple[Answer, Answer, Answer], str]] = [
    ("payment failure", payment_failure(), ("no", "no", "yes"), "check-cluster"),
    ("outage", outage(), ("no", "no", "unknown"), "check-cluster"),
    ("slow database", slow_database(), ("yes", "yes", "yes"), "analyze-errors"),
    ("break-in", break_in(), ("yes", "yes", "yes"), "analyze-errors"),
    ("healthy", healthy(), ("yes", "yes", "unknown"), "errors-in-logs"),
    ("nothing heard of", {}, ("unknown", "unknown", "unknown"), "service-responding"),
    (
        "all forbidden",
        {source: standing(source, State.FORBIDDEN) for source in seen()},
        ("unknown", "unknown", "unknown"),
        "service-responding",
    ),
    ("no rows at all", seen(), ("unknown", "unknown", "unknown"), "service-responding"),
]


@pytest.mark.parametrize(("world", "answers", "end"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_the_path_goes_as_far_as_the_answers_lead(
    world: World, answers: tuple[Answer, Answer, Answer], end: str
) -> None:
    found = diagnose(world)
    by_question = {one.asks: one.answer for one in found.findings if one.asks}

    assert tuple(by_question[asks] for asks in ("service-responding", "pods-running", "errors-in-logs")) == answers
    assert found.path[0] == "incident-detected"
    assert found.path[-1] == end
    assert [one.id for one in found.findings if one.lit] == [one.id for one in found.findings if one.id in found.path]


def test_a_framework_that_leads_in_a_circle_ends_where_it_was() -> None:
    loop = (Question(id="a", text="A", next="b"), Question(id="b", text="B", next="a"))
    found = diagnose(healthy(), response=Response(name="r", severities=(), framework=loop))

    assert found.path == ("a", "b")


def test_a_runbook_without_a_framework_gets_the_flowchart() -> None:
    found = diagnose(payment_failure(), response=Response(name="r", severities=()))

    assert found.path[-1] == "check-cluster"
    assert found.fits == ()


# ---------------------------------------------------------------- evidence


def test_pods_that_do_not_run_are_told_by_workload_with_since_when_and_what_came_before() -> None:
    running_ = of("pods-running", payment_failure())

    assert running_.evidence == "3 of 3 payment-service in CrashLoopBackOff since 14:00:44, 40 s after revision 12"
    assert running_.since == NOW - 1200
    assert running_.place is not None
    assert (running_.place.pane, running_.place.kind, running_.place.name) == ("pods", "Deployment", "payment-service")


def test_a_service_whose_endpoint_fails_does_not_respond() -> None:
    said = of("service-responding", payment_failure())

    assert said.evidence.startswith("1 of 2 endpoints fails: api 503 since 14:00:44; payment-service has none of 3")
    assert said.place is not None
    assert (said.place.kind, said.place.key) == ("Endpoint", "https://api/health")


def test_a_workload_without_a_replica_does_not_respond_whatever_endpoints_say() -> None:
    said = of("service-responding", payment_failure(endpoints=[endpoint("api"), endpoint("login")]))

    assert said.answer == "no"
    assert said.evidence == (
        "payment-service has none of 3 replicas available since 14:00:44, though all 2 endpoints answer"
    )


def test_without_endpoints_a_service_is_known_to_fail_and_never_guessed_to_respond() -> None:
    assert of("service-responding", payment_failure(endpoints=[])).answer == "no"
    well = of("service-responding", seen(pods=running("card-service"), workloads=[workload("card-service")]))
    assert well.answer == "unknown"
    assert well.evidence == "not known: no health endpoint is configured; every workload has all its replicas"


@pytest.mark.parametrize(
    ("state", "evidence"),
    [
        (
            State.STALE,
            "not known: pods are stale since 14:19:14: it hung up; "
            "before that 3 of 3 payment-service in CrashLoopBackOff",
        ),
        (State.FORBIDDEN, "not known: pods may not be read: it hung up"),
        (State.UNAVAILABLE, "not known: pods cannot be had: it hung up"),
        (State.LOADING, "not known: pods are not loaded yet"),
    ],
)
def test_a_probe_that_is_not_live_makes_its_question_unknown_and_says_why(state: State, evidence: str) -> None:
    world = payment_failure() | {"pods": standing("pods", state, crashing(), "it hung up")}
    said = of("pods-running", world)

    assert (said.answer, said.evidence) == ("unknown", evidence)


def test_errors_in_logs_says_whether_lines_or_events_tell_it() -> None:
    assert of("errors-in-logs", payment_failure()).evidence == "warning events say so: BackOff payment-service × 120"
    read = Told(read=(LinesRead(of="payment-service", lines=100, errors=12, excerpt="System.TimeoutException"),))
    said = of("errors-in-logs", payment_failure(), read)
    assert said.evidence == "12 of 100 lines read of payment-service are errors: System.TimeoutException"


def test_without_lines_and_warnings_it_is_not_known_whether_logs_hold_errors() -> None:
    said = of("errors-in-logs", healthy())
    assert said.evidence == "not known: no log line was read here, and no warning event for 10 min"
    clean = of("errors-in-logs", healthy(), Told(read=(LinesRead(of="card-service", lines=50, errors=0),)))
    assert (clean.answer, clean.evidence) == (
        "no",
        "no error in 50 lines that were read, and no warning event for 10 min",
    )


@pytest.mark.parametrize(
    ("kind", "name", "owned_by"),
    [
        ("Pod", "payment-service-6cdd5cb5bd-fbcxw", "payment-service"),
        ("Pod", "kube-proxy-fbcxw", "kube-proxy"),
        ("Pod", "session-cache-2", "session-cache"),
        ("Pod", "redis", "redis"),
        ("Pod", "redis-backup", "redis-backup"),
        ("ReplicaSet", "payment-service-6cdd5cb5bd", "payment-service"),
        ("Deployment", "payment-service", "payment-service"),
        ("Pod", "", ""),
    ],
)
def test_warnings_are_gathered_by_the_workload_even_when_its_pods_are_gone(kind: str, name: str, owned_by: str) -> None:
    said = of("errors-in-logs", seen(events=[event("BackOff", name, kind=kind)]))
    assert said.evidence == f"warning events say so: BackOff {owned_by} × 1"


def test_old_warnings_count_no_more() -> None:
    old = [event("BackOff", "card-service-0", ago=601)]
    assert of("errors-in-logs", seen(pods=running("card-service"), events=old)).answer == "unknown"


def test_a_moment_without_a_replica_is_no_illness() -> None:
    rolling = [pod("card-service-0", "card-service", unready_for=4), *running("card-service-b", 2)]
    assert of("pods-running", seen(pods=rolling)).answer == "yes"
    longer = [pod("card-service-0", "card-service", unready_for=11)]
    assert of("pods-running", seen(pods=longer)).evidence.startswith("1 of 1 card-service not ready")


def test_what_was_ill_for_days_does_not_hide_what_has_just_begun() -> None:
    old = crashing("forgotten", since=400_000)
    found = diagnose(payment_failure(pods=[*old, *crashing()]))

    assert found.first_symptom == NOW - 1200
    assert found.chronic == 1
    assert found.suspects[0].short == "revision 12"
    alone = diagnose(seen(pods=old))
    assert (alone.first_symptom, alone.chronic) == (NOW - 400_000, 0)


def test_the_first_symptom_of_an_open_incident_is_not_forgotten_when_its_pods_are_replaced() -> None:
    """A roll back makes new pods, which have been unready for seconds."""
    new = [pod("payment-service-new-0", "payment-service", unready_for=20)]
    world = payment_failure(pods=new, workloads=[workload("payment-service", 0, since=20)], endpoints=[])
    assert diagnose(world).first_symptom == NOW - 20
    told = Told(first=FirstSeen(NOW - 1200, "payment-service unhealthy, 0 of 3 ready"))
    found = diagnose(world, told=told)
    assert (found.first_symptom, found.first_text) == (NOW - 1200, "payment-service unhealthy, 0 of 3 ready")
    assert found.suspects[0].short == "revision 12"
    assert diagnose(healthy(), told=told).first_symptom is None


def test_an_endpoint_that_was_down_before_anybody_looked_is_ill_though_nobody_knows_since_when() -> None:
    found = diagnose(seen(pods=running("card-service"), endpoints=[endpoint("api", False, since=None)]))
    assert found.ill
    assert found.first_symptom is None
    begin = found.findings[0]
    assert begin.evidence == "api 503, since before this console looked"
    assert begin.place is not None
    assert begin.place.key == "https://api/health"
    assert not diagnose(healthy()).ill


def test_workloads_without_any_pod_do_not_run() -> None:
    said = of("pods-running", seen(workloads=[workload("card-service")]))
    assert (said.answer, said.evidence) == ("no", "there is not one pod, though workloads want some")


def test_cluster_health_says_whether_one_node_explains_it() -> None:
    spread = [*crashing(count=1), pod("b-0", "b", "Error", unready_for=60, node="aks-system-00001")]
    found = diagnose(payment_failure(pods=spread)).finding("check-cluster")
    assert found is not None
    assert found.evidence == "what is ill runs on 2 of 2 nodes, so no single node explains it"

    down = node("aks-system-00000", ready=False, since=1300)
    one = diagnose(payment_failure(nodes=[down, node("aks-system-00001")])).finding("check-cluster")
    assert one is not None
    assert one.evidence == "all that is ill runs on one node: aks-system-00000 NotReady since 13:59:04"
    assert one.place is not None
    assert one.place.key == "uid-aks-system-00000"


# ---------------------------------------------------------------- symptoms and scenarios


SCENARIOS = [
    ("outage", outage(), "service-outage"),
    ("payment failure", payment_failure(), "payment-failures"),
    ("slow database", slow_database(), "database-degradation"),
    ("break-in", break_in(), "security-incident"),
]


@pytest.mark.parametrize(("world", "first"), [row[1:] for row in SCENARIOS], ids=[row[0] for row in SCENARIOS])
def test_each_scenario_of_the_runbook_is_recognised(world: World, first: str) -> None:
    found = diagnose(world)

    by_id = {one.id: one for one in banking().scenarios}
    assert first in by_id, sorted(by_id)
    assert found.fits[0].id == first
    assert all(seen_.text for seen_ in found.fits[0].reasons)


def test_an_endpoint_that_was_slow_all_the_time_is_slow_all_the_same() -> None:
    history = tuple((NOW - 1500 + 15 * step, 2600.0) for step in range(100))
    found = diagnose(
        seen(pods=running("card-service"), endpoints=[endpoint("api", latency_ms=2700.0, history=history)])
    )
    (symptom,) = found.symptoms
    assert (symptom.symptom, symptom.since) == ("slow-endpoints", NOW - 1500)


def test_a_healthy_platform_fits_no_scenario_and_suspects_nothing() -> None:
    found = diagnose(healthy())
    assert (found.fits, found.suspects, found.symptoms, found.first_symptom) == ((), (), (), None)


def test_pods_of_lost_nodes_that_have_others_instead_are_no_illness_any_more() -> None:
    lost = [
        replace(one, status="Terminating", health=Health.DEGRADED, deleting_since=NOW - 900)
        for one in running("card-service", 5, unready_for=1200, age=99_000)[3:]
    ]
    pods, nodes = [*running("card-service"), *lost], [node("a", ready=False, since=1300), node("b")]
    found = diagnose(seen(pods=pods, workloads=[workload("card-service")], nodes=nodes, endpoints=[endpoint("api")]))
    (pods_run,) = [one for one in found.findings if one.asks == "pods-running"]
    assert (pods_run.answer, pods_run.evidence) == ("yes", "all 3 pods run or are done; 2 more are being deleted")
    short = diagnose(
        seen(pods=[*running("card-service", 2), *lost], workloads=[workload("card-service", 2)], nodes=nodes)
    )
    assert short.first_text == "2 of 3 card-service in Terminating"


def test_the_payment_scenario_is_about_payment_services_only() -> None:
    world = seen(pods=[*crashing("card-service"), *running("payment-service")], endpoints=[endpoint("login")])
    assert "payment-failures" not in {fit.id for fit in diagnose(world).fits}


def test_payments_among_many_failing_services_are_no_payment_failure() -> None:
    services = ("payment-service", *(f"service-{number}" for number in range(9)))
    world = outage() | {"pods": seen(pods=[row for name in services for row in crashing(name)])["pods"]}
    assert diagnose(world).fits[0].id == "service-outage"


def test_a_quarantine_speaks_for_a_security_incident() -> None:
    found = diagnose(healthy(), Told(quarantined=("identity-service-0",)))
    assert found.fits[0].id == "security-incident"


def test_a_scenario_says_what_is_not_seen_and_what_cannot_be() -> None:
    world = payment_failure() | {"endpoints": standing("endpoints", State.UNAVAILABLE)}
    fit = diagnose(world).fits[0]

    assert fit.missing == ("pods-pending",)
    assert fit.unknown == ("endpoint-failing",)


def test_a_cluster_that_does_not_answer_is_a_symptom_with_what_was_seen_last() -> None:
    world = payment_failure()
    for source in ("pods", "nodes", "workloads", "events"):
        world[source] = standing(source, State.STALE, list(world[source].rows.values()), "connection refused")
    found = diagnose(world)
    symptoms = {one.symptom: one for one in found.symptoms}

    assert symptoms["api-unreachable"].text == "the API server does not answer: connection refused"
    assert symptoms["pods-crashing"].as_of == NOW - 90


def test_pods_that_never_started_are_told_from_those_that_crash() -> None:
    waiting = [
        replace(row, status="ImagePullBackOff", phase="Pending", health=Health.FAILING) for row in crashing(count=2)
    ]
    assert [one.symptom for one in diagnose(seen(pods=waiting)).symptoms] == ["pods-pending"]
