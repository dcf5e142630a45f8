"""Undoing a rollout, as somebody at the desk gets it: back to a revision that the cluster keeps, as kubectl does it."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from runbook.errors import Changed, NoPlan
from runbook.plan import Level, Plan, Verdict
from runbook.revisions import plain
from tests.drill.mitigation_desk import PROD, Desk, Json, finding, told, until, without_cluster
from tests.drill.small_scenario import village

SICK = "payment-service"  # crash-loops since its newest release
REVISION = "deployment.kubernetes.io/revision"


def image(at: Desk, name: str = SICK) -> str:
    containers = at.get("deployments", name)["spec"]["template"]["spec"]["containers"]
    return str(containers[0]["image"]).rpartition("/")[2]


def changed(plan: Plan) -> list[str]:
    return [line for hunk in plan.diff.hunks for line in hunk.lines if line[0] in "+-"]


async def test_the_previous_revision_is_offered_first_with_its_images_and_helms_own_way_back() -> None:
    async with village() as at:
        plan = await at.plan("rollout-undo", at.aim("Deployment", SICK))
        (field,) = plan.fields
        assert (field.kind, field.value) == ("choice", field.options[0][0])
        numbers = [int(number) for number, _ in field.options]
        assert numbers == sorted(numbers, reverse=True)
        assert field.options[0][1].startswith(f"{numbers[0]} · payment-service:1.4.0 · first made 3 d ago")
        assert field.hint.endswith("payment-service:1.5.0")
        assert told(plan) == (f"kubectl rollout undo deployment/{SICK} --to-revision={numbers[0]} -n {PROD}",)
        assert plan.diff.source == "server dry run"
        assert [line for line in changed(plan) if "image:" in line] == [
            "-         image: bankingacr.azurecr.io/payment-service:1.5.0",
            "+         image: bankingacr.azurecr.io/payment-service:1.4.0",
        ]
        said = finding(plan, "helm", Level.AMBER)
        assert "next helm upgrade" in said.text
        assert "banking-platform-prod" in said.text
        assert said.advice.startswith("B rolls the release back")
        assert "PoolTimeout" not in str(plan.steps)  # a template may hold what should not be on a timeline
        assert at.writes == []


async def test_a_bad_release_is_undone_and_the_service_recovers() -> None:
    async with village() as at:
        plan, outcome = await at.carried_out("rollout-undo", at.aim("Deployment", SICK))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert outcome.text.startswith("3 of 3 ready")
        assert image(at) == "payment-service:1.4.0"
        (write,) = at.writes
        assert write.media == "application/json-patch+json"
        assert write.json()[0] == {"op": "test", "path": "/metadata/uid", "value": plan.target.uid}
        assert "pod-template-hash" not in at.get("deployments", SICK)["spec"]["template"]["metadata"]["labels"]
        assert len([pod for pod in at.pods(SICK) if "1.4.0" in pod["spec"]["containers"][0]["image"]]) == 3


async def test_another_revision_can_be_chosen() -> None:
    async with village() as at:
        aim = at.aim("Deployment", SICK)
        options = dict((await at.plan("rollout-undo", aim)).fields[0].options)
        number = next(number for number, text in options.items() if "payment-service:1.1.1" in text)
        plan, outcome = await at.carried_out("rollout-undo", aim, revision=number)
        assert f"--to-revision={number}" in told(plan)[0]
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert image(at) == "payment-service:1.1.1"


async def test_going_forward_again_is_the_undo_of_the_undo() -> None:
    async with village() as at:
        aim = at.aim("Deployment", "card-service")
        now = image(at, "card-service")
        plan, outcome = await at.carried_out("rollout-undo", aim)
        assert image(at, "card-service") != now
        back, undone = await at.undone(plan, outcome)
        assert plan.undo.words == f"go forward again to revision {back.choices['revision']}"
        assert undone.verdict is Verdict.WORKED, undone.text
        assert image(at, "card-service") == now


async def test_a_paused_deployment_is_resumed_first() -> None:
    async with village() as at:
        at.change("deployments", "card-service", paused=True)
        said = finding(await at.plan("rollout-undo", at.aim("Deployment", "card-service")), "paused", Level.RED)
        assert without_cluster(said.advice) == f"kubectl rollout resume deployment/card-service -n {PROD}"


async def test_what_the_deployment_has_of_its_own_stays_and_what_the_revision_had_comes_back() -> None:
    async with village() as at:
        name = "card-service"
        found = at.get("deployments", name)
        notes = found["metadata"]["annotations"]
        own = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "cards"}
        at.put("deployments", {**found, "metadata": {**found["metadata"], "annotations": {**notes, **own}}})
        plan, outcome = await at.carried_out("rollout-undo", at.aim("Deployment", name))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        after = at.get("deployments", name)["metadata"]["annotations"]
        assert after["kubectl.kubernetes.io/last-applied-configuration"] == "{}"
        assert after["warroom/act"] == plan.id
        assert "team" not in after  # the revision was made before it; kubectl does the same
        assert int(after[REVISION]) > int(notes[REVISION])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
async def test_kubectl_would_leave_the_very_same_template_and_annotations(tmp_path: Path) -> None:
    async with village() as ours, village() as theirs:
        plan, outcome = await ours.carried_out("rollout-undo", ours.aim("Deployment", SICK))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(theirs.running.kubeconfig)}
        number = f"--to-revision={plan.choices['revision']}"
        kubectl = await asyncio.create_subprocess_exec(
            "kubectl", "rollout", "undo", f"deployment/{SICK}", number, "-n", PROD, env=environment
        )
        assert await kubectl.wait() == 0
        await until(lambda: "1.4.0" in image(theirs), "kubectl's undo")
        here, there = (at.get("deployments", SICK) for at in (ours, theirs))
        assert plain(here["spec"]["template"]) == plain(there["spec"]["template"])
        notes = {key: text for key, text in here["metadata"]["annotations"].items() if not key.startswith("warroom/")}
        assert notes.keys() == there["metadata"]["annotations"].keys()
        (sent,) = [request for request in theirs.writes if request.method == "PATCH"]
        assert sent.media == ours.writes[0].media
        assert [step["path"] for step in sent.json()] == ["/spec/template", "/metadata/annotations"]


async def test_a_rollout_by_somebody_else_voids_the_plan() -> None:
    async with village() as at:
        plan = await at.plan("rollout-undo", at.aim("Deployment", SICK))
        _set_tag(at, SICK, "1.5.1")
        with pytest.raises(Changed, match="changed by somebody else"):
            await at.confirm(plan)
        assert at.writes == []


async def test_a_rollout_at_the_very_last_moment_is_seen_by_the_server_itself() -> None:
    async with village() as at:
        plan = await at.plan("rollout-undo", at.aim("Deployment", SICK))
        at.before_write(lambda: _set_tag(at, SICK, "1.5.1"))
        outcome = await at.ended(await at.confirm(plan))
        assert (outcome.verdict, outcome.sent) == (Verdict.REFUSED, False)
        assert "changed by somebody else" in outcome.text
        assert image(at) == "payment-service:1.5.1"


async def test_a_revision_that_is_another_one_by_now_is_not_sent() -> None:
    async with village() as at:
        plan = await at.plan("rollout-undo", at.aim("Deployment", SICK))
        name = plan.steps["kept"]["path"].rpartition("/")[2]
        kept = at.get("replicasets", name)
        at.put("replicasets", _with_image(kept, "payment-service:evil"))
        outcome = await at.ended(await at.confirm(plan))
        assert (outcome.verdict, outcome.sent) == (Verdict.REFUSED, False)
        assert at.writes == []


async def test_a_rollout_that_somebody_replaces_while_it_is_watched_is_a_failure() -> None:
    async with village() as at:
        act = await at.confirm(await at.plan("rollout-undo", at.aim("Deployment", "card-service")))
        await until(lambda: at.writes, "the act")
        await until(lambda: act.phase == "verifying", "the watching")
        _set_tag(at, "card-service", "9.9.9")
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.FAILED
        assert "it runs card-service:9.9.9" in outcome.text


async def test_an_answer_that_never_came_is_found_by_the_annotation_of_the_act() -> None:
    async with village() as at:
        at.server.faults.unanswered = 1
        _, outcome = await at.carried_out("rollout-undo", at.aim("Deployment", "card-service"))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        at.server.faults.unheard = 1
        _, outcome = await at.carried_out("rollout-undo", at.aim("Deployment", "card-service"))
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert len(at.writes) == 2


async def test_a_revision_that_is_not_kept_is_refused_with_those_that_are_where_there_are_any() -> None:
    async with village() as at:
        with pytest.raises(NoPlan, match=r"revision 77 is not kept; there are \d+"):
            await at.plan("rollout-undo", at.aim("Deployment", SICK), revision="77")
        with pytest.raises(NoPlan, match="nothing to go back to"):
            await at.plan("rollout-undo", at.aim("Deployment", "coredns", "kube-system"))


async def test_a_stateful_set_goes_back_to_what_its_controller_revisions_keep() -> None:
    async with village() as at:
        before, now = (f"bankingacr.azurecr.io/session-cache:{tag}" for tag in ("7.4.1", "7.4.2"))
        _keep_revisions(at, "session-cache", before, now)
        plan = await at.plan("rollout-undo", at.aim("StatefulSet", "session-cache"))
        assert told(plan) == (f"kubectl rollout undo statefulset/session-cache --to-revision=1 -n {PROD}",)
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        (write,) = at.writes
        assert write.media == "application/strategic-merge-patch+json"
        assert write.json()["metadata"]["uid"] == plan.target.uid
        assert {pod["spec"]["containers"][0]["image"] for pod in at.pods("session-cache")} == {before}


async def test_a_stateful_set_that_waits_for_a_broken_pod_is_told_so() -> None:
    async with village() as at:
        broken = "bankingacr.azurecr.io/session-cache:7.4.3-nopull"  # a pod of it never is ready, not for a moment
        at.put("statefulsets", _with_image(at.get("statefulsets", "session-cache"), broken))

        def stuck() -> bool:
            status = at.get("statefulsets", "session-cache")["status"]
            images = [pod["spec"]["containers"][0]["image"] for pod in at.pods("session-cache")]
            return broken in images and len(images) == 3 and status["readyReplicas"] == 2

        await until(stuck, "a broken pod in the place of a good one")
        _keep_revisions(at, "session-cache", "bankingacr.azurecr.io/session-cache:7.4.2", broken)
        said = finding(await at.plan("rollout-undo", at.aim("StatefulSet", "session-cache")), "ordered", Level.AMBER)
        assert "(K)" in said.advice


async def test_a_viewer_sees_the_plan_and_which_permission_is_missing() -> None:
    async with village(user="viewer") as at:
        plan = await at.plan("rollout-undo", at.aim("Deployment", SICK))
        assert finding(plan, "allowed", Level.RED).text == f"viewer may not patch deployments.apps in namespace {PROD}"
        assert plan.diff.source == "computed"
        assert any("image:" in line for line in changed(plan))


def _set_tag(at: Desk, name: str, tag: str) -> None:
    found = at.get("deployments", name)
    repository = found["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[0]
    at.put("deployments", _with_image(found, f"{repository}:{tag}"))


def _with_image(workload: Json, image: str) -> Json:
    template = workload["spec"]["template"]
    container = {**template["spec"]["containers"][0], "image": image}
    template = {**template, "spec": {**template["spec"], "containers": [container]}}
    return {**workload, "spec": {**workload["spec"], "template": template}}


def _keep_revisions(at: Desk, name: str, *images: str) -> None:
    """ControllerRevisions as the real controller writes them."""
    found = at.get("statefulsets", name)
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "controller": True}
    for number, image in enumerate(images, 1):
        template = _with_image(found, image)["spec"]["template"]
        template = {**template, "metadata": {**template["metadata"], "creationTimestamp": None}, "$patch": "replace"}
        at.put(
            "controllerrevisions",
            {
                "metadata": {
                    "name": f"{name}-{number}",
                    "labels": template["metadata"]["labels"],
                    "ownerReferences": [{**owner, "uid": found["metadata"]["uid"]}],
                },
                "data": {"spec": {"template": template}},
                "revision": number,
            },
        )
