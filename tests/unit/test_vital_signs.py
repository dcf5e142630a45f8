"""The banner's numbers, counted from snapshots as they pass: by what changed, and right again after a new list."""

from __future__ import annotations

import msgspec

from probes.freshness import Freshness, Snapshot, State
from probes.rows import Endpoint, Event, Health, Node
from tests.pilot.pane_harness import NOW, pod, snapshot
from tui.vital_signs import HISTORY, RATE_WINDOW, VitalSigns


def event(name: str, count: int = 1, *, last: float = 0.0, kind: str = "Warning") -> Event:
    return Event(
        uid=name,
        namespace="prod",
        name=name,
        type=kind,
        reason="BackOff",
        kind="Pod",
        object_name="p",
        object_uid="u",
        message="m",
        count=count,
        first_at=NOW - 3600,
        last_at=NOW - last,
        reporter="kubelet",
    )


def node(name: str, *, ready: bool = True, pressures: tuple[str, ...] = ()) -> Node:
    return Node(
        uid=name,
        name=name,
        resource_version="1",
        health=Health.FAILING if not ready else Health.DEGRADED if pressures else Health.HEALTHY,
        ready=ready,
        status="Ready" if ready else "NotReady",
        reason="",
        message="",
        changed_at=NOW - 60,
        pressures=pressures,
        taints=(),
        cordoned=False,
        roles=(),
        version="v1.34.2",
        created_at=NOW - 9000,
        cpu_allocatable=8,
        memory_allocatable=1 << 34,
        pods_allocatable=110,
    )


def endpoint(ok: bool, changed_at: float | None) -> Endpoint:
    return Endpoint(
        name="api",
        url="http://api",
        health=Health.HEALTHY if ok else Health.FAILING,
        ok=ok,
        status=200 if ok else 503,
        latency_ms=1.0,
        error="",
        excerpt="",
        tls_expires_at=None,
        checked_at=NOW,
        changed_at=changed_at,
        history=(),
    )


def test_sick_pods_are_counted_by_what_changed() -> None:
    vitals = VitalSigns()
    well, sick = pod("a"), pod("b", status="CrashLoopBackOff", unready_for=300)
    vitals.see(snapshot("pods", [well, sick]), NOW)
    assert (vitals.pods, vitals.sick_pods) == (2, 1)

    ill = pod("a", status="Error", unready_for=10)
    vitals.see(snapshot("pods", [ill, sick], version=2, changed=frozenset({ill.key})), NOW)
    assert (vitals.pods, vitals.sick_pods) == (2, 2)

    vitals.see(snapshot("pods", [ill], version=3, changed=frozenset({sick.key})), NOW)
    assert (vitals.pods, vitals.sick_pods) == (1, 1)

    done = pod("c", status="Completed")  # what has ended, or was evicted, is none of those that are to run
    vitals.see(snapshot("pods", [ill, done], version=4, changed=frozenset({done.key})), NOW)
    assert (vitals.pods, vitals.sick_pods) == (1, 1)


def test_a_new_list_forgets_who_is_gone() -> None:
    vitals = VitalSigns()
    vitals.see(snapshot("pods", [pod("b", status="CrashLoopBackOff", unready_for=300)]), NOW)
    vitals.see(snapshot("pods", [pod("a")], version=5), NOW)

    assert (vitals.pods, vitals.sick_pods, vitals.first_symptom) == (1, 0, None)


def test_the_first_symptom_is_the_oldest_present_trouble_of_pods_and_endpoints() -> None:
    vitals = VitalSigns()
    vitals.see(snapshot("pods", [pod("b", status="CrashLoopBackOff", unready_for=300)]), NOW)
    vitals.see(snapshot("endpoints", [endpoint(ok=False, changed_at=NOW - 500)]), NOW)
    assert vitals.first_symptom == NOW - 500

    vitals.see(snapshot("endpoints", [endpoint(ok=True, changed_at=NOW)], version=2), NOW)
    assert vitals.first_symptom == NOW - 300


def test_nodes_are_counted_by_readiness_and_pressure() -> None:
    vitals = VitalSigns()
    vitals.see(snapshot("nodes", [node("a"), node("b", ready=False), node("c", pressures=("MemoryPressure",))]), NOW)

    assert (vitals.nodes, vitals.sick_nodes, vitals.unready_nodes, vitals.pressed_nodes) == (3, 2, 1, 1)


def test_warnings_count_for_a_minute_and_repeats_count_each() -> None:
    vitals = VitalSigns()
    vitals.see(
        snapshot("events", [event("old", 50, last=600), event("new", 9, last=5), event("n", kind="Normal")]), NOW
    )
    vitals.tick(NOW)
    assert vitals.warnings_per_minute == 1  # one of the nine fell into this minute for certain

    rows = [event("old", 53), event("new", 9, last=5), event("fresh", 2)]
    vitals.see(snapshot("events", rows, version=2, changed=frozenset({"old", "fresh"})), NOW + 10)
    vitals.tick(NOW + 10)
    assert vitals.warnings_per_minute == 1 + 3 + 2
    vitals.tick(NOW + 11 + RATE_WINDOW)
    assert vitals.warnings_per_minute == 0


def test_a_new_list_of_the_same_events_is_no_storm() -> None:
    vitals = VitalSigns()
    rows = [event(f"e{number}", 100, last=600) for number in range(50)]
    vitals.see(snapshot("events", rows), NOW)
    vitals.see(snapshot("events", rows[:10], version=9), NOW + 30)
    vitals.see(snapshot("events", rows[:10], version=10), NOW + 31)
    vitals.tick(NOW + 31)

    assert vitals.warnings_per_minute == 0


def test_what_was_never_live_is_not_known() -> None:
    vitals = VitalSigns()
    vitals.see(snapshot("pods", state=State.FORBIDDEN, detail="no"), NOW)
    vitals.see(snapshot("nodes", [node("a")], state=State.STALE), NOW)
    vitals.see(Snapshot("events", Freshness(State.LOADING, NOW)), NOW)

    assert [vitals.known(source) for source in ("pods", "nodes", "events", "usage")] == [False, True, False, False]
    assert (vitals.live, vitals.stale) == (0, 1)


def test_the_history_of_sick_pods_is_half_an_hour_and_ends_with_now() -> None:
    vitals = VitalSigns()
    sick = pod("b", status="Error", unready_for=1)
    for minute in range(60):
        rows = [sick, pod("a")] if minute >= 45 else [pod("a")]
        vitals.see(snapshot("pods", rows, version=minute + 1), NOW + 60 * minute)
        vitals.tick(NOW + 60 * minute)
    vitals.see(snapshot("pods", [msgspec.structs.replace(sick, health=Health.HEALTHY)], version=99), NOW + 3600)

    assert vitals.history[-1] == 0
    assert set(vitals.history[:-1]) == {0, 1}
    assert vitals.history[0] == 0
    assert len(vitals.history) <= HISTORY / 60 + 1
