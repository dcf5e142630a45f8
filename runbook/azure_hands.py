"""The only client that can change anything in Azure. `runbook.hands` makes it for an act of the gate, and nobody else.

No retries, no redirects, a connection for each request: nothing is ever sent twice, a refused login included. What got
no answer is `Uncertain`. The Azure SDK has policies for all that, and so it is not used here.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct, field

from probes.errors import ProbeError
from probes.http11 import PATH_SAFE, HungUp, NotHttp, ProxyFailed, Wire
from runbook.arm import JSON, Account, origin_of, whole
from runbook.arm_answers import error_for, said
from runbook.errors import NotSent, Refused, Uncertain

if TYPE_CHECKING:
    from runbook.stamps import Stamp

Json = dict[str, Any]

CONNECT = 8.0  # seconds to reach the server
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
                wire = await Wire.open(origin_of(self._account.server))
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
                received = await whole(answer.pieces())
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
            raise _refusal(status, received, told.get("retry-after"))
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


def _refusal(status: int, body: bytes, retry_after: str | None) -> Refused | Uncertain:
    if status >= 500:  # whoever said it may have given up on somebody who goes on
        words = ": ".join(filter(None, said(body))) or "no reason given"
        return Uncertain(f"Azure answered {status} ({words}): it may have been carried out all the same")
    error = error_for(status, body, retry_after)
    return Refused(f"Azure refused: {error}", error.hint, status=status)
