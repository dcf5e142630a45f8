"""One API server, reached through one kubeconfig context: raw bytes in, errors of `probes.errors` out.

Importing this module brings in neither aiohttp nor kubernetes, nor does using it (see `probes.http11`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from probes import answers, credentials
from probes.connections import Connections
from probes.errors import BadAnswer, LoginExpired, ProbeError, Unreachable
from probes.heartbeat import Heartbeat
from probes.http11 import PATH_SAFE, Answer, HungUp, NotHttp, ProxyFailed, Wire
from probes.kubeconfig import ContextInfo, contexts
from probes.redaction import one_line

__all__ = ["Cluster", "ContextInfo", "Scope", "contexts"]

log = logging.getLogger(__name__)

JSON = "application/json"
MOST_LINE = 8 * 1024 * 1024  # bytes; an object in etcd is at most 1.5 MB, a log line has no limit of its own
MOST_BODY = 256 * 1024 * 1024
_CONNECTIONS = 200  # every watch and every followed log holds one (HTTP/1.1)
_RENEW_GAP = 10.0  # seconds between two attempts to renew a refused credential: many watches ask at once


class Scope(Struct, frozen=True):
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
        self._connections: Connections | None = None
        self._retired: list[Connections] = []
        self._renewing = asyncio.Lock()
        self._renew_tried_at = float("-inf")
        self._renew_error: ProbeError | None = None
        self._closed = False

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> Cluster:
        """Read files and credentials; sends nothing to the server. Raises `ConfigError` or `CredentialFailed`."""
        return cls(await credentials.load(kubeconfig, context), kubeconfig=kubeconfig)

    async def close(self) -> None:
        """End every connection. Requests after this raise `Unreachable`."""
        self._closed = True
        await self.heartbeat.stop()
        for connections in (*self._retired, *([self._connections] if self._connections else [])):
            connections.close()
        self._connections, self._retired = None, []

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

    async def review(self, resource: str, body: bytes, *, timeout: float = 10.0) -> bytes:
        """Ask a question that Kubernetes wants POSTed, a ``selfsubjectaccessreviews``: it creates nothing.

        The only way to send a body through this class, which cannot write: who does is `runbook.hands`.
        """
        path = f"/apis/authorization.k8s.io/v1/{quote(resource, safe='')}"
        return await self._exchange("POST", path, None, JSON, body, timeout)

    async def material(self) -> credentials.Material:
        """What requests are made with right now, for who opens a connection of its own. Raises `ProbeError`."""
        await self._renew_if_due()
        return self._material

    async def renewed(self, refused: credentials.Material) -> credentials.Material | None:
        """Fresh material after a 401 to ``refused``; None when there is none, and a person must log in again."""
        return self._material if await self._renew(refused) else None

    @property
    def kubeconfig(self) -> str | None:
        """The file this was made from as it was named, None for the usual places."""
        return self._kubeconfig

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
        limits = (answer_timeout or idle_timeout, connect_timeout)
        async with self._answer("GET", path, query, accept, None, *limits) as (answer, _):
            if opened is not None:
                opened()
            rest = bytearray()
            pieces = answer.pieces()
            while True:
                async with asyncio.timeout(idle_timeout):
                    chunk = await anext(pieces, None)
                if chunk is None:
                    break
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

    async def body(
        self, path: str, query: Mapping[str, str] | None = None, *, idle_timeout: float, connect_timeout: float = 10.0
    ) -> AsyncGenerator[bytes, None]:
        """The body of a 200 answer byte for byte, in pieces as they come, however long it is (a whole log).

        ``idle_timeout`` seconds without a byte raise `Unreachable`, as does a body that breaks off. Close it to hang
        up.
        """
        async with self._answer("GET", path, query, JSON, None, idle_timeout, connect_timeout) as (answer, _):
            pieces = answer.pieces()
            while True:
                async with asyncio.timeout(idle_timeout):
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                self.heard_at = time.monotonic()
                yield piece

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        accept: str,
        body: bytes | None,
        timeout: float,
    ) -> bytes:
        async with self._answer(method, path, query, accept, body, timeout, timeout) as (answer, sent_at):
            async with asyncio.timeout_at(sent_at + timeout):
                return await self._read(answer, MOST_BODY)

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        accept: str,
        body: bytes | None,
        answer_timeout: float,
        connect_timeout: float,
    ) -> AsyncIterator[tuple[Answer, float]]:
        """A successful answer and when its request was sent, by the loop's clock.

        Anything else, failures while its body is read included, is a `ProbeError`.
        """
        try:
            target = self._target(path, query)
            connections, wire, answer, sent_at = await self._send(
                method, target, accept, body, answer_timeout, connect_timeout
            )
            try:
                yield answer, sent_at
            finally:
                connections.done(wire)
        except (OSError, HungUp, NotHttp, ProxyFailed) as error:  # TimeoutError is an OSError
            raise self._unreachable(error) from error

    async def _send(
        self,
        method: str,
        target: str,
        accept: str,
        body: bytes | None,
        answer_timeout: float,
        connect_timeout: float,
    ) -> tuple[Connections, Wire, Answer, float]:
        await self._renew_if_due()
        for attempt in (1, 2):
            material = self._material
            if self._closed:
                raise Unreachable("this connection was closed")
            if self._connections is None:
                self._connections = Connections(material.origin, _CONNECTIONS)
            connections = self._connections
            sent_at = asyncio.get_running_loop().time()
            # The limit is the server's; a credential plugin has its own.
            async with asyncio.timeout(answer_timeout):
                headers = _headers(accept, material.authorization, body)
                wire, answer = await connections.ask(method, target, headers, body, connect_timeout)
                self.heard_at = time.monotonic()
                # Redirects count as refusals: one could carry the credential elsewhere, and API servers send none.
                if answer.status < 300:
                    return connections, wire, answer, sent_at
                try:
                    refusal = answers.status_of(await self._read(answer, 65536))
                finally:
                    connections.done(wire)
            error = answers.error_for(
                answer.status,
                refusal,
                retry_after=answer.headers.get("retry-after"),
                login_hint=material.login_hint,
            )
            if isinstance(error, LoginExpired) and attempt == 1 and await self._renew(material):
                continue
            raise error
        raise AssertionError("unreachable")

    def _target(self, path: str, query: Mapping[str, str] | None) -> str:
        target = self._material.path + quote(path, safe=PATH_SAFE)
        return f"{target}?{urlencode(query, quote_via=quote)}" if query else target

    async def _read(self, answer: Answer, most: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for chunk in answer.raw():
            self.heard_at = time.monotonic()
            size += len(chunk)
            parts.append(chunk)
            if size > most:
                break
        return await answer.unpack(b"".join(parts), most)

    async def _renew_if_due(self) -> None:
        due = self._material.renew_at
        if due is not None and time.time() >= due:
            await self._renew(self._material)

    async def _renew(self, used: credentials.Material) -> bool:
        """Load the credential again unless somebody just did; False if nothing new came of it. Raises as `load`."""
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
            if fresh.fingerprint != used.fingerprint and self._connections is not None:
                # Streams that run on the old connections end by themselves; new requests need the new certificates.
                self._retired.append(self._connections)
                self._connections = None
            changed = (fresh.authorization, fresh.fingerprint) != (used.authorization, used.fingerprint)
            self._material = fresh
            self.server = fresh.selection.server
            log.info("credential of %s loaded again: %s", self.user, "a new one" if changed else "the same")
            return changed

    def _unreachable(self, error: Exception) -> Unreachable:
        if isinstance(error, TimeoutError):
            return Unreachable(f"{self.server} does not answer", hint="frozen, or the network is gone")
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = error.verify_message or str(error)
            return Unreachable(
                f"the certificate of {self.server} is not trusted: {one_line(reason)}",
                hint="check certificate-authority and tls-server-name in the kubeconfig",
            )
        if isinstance(error, ssl.SSLError):
            reason = (error.reason or str(error)).replace("_", " ").lower()
            return Unreachable(f"cannot connect to {self.server}: TLS failed: {one_line(reason)}")
        if isinstance(error, HungUp | ConnectionResetError | BrokenPipeError):
            return Unreachable(f"{self.server} hung up")
        if isinstance(error, OSError):
            return Unreachable(f"cannot connect to {self.server}: {_why(error)}")
        if isinstance(error, ProxyFailed):
            hint = "check proxy-url in the kubeconfig and HTTPS_PROXY"
            return Unreachable(f"cannot connect to {self.server}: {error}", hint=hint)
        return Unreachable(f"{self.server} does not answer like a web server: {one_line(str(error))}")


def _headers(accept: str, authorization: str, body: bytes | None) -> dict[str, str]:
    headers = {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": "warroom"}
    if authorization:
        headers["Authorization"] = authorization
    if body is not None:
        headers["Content-Type"] = JSON
    return headers


def _why(error: OSError) -> str:
    """``connection refused`` rather than asyncio's ``Connect call failed ('127.0.0.1', 6443)``."""
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return one_line(error.strerror or str(error)) or type(error).__name__


class _Version(msgspec.Struct):
    gitVersion: str  # noqa: N815  (the wire's name)
