"""Cordoning and uncordoning a node, as somebody at the desk gets it."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.errors import Changed, NoPlan
from runbook.mitigations import TABLE
from runbook.nodes import sorted_out, workload_behind
from runbook.plan import Aim, Level, Verdict
from tests.drill.mitigation_desk import INCIDENT, PROD, finding, told
from tests.drill.nodes_at_desk import BATCH, NODE, cordoned, movable, node, uids
from tests.drill.small_scenario import village

Json = dict[str, Any]


async def test_a_cordoned_node_takes_no_new_pods_and_is_uncordoned_by_the_same_key() -> None:
    async with village() as at:
        before = uids(movable(at))
        plan, outcome = await at.carried_out("cordon", node(at))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert outcome.text == f"{NODE} takes no new pods; those that run there go on"
        assert told(plan) == (f"kubectl cordon {NODE}",)
        assert cordoned(at)
        assert uids(movable(at)) == before
        notes = at.get("nodes", NODE)["metadata"]["annotations"]
        assert (notes["warroom/act"], notes["warroom/incident"]) == (plan.id, INCIDENT)

        back, outcome = await at.carried_out("cordon", node(at))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert (back.verb, told(back)) == ("Uncordon", (f"kubectl uncordon {NODE}",))
        assert not cordoned(at)
        assert [str(write) for write in at.writes] == [f"PATCH /api/v1/nodes/{NODE}"] * 2


async def test_each_is_the_others_undo_and_an_undo_that_came_too_late_does_nothing() -> None:
    async with village() as at:
        plan, _ = await at.carried_out("cordon", node(at))
        back, outcome = await at.undone(plan)
        assert (outcome.verdict, cordoned(at)) == (Verdict.WORKED, False)
        with pytest.raises(NoPlan, match="not cordoned already"):
            await at.undone(plan)
        await at.undone(back)
        assert cordoned(at)
        with pytest.raises(NoPlan, match="cordoned already"):
            await at.undone(back)


async def test_the_plan_says_who_goes_on_there_and_who_else_takes_pods() -> None:
    async with village() as at:
        plan = await at.plan("cordon", node(at))
        assert finding(plan, "room").text == "2 other nodes take pods"
        assert finding(plan, "pods").text.startswith(f"{len(movable(at))} pods run there and go on")
        assert plan.diff.source == "server dry run"
        assert any(line.startswith("+") and "unschedulable: true" in line for line in plan.diff.hunks[0].lines)
        for name in ("aks-system-00001", "aks-system-00002"):
            other = at.get("nodes", name)
            at.put("nodes", {**other, "spec": {**other["spec"], "unschedulable": True}})
        last = finding(await at.plan("cordon", node(at)), "room")
        assert (last.level, last.text.startswith("THE LAST NODE")) == (Level.AMBER, True)
        assert finding(await at.plan("cordon", node(at), act="drain"), "room").level is Level.RED


async def test_a_node_is_production_when_production_runs_on_it() -> None:
    async with village(armed=False) as at:
        plan = await at.plan("cordon", node(at))
        assert plan.production
        assert finding(plan, "armed").level is Level.RED
        another = {key: at.get("nodes", NODE)[key] for key in ("spec", "status")}
        at.put("nodes", {"metadata": {"name": BATCH}, **another})
        assert not (await at.plan("cordon", node(at, BATCH))).production


async def test_what_a_node_changes_by_itself_does_not_matter_and_a_cordon_by_somebody_else_does() -> None:
    async with village() as at:
        plan = await at.plan("cordon", node(at))
        found = at.get("nodes", NODE)
        labels = {**found["metadata"]["labels"], "new": "label"}
        taints = [{"key": "k", "value": "v", "effect": "NoSchedule"}]
        changed = {**found, "metadata": {**found["metadata"], "labels": labels}, "spec": {**found["spec"]}}
        at.put("nodes", {**changed, "spec": {**found["spec"], "taints": taints}})
        assert (await at.ended(await at.confirm(plan))).verdict is Verdict.WORKED
        assert at.get("nodes", NODE)["spec"]["taints"][0]["key"] == "k"

        uncordon = await at.plan("cordon", node(at))
        found = at.get("nodes", NODE)
        at.put("nodes", {**found, "spec": {**found["spec"], "unschedulable": False}})
        with pytest.raises(Changed):
            await at.confirm(uncordon)
        assert len(at.writes) == 1


async def test_a_node_of_the_same_name_is_another_node() -> None:
    async with village() as at:
        plan = await at.plan("cordon", node(at))
        found = at.get("nodes", NODE)
        at.drop("nodes", NODE)
        at.put("nodes", {"metadata": {"name": NODE}, "spec": found["spec"], "status": found["status"]})
        with pytest.raises(Changed, match="deleted and created again"):
            await at.confirm(plan)
        assert not at.writes


async def test_a_viewer_gets_plans_that_name_what_is_missing() -> None:
    async with village(user="viewer") as at:
        plan = await at.plan("cordon", node(at))
        assert "may not patch nodes" in finding(plan, "allowed").text
        assert plan.diff.source == "computed"
        drain = await at.plan("cordon", node(at), act="drain")
        assert f"create pods/eviction in namespace {PROD}" in finding(drain, "allowed").text
        assert drain.blocked


async def test_the_key_is_for_nodes_only() -> None:
    assert TABLE["cordon"].refuses(Aim(kind="Pod", name="p")) == "not a node"
    assert TABLE["cordon"].refuses(Aim(kind="Node", name="n")) == ""
    async with village() as at:
        with pytest.raises(NoPlan, match="'reboot' cannot be done to a node"):
            await at.plan("cordon", node(at), act="reboot")


async def test_a_lost_answer_is_found_out_by_looking() -> None:
    async with village() as at:
        at.server.faults.unanswered = 1
        _, outcome = await at.carried_out("cordon", node(at))
        assert (outcome.verdict, cordoned(at), len(at.writes)) == (Verdict.WORKED, True, 1)
        at.server.faults.unheard = 1
        _, outcome = await at.carried_out("cordon", node(at))
        assert (outcome.verdict, outcome.sent, cordoned(at)) == (Verdict.FAILED, False, True)
        assert len(at.writes) == 2


def pod(name: str, **more: Any) -> Json:
    owner = [{"kind": more.pop("owner"), "name": "o", "controller": True}] if "owner" in more else []
    metadata = {"name": name, "namespace": "n", "uid": name, "ownerReferences": owner, **more.pop("metadata", {})}
    return {"metadata": metadata, "spec": more.pop("spec", {}), "status": {"phase": more.pop("phase", "Running")}}


def test_pods_are_sorted_as_kubectl_drain_sorts_them() -> None:
    there = sorted_out(
        [
            pod("done", phase="Succeeded"),
            pod("proxy", owner="DaemonSet"),
            pod("static", owner="Node", metadata={"annotations": {"kubernetes.io/config.mirror": "x"}}),
            pod("leaving", owner="ReplicaSet", metadata={"deletionTimestamp": "2026-11-25T11:00:00Z"}),
            pod("web", owner="ReplicaSet", spec={"volumes": [{"emptyDir": {}}]}),
            pod("bare"),
        ]
    )
    assert [one["metadata"]["name"] for one in there.going] == ["web", "bare"]
    assert [one["metadata"]["name"] for one in there.unmanaged] == ["bare"]
    assert [one["metadata"]["name"] for one in there.scratch] == ["web"]
    assert there.staying == "1 of DaemonSets, 1 static, 1 finished"
    assert len(there.leaving) == 1
    labels = {"metadata": {"labels": {"pod-template-hash": "abc"}}}
    reference = [{"kind": "ReplicaSet", "name": "web-abc", "controller": True}]
    assert workload_behind({"metadata": {**labels["metadata"], "ownerReferences": reference}}) == ("Deployment", "web")
