"""The drill of scenario 2: a provider outside that fails, a queue that grows, what helps and what loses payments."""

from __future__ import annotations

import re
from typing import Any

import pytest

from drill import pods
from drill.azure.sql_front import SqlFront
from drill.kinds import kind
from drill.payments import PaymentQueue
from drill.platform import Platform
from drill.podlogs import LogOptions
from drill.tds_tokens import SignIn
from drill.world import DEPLOYMENT, POD

Json = dict[str, Any]

PROD = "banking-platform-prod"
SERVICE, PROCESSOR = "payment-service", "payment-queue-processor"
STUCK = "SELECT COUNT(*) FROM Payments WHERE Status = 'PENDING' AND CreatedAt < DATEADD(hour, -1, GETUTCDATE());"
BACK = 12 * 60 + 10  # seconds from the start until the provider is back


class Drill:
    """The scenario on a clock that stands, so that a test decides how much time passes."""

    def __init__(self, seed: int = 0) -> None:
        self.platform = Platform("payment-failures", seed=seed)
        queue = self.platform.business.queue
        assert queue is not None
        self.queue: PaymentQueue = queue

    @property
    def part(self) -> Json:
        """What the health report says of payments."""
        found: Json = self.platform.health.report()["entries"]["payments"]
        return found

    @property
    def stuck(self) -> int:
        """What the runbook's query counts."""
        estate = self.platform.estate
        assert estate is not None
        front = SqlFront(estate, lambda: "", self.platform.business.pending)
        who = SignIn("", "", "", "BankingAccountsDb", read_only=True, token="")
        table = front.script.answer(who, STUCK)
        assert table is not None
        return int(str(table.rows[0][0]))

    def advance(self, seconds: float) -> None:
        clock = self.platform.clock
        clock.advance(clock.now + seconds)

    def change(self, name: str, **spec: Any) -> None:
        found = self.platform.store.get(DEPLOYMENT, PROD, name)
        assert found is not None
        self.platform.store.update(DEPLOYMENT, {**found, "spec": {**found["spec"], **spec}})

    def restart(self, name: str) -> None:
        found = self.platform.store.get(DEPLOYMENT, PROD, name)
        assert found is not None
        template = found["spec"]["template"]
        note = {"kubectl.kubernetes.io/restartedAt": self.platform.clock.stamp()}
        self.change(name, template={**template, "metadata": {**template["metadata"], "annotations": note}})

    def pods_of(self, service: str) -> list[Json]:
        return [pod for pod in self.platform.store.list(POD, PROD) if pod["metadata"]["name"].startswith(service)]

    async def log(self, service: str, seconds: float = 120.0) -> str:
        pod = next(pod for pod in self.pods_of(service) if pods.is_ready(pod))
        options = LogOptions(service, since=self.platform.store.clock() - seconds)
        return b"".join([chunk async for chunk in self.platform.logs(pod, options)]).decode()


async def test_at_the_first_look_the_pods_are_well_and_no_payment_goes_through() -> None:
    drill = Drill()
    assert all(pods.is_ready(pod) for pod in drill.platform.store.list(POD, PROD))
    assert drill.part["status"] == "Unhealthy"
    assert "external-payment-gateway.com: answered 503; 66" in drill.part["description"]
    early, late = await drill.log(SERVICE, 900), await drill.log(SERVICE, 60)
    assert "external-payment-gateway.com/v1/transfers timed out after 100" in early
    assert "timed out" not in late
    assert "external-payment-gateway.com/v1/transfers: answered 503" in late
    assert re.search(r"SettlementWorker\[1210\] queue: 6[3-6]\d\d waiting", late)
    assert drill.pods_of(PROCESSOR) == []
    (pod, *_) = drill.pods_of(SERVICE)
    found = drill.platform.network.find(pod, "external-payment-gateway.com", 443, tls=True)
    assert found.trouble == ""
    answer = drill.platform.network.answer(pod, "external-payment-gateway.com", 443, "/health")
    assert (answer.status, "MAINTENANCE" in answer.body) == (503, True)


