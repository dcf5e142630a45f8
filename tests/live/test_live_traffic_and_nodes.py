"""Redirects, cordons and drains on a real API server, each compared with what raw requests find before and after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from runbook.istio import maintenance
from runbook.plan import Aim, Level, Verdict
from tests.drill.mitigation_desk import INCIDENT, agreed, finding
from tests.live.gate_on_lab import desk
from tests.live.lab import Lab

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
NAME, REPLICAS = "payment-service", 6
NODES = "/api/v1/nodes"
OURS = ("warroom/act", "warroom/incident")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(lab: Lab) -> AsyncIterator[str]:
    """A namespace with one service of six pods: on three nodes one of them has two at least."""
    async with lab.namespace("nodes") as namespace:
        labels = {"app": NAME}
        container = {"name": NAME, "image": f"bankingacr.example/{NAME}:1.4.0"}
        await lab.call(
            "POST",
            f"/apis/apps/v1/namespaces/{namespace}/deployments",
            {
                "metadata": {"name": NAME},
                "spec": {
                    "replicas": REPLICAS,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
                },
            },
        )
        service = {"metadata": {"name": NAME}, "spec": {"selector": labels, "ports": [{"port": 80}]}}
        await lab.call("POST", f"/api/v1/namespaces/{namespace}/services", service)
        await lab.until(lambda: ready(lab, namespace), "six pods ready")
        yield namespace


async def ready(lab: Lab, namespace: str) -> bool:
    found = await lab.call("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/{NAME}")
    status = found["status"]
    return bool(status.get("readyReplicas") == REPLICAS == status.get("replicas"))


# ---------------------------------------------------------------------- redirect


def routes(namespace: str, version: str = "v1") -> str:
    return f"/apis/networking.istio.io/{version}/namespaces/{namespace}/virtualservices"


async def test_a_redirect_is_applied_under_our_own_manager_and_taken_away_again(lab: Lab, place: str) -> None:
    aim = Aim(kind="Deployment", namespace=place, name=NAME)
    assert await lab.items(routes(place)) == []
    async with desk(lab) as at:
        plan, outcome = await at.carried_out("redirect", aim, status="502")
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert plan.diff.source == "server dry run"
        made = await lab.call("GET", f"{routes(place)}/{NAME}-maintenance")
        wanted = maintenance("networking.istio.io/v1", place, NAME, 502, everybody=False)
        assert (made["apiVersion"], made["spec"]) == (wanted["apiVersion"], wanted["spec"])
        assert made["metadata"]["annotations"] == {"warroom/act": plan.id, "warroom/incident": INCIDENT}
        (owner,) = made["metadata"]["managedFields"]
        assert (owner["manager"], owner["operation"]) == (f"warroom-{INCIDENT}", "Apply")
        older = await lab.call("GET", f"{routes(place, 'v1beta1')}/{NAME}-maintenance")
        assert older["metadata"]["uid"] == made["metadata"]["uid"]

        removal, outcome = await at.carried_out("redirect", aim)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert await lab.items(routes(place)) == []

        _, outcome = await at.undone(removal)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        (again,) = await lab.items(routes(place))
        assert (again["spec"], again["metadata"]["uid"] == made["metadata"]["uid"]) == (made["spec"], False)
        await at.carried_out("redirect", aim)
        assert await lab.items(routes(place)) == []


async def test_a_redirect_that_somebody_else_made_is_left_alone(lab: Lab, place: str) -> None:
    body = maintenance("networking.istio.io/v1", place, NAME, 503, everybody=True)
    path = f"{routes(place)}/{NAME}-maintenance"
    await lab.call("POST", routes(place), body)
    try:
        async with desk(lab) as at:
            plan = await at.gate.plan("redirect", Aim(kind="Service", namespace=place, name=NAME))
            assert "not by this console" in finding(plan, "routes", Level.RED).text
    finally:
        await lab.call("DELETE", path)


async def test_the_plans_command_makes_the_same_object(lab: Lab, place: str) -> None:
    await lab.kubectl("version")  # skips where there is none
    async with desk(lab) as at:
        plan = await at.gate.plan("redirect", Aim(kind="Service", namespace=place, name=NAME))
    known = {"KUBECONFIG": str(lab.kubeconfig), "HOME": str(lab.kubeconfig.parent)}
    shell = await asyncio.create_subprocess_exec(
        "sh", "-c", plan.commands[0], env={"PATH": "/usr/local/bin:/usr/bin:/bin", **known},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await shell.communicate()
    assert shell.returncode == 0, out.decode()
    made = await lab.call("GET", f"{routes(place)}/{NAME}-maintenance")
    assert made["spec"] == plan.steps["body"]["spec"]
    await lab.call("DELETE", f"{routes(place)}/{NAME}-maintenance")


async def test_a_viewer_is_told_what_is_missing(lab: Lab, place: str) -> None:
    async with desk(lab, "viewer") as at:
        plan = await at.gate.plan("redirect", Aim(kind="Service", namespace=place, name=NAME))
        assert "may not create virtualservices.networking.istio.io" in finding(plan, "allowed").text
        plan = await at.gate.plan("cordon", Aim(kind="Node", name=await busiest(lab, place)), {"act": "drain"})
        said = finding(plan, "allowed").text
        assert "patch nodes" in said
        assert "create pods/eviction in namespace " in said  # the first of them are named


# ---------------------------------------------------------------------- nodes


async def on(lab: Lab, namespace: str, node: str) -> list[str]:
    """The pods of the namespace that are on a node and stay there."""
    return [
        pod["metadata"]["name"]
        for pod in await lab.pods(namespace)
        if pod["spec"].get("nodeName") == node and not pod["metadata"].get("deletionTimestamp")
    ]


async def busiest(lab: Lab, namespace: str) -> str:
    """The node with the most pods of the namespace."""
    pods = await lab.pods(namespace)
    names: list[str] = [pod["spec"]["nodeName"] for pod in pods]
    return max(sorted(set(names)), key=names.count)


@asynccontextmanager
async def unharmed(lab: Lab, node: str) -> AsyncIterator[Json]:
    """A node's object; afterwards the node is as it was, whatever became of the block."""
    before = await lab.call("GET", f"{NODES}/{node}")
    try:
        yield before
    finally:
        had = before["metadata"].get("annotations") or {}
        notes = {name: had.get(name) for name in OURS}
        cordoned = before["spec"].get("unschedulable")
        await lab.merge(f"{NODES}/{node}", {"metadata": {"annotations": notes}, "spec": {"unschedulable": cordoned}})


