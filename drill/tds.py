"""A SQL server's wire on loopback: TDS 7.4 with TLS inside of it, as far as drivers need it to sign in and to ask.

[MS-TDS]: prelogin (2.2.6.5), TLS in packets of the prelogin's type, LOGIN7 (2.2.6.4), batches, transactions, attention.
What a batch comes to is decided by a `Script`; nothing else of SQL is known here.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import struct
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

log = logging.getLogger(__name__)

PRELOGIN, REPLY, BATCH, LOGIN, TRANSACTION, ATTENTION = 0x12, 0x04, 0x01, 0x10, 0x0E, 0x06
_ENCRYPTED: Final = 1
_HEADER: Final = 8
_PIECE: Final = 4000
_MOST: Final = 1024 * 1024  # bytes of one message
_READ_ONLY_INTENT: Final = 0x20  # of LOGIN7's TypeFlags
_EXTENSION: Final = 0x10  # of LOGIN7's OptionFlags3
_FEDAUTH: Final = 0x02
_ERROR, _ROWS, _CANCELLED = 0x02, 0x10, 0x20  # of a DONE's status


class SqlError(Exception):
    """An error that the server answers with: SQL Server's number and its text."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number
        self.text = text


class Table(Struct, frozen=True):
    """A result set; cells are int, str or None."""

    columns: Sequence[str]
    rows: Sequence[Sequence[int | str | None]]


class SignIn(Struct, frozen=True):
    """What a LOGIN7 said: user and password, or a token."""

    user: str
    password: str
    program: str
    database: str
    read_only: bool
    token: str

    def __repr__(self) -> str:
        return "SignIn(…)"


class Script(Struct, frozen=True):
    """``admit`` raises `SqlError` for who may not sign in; ``answer`` gives or raises what a batch comes to."""

    admit: Callable[[SignIn], None]
    answer: Callable[[SignIn, str], Table | None]


class Hangup(Exception):
    """The client said what no client says, or too much of it."""


class TdsServer:
    """Serves a script on 127.0.0.1 only, on a free port, and only over TLS."""

    def __init__(self, script: Script, context: ssl.SSLContext) -> None:
        self._script = script
        self._context = context
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            await _Connection(self._script, self._context, reader, writer).serve()
        except asyncio.CancelledError:
            pass  # the platform ends; asyncio would print that a connection was cancelled
        except (asyncio.IncompleteReadError, OSError, Hangup, struct.error, UnicodeDecodeError) as error:
            log.debug("a SQL client left: %r", error)
        finally:
            writer.transport.abort()


