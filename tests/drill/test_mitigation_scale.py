"""Scaling, as somebody at the desk gets it: from the number there is, with a word for going to nothing."""

from __future__ import annotations

import pytest

from drill.observing import Request
from probes.nodes import NodesProbe
from runbook.errors import NoPlan
from runbook.plan import Aim, Level, Verdict
from tests.drill.mitigation_desk import PROD, Json, finding, told, until
from tests.drill.small_scenario import village


def a_scaler(name: str = "accounts", workload: str = "account-service") -> Json:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload}
    return {"metadata": {"name": name}, "spec": {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 6}}


def a_budget(workload: str, allowed: int) -> Json:
    selector = {"matchLabels": {"app.kubernetes.io/name": workload}}
    return {
        "metadata": {"name": f"{workload}-budget"},
        "spec": {"minAvailable": 2, "selector": selector},
        "status": {"disruptionsAllowed": allowed},
    }


async def test_the_number_starts_where_it_is_and_an_unchanged_one_is_no_act() -> None:
    async with village() as at:
        plan = await at.plan("scale", at.aim("Deployment", "account-service"))
        assert [(field.id, field.kind, field.value) for field in plan.fields] == [("replicas", "number", "3")]
        assert plan.choices == {"replicas": "3"}
        said = finding(plan, "replicas", Level.RED)
        assert "nothing changes" in said.text
        assert "another number" in said.advice
        assert not plan.diff.hunks


async def test_scaling_up_sends_one_request_to_the_scale_and_ends_when_all_are_ready() -> None:
    async with village() as at:
        plan, outcome = await at.carried_out("scale", at.aim("Deployment", "account-service"), replicas="5")
        assert told(plan) == (f"kubectl scale deployment/account-service --replicas=5 -n {PROD}",)
        assert (plan.phrase, plan.wide) == ("", False)
        assert plan.diff.source == "server dry run"
        assert [line for line in plan.diff.hunks[0].lines if line[0] in "+-"] == ["-   replicas: 3", "+   replicas: 5"]
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert outcome.text.startswith("5 of 5 ready")
        (write,) = at.writes
        assert (write.method, write.path.rpartition("/")[2]) == ("PATCH", "scale")
        assert write.json()["metadata"] == {
            "uid": plan.target.uid,
            "resourceVersion": plan.target.resource_version,
        }
        assert len(at.pods("account-service")) == 5


async def test_scaling_back_is_offered_as_the_undo_and_brings_the_former_number() -> None:
    async with village() as at:
        plan, outcome = await at.carried_out("scale", at.aim("Deployment", "account-service"), replicas="4")
        back, undone = await at.undone(plan, outcome)
        assert plan.undo.words == "scale back to 3"
        assert back.choices == {"replicas": "3"}
        assert undone.verdict is Verdict.WORKED, undone.text
        assert at.get("deployments", "account-service")["spec"]["replicas"] == 3


async def test_going_to_nothing_has_words_of_its_own_and_ends_when_no_pod_is_left() -> None:
    async with village() as at:
        plan = await at.plan("scale", at.aim("Deployment", "account-service"), replicas="0")
        assert plan.phrase == "scale account-service to 0"
        assert plan.wide
        assert "every pod goes" in plan.blast
        assert finding(plan, "endpoints").level is Level.AMBER
        outcome = await at.ended(await at.confirm(plan))
        assert (outcome.verdict, outcome.text) == (Verdict.WORKED, "no pod is left")
        assert at.pods("account-service") == []
        assert (await at.plan("scale", at.aim("Deployment", "account-service"))).blast == "nothing"
        back, undone = await at.undone(plan, outcome)
        assert (back.phrase, back.choices["replicas"]) == ("", "3")
        assert undone.verdict is Verdict.WORKED, undone.text


async def test_losing_more_than_half_is_wide_and_says_who_still_serves() -> None:
    async with village() as at:
        aim = at.aim("Deployment", "api-gateway")
        assert not (await at.plan("scale", aim, replicas="2")).wide
        plan = await at.plan("scale", aim, replicas="1")
        assert plan.wide
        assert plan.phrase == "api-gateway"
        assert finding(plan, "endpoints").text == "api-gateway keeps 1 of 4 endpoints"


async def test_what_is_no_number_of_pods_is_refused_and_many_times_as_many_must_be_meant() -> None:
    async with village() as at:
        for answer in ("", "three", "-1", "1.5", "1001", "٣", "99999999999999"):
            plan = await at.plan("scale", at.aim("Deployment", "account-service"), replicas=answer)
            assert finding(plan, "replicas", Level.RED).text.endswith("is not a number from 0 to 1000")
        plan = await at.plan("scale", at.aim("Deployment", "account-service"), replicas="33")
        assert finding(plan, "replicas", Level.AMBER).text == "33 is 11 times what it is now (3)"


async def test_an_autoscaler_is_named_with_its_bounds_and_that_it_has_the_last_word() -> None:
    async with village() as at:
        at.put("horizontalpodautoscalers", a_scaler())
        at.put("horizontalpodautoscalers", a_scaler("others", "card-service"))
        aim = at.aim("Deployment", "account-service")
        said = finding(await at.plan("scale", aim, replicas="4"), "autoscaler", Level.AMBER)
        assert said.text.startswith("HorizontalPodAutoscaler accounts (2 to 6)")
        assert "put it back" in said.text
        said = finding(await at.plan("scale", aim, replicas="0"), "autoscaler", Level.AMBER)
        assert "will not bring it back" in said.text


