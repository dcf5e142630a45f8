"""The activity log: nothing lost, nothing twice, whatever Azure, the network and the clocks do."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from probes.azure.account import Account
from probes.azure.activity import OVERLAP, ActivityProbe
from probes.azure.activity_log import ActivityLog
from probes.azure.raw import raw_events
from probes.azure.rows import Activity
from probes.freshness import Snapshot, State
from probes.rows import Health
from tests.arm_server import (
    ACTIVITY,
    GROUP,
    SUBSCRIPTION,
    TOKEN,
    ArmServer,
    Json,
    Reply,
    account,
    arm_server,
    event,
    forbidden,
    put_token,
    refusal,
    since,
    utc,
)

NOW = 1_795_443_644.0
GROUP_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"


@pytest.fixture
async def server() -> AsyncIterator[ArmServer]:
    async with arm_server() as running:
        running.answers[f"/resourcegroups/{GROUP}"] = {"id": GROUP_ID, "name": GROUP}
        yield running


@pytest.fixture
async def azure(server: ArmServer, tmp_path: Path) -> AsyncIterator[Account]:
    async with account(server, tmp_path) as opened:
        yield opened


class Log:
    """The activity log of a test: events that can be read from now on, newest first, so many on a page."""

    def __init__(self, server: ArmServer, size: int = 200) -> None:
        self.events: list[tuple[float, Json]] = []
        self.size = size
        self.server = server
        self.refusals: list[Reply] = []  # given out before anything else
        self.looks = 0  # that came to their end
        self.late: Callable[[], None] | None = None  # called once, after the second look
        server.answers[ACTIVITY] = self.answer

    def add(self, number: int, at: float, **fields: Any) -> None:
        self.events.append((at, event(number, at, **fields)))

    def answer(self, request: web.Request) -> Reply:
        if "ServiceHealth" in request.query.get("$filter", "") or "health" in request.query:
            return {"value": []}
        if self.refusals:
            return self.refusals.pop(0)
        skip = int(request.query.get("$skiptoken", "0"))
        begin = since(request.query)
        found = [body for at, body in sorted(self.events, key=lambda item: -item[0]) if at >= begin]
        page: Json = {"value": found[skip : skip + self.size]}
        if skip + self.size < len(found):
            query = dict(request.query) | {"$skiptoken": str(skip + self.size)}
            page["nextLink"] = str(request.url.with_query(query))
        else:
            self.looks += 1
            if self.looks == 2 and self.late is not None:
                self.late()
        return page


async def until(
    probe: ActivityProbe, true: Callable[[Snapshot[Activity]], object], seen: list[Snapshot[Activity]] | None = None
) -> Snapshot[Activity]:
    """The first snapshot for which it is true."""
    async with aclosing(probe.watch()) as snapshots:
        async for snapshot in snapshots:
            if seen is not None:
                seen.append(snapshot)
            if true(snapshot):
                return snapshot
    raise AssertionError("the probe ended")


def live(snapshot: Snapshot[Activity]) -> bool:
    return snapshot.freshness.live


def folded(*events: Json, now: float = NOW) -> dict[str, Activity]:
    rows: dict[str, Activity] = {}
    log = ActivityLog(rows.__setitem__, rows.__delitem__)
    log.take([msgspec.Raw(msgspec.json.encode(each)) for each in events], now)
    return rows


async def test_an_operation_is_one_row_with_who_what_and_how_it_ended(server: ArmServer, azure: Account) -> None:
    log = Log(server)
    at = time.time() - 360
    same = {"correlationId": "c0ffee", "caller": "jane.doe@bank.example"}
    log.add(1, at, status="Started", sub_status=("", 0), **same)
    log.add(2, at + 1, status="Accepted", sub_status=("Accepted", 202), **same)
    log.add(3, at + 4, **same)

    snapshot = await until(ActivityProbe(azure, 0.05), live)

    [row] = snapshot.rows.values()
    assert (row.operation, row.operation_text) == (
        "Microsoft.Sql/servers/firewallRules/write",
        "Update SQL server firewall rule",
    )
    assert (row.status, row.sub_status, row.events) == ("Succeeded", "Created (HTTP Status Code: 201)", 3)
    assert (row.caller, row.resource, row.resource_group) == (
        "jane.doe@bank.example",
        "banking-platform-prod-sql/allow-aks-egress",
        GROUP,
    )
    assert row.at == pytest.approx(at, abs=0.001)
    assert row.ended_at == pytest.approx(at + 4, abs=0.001)
    assert (row.health, row.change, row.category) == (Health.HEALTHY, True, "Administrative")


def test_the_official_example_is_read_as_it_is() -> None:
    """GetActivityLogsFiltered.json: no category, no resource id."""
    body = event(1, NOW)
    for missing in ("category", "resourceId", "resourceType", "channels"):
        del body[missing]
    scope = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/MSSupportGroup/providers/microsoft.support/supporttickets/115"
    )
    body["authorization"] = {"action": "microsoft.support/supporttickets/write", "role": "Admin", "scope": scope}

    [row] = folded(body).values()

    assert (row.category, row.resource, row.resource_type) == (
        "Administrative",
        "115",
        "microsoft.support/supporttickets",
    )
    assert row.resource_id == scope


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_events_out_of_order_and_clocks_that_differ_give_the_same_row(order: tuple[int, ...]) -> None:
    events = [
        event(1, NOW - 60, status="Started", correlationId="c"),
        # Stamped by another machine, whose clock is ahead: still the operation has ended.
        event(2, NOW - 20, status="Accepted", correlationId="c"),
        event(3, NOW - 30, status="Succeeded", correlationId="c"),
    ]
    [row] = folded(*(events[index] for index in order)).values()
    assert (row.status, row.at, row.ended_at, row.events) == ("Succeeded", NOW - 60, NOW - 30, 3)


def test_a_failure_says_why_and_the_worst_level_stays() -> None:
    why = json.dumps({"error": {"code": "Conflict", "message": "A restore is in progress."}})
    [row] = folded(
        event(1, NOW - 60, status="Started", correlationId="c"),
        event(
            2,
            NOW - 30,
            status="Failed",
            sub_status=("Conflict", 409),
            level="Error",
            correlationId="c",
            properties={"statusCode": "Conflict", "statusMessage": why},
        ),
    ).values()
    assert (row.status, row.level, row.health) == ("Failed", "Error", Health.FAILING)
    assert row.description == "A restore is in progress."


def test_what_goes_on_is_told_and_what_never_ended_is_given_up() -> None:
    rows: dict[str, Activity] = {}
    log = ActivityLog(rows.__setitem__, rows.__delitem__)
    log.take([msgspec.Raw(msgspec.json.encode(event(1, NOW - 60, status="Started")))], NOW)
    [row] = rows.values()
    assert (row.health, row.ended_at) == (Health.DEGRADED, None)

    log.settle(NOW + 3600, NOW)
    assert [row.health for row in rows.values()] == [Health.DORMANT]


def test_an_incident_of_azure_goes_on_until_it_is_resolved() -> None:
    """The schema of ServiceHealth: nulls, a subscription as its resource, one correlation for the whole incident."""

    def stage(number: int, at: float, status: str) -> Json:
        named: Json = {"value": None, "localizedValue": ""}
        return event(
            number,
            at,
            status=status,
            operation="Microsoft.ServiceHealth/incident/action",
            resource=f"/subscriptions/{SUBSCRIPTION}",
            correlationId="incident",
            category={"value": "ServiceHealth", "localizedValue": "Service Health"},
            subStatus=named,
            resourceType=named,
            resourceGroupName=None,
            eventName={"value": None},
            caller=None,
            level="Warning",
            properties={"title": "Network Infrastructure - West Europe", "incidentType": "Incident"},
        )

    [row] = folded(stage(1, NOW - 900, "Active")).values()
    assert (row.category, row.health, row.change) == ("ServiceHealth", Health.DEGRADED, False)
    assert (row.description, row.resource) == ("Network Infrastructure - West Europe", SUBSCRIPTION)
    [row] = folded(stage(2, NOW - 30, "Resolved"), stage(1, NOW - 900, "Active")).values()
    assert (row.status, row.health, row.ended_at) == ("Resolved", Health.HEALTHY, NOW - 30)


async def test_late_events_are_found_and_none_comes_twice(server: ArmServer, azure: Account) -> None:
    """The window overlaps: an event that is logged a quarter of an hour late is there, once, with its own time."""
    log = Log(server)
    now = time.time()
    log.add(1, now - 60)
    log.late = lambda: log.add(2, now - 900)
    snapshot = await until(ActivityProbe(azure, 0.02, window=3600), lambda new: len(new.rows) == 2)

    assert sorted(round(now - row.at) for row in snapshot.rows.values()) == [60, 900]
    assert all(row.events == 1 for row in snapshot.rows.values())
    begins = [since({"$filter": path}) for path in _filters(server)]
    assert begins[0] == pytest.approx(now - 3600, abs=30)
    assert begins[-1] == pytest.approx(time.time() - OVERLAP, abs=30)


def _filters(server: ArmServer) -> list[str]:
    from urllib.parse import parse_qs, urlsplit

    queries = [parse_qs(urlsplit(path).query) for path in server.asked]
    return [query["$filter"][0] for query in queries if GROUP in query.get("$filter", [""])[0]]


@pytest.mark.parametrize("skew", [-600.0, 600.0])
async def test_a_clock_that_is_minutes_off_hides_nothing(azure: Account, server: ArmServer, skew: float) -> None:
    log = Log(server)
    server.skew = skew
    log.add(1, time.time() + skew - 1)
    log.late = lambda: log.add(2, time.time() + skew - 0.5)

    await until(ActivityProbe(azure, 0.02), lambda new: len(new.rows) == 2)
    # The window moves by Azure's clock, ours is not asked.
    assert since({"$filter": _filters(server)[-1]}) == pytest.approx(time.time() + skew - OVERLAP, abs=30)


async def test_a_storm_of_refusals_delays_and_loses_nothing(server: ArmServer, azure: Account) -> None:
    """429 with and without Retry-After, 5xx, nonsense and a repeated page, between the pages of one look."""
    log = Log(server, size=10)
    now = time.time()
    for number in range(95):
        log.add(number, now - 10 - number)
    storm: list[Reply] = [
        refusal(429, "TooManyRequests", "The request is being throttled.", Retry_After="0"),
        refusal(503, "ServerTimeout", "The server is busy."),
        web.Response(text="<html>502 Bad Gateway</html>", status=502, content_type="text/html"),
        web.Response(text='{"value": [', content_type="application/json"),
    ]
    pages = log.answer
    asked = 0

    def stormy(request: web.Request) -> Reply:
        nonlocal asked
        asked += 1
        if asked % 3 and storm and GROUP in request.query.get("$filter", ""):
            return storm.pop(0)
        return pages(request)

    server.answers[ACTIVITY] = stormy
    seen: list[Snapshot[Activity]] = []
    snapshot = await until(ActivityProbe(azure, 0.02), lambda new: live(new) and not storm, seen)

    assert len(snapshot.rows) == 95
    assert {row.events for row in snapshot.rows.values()} == {1}
    troubles = {each.freshness.detail for each in seen if each.freshness.state is State.UNAVAILABLE}
    assert troubles
    assert troubles <= {
        "Azure throttles us (429), and asks to wait 0 s",
        f"Azure cannot answer the activity log of {GROUP} now (503): The server is busy.",
        f"Azure cannot answer the activity log of {GROUP} now (502): 502 Bad Gateway",
        f"Azure's answer to the activity log of {GROUP} cannot be read: Input data was truncated",
    }


async def test_a_page_that_comes_again_is_taken_once(server: ArmServer, azure: Account) -> None:
    log = Log(server, size=10)
    now = time.time()
    for number in range(25):
        log.add(number, now - 10 - number)
    pages, before = log.answer, dict[str, Reply]()

    def twice(request: web.Request) -> Reply:
        """The second page leads to itself the first time it is asked for."""
        page = pages(request)
        token = request.query.get("$skiptoken", "")
        if token == "10" and token not in before:
            before[token] = page
            return page | {"nextLink": str(request.url)} if isinstance(page, dict) else page
        return page

    server.answers[ACTIVITY] = twice
    snapshot = await until(ActivityProbe(azure, 0.02), live)
    assert len(snapshot.rows) == 25
    assert {row.events for row in snapshot.rows.values()} == {1}


async def test_a_token_that_ends_between_pages_and_comes_back(
    server: ArmServer, azure: Account, tmp_path: Path
) -> None:
    log = Log(server, size=10)
    now = time.time()
    for number in range(30):
        log.add(number, now - 10 - number)
    pages = log.answer

    def ending(request: web.Request) -> Reply:
        if request.query.get("$skiptoken") == "10" and TOKEN in server.accepts:
            server.accepts = {"another"}
            return refusal(401, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now.")
        return pages(request)

    server.answers[ACTIVITY] = ending
    expired: list[str] = []

    def done(snapshot: Snapshot[Activity]) -> bool:
        if snapshot.freshness.state is State.UNAVAILABLE:
            expired.append(f"{snapshot.freshness.detail}: {snapshot.freshness.hint}")
            put_token(tmp_path, "another")
        return live(snapshot)

    snapshot = await until(ActivityProbe(azure, 0.02), done)
    assert len(snapshot.rows) == 30
    assert expired[0] == (
        f"the login to Azure has expired (ExpiredAuthenticationToken): write a new token into {tmp_path / 'token'}"
    )


async def test_slow_pages_hold_up_nothing_else_and_the_hold_is_told(server: ArmServer, tmp_path: Path) -> None:
    log = Log(server)
    log.add(1, time.time() - 60)
    async with account(server, tmp_path, limit=0.2) as azure:
        server.delay = 30.0
        slow: list[str] = []

        def done(snapshot: Snapshot[Activity]) -> bool:
            if snapshot.freshness.state is State.UNAVAILABLE:
                slow.append(snapshot.freshness.detail)
                server.delay = 0.0
            return live(snapshot)

        snapshot = await until(ActivityProbe(azure, 0.02), done)
    assert len(snapshot.rows) == 1
    assert "did not answer the activity log" in slow[0]


async def test_a_role_that_is_missing_is_named_with_the_command_that_gives_it(
    server: ArmServer, azure: Account
) -> None:
    action = "Microsoft.Insights/eventtypes/values/read"
    server.answers[ACTIVITY] = lambda _: forbidden(action, GROUP_ID)

    snapshot = await until(ActivityProbe(azure, 0.05), lambda new: new.freshness.state is not State.LOADING)

    assert snapshot.freshness.state is State.FORBIDDEN
    assert snapshot.freshness.detail == (
        f"may not see the activity log of {GROUP}: {action} is missing for tech-lead@contoso.com"
    )
    assert snapshot.freshness.hint.startswith('az role assignment create --role "Reader" --assignee 2468adf0-')
    assert snapshot.freshness.hint.endswith(f"--scope {GROUP_ID}")


async def test_a_group_that_does_not_exist_is_not_a_quiet_one(server: ArmServer, azure: Account) -> None:
    Log(server)
    server.answers[f"/resourcegroups/{GROUP}"] = [
        refusal(404, "ResourceGroupNotFound", f"Resource group '{GROUP}' could not be found.")
    ]
    snapshot = await until(ActivityProbe(azure, 0.05), lambda new: new.freshness.state is not State.LOADING)
    assert snapshot.freshness.state is State.UNAVAILABLE
    assert snapshot.freshness.detail == f"Resource group '{GROUP}' could not be found. (azure.resource_groups)"


async def test_who_may_not_see_the_subscription_sees_the_group(server: ArmServer, azure: Account) -> None:
    log = Log(server)
    log.add(1, time.time() - 60)
    pages = log.answer

    def group_only(request: web.Request) -> Reply:
        if "ServiceHealth" in request.query["$filter"]:
            return forbidden("Microsoft.Insights/eventtypes/values/read", f"/subscriptions/{SUBSCRIPTION}")
        if not server.count("ServiceHealth"):
            return refusal(429, "TooManyRequests", "Not before the other question.", Retry_After="0")
        return pages(request)

    server.answers[ACTIVITY] = group_only
    snapshot = await until(ActivityProbe(azure, 0.05), live)
    assert (len(snapshot.rows), snapshot.freshness.detail) == (1, "")


async def test_of_the_subscription_only_incidents_are_taken_in_whatever_it_answers(
    server: ArmServer, azure: Account
) -> None:
    """No document has a filter by category: what it is asked by is what public programs use, and may be ignored."""
    now, asked = time.time(), []

    def everything(request: web.Request) -> Reply:
        if "resourceGroupName" in request.query["$filter"]:
            return {"value": [event(1, now - 60)]}
        asked.append((request.query["api-version"], request.query["$filter"].partition(" and ")[2]))
        incident = event(3, now - 30, category={"value": "ServiceHealth", "localizedValue": "Service Health"})
        return {"value": [incident, event(2, now - 50)]}

    server.answers[ACTIVITY] = everything
    snapshot = await until(ActivityProbe(azure, 0.05), lambda found: live(found) and len(found.rows) > 1)
    assert sorted(row.category for row in snapshot.rows.values()) == ["Administrative", "ServiceHealth"]
    assert asked[0] == ("2017-03-01-preview", "categories eq 'ServiceHealth'")


def _told(number: int, at: float) -> Json:
    return {"eventDataId": f"e-{number}", "correlationId": f"c-{number}", "eventTimestamp": utc(at)}


async def test_a_log_of_more_pages_than_are_kept_is_read_until_it_is_full(server: ArmServer, azure: Account) -> None:
    """Twelve thousand operations in two hours: the newest are there, and no more pages are asked for than they fill."""
    now = time.time()
    numbered = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Sql/servers/s/firewallRules/r"
    bare = event(0, now, resource=numbered)
    small = {name: bare[name] for name in ("operationName", "status", "resourceId")}

    def endless(request: web.Request) -> Reply:
        if "ServiceHealth" in request.query.get("$filter", ""):
            return {"value": []}
        first = int(request.query.get("$skiptoken", "0"))
        page = [small | _told(number, now - number / 2) for number in range(first, first + 500)]
        query = {**request.query, "$skiptoken": str(first + 500)}
        return {"value": page, "nextLink": str(request.url.with_query(query))}

    server.answers[ACTIVITY] = endless
    snapshot = await until(ActivityProbe(azure, 60), live)

    assert 9_000 <= len(snapshot.rows) <= 10_500
    assert server.count(ACTIVITY) < 30


def test_the_newest_ten_thousand_are_kept_and_the_oldest_do_not_come_back() -> None:
    rows: dict[str, Activity] = {}
    log = ActivityLog(rows.__setitem__, rows.__delitem__, most=100)
    pages = [
        [msgspec.Raw(msgspec.json.encode(event(number, NOW - number))) for number in range(start, start + 50)]
        for start in range(0, 400, 50)
    ]
    for page in pages * 2:
        log.take(page, NOW)

    assert 100 <= len(rows) <= 110
    assert min(row.at for row in rows.values()) >= NOW - 110
    assert {row.events for row in rows.values()} == {1}
    assert log.forgotten_until >= NOW - 110


def test_hostile_text_and_nonsense_cost_one_event_each() -> None:
    evil = "\x1b]0;owned\x07[red]\u202e" + "A" * 100_000
    rows: dict[str, Activity] = {}
    log = ActivityLog(rows.__setitem__, rows.__delitem__)
    hostile = event(1, NOW, caller=evil, properties={"title": evil}, description=evil)
    bodies = [hostile, {"eventTimestamp": "yesterday"}, {"eventTimestamp": 7}, [], event(2, NOW, properties="text")]
    raws = [msgspec.Raw(msgspec.json.encode(body)) for body in bodies]
    deep = b'{"properties": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    log.take([*raws, msgspec.Raw(deep)], NOW)

    assert len(rows) == 2
    assert log.unreadable == 4
    assert all(len(row.description) <= 500 for row in rows.values())


async def test_the_detail_of_a_row_is_its_events_without_what_is_private(server: ArmServer, azure: Account) -> None:
    log = Log(server)
    at = time.time() - 60
    log.add(1, at, status="Started", correlationId="c", properties={"requestbody": '{"password": "hunter2"}'})
    log.add(2, at + 3, correlationId="c")
    log.add(3, at + 3, correlationId="c", operation="Microsoft.Sql/servers/write")
    snapshot = await until(ActivityProbe(azure, 0.05), live)
    row = next(row for row in snapshot.rows.values() if row.events == 2)
    server.answers[ACTIVITY] = lambda _: {"value": [body for _, body in reversed(log.events)]}

    events = await raw_events(
        azure,
        correlation=row.correlation,
        resource_id=row.resource_id,
        operation=row.operation,
        since=row.at,
        until=row.ended_at or row.at,
    )

    assert [each["status"]["value"] for each in events] == ["Started", "Succeeded"]
    told = json.dumps(events)
    assert "hunter2" not in told
    assert "192.168.35.115" not in told
    assert "John Smith" not in told