async def test_a_cordon_changes_that_one_field_and_goes_again(lab: Lab, place: str) -> None:
    node = await busiest(lab, place)
    async with unharmed(lab, node) as before, desk(lab) as at:
        there = await on(lab, place, node)
        plan, outcome = await at.carried_out("cordon", Aim(kind="Node", name=node, uid=before["metadata"]["uid"]))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert plan.diff.source == "server dry run"
        after = await lab.call("GET", f"{NODES}/{node}")
        assert after["spec"] == {**before["spec"], "unschedulable": True, **tainted(after)}
        assert after["metadata"]["annotations"]["warroom/act"] == plan.id
        assert await on(lab, place, node) == there

        _, outcome = await at.undone(plan)
        assert outcome.verdict is Verdict.WORKED, outcome.text
        after = await lab.call("GET", f"{NODES}/{node}")
        assert "unschedulable" not in after["spec"]


def tainted(node: Json) -> Json:
    """The taint that a controller sets on what is cordoned, where one runs."""
    return {"taints": node["spec"]["taints"]} if "taints" in node["spec"] else {}


async def test_a_drain_lets_go_one_pod_at_a_time_as_the_budget_says(lab: Lab, place: str) -> None:
    budgets = f"/apis/policy/v1beta1/namespaces/{place}/poddisruptionbudgets"
    least = REPLICAS - 1
    await lab.call(
        "POST",
        budgets,
        {"metadata": {"name": "keep"}, "spec": {"minAvailable": least, "selector": {"matchLabels": {"app": NAME}}}},
    )

    async def counted() -> bool:
        status = (await lab.call("GET", f"{budgets}/keep")).get("status") or {}
        return bool(status.get("disruptionsAllowed") == 1)

    await lab.until(counted, "the budget counted")
    node = await busiest(lab, place)
    gone = await on(lab, place, node)
    assert len(gone) >= 2
    async with unharmed(lab, node), desk(lab) as at:
        plan = await at.gate.plan("cordon", Aim(kind="Node", name=node), {"act": "drain"})
        assert plan.steps["eviction"] == "policy/v1beta1"
        assert finding(plan, "budget").text == f"{place}/keep lets 1 of {len(gone)} go at a time, the others wait"
        act = await at.gate.carry_out(plan, agreed(plan))
        fewest = REPLICAS
        while act.outcome is None:
            pods = [pod for pod in await lab.pods(place) if serves(pod)]
            fewest = min(fewest, len(pods))
            await asyncio.sleep(0.05)
        outcome = await act.done()
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert fewest >= least
        assert {f"{place}/{name}" for name in gone} <= set(outcome.evidence["did"]["evicted"])
        assert await on(lab, place, node) == []
        assert (await lab.call("GET", f"{NODES}/{node}"))["spec"]["unschedulable"] is True
        await lab.until(lambda: ready(lab, place), "as many ready pods as before")

        _, back = await at.undone(plan)
        assert back.verdict is Verdict.WORKED, back.text
        assert "unschedulable" not in (await lab.call("GET", f"{NODES}/{node}"))["spec"]
        assert await on(lab, place, node) == []


def serves(pod: Json) -> bool:
    conditions = pod["status"].get("conditions") or ()
    is_ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return is_ready and not pod["metadata"].get("deletionTimestamp")
