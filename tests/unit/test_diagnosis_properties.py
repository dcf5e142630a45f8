"""Whatever is in the snapshots: a diagnosis comes, the same one each time, however the console came to see it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from probes.azure.rows import Activity, Database
from probes.freshness import Freshness, Snapshot, State
from probes.rows import Commit, Endpoint, Event, Health, Node, Pod, Release, Usage, Workload
from runbook.diagnosis import warnings
from runbook.diagnosis.diagnostician import Diagnostician
from runbook.response import Question, Response
from tests.breadth import examples
from tests.pilot.pane_harness import NOW, pod, snapshot
from tests.pilot.test_hostile_panes import filled
from tests.unit.diagnosis_world import banking, commit, crashing, endpoint, event, node, release, running, workload

ASCII = st.characters(codec="ascii")
KINDS: dict[str, Any] = {
    "pods": Pod,
    "nodes": Node,
    "workloads": Workload,
    "events": Event,
    "usage": Usage,
    "releases": Release,
    "endpoints": Endpoint,
    "commits": Commit,
    "activity": Activity,
    "databases": Database,
}


@st.composite
def snapshots(draw: st.DrawFn) -> dict[str, Snapshot[Any]]:
    found = {}
    for source in draw(st.sets(st.sampled_from(sorted(KINDS)))):
        rows = draw(st.lists(filled(KINDS[source]), max_size=2))
        state, since = draw(st.sampled_from(list(State))), draw(st.floats(-1e15, 1e15))
        freshness = Freshness(state, since, draw(st.none() | st.floats(-1e15, 1e15)), draw(st.text(max_size=9)))
        found[source] = Snapshot(source, freshness, {row.key: row for row in rows}, 1)
    return found


@given(snapshots(), st.floats(-1e15, 1e15))
@settings(deadline=None, max_examples=examples(15))
def test_nothing_that_a_cluster_can_say_stops_a_diagnosis(latest: dict[str, Snapshot[Any]], now: float) -> None:
    once = Diagnostician(banking()).diagnose(latest, now)
    again = Diagnostician(banking()).diagnose(latest, now)

    assert once == again
    assert once.path[0] == banking().framework[0].id
    assert all(one.evidence for one in once.findings)


ids = st.sampled_from(["a", "b", "c", "d", ""])


@given(
    st.lists(
        st.builds(
            Question,
            id=st.sampled_from("abcd"),
            text=st.just("?"),
            asks=st.sampled_from(["", "pods-running", "service-responding", "errors-in-logs"]),
            yes=ids,
            no=ids,
            next=ids,
            pane=st.sampled_from(["", "pods", "nodes", "services", "events", "changes", "databases", "x"]),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(deadline=None)
def test_any_framework_has_a_path_that_ends(framework: list[Question]) -> None:
    found = Diagnostician(Response(name="r", severities=(), framework=tuple(framework))).diagnose({}, NOW)
    assert len(found.path) == len(set(found.path))


WELL = running("card-service", 4)
NAMES = ("payment-service", "card-service", "api-gateway")
EVENTS = [event("BackOff", "payment-service-0"), event("Slow", "x", "sql timeout"), event("Alert", "y", "login failed")]
POOLS: dict[str, list[Any]] = {
    "pods": [*WELL, *crashing(), *crashing("card-service"), pod("lone", "", "Error", unready_for=50)],
    "workloads": [workload(name, ready) for name in NAMES for ready in (0, 1, 3)],
    "events": [*EVENTS, *(event("BackOff", "payment-service-1", count=count) for count in (1, 7))],
    "nodes": [node("a"), node("b", ready=False), node("c", pressures=("DiskPressure",))],
    "endpoints": [endpoint("api", ok) for ok in (True, False, None)],
    "releases": [release((12, 1240)), release((13, 900), (12, 1240))],
    "commits": [commit("payments: x", ago=1400)],
}


@given(
    st.lists(
        st.fixed_dictionaries({source: st.lists(st.sampled_from(pool), max_size=6) for source, pool in POOLS.items()}),
        min_size=1,
        max_size=5,
    )
)
@settings(deadline=None, max_examples=50)
def test_what_was_seen_before_leaves_nothing_behind(steps: list[dict[str, list[Any]]]) -> None:
    """A diagnosis kept up to date by what changed is the one made from scratch."""
    kept = Diagnostician(banking())
    for step in steps:
        latest = {source: snapshot(source, rows) for source, rows in step.items()}
        incremental = kept.diagnose(latest, NOW)
        assert incremental == Diagnostician(banking()).diagnose(latest, NOW)


def test_a_second_look_at_what_did_not_change_examines_no_pod_again() -> None:
    """What keeps five thousand pods cheap: a row that is the same object is not even compared by value."""
    latest = {"pods": snapshot("pods", [*WELL, *crashing()])}
    kept = Diagnostician(banking())
    kept.diagnose(latest, NOW)
    before = dict(kept._sight.illnesses)
    rows = dict(latest["pods"].rows) | {"uid-new": pod("new", "card-service")}
    kept.diagnose({"pods": Snapshot("pods", latest["pods"].freshness, rows, 2)}, NOW + 1)

    assert all(kept._sight.illnesses[key] is illness for key, illness in before.items())


@given(st.from_regex(warnings._AUTH, alphabet=ASCII), st.from_regex(warnings._TIMED_OUT, alphabet=ASCII))
@settings(deadline=None, max_examples=examples(40))
def test_what_is_looked_for_first_is_in_all_that_is_looked_for(break_in: str, timeout: str) -> None:
    assert warnings.of_break_in(break_in) or len(break_in) > warnings.READ
    assert warnings.of_database(f"database: {timeout}") or len(timeout) > warnings.READ - 10


@pytest.mark.parametrize("health", list(Health))
def test_a_pod_that_is_leaving_is_counted_as_what_it_is(health: Health) -> None:
    leaving = replace(pod("a", "card-service"), health=health, deleting_since=NOW - 5, unready_since=NOW - 60)
    found = Diagnostician(banking()).diagnose({"pods": snapshot("pods", [leaving, *WELL[1:]])}, NOW)
    answer = next(one.answer for one in found.findings if one.asks == "pods-running")
    assert answer == ("no" if health <= Health.DEGRADED else "yes")
