"""Evictions on the platform: a budget lets so many pods go as it has to spare, and a drained node gets nothing new."""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp

from tests.drill.mitigation_desk import PROD, Desk, until
from tests.drill.nodes_at_desk import room_for_pods
from tests.drill.small_scenario import village
from tests.drill.wire import Answer, Wire

Json = dict[str, Any]
ACCOUNTS = {"matchLabels": {"app.kubernetes.io/name": "account-service"}}


def budget(name: str = "accounts", **spec: Any) -> Json:
    return {"metadata": {"name": name}, "spec": {"selector": ACCOUNTS, **spec}}


def allowed(at: Desk, name: str = "accounts") -> int | None:
    found: int | None = (at.get("poddisruptionbudgets", name).get("status") or {}).get("disruptionsAllowed")
    return found


async def evicted(at: Desk, pod: str, uid: str = "", dry: bool = False) -> Answer:
    options: Json = {"preconditions": {"uid": uid}} if uid else {}
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": PROD},
        "deleteOptions": options,
    }
    context = ssl.create_default_context(cadata=at.server.ca_pem)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        query = "?dryRun=All" if dry else ""
        path = f"/api/v1/namespaces/{PROD}/pods/{pod}/eviction{query}"
        return await Wire(at.server, session).ask("POST", path, body)


SPARE: list[tuple[Json, int]] = [
    ({"minAvailable": 2}, 1),
    ({"minAvailable": 3}, 0),
    ({"minAvailable": "50%"}, 1),
    ({"maxUnavailable": 2}, 2),
    ({"maxUnavailable": "34%"}, 2),
    ({"maxUnavailable": 0}, 0),
]


async def test_a_budget_says_how_many_of_three_pods_may_go() -> None:
    async with village(speed=100) as at:
        for number, (spec, _) in enumerate(SPARE):
            at.put("poddisruptionbudgets", budget(f"b{number}", **spec))
        await until(lambda: all(allowed(at, f"b{number}") is not None for number in range(len(SPARE))))
        for number, (_, spare) in enumerate(SPARE):
            status = at.get("poddisruptionbudgets", f"b{number}")["status"]
            assert (status["disruptionsAllowed"], status["currentHealthy"], status["expectedPods"]) == (spare, 3, 3)
            assert status["conditions"][0]["status"] == ("True" if spare else "False")


async def test_a_second_eviction_waits_until_the_first_pod_has_a_successor_that_is_ready() -> None:
    async with village() as at:
        at.put("poddisruptionbudgets", budget(minAvailable=2))
        await until(lambda: allowed(at) == 1)
        room_for_pods(at, False)  # no successor yet
        first, second, _ = (pod["metadata"]["name"] for pod in at.pods("account-service"))
        assert (await evicted(at, first, dry=True)).status == 201
        assert allowed(at) == 1
        assert (await evicted(at, first)).status == 201
        refused = await evicted(at, second)
        assert refused.refusal == (429, "TooManyRequests")
        assert "accounts needs 2 healthy pods" in refused.body["details"]["causes"][0]["message"]
        room_for_pods(at, True)
        await until(lambda: allowed(at) == 1, "a successor that is ready")
        assert (await evicted(at, second)).status == 201


async def test_a_pod_that_was_replaced_is_not_evicted() -> None:
    async with village() as at:
        name = at.pods("account-service")[0]["metadata"]["name"]
        assert (await evicted(at, name, uid="another")).refusal == (409, "Conflict")
        assert not at.get("pods", name)["metadata"].get("deletionTimestamp")


async def test_two_budgets_for_one_pod_are_too_many() -> None:
    async with village() as at:
        for name in ("accounts", "again"):
            at.put("poddisruptionbudgets", budget(name, minAvailable=1))
        refused = await evicted(at, at.pods("account-service")[0]["metadata"]["name"])
        assert refused.refusal == (500, "InternalError")
        assert "more than one PodDisruptionBudget" in refused.body["message"]


async def test_a_pod_that_is_not_ready_is_evicted_past_a_budget_that_has_what_it_needs() -> None:
    async with village() as at:
        selector = {"matchLabels": {"app.kubernetes.io/name": "payment-service"}}
        at.put("poddisruptionbudgets", {"metadata": {"name": "p"}, "spec": {"selector": selector, "minAvailable": 3}})
        await until(lambda: allowed(at, "p") is not None)
        name = at.pods("payment-service")[0]["metadata"]["name"]
        assert (await evicted(at, name)).refusal == (429, "TooManyRequests")
        patient = {"selector": selector, "minAvailable": 3, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
        at.put("poddisruptionbudgets", {**at.get("poddisruptionbudgets", "p"), "spec": patient})
        await until(lambda: at.get("poddisruptionbudgets", "p")["status"]["observedGeneration"] == 2)
        assert (await evicted(at, name)).status == 201


async def test_a_cordoned_node_gets_no_successor_of_what_is_evicted_from_it() -> None:
    async with village() as at:
        pod = at.pods("account-service")[0]
        node = at.get("nodes", pod["spec"]["nodeName"])
        at.put("nodes", {**node, "spec": {**node["spec"], "unschedulable": True}})
        assert (await evicted(at, pod["metadata"]["name"])).status == 201
        gone = pod["metadata"]["uid"]
        await until(lambda: all(one["metadata"]["uid"] != gone for one in at.pods("account-service")), "it is gone")
        await until(lambda: len(at.pods("account-service")) == 3 and all(map(_placed, at.pods("account-service"))))
        fresh = [one for one in at.pods("account-service") if one["metadata"]["name"] != pod["metadata"]["name"]]
        successor = max(fresh, key=lambda one: int(one["metadata"]["resourceVersion"]))
        assert successor["spec"]["nodeName"] != node["metadata"]["name"]


def _placed(pod: Json) -> bool:
    return bool(pod["spec"].get("nodeName"))
