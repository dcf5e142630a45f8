"""What can be made to go wrong with the embedded Azure, each as a client of it meets it."""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from drill.azure.activity import Act
from tests.drill.azure_desk import ACCOUNTS, GROUP, PLAIN, SERVER, Desk, azure


def since(hours: float) -> str:
    at = datetime.now(UTC) - timedelta(hours=hours)
    return f"eventTimestamp ge '{at:%Y-%m-%dT%H:%M:%S.%fZ}' and resourceGroupName eq '{GROUP}'"


def fill(desk: Desk, count: int) -> None:
    """So many events of the last half hour, several at the same instant."""
    estate = desk.estate
    act = Act("Microsoft.Sql/servers/databases/write", "Update SQL database", desk.database_id(), "ada", "c-1")
    for number in range(count):
        estate.log.note(act, estate.clock.now - 1700 + number // 3, "Succeeded")


async def ids(desk: Desk) -> list[str]:
    return [str(event.event_data_id) async for event in desk.monitor.activity_logs.list(filter=since(0.5), **PLAIN)]


async def test_pages_lead_through_the_whole_log_without_gaps_while_new_entries_come_in() -> None:
    async with azure() as desk:
        fill(desk, 450)
        desk.arm.faults.page_size = 100
        pages = desk.monitor.activity_logs.list(filter=since(0.5), **PLAIN).by_page()
        seen: list[str] = []
        sizes: list[int] = []
        async for page in pages:
            found = [str(event.event_data_id) async for event in page]
            seen += found
            sizes.append(len(found))
            fill(desk, 3)

    before = 450 + 3  # and the firewall rule of the past
    assert sizes[:4] == [100] * 4
    assert before <= len(seen) == len(set(seen))


async def test_a_page_can_be_handed_out_twice_and_then_goes_on() -> None:
    async with azure() as desk:
        fill(desk, 250)
        desk.arm.faults.page_size = 100
        desk.arm.faults.repeated_pages = 2
        seen = await ids(desk)

    assert len(seen) == 253 + 2 * 100
    assert len(set(seen)) == 253


async def test_a_throttled_request_is_told_how_long_to_wait_and_others_are_not_concerned() -> None:
    async with azure() as desk:
        faults = desk.arm.faults
        faults.throttled, faults.retry_after, faults.only = 1, 7, "/metrics"
        free = await desk.ask(desk.database_id())
        with pytest.raises(HttpResponseError) as caught:
            await desk.monitor.metrics.list(desk.database_id(), **PLAIN)
        afterwards = await desk.ask(f"{desk.database_id()}/providers/Microsoft.Insights/metrics")

    assert (free[0], afterwards[0]) == (200, 200)
    assert caught.value.status_code == 429
    response: Any = caught.value.response
    assert response.headers["Retry-After"] == "7"
    assert caught.value.error is not None
    assert caught.value.error.code == "TooManyRequests"


async def test_a_token_expires_in_the_middle_and_the_next_one_is_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    async with azure() as desk:
        desk.arm.keep_token(file)
        old = file.read_text().strip()
        desk.arm.expire_token()
        with pytest.raises(ClientAuthenticationError) as caught:
            await desk.sql.databases.get(GROUP, SERVER, ACCOUNTS, **PLAIN)
        desk.arm.renew_token()
        new = file.read_text().strip()
        stale = await desk.ask(desk.database_id(), headers={"Authorization": f"Bearer {old}"})
        fresh = await desk.ask(desk.database_id(), headers={"Authorization": f"Bearer {new}"})

    assert "ExpiredAuthenticationToken" in str(caught.value)
    response: Any = caught.value.response
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert old != new
    assert (stale[0], fresh[0]) == (401, 200)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_what_is_not_allowed_is_named_with_the_action_and_the_scope() -> None:
    async with azure() as desk:
        desk.arm.faults.forbidden.add("Microsoft.Insights/eventtypes/values/read")
        desk.arm.faults.forbidden.add("Microsoft.Sql/servers/databases/write")
        with pytest.raises(HttpResponseError) as caught:
            await ids(desk)
        write = await desk.ask(desk.database_id(), "PATCH", {"sku": {"name": "S4"}})
        _, mine = await desk.ask(f"{desk.estate.scope}/providers/Microsoft.Authorization/permissions")
        status = desk.estate.database(ACCOUNTS).status

    assert caught.value.status_code == 403
    assert (
        "does not have authorization to perform action 'Microsoft.Insights/eventtypes/values/read' over scope "
        f"'/subscriptions/{desk.estate.part.subscription}'" in str(caught.value)
    )
    assert (write[0], write[1]["error"]["code"], status) == (403, "AuthorizationFailed", "Online")
    assert mine["value"][0]["notActions"] == [
        "Microsoft.Insights/eventtypes/values/read",
        "Microsoft.Sql/servers/databases/write",
    ]


async def test_entries_of_the_log_can_arrive_late_and_minutes_can_lack_their_values() -> None:
    async with azure() as desk:
        await desk.ask(desk.database_id(), "PATCH", {"tags": {"a": "b"}})
        at_once = await ids(desk)
        desk.arm.faults.lag = 600.0
        late = await ids(desk)
        desk.arm.faults.blind = 3
        _, answer = await desk.ask(f"{desk.database_id()}/providers/Microsoft.Insights/metrics?timespan=PT10M")
        points = answer["value"][0]["timeseries"][0]["data"]

    assert set(late) < set(at_once)
    assert len(at_once) == len(late) + 2
    assert all("average" in point for point in points[:-4])
    assert all(set(point) == {"timeStamp"} for point in points[-2:])


async def test_azures_clock_can_be_minutes_ahead_in_all_that_it_writes_and_understands() -> None:
    async with azure() as desk:
        desk.arm.faults.skew = 300.0
        await desk.ask(desk.database_id(), "PATCH", {"tags": {"a": "b"}})
        found = [event async for event in desk.monitor.activity_logs.list(filter=since(0.1), **PLAIN)]
        ahead = (found[0].event_timestamp - datetime.now(UTC)).total_seconds()
        later = datetime.now(UTC) + timedelta(seconds=240)
        text = f"eventTimestamp ge '{later:%Y-%m-%dT%H:%M:%SZ}' and resourceGroupName eq '{GROUP}'"
        newest = [event async for event in desk.monitor.activity_logs.list(filter=text, **PLAIN)]

    assert 240 < ahead <= 300
    assert len(newest) == 2


async def test_a_write_can_be_lost_on_its_way_or_carried_out_without_an_answer() -> None:
    async with azure() as desk:
        change = {"sku": {"name": "S4"}}
        statuses = []
        for fault in ("unheard", "unanswered"):
            setattr(desk.arm.faults, fault, 1)
            with pytest.raises(aiohttp.ClientConnectionError):
                await desk.ask(desk.database_id(), "PATCH", change)
            statuses.append(desk.estate.database(ACCOUNTS).status)

    assert statuses == ["Online", "Scaling"]


async def test_a_frozen_endpoint_answers_when_it_has_thawed_and_a_broken_one_says_so() -> None:
    async with azure() as desk:
        desk.arm.faults.freeze()
        waiting = asyncio.create_task(desk.ask(desk.database_id()))
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        desk.arm.faults.thaw()
        status, _ = await waiting
        desk.arm.faults.error = 503
        broken = await desk.ask(desk.database_id())

    assert (done, status) == (set(), 200)
    assert (broken[0], broken[1]["error"]["code"]) == (503, "InternalServerError")


async def test_filters_that_azure_does_not_understand_are_refused() -> None:
    async with azure() as desk:
        path = f"/subscriptions/{desk.estate.part.subscription}{'/providers/Microsoft.Insights/eventtypes'}"
        values = f"{path}/management/values"
        answers = [
            await desk.ask(f"{values}?$filter={text}")
            for text in (
                "",
                "resourceGroupName eq 'x'",
                "eventTimestamp ge 'yesterday'",
                "eventTimestamp ge '2020-01-01T00:00:00Z'",
                f"{since(1)} and colour eq 'red'",
                f"{since(1)} or 1 eq 1",
            )
        ]
        token = await desk.ask(f"{values}?$filter={since(1)}&$skiptoken=nonsense")

    assert [status for status, _ in [*answers, token]] == [400] * 7
    assert all(body["code"] == "BadRequest" and body["message"] for _, body in answers)
