"""What the embedded Azure shows, read by the clients that the console uses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from azure.core.exceptions import HttpResponseError

from drill.azure.part import SqlDatabase
from tests.drill.azure_desk import ACCOUNTS, GROUP, PLAIN, REPORTS, SERVER, Desk, azure

WINDOW = "eventTimestamp ge '{:%Y-%m-%dT%H:%M:%S.%fZ}' and resourceGroupName eq '{}'"


def since(hours: float, group: str = GROUP) -> str:
    return WINDOW.format(datetime.now(UTC) - timedelta(hours=hours), group)


async def events(desk: Desk, text: str) -> list[tuple[str, str, str]]:
    """(operation, status, wording of the sub-status), in the order of the answer."""
    found = [event async for event in desk.monitor.activity_logs.list(filter=text, **PLAIN)]
    return [(str(e.operation_name.value), str(e.status.value), str(e.sub_status.localized_value)) for e in found]


async def test_the_databases_are_there_as_azure_describes_them() -> None:
    async with azure() as desk:
        listed = {one.name: one async for one in desk.sql.databases.list_by_server(GROUP, SERVER, **PLAIN)}
        one = await desk.sql.databases.get(GROUP, SERVER.upper(), ACCOUNTS.lower(), **PLAIN)
        servers = [found.name async for found in desk.sql.servers.list_by_resource_group(GROUP, **PLAIN)]
        usages = [use async for use in desk.sql.database_usages.list_by_database(GROUP, SERVER, ACCOUNTS, **PLAIN)]
        links = [link async for link in desk.sql.replication_links.list_by_database(GROUP, SERVER, ACCOUNTS, **PLAIN)]
        points = [point async for point in desk.sql.restore_points.list_by_database(GROUP, SERVER, ACCOUNTS, **PLAIN)]

    assert set(listed) == {"master", ACCOUNTS, REPORTS}
    assert servers == [SERVER]
    assert (one.name, one.status, one.current_service_objective_name) == (ACCOUNTS, "Online", "S3")
    assert (one.sku.name, one.sku.tier, one.sku.capacity) == ("Standard", "Standard", 100)
    assert one.max_size_bytes == 250 * 1024**3
    assert one.earliest_restore_date is not None
    assert timedelta(days=6.9) < datetime.now(UTC) - one.earliest_restore_date < timedelta(days=7.1)
    reports = listed[REPORTS]
    assert (reports.sku.name, reports.sku.family, reports.sku.capacity) == ("GP_Gen5", "Gen5", 2)
    assert reports.zone_redundant
    assert [(use.name, use.unit) for use in usages] == [
        ("database_size", "Bytes"),
        ("database_allocated_size", "Bytes"),
    ]
    assert 0.47 < usages[0].current_value / usages[0].limit < 0.48
    assert [(link.partner_server, link.replication_state) for link in links] == [
        ("banking-platform-dr-sql", "CATCH_UP")
    ]
    assert points[0].earliest_restore_date == one.earliest_restore_date


async def test_an_hour_of_metrics_shows_since_when_the_database_is_at_its_limit() -> None:
    async with azure() as desk:
        now = datetime.now(UTC)
        answer = await desk.monitor.metrics.list(
            desk.database_id(),
            timespan=f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}/{now:%Y-%m-%dT%H:%M:%SZ}",
            interval="PT1M",
            metricnames="dtu_consumption_percent,workers_percent,deadlock,connection_failed,storage_percent",
            aggregation="Average,Total",
            **PLAIN,
        )
        of_reports = await desk.monitor.metrics.list(
            desk.database_id(REPORTS), metricnames="cpu_percent,dtu_consumption_percent", **PLAIN
        )

    found = {str(metric.name.value): metric for metric in answer.value}
    dtu = found["dtu_consumption_percent"].timeseries[0].data
    assert len(dtu) >= 60
    assert all(
        point.time_stamp.second == 0 and later.time_stamp - point.time_stamp == timedelta(minutes=1)
        for point, later in pairwise(dtu)
    )
    ages = [(now - point.time_stamp).total_seconds() / 60 for point in dtu]
    assert all(45 < point.average < 65 for point, age in zip(dtu, ages, strict=True) if age > 27)
    assert all(point.average == 100 for point, age in zip(dtu, ages, strict=True) if age < 22)
    assert found["dtu_consumption_percent"].unit == "Percent"
    assert found["deadlock"].unit == "Count"
    assert sum(point.total for point in found["connection_failed"].timeseries[0].data) > 20
    assert 47 < found["storage_percent"].timeseries[0].data[-1].average < 48
    cpu, none = of_reports.value
    assert 15 < cpu.timeseries[0].data[-1].average < 35
    assert none.timeseries == [], "a database with vCores has no DTUs"


async def test_a_metric_that_is_none_is_told_with_those_that_are() -> None:
    async with azure() as desk:
        with pytest.raises(HttpResponseError) as caught:
            await desk.monitor.metrics.list(desk.database_id(), metricnames="dtu_percent", **PLAIN)

    assert caught.value.status_code == 400
    assert "metric: dtu_percent, Valid metrics: cpu_percent" in str(caught.value.message)


async def test_the_past_is_in_the_activity_log_with_begin_and_end_under_one_correlation() -> None:
    async with azure() as desk:
        found = [event async for event in desk.monitor.activity_logs.list(filter=since(1), **PLAIN)]
        of_another = await events(desk, since(1, "some-other-rg"))
        recent = await events(desk, since(0.2))
        everything = await events(desk, since(1).partition(" and resourceGroupName")[0])
        _, bare = await desk.ask(
            f"/subscriptions/{desk.estate.part.subscription}/providers/microsoft.insights/eventtypes/management/values"
            f"?$filter={since(1)}&$select=operationName,status"
        )

    assert [event.status.value for event in found] == ["Succeeded", "Accepted", "Started"]
    assert {event.operation_name.localized_value for event in found} == {"Update SQL server firewall rule"}
    assert len({event.correlation_id for event in found}) == 1
    assert len({event.event_data_id for event in found}) == 3
    assert found[0].event_timestamp - found[-1].event_timestamp == timedelta(seconds=40)
    newest = found[0]
    assert (newest.caller, newest.category.value) == ("ci-deploy@banking-platform.com", "Administrative")
    assert newest.resource_id.endswith(f"/providers/Microsoft.Sql/servers/{SERVER}/firewallRules/ci-migrate-0041")
    assert newest.resource_type.value == "Microsoft.Sql/servers/firewallRules"
    assert (of_another, recent) == ([], [])
    assert ("Microsoft.ServiceHealth/maintenance/action", "Active", "") in everything, "it is about no group"
    assert all(set(event) == {"operationName", "status"} for event in bare["value"])


async def test_an_alert_is_fired_while_its_metric_is_above_its_threshold() -> None:
    async with azure() as desk:
        rules = [rule async for rule in desk.monitor.metric_alerts.list_by_resource_group(GROUP, **PLAIN)]
        states = {
            str(rule.name): (await desk.monitor.metric_alerts_status.list(GROUP, str(rule.name), **PLAIN)).value[0]
            for rule in rules
        }
        one = await desk.monitor.metric_alerts.get(GROUP, "dtu-high", **PLAIN)

    assert {name: state.properties.status for name, state in states.items()} == {
        "dtu-high": "Unhealthy",
        "cpu-high": "Healthy",
    }
    assert one.scopes == [desk.database_id()]
    assert one.criteria.all_of[0].metric_name == "dtu_consumption_percent"
    assert one.window_size == timedelta(minutes=5)


async def test_whoever_is_not_meant_gets_nothing_but_azures_words() -> None:
    async with azure() as desk:
        path = desk.database_id()
        refused = {
            name: await desk.ask(asked, headers=headers)
            for name, asked, headers in (
                ("no token", path, {"Authorization": ""}),
                ("wrong token", path, {"Authorization": "Bearer guessed"}),
                ("basic", path, {"Authorization": f"Basic {desk.arm.token}"}),
                ("other host", path, {"Host": f"evil.example:{desk.arm.url.rpartition(':')[2]}"}),
                ("subscription", "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups", {}),
                ("group", path.replace(GROUP, "other-rg"), {}),
                ("server", path.replace(SERVER, "other-sql"), {}),
                ("database", desk.database_id("Nothing"), {}),
                ("type", f"{desk.estate.scope}/providers/Microsoft.Web/sites", {}),
                ("version", f"{path}?api-version=latest", {}),
            )
        }

    assert {name: (status, body["error"]["code"]) for name, (status, body) in refused.items()} == {
        "no token": (401, "AuthenticationFailed"),
        "wrong token": (401, "InvalidAuthenticationToken"),
        "basic": (401, "InvalidAuthenticationToken"),
        "other host": (421, "InvalidHost"),
        "subscription": (404, "SubscriptionNotFound"),
        "group": (404, "ResourceGroupNotFound"),
        "server": (404, "ResourceNotFound"),
        "database": (404, "ResourceNotFound"),
        "type": (404, "InvalidResourceType"),
        "version": (400, "InvalidApiVersionParameter"),
    }
    assert desk.arm.token not in json.dumps(refused)


async def test_fifty_databases_come_in_pages_that_the_client_follows() -> None:
    async with azure() as desk:
        for number in range(48):
            desk.estate.add(SqlDatabase(name=f"Db{number:02}", objective="S0"), 0.0)
        desk.arm.faults.page_size = 20
        names = [str(one.name) async for one in desk.sql.databases.list_by_server(GROUP, SERVER, **PLAIN)]

    assert len(names) == len(set(names)) == 51
    assert names == sorted(names, key=str.lower)


async def test_the_requests_that_block_others_can_be_seen_and_their_end_frees_the_database() -> None:
    async with azure() as desk:
        database = desk.estate.database(ACCOUNTS)
        requests = database.sessions.requests()
        before = database.pressure(desk.estate.clock.now)
        killed = database.sessions.kill(87), database.sessions.kill(87)
        after = database.pressure(desk.estate.clock.now)

    assert requests[0].session_id == 87
    assert requests[0].text.startswith("UPDATE dbo.Entries")
    assert [request.blocking_session_id for request in requests] == [0] + [87] * 14
    assert {request.wait_type for request in requests[1:]} == {"LCK_M_S"}
    assert killed == (True, False)
    assert database.sessions.requests() == []
    assert before > 1.5
    assert after < 0.75


async def test_the_subscription_its_group_and_what_can_be_measured_are_told() -> None:
    async with azure() as desk:
        scope = f"/subscriptions/{desk.estate.part.subscription}"
        _, subscription = await desk.ask(scope)
        _, groups = await desk.ask(f"{scope}/resourcegroups")
        _, group = await desk.ask(desk.estate.scope.upper().replace("/SUBSCRIPTIONS", "/subscriptions"))
        measured = [
            str(found.name.value) async for found in desk.monitor.metric_definitions.list(desk.database_id(), **PLAIN)
        ]
        dropped = [one async for one in desk.sql.restorable_dropped_databases.list_by_server(GROUP, SERVER, **PLAIN)]
        wrong = await desk.ask(desk.database_id(), "POST")

    assert (subscription["state"], [found["name"] for found in groups["value"]], group["name"]) == (
        "Enabled",
        [GROUP],
        GROUP,
    )
    assert {"dtu_consumption_percent", "storage_percent", "deadlock", "connection_failed"} <= set(measured)
    assert dropped == []
    assert (wrong[0], wrong[1]["error"]["code"]) == (405, "HttpMethodNotAllowed")


async def test_metrics_come_in_coarser_grains_too_and_a_span_that_is_none_is_refused() -> None:
    async with azure() as desk:
        path = f"{desk.database_id()}/providers/Microsoft.Insights/metrics"
        _, coarse = await desk.ask(
            f"{path}?timespan=PT1H&interval=PT5M&metricnames=workers_percent,deadlock&aggregation=Maximum,Total,Count"
        )
        refused = [
            await desk.ask(f"{path}?{query}")
            for query in (
                "timespan=yesterday",
                "timespan=2026-01-02T00:00:00Z/2026-01-01T00:00:00Z",
                "timespan=P60D",
                "interval=PT7M",
                "aggregation=Median",
            )
        ]

    workers, deadlocks = coarse["value"]
    points = workers["timeseries"][0]["data"]
    assert 12 <= len(points) <= 13
    assert all(point["count"] in range(4, 21, 4) and point["maximum"] <= 100 for point in points)
    assert set(deadlocks["timeseries"][0]["data"][0]) == {"timeStamp", "maximum", "total", "count"}
    assert [status for status, _ in refused] == [400] * 5
