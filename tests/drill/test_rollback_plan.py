"""The plan of a rollback, as somebody at the desk sees it: from what to what, what changes, what speaks against it."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drill import helm
from runbook.errors import NoPlan
from runbook.gate import Gate
from runbook.mitigations import TABLE
from runbook.plan import Aim, Level
from runbook.playbook import Playbook
from tests.drill.mitigation_desk import PROD, Desk, finding, without_cluster
from tests.drill.releases import RELEASE, STANDIN, a_helm, aim, release_of, rewrite, secret_of, upgrade
from tests.drill.small_scenario import village

SICK = "payment-service"  # crash-loops since revision 3, ran well in revision 2
HELM = ("sh", "-c", "echo v4.2.4")  # enough of it for a plan


@asynccontextmanager
async def at_desk(**options: Any) -> AsyncIterator[Desk]:
    async with village(**{"helm": HELM, **options}) as at:
        yield at


async def test_the_plan_says_from_what_to_what_and_what_changes() -> None:
    async with at_desk() as at:
        plan = await at.plan("rollback", aim(3))
        assert plan.title == f"Roll back {RELEASE} from revision 3 to revision 2"
        assert plan.remark == "the last that succeeded, chart 1.4.0, deployed 3d ago"
        assert plan.target.kind == "Release"
        assert plan.wide
        assert plan.phrase == RELEASE
        (hunk,) = plan.diff.hunks
        assert hunk.title == f"Deployment/{SICK}"
        assert [line.split()[-1].rpartition("/")[2] for line in hunk.lines if line[0] in "+-"] == [
            "payment-service:1.5.0",
            "payment-service:1.4.0",
        ]
        assert (plan.diff.unchanged, plan.diff.source) == (9, "stored manifests")
        assert plan.blast == "1 of 10 objects, 3 pods"
        assert finding(plan, "release").text == "revision 3 is deployed, not pending; helm v4.2.4"
        assert finding(plan, "capacity").text == f"{SICK} has 0 of 3 ready, nothing is left to lose"
        assert finding(plan, "allowed").level is Level.GREEN
        assert plan.undo.words == "roll forward to revision 3 again"
        assert at.writes == []


async def test_the_command_is_the_one_that_is_run() -> None:
    async with at_desk(helm=STANDIN) as at:
        plan = await at.plan("rollback", aim())
        assert plan.commands[0].startswith(f"{sys.executable} -P -m drill.helm_standin rollback {RELEASE} 2 ")
        assert f"--namespace {PROD} --wait --timeout 45s --kube-context drill-prod" in plan.commands[0]
        assert plan.commands[0].endswith(f"--kubeconfig {at.running.kubeconfig}")


async def test_every_revision_can_be_chosen_and_the_last_that_succeeded_comes_first() -> None:
    async with at_desk() as at:
        upgrade(at, status=helm.FAILED, description='Upgrade "x" failed: timed out')
        upgrade(at, status=helm.FAILED, description='Upgrade "x" failed: timed out')
        plan = await at.plan("rollback", aim())
        (field,) = plan.fields
        assert plan.title == f"Roll back {RELEASE} from revision 5 (failed) to revision 3"
        assert [value for value, _ in field.options] == ["3", "4", "2", "1"]
        assert dict(field.options)["4"].endswith('failed · Upgrade "x" failed: timed out')
        assert dict(field.options)["2"] == "2 · chart 1.4.0, app 1.4.0 · 3d ago · Upgrade complete"

        plan = await at.plan("rollback", aim(), revision="4")
        assert plan.title.endswith("to revision 4")
        assert finding(plan, "revision").text == "revision 4 is failed: it did not succeed when it was deployed"


async def test_a_revision_that_is_not_kept_cannot_be_chosen() -> None:
    async with at_desk() as at:
        for answer in ("3", "99", "two", ""):
            plan = await at.plan("rollback", aim(), revision=answer)
            assert [one.name for one in plan.blocked] == (["revision"] if answer else [])


async def test_what_was_rolled_back_from_is_not_offered_first_again() -> None:
    async with at_desk() as at:
        upgrade(at, description="Rollback to 2 (warroom INC-1 act 0123456789)", manifest=release_of(at, 2)["manifest"])
        plan = await at.plan("rollback", aim())
        assert plan.title.endswith("from revision 4 to revision 1")  # 3 was given up, and 2 is what runs

        forward = await at.plan("rollback", aim(), revision="3")
        assert finding(forward, "revision").text == "revision 3 was rolled back from by revision 4"
        same = await at.plan("rollback", aim(), revision="2")
        assert finding(same, "revision").text == "revision 2 has the content of what runs now: nothing would change"
        row = await at.plan("rollback", aim(3))
        assert finding(row, "revision").text == "revision 3, whose row this is, was rolled back already, by revision 4"


async def test_a_workload_and_its_pods_mean_the_release_that_they_are_of() -> None:
    async with at_desk() as at:
        pod = at.pods(SICK)[0]["metadata"]["name"]
        for row in (at.aim("Deployment", SICK), at.aim("Pod", pod), at.aim("Deployment", SICK, release=RELEASE)):
            assert (await at.plan("rollback", row)).title.startswith(f"Roll back {RELEASE} from revision 3")
        with pytest.raises(NoPlan, match="deployment/coredns is of no Helm release"):
            await at.plan("rollback", at.aim("Deployment", "coredns", "kube-system"))
        with pytest.raises(NoPlan, match="not a workload"):
            await at.plan("rollback", at.aim("Node", "aks-system-00000"))


async def test_a_mark_that_is_no_name_of_a_release_reaches_no_command() -> None:
    async with at_desk() as at:
        found = at.get("deployments", SICK)
        marks = {"meta.helm.sh/release-name": "--post-renderer=/tmp/x"}
        at.put("deployments", {**found, "metadata": {**found["metadata"], "annotations": marks}})
        with pytest.raises(NoPlan, match="no name that Helm would give a release"):
            await at.plan("rollback", at.aim("Deployment", SICK))


async def test_the_first_revision_has_nothing_to_go_back_to_and_a_release_may_not_be_there() -> None:
    async with at_desk() as at:
        at.drop("secrets", helm.secret_name(RELEASE, 3))
        at.drop("secrets", helm.secret_name(RELEASE, 2))
        with pytest.raises(NoPlan, match="has no revision before 1 to go back to"):
            await at.plan("rollback", aim())
        with pytest.raises(NoPlan, match="no Helm release nothing"):
            await at.plan("rollback", Aim(kind="Release", namespace=PROD, name="nothing"))


async def test_a_pending_release_is_refused_with_who_and_when_and_what_to_do() -> None:
    async with at_desk() as at:
        upgrade(at, status="pending-upgrade", description="Preparing upgrade")
        plan = await at.plan("rollback", aim())
        (said,) = plan.blocked
        assert said.text.startswith("revision 4 is pending-upgrade since")
        assert "(by Helm: Preparing upgrade)" in said.text
        assert f"kubectl delete secret {helm.secret_name(RELEASE, 4)} -n {PROD}" in without_cluster(said.advice)


async def test_a_release_that_a_killed_helm_left_pending_can_be_rolled_back_by_who_knows_it() -> None:
    async with at_desk() as at:
        upgrade(at, status="pending-upgrade", description="Preparing upgrade")
        left = secret_of(at, 4)
        labels = {**left["metadata"]["labels"], "modifiedAt": str(int(time.time() - 480))}
        at.put("secrets", {**left, "metadata": {**left["metadata"], "labels": labels}}, manager="Helm")
        plan = await at.plan("rollback", aim())
        assert plan.blocked == ()
        said = finding(plan, "release")
        assert said.level is Level.AMBER
        assert said.text.startswith("revision 4 is pending-upgrade since 8m")
        assert "helm refuses every upgrade (another operation is in progress) until the release is rolled" in said.text


async def test_without_helm_it_is_told_how_to_get_one(tmp_path: Path) -> None:
    broken = a_helm(tmp_path / "broken", rollback="", version="2.17.0")
    mute = a_helm(tmp_path / "mute", rollback="", version="''")
    async with at_desk() as at:
        for command in ((), ("/nowhere/helm",), broken, mute):
            gate = Gate(
                at.cluster,
                at.book,
                TABLE,
                Playbook(),
                latest=dict,
                production=lambda _: False,
                helm=command,
                jobs=tmp_path,
            )
            (said,) = (await gate.plan("rollback", aim())).blocked
            assert said.name == "helm"
            assert "https://helm.sh/docs/intro/install" in said.advice
            assert "[tools] helm" in said.advice


async def test_whoever_may_not_see_secrets_gets_a_plan_that_says_so() -> None:
    async with at_desk(user="viewer") as at:
        plan = await at.plan("rollback", at.aim("Deployment", SICK))
        assert plan.title == f"Roll back {RELEASE}"
        assert finding(plan, "allowed").text == (
            f"viewer may not update secrets in namespace {PROD}, create secrets in namespace {PROD}, "
            f"list secrets in namespace {PROD}, get secrets in namespace {PROD}"
        )
        assert {one.name for one in plan.blocked} == {"allowed", "release"}
        assert plan.commands[0].startswith(f"helm --kube-context {at.cluster.context} --kubeconfig ")


async def test_hooks_that_a_rollback_does_not_undo_are_told() -> None:
    ran = {"phase": "Succeeded"}
    migration = {"name": "payments-migrate-3", "kind": "Job", "events": ["pre-upgrade"], "last_run": ran}
    test = {"name": "smoke", "kind": "Pod", "events": ["test"], "last_run": ran}
    after = {"name": "warm-cache", "kind": "Job", "events": ["post-rollback"], "last_run": {"phase": ""}}
    async with at_desk() as at:
        rewrite(at, 3, hooks=[migration, test])
        rewrite(at, 2, hooks=[after])
        plan = await at.plan("rollback", aim())
        assert [one.text for one in plan.findings if one.name == "hooks"] == [
            "revision 3 ran a migration job (payments-migrate-3); rolling back does not undo it",
            "rolling back runs warm-cache of revision 2; if it fails, the release stays pending",
        ]


async def test_what_others_did_to_its_workloads_is_told_before_helm_puts_it_back() -> None:
    async with at_desk() as at:
        found = at.change("deployments", "card-service", replicas=7)
        marks = {**found["metadata"]["annotations"], "argocd.argoproj.io/tracking-id": "bank:apps/Deployment"}
        at.put("deployments", {**found, "metadata": {**found["metadata"], "annotations": marks}})
        plan = await at.plan("rollback", aim())
        said = {one.name: one.text for one in plan.warnings}
        assert said["replicas"] == "helm scales card-service from 7 to 3, which is what the chart says"
        assert said["owner"].startswith("Argo CD manages this")
        assert said["alone"].startswith("card-service: somebody-else changed it ")


async def test_ready_pods_that_go_at_once_are_a_warning() -> None:
    async with at_desk(helm=STANDIN) as at:
        await at.carried_out("rollback", aim())
        again = await at.plan("rollback", aim())  # to revision 1, which changes card-service, too
        assert finding(again, "capacity", Level.AMBER).text == (
            f"all 3 ready pods of {SICK} go at once: its strategy is Recreate"
        )
        assert finding(again, "capacity", Level.GREEN).text == "card-service (3 of 3 ready): replaced one by one"


async def test_objects_that_come_and_go_are_in_the_diff_and_a_secrets_values_are_not() -> None:
    one = "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: key\nstringData:\n  password: %s\n"
    extra = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\ndata:\n  a: b\n"
    async with at_desk() as at:
        rewrite(at, 3, manifest=lambda held: held + one % "hunter2" + extra % "newer")
        rewrite(at, 2, manifest=lambda held: held + one % "hunter3" + extra % "older")
        plan = await at.plan("rollback", aim())
        titles = [hunk.title for hunk in plan.diff.hunks]
        assert titles == [
            f"Deployment/{SICK}",
            "Secret/key",
            "ConfigMap/older (will be created)",
            "ConfigMap/newer (will be deleted)",
        ]
        assert "hunter" not in msgspec.json.encode(plan).decode()
        assert plan.diff.hunks[1].lines == (
            "- stringData.password: (one value, not shown)",
            "+ stringData.password: (another value, not shown)",
        )
        assert {("create", "configmaps"), ("delete", "configmaps"), ("patch", "secrets")} <= {
            (need.verb, need.resource) for need in plan.needs
        }


@pytest.mark.parametrize("manifest", ["{{", "- a\n- b\n", "a: &a [x, x]\nb: [*a, *a]\n"])
async def test_a_manifest_that_cannot_be_read_is_told_and_blocks_nothing(manifest: str) -> None:
    async with at_desk() as at:
        rewrite(at, 3, manifest=manifest)
        plan = await at.plan("rollback", aim())
        assert finding(plan, "diff").text.startswith("what changes is not known: the manifest")
        assert plan.blocked == ()


async def test_a_damaged_revision_is_told(tmp_path: Path) -> None:
    async with at_desk() as at:
        at.put("secrets", {**secret_of(at, 2), "data": {"release": "AAAA"}})
        plan = await at.plan("rollback", aim())
        assert "revision 2 cannot be read" in finding(plan, "revision").text
        assert "not known" in finding(plan, "diff").text


async def test_of_a_big_release_what_only_has_new_labels_is_told_in_a_line() -> None:
    async with at_desk() as at:
        for revision, word in ((2, "old"), (3, "new")):
            parts = [
                f"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings-{number}\n  labels:\n"
                f"    helm.sh/chart: bank-{word}\ndata:\n" + "".join(f"  key-{key}: value {key}\n" for key in range(40))
                for number in range(200)
            ]
            rewrite(at, revision, manifest=lambda held, parts=parts: held + "".join(parts))
        plan = await at.plan("rollback", aim())
        assert plan.diff.hunks[-1].title == "only the labels with the chart's version: 200 objects"
        assert len(at.requests) < 30  # not one for each object
