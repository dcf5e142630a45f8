"""What a row under the cursor means to somebody who would act on it."""

from __future__ import annotations

from collections.abc import Mapping, ValuesView

from probes.freshness import Freshness, Snapshot, State
from probes.rows import Health, Pod, Workload
from runbook.plan import Aim
from tests.pilot.pane_harness import NOW, PROD, pod
from tests.unit.test_vital_signs import event
from tui.aims import Aims
from widgets.pod_groups import PodRow, summarise


def workload(name: str, release: str = "", kind: str = "Deployment") -> Workload:
    """Three pods are wanted, two are ready."""
    return Workload(
        uid=f"uid-of-{name}",
        kind=kind,
        namespace=PROD,
        name=name,
        resource_version="1",
        health=Health.HEALTHY,
        desired=3,
        ready=2,
        updated=3,
        available=2,
        condition="complete",
        message="",
        changed_at=None,
        revision="1",
        images=(),
        created_at=NOW,
        release=release,
    )


class Walked(dict[str, Workload]):
    """Counts how often somebody looks through all of it."""

    walks = 0

    def values(self) -> ValuesView[Workload]:  # type: ignore[override]
        self.walks += 1
        return super().values()


def seen(workloads: Mapping[str, Workload], *pods: Pod) -> dict[str, Snapshot[object]]:
    live = Freshness(State.LIVE, NOW, NOW)
    return {
        "workloads": Snapshot("workloads", live, workloads),
        "pods": Snapshot("pods", live, {each.uid: each for each in pods}),
    }


def test_a_pod_and_its_workload_know_their_release() -> None:
    row = pod("pay-1", "pay")
    latest = seen({"w": workload("pay", release="payments")})
    of_pod = Aims().of(PodRow(row, ""), latest)
    of_group = Aims().of(summarise("group", [row]), latest)

    assert (of_pod.kind, of_pod.name, of_pod.owner_name, of_pod.release) == ("Pod", "pay-1", "pay", "payments")
    assert (of_group.kind, of_group.uid, of_group.release) == ("Deployment", "uid-of-pay", "payments")


def test_an_event_of_a_pod_knows_its_owner_while_the_pod_is_there() -> None:
    row, there = event("e", 1), pod("p", "pay", namespace="prod")
    pods = Snapshot("pods", Freshness(State.LIVE, NOW), {row.object_uid: there})
    gone, found = Aims().of(row, seen({})), Aims().of(row, {**seen({}), "pods": pods})

    assert (gone.kind, gone.owner_kind) == ("Pod", "")
    assert (found.owner_kind, found.owner_name) == ("Deployment", "pay")


def test_a_cursor_that_runs_over_many_rows_looks_through_the_workloads_once() -> None:
    workloads = Walked({f"w{number}": workload(f"svc-{number}", f"rel-{number}") for number in range(50)})
    latest, aims = seen(workloads), Aims()
    found = [aims.of(pod(f"svc-{number}-1", f"svc-{number}"), latest).release for number in range(50)]

    assert found == [f"rel-{number}" for number in range(50)]
    assert workloads.walks == 1


def test_another_snapshot_counts_at_once() -> None:
    aims, row = Aims(), pod("pay-1", "pay")
    assert aims.of(row, seen({"w": workload("pay", release="before")})).release == "before"
    assert aims.of(row, seen({"w": workload("pay", release="after")})).release == "after"
    assert aims.of(row, {}).release == ""


def test_what_nobody_can_act_on_is_an_empty_aim() -> None:
    assert Aims().of(object(), seen({})) == Aim()
