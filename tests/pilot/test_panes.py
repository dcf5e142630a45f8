"""Each pane: what it makes of its rows."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from probes.freshness import State
from probes.rows import Commit, Endpoint, Event, Health, Node, Pod, Release, Revision, Taint, Usage, Workload
from tests.pilot.pane_harness import NOW, PROD, clocked, pod, snapshot
from widgets.changes import Change, ChangesPane
from widgets.events import EventsPane
from widgets.nodes import NodesPane
from widgets.pod_groups import PodGroups, PodRow, WorkloadGroup
from widgets.pods import PodsPane
from widgets.services import ServicesPane

WIDE = (200, 30)
CRASH = "CrashLoopBackOff"


def crashing() -> list[Pod]:
    names = ("c7tzh", "clh6g", "kw78d")
    return [
        pod(f"payment-755cc-{name}", "payment-service", CRASH, restarts=7, exit_code=1, node=f"node-{name}")
        for name in names
    ]


def calm() -> list[Pod]:
    return [pod(f"account-5d5f-{number}", "account-service") for number in range(3)]


# -- pods --------------------------------------------------------------------------------------------------------


async def test_sick_pods_are_listed_under_their_workload_and_healthy_ones_are_folded_into_it() -> None:
    pane = PodsPane()
    app = clocked(pane)
    async with app.run_test(size=WIDE) as pilot:
        pane.show(snapshot("pods", [*calm(), *crashing()]))
        await pilot.pause()
        assert "Pods  3 of 6 unhealthy" in app.lines[0]
        first, *rest = app.lines[2:8]
        assert first.split()[:8] == ["│▌✗", "payment-service", "0/3", "3", "×", CRASH, "21", "–"]
        assert [line.split()[2] for line in rest[:3]] == [row.name for row in crashing()]
        assert "exit 1" in rest[0]
        assert rest[3].split()[:5] == ["│", "✓", "account-service", "3/3", "Running"]
        assert "account-5d5f" not in app.text


async def test_restarts_are_told_beside_other_panes_too() -> None:
    pane = PodsPane()
    app = clocked(pane)
    async with app.run_test(size=(68, 12)) as pilot:  # what a console of 110 columns has for it
        pane.show(snapshot("pods", [*calm(), *crashing(), pod("card-1", "card", age=580)]))
        await pilot.pause()
        assert app.line(" card ").split()[-2:] == ["9m40s", "│"]
        assert app.line("RST").split()[1:-1] == ["WORKLOAD", "/", "POD", "READY", "STATUS", "RST", "AGE"]
        assert app.line("payment-service").split()[1:8] == ["payment-service", "0/3", "3", "×", CRASH, "21", "18m"]
        assert [line.split()[-3] for line in app.lines[3:6]] == ["7"] * 3


async def test_a_pod_that_runs_without_being_ready_says_so_and_for_how_long() -> None:
    pane = PodsPane()
    app = clocked(pane)
    async with app.run_test(size=WIDE) as pilot:
        pane.show(snapshot("pods", [*calm(), pod("account-sick", "account-service", unready_for=240)]))
        await pilot.pause()
        assert "1 × Unready" in app.line("account-service")
        assert "3/4" in app.line("account-service")
        assert "Running  not ready 4m" in app.line("account-sick")
        pane.tick(NOW + 60)
        await pilot.pause()
        assert "not ready 5m" in app.line("account-sick")


async def test_the_newest_trouble_comes_first_and_a_recovered_workload_sinks() -> None:
    pane = PodsPane()
    app = clocked(pane)
    async with app.run_test(size=WIDE) as pilot:
        late = pod("zebra-1", "zebra", CRASH, age=60)
        pane.show(snapshot("pods", [*crashing(), *calm(), late]))
        await pilot.pause()
        assert app.text.index("zebra") < app.text.index("payment-service")
        well = [pod(row.name, "payment-service") for row in crashing()]
        changed = frozenset(row.key for row in well)
        pane.show(snapshot("pods", [*well, *calm(), late], version=2, changed=changed))
        await pilot.pause()
        assert "Pods  1 of 7 unhealthy" in app.lines[0]
        assert app.text.index("account-service") < app.text.index("payment-service")
        assert "payment-755cc" not in app.text


async def test_a_workload_is_unfolded_and_folded_by_keys() -> None:
    pane = PodsPane()
    app = clocked(pane)
    async with app.run_test(size=WIDE) as pilot:
        pane.show(snapshot("pods", calm()))
        await pilot.press("x")
        assert app.text.count("account-5d5f") == 3
        await pilot.press("down", "down", "left")
        assert "account-5d5f" not in app.text
        assert pane.selected_key == f"workload:{PROD}/Deployment/account-service"
        await pilot.press("right")
        assert app.text.count("account-5d5f") == 3


async def test_pods_that_are_being_deleted_are_trouble_and_no_replicas_any_more() -> None:
    lost = msgspec.structs.replace(
        pod("p4", "account-service", "Terminating"), health=Health.DEGRADED, deleting_since=NOW - 900
    )
    pane = PodsPane()
    app = clocked(pane)
    async with app.run_test(size=WIDE) as pilot:
        pane.show(snapshot("pods", [*calm(), lost]))
        await pilot.pause()
        assert app.line("account-service").split()[1:5] == ["account-service", "3/3", "1", "×"]


async def test_a_filter_finds_folded_pods_and_their_workload() -> None:
    pane = PodsPane()
    app = clocked(pane)
    async with app.run_test(size=WIDE) as pilot:
        pane.show(snapshot("pods", [*calm(), *crashing()]))
        await pilot.press("slash", *"5d5f-1")
        assert "account-service" in app.text
        assert app.text.count("account-5d5f") == 1
        assert "payment" not in app.text


async def test_the_selected_row_is_a_workload_or_a_pod_with_its_pods() -> None:
    pane = PodsPane()
    app = clocked(pane)
    async with app.run_test(size=WIDE) as pilot:
        pane.show(snapshot("pods", crashing()))
        await pilot.pause()
        group = pane.selected_row
        assert isinstance(group, WorkloadGroup)
        assert (group.kind, group.namespace, group.name) == ("Deployment", PROD, "payment-service")
        assert [row.name for row in group.pods] == [row.name for row in crashing()]
        await pilot.press("down")
        row = pane.selected_row
        assert isinstance(row, PodRow)
        assert (row.kind, row.name, row.pods) == ("Pod", "payment-755cc-c7tzh", (row.pod,))
        assert pane.row_text().split() == [
            *("✗", "payment-755cc-c7tzh", "0/1", CRASH, "exit", "1", "7", "–", "–", "node-c7tzh", "18m")
        ]


async def test_several_namespaces_get_a_column_and_equal_names_stay_apart() -> None:
    pane = PodsPane()
    app = clocked(pane)
    async with app.run_test(size=WIDE) as pilot:
        pane.show(snapshot("pods", [pod("a-1", "a", namespace="one"), pod("a-2", "a", namespace="two")]))
        await pilot.pause()
        assert "NAMESPACE" in app.lines[1]
        assert [line.split()[-9] for line in app.lines[2:4]] == ["one", "two"]
        both = snapshot("pods", [pod("a-1", "a", namespace="one")], version=2, changed=frozenset({"uid-a-2"}))
        pane.show(both)
        await pilot.pause()
        assert "NAMESPACE" not in app.lines[1]


async def test_a_pod_nobody_owns_and_a_finished_job_are_shown_as_what_they_are() -> None:
    pane = PodsPane()
    app = clocked(pane)
    async with app.run_test(size=WIDE) as pilot:
        job = pod("nightly-1-x", "nightly-1", "Completed", kind="Job")
        pane.show(snapshot("pods", [pod("lonely", status="ImagePullBackOff", message="no such image"), job]))
        await pilot.pause()
        assert "ImagePullBackOff  no such image" in app.line("lonely")
        assert app.line("nightly").split()[:5] == ["│", "○", "nightly-1", "0/1", "Completed"]
        assert "Pods  1 of 1 unhealthy" in app.lines[0]


async def test_usage_is_summed_over_a_workload_and_missing_metrics_are_said_and_never_nought() -> None:
    pane = PodsPane()
    app = clocked(pane)
    async with app.run_test(size=WIDE) as pilot:
        pane.show(snapshot("pods", calm()))
        pane.show(snapshot("usage", state=State.UNAVAILABLE, detail="no metrics server"))
        await pilot.pause()
        assert "metrics UNAVAILABLE · no metrics server" in app.lines[-1]
        assert app.line("account-service").count("–") == 2
        usage = [Usage(namespace=PROD, name=row.name, cpu=0.077, memory=137 * 2**20, at=NOW) for row in calm()]
        pane.show(snapshot("usage", usage, version=2))
        await pilot.pause()
        assert "231m  411Mi" in app.line("account-service")
        assert "metrics" not in app.lines[-1]


async def test_at_eighty_columns_names_status_and_age_are_still_whole() -> None:
    pane = PodsPane()
    app = clocked(pane)
    async with app.run_test(size=(80, 24)) as pilot:
        pane.show(snapshot("pods", [*calm(), *crashing()]))
        await pilot.pause()
        line = app.line("payment-755cc-c7tzh")
        assert CRASH in line
        assert "18m" in line
        assert "NODE" not in app.text


@given(
    st.lists(
        st.tuples(
            st.integers(0, 12),
            st.integers(0, 3),
            st.sampled_from(["", "Running", CRASH, "Completed"]),
            st.integers(1, 9),
        ),
        max_size=40,
    )
)
def test_groups_kept_change_by_change_are_those_built_at_once(steps: list[tuple[int, int, str, int]]) -> None:
    kept = PodGroups()
    pods: dict[str, Pod] = {}
    lines: dict[str, object] = {}
    for number, owner, status, age in steps:
        one = pod(f"p{number}", f"w{owner}" if owner else "", status or "Running", age=age)
        pods[one.key] = one
        if not status:
            del pods[one.key]
        puts, drops = kept.update(pods, [one.key])
        lines = {key: line for key, line in lines.items() if key not in drops}
        lines |= {key: placed.sort for key, placed in puts.items()}
        fresh = PodGroups()
        assert lines == {key: placed.sort for key, placed in fresh.update(pods, pods).puts.items()}
        assert kept.health == fresh.health
        assert kept.namespaces == fresh.namespaces


# -- nodes -------------------------------------------------------------------------------------------------------


def node(name: str, health: Health = Health.HEALTHY, **other: Any) -> Node:
    fields: dict[str, Any] = {
        "uid": name, "name": name, "resource_version": "1", "health": health, "ready": True, "status": "Ready",
        "reason": "", "message": "", "changed_at": NOW - 380, "pressures": (), "taints": (), "cordoned": False,
        "roles": (), "version": "v1.34.2", "created_at": NOW - 9e6, "cpu_allocatable": 4.0,
        "memory_allocatable": 16 * 2**30, "pods_allocatable": 110,
    }  # fmt: skip
    return Node(**{**fields, **other})


async def test_nodes_show_bars_percentages_pods_and_what_is_wrong_since_when() -> None:
    pane = NodesPane()
    app = clocked(pane)
    async with app.run_test(size=WIDE) as pilot:
        cordoned = node("batch", Health.DORMANT, cordoned=True, status="Ready,SchedulingDisabled")
        tainted = node("hot", Health.DEGRADED, pressures=("MemoryPressure",), taints=(Taint("k", "", "NoSchedule"),))
        down = node("dead", Health.FAILING, ready=False, status="NotReady", reason="KubeletStopped")
        pane.show(snapshot("nodes", [node("calm"), cordoned, tainted, down]))
        pane.show(snapshot("usage", [Usage(namespace="", name="hot", cpu=3.64, memory=14 * 2**30, at=NOW)]))
        pane.show(
            snapshot("pods", [pod("a", node="hot"), pod("b", node="hot"), pod("c", status="Completed", node="hot")])
        )
        await pilot.pause()
        assert "✗ dead" in app.lines[2]
        assert "NotReady 6m20s  KubeletStopped" in app.lines[2]
        assert "█████████████·  91%" in app.lines[3]
        assert "   2 MemoryPressure 6m20s" in app.lines[3]
        assert "k:NoSchedule" in app.lines[3]
        assert "○ batch" in app.lines[5]
        assert "Ready, cordoned" in app.lines[5]
        assert "0%" not in app.line("calm")
        assert "Nodes  2 of 4 unhealthy" in app.lines[0]


async def test_without_a_metrics_server_nodes_say_so_and_show_dashes() -> None:
    pane = NodesPane()
    app = clocked(pane)
    async with app.run_test(size=WIDE) as pilot:
        pane.show(snapshot("nodes", [node("calm")]))
        pane.show(snapshot("usage", state=State.UNAVAILABLE, detail="no metrics server"))
        await pilot.pause()
        assert "no metrics server" in app.lines[-1]
        assert app.line("calm").count("–") == 3
        assert "%" not in app.line("calm")


# -- events ------------------------------------------------------------------------------------------------------


async def test_an_event_says_what_it_is_about_beside_other_panes_too() -> None:
    pane = EventsPane()
    app = clocked(pane)
    event = Event(
        uid="u", namespace="n", name="u", type="Warning", reason="BackOff", kind="Pod",
        object_name="payment-service-6cdd5cb5bd-fbcxw", object_uid="",
        message="Back-off restarting failed container payment-service", count=96,
        first_at=NOW - 600, last_at=NOW - 3, reporter="",
    )  # fmt: skip
    async with app.run_test(size=(66, 12)) as pilot:  # what a console of 110 columns has for it
        pane.show(snapshot("events", [event]))
        await pilot.pause()
        (line,) = [line for line in app.lines if "BackOff" in line]
        assert "pod/paym" in line
        assert "fbcxw" in line
        assert "Back-off" in line


async def test_events_are_newest_first_with_warnings_marked_and_short_objects() -> None:
    pane = EventsPane()
    app = clocked(pane)

    def event(uid: str, ago: float, **other: Any) -> Event:
        fields: dict[str, Any] = {
            "uid": uid, "namespace": "n", "name": uid, "type": "Normal", "reason": "Scaled", "kind": "Deployment",
            "object_name": "payment", "object_uid": "", "message": "up\nto [b]3[/]", "count": 1,
            "first_at": NOW - ago, "last_at": NOW - ago, "reporter": "",
        }  # fmt: skip
        return Event(**{**fields, **other})

    async with app.run_test(size=(100, 12)) as pilot:
        rows = [
            event("old", 3 * 86400),
            event("scale", 90),
            event("back-off", 3, type="Warning", reason="BackOff", count=96, kind="Pod", first_at=NOW - 600),
        ]
        pane.show(snapshot("events", rows))
        await pilot.pause()
        assert "Events  97 in 30 min" in app.lines[0]
        assert "14:20:41  ! BackOff" in app.lines[2]
        assert "pod/payment" in app.lines[2]
        assert "96" in app.lines[2]
        assert "14:19:14  · Scaled         deploy/payment     up⏎to [b]3[/]" in app.lines[3]
        assert "Fri 14:20" in app.lines[4]


# -- changes -----------------------------------------------------------------------------------------------------


def release() -> Release:
    history = (
        Revision(number=12, status="deployed", updated=NOW - 1093, secret="", chart="bank", chart_version="1.5.0"),
        Revision(
            number=11, status="superseded", updated=NOW - 2 * 86400, secret="", chart="bank", chart_version="1.4.0"
        ),
    )
    return Release(
        namespace="n", name="platform", health=Health.HEALTHY, revision=12, status="deployed", updated=NOW - 1093,
        chart="bank", chart_version="1.5.0", app_version="", description="", history=history,
    )  # fmt: skip


def suspected(pane: ChangesPane) -> str | None:
    suspect: Change | None = pane.suspect
    return None if suspect is None else suspect.key


async def test_changes_of_all_systems_are_merged_by_time_and_the_first_suspect_is_named() -> None:
    pane = ChangesPane()
    app = clocked(pane)
    async with app.run_test(size=(110, 12)) as pilot:
        commits = [
            Commit(commit="8c1f0e2aaaa", author="dev", subject="raise the timeout", at=NOW - 1360),
            Commit(commit="fffffff0000", author="dev", subject="after the fact", at=NOW - 60),
        ]
        pane.show(snapshot("releases", [release()]))
        pane.show(snapshot("commits", commits))
        await pilot.pause()
        assert suspected(pane) is None
        pane.first_symptom = NOW - 1082
        await pilot.pause()
        assert "time before the first symptom" in app.lines[0]
        assert [" ".join(line[2:].split()[:5]) for line in app.lines[3:6]] == [
            "14:02:31 11 s helm rev",
            "13:58:04 4m38s commit 8c1f0e2 raise",
            "Sat 14:20 47h helm rev",
        ]
        assert "after the fact" in app.lines[2]
        assert suspected(pane) == "helm:n/platform/12"
        pane.show(snapshot("commits", [], state=State.UNAVAILABLE, detail="no checkout", version=2))
        await pilot.pause()
        assert "git UNAVAILABLE · no checkout" in app.lines[-1]


# -- services ----------------------------------------------------------------------------------------------------


def endpoint(name: str, **other: Any) -> Endpoint:
    fields: dict[str, Any] = {
        "name": name, "url": f"https://{name}", "health": Health.HEALTHY, "ok": True, "status": 200, "latency_ms": 38.0,
        "error": "", "excerpt": "", "tls_expires_at": None, "checked_at": NOW, "changed_at": NOW - 9000,
        "history": tuple((NOW - 1790 + number * 60, 38.0) for number in range(30)),
    }  # fmt: skip
    return Endpoint(**{**fields, **other})


async def test_services_show_what_does_not_answer_and_what_is_not_ready_and_hide_ready_workloads() -> None:
    pane = ServicesPane()
    app = clocked(pane)
    async with app.run_test(size=(160, 12)) as pilot:
        failed = tuple((NOW - 1790 + number * 60, 38.0 if number < 20 else -1.0) for number in range(30))
        down = endpoint(
            "api", health=Health.FAILING, ok=False, status=503, latency_ms=2410.0, changed_at=NOW - 1082, history=failed
        )
        soon = endpoint("login", tls_expires_at=NOW + 3 * 86400 + 60)
        unknown = endpoint("new", ok=None, status=None, latency_ms=None, history=())
        ready = Workload(
            uid="w1", kind="Deployment", namespace="n", name="fine", resource_version="1", health=Health.HEALTHY,
            desired=3, updated=3, ready=3, available=3, condition="complete", message="", changed_at=None,
            created_at=NOW, revision="1", images=(), release="",
        )  # fmt: skip
        short = msgspec.structs.replace(
            ready, uid="w2", name="payment", health=Health.FAILING, ready=1, condition="ProgressDeadlineExceeded"
        )
        pane.show(snapshot("endpoints", [soon, down, unknown]))
        off = msgspec.structs.replace(ready, uid="w3", name="standby", health=Health.DORMANT, desired=0, ready=0)
        pane.show(snapshot("workloads", [ready, short, off]))
        await pilot.pause()
        assert "Services  1 of 3 endpoints down, 1 of 2 workloads not ready, 1 scaled to 0" in app.lines[0]
        assert "0/0 scaled to 0" in app.line("○ deploy/standby")
        assert app.lines.index(app.line("✓ login")) < app.lines.index(app.line("○ deploy/standby"))
        assert "503  for 18m" in app.line("✗ api")
        assert "2.41 s ▁" in app.line("✗ api")
        assert "▇▇▇▇▇" in app.line("✗ api")
        assert "TLS expires in 3d" in app.line("✓ login")
        assert "checking …" in app.line("· new")
        assert "1/3 ProgressDeadlineExceeded" in app.line("deploy/payment")
        assert "fine" not in app.text
        pane.show(snapshot("endpoints", [soon, unknown]))  # nobody knows of all of them that they are up
        await pilot.pause()
        assert "Services  2 endpoints, " in app.lines[0]


async def test_a_service_whose_source_died_is_dimmed_and_the_border_names_the_source() -> None:
    pane = ServicesPane()
    app = clocked(pane)
    async with app.run_test(size=(160, 12)) as pilot:
        pane.show(snapshot("endpoints", [endpoint("api")]))
        pane.show(snapshot("workloads", state=State.STALE, detail="no answer", confirmed=NOW - 20))
        await pilot.pause()
        assert "workloads STALE 20 s · no answer" in app.lines[-1]
