"""The only client that can change anything in Azure. `runbook.hands` makes it for an act of the gate, and nobody else.

No retries, no redirects, a connection for each request: nothing is ever sent twice, a refused login included. What got
no answer is `Uncertain`. The Azure SDK has policies for all that, and so it is not used here.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct, field

from probes.errors import ProbeError
from probes.http11 import PATH_SAFE, Answer, HungUp, NotHttp, Origin, ProxyFailed, Wire
from probes.proxy import proxy_for
from runbook.azure_refusals import refusal
from runbook.errors import NotSent, Uncertain

if TYPE_CHECKING:
    from probes.azure.account import Account
    from runbook.stamps import Stamp

Json = dict[str, Any]

JSON = "application/json"
CONNECT = 8.0  # seconds to reach the server
MOST_ANSWER = 4 * 1024 * 1024
ANSWER = 60.0  # seconds until it has answered; Resource Manager itself gives up on a provider after about 60


class Accepted(Struct, frozen=True, kw_only=True):
    """What Azure said to a write: done (200, 201), or begun (202), and then ``operation`` is where to ask about it."""

    status: int
    body: Json = field(default_factory=dict)
    operation: str = ""  # Azure-AsyncOperation, an address
    request: str = ""  # Azure's own id of the request, for its support


class AzureHands:
    """One act's means to change Azure. Every request carries the stamp of incident and act.

    Raised by all: `NotSent` (nothing reached Azure), `Refused` (it said no), `Uncertain` (no answer). Paths are quoted
    already.
    """

    def __init__(self, account: Account, stamp: Stamp) -> None:
        self.stamp = stamp
        self._account = account

    async def put(self, path: str, api: str, body: Json) -> Accepted:
        """Create a resource, or replace it."""
        return await self._send("PUT", path, api, body)

    async def patch(self, path: str, api: str, body: Json) -> Accepted:
        """Change what ``body`` names of a resource."""
        return await self._send("PATCH", path, api, body)

    async def post(self, path: str, api: str) -> Accepted:
        """An action on a resource, like an operation's ``cancel``."""
        return await self._send("POST", path, api, None)

    async def _send(self, method: str, path: str, api: str, body: Json | None) -> Accepted:
        try:
            token = await self._account.token()
        except ProbeError as error:
            raise NotSent(f"nothing was sent: {error}", error.hint) from None
        where = urlsplit(self._account.server).netloc
        headers = {
            "Accept": JSON,
            "User-Agent": "warroom",
            "Authorization": f"Bearer {token}",
            "x-ms-client-request-id": self.stamp.correlation,
            "x-ms-correlation-request-id": self.stamp.correlation,
        }
        if body is not None:
            headers["Content-Type"] = JSON
        data = b"" if body is None else msgspec.json.encode(body)
        target = f"{quote(path, safe=PATH_SAFE)}?{urlencode({'api-version': api})}"
        # Nothing is chained to what is raised from here on: the frames below hold the token.
        try:
            async with asyncio.timeout(CONNECT):
                wire = await Wire.open(_origin(self._account.server))
        except ssl.SSLCertVerificationError as error:
            raise NotSent(
                f"nothing was sent: the certificate of {where} is not trusted: {error.verify_message}"
            ) from None
        except (OSError, ProxyFailed) as error:
            why = "it does not answer" if isinstance(error, TimeoutError) else "the connection is refused or breaks"
            raise NotSent(f"nothing was sent: cannot connect to Azure ({where}): {why}") from None
        try:
            async with asyncio.timeout(ANSWER):
                answer = await wire.ask(method, target, headers, data)
                received = await _whole(answer)
        except ValueError:
            raise NotSent("nothing was sent: the request cannot be put into HTTP") from None
        except (OSError, HungUp, NotHttp) as error:
            why = f"no answer within {ANSWER:g} s" if isinstance(error, TimeoutError) else "the connection broke"
            raise Uncertain(
                f"the request went out to Azure ({where}) and {why}: it may have been carried out"
            ) from None
        finally:
            wire.close()
        status, told = answer.status, answer.headers
        if status >= 300:
            raise refusal(status, told, received, self._account.login_hint)
        try:
            content = msgspec.json.decode(received) if received else {}
        except (msgspec.DecodeError, UnicodeDecodeError):
            content = {}  # it said yes, and what it said besides is looked up anyway
        return Accepted(
            status=status,
            body=content if isinstance(content, dict) else {},
            operation=told.get("azure-asyncoperation") or told.get("location") or "",
            request=told.get("x-ms-request-id", ""),
        )


def _origin(server: str) -> Origin:
    """Where requests for an endpoint go, by the environment's proxy if it names one."""
    parts = urlsplit(server)
    host = parts.hostname or ""
    # The Azure CLI's variable counts here, as it does where Azure is read.
    authorities = os.environ.get("REQUESTS_CA_BUNDLE") or None
    tls = ssl.create_default_context(cafile=authorities) if parts.scheme == "https" else None
    return Origin(host=host, port=parts.port or (443 if tls else 80), tls=tls, proxy=proxy_for(parts.scheme, host))


async def _whole(answer: Answer) -> bytes:
    """A body of bounded size. Raises `NotHttp`."""
    parts: list[bytes] = []
    size = 0
    async for piece in answer.pieces():
        size += len(piece)
        if size > MOST_ANSWER:
            raise NotHttp(f"an answer of more than {MOST_ANSWER} bytes")
        parts.append(piece)
    return b"".join(parts)
