"""Deleting one pod, as somebody at the desk gets it: with its grace, never by force, and only that very pod."""

from __future__ import annotations

import pytest

from runbook.errors import Changed, NoPlan
from runbook.plan import Aim, Level, Verdict
from runbook.playbook import MitigationSettings, Playbook
from tests.drill.mitigation_desk import PROD, SLOW, Desk, Json, finding, told, until
from tests.drill.small_scenario import village


def first(at: Desk, workload: str) -> str:
    return str(at.pods(workload)[0]["metadata"]["name"])


def a_lonely_pod(name: str = "debug") -> Json:
    return {"metadata": {"name": name, "labels": {"run": name}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


async def test_a_pod_goes_by_one_request_with_its_own_uid_and_grace_and_its_workload_is_ready_again() -> None:
    async with village() as at:
        name = first(at, "account-service")
        plan, outcome = await at.carried_out("delete-pod", at.aim("Pod", name))
        assert told(plan) == (f"kubectl delete pod {name} -n {PROD}",)
        assert finding(plan, "owner").text == "Deployment/account-service makes another one"
        assert finding(plan, "ready").text == "2 others of Deployment/account-service are ready"
        assert finding(plan, "endpoints").text == "account-service keeps 2 of 3 endpoints"
        assert (plan.wide, plan.undo.recipe) == (False, None)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert outcome.text.startswith("3 of 3 ready")
        assert name not in [pod["metadata"]["name"] for pod in at.pods("account-service")]
        (write,) = at.writes
        assert write.method == "DELETE"
        assert write.json()["preconditions"] == {"uid": plan.target.uid}
        assert write.json()["gracePeriodSeconds"] == 30


async def test_the_grace_is_the_pods_own_until_somebody_chooses_another_and_never_nothing() -> None:
    async with village() as at:
        aim = at.aim("Pod", first(at, "account-service"))
        plan = await at.plan("delete-pod", aim)
        assert plan.choices == {"grace": "30"}
        plan = await at.plan("delete-pod", aim, grace="5")
        assert told(plan)[0].endswith("--grace-period=5")
        assert plan.steps["grace"] == 5
        for answer in ("0", "-1", "soon"):
            refused = finding(await at.plan("delete-pod", aim, grace=answer), "grace", Level.RED)
            assert refused.text.endswith("is not a number from 1 to 3600")


async def test_the_runbook_file_may_set_another_grace() -> None:
    settings = {"delete-pod": MitigationSettings(defaults={"grace": "10"})}
    async with village(playbook=Playbook(mitigations=settings)) as at:
        plan = await at.plan("delete-pod", at.aim("Pod", first(at, "account-service")))
        assert plan.choices == {"grace": "10"}
        assert told(plan)[0].endswith("--grace-period=10")


async def test_a_pod_that_nobody_owns_does_not_come_back_and_its_name_must_be_typed() -> None:
    async with village() as at:
        at.put("pods", a_lonely_pod())
        plan = await at.plan("delete-pod", at.aim("Pod", "debug"))
        assert "does not come back" in finding(plan, "owner", Level.AMBER).text
        assert plan.wide
        assert plan.phrase == "debug"
        outcome = await at.ended(await at.confirm(plan))
        assert (outcome.verdict, outcome.text) == (Verdict.WORKED, "it is gone, and nothing replaces it")


async def test_the_last_ready_pod_is_called_that() -> None:
    async with village() as at:
        await at.carried_out("scale", at.aim("Deployment", "account-service"), replicas="1")
        plan = await at.plan("delete-pod", at.aim("Pod", first(at, "account-service")))
        assert finding(plan, "ready", Level.AMBER).text == "it is the last ready pod of Deployment/account-service"
        assert finding(plan, "endpoints", Level.AMBER).text == "account-service loses its only ready endpoint"


async def test_a_stateful_sets_pod_comes_back_under_its_name() -> None:
    async with village() as at:
        before = at.get("pods", "session-cache-1")["metadata"]["uid"]
        plan, outcome = await at.carried_out("delete-pod", at.aim("Pod", "session-cache-1"))
        assert finding(plan, "owner").text == "StatefulSet/session-cache makes one of the same name"
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert at.get("pods", "session-cache-1")["metadata"]["uid"] != before


async def test_what_is_deleted_is_the_pod_of_the_plan_and_not_the_next_one_of_that_name() -> None:
    async with village() as at:
        plan = await at.plan("delete-pod", at.aim("Pod", "session-cache-1"))
        at.drop("pods", "session-cache-1")
        at.put("pods", a_lonely_pod("session-cache-1"))
        with pytest.raises(Changed, match="deleted and created again"):
            await at.confirm(plan)
        assert at.writes == []


async def test_a_pod_that_is_replaced_at_the_very_last_moment_is_left_alone() -> None:
    async with village() as at:
        plan = await at.plan("delete-pod", at.aim("Pod", "session-cache-1"))

        def replaced() -> None:
            at.drop("pods", "session-cache-1")
            at.put("pods", a_lonely_pod("session-cache-1"))

        at.before_write(replaced)
        outcome = await at.ended(await at.confirm(plan))
        assert (outcome.verdict, outcome.sent) == (Verdict.REFUSED, False)
        assert at.get("pods", "session-cache-1")["metadata"].get("deletionTimestamp") is None


async def test_a_pod_that_is_going_already_is_not_deleted_again() -> None:
    async with village(speed=SLOW) as at:
        name = first(at, "account-service")
        aim = at.aim("Pod", name)
        act = await at.confirm(await at.plan("delete-pod", aim))
        await until(lambda: "deletionTimestamp" in at.get("pods", name)["metadata"], "the pod is on its way out")
        again = finding(await at.plan("delete-pod", aim), "terminating", Level.RED)
        assert again.text.startswith("it is being deleted already, its grace ends in")
        act.leave()


async def test_a_static_pod_is_told_from_one_that_can_be_deleted() -> None:
    async with village() as at:
        pod = a_lonely_pod("etcd-node-1")
        pod["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "abc"}
        at.put("pods", pod)
        assert "kubelet" in finding(await at.plan("delete-pod", at.aim("Pod", "etcd-node-1")), "static", Level.RED).text


async def test_an_answer_that_never_came_is_found_by_the_pod_being_gone() -> None:
    async with village() as at:
        at.server.faults.unanswered = 1
        _, outcome = await at.carried_out("delete-pod", at.aim("Pod", first(at, "account-service")))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        at.server.faults.unheard = 1
        _, outcome = await at.carried_out("delete-pod", at.aim("Pod", first(at, "account-service")))
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert len(at.writes) == 2


async def test_only_pods_can_be_deleted() -> None:
    async with village() as at:
        for aim in (Aim(kind="Deployment", name="x"), Aim(kind="Node", name="x"), Aim()):
            with pytest.raises(NoPlan, match="not a pod"):
                await at.plan("delete-pod", aim)


async def test_a_viewer_sees_the_plan_and_which_permission_is_missing() -> None:
    async with village(user="viewer") as at:
        plan = await at.plan("delete-pod", at.aim("Pod", first(at, "account-service")))
        assert finding(plan, "allowed", Level.RED).text == f"viewer may not delete pods in namespace {PROD}"
