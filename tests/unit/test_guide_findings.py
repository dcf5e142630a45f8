"""What a step of a guide finds: one exact sentence, and where a probe cannot tell, that it is not known and why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probes.freshness import Snapshot, State
from probes.log_lines import LogLine
from probes.rows import Usage
from runbook import guide_answers
from runbook.diagnosis.findings import Place, Seen
from runbook.guide_findings import Found, Sight, found
from runbook.response import Look
from tests.pilot.pane_harness import NOW, PROD, pod
from tests.unit.diagnosis_world import (
    commit,
    crashing,
    endpoint,
    event,
    node,
    release,
    running,
    seen,
    standing,
    workload,
)

HELM, GIT, AZ = "helm history bank", "git log --oneline", "az monitor activity-log list"


def look(what: Any, latest: dict[str, Snapshot[Any]], of: str = "", code: str = "", **more: Any) -> Found:
    return found(Look(what=what, of=of), Sight(latest, NOW, **more), code)


UNREADY = [pod(f"cart-{index}", "cart", "Running", unready_for=40) for index in range(2)]
DONE = [pod("seed-1", "seed", "Completed")]
NODES = [node(f"aks-{index}") for index in range(3)]
PRESSED = [*NODES, node("aks-3", pressures=("MemoryPressure",))]
WARNINGS = [event("BackOff", f"payment-service-7d9f8b6c4-x2v4{end}", count=6) for end in "bc"]


@pytest.mark.parametrize(
    ("what", "rows", "said", "level"),
    [
        (
            "pods",
            {"pods": [*crashing(), *running("account-service", 38)]},
            "pods: 3 of 41 not Running: payment-service ×3 CrashLoopBackOff",
            "warn",
        ),
        (
            "pods",
            {"pods": [*crashing(), *UNREADY, *DONE]},
            "pods: 3 of 5 not Running: payment-service ×3 CrashLoopBackOff; 2 Running but not ready: cart ×2; 1 done",
            "warn",
        ),
        ("pods", {"pods": running("a", 12)}, "pods: all 12 Running", "good"),
        ("pods", {}, "pods: there are none here", "good"),
        (
            "nodes",
            {"nodes": PRESSED},
            "nodes: 4 of 4 Ready, aks-3 MemoryPressure",
            "warn",
        ),
        (
            "nodes",
            {"nodes": NODES, "usage": [Usage(namespace="", name="aks-1", cpu=7.2, memory=1 << 33, at=NOW)]},
            "nodes: 3 of 3 Ready; at most 90% of CPU used, on aks-1",
            "good",
        ),
        ("nodes", {"nodes": [node("a", ready=False)]}, "nodes: 0 of 1 Ready, a NotReady", "warn"),
        (
            "services",
            {
                "endpoints": [endpoint(ok=False), endpoint("web")],
                "workloads": [workload("pay", 0), workload("card"), workload("off", 0, 0)],
            },
            "endpoints: 1 of 2 fails: api 503; workloads: 1 of 2 workloads short: pay 0 of 3 ready",
            "warn",
        ),
        (
            "services",
            {"endpoints": [endpoint()], "workloads": [workload("card")]},
            "endpoints: the only one answers; workloads: all 1 workload as they should be",
            "good",
        ),
        ("services", {}, "endpoints: none is configured; workloads: there are none", "good"),
        (
            "events",
            {"events": [*WARNINGS, event("Unhealthy", "cart"), event("Old", "cart", ago=900)]},
            "events: 3 warnings in 10 min, most: BackOff ×12 payment-service; Unhealthy ×1 cart",
            "warn",
        ),
        ("events", {"events": [event("Old", "cart", ago=900)]}, "events: no warning in 10 min", "good"),
    ],
)
def test_a_look_says_what_there_is(what: str, rows: dict[str, Any], said: str, level: str) -> None:
    seen_now = look(what, seen(**rows))

    assert seen_now.text.removesuffix("; usage not known") == said
    assert seen_now.known
    assert seen_now.level == level


def test_a_look_at_one_workload_leaves_the_others_out() -> None:
    latest = seen(pods=[*crashing(), *running("account-service", 38)])
    assert look("pods", latest, "account-service").text == "pods: all 38 Running"
    assert look("pods", latest, "payment-*").text.startswith("pods: 3 of 3 not Running")
    assert look("pods", latest, "nobody").text == "pods: none of nobody"


def test_changes_say_how_long_before_the_first_symptom_they_were() -> None:
    latest = seen(releases=[release((12, 1201), (11, 90_000))], commits=[commit("Release 1.5.0", ago=1260)])

    said = look("changes", latest, code=f"# recent\n{HELM}\n\n{GIT}", began=NOW - 1200)
    sha = next(iter(latest["commits"].rows))[:8]
    assert said.text == (
        f"changes: revision 12 of {PROD} deployed 20 min ago, 1 s before the first symptom; "
        f"1 commit, the newest {sha} “Release 1.5.0” 21 min ago, 1 min before the first symptom"
    )
    assert said.known
    assert look("changes", latest, began=NOW - 1260).text.count("after the first symptom") == 1
    assert look("changes", latest, code=GIT).text.startswith("changes: 1 commit")


def test_a_step_about_azure_is_not_known_and_still_tells_what_changed_here() -> None:
    said = look("changes", seen(releases=[release((12, 60))]), code=AZ)

    assert not said.known
    assert said.text == (
        f"changes: Azure's activity log: not known, it is not watched here; revision 12 of {PROD} deployed 1 min ago"
    )


def test_databases_are_not_known_and_messages_that_speak_of_one_are_told() -> None:
    timeouts = Seen(symptom="database-timeouts", text="pay says: pool timeout", since=None, place=Place(pane="pods"))

    assert look("databases", seen()).text == "databases: not known, none is watched here"
    assert look("databases", seen(), symptoms=(timeouts,)).text.endswith("here; but pay says: pool timeout")
    assert not look("databases", seen()).known


@pytest.mark.parametrize("what", ["pods", "nodes", "events"])
@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State.LOADING, "are not loaded yet"),
        (State.FORBIDDEN, "may not be read: viewer may not list them"),
        (State.UNAVAILABLE, "cannot be had: viewer may not list them"),
        (State.STALE, "are stale since 14:19:14: viewer may not list them"),
    ],
)
def test_what_a_probe_cannot_tell_is_not_known(what: str, state: State, said: str) -> None:
    rows: Any = {"pods": crashing(), "nodes": NODES, "events": WARNINGS}[what]
    latest = seen() | {what: standing(what, state, rows, "viewer may not list them")}

    answer = look(what, latest)

    assert not answer.known
    assert answer.text.startswith(f"{what}: not known, they {said}")
    assert ("before that" in answer.text) == (state is State.STALE)
    if state is State.STALE and what == "pods":
        assert answer.text.endswith("; before that, 3 of 3 not Running: payment-service ×3 CrashLoopBackOff")


@pytest.mark.parametrize("source", ["endpoints", "workloads"])
def test_half_a_look_at_services_is_none(source: str) -> None:
    latest = seen(endpoints=[endpoint()], workloads=[workload("card")])
    latest[source] = standing(source, State.FORBIDDEN)

    assert not look("services", latest).known
    assert f"{source}: not known, they may not be read" in look("services", latest).text


def test_a_source_that_was_never_heard_of_is_not_known() -> None:
    for what in ("pods", "nodes", "services", "events", "changes", "databases", "version", "logs"):
        assert not look(what, {}).known, what


# ---------------------------------------------------------------------- what is asked


def line(text: str, kind: Any = "log", at: float = NOW) -> LogLine:
    return LogLine(at=at, pod="pay-1", container="app", text=text, kind=kind)


def test_logs_count_the_errors_and_keep_three_of_them() -> None:
    lines = [line(f"request {n} served") for n in range(60)]
    lines += [line(f"ERROR timeout after {n} ms") for n in range(5)]
    lines += [line("FATAL cannot start"), line("panic: x"), line("SqlException: pool"), line("0 errors, level=info")]

    said = guide_answers.logs("payment-service", lines, 3, 3)

    assert said.text == "logs of payment-service: 8 of 69 lines are errors, the newest: SqlException: pool"
    assert said.facts["excerpts"] == [
        "pay-1/app: SqlException: pool",
        "pay-1/app: panic: x",
        "pay-1/app: FATAL cannot start",
    ]
    assert said.level == "warn"


def test_logs_that_cannot_be_read_are_not_known() -> None:
    refused = line("pods/log is forbidden", "notice")

    none = guide_answers.logs("pay", [refused], 1, 1)
    assert (none.known, none.text) == (
        False,
        "logs of pay: not known; 1 container could not be read: pods/log is forbidden",
    )
    some = guide_answers.logs("pay", [line("hello"), refused], 5, 12)
    assert some.known
    assert some.text.startswith("logs of pay: no error in 1 line of 5 of 12 pods; 1 container could not be read")
    assert guide_answers.logs("pay", [], 1, 1).text == "logs of pay: nothing was logged yet"


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("level=error msg=x", True),
        ('{"level":"info","msg":"no failure"}', False),
        ('{"level":"info","msg":"retry after error"}', False),
        ("finished with 0 errors", False),
        ("connection refused", True),
        ("System.InvalidOperationException: x", True),
        ("terrorised", False),
        ("   at System.Data.SqlException.Throw()", False),
        ('  File "app.py", line 3, in fail', False),
        ("", False),
    ],
)
def test_a_line_is_an_error_by_its_words(text: str, bad: bool) -> None:
    assert guide_answers.is_error(text) is bad


def test_the_steps_own_command_says_how_many_lines_are_read() -> None:
    assert guide_answers.tail_of("kubectl logs x --tail=50") == 50
    assert guide_answers.tail_of("kubectl logs x --tail 9999") == 500
    assert guide_answers.tail_of("kubectl logs x") == guide_answers.TAIL


def test_the_api_server_answers_with_its_version_or_why_it_does_not() -> None:
    sight = Sight(seen(nodes=PRESSED), NOW)

    assert guide_answers.version("v1.34.2", "", sight).text.startswith(
        "version: API server v1.34.2 answers; nodes: 4 of 4 Ready, aks-3 MemoryPressure"
    )
    down = guide_answers.version("", "connection refused", sight)
    assert (down.known, down.text) == (True, "version: the API server does not answer: connection refused")
    assert not guide_answers.version("v1.34.2", "", Sight({}, NOW)).known


HOSTILE = st.text(max_size=40) | st.sampled_from(["A" * 3_000, "\x1b[2J", "[/bar]", "\u202e", "x\ny"])


@given(HOSTILE, HOSTILE)
def test_whatever_the_cluster_says_a_finding_is_short_and_its_facts_are_json(name: str, text: str) -> None:
    sick = [replace(each, message=text, status=text or "?") for each in crashing(name or "x")]
    latest = seen(
        pods=sick,
        nodes=[replace(node(name or "n"), pressures=(text,))],
        events=[event(text, name, text)],
        endpoints=[endpoint(name, False, status=None, error=text)],
        workloads=[workload(name, 0)],
        commits=[commit(text, ago=5, author=name)],
    )
    told = [look(what, latest) for what in ("pods", "nodes", "services", "events", "changes")]
    told.append(guide_answers.logs(name, [line(text)] * 50, 1, 1))
    told.append(guide_answers.version(text, name, Sight(latest, NOW)))
    for each in told:
        assert len(each.text) <= 1_000
        assert len(json.dumps(each.facts)) < 20_000
