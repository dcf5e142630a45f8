"""Stands between a console and the lab's API server, and has the server die at the very moment of a write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import aiohttp
import yaml
from aiohttp import web

from tests.live.lab import Lab

When = Literal["before it heard", "before it answered"]
_PASSED_ON = ("Authorization", "Content-Type", "Accept")


class GoBetween:
    """Passes requests on. The first one that writes is the server's last, for as long as `died` is not set back.

    ``writes`` are those that came, ``METHOD /path`` each; ``died`` is set once nobody answers any more.
    """

    def __init__(self, lab: Lab, when: When) -> None:
        self.writes: list[str] = []
        self.died = asyncio.Event()
        self._lab = lab
        self._when = when
        self._session = aiohttp.ClientSession()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        reviews = request.path.endswith("selfsubjectaccessreviews")
        writes = request.method != "GET" and "dryRun" not in request.query and not reviews
        if writes:
            self.writes.append(f"{request.method} {request.path}")
        fatal = writes and not self.died.is_set()
        if fatal and self._when == "before it heard":
            await self._kill()
        try:
            answer = await self._pass_on(request)
        except aiohttp.ClientError:
            return _hung_up(request)
        if fatal and self._when == "before it answered":
            await self._kill()
            return _hung_up(request)
        return answer

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        url = self._lab.server + request.raw_path
        async with self._session.request(
            request.method, url, headers=headers, data=await request.read(), ssl=False
        ) as found:
            told = {"Content-Type": found.headers["Content-Type"]}
            if request.method != "GET":  # whole, so that it can still be lost
                return web.Response(status=found.status, headers=told, body=await found.read())
            answer = web.StreamResponse(status=found.status, headers=told)
            await answer.prepare(request)
            async for piece in found.content.iter_any():
                await answer.write(piece)
            return answer

    async def _kill(self) -> None:
        (self._lab.directory / "faults" / "api-down").touch()
        while True:
            try:
                async with self._session.get(self._lab.server + "/readyz", ssl=False):
                    await asyncio.sleep(0.05)
            except aiohttp.ClientError:
                break
        self.died.set()

    async def revive(self) -> None:
        """The server is started again, and answers."""
        (self._lab.directory / "faults" / "api-down").unlink(missing_ok=True)
        await self._lab.until(self._lab.well, "the lab well again")

    async def close(self) -> None:
        await self._session.close()


def _hung_up(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@asynccontextmanager
async def standing_between(lab: Lab, directory: Path, when: When) -> AsyncIterator[tuple[GoBetween, Path]]:
    """A go-between, and the kubeconfig that leads through it."""
    between = GoBetween(lab, when)
    runner = web.ServerRunner(web.Server(between.answer))  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    config = yaml.safe_load(await asyncio.to_thread(lab.kubeconfig.read_text, encoding="utf-8"))
    for cluster in config["clusters"]:
        cluster["cluster"] = {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}
    through = directory / "kubeconfig"
    through.touch(0o600)
    through.write_text(yaml.safe_dump(config), encoding="utf-8")
    try:
        yield between, through
    finally:
        await between.revive()
        await runner.cleanup()
        await between.close()
