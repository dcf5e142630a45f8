"""Rolling a release back: what is done, what becomes of it, who may die meanwhile. Helm is the stand-in."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drill import helm
from incident.entry import Draft, Entry, Kind, Source
from probes.cluster import Cluster
from runbook.errors import Changed
from runbook.gate import Gate
from runbook.jobs import Job, Jobs
from runbook.mitigations import TABLE
from runbook.plan import Plan, Verdict
from runbook.playbook import Playbook
from runbook.record import intent_of
from tests.drill.mitigation_desk import INCIDENT, PATIENCE, PROD, SLOW, VERDICT, Desk, until, without_cluster
from tests.drill.nodes_at_desk import room_for_pods
from tests.drill.releases import (
    RELEASE,
    STANDIN,
    a_helm,
    aim,
    release_of,
    rewrite,
    secret_of,
    statuses,
    upgrade,
    with_status,
    write,
)
from tests.drill.small_scenario import village

SICK = "payment-service"  # crash-loops since revision 3, ran well in revision 2
NEVER_RUN = ("sh", "-c", "echo v4.2.4")  # enough of a helm for a plan


@asynccontextmanager
async def at_desk(**options: Any) -> AsyncIterator[Desk]:
    async with village(**{"helm": STANDIN, **options}) as at:
        yield at


def image(at: Desk) -> str:
    containers = at.get("deployments", SICK)["spec"]["template"]["spec"]["containers"]
    return str(containers[0]["image"]).rpartition("/")[2]


def job_of(at: Desk, plan: Plan) -> Job:
    return Jobs(at.running.kubeconfig.parent / "acts").of(plan.id)


def ready(at: Desk) -> int:
    return int((at.get("deployments", SICK)["status"]).get("readyReplicas") or 0)


async def test_a_bad_release_is_rolled_back_and_its_pods_recover() -> None:
    async with at_desk() as at:
        assert ready(at) == 0
        plan = await at.plan("rollback", aim(3))
        act = await at.confirm(plan)
        outcome = await at.ended(act)

        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert outcome.text.startswith("3 of 3 ready")
        assert (image(at), ready(at)) == ("payment-service:1.4.0", 3)
        assert statuses(at) == {1: "superseded", 2: "superseded", 3: "superseded", 4: "deployed"}
        said = [text for _, text in act.progress]
        assert said[0] == "helm v4.0.0+drill runs"
        assert any("revision 4 " in text for text in said), said  # pending-rollback, where helm took a moment
        assert outcome.evidence["did"]["said"] == ["Rollback was a success! Happy Helming!"]


async def test_the_history_tells_the_incident_and_the_intent_is_on_the_timeline_before_helm_begins() -> None:
    async with at_desk() as at:
        before = release_of(at, 2)
        plan, _ = await at.carried_out("rollback", aim())
        release, metadata = release_of(at, 4), secret_of(at, 4)["metadata"]
        assert release["info"]["description"] == f"Rollback to 2 (warroom {INCIDENT} act {plan.id})"
        assert metadata["annotations"] == {"warroom/incident": INCIDENT, "warroom/act": plan.id}
        assert release["manifest"] == before["manifest"]
        assert release["chart"] == before["chart"]
        assert metadata["labels"]["status"] == "deployed"
        assert any(one["manager"] == f"warroom-{INCIDENT}" for one in metadata["managedFields"])
        assert at.story[0] is not None
        assert "Roll back" in getattr(at.story[0], "text", "")
        assert at.writes[0].path.endswith("/secrets")


async def test_going_forward_again_is_offered_and_its_failure_is_told() -> None:
    async with at_desk() as at:
        plan, _ = await at.carried_out("rollback", aim())
        recipe = plan.undo.recipe
        assert recipe is not None
        forward = await at.plan(recipe.mitigation, recipe.aim, **recipe.choices)
        impatient = [*forward.steps["argv"], "--timeout", "1s"]
        outcome = await at.ended(
            await at.confirm(msgspec.structs.replace(forward, steps={**forward.steps, "argv": impatient}))
        )
        assert forward.title == f"Roll back {RELEASE} from revision 4 to revision 3"
        assert outcome.verdict is Verdict.FAILED
        assert outcome.text.startswith(
            f"helm ended with status 1: Error: release {RELEASE} failed: context deadline exceeded · "
            "revision 5 is failed; its objects may be those of revision 3, all or some"
        )
        assert statuses(at)[5] == "failed"
        assert f"act {forward.id})" in release_of(at, 5)["info"]["description"]
        # And out of that again, which is what U means.
        back = await at.plan("rollback", aim())
        assert back.title == f"Roll back {RELEASE} from revision 5 (failed) to revision 4"


async def test_a_helm_that_is_refused_before_it_did_anything_changed_nothing(tmp_path: Path) -> None:
    refused = a_helm(tmp_path / "helm", rollback="echo 'Error: Kubernetes cluster unreachable' >&2; exit 1")
    async with at_desk(helm=refused) as at:
        _, outcome = await at.carried_out("rollback", aim())
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert outcome.text == (
            "helm ended with status 1: Error: Kubernetes cluster unreachable · "
            f"{RELEASE} is at revision 3 as before, nothing was changed"
        )
        assert at.writes == []


async def test_a_helm_that_was_killed_leaves_the_release_pending_and_the_cure_is_told() -> None:
    async with at_desk(speed=SLOW) as at:
        act = await at.confirm(await at.plan("rollback", aim()))
        await until(lambda: 4 in statuses(at), "the pending revision")
        job = job_of(at, act.plan)
        os.kill(int((job.directory / "pid").read_text()), signal.SIGKILL)
        outcome = await at.ended(act)
        assert outcome.verdict is Verdict.FAILED
        assert "helm ended with status -9" in outcome.text
        assert "revision 4 is pending-rollback; every later upgrade will be refused" in outcome.text
        assert f"kubectl delete secret {helm.secret_name(RELEASE, 4)} -n {PROD}" in without_cluster(outcome.text)


# ---------------------------------------------------------------- between the plan and the confirmation


def upgraded(at: Desk) -> None:
    upgrade(at)


def pending(at: Desk) -> None:
    upgrade(at, status="pending-upgrade")


def marked(at: Desk) -> None:
    rewrite(at, 3, info=with_status("uninstalling"))


def uninstalled(at: Desk) -> None:
    for revision in (1, 2, 3):
        at.drop("secrets", helm.secret_name(RELEASE, revision))


def installed_again(at: Desk) -> None:
    held = release_of(at, 3)
    at.drop("secrets", helm.secret_name(RELEASE, 3))
    write(at, held)


def scaled(at: Desk) -> None:
    at.change("deployments", "payment-service", replicas=5)


def rolled_out(at: Desk) -> None:
    template = at.get("deployments", "payment-service")["spec"]["template"]
    container = {**template["spec"]["containers"][0], "image": "bankingacr.azurecr.io/payment-service:1.5.1"}
    at.change("deployments", "payment-service", template={**template, "spec": {"containers": [container]}})


def one_recreated(at: Desk) -> None:
    at.recreate("deployments", "payment-service")


def one_deleted(at: Desk) -> None:
    at.drop("deployments", "payment-service")


ELSEWHERE = (upgraded, pending, marked, uninstalled, installed_again, scaled, rolled_out, one_recreated, one_deleted)


@pytest.mark.parametrize("meanwhile", ELSEWHERE)
async def test_nothing_is_sent_when_the_release_moved_on(meanwhile: Any) -> None:
    async with at_desk(helm=NEVER_RUN) as at:
        plan = await at.plan("rollback", aim())
        meanwhile(at)
        with pytest.raises(Changed, match="nothing was sent"):
            await at.confirm(plan)
        assert at.writes == []
        assert not job_of(at, plan).known


async def test_nothing_is_sent_when_the_context_leads_elsewhere_by_then() -> None:
    async with at_desk(helm=NEVER_RUN) as at:
        plan = await at.plan("rollback", aim())
        config = at.running.kubeconfig
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace(at.server.url, "https://127.0.0.1:1"), encoding="utf-8")
        outcome = await at.ended(await at.confirm(plan))
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert "leads to https://127.0.0.1:1 now" in outcome.text
        assert at.writes == []


# ---------------------------------------------------------------- leaving, and dying


def somebody_elses(evidence: dict[str, Any]) -> dict[str, Any]:
    """The evidence of an intent as another console, which is no more, would have written it."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    return {**evidence, "act": {**evidence["act"], "pid": gone.pid}}


