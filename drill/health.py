"""The public health endpoints, over HTTP on loopback: they answer what the platform's own endpoints say."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from drill.ailing import Ailing, Complaint
from drill.clock import Clock
from drill.own_host import is_own
from drill.store import ObjectStore
from drill.strain import Felt, Strain
from drill.world import ENDPOINTS

Json = dict[str, Any]

_QUICK: Final = (0.028, 0.055)  # seconds, of a healthy answer
_WAITS: Final = (2.2, 2.6)  # seconds until the gateway gives up on a service that is not there
_CRAWLS: Final = (1.5, 2.2)  # seconds of an answer that waits for a database, times the pressure on that
_MOST: Final = 4.2  # seconds until who waits for a database gives up on it
_TIRES: Final = 0.15  # how often it waits so long that it gives up
_HEALTHY, _DEGRADED, _UNHEALTHY = "Healthy", "Degraded", "Unhealthy"
_WELL: Final[Json] = {"status": _HEALTHY}


class HealthEndpoints:
    """``api`` asks every service that has a check, ``login`` only one. Both on 127.0.0.1, on free ports."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        namespace: str,
        checks: Mapping[str, str],
        strain: Strain,
        *,
        seed: int = 11,
    ) -> None:
        """``checks`` is check name → the name of its Kubernetes Service; ``strain`` is what those feel of databases."""
        self._store = store
        self._clock = clock
        self._namespace = namespace
        self._checks = dict(checks)
        self._strain = strain
        self._chance = random.Random(seed)  # noqa: S311 (latencies)
        self._runners: list[web.AppRunner] = []
        self.complaints: list[Complaint] = []  # what else can ail a service
        self.login_service = ""  # behind the endpoint ``login``; "": that is always well
        self.answers: Callable[[str], bool] = lambda node: True  # whether a node's machine is there, noticed or not
        self.urls: dict[str, str] = {}

    async def start(self) -> None:
        for name, handler in (("api", self._api), ("login", self._login)):
            app = web.Application()
            app.router.add_get("/health", handler)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
            await runner.setup()
            self._runners.append(runner)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.urls[name] = f"http://127.0.0.1:{runner.addresses[0][1]}/health"

    async def stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    def report(self, *, tired: bool = False) -> Json:
        """ASP.NET's health report: the whole and its parts. ``tired``: who waits for a database gives up on it."""
        felt = self._strain.now()
        entries = {check: self._entry(service, felt, tired=tired) for check, service in self._checks.items()}
        found = {entry["status"] for entry in entries.values()}
        whole = next((status for status in (_UNHEALTHY, _DEGRADED) if status in found), _HEALTHY)
        return {"status": whole, "unhealthy": _named(entries, _UNHEALTHY), "entries": entries}

    def login(self) -> Json:
        """What the endpoint ``login`` reports."""
        return self._entry(self.login_service, self._strain.now(), tired=False) if self.login_service else _WELL

    def patience(self) -> tuple[float, bool]:
        """How long who asks ``api`` now has to wait (seconds of the world), and whether it tires of a database."""
        felt = self._strain.now()
        worst = max((felt.pressed.get(service, 0.0) for service in self._checks.values()), default=0.0)
        if worst > 1.0:
            return min(self._chance.uniform(*_CRAWLS) * worst, _MOST), self._chance.random() < _TIRES
        slow = max((one.seconds for service in self._checks.values() for one in self._ailing(service)), default=0.0)
        if slow:
            return self._chance.uniform(0.9, 1.1) * slow, False
        down = self.report()["status"] == _UNHEALTHY
        return self._chance.uniform(*(_WAITS if down else _QUICK)), False

    def _entry(self, service: str, felt: Felt, *, tired: bool) -> Json:
        ready, unready, mute = self._addresses(service)
        if mute and not ready:
            return _part(_UNHEALTHY, f"{service}: {mute} ready endpoints, and none answers")
        if mute:
            return _part(_DEGRADED, f"{service}: {mute} of {ready + mute} ready endpoints do not answer")
        if not ready:
            return _part(_UNHEALTHY, f"{service}: no ready endpoint")
        database = self._strain.database_of(service)
        if service in felt.cut_off:
            return _part(_UNHEALTHY, f"{service}: {database} is not currently available")
        if service in felt.pressed and tired:
            return _part(_UNHEALTHY, f"{service}: no answer of {database} in {round(_MOST * 1000)} ms")
        if service in felt.pressed:
            took = round(sum(_CRAWLS) / 2 * felt.pressed[service] * 1000)
            return _part(_DEGRADED, f"{service}: SELECT 1 on {database} took {took} ms")
        ailing = sorted(self._ailing(service), key=lambda one: one.status != _UNHEALTHY)
        if ailing:
            return _part(ailing[0].status, ailing[0].words)
        if unready:
            return _part(_DEGRADED, f"{service}: {ready} of {ready + unready} endpoints ready")
        return {"status": _HEALTHY}

    def _ailing(self, service: str) -> list[Ailing]:
        return [found for complaint in self.complaints if (found := complaint(service)) is not None]

    def _addresses(self, service: str) -> tuple[int, int, int]:
        """How many endpoints are ready, are not, and would be but for the machine that they are on."""
        endpoints = self._store.get(ENDPOINTS, self._namespace, service) or {}
        subsets = endpoints.get("subsets") or ()
        ready = [self.answers(one.get("nodeName") or "") for subset in subsets for one in subset.get("addresses") or ()]
        unready = sum(len(subset.get("notReadyAddresses") or ()) for subset in subsets)
        return sum(ready), unready, len(ready) - sum(ready)

    async def _api(self, request: web.Request) -> web.Response:
        _check_host(request)
        seconds, tired = self.patience()
        await asyncio.sleep(seconds / self._clock.speed)
        report = self.report(tired=tired)
        return _answer(report, 503 if report["status"] == _UNHEALTHY else 200)

    async def _login(self, request: web.Request) -> web.Response:
        _check_host(request)
        await asyncio.sleep(self._chance.uniform(*_QUICK) / self._clock.speed)
        report = self.login()
        return _answer(report, 503 if report["status"] == _UNHEALTHY else 200)


def _check_host(request: web.Request) -> None:
    """Anybody may ask, as of any public health endpoint, but by our name.

    Called by the handlers: aiohttp remembers what a middleware was called with, and would keep every platform.
    """
    name = request.transport.get_extra_info("sockname") if request.transport is not None else None
    if name is None or not is_own(request, name[1]):
        raise web.HTTPMisdirectedRequest(text="this server has another name\n")


def _part(status: str, description: str) -> Json:
    return {"status": status, "description": description}


def _named(entries: Mapping[str, Json], status: str) -> list[str]:
    return [name for name, entry in entries.items() if entry["status"] == status]


def _answer(report: Json, status: int) -> web.Response:
    headers = {"Cache-Control": "no-store, no-cache"}
    return web.Response(text=json.dumps(report), status=status, content_type="application/json", headers=headers)
