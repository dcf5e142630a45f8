"""Rolling a release back on a real API server with the real helm, in both major versions, through the gate."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from probes.cluster import Cluster, Scope
from probes.releases import ReleasesProbe, fetch_release
from runbook.errors import Changed
from runbook.gate import Gate
from runbook.mitigations import TABLE
from runbook.plan import Aim, Level, Need, Outcome, Plan, Verdict
from runbook.playbook import Playbook
from tests.drill.mitigation_desk import INCIDENT, Book, agreed, finding
from tests.live.lab import Lab
from tests.real_helm import MAJORS, RealHelm, needed

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
PATIENCE = 270.0


class Desk:
    """A gate on the lab, and a real helm beside it, in a namespace of one test's own."""

    def __init__(self, lab: Lab, namespace: str, major: int, directory: Path) -> None:
        program = needed(major)
        self.lab = lab
        self.namespace = namespace
        self.major = major
        self.helm = RealHelm(program, lab.kubeconfig, namespace, directory)
        self._program = program
        self._directory = directory

    @asynccontextmanager
    async def gate(self, context: str = "admin") -> AsyncIterator[Gate]:
        gate = Gate(
            await Cluster.connect(str(self.lab.kubeconfig), context),
            Book([]),
            TABLE,
            Playbook(quiet_for=0.5, verify_within=240.0),
            latest=dict,
            production=lambda _: False,
            helm=(self._program,),
            jobs=self._directory / "acts",
        )
        try:
            yield gate
        finally:
            await gate.close()

    def row(self, release: str = "bank") -> Aim:
        return Aim(kind="Release", namespace=self.namespace, name=release)

    async def bad_release(self, **values: str) -> None:
        """Installed well, upgraded to an image that crash-loops."""
        await self.helm.install("bank", "--wait", tag="1.0.0", **values)
        await self.helm.upgrade("bank", tag="1.1.0-crash", pool="7", extra="true")
        await self.lab.until(self.crashing, "bank-pay crash-looping")

    async def crashing(self) -> bool:
        pods = [pod for pod in await self.pods() if pod["spec"]["containers"][0]["image"].endswith("-crash")]
        states = [status for pod in pods for status in pod["status"].get("containerStatuses") or ()]
        return any((one.get("state") or {}).get("waiting", {}).get("reason") == "CrashLoopBackOff" for one in states)

    async def pods(self) -> list[Json]:
        pods = await self.lab.pods(self.namespace)
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    async def images(self) -> set[str]:
        return {str(pod["spec"]["containers"][0]["image"]).rpartition(":")[2] for pod in await self.pods()}

    async def runs(self, tag: str) -> bool:
        return await self.images() == {tag}


async def ended(gate: Gate, plan: Plan) -> Outcome:
    act = await gate.carry_out(plan, agreed(plan))
    async with asyncio.timeout(PATIENCE):
        return await act.done()


