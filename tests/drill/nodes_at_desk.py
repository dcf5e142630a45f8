"""The platform's nodes, for tests that cordon and drain them: who is where, budgets, pods of nobody's."""

from __future__ import annotations

from typing import Any

from drill.observing import Request
from runbook.nodes import sorted_out
from runbook.plan import Aim
from tests.drill.mitigation_desk import PROD, Desk, until

Json = dict[str, Any]
NODE, BATCH = "aks-system-00000", "aks-batch-00000"
OTHERS = ("aks-system-00001", "aks-system-00002")
ACCOUNTS = {"matchLabels": {"app.kubernetes.io/name": "account-service"}}


def node(at: Desk, name: str = NODE) -> Aim:
    return at.aim("Node", name)


def cordoned(at: Desk, name: str = NODE) -> bool:
    return bool(at.get("nodes", name)["spec"].get("unschedulable"))


def movable(at: Desk, name: str = NODE) -> list[Json]:
    """The pods of a node that a drain is about."""
    pods = [pod for space in (PROD, "kube-system", "istio-system") for pod in at.all("pods", space)]
    return list(sorted_out(pod for pod in pods if pod["spec"].get("nodeName") == name).going)


def uids(pods: list[Json]) -> set[str]:
    return {pod["metadata"]["uid"] for pod in pods}


def evictions(at: Desk) -> list[Request]:
    return [write for write in at.writes if write.path.endswith("/eviction")]


def accounts_on(at: Desk, name: str = NODE) -> list[str]:
    return [pod["metadata"]["name"] for pod in at.pods("account-service") if pod["spec"].get("nodeName") == name]


def budget(at: Desk, **spec: Any) -> None:
    at.put("poddisruptionbudgets", {"metadata": {"name": "accounts"}, "spec": {"selector": ACCOUNTS, **spec}})


async def a_budget(at: Desk, **spec: Any) -> None:
    budget(at, **spec)
    await until(lambda: "disruptionsAllowed" in at.get("poddisruptionbudgets", "accounts").get("status", {}))


async def bare(at: Desk, name: str, **spec: Any) -> None:
    """A pod that nobody makes anew, on the node."""
    containers = [{"name": "app", "image": "bankingacr.azurecr.io/one-off:1.0.0"}]
    body = {"metadata": {"name": name}, "spec": {"containers": containers, "nodeName": NODE, **spec}}
    at.put("pods", {**body, "status": {"phase": "Pending"}})
    await until(lambda: at.get("pods", name)["status"]["phase"] == "Running", f"{name} runs")


def room_for_pods(at: Desk, yes: bool, *nodes: str) -> None:
    """Whether these nodes (default: all) take new pods. While none does, no pod that goes has a successor."""
    for name in nodes or [found["metadata"]["name"] for found in at.all("nodes")]:
        found = at.get("nodes", name)
        spec = {key: value for key, value in found["spec"].items() if key != "unschedulable"}
        at.put("nodes", {**found, "spec": spec if yes else {**spec, "unschedulable": True}})


async def pile(at: Desk) -> None:
    """All account-service pods on one node, and nothing else that a drain is about."""
    room_for_pods(at, False, *OTHERS)
    for pod in at.pods("account-service"):
        if pod["spec"].get("nodeName") != NODE:
            at.drop("pods", pod["metadata"]["name"])
    await until(lambda: len(accounts_on(at)) == 3 and ready(at, "account-service") == 3, "all on one node")
    room_for_pods(at, True, *OTHERS)


def ready(at: Desk, name: str) -> int:
    return int(at.get("deployments", name)["status"].get("readyReplicas", 0))
