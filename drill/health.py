"""The public health endpoints, over HTTP on loopback: they answer what the platform's own endpoints say."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from drill.clock import Clock
from drill.store import ObjectStore
from drill.world import ENDPOINTS

Json = dict[str, Any]

_QUICK: Final = (0.028, 0.055)  # seconds, of a healthy answer
_WAITS: Final = (2.2, 2.6)  # seconds until the gateway gives up on a service that is not there
_HEALTHY, _DEGRADED, _UNHEALTHY = "Healthy", "Degraded", "Unhealthy"


class HealthEndpoints:
    """``api`` asks every service that has a check, ``login`` only itself. Both on 127.0.0.1, on free ports."""

    def __init__(self, store: ObjectStore, clock: Clock, namespace: str, checks: Mapping[str, str]) -> None:
        """``checks`` is check name → the name of its Kubernetes Service."""
        self._store = store
        self._clock = clock
        self._namespace = namespace
        self._checks = dict(checks)
        self._chance = random.Random(11)  # noqa: S311 (latencies)
        self._runners: list[web.AppRunner] = []
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

    def report(self) -> Json:
        """ASP.NET's health report: the whole and its parts."""
        entries = {check: self._entry(service) for check, service in self._checks.items()}
        found = {entry["status"] for entry in entries.values()}
        whole = next((status for status in (_UNHEALTHY, _DEGRADED) if status in found), _HEALTHY)
        return {"status": whole, "unhealthy": _named(entries, _UNHEALTHY), "entries": entries}

    def _entry(self, service: str) -> Json:
        ready, unready = self._addresses(service)
        if not ready:
            return {"status": _UNHEALTHY, "description": f"{service}: no ready endpoint"}
        if unready:
            return {"status": _DEGRADED, "description": f"{service}: {ready} of {ready + unready} endpoints ready"}
        return {"status": _HEALTHY}

    def _addresses(self, service: str) -> tuple[int, int]:
        endpoints = self._store.get(ENDPOINTS, self._namespace, service) or {}
        subsets = endpoints.get("subsets") or ()
        ready = sum(len(subset.get("addresses") or ()) for subset in subsets)
        return ready, sum(len(subset.get("notReadyAddresses") or ()) for subset in subsets)

    async def _api(self, request: web.Request) -> web.Response:
        down = self.report()["status"] == _UNHEALTHY
        await asyncio.sleep(self._chance.uniform(*(_WAITS if down else _QUICK)) / self._clock.speed)
        report = self.report()
        return _answer(report, 503 if report["status"] == _UNHEALTHY else 200)

    async def _login(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self._chance.uniform(*_QUICK) / self._clock.speed)
        return _answer({"status": _HEALTHY}, 200)


def _named(entries: Mapping[str, Json], status: str) -> list[str]:
    return [name for name, entry in entries.items() if entry["status"] == status]


def _answer(report: Json, status: int) -> web.Response:
    headers = {"Cache-Control": "no-store, no-cache"}
    return web.Response(text=json.dumps(report), status=status, content_type="application/json", headers=headers)
