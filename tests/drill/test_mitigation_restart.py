"""Restarting, as somebody at the desk gets it, and the verdict: rolled out, quiet, and healthy."""

from __future__ import annotations

import time

import pytest

from probes.freshness import Freshness, Snapshot, State
from probes.rows import Endpoint, Event, Health
from runbook.errors import NoPlan
from runbook.plan import Aim, Level, Plan, Verdict
from runbook.playbook import Playbook
from tests.drill.mitigation_desk import PROD, SLOW, VERDICT, Desk, finding, told, until, without_cluster
from tests.drill.small_scenario import village

NAME = "account-service"


async def test_a_restart_replaces_every_pod_and_says_that_it_worked() -> None:
    async with village() as at:
        before = {pod["metadata"]["uid"] for pod in at.pods(NAME)}
        plan, outcome = await at.carried_out("restart", at.aim("Deployment", NAME))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert told(plan) == (f"kubectl rollout restart deployment/{NAME} -n {PROD}",)
        assert not before & {pod["metadata"]["uid"] for pod in at.pods(NAME)}
        assert len(at.writes) == 1


async def test_the_only_change_is_kubectls_own_annotation_and_the_server_says_so() -> None:
    async with village() as at:
        plan = await at.plan("restart", at.aim("Deployment", NAME))
        assert plan.diff.source == "server dry run"
        added = changed(plan)
        assert all(line.startswith("+") for line in added)
        assert "kubectl.kubernetes.io/restartedAt: " in added[-1]
        assert plan.undo.recipe is None
        assert "cannot be taken back" in plan.undo.words
        assert len(added) <= 2  # with the map that it is in, if there was none
        assert [request.query["dryRun"] for request in at.rehearsals] == ["All"]
        assert all(request.looks or request.dry for request in at.requests)
        assert len(at.requests) < 15  # few questions, so that the plan is there in a moment


@pytest.mark.parametrize(
    ("kind", "name", "namespace"), [("StatefulSet", "session-cache", PROD), ("DaemonSet", "kube-proxy", "kube-system")]
)
async def test_stateful_sets_and_daemon_sets_are_restarted_too(kind: str, name: str, namespace: str) -> None:
    async with village() as at:
        plan, outcome = await at.carried_out("restart", at.aim(kind, name, namespace))
        assert told(plan) == (f"kubectl rollout restart {kind.lower()}/{name} -n {namespace}",)
        assert outcome.verdict is Verdict.WORKED, outcome.text


async def test_from_a_pod_its_workload_is_meant_and_a_pod_without_one_is_refused() -> None:
    async with village() as at:
        pod = at.pods(NAME)[0]["metadata"]["name"]
        assert str((await at.plan("restart", at.aim("Pod", pod))).target) == f"deployment/{NAME}"
        for aim, why in (
            (Aim(kind="Pod", namespace=PROD, name="x"), "a pod of nobody"),
            (Aim(kind="Pod", namespace=PROD, name="x", owner_kind="Job", owner_name="j"), "a pod of a Job"),
            (Aim(kind="Node", name="n"), "not a workload"),
        ):
            with pytest.raises(NoPlan, match=why):
                await at.plan("restart", aim)


async def test_pods_that_go_one_by_one_leave_somebody_serving_and_recreation_does_not() -> None:
    async with village() as at:
        plan = await at.plan("restart", at.aim("Deployment", NAME))
        assert (plan.wide, plan.phrase, plan.blast) == (False, "", "3 pods, one after another")
        assert finding(plan, "endpoints").text == f"{NAME}: 3 ready, replaced one by one"
        at.change("deployments", NAME, strategy={"type": "Recreate"})
        plan = await at.plan("restart", at.aim("Deployment", NAME))
        assert (plan.wide, plan.phrase, plan.blast) == (True, NAME, "3 pods, all at once")
        assert finding(plan, "endpoints", Level.AMBER).text == f"{NAME} loses all of its 3 ready endpoints"
        # A pod that was evicted is a record of itself: nothing of it goes.
        at.running.platform.plane.kubelets.evict(at.pods(NAME)[0], "The node was low on resource: memory.")
        await until(lambda: len(at.pods(NAME)) == 4, "another in its place")
        assert (await at.plan("restart", at.aim("Deployment", NAME))).blast == "3 pods, all at once"
        # What is down already has nothing to lose.
        plan = await at.plan("restart", at.aim("Deployment", "payment-service"))  # recreated, and crash-looping
        assert (plan.wide, plan.phrase, plan.remark) == (False, "", "0 of 3 ready now")
        assert finding(plan, "endpoints").level is Level.GREEN


