"""The drill of an upgrade that hangs: what it shows, what waiting costs, what helps, and what the real helm says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drill import pods
from drill.platform import Platform, running
from drill.world import DEPLOYMENT, POD
from tests.drill.releases import RELEASE
from tests.real_helm import CHART, MAJORS, RealHelm, needed

Json = dict[str, Any]

PROD = "banking-platform-prod"
SICK = "account-service"


class Drill:
    """The scenario on a clock that stands, so that a test decides how much time passes."""

    def __init__(self) -> None:
        self.platform = Platform("stuck-rollout")

    @property
    def part(self) -> Json:
        """What the health report says of the service."""
        found: Json = self.platform.health.report()["entries"]["accounts"]
        return found

    @property
    def deployment(self) -> Json:
        found = self.platform.store.get(DEPLOYMENT, PROD, SICK)
        assert found is not None
        return found

    @property
    def waiting(self) -> list[str]:
        """Why its pods do not run."""
        mine = [pod for pod in self.platform.store.list(POD, PROD) if pod["metadata"]["name"].startswith(SICK)]
        states = [pod["status"]["containerStatuses"][0]["state"] for pod in mine if not pods.is_ready(pod)]
        return [state["waiting"]["reason"] for state in states]

    def advance(self, seconds: float) -> None:
        clock = self.platform.clock
        clock.advance(clock.now + seconds)

    def change(self, **spec: Any) -> None:
        found = self.deployment
        self.platform.store.update(DEPLOYMENT, {**found, "spec": {**found["spec"], **spec}})


def test_three_old_pods_carry_the_work_of_all_and_waiting_ends_in_a_missed_deadline_and_customers_turned_away() -> None:
    drill = Drill()
    assert drill.waiting == ["ImagePullBackOff"] * 2
    assert drill.part["status"] == "Degraded"
    assert "3 ready pods at 113% of what they can carry" in drill.part["description"]
    assert 1.0 < drill.platform.health.patience()[0] < 2.0
    assert pods.is_true(drill.deployment, "Progressing")
    drill.advance(600)
    progressing = pods.condition(drill.deployment, "Progressing")
    assert progressing is not None
    assert progressing["reason"] == "ProgressDeadlineExceeded"
    assert drill.part["status"] == "Unhealthy"
    assert drill.part["description"].endswith("requests are turned away")


def test_a_restart_asks_for_the_same_image_and_more_replicas_relieve_the_old_pods_and_cure_nothing() -> None:
    drill = Drill()
    template = drill.deployment["spec"]["template"]
    note = {"kubectl.kubernetes.io/restartedAt": drill.platform.clock.stamp()}
    drill.change(template={**template, "metadata": {**template["metadata"], "annotations": note}})
    drill.advance(120)
    assert len(drill.waiting) == 2
    assert drill.part["status"] == "Degraded"

    drill.change(replicas=6)  # in the middle of a rollout each ReplicaSet gets its share
    drill.advance(120)
    assert drill.part == {"status": "Healthy"}
    assert len(drill.waiting) >= 2


@pytest.mark.parametrize("major", MAJORS, ids=lambda major: f"helm {major}")
async def test_the_real_helm_upgrades_nothing_until_it_has_rolled_the_release_back(major: int, tmp_path: Path) -> None:
    program = needed(major)
    async with running("stuck-rollout", speed=20.0) as told:
        helm = RealHelm(program, told.kubeconfig, PROD, tmp_path)
        chart = helm.chart / "Chart.yaml"
        chart.write_text(CHART["Chart.yaml"].replace("name: bank", "name: banking-platform"), encoding="utf-8")
        refused = await helm.run("upgrade", RELEASE, str(helm.chart), fails=True)
        assert "another operation (install/upgrade/rollback) is in progress" in refused
        assert (await helm.history(RELEASE))[-1]["status"] == "pending-upgrade"

        await helm.run("rollback", RELEASE, "5", "--wait")
        newest = (await helm.history(RELEASE))[-1]
        assert (newest["revision"], newest["status"]) == (7, "deployed")
        images = [
            pod["spec"]["containers"][0]["image"].rpartition(":")[2]
            for pod in told.platform.store.list(POD, PROD)
            if pod["metadata"]["name"].startswith(SICK) and not pods.is_terminating(pod)
        ]
        assert images == ["1.4.0"] * 4
        await helm.run("upgrade", RELEASE, str(helm.chart), "--dry-run=server")
