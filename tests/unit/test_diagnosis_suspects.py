"""Which change is suspected first: near in time, near to what is ill, and of a kind that breaks things."""

from __future__ import annotations

from typing import Any

import pytest

from probes.rows import Usage
from runbook.diagnosis.change import closeness
from runbook.diagnosis.suspects import names
from tests.pilot.pane_harness import NOW
from tests.unit.diagnosis_world import (
    SINCE,
    commit,
    crashing,
    diagnose,
    node,
    release,
    running,
    scaled,
    seen,
    workload,
)

ILL: dict[str, Any] = {"pods": crashing(), "workloads": [workload("payment-service", 0), workload("card-service")]}
ROLLED = "Scaled up replica set payment-service-6cdd5cb5bd from 0 to 3"
OTHER, ELSEWHERE = release((4, SINCE + 10), name="other"), release((9, SINCE + 10), name="lab", namespace="lab")


def ranked(**rows: Any) -> list[str]:
    return [one.short for one in diagnose(seen(**(ILL | rows))).suspects]


def short(subject: str, ago: float) -> str:
    return f"commit {commit(subject, ago=ago).commit[:7]}"


TABLE = [
    ("the release before its commits", {"releases": [release((12, SINCE + 40))], "commits": [
        commit("payments: raise pool timeout", ago=SINCE + 45)]},
        ["revision 12", short("payments: raise pool timeout", SINCE + 45)]),
    ("the later of two releases", {"releases": [release((12, SINCE + 40), (11, SINCE + 1800))]},
        ["revision 12", "revision 11"]),
    ("what carries the sick before its neighbour, and that before elsewhere",
        {"releases": [ELSEWHERE, OTHER, release((12, SINCE + 300))]}, ["revision 12", "revision 4", "revision 9"]),
    ("a commit that names the sick before one that is later", {"commits": [
        commit("payments: retry", ago=SINCE + 300), commit("ci: pin linter", ago=SINCE + 240)]},
        [short("payments: retry", SINCE + 300), short("ci: pin linter", SINCE + 240)]),
    ("a rollout by hand", {"events": [scaled("payment-service", ROLLED, ago=SINCE + 5)]},
        ["the rollout of payment-service"]),
    ("a rollout is its release's", {"events": [scaled("payment-service", ROLLED, ago=SINCE + 30)],
        "releases": [release((12, SINCE + 40))]}, ["revision 12"]),
    ("a rollout long after a release is its own", {"events": [scaled("payment-service", ROLLED, ago=SINCE + 30)],
        "releases": [release((12, SINCE + 4000))]}, ["the rollout of payment-service", "revision 12"]),
    ("steps of one scaling are one", {"events": [
        scaled("payment-service", "Scaled down replica set payment-service-6c from 3 to 2", ago=SINCE + 60),
        scaled("payment-service", "Scaled down replica set payment-service-6c from 2 to 1", ago=SINCE + 50)]},
        ["scaling payment-service"]),
    ("a node under the sick before one elsewhere", {"nodes": [
        node("aks-batch", pressures=("DiskPressure",), since=SINCE + 30),
        node("aks-system-00000", ready=False, since=SINCE + 60)]},
        ["node aks-system-00000 NotReady", "node aks-batch under DiskPressure"]),
    ("days ago is no suspect", {"releases": [release((12, SINCE + 90_000))]}, []),
    ("a message that nobody knows", {"events": [scaled("payment-service", "", ago=SINCE + 5)]},
        ["scaling payment-service"]),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_suspects_rank_by_time_touch_and_kind(rows: dict[str, Any], expected: list[str]) -> None:
    assert ranked(**rows) == expected


def test_a_suspect_says_what_it_touches_who_did_it_and_how_long_before() -> None:
    world = seen(**ILL, releases=[release((12, SINCE + 40))], commits=[commit("payments: retry", ago=SINCE + 90)])
    first, second = diagnose(world).suspects

    assert (first.kind, first.before, first.touch) == ("release", 40.0, "workload")
    assert first.why == "it carries payment-service, which is ill"
    assert (second.by, second.before) == ("ada", 90.0)
    assert second.why == "its subject names payment-service"


def test_what_came_after_the_first_symptom_is_no_suspect_and_is_listed_apart() -> None:
    found = diagnose(seen(**ILL, releases=[release((13, SINCE - 300), (12, SINCE + 40))]))

    assert [one.short for one in found.suspects] == ["revision 12"]
    assert [(one.short, one.before) for one in found.after] == [("revision 13", -300.0)]


def test_clocks_that_disagree_by_a_few_seconds_do_not_acquit() -> None:
    assert ranked(releases=[release((12, SINCE - 4))]) == ["revision 12"]
    assert ranked(releases=[release((12, SINCE - 6))]) == []


def test_a_node_that_went_down_is_suspected_of_what_its_pods_have() -> None:
    down = node("aks-system-00000", ready=False, since=SINCE + 40)
    found = diagnose(seen(**ILL, nodes=[down]))
    assert found.first_symptom == NOW - SINCE
    assert found.suspects[0].why == "pods that are ill run on it"

    alone = diagnose(seen(pods=running("card-service"), nodes=[down], releases=[release((12, SINCE + 90))]))
    assert alone.first_symptom == NOW - SINCE - 40
    assert alone.suspects[0].short == "revision 12"


def test_equal_suspects_keep_one_order() -> None:
    twins = [release((1, SINCE + 9), name="b"), release((1, SINCE + 9), name="a")]
    orders = {tuple(one.id for one in diagnose(seen(**ILL, releases=rows)).suspects) for rows in (twins, twins[::-1])}
    assert len(orders) == 1


@pytest.mark.parametrize(("before", "share"), [(0, 1.0), (600, 0.5), (-3, 1.0), (5400, 0.1)])
def test_closeness_is_a_half_after_ten_minutes_and_never_nothing(before: float, share: float) -> None:
    assert closeness(before) == pytest.approx(share)


@pytest.mark.parametrize(
    ("subject", "workload_name", "named"),
    [
        ("release: payment-service 1.5.0", "payment-service", True),
        ("payments: raise pool timeout", "payment-service", True),
        ("Payment: retry", "payment-service", True),
        ("repayments are monthly", "payment-service", False),
        ("service mesh upgraded", "payment-service", False),
        ("api: new route", "api-gateway", False),
        ("gateway: retry", "api-gateway", True),
        ("", "payment-service", False),
    ],
)
def test_a_subject_names_a_workload_by_its_name_or_by_what_tells_it_apart(
    subject: str, workload_name: str, named: bool
) -> None:
    assert names(subject, workload_name) is named


def test_while_nodes_are_under_pressure_what_was_scaled_up_counts_full_whoever_is_ill() -> None:
    grown = scaled("report-builder", "Scaled up replica set report-builder-1 from 1 to 9", ago=SINCE + 600)
    shrunk = scaled("card-service", "Scaled down replica set card-service-1 from 9 to 3", ago=SINCE + 300)
    ill: dict[str, Any] = {"pods": crashing(), "workloads": [workload("payment-service", 0)], "events": [grown, shrunk]}
    pressed = diagnose(seen(nodes=[node("aks-1", pressures=("MemoryPressure",), since=SINCE - 60)], **ill))
    assert [(one.short, one.touch) for one in pressed.suspects] == [
        ("scaling report-builder", "node"),
        ("scaling card-service", "namespace"),
    ]
    assert pressed.suspects[0].why == "nodes are under pressure, and it takes room on them"
    calm = diagnose(seen(nodes=[node("aks-1")], **ill))
    assert [one.short for one in calm.suspects] == ["scaling card-service", "scaling report-builder"]


def test_a_node_that_is_short_of_memory_names_whose_pods_use_most_there() -> None:
    pods = [*running("report-builder", 2, node="aks-1"), *running("card-service", 3, node="aks-1")]
    elsewhere = running("statement-render", 3, node="aks-2")
    sizes = {"report-builder": 3 << 30, "card-service": 1 << 28, "statement-render": 4 << 30}
    usage = [
        Usage(namespace=one.namespace, name=one.name, cpu=0.1, memory=sizes[one.name.rpartition("-")[0]], at=NOW)
        for one in (*pods, *elsewhere)
    ]
    rows: dict[str, Any] = {"pods": [*pods, *elsewhere], "usage": usage}
    found = diagnose(seen(nodes=[node("aks-1", pressures=("MemoryPressure",)), node("aks-2")], **rows))
    told = found.finding("check-infrastructure")
    assert told is not None
    assert told.evidence.endswith("; 1 other fine; most memory there: report-builder, 6.0 GiB in 2 pods")
    calm = diagnose(seen(nodes=[node("aks-1"), node("aks-2")], **rows)).finding("check-infrastructure")
    assert calm is not None
    assert "most memory" not in calm.evidence
