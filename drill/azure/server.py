"""Resource Manager's address on loopback: plain HTTP, a token of its own, and the way to the handlers."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import uuid
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from drill.azure import errors
from drill.azure.changes import Request
from drill.azure.errors import ArmError
from drill.azure.estate import Estate
from drill.azure.handlers import ROUTES, Answer, Call, Handlers, Route
from drill.observing import Observer, seen
from drill.records import encode

log = logging.getLogger(__name__)
Json = dict[str, Any]

_VERSION: Final = re.compile(r"20\d\d-\d\d-\d\d(-preview)?")
_MAX_BODY: Final = 1024 * 1024
_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_OBJECT_ID: Final = "5c9d7f10-2b64-4c0e-9f5a-0d3b8a7e6c21"  # the token's owner in its directory


class ArmServer:
    """Serves an estate on 127.0.0.1 only, on a free port, to whoever has its token.

    ``estate.faults`` is what can be made to go wrong; ``observers`` are called with every request when it arrives.
    """

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.faults = estate.faults
        self.observers: list[Observer] = []
        self.token = secrets.token_urlsafe(48)
        self.token_file: Path | None = None
        self._expired: set[str] = set()
        self._handlers = Handlers(estate)
        self._server: web.Server | None = None
        self._runner: web.ServerRunner | None = None
        self._port = 0

    # Life

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``"""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._server = web.Server(self._handle, access_log=None, handler_cancellation=True, keepalive_timeout=120.0)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.faults.thaw()
        for connection in self._server.connections if self._server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = self._server = None

    def keep_token(self, path: Path) -> None:
        """Write the token into a file that only its owner can read, and keep that file up to date."""
        self.token_file = path
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{self.token}\n")

    def expire_token(self) -> None:
        """The token in use is refused from now on, as one whose time is over; see `renew_token`."""
        self._expired.add(self.token)

    def renew_token(self) -> None:
        """There is a new token, and it is in the file."""
        self.token = secrets.token_urlsafe(48)
        if self.token_file is not None:
            self.keep_token(self.token_file)

    # Requests

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        arrived = await seen(request, body=bool(self.observers))
        for observer in [*self.observers]:
            observer(arrived)
        await self.faults.gate()
        if arrived.writes and self.faults.unheard > 0:
            self.faults.unheard -= 1
            return _cut(request)
        answer = await self._answer(request)
        if arrived.writes and self.faults.unanswered > 0:
            self.faults.unanswered -= 1
            return _cut(request)
        return answer

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        correlation = self._correlation(request)
        try:
            await self._admit(request)
            answer = await self._dispatch(request, correlation)
        except ArmError as error:
            answer = Answer(error.status, error.body(), error.headers)
        except (ConnectionResetError, asyncio.CancelledError):
            raise
        except Exception as error:
            log.exception("%s %s", request.method, request.path_qs)
            failure = ArmError(500, "InternalServerError", f"{type(error).__name__}: {error}")
            answer = Answer(failure.status, failure.body())
        common = {
            "Cache-Control": "no-cache",
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-correlation-request-id": correlation,
            "x-ms-ratelimit-remaining-subscription-reads": "11999",
        }
        body = b"" if answer.body is None else encode(answer.body)
        kind = {} if answer.body is None else {"Content-Type": "application/json; charset=utf-8"}
        return web.Response(status=answer.status, body=body, headers={**common, **kind, **answer.headers})

    def _correlation(self, request: web.BaseRequest) -> str:
        """The client's own, if it has one."""
        told = request.headers.get("x-ms-correlation-request-id", "")
        return told.lower() if _GUID.fullmatch(told) else self.estate.log.guid()

    async def _admit(self, request: web.BaseRequest) -> None:
        """Raises what the faults want raised, 421 for another host, 401 for a wrong token."""
        host = request.headers.get("Host", "")
        if host not in (f"127.0.0.1:{self._port}", f"localhost:{self._port}"):
            raise ArmError(421, "InvalidHost", f"This endpoint is not '{host}'.")  # a web page that found the port
        faults, tenant = self.faults, self.estate.part.tenant
        if faults.concerns(request.path):
            if faults.delay:
                await asyncio.sleep(faults.delay)
            if faults.throttled > 0:
                faults.throttled -= 1
                raise errors.throttled(faults.retry_after)
            if faults.error is not None:
                raise ArmError(
                    faults.error, "InternalServerError", "Encountered internal server error. Please try again."
                )
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token:
            raise errors.unauthenticated(
                "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.", tenant
            )
        if token in self._expired or faults.logged_out:
            raise errors.unauthenticated(
                "ExpiredAuthenticationToken",
                f"The access token expiry UTC time is earlier than current UTC time '{self.estate.instants.stamp()}'.",
                tenant,
            )
        if scheme.lower() != "bearer" or not secrets.compare_digest(token.encode(), self.token.encode()):
            raise errors.unauthenticated("InvalidAuthenticationToken", "The access token is invalid.", tenant)

    async def _dispatch(self, request: web.BaseRequest, correlation: str) -> Answer:
        query = {name.lower(): value for name, value in request.query.items()}
        path = request.path.rstrip("/")
        self._check_subscription(path)
        route, names = _route(request.method, path)
        version = query.get("api-version", "")
        if not version:
            raise errors.bad_request(
                "The api-version query parameter (?api-version=) is required for all requests.",
                "MissingApiVersionParameter",
            )
        if not _VERSION.fullmatch(version):
            raise errors.bad_request(f"The api-version '{version}' is invalid.", "InvalidApiVersionParameter")
        part = self.estate.part
        if route.action and self.faults.forbids(route.action):
            raise errors.unauthorized(part.user, _OBJECT_ID, route.action, _scope(path))
        self._check_names(names)
        asked = Request(part.user, correlation, request.headers.get("x-ms-client-request-id", ""))
        call = Call(names, path, query, await _body(request), asked, f"http://{request.headers['Host']}")
        return route.handle(self._handlers, call)

    def _check_subscription(self, path: str) -> None:
        parts = path.split("/")
        if len(parts) < 3 or parts[1].lower() != "subscriptions":
            raise errors.no_route(path)
        if parts[2].lower() != self.estate.part.subscription:
            raise errors.no_subscription(parts[2])

    def _check_names(self, names: dict[str, str]) -> None:
        """There is one group with one server."""
        part = self.estate.part
        if names.get("group", part.group).lower() != part.group.lower():
            raise errors.no_group(names["group"])
        if names.get("server", part.server).lower() != part.server.lower():
            raise errors.no_resource(f"Microsoft.Sql/servers/{names['server']}", part.group)


def _route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    segments, allowed = path.split("/"), False
    for route in ROUTES:
        names = route.match(segments)
        if names is not None:
            if route.method == method:
                return route, names
            allowed = True
    if allowed:
        raise ArmError(405, "HttpMethodNotAllowed", f"The requested resource does not support http method '{method}'.")
    raise errors.no_route(path)


def _scope(path: str) -> str:
    """The resource that a path is about, without the provider that was asked about it."""
    return re.split(r"/providers/Microsoft\.(?:Insights|Authorization)", path, maxsplit=1, flags=re.IGNORECASE)[0]


async def _body(request: web.BaseRequest) -> Json:
    """The request's JSON object; empty for none."""
    if request.content_length is not None and request.content_length > _MAX_BODY:
        raise ArmError(413, "RequestEntityTooLarge", f"The request is larger than {_MAX_BODY} bytes.")
    content = await request.read()
    if not content:
        return {}
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise errors.bad_request(
            f"The request content was invalid and could not be deserialized: '{error}'.", "InvalidRequestContent"
        ) from None


def _cut(request: web.BaseRequest) -> web.Response:
    """End the connection in mid-air; the answer goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)
