"""Restart, scale, undo of a rollout and deletion of a pod on a real API server, compared with what kubectl does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runbook.errors import Changed
from runbook.plan import Aim, Level, Verdict
from tests.drill.mitigation_desk import INCIDENT, agreed, finding
from tests.live.gate_on_lab import desk
from tests.live.lab import Lab

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
KINDS = ("Deployment", "StatefulSet", "DaemonSet")


def image(name: str, tag: str) -> str:
    return f"bankingacr.example/{name}:{tag}"


def a_workload(kind: str, name: str) -> Json:
    labels = {"app": name}
    container = {"name": "main", "image": image(name, "1.0.0"), "env": [{"name": "POOL", "value": "5"}]}
    spec: Json = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    if kind != "DaemonSet":
        spec["replicas"] = 2
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


class Place:
    """A namespace of the lab's, and the workloads in it as raw requests find them."""

    def __init__(self, lab: Lab, namespace: str) -> None:
        self.lab = lab
        self.namespace = namespace

    def path(self, kind: str, name: str) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/{PLURALS[kind]}/{name}"

    async def get(self, kind: str, name: str) -> Json:
        return await self.lab.call("GET", self.path(kind, name))

    async def make(self, kind: str, name: str) -> None:
        """A workload with two revisions: 1.0.0, and 2.0.0 that it runs."""
        await self.lab.call("POST", self.path(kind, name).rpartition("/")[0], a_workload(kind, name))
        await self.lab.until(lambda: self.settled(kind, name), f"{kind} {name} ready")
        await self.set_image(kind, name, "2.0.0")
        await self.lab.until(lambda: self.settled(kind, name), f"{kind} {name} at 2.0.0")

    async def set_image(self, kind: str, name: str, tag: str) -> None:
        body = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image(name, tag)}]}}}}
        await self.lab.call("PATCH", self.path(kind, name), body, media="application/strategic-merge-patch+json")

    async def settled(self, kind: str, name: str) -> bool:
        found = await self.get(kind, name)
        status = found.get("status") or {}
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            return False
        if kind == "DaemonSet":
            wanted, ready = status.get("desiredNumberScheduled"), status.get("numberReady")
            updated = status.get("updatedNumberScheduled")
        else:
            wanted, ready = found["spec"]["replicas"], status.get("readyReplicas")
            updated = status.get("updatedReplicas")
        return bool(wanted) and wanted == ready == updated

    async def images(self, name: str) -> set[str]:
        pods = await self.lab.pods(self.namespace)
        return {
            str(pod["spec"]["containers"][0]["image"])
            for pod in pods
            if pod["metadata"]["labels"].get("app") == name and "deletionTimestamp" not in pod["metadata"]
        }

    async def pods(self, name: str) -> list[Json]:
        return [pod for pod in await self.lab.pods(self.namespace) if pod["metadata"]["labels"].get("app") == name]

    def aim(self, kind: str, name: str) -> Aim:
        return Aim(kind=kind, namespace=self.namespace, name=name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(lab: Lab) -> AsyncIterator[Place]:
    async with lab.namespace("workloads") as namespace:
        at = Place(lab, namespace)
        await asyncio.gather(*(at.make(kind, f"{kind.lower()}-{who}") for kind in KINDS for who in ("ours", "theirs")))
        yield at


async def test_scaling_and_scaling_back_leave_the_cluster_as_kubectl_would(lab: Lab, place: Place) -> None:
    async with desk(lab) as at:
        for kind in ("Deployment", "StatefulSet"):
            name = f"{kind.lower()}-ours"
            plan, outcome = await at.carried_out("scale", place.aim(kind, name), replicas="3")
            assert outcome.verdict is Verdict.WORKED, outcome.text
            assert plan.diff.source == "server dry run"
            assert (await place.get(kind, name))["spec"]["replicas"] == 3
            assert len(await place.pods(name)) == 3
            _, outcome = await at.undone(plan)
            assert outcome.verdict is Verdict.WORKED, outcome.text
            assert (await place.get(kind, name))["spec"]["replicas"] == 2


async def test_going_to_nothing_and_back(lab: Lab, place: Place) -> None:
    async with desk(lab) as at:
        name = "deployment-ours"
        plan, outcome = await at.carried_out("scale", place.aim("Deployment", name), replicas="0")
        assert (plan.phrase, outcome.text) == (f"scale {name} to 0", "no pod is left")
        assert await place.pods(name) == []
        _, outcome = await at.undone(plan)
        assert outcome.verdict is Verdict.WORKED, outcome.text


@pytest.mark.parametrize("kind", KINDS)
async def test_undoing_a_rollout_leaves_the_template_that_kubectl_leaves(lab: Lab, place: Place, kind: str) -> None:
    ours, theirs = f"{kind.lower()}-ours", f"{kind.lower()}-theirs"
    async with desk(lab) as at:
        plan, outcome = await at.carried_out("rollout-undo", place.aim(kind, ours))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert plan.diff.source == "server dry run"
        assert await place.images(ours) == {image(ours, "1.0.0")}
        number = f"--to-revision={plan.choices['revision']}"
        await lab.kubectl("rollout", "undo", f"{kind.lower()}/{theirs}", number, "-n", place.namespace)
        await lab.until(lambda: place.settled(kind, theirs), "kubectl's undo")
        found, twin = await place.get(kind, ours), await place.get(kind, theirs)
        renamed = str(twin["spec"]["template"]).replace(theirs, ours)
        assert str(found["spec"]["template"]) == renamed
        notes, others = (one["metadata"].get("annotations") or {} for one in (found, twin))
        assert {key for key in notes if not key.startswith("warroom/")} == set(others)
        assert (notes["warroom/act"], notes["warroom/incident"]) == (plan.id, INCIDENT)
        assert f"warroom-{INCIDENT}" in [entry["manager"] for entry in found["metadata"]["managedFields"]]
        _, outcome = await at.undone(plan)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert await place.images(ours) == {image(ours, "2.0.0")}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_restart_replaces_every_pod(lab: Lab, place: Place, kind: str) -> None:
    name = f"{kind.lower()}-ours"
    before = {pod["metadata"]["uid"] for pod in await place.pods(name)}
    async with desk(lab) as at:
        _, outcome = await at.carried_out("restart", place.aim(kind, name))
        assert outcome.verdict is Verdict.WORKED, outcome.text
    after = {pod["metadata"]["uid"] for pod in await place.pods(name) if "deletionTimestamp" not in pod["metadata"]}
    assert not before & after


@pytest.mark.parametrize("kind", KINDS)
async def test_a_deleted_pod_is_replaced(lab: Lab, place: Place, kind: str) -> None:
    name = f"{kind.lower()}-ours"
    pod = (await place.pods(name))[0]["metadata"]
    async with desk(lab) as at:
        aim = Aim(kind="Pod", namespace=place.namespace, name=pod["name"], uid=pod["uid"])
        plan, outcome = await at.carried_out("delete-pod", aim, grace="1")
        assert finding(plan, "owner").text.startswith(f"{kind}/{name} makes ")
        assert outcome.verdict is Verdict.WORKED, outcome.text
    assert pod["uid"] not in [one["metadata"]["uid"] for one in await place.pods(name)]
    assert await place.settled(kind, name)


async def test_what_somebody_did_between_plan_and_confirmation_is_left_as_it_is(lab: Lab, place: Place) -> None:
    kind, name = "Deployment", "deployment-theirs"
    choices = {"restart": {}, "scale": {"replicas": "4"}, "rollout-undo": {}}
    async with desk(lab) as at:
        for number, (mitigation, chosen) in enumerate(choices.items(), 3):
            plan = await at.gate.plan(mitigation, place.aim(kind, name), chosen)
            await place.set_image(kind, name, f"{number}.0.0")
            with pytest.raises(Changed, match="changed by somebody else"):
                await at.gate.carry_out(plan, agreed(plan))
            found = await place.get(kind, name)
            assert "warroom/act" not in found["metadata"]["annotations"]
            assert found["spec"]["template"]["spec"]["containers"][0]["image"] == image(name, f"{number}.0.0")


async def test_a_viewer_sees_every_plan_and_which_permission_is_missing(lab: Lab, place: Place) -> None:
    pod = (await place.pods("deployment-ours"))[0]["metadata"]["name"]
    needs = {
        "restart": ("Deployment", "deployment-ours", "patch deployments.apps"),
        "scale": ("Deployment", "deployment-ours", "patch deployments/scale.apps"),
        "rollout-undo": ("Deployment", "deployment-ours", "patch deployments.apps"),
        "delete-pod": ("Pod", pod, "delete pods"),
    }
    async with desk(lab, "viewer") as at:
        for mitigation, (kind, name, missing) in needs.items():
            plan = await at.gate.plan(mitigation, place.aim(kind, name), {})
            said = finding(plan, "allowed", Level.RED).text
            assert f"may not {missing} in namespace {place.namespace}" in said, said