async def test_a_paused_deployment_is_blocked_and_one_that_replaces_nothing_by_itself_is_told() -> None:
    async with village() as at:
        at.change("deployments", NAME, paused=True)
        said = finding(await at.plan("restart", at.aim("Deployment", NAME)), "paused", Level.RED)
        assert without_cluster(said.advice) == f"kubectl rollout resume deployment/{NAME} -n {PROD}"
        at.change("statefulsets", "session-cache", updateStrategy={"type": "OnDelete"})
        said = finding(await at.plan("restart", at.aim("StatefulSet", "session-cache")), "strategy", Level.AMBER)
        assert "by hand" in said.text


async def test_who_puts_it_back_and_who_is_at_it_is_said() -> None:
    async with village() as at:
        found = at.get("deployments", NAME)
        labels = {**found["metadata"]["labels"], "argocd.argoproj.io/instance": "bank"}
        at.put("deployments", {**found, "metadata": {**found["metadata"], "labels": labels}}, manager="kubectl-edit")
        plan = await at.plan("restart", at.aim("Deployment", NAME))
        assert finding(plan, "owner", Level.AMBER).text.startswith("Argo CD manages this")
        assert finding(plan, "alone", Level.AMBER).text.startswith("kubectl-edit changed it ")


async def test_an_exhausted_budget_is_told_because_a_rollout_is_not_held_to_it() -> None:
    async with village() as at:
        selector = {"matchLabels": {"app.kubernetes.io/name": NAME}}
        at.put("poddisruptionbudgets", {"metadata": {"name": "b"}, "spec": {"minAvailable": 3, "selector": selector}})
        await until(lambda: "disruptionsAllowed" in at.get("poddisruptionbudgets", "b").get("status", {}), "a status")
        said = finding(await at.plan("restart", at.aim("Deployment", NAME)), "budget", Level.AMBER)
        assert said.text == "b allows no disruption now, and this is not held to it"


async def test_panes_that_are_not_live_are_a_warning_until_they_are() -> None:
    async with village() as at:
        said = finding(await at.plan("restart", at.aim("Deployment", NAME)), "fresh", Level.AMBER)
        assert said.text.startswith("not live: pods, workloads, events")
        for name in ("pods", "workloads", "events"):
            at.latest[name] = Snapshot(name, Freshness(State.LIVE, time.time()))
        assert finding(await at.plan("restart", at.aim("Deployment", NAME)), "fresh").level is Level.GREEN


async def test_what_may_not_be_read_is_a_warning_and_no_obstacle() -> None:
    async with village() as at:
        faults = at.server.faults
        for path, name in (("/pods", "pods"), ("/endpointslices", "endpoints"), ("/poddisruptionbudgets", "budget")):
            faults.only, faults.error = path, 403
            plan = await at.plan("restart", at.aim("Deployment", NAME))
            assert "not known" in finding(plan, name, Level.AMBER).text
            assert not plan.blocked


# The verdict


async def test_an_endpoint_that_got_sick_by_it_makes_it_a_failure() -> None:
    async with village() as at:
        health(at, ok=True)
        act = await at.confirm(await at.plan("restart", at.aim("Deployment", NAME)))
        health(at, ok=False)
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.FAILED
        assert outcome.text.endswith("but api 503, and was well before")