@asynccontextmanager
async def next_console(at: Desk, entry: Entry, jobs: Path) -> AsyncIterator[Gate]:
    cluster = await Cluster.connect(str(at.running.kubeconfig), None)
    gate = Gate(
        cluster,
        at.book,
        TABLE,
        Playbook(quiet_for=0.2, verify_within=VERDICT),
        latest=dict,
        production=lambda namespace: True,
        helm=STANDIN,
        jobs=jobs,
    )
    try:
        gate.resume([entry])
        yield gate
    finally:
        await gate.close()


async def test_leaving_the_console_does_not_end_helm_and_the_next_console_has_the_verdict(tmp_path: Path) -> None:
    async with at_desk(jobs=tmp_path / "acts") as at:
        room_for_pods(at, False)  # helm has to wait for its pods
        act = await at.confirm(await at.plan("rollback", aim()))
        await until(lambda: 4 in statuses(at), "the pending revision")
        async with asyncio.timeout(PATIENCE):
            await at.gate.close()
        assert Jobs(tmp_path / "acts").of(act.plan.id).running
        assert at.book.outcomes == []
        (intent,) = at.book.intents
        intent = msgspec.structs.replace(intent, evidence=somebody_elses(intent.evidence or {}))
        async with next_console(at, intent, tmp_path / "acts") as gate:
            (resumed,) = gate.acts.values()
            await until(lambda: "pending-rollback" in resumed.latest, "the next console looks on")
            room_for_pods(at, True)
            outcome = await resumed.done()
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert [statuses(at)[revision] for revision in (3, 4)] == ["superseded", "deployed"]
        assert [one.refers_to for one in at.book.outcomes] == [intent.id]
        posts = [one for one in at.writes if one.method == "POST"]
        assert len(posts) == 1  # helm was started once


