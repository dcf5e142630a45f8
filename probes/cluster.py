"""One API server, reached through one kubeconfig context: raw bytes in, errors of `probes.errors` out.

Importing this module brings in neither aiohttp nor kubernetes; `Cluster.connect` does, in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from probes import answers
from probes.errors import BadAnswer, LoginExpired, ProbeError, Unreachable
from probes.heartbeat import Heartbeat
from probes.kubeconfig import ContextInfo, contexts
from probes.redaction import one_line

if TYPE_CHECKING:
    import aiohttp

    from probes import credentials

__all__ = ["Cluster", "ContextInfo", "Scope", "contexts"]

log = logging.getLogger(__name__)

JSON = "application/json"
MOST_LINE = 8 * 1024 * 1024  # bytes; an object in etcd is at most 1.5 MB, a log line has no limit of its own
MOST_BODY = 256 * 1024 * 1024
_CONNECTIONS = 200  # every watch and every followed log holds one (HTTP/1.1)
_RENEW_GAP = 10.0  # seconds between two attempts to renew a refused credential: many watches ask at once


@dataclass(frozen=True, slots=True)
class Scope:
    """The namespaces to look at; empty means all of them."""

    namespaces: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.namespaces) or "all namespaces"


class Cluster:
    """A connection. ``namespace`` is the context's default, or ``default``. Make one with `connect`."""

    def __init__(self, material: credentials.Material, *, kubeconfig: str | None) -> None:
        self.context = material.selection.context
        self.server = material.selection.server
        self.user = material.selection.user_name
        self.namespace = material.selection.namespace
        self.heartbeat = Heartbeat(self)
        self.heard_at = 0.0  # monotonic instant of the last byte from the server
        self._kubeconfig = kubeconfig
        self._material = material
        self._session: aiohttp.ClientSession | None = None
        self._retired: list[aiohttp.ClientSession] = []
        self._renewing = asyncio.Lock()
        self._renew_tried_at = float("-inf")
        self._renew_error: ProbeError | None = None
        self._closed = False

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> Cluster:
        """Read files and credentials; sends nothing to the server. Raises `ConfigError` or `CredentialFailed`."""
        from probes import credentials

        return cls(await credentials.load(kubeconfig, context), kubeconfig=kubeconfig)

    async def close(self) -> None:
        """End every connection. Requests after this raise `Unreachable`."""
        self._closed = True
        await self.heartbeat.stop()
        sessions = [*self._retired, *([self._session] if self._session else [])]
        self._session, self._retired = None, []
        for session in sessions:
            await session.close()

    async def version(self) -> str:
        """The server's ``gitVersion``, e.g. ``v1.36.2``."""
        body = await self.get("/version")
        try:
            return msgspec.json.decode(body, type=_Version).gitVersion
        except msgspec.DecodeError as error:
            raise BadAnswer(f"{self.server} does not answer /version like Kubernetes: {error}") from error

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON, timeout: float = 10.0
    ) -> bytes:
        """The body of a 200 answer, whole, within ``timeout`` seconds. Raises `ProbeError`."""
        return await self._exchange("GET", path, query, accept, None, timeout)

    async def post(self, path: str, body: bytes, *, timeout: float = 10.0) -> bytes:
        """Only for reviews (SelfSubjectAccessReview), which create nothing: probes change nothing."""
        return await self._exchange("POST", path, None, JSON, body, timeout)

    async def lines(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        accept: str = JSON,
        idle_timeout: float,
        connect_timeout: float = 10.0,
        answer_timeout: float | None = None,
        opened: Callable[[], None] | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """The lines of an endless body without their newlines, as they come (a watch, a followed log).

        ``idle_timeout`` seconds without a byte raise `Unreachable`; ``answer_timeout`` (default the same) limits the
        wait for the headers, and ``opened`` is called when they have come. Ends when the server ends it. A line above
        8 MiB raises `BadAnswer`. Close it to hang up.
        """
        from aiohttp import ClientTimeout

        limits = ClientTimeout(
            total=None, connect=connect_timeout, sock_connect=connect_timeout, sock_read=idle_timeout
        )
        async with self._answer("GET", path, query, accept, None, limits, answer_timeout or idle_timeout) as response:
            if opened is not None:
                opened()
            rest = bytearray()
            async for chunk in response.content.iter_any():
                self.heard_at = time.monotonic()
                if b"\n" not in chunk:
                    rest += chunk
                    if len(rest) > MOST_LINE:
                        raise BadAnswer(f"a line longer than {MOST_LINE // 2**20} MiB came from {path}")
                    continue
                first, *complete = chunk.split(b"\n")
                rest += first
                yield bytes(rest)
                rest = bytearray(complete.pop())
                for line in complete:
                    yield line
            if rest:
                yield bytes(rest)

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        accept: str,
        body: bytes | None,
        timeout: float,
    ) -> bytes:
        from aiohttp import ClientTimeout

        limits = ClientTimeout(total=timeout, sock_connect=timeout)
        async with self._answer(method, path, query, accept, body, limits, timeout) as response:
            return await self._read(response, MOST_BODY)

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        accept: str,
        body: bytes | None,
        limits: aiohttp.ClientTimeout,
        answer_timeout: float,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A successful response; anything else, failures while its body is read included, is a `ProbeError`."""
        import aiohttp

        try:
            response = await self._send(method, path, query, accept, body, limits, answer_timeout)
            try:
                yield response
            finally:
                # Not `release()`: an unread rest would be waited for. A body read to its end has gone back already.
                response.close()
        except TimeoutError as error:
            raise Unreachable(f"{self.server} does not answer", hint="frozen, or the network is gone") from error
        except aiohttp.ClientError as error:
            raise self._unreachable(error) from error
        except OSError as error:
            raise Unreachable(f"cannot reach {self.server}: {_why(error)}") from error

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        accept: str,
        body: bytes | None,
        limits: aiohttp.ClientTimeout,
        answer_timeout: float,
    ) -> aiohttp.ClientResponse:
        await self._renew_if_due()
        for attempt in (1, 2):
            material = self._material
            # The limit is the server's; a credential plugin has its own.
            async with asyncio.timeout(answer_timeout):
                response = await self._request(material, method, path, query, accept, body, limits)
                self.heard_at = time.monotonic()
                if response.status < 300:
                    return response
                try:
                    refusal = answers.status_of(await self._read(response, 65536))
                finally:
                    response.close()
            error = answers.error_for(
                response.status,
                refusal,
                retry_after=response.headers.get("Retry-After"),
                login_hint=material.login_hint,
            )
            if isinstance(error, LoginExpired) and attempt == 1 and await self._renew(material):
                continue
            raise error
        raise AssertionError("unreachable")

    async def _request(
        self,
        material: credentials.Material,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        accept: str,
        body: bytes | None,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        if self._closed:
            raise Unreachable("this connection was closed")
        if self._session is None:
            material.rest.maxsize = _CONNECTIONS
            self._session = material.rest._create_pool_manager()  # the client library's documented factory
        configuration = material.rest.configuration
        headers = {"Accept": accept}
        if material.authorization:
            headers["Authorization"] = material.authorization
        if body is not None:
            headers["Content-Type"] = JSON
        extra: dict[str, Any] = {}
        if configuration.tls_server_name:
            extra["server_hostname"] = configuration.tls_server_name
        if material.rest.proxy:
            extra["proxy"] = material.rest.proxy
        if material.rest.proxy_headers:
            extra["proxy_headers"] = material.rest.proxy_headers
        return await self._session.request(
            method,
            self.server + path,
            params=query,
            headers=headers,
            data=body,
            timeout=limits,
            # A redirect could carry the credential elsewhere; API servers do not send one.
            allow_redirects=False,
            **extra,
        )

    async def _read(self, response: aiohttp.ClientResponse, most: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            self.heard_at = time.monotonic()
            size += len(chunk)
            parts.append(chunk)
            if size > most:
                break
        return b"".join(parts)

    async def _renew_if_due(self) -> None:
        due = self._material.renew_at
        if due is not None and time.time() >= due:
            await self._renew(self._material)

    async def _renew(self, used: credentials.Material) -> bool:
        """Load the credential again unless somebody just did; False if nothing new came of it. Raises as `load`."""
        from probes import credentials

        async with self._renewing:
            if self._material is not used:
                return True
            if time.monotonic() - self._renew_tried_at < _RENEW_GAP:
                if self._renew_error is not None:
                    raise self._renew_error
                return False
            self._renew_tried_at = time.monotonic()
            self._renew_error = None
            try:
                fresh = await credentials.load(self._kubeconfig, self.context if self.context != "in-cluster" else None)
            except ProbeError as error:
                self._renew_error = error
                raise
            if fresh.fingerprint != used.fingerprint and self._session is not None:
                # Streams that run on the old session end by themselves; new requests need the new certificates.
                self._retired.append(self._session)
                self._session = None
            changed = (fresh.authorization, fresh.fingerprint) != (used.authorization, used.fingerprint)
            self._material = fresh
            self.server = fresh.selection.server
            log.info("credential of %s loaded again: %s", self.user, "a new one" if changed else "the same")
            return changed

    def _unreachable(self, error: aiohttp.ClientError) -> Unreachable:
        import aiohttp

        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            reason = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
            return Unreachable(
                f"the certificate of {self.server} is not trusted: {one_line(reason)}",
                hint="check certificate-authority and tls-server-name in the kubeconfig",
            )
        if isinstance(error, aiohttp.ClientConnectorError):
            return Unreachable(f"cannot connect to {self.server}: {_why(error.os_error)}")
        if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
            return Unreachable(f"{self.server} hung up")
        return Unreachable(f"{self.server}: {one_line(str(error)) or type(error).__name__}")


def _why(error: OSError) -> str:
    """``connection refused`` rather than asyncio's ``Connect call failed ('127.0.0.1', 6443)``."""
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return one_line(error.strerror or str(error)) or type(error).__name__


class _Version(msgspec.Struct):
    gitVersion: str  # noqa: N815  (the wire's name)
