"""The databases: what they are, how they do, what is near a limit, and what could not be seen of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from msgspec.structs import replace

from probes.azure import database_rows, wire
from probes.azure.account import Account
from probes.azure.databases import DatabasesProbe
from probes.azure.rows import Database, Metric, Replica
from probes.freshness import Snapshot, State
from probes.rows import Health
from tests.arm_server import (
    GROUP,
    SUBSCRIPTION,
    TOKEN,
    Answer,
    ArmServer,
    Json,
    Reply,
    account,
    arm_server,
    forbidden,
    put_token,
    refusal,
)
from tests.azure_rows import NOW, database, load, metric

SERVERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Sql/servers"
SERVER = f"{SERVERS}/banking-sql"
BARE: Json = {"value": []}


def stored(name: str, **properties: Any) -> Json:
    """As in ListVCoreDatabasesByServer.json, in a DTU tier."""
    sku = {"name": "Standard", "tier": "Standard", "capacity": 100}
    return {
        "sku": sku,
        "kind": "v12.0,user",
        "properties": {
            "collation": "SQL_Latin1_General_CP1_CI_AS",
            "maxSizeBytes": 268435456000,
            "status": "Online",
            "databaseId": "6c764297-577b-470f-9af4-96d3d41e2ba3",
            "creationDate": "2017-06-07T04:41:33.937Z",
            "currentServiceObjectiveName": "S3",
            "requestedServiceObjectiveName": "S3",
            "zoneRedundant": False,
            "earliestRestoreDate": "2017-06-07T04:51:33.937Z",
            "currentSku": sku,
            "currentBackupStorageRedundancy": "Zone",
            **properties,
        },
        "location": "westeurope",
        "id": f"{SERVER}/databases/{name}",
        "name": name,
        "type": "Microsoft.Sql/servers/databases",
    }


MASTER = stored("master") | {"kind": "v12.0,system", "sku": {"name": "System0", "tier": "System", "capacity": 0}}
VCORES = {"name": "BC_Gen5", "tier": "BusinessCritical", "capacity": 4}
LEDGER = stored("Ledger", currentSku=VCORES, currentServiceObjectiveName="BC_Gen5_4", zoneRedundant=True)

# GetDatabaseUsages.json, ReplicationLinkListByDatabase.json, ListDatabaseOperations.json
USAGE: Json = {
    "properties": {
        "displayName": "Database Size",
        "currentValue": 4194304.0,
        "limit": 268435456000.0,
        "unit": "Bytes",
    },
    "id": f"{SERVER}/databases/Accounts/usages/database_size",
    "name": "database_size",
    "type": "Microsoft.Sql/servers/databases/usages",
}
LINK: Json = {
    "properties": {
        "partnerServer": "banking-sql-dr",
        "partnerDatabase": "Accounts",
        "partnerLocation": "North Europe",
        "role": "Primary",
        "partnerRole": "Secondary",
        "replicationMode": "ASYNC",
        "startTime": "2018-06-21T08:11:46.907Z",
        "percentComplete": 100,
        "replicationState": "CATCH_UP",
        "isTerminationAllowed": True,
        "linkType": "GEO",
    },
    "id": f"{SERVER}/databases/Accounts/replicationLinks/fb92de60",
    "name": "fb92de60",
}


def operation(number: int, state: str, percent: int) -> Json:
    return {
        "id": f"{SERVER}/databases/Accounts/operations/{number}",
        "name": f"{number}",
        "type": "Microsoft.Sql/servers/databases/operations",
        "properties": {
            "databaseName": "Accounts",
            "operation": "UpdateLogicalDatabase",
            "operationFriendlyName": "ALTER DATABASE",
            "percentComplete": percent,
            "serverName": "banking-sql",
            "startTime": f"2017-06-01T{number:02d}:10:08.1Z",
            "state": state,
        },
    }


def measured(request: web.Request, value: float = 41.0) -> Json:
    """GetMetric.json: what was asked for, a point a minute, the newest two not there yet."""
    until = time.time() // 60 * 60
    names = request.query["metricnames"].split(",")
    points: list[Json] = [
        {
            "timeStamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until - 60 * ago)),
            "average": value,
            "maximum": value,
            "total": 0.0,
        }
        for ago in range(60, 2, -1)
    ]
    points += [{"timeStamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until - 60 * ago))} for ago in (2, 1)]
    return {
        "cost": 59,
        "timespan": request.query["timespan"],
        "interval": "PT1M",
        "value": [
            {
                "id": f"{request.path}/{name}",
                "type": "Microsoft.Insights/metrics",
                "name": {"value": name, "localizedValue": name.replace("_", " ")},
                "displayDescription": "",
                "unit": "Percent" if name.endswith("percent") else "Count",
                "timeseries": [{"metadatavalues": [], "data": points}],
                "errorCode": "Success",
            }
            for name in names
        ],
        "namespace": "Microsoft.Sql/servers/databases",
        "resourceregion": "westeurope",
    }


@pytest.fixture
async def server() -> AsyncIterator[ArmServer]:
    async with arm_server() as running:
        running.answers |= {
            "/servers": {"value": [{"id": SERVER, "name": "banking-sql", "type": "Microsoft.Sql/servers"}]},
            "/banking-sql/databases": {"value": [stored("Accounts"), LEDGER, MASTER]},
            "/insights/metrics": measured,
            "/accounts/usages": {"value": [USAGE]},
            "/accounts/replicationlinks": {"value": [LINK]},
            "/accounts/operations": {"value": [operation(9, "Succeeded", 100), operation(10, "InProgress", 19)]},
            "/usages": BARE,
            "/replicationlinks": BARE,
            "/operations": BARE,
        }
        running.answers["/microsoft.insights/metrics"] = running.answers.pop("/insights/metrics")
        yield running


@pytest.fixture
async def azure(server: ArmServer, tmp_path: Path) -> AsyncIterator[Account]:
    async with account(server, tmp_path) as opened:
        yield opened


async def until(probe: DatabasesProbe, true: Callable[[Snapshot[Database]], object]) -> Snapshot[Database]:
    async with aclosing(probe.watch()) as snapshots:
        async for snapshot in snapshots:
            if true(snapshot):
                return snapshot
    raise AssertionError("the probe ended")


def live(snapshot: Snapshot[Database]) -> bool:
    return snapshot.freshness.live


async def first(azure: Account, *names: str) -> dict[str, Database]:
    snapshot = await until(DatabasesProbe(azure, names, 60), live)
    return {row.name: row for row in snapshot.rows.values()}


async def test_a_database_is_told_whole_and_the_servers_own_is_left_out(server: ArmServer, azure: Account) -> None:
    found = await first(azure)

    assert set(found) == {"Accounts", "Ledger"}
    row = found["Accounts"]
    assert row.key == f"{SERVER}/databases/Accounts".lower()
    assert (row.server, row.resource_group, row.status, row.health) == ("banking-sql", GROUP, "Online", Health.HEALTHY)
    assert (row.objective, row.edition, row.capacity, row.unit) == ("S3", "Standard", 100, "DTU")
    assert (row.max_size, row.zone_redundant, row.location) == (268435456000, False, "westeurope")
    assert row.earliest_restore_at == 1496811093.937
    assert [(usage.name, usage.current, usage.limit) for usage in row.usages] == [
        ("database_size", 4194304, 268435456000)
    ]
    assert [(link.server, link.role, link.state) for link in row.replicas] == [
        ("banking-sql-dr", "Secondary", "CATCH_UP")
    ]
    assert [(each.id, each.state, each.percent, each.going_on) for each in row.operations] == [
        ("10", "InProgress", 19, True),
        ("9", "Succeeded", 100, False),
    ]
    assert row.unseen == ()
    ledger = found["Ledger"]
    assert (ledger.unit, ledger.capacity, ledger.objective, ledger.zone_redundant) == ("vCores", 4, "BC_Gen5_4", True)


async def test_the_hour_of_all_metrics_is_one_question_for_each_database(server: ArmServer, azure: Account) -> None:
    found = await first(azure)

    accounts, ledger = found["Accounts"], found["Ledger"]
    assert [metric.name for metric in accounts.metrics] == [
        "dtu_consumption_percent",
        "storage_percent",
        "workers_percent",
        "sessions_percent",
        "deadlock",
        "connection_failed",
        "blocked_by_firewall",
    ]
    assert accounts.load is not None
    assert (len(accounts.load.samples), accounts.load.last, accounts.load.unit) == (60, 41.0, "Percent")
    assert accounts.load.samples[-1][1] is None
    assert ledger.load is not None
    assert ledger.load.name == "cpu_percent"
    assert server.count("Microsoft.Insights/metrics") == 2
    assert len(server.asked) == 1 + 1 + 2 * 4


@pytest.mark.parametrize("skew", [-600.0, 600.0])
async def test_the_hour_is_azures_hour_whatever_our_clock_says(server: ArmServer, azure: Account, skew: float) -> None:
    server.skew = skew
    await first(azure)
    [asked, *_] = [path for path in server.asked if "timespan" in path]
    until = parse_qs(urlsplit(asked).query)["timespan"][0].partition("/")[2]
    assert (wire.instant(until) or 0.0) == pytest.approx(time.time() + skew, abs=120)


async def test_only_the_databases_of_the_settings_and_one_that_is_not_there_is_named(
    server: ArmServer, azure: Account
) -> None:
    probe = DatabasesProbe(azure, ("Banking-SQL/accounts", "banking-sql/Payments"), 60)
    snapshot = await until(probe, lambda new: new.freshness.detail)

    assert [row.name for row in snapshot.rows.values()] == ["Accounts"]
    assert snapshot.freshness.state is State.LIVE
    assert snapshot.freshness.detail == f"no such database in {GROUP}: banking-sql/payments (azure.databases)"


async def test_what_cannot_be_seen_of_a_database_is_told_beside_what_can(server: ArmServer, azure: Account) -> None:
    special: dict[str, Answer | Json | list[Reply]] = {
        "/accounts/providers/microsoft.insights/metrics": [forbidden("Microsoft.Insights/metrics/read", SERVER)],
        "/ledger/usages": [refusal(500, "InternalServerError", "An unexpected error occured.")],
    }
    server.answers = special | server.answers

    found = await first(azure)

    [unseen] = found["Accounts"].unseen
    assert unseen.startswith(
        "metrics: may not see the metrics of Accounts: Microsoft.Insights/metrics/read is missing for "
        'tech-lead@contoso.com (az role assignment create --role "Reader"'
    )
    assert (found["Accounts"].metrics, found["Accounts"].health) == ((), Health.HEALTHY)
    assert found["Accounts"].usages
    assert found["Ledger"].unseen == (
        "usages: Azure cannot answer the usages of Ledger now (500): An unexpected error occured.",
    )
    assert found["Ledger"].load is not None


async def test_what_was_known_stays_while_it_cannot_be_read_and_comes_back(server: ArmServer, azure: Account) -> None:
    busy: list[str] = []

    def done(snapshot: Snapshot[Database]) -> bool:
        row = next((row for row in snapshot.rows.values() if row.name == "Accounts"), None)
        if row is None or not live(snapshot):
            return False
        assert row.load is not None
        if not busy:
            server.answers = {"/accounts/usages": server.answers["/accounts/usages"]} | server.answers
            server.answers["/microsoft.insights/metrics"] = [refusal(429, "TooManyRequests", "Wait.", Retry_After="0")]
            busy.append("")
        elif row.unseen and len(busy) == 1:
            server.answers["/microsoft.insights/metrics"] = measured
            busy.append(row.unseen[0])
        return len(busy) == 2 and not row.unseen

    await until(DatabasesProbe(azure, (), 0.02), done)
    assert busy[1] == "metrics: Azure throttles us (429), and asks to wait 0 s"


async def test_a_metric_that_a_tier_does_not_have_costs_only_itself(server: ArmServer, azure: Account) -> None:
    def picky(request: web.Request) -> Reply:
        if "workers_percent" in request.query["metricnames"]:
            return refusal(
                400,
                "BadRequest",
                "Failed to find metric configuration for provider: Microsoft.Sql, resource Type: servers/databases, "
                "metric: workers_percent, Valid metrics: cpu_percent,storage_percent",
            )
        return measured(request)

    server.answers["/microsoft.insights/metrics"] = picky
    row = (await first(azure))["Accounts"]
    assert len(row.metrics) == 6
    assert row.metric("workers_percent") is None
    assert row.unseen == ()


async def test_one_server_that_fails_does_not_hide_the_other(server: ArmServer, azure: Account) -> None:
    other = {"id": f"{SERVERS}/other-sql", "name": "other-sql"}
    server.answers["/servers"] = {"value": [{"id": SERVER, "name": "banking-sql"}, other]}
    server.answers["/other-sql/databases"] = [refusal(503, "ServerTimeout", "The server is busy.")]
    assert set(await first(azure)) == {"Accounts", "Ledger"}


@pytest.mark.parametrize(
    ("answer", "state", "detail"),
    [
        (
            refusal(404, "ResourceGroupNotFound", f"Resource group '{GROUP}' could not be found."),
            State.UNAVAILABLE,
            f"Resource group '{GROUP}' could not be found. (azure.resource_groups)",
        ),
        (
            refusal(404, "SubscriptionNotFound", f"The subscription '{SUBSCRIPTION}' could not be found."),
            State.UNAVAILABLE,
            f"The subscription '{SUBSCRIPTION}' could not be found. (azure.subscription)",
        ),
        (
            forbidden("Microsoft.Sql/servers/read", SERVERS),
            State.FORBIDDEN,
            f"may not see the SQL servers of {GROUP}: Microsoft.Sql/servers/read is missing for tech-lead@contoso.com",
        ),
    ],
    ids=["group", "subscription", "role"],
)
async def test_what_the_settings_have_wrong_is_said(
    server: ArmServer, azure: Account, answer: Reply, state: State, detail: str
) -> None:
    server.answers["/servers"] = [answer]
    snapshot = await until(DatabasesProbe(azure, (), 60), lambda new: new.freshness.state is not State.LOADING)
    assert (snapshot.freshness.state, snapshot.freshness.detail) == (state, detail)


async def test_a_login_that_ends_makes_it_stale_and_comes_back(
    server: ArmServer, azure: Account, tmp_path: Path
) -> None:
    states: list[State] = []

    def done(snapshot: Snapshot[Database]) -> bool:
        states.append(snapshot.freshness.state)
        if live(snapshot) and State.STALE not in states:
            server.accepts = {"another"}
        elif snapshot.freshness.state is State.STALE:
            assert snapshot.rows
            assert "expired" in snapshot.freshness.detail
            put_token(tmp_path, "another")
        return live(snapshot) and State.STALE in states

    await until(DatabasesProbe(azure, (), 0.02), done)
    assert TOKEN in server.tokens


def judged(row: Database) -> tuple[Health, tuple[str, ...]]:
    row = replace(row, near=database_rows.near(row.metrics))
    return database_rows.health(row), row.near


def counted(name: str, values: Sequence[float | None]) -> Metric:
    return replace(metric(name, values), unit="Count", aggregation="Total")


@pytest.mark.parametrize(
    ("row", "health", "near"),
    [
        (database(), Health.HEALTHY, ()),
        (database(metrics=(load(31, 98, 12),)), Health.FAILING, ("DTU 98 % for 12 min",)),
        (database(metrics=(load(31, 98, 1),)), Health.DEGRADED, ("DTU 98 %",)),
        (database(metrics=(load(31, 91, 12),)), Health.DEGRADED, ("DTU 91 % for 12 min",)),
        (database(metrics=(metric("storage_percent", [91.0] * 60),)), Health.DEGRADED, ("storage 91 %",)),
        (database(metrics=(metric("storage_percent", [98.2]),)), Health.FAILING, ("storage 98 %",)),
        (
            database(metrics=(counted("deadlock", [9.0] * 10 + [0.0] * 8 + [2, 1]), counted("connection_failed", [1]))),
            Health.DEGRADED,
            ("3 deadlocks in 10 min", "1 failed connection in 10 min"),
        ),
        (database(metrics=(metric("dtu_consumption_percent", [None] * 60),)), Health.HEALTHY, ()),
        (database(status="Offline"), Health.FAILING, ()),
        (database(status="Restoring"), Health.DEGRADED, ()),
        (database(status="Paused", metrics=(load(99, 99, 30),)), Health.DORMANT, ("DTU 99 % for 60 min",)),
        (
            database(
                replicas=(
                    Replica(server="s", database="d", role="Secondary", state="SUSPENDED", location="northeurope"),
                )
            ),
            Health.DEGRADED,
            (),
        ),
    ],
)
def test_how_a_database_does_is_said_in_words(row: Database, health: Health, near: tuple[str, ...]) -> None:
    assert judged(row) == (health, near)
    assert row.created_at is not None
    assert row.created_at < NOW
