"""The drill of a noisy neighbour: memory that runs out, who has to go for it, what ends that, what makes it worse."""

from __future__ import annotations

from collections import Counter

from drill import pods
from drill.world import NODE, POD
from tests.drill.test_service_outage import PROD, Outage

VICTIMS = {"fraud-scoring", "statement-render"}


class Neighbours(Outage):
    def __init__(self) -> None:
        super().__init__("noisy-neighbour")

    @property
    def pressed(self) -> int:
        return sum(pods.is_true(node, "MemoryPressure") for node in self.store.list(NODE))

    @property
    def sick(self) -> Counter[str]:
        """Pods that are not ready, by service, without the records of those that are over."""
        return Counter(
            pods.labels(pod).get("app.kubernetes.io/name", "")
            for pod in self.pods()
            if pods.is_active(pod) and not pods.is_ready(pod)
        )

    @property
    def evicted(self) -> int:
        return sum((pod["status"].get("reason") == "Evicted") for pod in self.store.list(POD, PROD))

    def cordon(self, name: str) -> None:
        found = self.store.get(NODE, None, name)
        assert found is not None
        self.store.update(NODE, {**found, "spec": {**found["spec"], "unschedulable": True}})


def test_who_is_above_its_request_has_to_go_and_who_takes_the_memory_stays() -> None:
    drill = Neighbours()
    gone = [pod for pod in drill.pods() if pod["status"].get("reason") == "Evicted"]
    message = gone[0]["status"]["message"]

    assert drill.pressed == 3
    assert {*drill.sick} >= VICTIMS
    assert all(pod["status"]["phase"] == "Failed" for pod in gone)
    assert message.startswith("The node was low on resource: memory. Threshold quantity: 100Mi, available: ")
    assert "has larger consumption of memory" in message
    assert sum(pods.labels(pod).get("k8s-app") == "report-builder" for pod in drill.pods() if pods.is_ready(pod)) == 9
    used = {
        row["metadata"]["name"]: sum(int(one["usage"]["memory"][:-2]) for one in row["containers"]) / 1024
        for row in drill.platform.metrics.pods(PROD)
    }
    assert {name.rsplit("-", 2)[0] for name in sorted(used, key=lambda name: -used[name])[:9]} == {"report-builder"}
    assert drill.platform.health.report()["status"] == "Degraded"
    assert drill.platform.health.patience()[0] > 0.4, "there are not enough cores either"


def test_waiting_more_of_the_victims_and_fewer_nodes_make_it_worse() -> None:
    drill = Neighbours()
    before = drill.evicted
    drill.change("fraud-scoring", replicas=6)
    drill.restart("statement-render")
    drill.cordon("aks-system-00000")
    drill.advance(1200)

    assert drill.sick["fraud-scoring"] >= 4
    assert drill.sick["statement-render"] > 0
    assert drill.evicted > before + 4
    assert any(pods.restarts(pod) for pod in drill.pods("card-service")), "who waits for cores is killed at its limit"


def test_without_the_neighbour_the_pressure_ends_and_what_was_evicted_runs_again() -> None:
    drill = Neighbours()
    drill.change("report-builder", replicas=1)
    drill.advance(120)
    assert drill.pressed, "the condition stays for five minutes"
    drill.advance(480)

    assert drill.pressed == 0
    assert drill.sick == {}
    assert drill.platform.health.report()["status"] == "Healthy"
    assert drill.evicted > 4, "what was evicted stays as a record"
    drill.advance(1800)
    assert (drill.pressed, drill.sick) == (0, {}), "one of them does no harm"
