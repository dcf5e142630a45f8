"""The drills of the runbook's scenario 1: machines that are gone, a database that nobody reaches; and what follows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from drill import kinds, pods
from drill.machines import check_reachable
from drill.platform import Platform
from drill.podlogs import LogOptions
from drill.statuses import ApiError
from drill.world import CONFIG_MAP, DEPLOYMENT, NODE, POD

Json = dict[str, Any]

PROD = "banking-platform-prod"
EVENT = kinds.kind("Event", "events.k8s.io")
NAME = "app.kubernetes.io/name"
NODES = ("aks-apps-00000", "aks-apps-00001", "aks-apps-00002", "aks-apps-00003")


class Outage:
    """A scenario on a clock that stands, so that a test decides how much time passes."""

    def __init__(self, scenario: str) -> None:
        self.platform = Platform(scenario)
        self.store = self.platform.store

    def advance(self, seconds: float) -> None:
        clock = self.platform.clock
        clock.advance(clock.now + seconds)

    def pods(self, service: str = "") -> list[Json]:
        return [pod for pod in self.store.list(POD, PROD) if service in ("", pods.labels(pod).get(NAME))]

    @property
    def states(self) -> Counter[str]:
        """How many pods are ready, gone but for the record, waiting for a node, or on their way out for ever."""
        return Counter(
            "leaving"
            if pods.is_terminating(pod)
            else "ready"
            if pods.is_ready(pod)
            else "waiting"
            if not pod["spec"].get("nodeName")
            else "unready"
            for pod in self.pods()
        )

    @property
    def answers(self) -> tuple[str, str]:
        """What the two public endpoints say."""
        return self.platform.health.report()["status"], self.platform.health.login()["status"]

    def change(self, service: str, **spec: Any) -> None:
        found = self.store.get(DEPLOYMENT, PROD, service)
        assert found is not None
        self.store.update(DEPLOYMENT, {**found, "spec": {**found["spec"], **spec}})

    def restart(self, service: str) -> None:
        """`kubectl rollout restart`"""
        found = self.store.get(DEPLOYMENT, PROD, service)
        assert found is not None
        template = found["spec"]["template"]
        note = {"kubectl.kubernetes.io/restartedAt": self.platform.clock.stamp()}
        self.change(service, template={**template, "metadata": {**template["metadata"], "annotations": note}})

    def uncordon(self, node: str) -> None:
        found = self.store.get(NODE, None, node)
        assert found is not None
        spec = {key: value for key, value in found["spec"].items() if key != "unschedulable"}
        self.store.update(NODE, {**found, "spec": spec})

    def ready(self, node: str) -> bool:
        found = self.store.get(NODE, None, node)
        return found is not None and pods.is_ready(found)


def test_at_the_first_look_four_machines_are_gone_and_nothing_answers() -> None:
    drill = Outage("service-outage")
    events = [event.get("reason") for event in drill.store.list(EVENT)]

    assert [drill.ready(node) for node in NODES] == [False] * 4
    assert drill.states["ready"] == 0
    assert drill.answers == ("Unhealthy", "Unhealthy")
    assert {"NodeNotReady", "TaintManagerEviction", "FailedScheduling"} <= {*events}
    waiting = next(pod for pod in drill.pods() if not pod["spec"].get("nodeName"))
    said = pods.condition(waiting, "PodScheduled")
    assert said is not None
    assert said["message"].startswith("0/8 nodes are available: ")
    assert "2 node(s) had untolerated taint {CriticalAddonsOnly: true}" in said["message"]
    assert "2 node(s) were unschedulable" in said["message"]
    assert "4 node(s) had untolerated taint {node.kubernetes.io/unreachable: }" in said["message"]
    gone = next(pod for pod in drill.pods() if pod["spec"].get("nodeName") == NODES[3])
    with pytest.raises(ApiError, match=r"containerLogs/banking-platform-prod/.*: i/o timeout"):
        check_reachable(drill.store, gone, "containerLogs")
    assert not any(one["metadata"]["name"] == gone["metadata"]["name"] for one in drill.platform.metrics.pods(PROD))
    assert drill.platform.estate is not None
    assert drill.platform.estate.pressure("BankingAccountsDb", drill.platform.clock.now) < 0.05, "nobody works in it"


def test_what_does_not_make_room_does_not_heal_and_waiting_costs_the_rest() -> None:
    drill = Outage("service-outage")
    (stuck, *_) = [pod for pod in drill.pods("card-service") if pod["spec"].get("nodeName") == NODES[3]]
    drill.store.delete(POD, PROD, stuck["metadata"]["name"])
    waiting = len(drill.pods("card-service"))
    drill.advance(1)
    assert len(drill.pods("card-service")) == waiting + 1, "it has a successor, and its end is reported by nobody"
    drill.restart("ledger-writer")
    drill.restart("api-gateway")
    drill.change("payment-service", replicas=6)
    drill.advance(400)

    assert drill.answers == ("Unhealthy", "Unhealthy")
    assert drill.states["ready"] == 0
    assert drill.states["unready"] == 0, "the last ones were deleted five minutes after their machine was missed"
    assert drill.states["leaving"] > 20, "and nobody can report their ends"


def test_one_batch_node_is_not_enough_two_are_and_machines_that_come_back_clean_up() -> None:
    drill = Outage("service-outage")
    drill.uncordon("aks-batch-00000")
    drill.advance(330)
    assert drill.answers == ("Healthy", "Healthy") or drill.states["waiting"]
    assert 0 < drill.states["waiting"] < 15
    drill.uncordon("aks-batch-00001")
    drill.advance(60)

    assert drill.answers == ("Healthy", "Healthy")
    assert (drill.states["waiting"], drill.states["unready"]) == (0, 0)
    assert drill.states["leaving"] > 20
    assert not any(drill.ready(node) for node in NODES), "though the machines are still gone"
    before = drill.states["ready"]
    drill.advance(4000)
    assert all(drill.ready(node) for node in NODES)
    assert drill.states == {"ready": before}


def test_less_of_what_nobody_needs_makes_room_for_what_everybody_does() -> None:
    drill = Outage("service-outage")
    drill.uncordon("aks-batch-00000")
    for service in ("fraud-scoring", "statement-render", "notification-service"):
        drill.change(service, replicas=0)
    drill.advance(400)
    assert (drill.states["waiting"], drill.states["unready"]) == (0, 0)
    assert drill.platform.health.report()["unhealthy"] == ["notifications"]


async def test_a_connection_string_that_leads_nowhere_takes_everything_down_and_back_with_it() -> None:
    drill = Outage("service-outage-database")
    (pod, *_) = drill.pods("account-service")
    options = LogOptions("account-service", since=drill.store.clock() - 60)
    log = b"".join([chunk async for chunk in drill.platform.logs(pod, options)]).decode()

    assert drill.answers == ("Unhealthy", "Unhealthy")
    assert "error: 0 - Name or service not known" in log
    assert "Data Source=banking-platform-prod-sql.privatelink.database.windows.net" in log
    estate = drill.platform.estate
    assert estate is not None
    assert [database.status for database in estate.databases] == ["Online"] * 3
    assert estate.pressure("BankingAccountsDb", drill.platform.clock.now) < 0.05, "they have nothing to do"

    drill.restart("account-service")
    drill.change("identity-service", replicas=6)
    drill.advance(300)
    assert drill.answers == ("Unhealthy", "Unhealthy")
    assert not any(map(pods.is_ready, [*drill.pods("account-service"), *drill.pods("identity-service")]))

    held = drill.store.get(CONFIG_MAP, PROD, "database-addresses")
    assert held is not None
    data = {name: text.replace(".privatelink", "") for name, text in held["data"].items()}
    drill.store.update(CONFIG_MAP, {**held, "data": data})
    drill.advance(30)
    assert drill.answers == ("Unhealthy", "Unhealthy"), "a kubelet takes its time with a ConfigMap"
    drill.advance(60)
    assert drill.answers == ("Healthy", "Healthy")
    assert drill.states["ready"] == sum(drill.states.values())
    drill.advance(300)  # what the database did meanwhile is over too
    assert estate.pressure("BankingAccountsDb", drill.platform.clock.now) > 0.3
