"""The real helm, in both major versions, rolls releases of the embedded platform back through the gate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec import structs

from probes.cluster import Scope
from probes.releases import ReleasesProbe, fetch_release
from runbook.plan import Aim, Level, Verdict
from runbook.playbook import Playbook
from tests.drill.mitigation_desk import INCIDENT, PROD, Desk, finding, until
from tests.drill.releases import RELEASE, aim, release_of, statuses
from tests.drill.small_scenario import village
from tests.real_helm import MAJORS, RealHelm, needed

PLAYBOOK = Playbook(quiet_for=0.2, verify_within=60.0)


@dataclass
class Shell:
    """A desk on a platform, and a real helm beside it."""

    at: Desk
    helm: RealHelm


@pytest.fixture(params=MAJORS, ids=lambda major: f"helm {major}")
async def shell(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shell]:
    program = needed(request.param)
    async with village(helm=(program,), playbook=PLAYBOOK, speed=20.0) as at:
        yield Shell(at, RealHelm(program, at.running.kubeconfig, PROD, tmp_path))


async def test_it_cures_a_bad_release_and_says_what_the_console_says(shell: Shell) -> None:
    at, helm = shell.at, shell.helm
    plan, outcome = await at.carried_out("rollback", aim())
    assert outcome.verdict is Verdict.WORKED, outcome.text
    assert outcome.text.startswith("3 of 3 ready")
    assert statuses(at)[4] == "deployed"

    told = await helm.history(RELEASE)
    assert told[-1]["description"] == f"Rollback to 2 (warroom {INCIDENT} act {plan.id})"
    seen = await ReleasesProbe(at.cluster, Scope((PROD,))).history(PROD, RELEASE)
    assert [(one.number, one.status, one.description) for one in reversed(seen)] == [
        (one["revision"], one["status"], one["description"]) for one in told
    ]
    kept = await fetch_release(at.cluster, PROD, seen[0].secret, manifest=True)
    assert (await helm.manifest(RELEASE)).strip() == kept.manifest.strip() == release_of(at, 2)["manifest"].strip()


async def test_it_asks_for_nothing_that_the_plan_does_not_name(shell: Shell) -> None:
    at = shell.at
    await shell.helm.install("extra", tag="1.0.0", extra="true")
    await shell.helm.upgrade("extra", tag="1.1.0-crash", pool="7")
    at.requests.clear()
    plan, outcome = await at.carried_out("rollback", Aim(kind="Release", namespace=PROD, name="extra"))
    assert outcome.verdict is Verdict.WORKED, outcome.text
    allowed = {(need.verb, need.resource) for need in plan.needs}
    verbs = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    for request in at.requests:
        if not request.headers.get("User-Agent", "").startswith("Helm/"):
            continue
        parts = request.path.split("/")
        if "namespaces" not in parts:
            continue  # discovery
        resource, *name = parts[parts.index("namespaces") + 2 :]
        verb = verbs[request.method]
        if verb == "get" and not name:
            verb = "watch" if request.query.get("watch") else "list"
        assert (verb, resource) in allowed, request


async def test_a_chart_of_its_own_goes_back_with_everything_that_it_brought(shell: Shell) -> None:
    at, helm = shell.at, shell.helm
    row = Aim(kind="Release", namespace=PROD, name="own")
    await helm.install("own", tag="1.0.0")
    await helm.upgrade("own", tag="1.1.0-crash", pool="9", extra="true")
    plan = await at.plan("rollback", row)
    assert [hunk.title for hunk in plan.diff.hunks] == [
        "ConfigMap/own-settings",
        "Deployment/own-pay",
        "ConfigMap/own-extra (will be deleted)",
    ]
    outcome = await at.ended(await at.confirm(plan))
    assert outcome.verdict is Verdict.WORKED, outcome.text
    assert at.get("configmaps", "own-settings")["data"] == {"pool": "5"}
    assert not [one for one in at.all("configmaps") if one["metadata"]["name"] == "own-extra"]
    assert len(await helm.history("own")) == 3

    await helm.upgrade("own", "--wait", tag="1.2.0")  # and whoever comes after is not in its way
    assert [one["status"] for one in await helm.history("own")] == ["superseded"] * 3 + ["deployed"]


async def test_its_failure_is_told_in_its_own_words(shell: Shell) -> None:
    at = shell.at
    await shell.helm.install("own", tag="1.0.0-nopull")
    await shell.helm.upgrade("own", tag="1.1.0")
    plan = await at.plan("rollback", Aim(kind="Release", namespace=PROD, name="own"))
    impatient = [*plan.steps["argv"], "--timeout", "3s"]
    act = await at.confirm(structs.replace(plan, steps={**plan.steps, "argv": impatient}))
    outcome = await at.ended(act)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.text.startswith("helm ended with status 1: Error: ")
    assert "revision 3 is failed" in outcome.text
    assert (await shell.helm.history("own"))[-1]["description"].endswith(f"act {plan.id})")


async def test_what_somebody_scaled_by_hand_is_told_and_helm_4_asks_before_it_takes_it_over(shell: Shell) -> None:
    at, helm = shell.at, shell.helm
    await helm.install("own", tag="1.0.0")
    await helm.upgrade("own", tag="1.1.0")
    await until(lambda: at.get("deployments", "own-pay")["status"].get("readyReplicas") == 2)
    scaled, outcome = await at.carried_out("scale", at.aim("Deployment", "own-pay"), replicas="4")
    assert outcome.verdict is Verdict.WORKED, outcome.text

    row = Aim(kind="Release", namespace=PROD, name="own")
    plan = await at.plan("rollback", row)
    if helm.program == needed(3):
        assert finding(plan, "replicas").text == "helm scales own-pay from 4 to 2, which is what the chart says"
    else:
        (refused,) = plan.blocked
        assert refused.name == "conflicts"
        assert ".spec.replicas" in refused.text
        plan = await at.plan("rollback", row, force="yes")
        assert finding(plan, "conflicts").level is Level.AMBER
        assert "--force-conflicts" in plan.commands[0]
    outcome = await at.ended(await at.confirm(plan))
    assert outcome.verdict is Verdict.WORKED, outcome.text
    assert at.get("deployments", "own-pay")["spec"]["replicas"] == 2
    assert scaled.undo.recipe is not None
