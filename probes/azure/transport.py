"""How the SDK's pipeline sends: over our own HTTP/1.1 connections, not over aiohttp, which the console does not import.

aiohttp would be 11 MB more and stop the event loop for 100 ms while it is imported. Only imported by
`probes.azure.account`, in its thread.
"""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.utils import case_insensitive_dict

from probes.connections import Connections
from probes.http11 import Answer, HungUp, NotHttp, Origin, ProxyFailed, target_of
from probes.proxy import proxy_for

MOST_BODY = 32 * 2**20  # bytes of one answer; a page of the activity log is a few hundred kilobytes
MOST_CONNECTIONS = 8
CONNECT = 5.0  # seconds


class Response:
    """An answer whose body was read, in the shape that the SDK's policies look at."""

    def __init__(self, request: Any, answer: Answer, body: bytes) -> None:
        self.request = request
        self.status_code = answer.status
        self.reason = ""
        self.headers = case_insensitive_dict(answer.headers)
        self.content = body

    def text(self, _encoding: str | None = None) -> str:
        return self.content.decode("utf-8", "replace")


class Transport(AsyncHttpTransport[Any, Any]):
    """To one origin and to no other, because a token goes along; and reading only, because reads are sent again."""

    def __init__(self, base_url: str, tls: ssl.SSLContext | None) -> None:
        parts = urlsplit(base_url)
        self.base = f"{parts.scheme}://{parts.netloc}".lower()
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        self._origin = Origin(host, port, tls, proxy=proxy_for(parts.scheme, host))
        self._connections = Connections(self._origin, MOST_CONNECTIONS)

    async def send(self, request: Any, **_options: Any) -> Response:
        """Raises ServiceRequestError when there is no connection, ServiceResponseError when the answer broke off."""
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}".lower() != self.base:
            raise ServiceRequestError(f"{parts.netloc} is not the place that the settings name")
        if request.method != "GET":
            raise ServiceRequestError(f"only reading is done here, and {request.method} is not")
        headers = {**request.headers, "Accept-Encoding": "gzip"}
        try:
            wire, answer = await self._connections.ask("GET", target_of(parts), headers, None, CONNECT)
            try:
                return Response(request, answer, await _whole(answer))
            finally:
                self._connections.done(wire)
        except ProxyFailed as error:
            raise ServiceRequestError(str(error), error=error) from error
        except (HungUp, NotHttp) as error:
            raise ServiceResponseError(str(error) or "the connection was closed", error=error) from error
        except (OSError, TimeoutError) as error:
            raise ServiceRequestError(_why(error), error=error) from error

    async def open(self) -> None:
        """Connections are opened when they are needed."""

    async def close(self) -> None:
        self._connections.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


async def _whole(answer: Answer) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in answer.pieces():
        size += len(piece)
        if size > MOST_BODY:
            raise NotHttp(f"an answer of more than {MOST_BODY // 2**20} MB")
        pieces.append(piece)
    return b"".join(pieces)


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no connection within {CONNECT:g} s"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    return error.strerror or str(error) or type(error).__name__