async def test_a_budget_speaks_up_only_when_pods_go() -> None:
    async with village() as at:
        at.put("poddisruptionbudgets", a_budget("account-service", allowed=1))
        aim = at.aim("Deployment", "account-service")
        assert not [said for said in (await at.plan("scale", aim, replicas="4")).findings if said.name == "budget"]
        assert finding(await at.plan("scale", aim, replicas="2"), "budget").level is Level.GREEN
        said = finding(await at.plan("scale", aim, replicas="1"), "budget", Level.AMBER)
        assert said.text == "account-service-budget allows a disruption and this is 2, which is not held to it"


async def test_pods_that_already_wait_for_a_node_speak_against_more() -> None:
    async with village() as at:
        at.put("deployments", _with_requests(at.get("deployments", "card-service"), cpu="9"))
        await until(
            lambda: any(
                condition.get("reason") == "Unschedulable"
                for pod in at.pods("card-service")
                for condition in pod["status"].get("conditions", ())
            ),
            "a pod that finds no node",
        )
        said = finding(await at.plan("scale", at.aim("Deployment", "card-service"), replicas="6"), "room", Level.AMBER)
        assert "for a node" in said.text


async def test_more_than_all_nodes_have_together_is_plain_from_the_nodes_pane() -> None:
    async with village() as at:
        watching = NodesProbe(at.cluster).watch()
        async for snapshot in watching:
            if snapshot.freshness.live:
                at.latest["nodes"] = snapshot
                break
        await watching.aclose()
        aim = at.aim("Deployment", "card-service")
        plan = await at.plan("scale", aim, replicas="10")
        assert not [said for said in plan.findings if said.name == "room"]
        said = finding(await at.plan("scale", aim, replicas="250"), "room", Level.AMBER)
        assert said.text.startswith("250 pods want 25 cores where the nodes have ")


async def test_a_stateful_set_is_scaled_and_its_last_pod_goes_first() -> None:
    async with village() as at:
        plan, outcome = await at.carried_out("scale", at.aim("StatefulSet", "session-cache"), replicas="2")
        assert told(plan) == (f"kubectl scale statefulset/session-cache --replicas=2 -n {PROD}",)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert [pod["metadata"]["name"] for pod in at.pods("session-cache")] == ["session-cache-0", "session-cache-1"]


async def test_from_a_pod_its_workload_is_meant_and_a_daemon_set_is_refused_with_words() -> None:
    async with village() as at:
        pod = at.pods("account-service")[0]["metadata"]["name"]
        plan = await at.plan("scale", at.aim("Pod", pod), replicas="2")
        assert str(plan.target) == "deployment/account-service"
        with pytest.raises(NoPlan, match="one pod on each node"):
            await at.plan("scale", at.aim("DaemonSet", "kube-proxy", "kube-system"))
        with pytest.raises(NoPlan, match="one pod on each node"):
            await at.plan("scale", Aim(kind="Pod", name="x", owner_kind="DaemonSet", owner_name="kube-proxy"))
        with pytest.raises(NoPlan, match="a pod of nobody"):
            await at.plan("scale", Aim(kind="Pod", namespace=PROD, name="x"))


async def test_a_number_that_somebody_changes_again_is_a_failure_that_names_them() -> None:
    async with village() as at:
        act = await at.confirm(await at.plan("scale", at.aim("Deployment", "account-service"), replicas="5"))
        await until(lambda: at.get("deployments", "account-service")["spec"]["replicas"] == 5, "the act")
        at.put("deployments", _with_replicas(at.get("deployments", "account-service"), 2), manager="horizontal")
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.FAILED
        assert outcome.text.startswith("horizontal set it to 2 meanwhile")


async def test_a_lost_request_is_told_from_one_whose_answer_was_lost() -> None:
    async with village() as at:
        aim = at.aim("Deployment", "account-service")
        at.server.faults.unheard = 1
        _, outcome = await at.carried_out("scale", aim, replicas="4")
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        at.server.faults.unanswered = 1
        _, outcome = await at.carried_out("scale", aim, replicas="4")
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert len(at.writes) == 2


async def test_the_same_number_by_somebody_else_is_not_taken_for_ours() -> None:
    async with village() as at:
        plan = await at.plan("scale", at.aim("Deployment", "account-service"), replicas="4")
        at.server.faults.unheard = 1

        def same_number_by_somebody_else(request: Request) -> None:
            if request.writes:
                at.put("deployments", _with_replicas(at.get("deployments", "account-service"), 4))

        at.server.observers.append(same_number_by_somebody_else)
        act = await at.confirm(plan)
        outcome = await at.ended(act)
        assert (outcome.verdict, outcome.sent) == (Verdict.UNKNOWN, None)
        assert outcome.text.endswith("is at 4 now, as asked, but the server does not say that it was this act")


async def test_a_viewer_sees_the_plan_and_which_permission_is_missing() -> None:
    async with village(user="viewer") as at:
        plan = await at.plan("scale", at.aim("Deployment", "account-service"), replicas="2")
        assert finding(plan, "allowed", Level.RED).text == (
            f"viewer may not patch deployments/scale.apps in namespace {PROD}"
        )
        assert plan.diff.source == "computed"
        assert [line for line in plan.diff.hunks[0].lines if line[0] in "+-"] == ["-   replicas: 3", "+   replicas: 2"]


def _with_requests(workload: Json, **requests: str) -> Json:
    template = workload["spec"]["template"]
    container = {**template["spec"]["containers"][0], "resources": {"requests": requests}}
    template = {**template, "spec": {**template["spec"], "containers": [container]}}
    return {**workload, "spec": {**workload["spec"], "template": template}}


def _with_replicas(workload: Json, replicas: int) -> Json:
    return {**workload, "spec": {**workload["spec"], "replicas": replicas}}