async def test_endpoints_are_part_of_the_verdict_and_one_that_was_sick_before_does_not_speak_against_it() -> None:
    async with village() as at:
        health(at, ok=False)
        _, outcome = await at.carried_out("restart", at.aim("Deployment", NAME))
        assert outcome.verdict is Verdict.WORKED
        assert outcome.text.endswith("but api 503, as before")
        health(at, ok=True)
        _, outcome = await at.carried_out("restart", at.aim("Deployment", NAME))
        assert outcome.text == "3 of 3 ready, no new warning for 0.2 s, every health endpoint answers well"


async def test_a_new_warning_about_its_pods_starts_the_quiet_time_again() -> None:
    async with village(playbook=Playbook(quiet_for=1.0, verify_within=VERDICT)) as at:
        act = await at.confirm(await at.plan("restart", at.aim("Deployment", NAME)))
        await until(lambda: "for new warnings" in act.latest, "the quiet time")
        warn(at, f"{NAME}-abc")
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.WORKED
        said = [text for _, text in act.progress]
        assert f"a new warning: Unhealthy {NAME}-abc" in said
        assert said.index(f"a new warning: Unhealthy {NAME}-abc") < len(said) - 1  # and then it was quiet


async def test_a_warning_about_somebody_elses_pods_does_not() -> None:
    async with village(playbook=Playbook(quiet_for=1.0, verify_within=VERDICT)) as at:
        act = await at.confirm(await at.plan("restart", at.aim("Deployment", NAME)))
        await until(lambda: "for new warnings" in act.latest, "the quiet time")
        warn(at, "card-service-abc")
        assert (await at.ended(act)).verdict is Verdict.WORKED
        assert not [text for _, text in act.progress if text.startswith("a new warning")]


async def test_a_workload_that_is_deleted_while_it_is_watched_leaves_the_verdict_open() -> None:
    async with village(speed=SLOW) as at:
        act = await at.confirm(await at.plan("restart", at.aim("Deployment", NAME)))
        await until(lambda: act.phase == "verifying", "it is watched")
        at.drop("deployments", NAME)
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.UNKNOWN
        assert outcome.text.startswith("done, and it cannot be verified")


async def test_a_server_that_is_gone_while_it_is_watched_is_waited_for() -> None:
    async with village() as at:
        act = await at.confirm(await at.plan("restart", at.aim("Deployment", NAME)))
        await until(lambda: act.phase == "verifying", "it is watched")
        await at.server.refuse()
        await until(lambda: act.latest.startswith("cannot look: "), "it cannot look")
        await at.server.accept()
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.WORKED, outcome.text


def changed(plan: Plan) -> list[str]:
    return [line for hunk in plan.diff.hunks for line in hunk.lines if line[0] in "+-"]


def health(at: Desk, *, ok: bool) -> None:
    """What the endpoints' probe last saw."""
    row = Endpoint(
        name="api",
        url="https://api.example/health",
        health=Health.HEALTHY if ok else Health.FAILING,
        ok=ok,
        status=200 if ok else 503,
        latency_ms=10.0,
        error="",
        excerpt="",
        tls_expires_at=None,
        checked_at=time.time(),
        changed_at=None,
        history=(),
    )
    at.latest["endpoints"] = Snapshot("endpoints", Freshness(State.LIVE, time.time()), {row.key: row})


def warn(at: Desk, pod: str) -> None:
    """What the events' probe last saw."""
    row = Event(
        uid="e1",
        namespace=PROD,
        name="e1",
        type="Warning",
        reason="Unhealthy",
        kind="Pod",
        object_name=pod,
        object_uid="u1",
        message="Readiness probe failed",
        count=1,
        first_at=time.time(),
        last_at=time.time(),
        reporter="kubelet",
    )
    at.latest["events"] = Snapshot("events", Freshness(State.LIVE, time.time()), {row.key: row})