async def killed_console(at: Desk, jobs: Path, when: str) -> Entry:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.drill.dying_console",
        str(at.running.kubeconfig),
        str(jobs),
        when,
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        printed, _ = await process.communicate()
    assert process.returncode == -signal.SIGKILL
    evidence = msgspec.json.decode(printed, type=dict[str, Any])
    assert intent_of(evidence) is not None
    draft = Draft(text="", author="ada", source=Source.MITIGATION, kind=Kind.MITIGATION, evidence=evidence)
    await at.book.intend(draft)
    return at.book.entries[-1]


async def test_a_console_that_was_killed_while_helm_ran_is_followed_by_the_next(tmp_path: Path) -> None:
    async with at_desk(speed=4.0) as at:
        intent = await killed_console(at, tmp_path, "begun")
        async with next_console(at, intent, tmp_path) as gate:
            (resumed,) = gate.acts.values()
            outcome = await resumed.done()
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert (image(at), statuses(at)[4]) == ("payment-service:1.4.0", "deployed")
        assert len([one for one in at.writes if one.method == "POST"]) == 1


async def test_a_console_that_was_killed_before_helm_began_has_changed_nothing(tmp_path: Path) -> None:
    async with at_desk() as at:
        intent = await killed_console(at, tmp_path, "intent")
        async with next_console(at, intent, tmp_path) as gate:
            (resumed,) = gate.acts.values()
            outcome = await resumed.done()
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert "it was not carried out" in outcome.text
        assert at.writes == []


async def test_a_plan_has_what_is_needed_after_a_crash() -> None:
    async with at_desk(helm=NEVER_RUN) as at:
        plan = await at.plan("rollback", aim())
        assert msgspec.convert(msgspec.to_builtins(plan), Plan) == plan
