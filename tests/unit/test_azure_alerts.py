"""The alerts that are fired now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from probes.azure.account import Account
from probes.azure.alerts import AlertsProbe
from probes.azure.rows import FiredAlert
from probes.freshness import Snapshot, State
from probes.rows import Health
from tests.arm_server import GROUP, SUBSCRIPTION, ArmServer, Json, account, arm_server, forbidden, refusal

GROUP_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
DATABASE = f"{GROUP_ID}/providers/Microsoft.Sql/servers/banking-sql/databases/Accounts"


def rule(name: str, severity: int = 1, enabled: bool = True) -> Json:
    """As in listMetricAlert.json: without a name of its own."""
    return {
        "id": f"{GROUP_ID}/providers/providers/microsoft.insights/metricalerts/{name}",
        "type": "Microsoft.Insights/metricAlerts",
        "location": "global",
        "tags": {},
        "properties": {
            "description": "DTU above 90 %\nfor five minutes",
            "severity": severity,
            "enabled": enabled,
            "scopes": [DATABASE],
            "evaluationFrequency": "Pt1m",
            "windowSize": "Pt15m",
            "criteria": {"odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", "allOf": []},
            "actions": [],
        },
    }


def status(name: str, state: str, looked: str = "2018-01-17T20:17:25.6293237Z") -> Json:
    """As in getMetricAlertStatus.json."""
    return {
        "id": f"{GROUP_ID}/providers/microsoft.insights/metricAlerts/{name}",
        "name": "cmVzb3VyY2VJZD0vc3Vic2NyaXB0aW9ucy8x",
        "type": "Microsoft.Insights/metricAlerts/status",
        "properties": {
            "dimensions": {"resourceId": DATABASE},
            "status": state,
            "timestamp": looked,
        },
    }


@pytest.fixture
async def server() -> AsyncIterator[ArmServer]:
    async with arm_server() as running:
        running.answers |= {
            "/metricalerts": {"value": [rule("dtu-high"), rule("storage", 3), rule("switched-off", enabled=False)]},
            "/metricalerts/dtu-high/status": {"value": [status("dtu-high", "Unhealthy")]},
            "/metricalerts/storage/status": {"value": [status("storage", "Healthy")]},
        }
        yield running


@pytest.fixture
async def azure(server: ArmServer, tmp_path: Path) -> AsyncIterator[Account]:
    async with account(server, tmp_path) as opened:
        yield opened


async def until(
    azure: Account, true: Callable[[Snapshot[FiredAlert]], object], interval: float = 0.02
) -> Snapshot[FiredAlert]:
    async with aclosing(AlertsProbe(azure, interval).watch()) as snapshots:
        async for snapshot in snapshots:
            if true(snapshot):
                return snapshot
    raise AssertionError("the probe ended")


async def test_what_is_fired_is_a_row_and_what_is_healthy_or_switched_off_is_not(
    server: ArmServer, azure: Account
) -> None:
    snapshot = await until(azure, lambda new: new.freshness.live, 60)

    [row] = snapshot.rows.values()
    assert (row.rule, row.severity, row.state, row.health) == ("dtu-high", 1, "Unhealthy", Health.FAILING)
    assert (row.target, row.at) == ("banking-sql/Accounts", 1516220245.629323)
    assert row.description == "DTU above 90 % for five minutes"
    assert server.count("switched-off") == 0


async def test_an_alert_is_fired_since_it_was_first_seen_so_however_often_it_is_looked_at(
    server: ArmServer, azure: Account
) -> None:
    looks: set[float | None] = set()

    def done(snapshot: Snapshot[FiredAlert]) -> bool:
        looks.update(row.at for row in snapshot.rows.values())
        again = status("dtu-high", "Unhealthy", f"2018-01-17T20:{18 + server.count('dtu-high/status'):02}:25Z")
        server.answers["/metricalerts/dtu-high/status"] = {"value": [again]}
        return server.count("dtu-high/status") > 4

    await until(azure, done)
    assert len(looks) == 1


async def test_an_alert_that_ends_is_gone(server: ArmServer, azure: Account) -> None:
    def done(snapshot: Snapshot[FiredAlert]) -> bool:
        if snapshot.rows:
            server.answers["/metricalerts/dtu-high/status"] = {"value": [status("dtu-high", "Healthy")]}
        return snapshot.freshness.live and not snapshot.rows

    await until(azure, done)


async def test_a_rule_that_cannot_be_read_is_told_and_what_was_fired_stays(server: ArmServer, azure: Account) -> None:
    def done(snapshot: Snapshot[FiredAlert]) -> bool:
        if snapshot.freshness.live:
            server.answers["/metricalerts/dtu-high/status"] = [refusal(503, "ServerTimeout", "The server is busy.")]
        return snapshot.freshness.state is State.STALE

    snapshot = await until(azure, done)
    assert len(snapshot.rows) == 1
    assert snapshot.freshness.detail == (
        "1 of 2 alert rules: Azure cannot answer the alert dtu-high now (503): The server is busy."
    )


async def test_without_the_right_to_see_rules_it_says_so(server: ArmServer, azure: Account) -> None:
    server.answers["/metricalerts"] = [forbidden("Microsoft.Insights/metricAlerts/read", GROUP_ID)]
    snapshot = await until(azure, lambda new: new.freshness.state is not State.LOADING)
    assert snapshot.freshness.state is State.FORBIDDEN
    assert "Microsoft.Insights/metricAlerts/read is missing" in snapshot.freshness.detail
