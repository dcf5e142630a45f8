"""The drill of the runbook's scenario 3: a database at its limit, what shows it, what heals it and what does not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from drill import pods
from drill.azure.changes import Changes, Request
from drill.azure.database import Database
from drill.platform import Platform, running
from drill.podlogs import LogOptions
from drill.world import DEPLOYMENT, POD
from tests.drill.shell import document, flags, fresh_user, warroom

Json = dict[str, Any]

PROD = "banking-platform-prod"
NAME = "app.kubernetes.io/name"
ACCOUNTS = "BankingAccountsDb"
FEELS_IT = ("account-service", "ledger-writer", "payment-service", "transaction-service")


class Drill:
    """The scenario on a clock that stands, so that a test decides how much time passes."""

    def __init__(self, scenario: str = "database-degradation") -> None:
        self.platform = Platform(scenario)
        estate = self.platform.estate
        assert estate is not None
        self.estate = estate

    @property
    def database(self) -> Database:
        return self.estate.database(ACCOUNTS)

    @property
    def pressure(self) -> float:
        return self.database.pressure(self.platform.clock.now)

    @property
    def unready(self) -> Counter[str]:
        found = self.platform.store.list(POD, PROD)
        return Counter(pods.labels(pod)[NAME] for pod in found if not pods.is_ready(pod))

    @property
    def fired(self) -> list[str]:
        return [alert.name for alert in self.estate.part.alerts if self.estate.fired(alert)]

    def advance(self, seconds: float) -> None:
        clock = self.platform.clock
        clock.advance(clock.now + seconds)

    def scale(self, objective: str) -> None:
        Changes(self.estate).patch(ACCOUNTS, {"sku": {"name": objective}}, Request("lead", "c-1"))

    def restart(self) -> None:
        """`kubectl rollout restart` of everything that uses the database."""
        store = self.platform.store
        for name in FEELS_IT:
            found = store.get(DEPLOYMENT, PROD, name)
            assert found is not None
            template = found["spec"]["template"]
            note = {"kubectl.kubernetes.io/restartedAt": self.platform.clock.stamp()}
            changed = {**template, "metadata": {**template["metadata"], "annotations": note}}
            store.update(DEPLOYMENT, {**found, "spec": {**found["spec"], "template": changed}})

    async def log(self, service: str, seconds: float = 240.0) -> str:
        pod = next(
            pod
            for pod in self.platform.store.list(POD, PROD)
            if pods.labels(pod)[NAME] == service and pods.is_ready(pod)
        )
        options = LogOptions(service, since=self.platform.store.clock() - seconds)
        return b"".join([chunk async for chunk in self.platform.logs(pod, options)]).decode()

    def waits(self) -> float:
        """The longest of a few answers of the public health endpoint, in seconds."""
        return max(self.platform.health.patience()[0] for _ in range(8))


@pytest.fixture(scope="module")
def first_look() -> Drill:
    """Tests only look at this one."""
    return Drill()


async def test_at_the_first_look_the_database_is_at_its_limit_and_its_services_suffer(first_look: Drill) -> None:
    drill = first_look
    now = drill.platform.clock.now

    assert [drill.database.load_percent(now - 60.0 * ago) for ago in range(22)] == [100.0] * 22
    assert drill.database.load_percent(now - 28 * 60) < 70
    assert drill.fired == ["accounts-db-dtu-high", "accounts-db-workers-high"]
    assert drill.unready == dict.fromkeys(FEELS_IT, 1)
    assert {entry["status"] for entry in drill.platform.health.report()["entries"].values()} == {"Healthy", "Degraded"}
    assert drill.waits() > 2.5
    tired = drill.platform.health.report(tired=True)
    assert tired["status"] == "Unhealthy"
    assert set(tired["unhealthy"]) == {"accounts", "transactions", "payments"}
    accounts, gateway, identity = [
        await drill.log(name) for name in ("account-service", "api-gateway", "identity-service")
    ]
    assert "Execution Timeout Expired" in accounts
    assert f"on {ACCOUNTS}" in accounts
    assert "-> 504 upstream account-service timed out" in gateway
    assert "fail:" not in identity
    assert "Timeout" not in await drill.log("statement-render")


async def test_what_led_to_it_is_there_to_be_found(first_look: Drill) -> None:
    drill = first_look
    (blocker,) = drill.database.sessions.blocking()
    requests = drill.database.sessions.requests()
    operations = [event.operation for event in drill.estate.part.activity]
    early = (await drill.log("transaction-service", 1800)).splitlines()

    assert blocker.program == "Banking.Migrations/0041"
    assert Counter(request.blocking_session_id for request in requests) == {0: 1, 87: 23}
    assert "Microsoft.Sql/servers/firewallRules/write" in operations
    assert any("migration 0041" in commit.subject for commit in drill.platform.scenario.commits)
    assert not any("Timeout" in line for line in early[:100]), "half an hour ago all was well"


async def test_restarting_everything_does_not_help() -> None:
    drill = Drill()
    before = {pod["metadata"]["uid"] for pod in drill.platform.store.list(POD, PROD)}
    drill.restart()
    drill.advance(300)

    assert drill.pressure > 1.4
    assert drill.unready == dict.fromkeys(FEELS_IT, 1), "of the new pods as many are unready as were of the old"
    assert len(before & {pod["metadata"]["uid"] for pod in drill.platform.store.list(POD, PROD)}) == 28
    assert drill.waits() > 2.5


async def test_scaling_up_heals_after_a_moment_without_connections_and_scaling_down_undoes_it() -> None:
    drill = Drill()
    drill.scale("S4")
    drill.advance(60)
    assert drill.unready == dict.fromkeys(FEELS_IT, 1), "it takes its time"
    while drill.database.status == "Scaling":
        drill.advance(1)
    cut_off = drill.platform.health.report()
    drill.advance(300)

    assert cut_off["unhealthy"] == ["accounts", "transactions", "payments"]
    assert 0.7 < drill.pressure < 0.95
    assert (drill.unready, drill.fired) == ({}, [])
    assert drill.platform.health.report()["status"] == "Healthy"
    assert drill.waits() < 0.1
    assert "Error Number:40613" in await drill.log("account-service", 600)
    assert "Timeout" not in await drill.log("account-service")
    assert drill.database.sessions.blocking(), "the locks are still held"

    drill.scale("S3")
    drill.advance(400)
    assert drill.pressure > 1.4
    assert drill.unready == dict.fromkeys(FEELS_IT, 1)


async def test_ending_the_blocking_session_heals_too() -> None:
    drill = Drill()
    assert drill.database.sessions.kill(87)
    drill.advance(300)

    assert 0.5 < drill.pressure < 0.85
    assert (drill.unready, drill.fired) == ({}, [])
    assert drill.platform.health.report()["status"] == "Healthy"
    assert drill.database.sessions.requests() == []


def test_in_the_payment_release_the_databases_are_well_but_for_the_connections_that_the_crashing_pods_hold() -> None:
    drill = Drill("payment-release")
    now = drill.platform.clock.now

    assert all(0.1 < database.pressure(now) < 0.6 for database in drill.estate.databases)
    assert drill.fired == []
    assert 0.75 < drill.database.connections(now) / 2400 < 0.9
    assert drill.database.connections(now - 25 * 60) / 2400 < 0.25
    store = drill.platform.store
    found = store.get(DEPLOYMENT, PROD, "payment-service")
    assert found is not None
    template = found["spec"]["template"]
    container = {**template["spec"]["containers"][0], "image": "bankingacr.azurecr.io/payment-service:1.4.0"}
    well = {**template, "spec": {**template["spec"], "containers": [container]}}
    store.update(DEPLOYMENT, {**found, "spec": {**found["spec"], "template": well}})
    drill.advance(240)
    assert drill.database.connections(drill.platform.clock.now) / 2400 < 0.25, "whoever rolls back frees them"


@pytest.mark.parametrize("change", ["S0", "S2"])
def test_whoever_scales_a_database_down_in_the_wrong_drill_makes_it_worse(change: str) -> None:
    drill = Drill("payment-release")
    drill.scale(change)
    drill.advance(300)

    assert drill.pressure > 0.7
    assert (drill.pressure > 1.15) == (drill.unready["account-service"] > 0)


async def test_the_program_lists_it_opens_it_and_finds_it_unhealthy(tmp_path: Path) -> None:
    user = fresh_user(tmp_path)
    listed = await warroom(user, "drill", "--list")
    opened = await warroom(user, "drill", "database-degradation")
    async with running("database-degradation") as told:
        looked = await warroom(user, "status", "--json", *flags(told))

    assert "database-degradation" in {line.split()[0] for line in listed.out.splitlines()}
    assert opened.status == 0, opened.err
    assert "account-service" in opened.out
    assert looked.status == 1, looked.err
    seen = document(looked)
    assert {row["owner"] for row in seen["pods"]["unhealthy"]} == {f"Deployment/{name}" for name in FEELS_IT}
    (slow,) = [row for row in seen["endpoints"] if row["url"] == told.urls["api"]]
    assert slow["latency_ms"] is None or slow["latency_ms"] > 1500
