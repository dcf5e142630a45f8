"""Between a plan and its confirmation somebody else does something to the target: nothing is sent, every time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from runbook.errors import Changed
from runbook.plan import Aim
from tests.drill.mitigation_desk import Desk, agreed
from tests.drill.small_scenario import village

NAME = "card-service"  # it has a revision to go back to
NODE = "aks-system-00000"
Event = Callable[[Desk], object]


def rolled_out(at: Desk) -> None:
    template = at.get("deployments", NAME)["spec"]["template"]
    container = {**template["spec"]["containers"][0], "image": "bankingacr.azurecr.io/card-service:2.0.0"}
    at.change("deployments", NAME, template={**template, "spec": {**template["spec"], "containers": [container]}})


def labelled(at: Desk) -> None:
    pod = the_pod(at)
    at.put("pods", {**pod, "metadata": {**pod["metadata"], "labels": {**pod["metadata"]["labels"], "by": "them"}}})


def replaced(at: Desk) -> None:
    """What a rollout by somebody else makes of a pod: it goes, and another one comes."""
    name = the_pod(at)["metadata"]["name"]
    at.drop("pods", name)


def node_again(at: Desk) -> None:
    found = at.get("nodes", NODE)
    at.drop("nodes", NODE)
    at.put("nodes", {"metadata": {"name": NODE}, "spec": found["spec"], "status": found["status"]})


def the_pod(at: Desk) -> dict[str, Any]:
    return at.pods(NAME)[0]


WORKLOAD: Mapping[str, Event] = {
    "scaled": lambda at: at.change("deployments", NAME, replicas=at.get("deployments", NAME)["spec"]["replicas"] + 2),
    "rolled out": rolled_out,
    "deleted and created again": lambda at: at.recreate("deployments", NAME),
    "deleted": lambda at: at.drop("deployments", NAME),
}
POD: Mapping[str, Event] = {
    "changed": labelled,
    "created again": lambda at: at.recreate("pods", the_pod(at)["metadata"]["name"]),
    "replaced by a rollout": replaced,
}
SERVICE: Mapping[str, Event] = {
    "deleted and created again": lambda at: at.recreate("services", NAME),
    "deleted": lambda at: at.drop("services", NAME),
}
MACHINE: Mapping[str, Event] = {
    "cordoned": lambda at: at.put(
        "nodes", {**(found := at.get("nodes", NODE)), "spec": {**found["spec"], "unschedulable": True}}
    ),
    "deleted and created again": node_again,
    "deleted": lambda at: at.drop("nodes", NODE),
}


def workload(at: Desk) -> Aim:
    return at.aim("Deployment", NAME)


def pod(at: Desk) -> Aim:
    return at.aim("Pod", the_pod(at)["metadata"]["name"])


def node(at: Desk) -> Aim:
    return at.aim("Node", NODE)


@pytest.mark.parametrize(
    ("mitigation", "choices", "aim", "events"),
    [
        ("scale", {"replicas": "7"}, workload, WORKLOAD),
        ("rollout-undo", {}, workload, {what: WORKLOAD[what] for what in list(WORKLOAD)[:3]}),  # then none is kept
        ("redirect", {}, workload, SERVICE),
        ("delete-pod", {}, pod, POD),
        ("quarantine", {"detach": "yes"}, pod, POD),
        ("connectivity", {}, pod, POD),
        ("cordon", {"act": "drain"}, node, MACHINE),
    ],
    ids=["scale", "rollout-undo", "redirect", "delete-pod", "quarantine", "connectivity", "drain"],
)
async def test_nothing_is_sent(
    mitigation: str, choices: dict[str, str], aim: Callable[[Desk], Aim], events: Mapping[str, Event]
) -> None:
    async with village() as at:
        for number, (what, happens) in enumerate(events.items(), 1):
            plan = await at.gate.plan(mitigation, aim(at), choices)
            assert not plan.blocked, (what, plan.blocked)
            happens(at)
            with pytest.raises(Changed, match="nothing was sent"):
                await at.gate.carry_out(plan, agreed(plan))
            assert at.writes == [], what
            assert len(at.book.entries) == number, "and each refusal is on the record"
