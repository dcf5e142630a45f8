"""The drill of scenario 4: somebody in a pod, what shows it, what stops it, and what loses the traces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drill import pods
from drill.intruder import Intruder
from drill.kinds import kind
from drill.platform import Platform
from drill.podlogs import LogOptions
from drill.world import DEPLOYMENT, POD

Json = dict[str, Any]

PROD = "banking-platform-prod"
SERVICE = "identity-service"
POLICY = {"podSelector": {"matchLabels": {"quarantine": "true"}}, "policyTypes": ["Ingress", "Egress"]}


class Drill:
    """The scenario on a clock that stands, so that a test decides how much time passes."""

    def __init__(self, seed: int = 0) -> None:
        self.platform = Platform("security-incident", seed=seed)
        intruder = self.platform.business.intruder
        assert intruder is not None
        self.intruder: Intruder = intruder

    def well(self) -> bool:
        return bool(self.platform.health.login()["status"] == "Healthy")

    @property
    def pods(self) -> list[Json]:
        found = self.platform.store.list(POD, PROD)
        return [pod for pod in found if pod["metadata"]["name"].startswith(SERVICE)]

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """(reason, pod) of what the sensor said of the service."""
        events = self.platform.store.list(kind("Event", ""), PROD)
        sensed = [one for one in events if one["source"]["component"] == "microsoft-defender-sensor"]
        return [(one["reason"], one["involvedObject"]["name"]) for one in sensed]

    def advance(self, seconds: float) -> None:
        clock = self.platform.clock
        clock.advance(clock.now + seconds)

    def label(self, name: str) -> None:
        pod = self.platform.store.get(POD, PROD, name)
        assert pod is not None
        labels = {**pods.labels(pod), "quarantine": "true"}
        self.platform.store.update(POD, {**pod, "metadata": {**pod["metadata"], "labels": labels}})

    def deny(self) -> None:
        self.platform.plane.world.create(
            kind("networkpolicies"), {"metadata": {"name": "quarantine", "namespace": PROD}, "spec": POLICY}
        )

    def delete(self, name: str) -> None:
        self.platform.store.delete(POD, PROD, name)

    def change(self, **template: Any) -> None:
        """A new template for the service's pods: they are all replaced."""
        found = self.platform.store.get(DEPLOYMENT, PROD, SERVICE)
        assert found is not None
        spec = {**found["spec"], "template": {**found["spec"]["template"], **template}}
        self.platform.store.update(DEPLOYMENT, {**found, "spec": spec})

    async def log(self, name: str, seconds: float = 60.0) -> str:
        pod = self.platform.store.get(POD, PROD, name)
        assert pod is not None
        options = LogOptions(SERVICE, since=self.platform.store.clock() - seconds)
        return b"".join([chunk async for chunk in self.platform.logs(pod, options)]).decode()


async def test_at_the_first_look_one_pod_of_four_tells_of_it_and_customers_cannot_sign_in() -> None:
    drill = Drill()
    name = drill.intruder.first
    assert not drill.well()
    assert all(pods.is_ready(pod) for pod in drill.pods)
    assert {reason for reason, _ in drill.warnings} == {"SuspiciousSignIns", "TokenReuse", "UnusualConnection"}
    assert {pod for _, pod in drill.warnings} == {name}
    theirs = await drill.log(name)
    for part in (
        "from 185.220.101.44",
        "svc-statement-export",
        "FROM dbo.Customers",
        "POST https://cdn-telemetry-sync.net",
    ):
        assert part in theirs
    others = [await drill.log(pod["metadata"]["name"]) for pod in drill.pods if pod["metadata"]["name"] != name]
    assert len(others) == 3
    assert not any("185.220.101.44" in log or "cdn-telemetry-sync" in log for log in others)
    read = drill.intruder.read(drill.platform.clock.now)
    drill.advance(120)
    assert drill.intruder.read(drill.platform.clock.now) >= read + 20_000, "waiting costs"
    good = drill.platform.scenario.good
    assert good is not None
    assert [step.evidence for step in good.path if step.evidence] == [f"pod/{name}"]


@pytest.mark.parametrize("half", [Drill.deny, lambda drill: drill.label(drill.intruder.first)], ids=["policy", "label"])
async def test_a_quarantine_is_a_label_and_a_policy_and_stops_it_for_as_long_as_it_lasts(
    half: Callable[[Drill], None],
) -> None:
    drill = Drill()
    name = drill.intruder.first
    half(drill)
    drill.advance(60)
    assert not drill.well(), "half of it stops nobody"
    (drill.deny if half is not Drill.deny else lambda: drill.label(name))()
    drill.advance(60)
    assert drill.well()
    read, told = drill.intruder.read(drill.platform.clock.now), len(drill.warnings)
    drill.advance(1800)
    assert drill.well()
    assert (drill.intruder.read(drill.platform.clock.now), len(drill.warnings)) == (read, told)
    log = await drill.log(name)
    assert "POST https://cdn-telemetry-sync.net/v2/batch: System.Threading.Tasks.TaskCanceledException" in log
    assert "185.220.101.44" not in log

    drill.platform.store.delete(kind("networkpolicies"), PROD, "quarantine")
    drill.advance(60)
    assert not drill.well(), "who lets the pod go lets it go on"


def test_who_deletes_the_pod_or_replaces_all_has_the_intruder_in_another_one_and_lost_the_traces() -> None:
    drill = Drill()
    first = drill.intruder.first
    drill.delete(first)
    drill.advance(60)
    assert drill.well(), "it looks as if it had helped"
    drill.advance(60)
    second = drill.intruder.stays[-1].pod
    assert not drill.well()
    assert second != first
    assert drill.platform.store.get(POD, PROD, first) is None

    drill.change(metadata={"labels": {"app.kubernetes.io/name": SERVICE}, "annotations": {"restarted": "now"}})
    drill.advance(240)
    third = drill.intruder.stays[-1].pod
    assert not drill.well()
    assert third not in (first, second)
    drill.label(third)
    drill.deny()
    drill.advance(60)
    assert drill.well()
    drill.delete(third)
    drill.advance(1800)
    assert drill.well(), "the intruder's tool still waits for an answer"


def test_the_details_follow_the_seed() -> None:
    one, again, other = Drill(2), Drill(2), Drill(5)
    assert one.intruder.first == again.intruder.first != other.intruder.first
    assert one.warnings == again.warnings
