"""One of the two servers that are compared, and everything it was asked and said: a transcript.

A sequence of requests is a coroutine that is given a `Side` and knows nothing of the other one. What it takes from an
answer into a later request (a resourceVersion, a UID, a token to continue with) is therefore that side's own.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

Json = dict[str, Any]
PATIENCE = 120.0  # seconds until something is given up; the lab shares the machine with everything else
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_HEADERS = ("Content-Type", "Retry-After", "Warning")


@dataclass(frozen=True)
class Said:
    """One answer, under the name of its step."""

    step: str
    status: int
    headers: Json
    body: Any


@dataclass
class Side:
    """A server, a session with it, and the namespace of this test in it. ``said`` is the transcript.

    ``forget`` makes it forget what happened long ago; the lab is old enough to have forgotten its first versions.
    """

    name: str
    url: str
    tokens: dict[str, str]
    namespace: str
    session: aiohttp.ClientSession
    forget: Callable[[], None] = lambda: None
    said: list[Said] = field(default_factory=list)

    def at(self, plural: str, name: str = "", *, group: str = "", below: str = "") -> str:
        """The path of a resource in this test's namespace: ``at("deployments", "web", group="apps/v1")``."""
        parts = [f"/apis/{group}" if group else "/api/v1", "namespaces", self.namespace, plural, name, below]
        return "/".join(filter(None, parts))

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        media: str = "application/json",
        user: str = "admin",
        step: str = "",
        told: bool = True,
        **headers: str,
    ) -> Any:
        """The body of the answer. ``told`` puts it into the transcript. ``body`` bytes are sent as they are."""
        said = await self._send(method, path, body, media, user, headers, step or f"{method} {self._short(path)}")
        if told:
            self.said.append(said)
        return said.body

    async def get(self, path: str, *, step: str = "", told: bool = True, user: str = "admin", **headers: str) -> Any:
        return await self.ask("GET", path, step=step, told=told, user=user, **headers)

    async def create(self, path: str, obj: Json, *, step: str = "", told: bool = True, user: str = "admin") -> Any:
        return await self.ask("POST", path, obj, step=step, told=told, user=user)

    async def delete(self, path: str, options: Json | None = None, *, step: str = "", told: bool = True) -> Any:
        return await self.ask("DELETE", path, options, step=step, told=told)

    async def patch(self, path: str, body: object, media: str = MERGE, *, step: str = "", told: bool = True) -> Any:
        return await self.ask("PATCH", path, body, media=media, step=step, told=told)

    async def apply(self, path: str, obj: Json, manager: str = "one", *, force: bool = False, query: str = "") -> Any:
        asked = f"{path}?fieldManager={manager}{'&force=true' if force else ''}{query}"
        return await self.ask("PATCH", asked, obj, media=APPLY)

    async def settled(self, path: str, when: Callable[[Any], object], *, told: bool = True, step: str = "") -> Any:
        """Look until ``when`` holds; that look is the one that is told."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    said = await self._send("GET", path, None, "", "admin", {}, step or f"settled {self._short(path)}")
                    if when(said.body):
                        break
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{self.name}: {path} never came to be as expected: {said.body}") from None
        if told:
            self.said.append(said)
        return said.body

    @asynccontextmanager
    async def watch(self, path: str, **headers: str) -> AsyncIterator[AsyncIterator[Json]]:
        """The events of a watch, as they come; whoever takes some may `tell` them."""
        async with self.session.get(self.url + path, headers=self._headers("admin", headers)) as response:
            assert response.status == 200, await response.text()

            async def events() -> AsyncIterator[Json]:
                rest = b""
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield json.loads(line)

            yield events()

    async def watched(self, path: str, last: Callable[[Json], object] | None = None, **headers: str) -> list[Json]:
        """Tell the events of a watch until ``last`` holds for one of them, or until the server ends it."""
        seen: list[Json] = []
        try:
            async with asyncio.timeout(PATIENCE), self.watch(path, **headers) as events:
                async for event in events:
                    seen.append(event)
                    if last is not None and last(event):
                        break
        except TimeoutError:
            raise AssertionError(f"{self.name}: {path}: the last event never came; these did: {seen}") from None
        self.tell(f"watch {self._short(path)}", seen)
        return seen

    def tell(self, step: str, body: Any) -> None:
        self.said.append(Said(step, 0, {}, body))

    # ------------------------------------------------------------------ within

    def _short(self, path: str) -> str:
        return re.sub(r"resourceVersion=\d\d+", "resourceVersion=SEEN", path.replace(self.namespace, "NS"))

    def _headers(self, user: str, more: dict[str, str]) -> dict[str, str]:
        token = {"Authorization": f"Bearer {self.tokens.get(user, 'wrong')}"} if user else {}
        # The field manager of who names none is the first word of this.
        return {**token, "User-Agent": "differ/1", **{name.replace("_", "-"): text for name, text in more.items()}}

    async def _send(
        self, method: str, path: str, body: object, media: str, user: str, headers: dict[str, str], step: str
    ) -> Said:
        sent = self._headers(user, headers)
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        if data is not None and media:
            sent["Content-Type"] = media
        skipped = ("Content-Type",) if not media else ()
        async with asyncio.timeout(PATIENCE):
            async with self.session.request(
                method, self.url + path, data=data, headers=sent, skip_auto_headers=skipped
            ) as response:
                raw = await response.read()
        decoded: Any = raw.decode()
        if "json" in response.content_type and raw:
            decoded = _json(raw)
        told = {name: response.headers[name] for name in _HEADERS if name in response.headers}
        return Said(step, response.status, told, decoded)


def _json(raw: bytes) -> Any:
    """One value, or those of the lines of a watch."""
    try:
        return json.loads(raw)
    except json.JSONDecodeError:
        return [json.loads(line) for line in raw.splitlines()]


@asynccontextmanager
async def opened(
    name: str,
    url: str,
    tokens: dict[str, str],
    namespace: str,
    trust: ssl.SSLContext | bool,
    forget: Callable[[], None] = lambda: None,
) -> AsyncIterator[Side]:
    """A side with a namespace of its own, where the accounts that pods need are already there."""
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:
        side = Side(name, url, tokens, namespace, session, forget)
        await side.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}}, told=False)
        account, root = side.at("serviceaccounts", "default"), side.at("configmaps", "kube-root-ca.crt")
        await side.settled(
            account, lambda body: body["kind"] == "ServiceAccount" and "uid" in body["metadata"], told=False
        )
        await side.settled(root, lambda body: body["kind"] == "ConfigMap", told=False)
        try:
            yield side
        finally:
            await side.ask("DELETE", f"/api/v1/namespaces/{namespace}", told=False)