def test_what_waits_and_what_is_stuck_grows_with_time_and_does_not_go_away_with_the_outage() -> None:
    drill = Drill()
    before = (drill.queue.now.waiting, drill.stuck)
    drill.advance(300)
    assert drill.queue.now.waiting == before[0] + 1260  # 4.2 a second
    assert drill.stuck > before[1] > 500
    drill.advance(BACK - 300)
    assert drill.queue.now.trouble == ""
    drill.advance(3600)
    assert drill.part["status"] == "Unhealthy", "nobody works the backlog down"
    assert drill.queue.now.waiting > 9000


async def test_a_restart_changes_nothing_and_loses_what_its_pods_held() -> None:
    drill = Drill()
    drill.restart(SERVICE)
    drill.advance(120)
    assert all(pods.is_ready(pod) for pod in drill.pods_of(SERVICE))
    assert drill.part["status"] == "Unhealthy"
    assert drill.queue.now.lost == 120
    assert "120 payments PENDING that no worker holds" in await drill.log(SERVICE)
    drill.advance(BACK)
    drill.change(PROCESSOR, replicas=5)
    drill.advance(900)
    assert drill.part == {"status": "Healthy"}
    assert drill.stuck == 120, "those stay until somebody books them by hand"


@pytest.mark.parametrize("early", [True, False], ids=["before the provider is back", "afterwards"])
async def test_the_processor_works_the_backlog_down_once_the_provider_is_back(early: bool) -> None:
    drill = Drill()
    if early:
        drill.change(PROCESSOR, replicas=5)
        drill.advance(120)
        assert "the gateway fails: batch kept in memory" in await drill.log(PROCESSOR)
        assert drill.queue.now.drains == 0
    drill.advance(BACK - 120 * early)
    if not early:
        drill.change(PROCESSOR, replicas=5)
    drill.advance(480)
    assert drill.part == {"status": "Healthy"}
    assert (drill.stuck, drill.queue.pending()) == (0, 0)
    assert drill.queue.now.lost == 0


def test_more_pods_of_the_service_help_slowly_and_a_pod_that_a_policy_cuts_off_does_not_help() -> None:
    drill = Drill()
    drill.advance(BACK)
    drill.change(SERVICE, replicas=6)
    drill.advance(300)
    assert 4.2 < drill.queue.now.drains < 4.5
    policy = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": SERVICE}}, "policyTypes": ["Egress"]}
    drill.platform.plane.world.create(
        kind("networkpolicies"), {"metadata": {"name": "q", "namespace": PROD}, "spec": policy}
    )
    drill.advance(60)
    assert drill.queue.now.trouble == "silent"
    assert drill.part["status"] == "Unhealthy"


def test_who_answers_for_the_service_in_the_mesh_stops_the_intake_for_as_long_as_that_lasts() -> None:
    drill = Drill()
    routes = kind("virtualservices", "networking.istio.io")
    world, network = drill.platform.plane.world, drill.platform.network
    (caller, *_) = drill.pods_of("api-gateway")
    route = [{"destination": {"host": SERVICE}}]
    abort = {"fault": {"abort": {"percentage": {"value": 100}, "httpStatus": 503}}, "route": route}
    by_header = {"match": [{"headers": {"maintenance": {"exact": "true"}}}], **abort}
    for rules, is_open in (([by_header, {"route": route}], True), ([abort], False)):
        found = {"metadata": {"name": "m", "namespace": PROD}, "spec": {"hosts": [SERVICE], "http": rules}}
        world.create(routes, found)
        drill.advance(10)
        before = drill.queue.now.waiting
        drill.advance(100)
        assert drill.queue.now.waiting == before + 420 * is_open
        assert network.answer(caller, SERVICE, 80, "/health").status == (200 if is_open else 503)
        assert ("fault filter abort" in drill.part["description"]) is not is_open
        world.store.delete(routes, PROD, "m")
    drill.advance(10)
    assert drill.queue.now.open


def test_the_details_follow_the_seed() -> None:
    one, again, other = Drill(3), Drill(3), Drill(4)
    assert one.part == again.part
    assert one.part != other.part