class _Connection:
    def __init__(
        self, script: Script, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._script = script
        self._reader = reader
        self._writer = writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._secure = False
        self._decrypted = bytearray()

    async def serve(self) -> None:
        kind, _ = await self._message()
        if kind != PRELOGIN:
            raise Hangup
        await self._say(_prelogin())
        await self._shake_hands()
        kind, body = await self._message()
        if kind != LOGIN:
            raise Hangup
        who = read_login(body)
        if not await self._sign_in(who):
            return
        while True:
            kind, body = await self._message()
            if kind == BATCH:
                await self._batch(who, body[struct.unpack_from("<I", body)[0] :].decode("utf-16-le"))
            elif kind == TRANSACTION:
                await self._transaction(body)
            elif kind == ATTENTION:
                await self._say(_done(_CANCELLED))
            else:
                raise Hangup

    async def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._send_wrapped()
                _, body = await self._message()
                self._incoming.write(body)
            else:
                await self._send_wrapped()
                self._secure = True
                return

    async def _send_wrapped(self) -> None:
        if data := self._outgoing.read():
            self._writer.write(_packet(PRELOGIN, data))
            await self._writer.drain()

    async def _sign_in(self, who: SignIn) -> bool:
        try:
            self._script.admit(who)
        except SqlError as error:
            await self._say(_error(error) + _done(_ERROR))
            return False
        told = _environment(1, _short(who.database), _short("master")) + _acknowledged()
        if who.token:
            told += b"\xae\x02\x00\x00\x00\x00\xff"  # FEATUREEXTACK of FEDAUTH, without a nonce
        await self._say(told + _done(0))
        return True

    async def _batch(self, who: SignIn, text: str) -> None:
        try:
            answer = self._script.answer(who, text)
        except SqlError as error:
            await self._say(_error(error) + _done(_ERROR))
            return
        await self._say(_done(0) if answer is None else _table(answer) + _done(_ROWS, len(answer.rows)))

    async def _transaction(self, body: bytes) -> None:
        """Begin, commit, roll back: nothing is ever changed in one, so there is nothing to it."""
        request = struct.unpack_from("<H", body, struct.unpack_from("<I", body)[0])[0]
        descriptor = struct.pack("<BQ", 8, 42)
        change = {5: (8, descriptor, b"\0"), 7: (9, b"\0", descriptor), 8: (10, b"\0", descriptor)}.get(request)
        if change is None:
            raise Hangup
        await self._say(_environment(*change) + _done(0))

    # Packets

    async def _message(self) -> tuple[int, bytes]:
        """All packets of one message: its type, and what is in them."""
        parts = bytearray()
        while True:
            head = await self._exactly(_HEADER)
            parts += await self._exactly(max(0, int.from_bytes(head[2:4], "big") - _HEADER))
            if len(parts) > _MOST:
                raise Hangup
            if head[1] & 1:
                return head[0], bytes(parts)

    async def _exactly(self, size: int) -> bytes:
        if not self._secure:
            return await self._reader.readexactly(size)
        while len(self._decrypted) < size:
            try:
                self._decrypted += self._tls.read(65_536)
            except ssl.SSLWantReadError:
                received = await self._reader.read(65_536)
                if not received:
                    raise asyncio.IncompleteReadError(bytes(self._decrypted), size) from None
                self._incoming.write(received)
        taken = bytes(self._decrypted[:size])
        del self._decrypted[:size]
        return taken

    async def _say(self, body: bytes) -> None:
        for start in range(0, len(body), _PIECE):
            packet = _packet(REPLY, body[start : start + _PIECE], last=start + _PIECE >= len(body))
            if self._secure:
                self._tls.write(packet)
                packet = self._outgoing.read()
            self._writer.write(packet)
        await self._writer.drain()


def read_login(body: bytes) -> SignIn:
    """A LOGIN7 message. Raises `struct.error` or UnicodeDecodeError for what is none."""

    def text(at: int) -> str:
        offset, length = struct.unpack_from("<HH", body, at)
        return body[offset : offset + 2 * length].decode("utf-16-le")

    offset, length = struct.unpack_from("<HH", body, 44)
    hidden = body[offset : offset + 2 * length]
    password = bytes(((byte ^ 0xA5) << 4 | (byte ^ 0xA5) >> 4) & 0xFF for byte in hidden).decode("utf-16-le")
    token = ""
    if len(body) > 94 and body[27] & _EXTENSION:
        extension = struct.unpack_from("<I", body, struct.unpack_from("<H", body, 56)[0])[0]
        if extension < len(body) and body[extension] == _FEDAUTH:
            size = struct.unpack_from("<I", body, extension + 6)[0]
            token = body[extension + 10 : extension + 10 + size].decode("utf-16-le")
    return SignIn(
        user=text(40),
        password=password,
        program=text(48),
        database=text(68),
        read_only=bool(body[26] & _READ_ONLY_INTENT),
        token=token,
    )


# Tokens


def _packet(kind: int, body: bytes, *, last: bool = True) -> bytes:
    return struct.pack(">BBHHBB", kind, int(last), _HEADER + len(body), 0, 1, 0) + body


def _prelogin() -> bytes:
    fields = {0: struct.pack(">LH", 0x0C000000, 0), 1: bytes([_ENCRYPTED]), 2: b"\0", 3: b"\0" * 4, 4: b"\0"}
    heads, values, at = b"", b"", 5 * len(fields) + 1
    for token, value in fields.items():
        heads += struct.pack(">BHH", token, at, len(value))
        values += value
        at += len(value)
    return heads + b"\xff" + values


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16-le")


def _environment(kind: int, new: bytes, old: bytes) -> bytes:
    body = bytes([kind]) + new + old
    return b"\xe3" + struct.pack("<H", len(body)) + body


def _acknowledged() -> bytes:
    body = b"\x01" + struct.pack(">I", 0x74000004) + _short("Microsoft SQL Server") + b"\x0c\x00\x00\x00"
    return b"\xad" + struct.pack("<H", len(body)) + body


def _error(error: SqlError) -> bytes:
    body = struct.pack("<IBB", error.number, 1, 16) + struct.pack("<H", len(error.text))
    body += error.text.encode("utf-16-le") + _short("drill") + _short("") + struct.pack("<I", 1)
    return b"\xaa" + struct.pack("<H", len(body)) + body


def _done(status: int, rows: int = 0) -> bytes:
    return b"\xfd" + struct.pack("<HHQ", status, 0, rows)


def _table(table: Table) -> bytes:
    """All columns as nvarchar but for those that hold nothing but numbers."""
    places = range(len(table.columns))
    numbers = [bool(table.rows) and all(isinstance(row[place], int) for row in table.rows) for place in places]
    told = b"\x81" + struct.pack("<H", len(table.columns))
    for name, number in zip(table.columns, numbers, strict=True):
        kind = b"\x26\x08" if number else b"\xe7" + struct.pack("<H", 8000) + b"\x09\x04\xd0\x00\x34"
        told += struct.pack("<IH", 0, 1) + kind + _short(name)
    for row in table.rows:
        told += b"\xd1"
        for cell, number in zip(row, numbers, strict=True):
            told += struct.pack("<Bq", 8, cell) if number else _text(cell)
    return told


def _text(cell: int | str | None) -> bytes:
    if cell is None:
        return b"\xff\xff"
    data = str(cell)[:4000].encode("utf-16-le")
    return struct.pack("<H", len(data)) + data
