"""A connection that speaks HTTP/1.1: `probes.http_reading` knows the protocol (RFC 9112), this sockets, TLS, proxies.

Why not aiohttp: to import it costs 180 ms (httptools: 2 ms), and a console is live, imports included, about 250 ms
after its first frame. What is left out is what probes never do: redirects, cookies, uploads, websockets.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from msgspec import Struct

from probes.dialling import dial
from probes.http_reading import Malformed, Reading, request

AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
Find = Callable[[str, int], Awaitable[Sequence[AddressInfo]]]

_BUFFER = 1024 * 1024  # bytes read ahead of whoever takes the pieces
_PIECE = 256 * 1024
PATH_SAFE = "/%:@!$&'()*+,;=~"  # may stand in a path as it is (RFC 3986, pchar); % was quoted by whoever wrote it


class HungUp(Exception):
    """The other side closed the connection before the answer, or its body, was complete."""


class NotHttp(Exception):
    """What came is not an HTTP answer."""


class ProxyFailed(Exception):
    """The proxy cannot be reached, or refused to connect (``status``)."""

    def __init__(self, status: int | None = None) -> None:
        super().__init__(f"the proxy answered {status}" if status else "the proxy cannot be reached")
        self.status = status


class Origin(Struct, frozen=True):
    """Where requests go, and how: ``tls`` None means plain HTTP, ``server_name`` is what the certificate must be for.

    ``find`` looks a name up (default: the event loop's resolver); ``proxy`` is a URL.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    proxy: str = ""
    proxy_headers: Mapping[str, str] | None = None
    find: Find | None = None

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


class Answer:
    """The head of an answer. ``headers`` have lower-case names. Its body is taken once, by `pieces`."""

    def __init__(self, status: int, headers: Mapping[str, str], body: AsyncGenerator[bytes, None]) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes, unpacked if it is gzip. Raises `HungUp` where it breaks off."""
        if self._packed:
            return _unpacked(self._body)
        return self._body

    def raw(self) -> AsyncGenerator[bytes, None]:
        """The body as it was sent."""
        return self._body

    async def unpack(self, body: bytes, most: int) -> bytes:
        """A whole `raw` body, unpacked if it is gzip, cut off beyond ``most`` bytes. Raises `NotHttp`.

        A large one is unpacked in a thread: zlib lets the event loop go on meanwhile.
        """
        if not self._packed:
            return body
        if len(body) <= _PIECE // 8:
            return _unpack(body, most)
        return await asyncio.to_thread(_unpack, body, most)

    @property
    def _packed(self) -> bool:
        return self.headers.get("content-encoding", "").lower() in ("gzip", "x-gzip")


class Wire:
    """One connection. ``reusable`` says whether another exchange may follow; else `close` it."""

    def __init__(self, origin: Origin, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.origin = origin
        self.reusable = False
        self._reader = reader
        self._writer = writer
        self._through_proxy = bool(origin.proxy) and origin.tls is None

    @classmethod
    async def open(cls, origin: Origin) -> Wire:
        """Connect. Raises OSError (`socket.gaierror`, `ssl.SSLError` among them) and `ProxyFailed`; has no limit."""
        if origin.proxy:
            return await _open_through_proxy(origin)
        connected = await dial(origin.host, origin.port, origin.find)
        reader, writer = await _streams(connected, origin.tls, origin.server_name or origin.host)
        return cls(origin, reader, writer)

    @property
    def alive(self) -> bool:
        """Whether the other side has, as far as is known, not hung up."""
        return not self._reader.at_eof() and not self._writer.is_closing()

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The peer's verified certificate, as `ssl.SSLSocket.getpeercert` gives it; empty without TLS."""
        found: Mapping[str, Any] | None = self._writer.get_extra_info("peercert")
        return found or {}

    def close(self) -> None:
        """Hang up at once; nothing is waited for."""
        self.reusable = False
        self._writer.transport.abort()

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send a request and wait for the head of its answer. Raises OSError, `HungUp`, `NotHttp`.

        ValueError: the request itself cannot be sent (a line break in a header).
        """
        self.reusable = False
        fields = [("Host", self.origin.authority)]
        if self._through_proxy:
            target = f"http://{self.origin.authority}{target}"
            fields += _proxy_headers(self.origin).items()
        fields += headers.items()
        if body is not None:
            fields.append(("Content-Length", str(len(body))))
        self._writer.write(request(method, target, fields) + (body or b""))
        reading = Reading(method)
        while not reading.status:
            await self._more(reading)
        return Answer(reading.status, reading.headers, self._body(reading))

    async def _body(self, reading: Reading) -> AsyncGenerator[bytes, None]:
        while True:
            for piece in reading.body():
                yield piece
            if reading.complete:
                break
            await self._more(reading)
        self.reusable = reading.reusable

    async def _more(self, reading: Reading) -> None:
        try:
            reading.take(await self._reader.read(_PIECE))
        except EOFError as error:
            raise HungUp from error
        except Malformed as error:
            raise NotHttp(str(error)) from error


def target_of(parts: SplitResult) -> str:
    """The path and query of a URL as they stand in a request."""
    path = quote(parts.path, safe=PATH_SAFE) or "/"
    return f"{path}?{quote(parts.query, safe=PATH_SAFE + '?')}" if parts.query else path


def basic(user: str, password: str) -> str:
    """An Authorization header's value (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _unpack(body: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(body, most)
    except zlib.error as error:
        raise NotHttp("a body that is not gzip") from error


async def _unpacked(body: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    unpacker = zlib.decompressobj(wbits=31)
    async for piece in body:
        try:
            while piece:
                # Piece by piece: what a small body unpacks to may be large.
                yield unpacker.decompress(piece, _PIECE)
                piece = unpacker.unconsumed_tail
        except zlib.error as error:
            raise NotHttp("a body that is not gzip") from error


async def _streams(
    connected: socket.socket, tls: ssl.SSLContext | None, server_name: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await asyncio.open_connection(
            sock=connected, ssl=tls, server_hostname=server_name if tls else None, limit=_BUFFER
        )
    except BaseException:
        # A transport has the socket by now and may be saying goodbye in TLS: closed under it, its number would soon
        # be that of another socket, which asyncio then refuses to use. Hung up on, the transport closes it at once.
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)
        raise


async def _open_through_proxy(origin: Origin) -> Wire:
    parts = urlsplit(origin.proxy)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ProxyFailed
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        connected = await dial(parts.hostname, port, origin.find)
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        reader, writer = await _streams(connected, tls, parts.hostname)
    except OSError as error:
        raise ProxyFailed from error
    if origin.tls is None:
        return Wire(origin, reader, writer)
    tunnel = Wire(Origin(origin.host, origin.port), reader, writer)
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    try:
        answer = await tunnel.ask("CONNECT", f"{host}:{origin.port}", _proxy_headers(origin))
        if answer.status != 200:
            raise ProxyFailed(answer.status)
        await writer.start_tls(origin.tls, server_hostname=origin.server_name or origin.host)
    except BaseException:
        tunnel.close()
        raise
    return Wire(origin, reader, writer)


def _proxy_headers(origin: Origin) -> dict[str, str]:
    parts = urlsplit(origin.proxy)
    headers = dict(origin.proxy_headers or {})
    if parts.username:
        headers["Proxy-Authorization"] = basic(unquote(parts.username), unquote(parts.password or ""))
    return headers
