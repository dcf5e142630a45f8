"""The only clients that can change anything. The gate makes them, one for each act, and nobody else does.

`Hands` writes; `Rehearsal` asks the server what a write would do (``dryRun=All`` on every request). Unlike the probes'
connections, theirs are never reused and a request is never sent twice: what got no answer is `Uncertain`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec

from probes import answers
from probes.errors import ProbeError
from probes.http11 import PATH_SAFE, HungUp, NotHttp, ProxyFailed, Wire
from runbook.errors import NotSent, Refused, Uncertain
from runbook.exec_stream import Declined, Limits, Ran, run
from runbook.launch import launch
from runbook.media import APPLY, JSON, MERGE
from runbook.outside import NOWHERE, Outside

if TYPE_CHECKING:
    from probes.cluster import Cluster
    from probes.credentials import Material
    from runbook.azure_hands import AzureHands
    from runbook.jobs import Job
    from runbook.sql_hands import SqlHands
    from runbook.stamps import Stamp

Json = dict[str, Any]
Body = Json | list[Json] | None  # a list is a JSON patch

CONNECT = 5.0  # seconds to reach the server
ANSWER = 30.0  # seconds until it has answered; an API server gives up on admission webhooks after 10 to 30
MOST_ANSWER = 16 * 1024 * 1024


class _Sender:
    """One request, one connection."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def _send(self, method: str, path: str, query: Mapping[str, str], body: Body, media: str) -> Json:
        """The answer's object. Raises `NotSent`, `Refused`, `Uncertain`."""
        data = None if body is None else msgspec.json.encode(body)
        material = await self._material()
        status, answer, retry_after = await self._exchange(material, method, path, query, data, media)
        if status == 401:  # refused before anything was done, so it may go out once more
            fresh = await self._renewed(material)
            if fresh is not None:
                material = fresh
                status, answer, retry_after = await self._exchange(fresh, method, path, query, data, media)
        if status >= 300:
            raise _refusal(status, answer, retry_after, material.login_hint)
        try:
            return msgspec.json.decode(answer, type=Json) if answer else {}
        except msgspec.DecodeError as error:
            raise Uncertain(f"the server answered {status} with something that is not JSON") from error

    async def _material(self) -> Material:
        try:
            return await self._cluster.material()
        except ProbeError as error:
            raise NotSent(f"nothing was sent: {error}", error.hint) from error

    async def _renewed(self, refused: Material) -> Material | None:
        try:
            return await self._cluster.renewed(refused)
        except ProbeError as error:
            raise NotSent(f"nothing was done: {error}", error.hint) from error

    async def _exchange(
        self, material: Material, method: str, path: str, query: Mapping[str, str], data: bytes | None, media: str
    ) -> tuple[int, bytes, str | None]:
        target = material.path + quote(path, safe=PATH_SAFE)
        if query:
            target += f"?{urlencode(query, quote_via=quote)}"
        headers = {"Accept": JSON, "User-Agent": "warroom"}
        if material.authorization:
            headers["Authorization"] = material.authorization
        if data is not None:
            headers["Content-Type"] = media
        server = self._cluster.server
        try:
            async with asyncio.timeout(CONNECT):
                wire = await Wire.open(material.origin)
        except (OSError, ProxyFailed) as error:
            why = "it does not answer" if isinstance(error, TimeoutError) else str(error)
            raise NotSent(f"nothing was sent: cannot connect to {server}: {why}") from error
        try:
            async with asyncio.timeout(ANSWER):
                answer = await wire.ask(method, target, headers, data)
                parts: list[bytes] = []
                size = 0
                async for piece in answer.pieces():
                    size += len(piece)
                    if size > MOST_ANSWER:
                        raise NotHttp(f"an answer of more than {MOST_ANSWER} bytes")
                    parts.append(piece)
                return answer.status, b"".join(parts), answer.headers.get("retry-after")
        except ValueError as error:
            raise NotSent(f"nothing was sent: {error}") from error
        except (OSError, HungUp, NotHttp) as error:
            why = f"no answer within {ANSWER:g} s" if isinstance(error, TimeoutError) else "the connection broke"
            raise Uncertain(f"the request went out to {server} and {why}: it may have been carried out") from error
        finally:
            wire.close()


class Rehearsal(_Sender):
    """Asks the server what a write would come to; stores nothing."""

    async def patch(self, path: str, body: Body, media: str = MERGE, query: Mapping[str, str] | None = None) -> Json:
        """The object as it would be after the patch. Raises as `Hands.patch`."""
        return await self._send("PATCH", path, _dry(query), body, media)

    async def create(self, path: str, body: Json) -> Json:
        """The object as it would be created."""
        return await self._send("POST", path, _dry(None), body, JSON)

    async def delete(self, path: str, body: Json | None = None) -> Json:
        return await self._send("DELETE", path, _dry(None), body, JSON)