@pytest_asyncio.fixture(loop_scope="module", params=MAJORS, ids=lambda major: f"helm {major}")
async def desk(lab: Lab, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    needed(request.param)
    async with lab.namespace(f"helm{request.param}") as namespace:
        yield Desk(lab, namespace, request.param, tmp_path)


async def test_a_bad_release_is_rolled_back_and_helm_tells_the_same_as_the_console(desk: Desk) -> None:
    await desk.bad_release()
    async with desk.gate() as gate:
        plan = await gate.plan("rollback", desk.row())
        assert plan.title == "Roll back bank from revision 2 to revision 1"
        assert [hunk.title for hunk in plan.diff.hunks] == [
            "ConfigMap/bank-settings",
            "Deployment/bank-pay",
            "ConfigMap/bank-extra (will be deleted)",
        ]
        assert finding(plan, "allowed").level is Level.GREEN
        outcome = await ended(gate, plan)
    assert outcome.verdict is Verdict.WORKED, outcome.text
    assert await desk.images() == {"1.0.0"}

    told = await desk.helm.history("bank")
    assert told[-1]["description"] == f"Rollback to 1 (warroom {INCIDENT} act {plan.id})"
    cluster = await Cluster.connect(str(desk.lab.kubeconfig), "admin")
    try:
        seen = await ReleasesProbe(cluster, Scope((desk.namespace,))).history(desk.namespace, "bank")
        kept = await fetch_release(cluster, desk.namespace, seen[0].secret, manifest=True)
    finally:
        await cluster.close()
    assert [(one.number, one.status, one.description, one.app_version) for one in reversed(seen)] == [
        (one["revision"], one["status"], one["description"], one["app_version"]) for one in told
    ]
    assert seen[0].rollback_to == 1
    assert (await desk.helm.manifest("bank")).strip() == kept.manifest.strip()

    await desk.helm.upgrade("bank", "--wait", tag="1.2.0")
    assert [one["status"] for one in await desk.helm.history("bank")] == ["superseded"] * 3 + ["deployed"]
    # helm waits for the new pods to be ready, not for the old ones to go.
    await desk.lab.until(lambda: desk.runs("1.2.0"), "only pods of 1.2.0")


async def test_it_goes_forward_again_by_its_undo_recipe(desk: Desk) -> None:
    await desk.helm.install("bank", "--wait", tag="1.0.0")
    await desk.helm.upgrade("bank", "--wait", tag="1.1.0")
    async with desk.gate() as gate:
        plan = await gate.plan("rollback", desk.row())
        assert (await ended(gate, plan)).verdict is Verdict.WORKED
        assert await desk.images() == {"1.0.0"}
        recipe = plan.undo.recipe
        assert recipe is not None
        forward = await gate.plan(recipe.mitigation, recipe.aim, recipe.choices)
        assert forward.title == "Roll back bank from revision 3 to revision 2"
        assert (await ended(gate, forward)).verdict is Verdict.WORKED
    assert await desk.images() == {"1.1.0"}
    assert [one["status"] for one in await desk.helm.history("bank")] == ["superseded"] * 3 + ["deployed"]


async def test_nothing_is_sent_when_somebody_upgraded_meanwhile(desk: Desk) -> None:
    await desk.helm.install("bank", tag="1.0.0")
    await desk.helm.upgrade("bank", tag="1.1.0")
    async with desk.gate() as gate:
        plan = await gate.plan("rollback", desk.row())
        await desk.helm.upgrade("bank", tag="1.2.0")
        with pytest.raises(Changed, match="bank is at revision 3"):
            await gate.carry_out(plan, agreed(plan))
        await desk.helm.run("uninstall", "bank")
        with pytest.raises(Changed, match="no release bank any more"):
            await gate.carry_out(replanned(plan), agreed(plan))


def replanned(plan: Plan) -> Plan:
    """The same plan under another name: each is carried out once."""
    return replace(plan, id=uuid.uuid4().hex[:10])


async def test_exactly_what_the_plan_names_is_enough(desk: Desk) -> None:
    await desk.bad_release()
    async with desk.gate() as gate:
        needs = (await gate.plan("rollback", desk.row())).needs
    async with desk.gate("nobody") as gate:
        blocked = await gate.plan("rollback", desk.row())
        assert {one.name for one in blocked.blocked} == {"allowed", "release"}
        assert "nobody may not update secrets" in finding(blocked, "allowed").text
        await grant(desk, "nobody", needs)
        plan = await gate.plan("rollback", desk.row())
        assert plan.blocked == ()
        outcome = await ended(gate, plan)
    assert outcome.verdict is Verdict.WORKED, outcome.text
    assert outcome.evidence["did"]["named"] is True
    assert await desk.images() == {"1.0.0"}


async def grant(desk: Desk, user: str, needs: tuple[Need, ...]) -> None:
    """A role of exactly these permissions for a user, in the test's namespace."""
    assert {need.namespace for need in needs} == {desk.namespace}
    rules = [{"apiGroups": [need.group], "resources": [need.resource], "verbs": [need.verb]} for need in needs]
    where = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{desk.namespace}"
    await desk.lab.call("POST", f"{where}/roles", {"metadata": {"name": "rollback"}, "rules": rules})
    subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "Role", "name": "rollback", "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"metadata": {"name": "rollback"}, "subjects": [subject], "roleRef": role}
    await desk.lab.call("POST", f"{where}/rolebindings", binding)


async def test_the_viewer_plans_and_is_told_what_is_missing(desk: Desk) -> None:
    await desk.helm.install("bank", "--wait", tag="1.0.0")
    async with desk.gate("viewer") as gate:
        workload = Aim(kind="Deployment", namespace=desk.namespace, name="bank-pay")
        plan = await gate.plan("rollback", workload)
    assert plan.title == "Roll back bank"
    assert f"list secrets in namespace {desk.namespace}" in finding(plan, "allowed").text
    assert finding(plan, "allowed").level is Level.RED


async def test_what_somebody_changed_by_hand_is_taken_over_only_when_it_is_said_so(desk: Desk) -> None:
    await desk.helm.install("bank", "--wait", tag="1.0.0")
    await desk.helm.upgrade("bank", "--wait", tag="1.1.0")
    async with desk.gate() as gate:
        deployment = f"/apis/apps/v1/namespaces/{desk.namespace}/deployments/bank-pay"
        await desk.lab.merge(deployment, {"spec": {"replicas": 4}})
        plan = await gate.plan("rollback", desk.row())
        if desk.major == 4:  # it applies on the server's side, where the number is somebody else's now
            assert [one.name for one in plan.blocked] == ["conflicts"]
            assert ".spec.replicas" in finding(plan, "conflicts").text
            plan = await gate.plan("rollback", desk.row(), {"force": "yes"})
            assert "--force-conflicts" in plan.commands[0]
        else:
            assert finding(plan, "replicas").text.startswith("helm scales bank-pay from 4 to 2")
        outcome = await ended(gate, plan)
    assert outcome.verdict is Verdict.WORKED, outcome.text
    assert len(await desk.pods()) == 2
