"""HTTP/1.1 (RFC 9112) as far as probes need it: a connection, one exchange after the other, bodies piece by piece.

Why not aiohttp: to import it takes about 100 ms, and a console is live, imports included, about 250 ms after its first
frame; here the same costs 5 ms. What is left out is what probes never do: redirects, cookies, uploads, websockets.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from probes.dialling import dial

AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
Find = Callable[[str, int], Awaitable[Sequence[AddressInfo]]]

MOST_HEAD = 64 * 1024  # bytes of a status line and its fields
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


@dataclass(frozen=True, slots=True)
class Origin:
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
        if self.headers.get("content-encoding", "").lower() in ("gzip", "x-gzip"):
            return _unpacked(self._body)
        return self._body

    def raw(self) -> AsyncGenerator[bytes, None]:
        """The body as it was sent."""
        return self._body


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
        """Send a request and wait for the head of its answer. Raises OSError, `HungUp`, `NotHttp`."""
        self.reusable = False
        if self._through_proxy:
            target = f"http://{self.origin.authority}{target}"
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.origin.authority}"]
        if self._through_proxy:
            lines += [f"{name}: {value}" for name, value in _proxy_headers(self.origin).items()]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a line break in a request's head")
        self._writer.write("\r\n".join((*lines, "", "")).encode() + (body or b""))
        while True:
            version, status, fields = await self._head()
            if status >= 200:
                return Answer(status, fields, self._body(method, version, status, fields))

    async def _head(self) -> tuple[str, int, dict[str, str]]:
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial and not error.partial.startswith(b"HTTP/"):
                raise NotHttp(repr(error.partial[:60])) from error
            raise HungUp from error
        except asyncio.LimitOverrunError as error:
            raise NotHttp("a head that does not end") from error
        if len(head) > MOST_HEAD:
            raise NotHttp("a head that is too long")
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        code = rest[:3]
        if not version.startswith("HTTP/1.") or len(code) < 3 or not code.isdecimal():
            raise NotHttp(repr(first[:60]))
        fields: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise NotHttp(repr(line[:60]))
            name, value = name.lower(), value.strip()
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        return version, int(code), fields

    async def _body(
        self, method: str, version: str, status: int, fields: Mapping[str, str]
    ) -> AsyncGenerator[bytes, None]:
        if method == "HEAD" or status in (204, 304):
            pass
        elif "chunked" in fields.get("transfer-encoding", "").lower():
            async for piece in self._chunks():
                yield piece
        elif (length := fields.get("content-length")) is not None:
            if not length.isdecimal():
                raise NotHttp(f"a length of {length[:60]!r}")
            async for piece in self._exactly(int(length)):
                yield piece
        else:  # the end of the connection is the end of the body
            while piece := await self._reader.read(_PIECE):
                yield piece
            return
        self.reusable = version == "HTTP/1.1" and "close" not in fields.get("connection", "").lower()

    async def _exactly(self, left: int) -> AsyncGenerator[bytes, None]:
        while left:
            piece = await self._reader.read(min(left, _PIECE))
            if not piece:
                raise HungUp
            left -= len(piece)
            yield piece

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        while True:
            digits = (await self._line()).partition(b";")[0].strip()
            try:
                size = int(digits, 16)
            except ValueError as error:
                raise NotHttp(f"a chunk of {digits[:60]!r} bytes") from error
            if size == 0:
                while await self._line():  # trailer fields
                    continue
                return
            async for piece in self._exactly(size):
                yield piece
            if await self._line():
                raise NotHttp("a chunk without an end")

    async def _line(self) -> bytes:
        try:
            return (await self._reader.readuntil(b"\n")).rstrip(b"\r\n")
        except asyncio.IncompleteReadError as error:
            raise HungUp from error
        except asyncio.LimitOverrunError as error:
            raise NotHttp("a line that does not end") from error


def target_of(parts: SplitResult) -> str:
    """The path and query of a URL as they stand in a request."""
    path = quote(parts.path, safe=PATH_SAFE) or "/"
    return f"{path}?{quote(parts.query, safe=PATH_SAFE + '?')}" if parts.query else path


def basic(user: str, password: str) -> str:
    """An Authorization header's value (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


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
