"""What can be done to the embedded Azure's databases: it takes its time, is followed, and is in the activity log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from drill.azure.activity import parse
from tests.drill.azure_desk import ACCOUNTS, GROUP, PLAIN, REPORTS, SERVER, Desk, Json, azure


def log_of(desk: Desk, name: str) -> list[tuple[str, str]]:
    """(operation, status) of everything that was done to a database in this test, oldest first."""
    estate = desk.estate
    wanted = parse(f"eventTimestamp ge '{estate.instants.stamp(estate.clock.now - 3600)}'", estate.instants)
    events = estate.log.page(wanted, "", 1000).events
    mine = [event for event in reversed(events) if event.act.resource.endswith(f"/databases/{name}")]
    return [(event.act.operation.rpartition("databases/")[2], event.status) for event in mine]


def restore_of(desk: Desk, minutes: float, **properties: Any) -> Json:
    point = datetime.now(UTC) - timedelta(minutes=minutes)
    source = {"createMode": "PointInTimeRestore", "sourceDatabaseId": desk.database_id()}
    return {
        "location": "westeurope",
        "properties": {**source, "restorePointInTime": f"{point:%Y-%m-%dT%H:%M:%SZ}", **properties},
    }


async def test_scaling_up_takes_its_time_drops_connections_for_a_moment_and_relieves_the_database() -> None:
    async with azure() as desk:
        database = desk.estate.database(ACCOUNTS)
        poller = await desk.sql.databases.begin_update(
            GROUP, SERVER, ACCOUNTS, {"sku": {"name": "S4"}, "tags": {"incident": "INC-1"}}, **PLAIN
        )
        meanwhile = await desk.sql.databases.get(GROUP, SERVER, ACCOUNTS, **PLAIN)
        going = [one async for one in desk.sql.database_operations.list_by_database(GROUP, SERVER, ACCOUNTS, **PLAIN)]
        alone = await desk.ask(desk.database_id(), "PATCH", {"sku": {"name": "S6"}})
        desk.advance(140)
        result = await poller.result()
        now = desk.estate.clock.now
        done = [one async for one in desk.sql.database_operations.list_by_database(GROUP, SERVER, ACCOUNTS, **PLAIN)]
        told = log_of(desk, ACCOUNTS)

    assert (meanwhile.status, meanwhile.requested_service_objective_name) == ("Scaling", "S4")
    assert meanwhile.current_service_objective_name == "S3"
    assert (going[0].state, going[0].operation, going[0].is_cancellable) == (
        "InProgress",
        "UpdateLogicalDatabase",
        True,
    )
    assert going[0].percent_complete < 100
    assert (alone[0], alone[1]["error"]["code"]) == (409, "UpsloUpdateInProgress")
    assert (result.status, result.current_service_objective_name, result.tags) == (
        "Online",
        "S4",
        {"incident": "INC-1"},
    )
    assert (done[0].state, done[0].percent_complete) == ("Succeeded", 100)
    ((since, end),) = database.interruptions
    assert database.interrupted(since + 1)
    assert not database.interrupted(end)
    assert database.pressure(since - 1) > 1.5
    assert database.pressure(now) < 1
    assert told == [
        ("write", "Started"),
        ("write", "Accepted"),
        ("write", "Started"),
        ("write", "Failed"),
        ("write", "Succeeded"),
    ]


async def test_a_restore_makes_a_new_database_step_by_step_and_leaves_its_source_alone() -> None:
    name = "banking-restore-20261125"
    async with azure() as desk:
        seen: list[str] = []
        poller = await desk.sql.databases.begin_create_or_update(
            GROUP, SERVER, name, restore_of(desk, 30), polling=False, **PLAIN
        )
        del poller
        status, asked = await desk.ask(desk.database_id(name))
        seen.append(asked["properties"]["status"])
        usages = await desk.ask(f"{desk.database_id(name)}/usages")
        database = desk.estate.database(name)
        desk.advance(30)
        seen.append(database.status)
        operation = database.operations[0]
        desk.advance(400)
        seen.append(database.status)
        restored = await desk.sql.databases.get(GROUP, SERVER, name, **PLAIN)
        source = await desk.sql.databases.get(GROUP, SERVER, ACCOUNTS, **PLAIN)
        told = log_of(desk, name)

    assert (status, seen) == (200, ["Creating", "Restoring", "Online"])
    assert "earliestRestoreDate" not in asked["properties"]
    assert usages[0] == 200
    assert (restored.current_service_objective_name, source.status) == ("S3", "Online")
    assert operation.ended is not None
    assert 0.85 * 360 < operation.ended - operation.begun < 1.2 * 360
    assert told == [("write", "Started"), ("write", "Accepted"), ("write", "Succeeded")]


async def test_a_long_operation_is_answered_with_where_to_ask_and_when_and_can_be_followed_by_anybody() -> None:
    async with azure() as desk:
        url = f"{desk.arm.url}{desk.database_id('copy')}?api-version=2025-01-01"
        headers = {"Authorization": f"Bearer {desk.arm.token}", "x-ms-client-request-id": "from-the-console"}
        headers["x-ms-correlation-request-id"] = "1e121103-0ba6-4300-ac9d-952bb5d0c80f"
        async with desk.session.put(url, json=restore_of(desk, 5), headers=headers) as answer:
            said = await answer.json()
            links = answer.headers
        first = await desk.ask(links["Azure-AsyncOperation"])
        early = await desk.ask(links["Location"])
        operation = desk.estate.operations[first[1]["name"]]
        desk.advance(180)
        half = await desk.ask(links["Azure-AsyncOperation"])
        desk.advance(250)
        last = await desk.ask(links["Azure-AsyncOperation"])
        result = await desk.ask(links["Location"])
        nothing = await desk.ask(links["Location"].replace(operation.id, "00000000-0000-4000-8000-000000000000"))
        newest = f"eventTimestamp ge '{desk.estate.instants.stamp(desk.estate.clock.now - 300)}'"
        (event,) = desk.estate.log.page(parse(newest, desk.estate.instants), "", 1).events

    assert (answer.status, said["operation"]) == (202, "RestoreLogicalDatabase")
    assert "/locations/westeurope/databaseRestoreAzureAsyncOperation/" in links["Azure-AsyncOperation"]
    assert links["Retry-After"] == "1", "Azure's 15 seconds are shorter where the clock runs faster"
    assert (first[0], first[1]["status"], early[0]) == (200, "InProgress", 202)
    assert 40 < half[1]["percentComplete"] < 60
    assert last[1]["status"] == "Succeeded"
    assert (result[0], result[1]["name"]) == (200, "copy")
    assert (nothing[0], nothing[1]["error"]["code"]) == (404, "OperationIdNotFound")
    assert event.act.correlation == "1e121103-0ba6-4300-ac9d-952bb5d0c80f"
    assert event.act.client_request == "from-the-console"


@pytest.mark.parametrize(
    ("minutes", "name", "change", "code"),
    [
        (60 * 24 * 8, "copy", {}, "InvalidRestorePointInTime"),
        (-30, "copy", {}, "InvalidRestorePointInTime"),
        (30, REPORTS, {}, "DatabaseAlreadyExists"),
        (30, "copy", {"sourceDatabaseId": "/subscriptions/elsewhere"}, "SourceDatabaseNotFound"),
        (30, "copy", {"restorePointInTime": "yesterday"}, "InvalidRestorePointInTime"),
        (30, "copy", {"createMode": "Secondary"}, "UnsupportedCreateMode"),
        (30, "copy", {"requestedServiceObjectiveName": "S99"}, "InvalidSku"),
    ],
)
async def test_a_restore_that_cannot_be_is_refused_and_its_refusal_is_in_the_log(
    minutes: float, name: str, change: Json, code: str
) -> None:
    async with azure() as desk:
        status, body = await desk.ask(desk.database_id(name), "PUT", restore_of(desk, minutes, **change))
        told = log_of(desk, name)
        names = {database.name for database in desk.estate.databases}

    assert (400 <= status < 500, body["error"]["code"]) == (True, code)
    assert told == [("write", "Started"), ("write", "Failed")]
    assert names == {ACCOUNTS, REPORTS}


async def test_scaling_to_what_is_no_tier_or_too_small_is_refused_and_to_what_it_is_changes_nothing() -> None:
    async with azure() as desk:
        wrong = await desk.ask(desk.database_id(), "PATCH", {"sku": {"name": "S5"}})
        small = await desk.ask(desk.database_id(), "PATCH", {"sku": {"name": "Basic"}})
        zones = await desk.ask(desk.database_id(), "PATCH", {"properties": {"zoneRedundant": True}})
        same = await desk.ask(desk.database_id(), "PATCH", {"sku": {"name": "Standard", "capacity": 100}})
        with pytest.raises(ResourceNotFoundError):
            await desk.sql.databases.begin_update(GROUP, SERVER, "Nothing", {"sku": {"name": "S4"}}, **PLAIN)

    assert [(status, body["error"]["code"]) for status, body in (wrong, small, zones)] == [
        (400, "InvalidSku"),
        (400, "InvalidMaxSizeTierCombination"),
        (400, "ProvisioningDisabled"),
    ]
    assert (same[0], same[1]["properties"]["status"]) == (200, "Online")


async def test_a_cancelled_operation_leaves_everything_as_it_was() -> None:
    async with azure() as desk:
        await desk.ask(desk.database_id(), "PATCH", {"sku": {"name": "S6"}})
        await desk.ask(desk.database_id("copy"), "PUT", restore_of(desk, 30))
        scaling = desk.estate.database(ACCOUNTS).operations[0]
        restoring = desk.estate.database("copy").operations[0]
        await desk.sql.database_operations.cancel(GROUP, SERVER, ACCOUNTS, scaling.id, **PLAIN)
        with pytest.raises(ResourceExistsError):
            await desk.sql.database_operations.cancel(GROUP, SERVER, ACCOUNTS, scaling.id, **PLAIN)
        states = scaling.state
        await desk.sql.database_operations.cancel(GROUP, SERVER, "copy", restoring.id, **PLAIN)
        desk.advance(15)
        place = f"{desk.estate.scope}/providers/Microsoft.Sql/locations/westeurope/databaseAzureAsyncOperation"
        asked = await desk.ask(f"{place}/{scaling.id}")
        after = await desk.sql.databases.get(GROUP, SERVER, ACCOUNTS, **PLAIN)
        names = {database.name for database in desk.estate.databases}
        told = log_of(desk, ACCOUNTS)

    assert states == "CancelInProgress"
    assert (asked[1]["status"], asked[1]["error"]["code"]) == ("Canceled", "OperationCancelled")
    assert (after.status, after.current_service_objective_name) == ("Online", "S3")
    assert names == {ACCOUNTS, REPORTS}
    assert told[-1] == ("write", "Canceled")
    assert ("operations/cancel/action", "Succeeded") in told


async def test_an_operation_can_fail_half_way_and_says_so_everywhere() -> None:
    async with azure() as desk:
        desk.arm.faults.failing = 1
        poller = await desk.sql.databases.begin_update(GROUP, SERVER, ACCOUNTS, {"sku": {"name": "S4"}}, **PLAIN)
        desk.advance(70)
        with pytest.raises(HttpResponseError) as caught:
            await poller.result()
        (one,) = [op async for op in desk.sql.database_operations.list_by_database(GROUP, SERVER, ACCOUNTS, **PLAIN)]
        after = await desk.sql.databases.get(GROUP, SERVER, ACCOUNTS, **PLAIN)
        told = log_of(desk, ACCOUNTS)

    assert "encountered an error processing your request" in str(caught.value)
    assert (one.state, one.error_code) == ("Failed", 40197)
    assert 40 <= one.percent_complete <= 60
    assert (after.status, after.current_service_objective_name) == ("Online", "S3")
    assert told[-1] == ("write", "Failed")


async def test_a_database_that_is_dropped_is_gone_and_a_restore_into_it_ends() -> None:
    async with azure() as desk:
        await desk.ask(desk.database_id("copy"), "PUT", restore_of(desk, 30))
        operation = desk.estate.database("copy").operations[0]
        gone = await desk.ask(desk.database_id("copy"), "DELETE")
        poller = await desk.sql.databases.begin_delete(GROUP, SERVER, REPORTS, **PLAIN)
        desk.advance(15)
        await poller.result()
        again = await desk.ask(desk.database_id(REPORTS), "DELETE")
        names = {database.name for database in desk.estate.databases}

    assert operation.state == "Cancelled"
    assert (gone[0], again[0]) == (202, 204)
    assert names == {ACCOUNTS}
