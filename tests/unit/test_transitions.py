"""What the timeline is told by itself: turns, not states; illnesses, not restarts; one blindness, not eight."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.freshness import Freshness, Snapshot, State
from probes.rows import Container, Endpoint, Health, Node, Owner, Pod, Release, Revision, Workload
from probes.transitions import Transition, Watcher
from tests.breadth import examples

T = 1_800_000_000.0  # when the console opens in these stories
DEPLOYMENT = Owner("Deployment", "payment-service")


def snapshot(
    source: str,
    rows: Iterable[Any] = (),
    *,
    at: float = T,
    state: State = State.LIVE,
    confirmed: float | None = None,
    detail: str = "",
) -> Snapshot[Any]:
    freshness = Freshness(state, at, confirmed if confirmed is not None else at, detail)
    return Snapshot(source, freshness, MappingProxyType({row.key: row for row in rows}))


def pod(
    number: int = 0,
    *,
    status: str = "Running",
    health: Health = Health.HEALTHY,
    ready: bool = True,
    restarts: int = 0,
    restarted_at: float | None = None,
    unready_since: float | None = None,
    created_at: float = T - 86400,
    owner: Owner | None = DEPLOYMENT,
    exit_code: int | None = None,
    phase: str = "Running",
    deleting_since: float | None = None,
) -> Pod:
    app = Container(
        name="app",
        role="app",
        image="x:1",
        ready=ready,
        state="waiting" if status == "CrashLoopBackOff" else "running",
        restarts=restarts,
        last_exit_code=exit_code,
        last_reason="Error" if exit_code else "",
        last_finished_at=restarted_at,
    )
    return Pod(
        uid=f"uid-{owner.name if owner else ''}-{number}",
        namespace="bank",
        name=f"{owner.name if owner else 'bare'}-{number}",
        resource_version="1",
        status=status,
        phase=phase,
        health=health,
        ready=int(ready),
        total=1,
        restarts=restarts,
        restarted_at=restarted_at,
        unready_since=unready_since,
        node="n1",
        ip="",
        created_at=created_at,
        deleting_since=deleting_since,
        owner=owner,
        app="",
        containers=(app,),
    )


def crashing(number: int = 0, *, since: float = T, restarts: int = 7, owner: Owner = DEPLOYMENT) -> Pod:
    return pod(
        number,
        status="CrashLoopBackOff",
        health=Health.FAILING,
        ready=False,
        restarts=restarts,
        restarted_at=since,
        unready_since=since,
        exit_code=1,
        owner=owner,
    )


def unready(number: int = 0, *, since: float = T, created_at: float = T - 86400) -> Pod:
    return pod(number, ready=False, unready_since=since, created_at=created_at, health=Health.DEGRADED)


def workload(
    ready: int = 3,
    *,
    desired: int = 3,
    updated: int = 3,
    condition: str = "complete",
    message: str = "",
    health: Health = Health.HEALTHY,
    name: str = "payment-service",
) -> Workload:
    return Workload(
        uid=f"w-{name}",
        kind="Deployment",
        namespace="bank",
        name=name,
        resource_version="1",
        health=health,
        desired=desired,
        updated=updated,
        ready=ready,
        available=ready,
        condition=condition,
        message=message,
        changed_at=None,
        created_at=T - 86400,
        revision="1",
        images=(),
        release="",
    )


class Story:
    """Tells a watcher one thing after the other and keeps what it said."""

    def __init__(self) -> None:
        self.watcher = Watcher()
        self.told: list[Transition] = []

    def at(self, now: float, source: str, rows: Iterable[Any], **how: Any) -> list[Transition]:
        how.setdefault("at", now)
        return self._keep(self.watcher.observe(snapshot(source, rows, **how), now))

    def wait(self, now: float) -> list[Transition]:
        return self._keep(self.watcher.tick(now))

    def _keep(self, turns: list[Transition]) -> list[Transition]:
        self.told += turns
        return turns


def well(now: float = T) -> Story:
    story = Story()
    assert story.at(now, "pods", [pod(0), pod(1), pod(2)]) == []
    assert story.at(now, "workloads", [workload()]) == []
    return story


# Workloads


def test_a_crash_loop_turns_its_workload_unhealthy_at_once_with_the_clusters_own_time() -> None:
    story = well()
    turns = story.at(T + 60, "pods", [crashing(n, since=T + 49) for n in range(3)])
    assert [(turn.text, turn.level, turn.at) for turn in turns] == [
        ("payment-service unhealthy, 0 of 3 ready", "bad", T + 49)
    ]
    assert turns[0].detail == "CrashLoopBackOff, exit 1 · 21 restarts"
    assert turns[0].key == "workload/bank/payment-service/unhealthy"
    assert turns[0].evidence["restarts"] == 21
    assert turns[0].evidence["pods"][0] == {"name": "payment-service-0", "status": "CrashLoopBackOff", "restarts": 7}


def test_one_of_three_crashing_is_a_warning_that_says_how_many() -> None:
    story = well()
    (turn,) = story.at(T + 60, "pods", [crashing(0, since=T + 50), pod(1), pod(2)])
    assert (turn.text, turn.level) == ("payment-service unhealthy, 2 of 3 ready", "warn")
    assert turn.detail == "1 × CrashLoopBackOff, exit 1 · 7 restarts"


def test_getting_worse_is_told_once_more_and_getting_less_bad_is_not() -> None:
    story = well()
    story.at(T + 60, "pods", [crashing(0), pod(1), pod(2)])
    (turn,) = story.at(T + 65, "pods", [crashing(0), crashing(1), crashing(2)])
    assert (turn.text, turn.level, turn.at) == ("payment-service unhealthy, 0 of 3 ready", "bad", T + 65)
    assert story.at(T + 70, "pods", [crashing(0), pod(1), pod(2)]) == []


def test_replicas_that_are_missing_for_a_moment_are_no_illness() -> None:
    story = well()
    assert story.at(T + 1, "pods", [unready(0, since=T + 1), pod(1), pod(2)]) == []
    assert story.wait(T + 9) == []
    assert story.at(T + 10, "pods", [pod(0), pod(1), pod(2)]) == []
    assert story.wait(T + 100) == []


def test_replicas_that_stay_missing_are_told_with_the_time_they_went() -> None:
    story = well()
    story.at(T + 5, "pods", [unready(0, since=T + 4), pod(1), pod(2)])
    (turn,) = story.wait(T + 15)
    assert (turn.text, turn.level, turn.at) == ("payment-service unhealthy, 2 of 3 ready", "warn", T + 4)
    assert turn.detail == "1 × Running, not ready"


def test_a_rolling_update_that_goes_as_it_should_is_not_told() -> None:
    story = well()
    for step, now in enumerate(range(5, 605, 5)):
        fresh = min(step // 40, 2)
        story.at(
            T + now, "workloads", [workload(2, updated=fresh, condition="progressing", message="1 of 3 new replicas")]
        )
        rows = [pod(n) for n in range(2)] + [unready(10 + fresh, since=T + now, created_at=T + now)]
        story.at(T + now, "pods", rows)
    story.at(T + 610, "workloads", [workload(3)])
    story.at(T + 610, "pods", [pod(20), pod(21), pod(22)])
    story.wait(T + 900)
    assert story.told == []


def test_a_rollout_that_is_given_up_is_an_illness_even_while_the_old_pods_serve() -> None:
    story = well()
    gone_wrong = workload(
        3, updated=1, condition="ProgressDeadlineExceeded", message="has timed out progressing", health=Health.FAILING
    )
    (turn,) = story.at(T + 600, "workloads", [gone_wrong])
    assert (turn.text, turn.level) == ("payment-service unhealthy, 3 of 3 ready", "warn")
    assert "ProgressDeadlineExceeded" in turn.detail


def test_a_new_workload_may_take_its_time_to_start_but_not_for_ever() -> None:
    story = well()
    fresh = [pod(n) for n in range(3)]
    owner = Owner("Deployment", "new")
    starting = pod(9, owner=owner, ready=False, status="ContainerCreating", created_at=T + 5, unready_since=T + 5)
    assert story.at(T + 6, "pods", [*fresh, starting]) == []
    assert story.wait(T + 40) == []
    (turn,) = story.wait(T + 67)
    assert turn.text == "new unhealthy, 0 of 1 ready"


def test_recovery_is_told_once_it_has_held_with_the_time_it_came() -> None:
    story = well()
    story.at(T + 60, "pods", [crashing(n, since=T + 60) for n in range(3)])
    assert story.at(T + 900, "pods", [pod(10), pod(11), pod(12)]) == []
    (turn,) = story.wait(T + 911)
    assert (turn.text, turn.level, turn.at) == ("payment-service recovered, 3 of 3 ready", "good", T + 900)
    assert turn.detail == "after 14 min"


def test_restarts_of_pods_that_have_gone_are_not_told_later_than_the_recovery() -> None:
    story = well()
    story.at(T + 60, "pods", [crashing(n, since=T + 60) for n in range(3)])
    story.at(T + 80, "pods", [crashing(n, since=T + 80, restarts=8) for n in range(3)])
    story.at(T + 85, "pods", [pod(10), pod(11), pod(12)])
    story.wait(T + 91)
    story.wait(T + 96)
    assert [turn.text for turn in sorted(story.told, key=lambda turn: turn.at)][
        -1
    ] == "payment-service recovered, 3 of 3 ready"
    assert sum("unhealthy" in turn.text for turn in story.told) == 2, "and they are told"


def test_a_container_that_looks_fine_between_two_crashes_is_no_recovery() -> None:
    story = well()
    now = T
    for crash in range(1, 11):
        story.at(now, "pods", [crashing(0, since=now, restarts=crash), pod(1), pod(2)])
        now += 20
        story.at(now, "pods", [pod(0, restarts=crash, restarted_at=now - 20, exit_code=1), pod(1), pod(2)])
        story.wait(now + 15)
        now += 20
    assert {turn.key for turn in story.told} == {"workload/bank/payment-service/unhealthy"}


def test_a_restart_that_nobody_would_notice_is_told_as_a_restart() -> None:
    story = well()
    (turn,) = story.at(T + 60, "pods", [pod(0, restarts=1, restarted_at=T + 58, exit_code=137), pod(1), pod(2)])
    assert (turn.key, turn.text) == ("workload/bank/payment-service/restarts", "payment-service restarted once")
    assert (turn.at, turn.detail) == (T + 58, "Error, exit 137 · payment-service-0")


def test_what_was_ill_before_is_told_as_already_ill_with_its_own_time() -> None:
    story = Story()
    (turn,) = story.at(T, "pods", [crashing(n, since=T - 1080) for n in range(3)])
    assert turn.text == "payment-service already unhealthy when the console opened, 0 of 3 ready"
    assert (turn.at, turn.level) == (T - 1080, "bad")
    assert story.at(T + 0.2, "workloads", [workload(0, health=Health.FAILING)]) == []


def test_a_replica_that_was_unready_for_long_before_needs_no_debounce() -> None:
    story = Story()
    (turn,) = story.at(T, "pods", [unready(0, since=T - 240), pod(1), pod(2)])
    assert turn.text == "payment-service already unhealthy when the console opened, 2 of 3 ready"
    assert turn.at == T - 240


def test_the_time_that_pods_tell_counts_also_when_their_workload_was_seen_first() -> None:
    story = Story()
    assert story.at(T, "workloads", [workload(2, health=Health.DEGRADED)]) == []
    (turn,) = story.at(T + 0.3, "pods", [unready(0, since=T - 240), pod(1), pod(2)])
    assert turn.text == "payment-service already unhealthy when the console opened, 2 of 3 ready"
    assert turn.at == T - 240


def test_a_count_that_lags_its_pods_is_no_illness() -> None:
    story = well()
    old = msgspec.structs.replace(workload(2), changed_at=T - 86400)
    assert story.at(T + 3600, "workloads", [old]) == []
    assert story.at(T + 3601, "workloads", [workload()]) == []
    story.wait(T + 3700)
    assert story.told == []


def test_a_cluster_with_many_illnesses_is_summed_up_at_the_opening() -> None:
    story = Story()
    owners = [Owner("Deployment", f"service-{n}") for n in range(40)]
    turns = story.at(T, "pods", [crashing(0, since=T - 60 - n, owner=owner) for n, owner in enumerate(owners)])
    assert len(turns) == 13
    summary = next(turn for turn in turns if turn.key == "workload/opening")
    assert summary.text == "28 more workloads already unhealthy when the console opened"
    assert len(summary.evidence["workloads"]) == 28


def test_evicted_and_deleted_pods_of_a_workload_are_not_held_against_it() -> None:
    story = well()
    corpse = pod(7, status="Evicted", phase="Failed", health=Health.FAILING, ready=False)
    leaving = pod(8, status="Terminating", health=Health.DEGRADED, ready=False, deleting_since=T)
    story.at(T + 1, "pods", [pod(0), pod(1), pod(2), corpse, leaving])
    story.wait(T + 200)
    assert story.told == []


def test_a_failed_job_is_told() -> None:
    story = well()
    job = Owner("Job", "nightly-1")
    failed = pod(1, owner=job, status="Error", phase="Failed", health=Health.FAILING, ready=False, created_at=T + 1)
    (turn,) = story.at(T + 5, "pods", [pod(0), pod(1), pod(2), failed])
    assert (turn.text, turn.level) == ("job nightly-1 unhealthy, 0 of 1 ready", "warn")


def test_scaling_to_zero_is_told_and_no_recovery() -> None:
    story = well()
    story.at(T + 5, "pods", [crashing(n) for n in range(3)])
    (turn,) = story.at(T + 9, "workloads", [workload(0, desired=0, updated=0, health=Health.DORMANT)])
    assert (turn.text, turn.level) == ("payment-service is scaled to 0", "warn")
    story.at(T + 10, "pods", [])
    story.wait(T + 100)
    assert [turn.key.rpartition("/")[2] for turn in story.told] == ["unhealthy", "scaled-to-zero"]


def test_stale_rows_turn_nothing() -> None:
    story = well()
    assert story.at(T + 30, "pods", [crashing(0)], state=State.STALE, confirmed=T + 20) == []
    assert story.at(T + 31, "workloads", [workload(0)], state=State.STALE, confirmed=T + 20) == []


def test_incremental_snapshots_are_judged_like_whole_ones() -> None:
    watcher = Watcher()
    rows = {row.key: row for row in (pod(0), pod(1), pod(2))}
    live = Freshness(State.LIVE, T, T)
    watcher.observe(Snapshot("pods", live, MappingProxyType(dict(rows)), 1, None), T)
    bad = crashing(1, since=T + 5)
    rows[bad.key] = bad
    (turn,) = watcher.observe(Snapshot("pods", live, MappingProxyType(dict(rows)), 2, frozenset({bad.key})), T + 6)
    assert turn.text == "payment-service unhealthy, 2 of 3 ready"
    # A missed version: the keys of the last snapshot alone would not tell.
    for number in (0, 2):
        other = crashing(number, since=T + 7)
        rows[other.key] = other
    (turn,) = watcher.observe(Snapshot("pods", live, MappingProxyType(dict(rows)), 9, frozenset()), T + 8)
    assert turn.text == "payment-service unhealthy, 0 of 3 ready"


@settings(deadline=None, max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.floats(0.05, 12.0), st.sampled_from(["crash", "run", "unready"]), st.integers(0, 2)),
        min_size=100,
        max_size=300,
    )
)
def test_a_crash_loop_is_never_a_hundred_entries(steps: list[tuple[float, str, int]]) -> None:
    story = well()
    pods = [pod(0), pod(1), pod(2)]
    now = T
    for pause, what, number in steps:
        now += pause
        before = pods[number]
        if what == "crash":
            pods[number] = crashing(number, since=now, restarts=before.restarts + 1)
        elif what == "run":
            pods[number] = pod(number, restarts=before.restarts, restarted_at=before.restarted_at)
        else:
            pods[number] = unready(number, since=now)
        story.at(now, "pods", pods)
    # One report of restarts in half a minute at most, an illness, its getting worse, and a recovery that held a minute.
    assert len(story.told) <= 6 + (now - T) / 15
    assert len({turn.key for turn in story.told}) <= 3
    assert all(T - 86400 <= turn.at <= now for turn in story.told)


@given(st.text(), st.text())
def test_whatever_stands_in_names_every_text_is_one_short_line(name: str, status: str) -> None:
    story = well()
    owner = Owner("Deployment", name)
    odd = msgspec.structs.replace(crashing(5, owner=owner), status=status)
    (turn,) = story.at(T + 60, "pods", [pod(0), pod(1), pod(2), odd])
    for text in (turn.text, turn.detail):
        assert len(text) <= 300
        assert len(text.splitlines()) <= 1
    msgspec.json.encode(turn)


# Nodes


def node(
    *,
    ready: bool = True,
    pressures: tuple[str, ...] = (),
    cordoned: bool = False,
    changed_at: float | None = None,
    name: str = "aks-1",
) -> Node:
    return Node(
        uid=f"n-{name}",
        name=name,
        resource_version="1",
        health=Health.HEALTHY,
        ready=ready,
        status="Ready" if ready else "NotReady",
        reason="" if ready else "NodeStatusUnknown",
        message="" if ready else "Kubelet stopped posting node status.",
        changed_at=changed_at,
        pressures=pressures,
        taints=(),
        cordoned=cordoned,
        roles=(),
        version="v1.36.2",
        created_at=T - 86400,
        cpu_allocatable=4.0,
        memory_allocatable=2**34,
        pods_allocatable=110,
    )


def test_a_node_goes_notready_and_comes_back() -> None:
    story = Story()
    assert story.at(T, "nodes", [node()]) == []
    (lost,) = story.at(T + 50, "nodes", [node(ready=False, changed_at=T + 44)])
    (back,) = story.at(T + 170, "nodes", [node(changed_at=T + 164)])
    assert (lost.text, lost.level, lost.at) == ("aks-1 NotReady", "bad", T + 44)
    assert lost.detail == "NodeStatusUnknown: Kubelet stopped posting node status."
    assert (back.text, back.level, back.detail) == ("aks-1 Ready again", "good", "after 2 min")


def test_pressure_and_cordon_turn_on_and_off() -> None:
    story = Story()
    story.at(T, "nodes", [node()])
    story.at(T + 1, "nodes", [node(pressures=("MemoryPressure",), changed_at=T + 0.5)])
    story.at(T + 2, "nodes", [node(pressures=("MemoryPressure",), changed_at=T + 0.5, cordoned=True)])
    story.at(T + 3, "nodes", [node(cordoned=True)])
    story.at(T + 4, "nodes", [node()])
    assert [(turn.text, turn.level) for turn in story.told] == [
        ("aks-1 under memory pressure", "warn"),
        ("aks-1 cordoned", "info"),
        ("aks-1 no longer under memory pressure", "good"),
        ("aks-1 uncordoned", "info"),
    ]
    assert story.told[0].at == T + 0.5


def test_nodes_join_and_go() -> None:
    story = Story()
    story.at(T, "nodes", [node()])
    story.at(T + 1, "nodes", [node(name="aks-2")])
    assert {turn.text for turn in story.told} == {"aks-1 is gone", "aks-2 joined"}


DISK = ("DiskPressure",)


def test_nodes_that_were_ill_before_are_told_as_that_and_cordoned_ones_are_not() -> None:
    story = Story()
    turns = story.at(
        T,
        "nodes",
        [
            node(ready=False, changed_at=T - 600),
            node(name="b", cordoned=True),
            node(name="c", pressures=DISK),
        ],
    )
    assert [(turn.text, turn.at) for turn in turns] == [
        ("aks-1 already NotReady when the console opened", T - 600),
        ("c already under disk pressure when the console opened", T),
    ]


# Releases


def release(number: int, status: str = "deployed", *, chart: str = "", updated: float = T, before: str = "") -> Release:
    history = [Revision(number=number, status=status, updated=updated, secret="s", chart_version=chart)]
    if number > 1:
        history.append(
            Revision(number=number - 1, status="superseded", updated=T - 86400, secret="s", chart_version=before)
        )
    return Release(
        namespace="bank",
        name="banking-platform-prod",
        health=Health.HEALTHY,
        revision=number,
        status=status,
        updated=updated,
        chart="banking-platform",
        chart_version=chart,
        app_version="",
        description="",
        history=tuple(history),
    )


def test_a_new_revision_waits_for_its_chart_and_tells_what_it_replaced() -> None:
    story = Story()
    assert story.at(T, "releases", [release(11, chart="1.4.0")]) == []
    assert story.at(T + 31, "releases", [release(12, updated=T + 31)]) == []
    (turn,) = story.at(T + 31.5, "releases", [release(12, chart="1.5.0", before="1.4.0", updated=T + 31)])
    assert (turn.text, turn.detail) == ("helm banking-platform-prod rev 12 deployed", "chart 1.5.0 ← 1.4.0")
    assert (turn.at, turn.level) == (T + 31, "info")
    assert turn.key == "release/bank/banking-platform-prod/12/deployed"


def test_a_revision_whose_chart_cannot_be_had_is_told_without_it() -> None:
    story = Story()
    story.at(T, "releases", [])
    story.at(T + 1, "releases", [release(1)])
    (turn,) = story.wait(T + 5)
    assert (turn.text, turn.detail) == ("helm banking-platform-prod rev 1 deployed", "")


def test_an_upgrade_is_told_when_it_starts_and_when_it_fails() -> None:
    story = Story()
    story.at(T, "releases", [release(11, chart="1.4.0")])
    story.at(T + 1, "releases", [release(12, "pending-upgrade", chart="1.5.0", before="1.4.0")])
    story.at(T + 300, "releases", [release(12, "failed", chart="1.5.0", before="1.4.0")])
    assert [(turn.text, turn.level) for turn in story.told] == [
        ("helm banking-platform-prod rev 12 pending-upgrade", "warn"),
        ("helm banking-platform-prod rev 12 failed", "bad"),
    ]


def test_a_release_that_was_stuck_before_is_told_and_a_deployed_one_is_not() -> None:
    story = Story()
    (turn,) = story.at(T, "releases", [release(12, "pending-upgrade", chart="1.5.0", updated=T - 900)])
    assert turn.text == "helm banking-platform-prod rev 12 already pending-upgrade when the console opened"
    assert turn.at == T - 900


def test_an_uninstalled_release_is_told() -> None:
    story = Story()
    story.at(T, "releases", [release(12, chart="1.5.0")])
    (turn,) = story.at(T + 9, "releases", [])
    assert turn.text == "helm banking-platform-prod uninstalled"


# Endpoints


def endpoint(status: int | None, *, ok: bool | None, error: str = "", changed_at: float | None = None) -> Endpoint:
    return Endpoint(
        name="api…/health",
        url="https://api.example/health",
        health=Health.HEALTHY,
        ok=ok,
        status=status,
        latency_ms=12.0,
        error=error,
        excerpt="",
        tls_expires_at=None,
        checked_at=T,
        changed_at=changed_at,
        history=(),
    )


def test_an_endpoint_goes_down_and_up() -> None:
    story = Story()
    assert story.at(T, "endpoints", [endpoint(None, ok=None)], state=State.LOADING) == []
    assert story.at(T + 1, "endpoints", [endpoint(200, ok=True)]) == []
    (down,) = story.at(T + 42, "endpoints", [endpoint(503, ok=False, error="e", changed_at=T + 42)])
    assert story.at(T + 47, "endpoints", [endpoint(None, ok=False, error="timed out", changed_at=T + 42)]) == []
    (up,) = story.at(T + 900, "endpoints", [endpoint(200, ok=True, changed_at=T + 900)])
    assert (down.text, down.level, down.at) == ("api…/health 200 → 503", "bad", T + 42)
    assert (up.text, up.level, up.detail) == ("api…/health 503 → 200", "good", "after 14 min")


def test_an_endpoint_without_an_answer_is_told_in_words() -> None:
    story = Story()
    story.at(T, "endpoints", [endpoint(200, ok=True)])
    (down,) = story.at(T + 5, "endpoints", [endpoint(None, ok=False, error="connection refused", changed_at=T + 5)])
    assert down.text == "api…/health 200 → connection refused"


def test_an_endpoint_that_was_down_before_is_told_as_that() -> None:
    (turn,) = Story().at(T, "endpoints", [endpoint(503, ok=False, error="status 503, expected 200")])
    assert turn.text == "api…/health already unhealthy when the console opened: 503"


# Blindness

SOURCES = ("pods", "nodes", "workloads", "events", "releases")


def seeing(now: float = T) -> Story:
    story = Story()
    for source in SOURCES:
        story.at(now, source, [])
    return story


def all_of_them(story: Story, now: float, state: State, confirmed: float) -> None:
    for source in SOURCES:
        story.at(now, source, [], state=state, confirmed=confirmed, detail="cannot connect: refused")


def test_a_lost_connection_is_one_entry_at_the_loss_and_one_at_the_return() -> None:
    story = seeing()
    all_of_them(story, T + 12, State.STALE, T + 10)
    assert story.told == []
    story.wait(T + 14)
    assert story.told == []
    (lost,) = story.wait(T + 17.5)
    assert (lost.text, lost.level, lost.at) == ("connection to the cluster lost", "bad", T)
    for second in range(18, 24):
        assert story.wait(T + second) == []
    all_of_them(story, T + 24, State.LIVE, T + 24)
    (back,) = story.told[1:]
    assert (back.text, back.key) == ("connection to the cluster lost for 24 s", lost.key)
    assert back.detail == "nothing was seen from 08:00:00 to 08:00:24"
    assert back.evidence == {"blind_from": T, "blind_until": T + 24}


def test_the_last_proof_of_life_is_where_blindness_begins() -> None:
    story = seeing()
    for source in SOURCES:
        story.at(T + 300, source, [])
    all_of_them(story, T + 312, State.STALE, T + 300)
    (lost,) = story.wait(T + 320)
    assert lost.at == T + 300


def test_a_watch_that_is_opened_anew_is_no_loss() -> None:
    story = seeing()
    all_of_them(story, T + 5.1, State.STALE, T + 1)
    all_of_them(story, T + 5.6, State.LIVE, T + 5.6)
    assert story.told == []


def test_a_short_loss_that_was_noticed_late_is_told_when_it_is_over() -> None:
    story = seeing()
    all_of_them(story, T + 11, State.STALE, T)
    all_of_them(story, T + 12, State.LIVE, T + 12)
    assert [turn.text for turn in story.told] == ["connection to the cluster lost for 12 s"]


def test_one_dark_source_is_told_by_its_name_after_a_while() -> None:
    story = seeing()
    story.at(T + 10, "events", [], state=State.STALE, detail="the server hung up")
    assert story.wait(T + 30) == []
    (dark,) = story.wait(T + 45)
    assert (dark.text, dark.key) == ("events cannot be seen", "connection/events")
    (seen,) = story.at(T + 60, "events", [])
    assert seen.text == "events are seen again"


def test_no_connection_from_the_start_is_told_once_and_its_end_too() -> None:
    story = Story()
    for source in SOURCES:
        story.at(T, source, [], state=State.LOADING)
        story.at(T + 1, source, [], state=State.UNAVAILABLE, detail="cannot connect to https://x")
    (lost,) = story.wait(T + 8)
    assert (lost.text, lost.detail) == ("no connection to the cluster", "cannot connect to https://x")
    assert story.wait(T + 60) == []
    (seen,) = story.at(T + 61, "pods", [])
    assert seen.text == "the cluster is seen, 61 s after the console opened"


def test_being_forbidden_from_the_start_is_no_lost_connection() -> None:
    story = Story()
    for source in SOURCES:
        story.at(T, source, [], state=State.FORBIDDEN, detail="cannot list")
    assert story.wait(T + 60) == []


def test_an_illness_that_came_while_nothing_was_seen_has_its_own_time() -> None:
    story = well()
    for source in ("pods", "workloads"):
        story.at(T + 20, source, [], state=State.STALE, confirmed=T + 10)
    story.wait(T + 26)
    story.at(T + 100, "workloads", [workload(0)])
    turns = story.at(T + 100, "pods", [crashing(n, since=T + 50) for n in range(3)])
    assert [turn.at for turn in turns if turn.key.startswith("workload/")] == [T + 50]


@pytest.mark.parametrize("source", ["usage", "commits"])
def test_sources_that_hang_on_something_else_say_nothing_about_the_connection(source: str) -> None:
    story = seeing()
    story.at(T + 10, source, [], state=State.UNAVAILABLE, detail="no metrics server")
    assert story.wait(T + 600) == []
