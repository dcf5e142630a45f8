"""Azure Resource Manager as a plan reads it: single objects, fresh, as JSON. It asks with GET and with nothing else.

The panes' probes use the SDK and keep what they saw; a plan wants the object of this moment, whole, and a verdict wants
it again and again. Writing is `runbook.azure_hands`' business.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from probes.errors import BadAnswer, Forbidden, LoginExpired, NotFound, ProbeError, Unreachable
from probes.http11 import PATH_SAFE, HungUp, NotHttp, Origin, ProxyFailed, Wire
from probes.proxy import proxy_for
from runbook.arm_answers import error_for

Json = dict[str, Any]

READ = 8.0  # seconds that one read of a plan may take; Resource Manager is slower than an API server
MOST_ANSWER = 4 * 1024 * 1024
MOST_PAGES = 20
JSON = "application/json"


class Account(Protocol):
    """Who asks, and where: `probes.azure.account.Account`."""

    @property
    def server(self) -> str:
        """The endpoint: ``https://management.azure.com``."""
        ...

    @property
    def subscription(self) -> str: ...

    async def token(self) -> str:
        """A bearer token for Resource Manager. Raises `ProbeError` with what to do: ``az login``."""
        ...


class Arm:
    """Reads for one account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._origin: Origin | None = None

    @property
    def server(self) -> str:
        return self.account.server

    @property
    def subscription(self) -> str:
        return self.account.subscription

    def path(self, *segments: str) -> str:
        """A path below the subscription, each segment quoted: ``path("resourceGroups", "prod rg")``."""
        return "/".join(["/subscriptions", self.subscription, *(quote(part, safe="") for part in segments)])

    @property
    def origin(self) -> Origin:
        """Where requests go. Made once: reading the certificate authorities takes a while."""
        if self._origin is None:
            self._origin = origin_of(self.server)
        return self._origin

    async def get(self, path: str, api: str, query: Mapping[str, str] | None = None) -> Json:
        """The JSON object at ``path``, which is quoted already. Raises `ProbeError`."""
        return await self._read(f"{path}?{urlencode({'api-version': api, **(query or {})}, quote_via=quote)}")

    async def operation(self, address: str) -> Json | None:
        """The state of a long-running operation that Azure gave an address for; None if that leads elsewhere.

        A bearer token goes nowhere but to the account's own endpoint, whatever an answer says.
        """
        there, here = urlsplit(address), urlsplit(self.server)
        if (there.scheme, there.netloc.lower()) != (here.scheme, here.netloc.lower()):
            return None
        return await self._read(there.path + (f"?{there.query}" if there.query else ""))

    async def values(self, path: str, api: str, query: Mapping[str, str] | None = None) -> list[Json]:
        """All items of a list, its pages followed. Raises `ProbeError`."""
        page = await self.get(path, api, query)
        found: list[Json] = list(page.get("value") or ())
        seen: set[str] = set()
        while (more := str(page.get("nextLink") or "")) and more not in seen and len(seen) < MOST_PAGES:
            seen.add(more)
            following = await self.operation(more)
            if following is None:
                raise BadAnswer("Azure's next page is at another server; it was not asked")
            page = following
            found += page.get("value") or ()
        return found

    async def _read(self, target: str) -> Json:
        token = await self.account.token()
        where = urlsplit(self.server).netloc
        try:
            async with asyncio.timeout(READ):
                wire = await Wire.open(self.origin)
                try:
                    headers = {"Accept": JSON, "User-Agent": "warroom", "Authorization": f"Bearer {token}"}
                    answer = await wire.ask("GET", quote(target, safe=PATH_SAFE + "?"), headers)
                    body = await whole(answer.pieces())
                finally:
                    wire.close()
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(f"the certificate of {where} is not trusted: {error.verify_message}") from None
        except (OSError, ProxyFailed, HungUp, NotHttp, ValueError) as error:
            why = f"no answer within {READ:g} s" if isinstance(error, TimeoutError) else "the connection broke"
            # Not chained: the frames below hold the token.
            raise Unreachable(f"Azure ({where}) cannot be asked: {why}") from None
        if answer.status >= 300:
            raise error_for(answer.status, body, answer.headers.get("retry-after"))
        try:
            return msgspec.json.decode(body, type=Json)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise BadAnswer(f"the answer of {where} is not a JSON object") from None


def origin_of(server: str) -> Origin:
    """Where requests for an endpoint go, a proxy of the environment included."""
    parts = urlsplit(server)
    host = parts.hostname or ""
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    return Origin(host=host, port=parts.port or (443 if tls else 80), tls=tls, proxy=proxy_for(parts.scheme, host))


async def whole(pieces: Any) -> bytes:
    """A body of bounded size. Raises `NotHttp`."""
    parts: list[bytes] = []
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > MOST_ANSWER:
            raise NotHttp(f"an answer of more than {MOST_ANSWER} bytes")
        parts.append(piece)
    return b"".join(parts)


__all__ = ["Account", "Arm", "Forbidden", "LoginExpired", "NotFound", "ProbeError", "origin_of", "whole"]
