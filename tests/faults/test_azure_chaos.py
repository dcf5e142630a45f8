"""Azure on its worst day, several ways at once: what the console shows in the end is what happened, each event once."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextlib import aclosing
from pathlib import Path

import pytest
from aiohttp import web

from probes.azure.activity import ActivityProbe
from probes.azure.alerts import AlertsProbe
from probes.azure.databases import DatabasesProbe
from probes.freshness import State
from tests.arm_server import (
    ACTIVITY,
    GROUP,
    ArmServer,
    Json,
    Reply,
    account,
    arm_server,
    event,
    put_token,
    refusal,
    since,
)

OPERATIONS = 120


class WorstDay:
    """An activity log that grows, late and out of order, behind a front that fails in every way there is."""

    def __init__(self, server: ArmServer, directory: Path, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311  # the same day each time
        self.server = server
        self.directory = directory
        self.begun = time.time()
        self.logged: list[tuple[float, Json]] = []
        self.coming = [self._event(number, stage) for number in range(OPERATIONS) for stage in range(3)]
        self.chance.shuffle(self.coming)
        self.turns = 0

    def _event(self, number: int, stage: int) -> tuple[float, Json]:
        at = self.begun + self.server.skew - self.chance.uniform(1, 900) + stage
        status = ("Started", "Accepted", "Succeeded")[stage]
        return at, event(3 * number + stage, at, correlationId=f"c-{number}", status=status)

    def answer(self, request: web.Request) -> Reply:
        if "ServiceHealth" in request.query["$filter"]:
            return {"value": []}
        for _ in range(self.chance.randrange(12)):
            if self.coming:
                self.logged.append(self.coming.pop())
        skip, size = int(request.query.get("$skiptoken", "0")), 25
        begin = since(request.query)
        found = [body for at, body in sorted(self.logged, key=lambda item: -item[0]) if at >= begin]
        page: Json = {"value": found[skip : skip + size]}
        if skip + size < len(found):
            page["nextLink"] = str(request.url.with_query({**request.query, "$skiptoken": str(skip + size)}))
        return self._spoiled(request, page)

    def _spoiled(self, request: web.Request, page: Json) -> Reply:
        self.turns += 1
        match self.chance.randrange(14):
            case 0:
                return refusal(429, "TooManyRequests", "The request is being throttled.", Retry_After="0")
            case 1:
                return refusal(self.chance.choice((500, 502, 503, 504)), "ServerTimeout", "The server is busy.")
            case 2:
                return web.Response(body=b'{"value": [{"eventData', content_type="application/json")
            case 3:
                assert request.transport is not None
                request.transport.abort()
            case 4 if "nextLink" in page:
                return page | {"nextLink": str(request.url)}  # the page that was just answered
            case 5:
                fresh = f"token.{self.turns}"
                self.server.accepts = {fresh}
                put_token(self.directory, fresh)
        return page


@pytest.mark.parametrize(("seed", "skew"), [(1, 0.0), (2, -240.0), (3, 240.0)])
async def test_nothing_is_lost_nothing_comes_twice_and_it_ends_live(tmp_path: Path, seed: int, skew: float) -> None:
    async with arm_server(skew=skew) as server, account(server, tmp_path) as azure:
        day = WorstDay(server, tmp_path, seed)
        server.answers |= {ACTIVITY: day.answer, f"/resourcegroups/{GROUP}": {"id": GROUP}}
        versions: list[int] = []
        states: Counter[State] = Counter()
        async with aclosing(ActivityProbe(azure, 0.01, window=7200).watch()) as snapshots:
            async for snapshot in snapshots:
                versions.append(snapshot.version)
                states[snapshot.freshness.state] += 1
                whole = sum(row.events for row in snapshot.rows.values()) == 3 * OPERATIONS
                if snapshot.freshness.live and whole and not day.coming:
                    break

    assert len(snapshot.rows) == OPERATIONS
    assert {row.events for row in snapshot.rows.values()} == {3}
    assert {row.status for row in snapshot.rows.values()} == {"Succeeded"}
    assert versions == sorted(set(versions))
    assert states.keys() <= {State.LOADING, State.LIVE, State.STALE, State.UNAVAILABLE}


async def test_a_server_that_never_answers_freezes_nothing(tmp_path: Path) -> None:
    """All three sources hang; each says so when its time is up, and the loop goes on until then."""
    async with arm_server(delay=3600.0) as server, account(server, tmp_path, limit=0.3) as azure:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.01)
                beats += 1

        beating = asyncio.create_task(beat())
        try:
            for probe in (ActivityProbe(azure, 5), DatabasesProbe(azure, (), 5), AlertsProbe(azure, 5)):
                before = beats
                async with aclosing(probe.watch()) as snapshots:
                    async for snapshot in snapshots:
                        if snapshot.freshness.state is State.UNAVAILABLE:
                            assert "within 0.3 s" in snapshot.freshness.detail
                            break
                assert beats > before
        finally:
            beating.cancel()