class Hands(_Sender):
    """One act's means to change the world. Every request carries the stamp of incident and act.

    Raised by all: `NotSent` (nothing reached the server), `Refused` (it said no), `Uncertain` (no answer).
    """

    def __init__(self, cluster: Cluster, stamp: Stamp, outside: Outside = NOWHERE) -> None:
        super().__init__(cluster)
        self.stamp = stamp
        self._outside = outside

    @property
    def azure(self) -> AzureHands:
        """The means to change Azure. Raises `NotSent` where the console has no account."""
        if self._outside.account is None:
            raise NotSent("nothing was sent: this console has no Azure account")
        from runbook.azure_hands import AzureHands

        return AzureHands(self._outside.account, self.stamp)

    @property
    def sql(self) -> SqlHands:
        """The means to end a session of the SQL server. Raises `NotSent` where the settings name none."""
        if self._outside.sql is None:
            raise NotSent("nothing was sent: this console knows no SQL server")
        from runbook.sql_hands import SqlHands

        return SqlHands(self._outside.sql, self.stamp)

    async def patch(self, path: str, body: Body, media: str = MERGE) -> Json:
        """PATCH an object or a subresource; the object afterwards.

        Put ``metadata.uid`` and ``metadata.resourceVersion`` into the body to have the server refuse (409, 422) if it
        is another object or changed meanwhile.
        """
        return await self._send("PATCH", path, {"fieldManager": self.stamp.manager}, body, media)

    async def apply(self, path: str, body: Json, *, force: bool = False) -> Json:
        """Server-side apply under our own field manager."""
        query = {"fieldManager": self.stamp.manager} | ({"force": "true"} if force else {})
        return await self._send("PATCH", path, query, body, APPLY)

    async def create(self, path: str, body: Json) -> Json:
        """POST to a collection, or to a subresource like ``eviction``."""
        return await self._send("POST", path, {"fieldManager": self.stamp.manager}, body, JSON)

    async def delete(self, path: str, *, uid: str = "", grace_seconds: int | None = None) -> Json:
        """DELETE an object; with ``uid`` only if it is still that one."""
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        return await self._send("DELETE", path, {}, options, JSON)

    async def replace(self, path: str, body: Json) -> Json:
        """PUT a whole object. Keep its ``metadata.resourceVersion`` to be refused (409) if it changed meanwhile."""
        return await self._send("PUT", path, {"fieldManager": self.stamp.manager}, body, JSON)

    async def exec(
        self,
        path: str,
        command: Sequence[str],
        *,
        container: str,
        limit: float,
        heard: Callable[[bytes], None] = lambda _: None,
    ) -> Ran:
        """Run a command (an argument list) in a container of the pod at ``path``, at most ``limit`` seconds.

        Nothing can be typed into it. ``heard`` gets its output as it comes, and ``b""`` once when it runs.
        """
        query = [("command", part) for part in command] + [("container", container)]
        query += [("stdout", "true"), ("stderr", "true")]
        asked = f"{quote(path, safe=PATH_SAFE)}/exec?{urlencode(query, quote_via=quote)}"
        limits = Limits(connect=CONNECT, answer=min(ANSWER, max(CONNECT, limit)), command=limit)
        material = await self._material()
        ended = await run(material, asked, limits, heard)
        if isinstance(ended, Declined) and ended.status == 401 and (fresh := await self._renewed(material)) is not None:
            material = fresh
            ended = await run(material, asked, limits, heard)
        if isinstance(ended, Ran):
            return ended
        said = answers.status_of(ended.body)
        if ended.status >= 500 and said.reason:  # the API server itself: a stream that was not opened runs nothing
            raise Refused(
                f"the server cannot open it: {' '.join((said.message or '').split())[:300]}", status=ended.status
            )
        raise _refusal(ended.status, ended.body, ended.retry_after, material.login_hint)

    def spawn(self, job: Job, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a command (an argument list) that goes on whatever becomes of us; ``job`` tells what becomes of it.

        ``environment`` is ours unless given; WARROOM_INCIDENT and WARROOM_ACT are added. Raises `NotSent`.
        """
        base = os.environ if environment is None else environment
        stamped = {**base, "WARROOM_INCIDENT": self.stamp.incident, "WARROOM_ACT": self.stamp.act}
        try:
            launch(job, command, stamped)
        except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
            why = (error.strerror if isinstance(error, OSError) else "") or str(error)
            raise NotSent(f"nothing was sent: {command[0]} cannot be started: {why}") from error


def _dry(query: Mapping[str, str] | None) -> dict[str, str]:
    return {"fieldManager": "warroom", **(query or {}), "dryRun": "All"}


def _refusal(status: int, body: bytes, retry_after: str | None, login_hint: str) -> Refused | Uncertain:
    said = answers.status_of(body)
    if status >= 500:  # whoever said it may have given up on somebody who goes on
        message = " ".join((said.message or "").split())[:300]
        return Uncertain(f"the server answered {status} ({message}): it may have been carried out all the same")
    error = answers.error_for(status, said, retry_after=retry_after, login_hint=login_hint)
    return Refused(f"the server refused: {error}", error.hint, status=status)
