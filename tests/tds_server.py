"""A scripted SQL server on loopback: TDS 7.4 as far as python-tds needs it, TLS inside of it, and what a test says.

[MS-TDS]: prelogin, TLS in packets of the prelogin's type, then LOGIN7, batches, transactions, attention.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drill.certificate import self_signed

PRELOGIN, REPLY, BATCH, LOGIN, TRANSACTION, ATTENTION = 0x12, 0x04, 0x01, 0x10, 0x0E, 0x06
OFF, ON, NOT_SUPPORTED, REQUIRED = range(4)
_READ_ONLY_INTENT = 0x20  # of LOGIN7's TypeFlags


@dataclass
class SqlError(Exception):
    """An error that the server answers with: its number and text."""

    number: int
    text: str


@dataclass
class Table:
    """A result set; cells are int, str or None."""

    columns: Sequence[str]
    rows: Sequence[Sequence[int | str | None]]


@dataclass
class SignIn:
    """What a LOGIN7 said."""

    user: str
    password: str
    program: str
    database: str
    read_only: bool
    token: str


Answer = Table | SqlError | None
Script = Callable[[str], Answer]


@dataclass
class SqlServer:
    """``answer`` is what a batch comes to; ``refuse`` what a login does. ``encryption`` is what the prelogin offers.

    ``route`` sends whoever signs in elsewhere (host, port); ``hangs`` are batches (a part of them) without an answer;
    ``cuts`` those after which the connection is cut.
    """

    answer: Script = lambda text: None
    refuse: SqlError | None = None
    encryption: int = ON
    route: tuple[str, int] | None = None
    hangs: str = ""
    cuts: str = ""
    sign_ins: list[SignIn] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)
    transactions: list[str] = field(default_factory=list)
    clear: bytearray = field(default_factory=bytearray)  # what came before TLS began
    attentions: int = 0
    host: str = "127.0.0.1"
    port: int = 0
    ca_file: Path = Path()


class _Session:
    """One connection."""

    def __init__(
        self, server: SqlServer, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._context = context
        self._reader = reader
        self._writer = writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._decrypted = bytearray()

    async def serve(self) -> None:
        kind, body = await self._packet()
        assert kind == PRELOGIN
        await self._say(_prelogin(self._server.encryption))
        if self._server.encryption in (ON, REQUIRED):
            await self._shake_hands()
        while True:
            kind, body = await self._message()
            if kind == LOGIN:
                await self._sign_in(body)
            elif kind == BATCH:
                await self._batch(body)
            elif kind == TRANSACTION:
                await self._transaction(body)
            elif kind == ATTENTION:
                self._server.attentions += 1
                await self._say(_done(0x20))

    async def _shake_hands(self) -> None:
        tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._send_wrapped()
                _, body = await self._packet()
                self._incoming.write(body)
            else:
                await self._send_wrapped()
                self._tls = tls
                return

    async def _send_wrapped(self) -> None:
        if data := self._outgoing.read():
            self._writer.write(_packet(PRELOGIN, data))
            await self._writer.drain()

    async def _sign_in(self, body: bytes) -> None:
        self._server.sign_ins.append(_login(body))
        if self._server.refuse is not None:
            await self._say(_error(self._server.refuse) + _done(0x02))
            return
        told = _environment(1, _short(_login(body).database), _short("master")) + _acknowledged()
        if _login(body).token:
            told += b"\xae\x02\x00\x00\x00\x00\xff"  # FEATUREEXTACK of FEDAUTH, without a nonce
        if self._server.route is not None:
            host, port = self._server.route
            value = struct.pack("<BHH", 0, port, len(host)) + host.encode("utf-16-le")
            told += _environment(20, struct.pack("<H", len(value)) + value, struct.pack("<H", 0))
        await self._say(told + _done(0))

    async def _batch(self, body: bytes) -> None:
        text = body[struct.unpack_from("<I", body)[0] :].decode("utf-16-le")
        self._server.batches.append(text)
        if self._server.hangs and self._server.hangs in text:
            return
        if self._server.cuts and self._server.cuts in text:
            self._writer.transport.abort()
            raise ConnectionResetError
        answer = self._server.answer(text)
        if isinstance(answer, SqlError):
            await self._say(_error(answer) + _done(0x02))
        elif isinstance(answer, Table):
            await self._say(_table(answer) + _done(0x10, len(answer.rows)))
        else:
            await self._say(_done(0))

    async def _transaction(self, body: bytes) -> None:
        request = struct.unpack_from("<H", body, struct.unpack_from("<I", body)[0])[0]
        name = {5: "begin", 7: "commit", 8: "rollback"}.get(request, str(request))
        self._server.transactions.append(name)
        descriptor = struct.pack("<BQ", 8, 42)
        change = {
            "begin": (8, descriptor, b"\0"),
            "commit": (9, b"\0", descriptor),
            "rollback": (10, b"\0", descriptor),
        }
        await self._say(_environment(*change[name]) + _done(0))

    # ------------------------------------------------------------------ packets

    async def _message(self) -> tuple[int, bytes]:
        """All packets of one message."""
        parts = bytearray()
        while True:
            head = await self._exactly(8)
            parts += await self._exactly(int.from_bytes(head[2:4], "big") - 8)
            if head[1] & 1:
                return head[0], bytes(parts)

    async def _packet(self) -> tuple[int, bytes]:
        head = await self._reader.readexactly(8)
        body = await self._reader.readexactly(int.from_bytes(head[2:4], "big") - 8)
        self._server.clear += head + body
        return head[0], body

    async def _exactly(self, size: int) -> bytes:
        if self._tls is None:
            found = await self._reader.readexactly(size)
            self._server.clear += found
            return found
        while len(self._decrypted) < size:
            try:
                self._decrypted += self._tls.read(65536)
            except ssl.SSLWantReadError:
                received = await self._reader.read(65536)
                if not received:
                    raise asyncio.IncompleteReadError(bytes(self._decrypted), size) from None
                self._incoming.write(received)
        taken = bytes(self._decrypted[:size])
        del self._decrypted[:size]
        return taken

    async def _say(self, body: bytes) -> None:
        for start in range(0, len(body), 4000):
            piece = body[start : start + 4000]
            packet = _packet(REPLY, piece, last=start + 4000 >= len(body))
            if self._tls is not None:
                self._tls.write(packet)
                packet = self._outgoing.read()
            self._writer.write(packet)
        await self._writer.drain()


@asynccontextmanager
async def sql_server(directory: Path, **settings: Any) -> AsyncIterator[SqlServer]:
    """Its certificate is for 127.0.0.1 and localhost, by an authority in ``ca_file``."""
    server = SqlServer(**settings)
    made = self_signed("sql")
    server.ca_file = directory / f"sql-{id(server)}.pem"
    server.ca_file.write_bytes(made.pem)
    context = made.server_context()
    sessions: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        sessions.add(task)
        try:
            await _Session(server, context, reader, writer).serve()
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass  # the client hung up, or the test is over
        finally:
            sessions.discard(task)
            writer.transport.abort()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        await listening.wait_closed()


# ---------------------------------------------------------------- tokens


def _packet(kind: int, body: bytes, last: bool = True) -> bytes:
    return struct.pack(">BBHHBB", kind, int(last), 8 + len(body), 0, 1, 0) + body


def _prelogin(encryption: int) -> bytes:
    fields = {0: struct.pack(">LH", 0x0C000000, 0), 1: bytes([encryption]), 2: b"\0", 3: b"\0" * 4, 4: b"\0"}
    heads, values, at = b"", b"", 5 * len(fields) + 1
    for token, value in fields.items():
        heads += struct.pack(">BHH", token, at, len(value))
        values += value
        at += len(value)
    return heads + b"\xff" + values


def _login(body: bytes) -> SignIn:
    def text(at: int) -> str:
        offset, length = struct.unpack_from("<HH", body, at)
        return body[offset : offset + 2 * length].decode("utf-16-le")

    offset, length = struct.unpack_from("<HH", body, 44)
    hidden = body[offset : offset + 2 * length]
    password = bytes(((byte ^ 0xA5) << 4 | (byte ^ 0xA5) >> 4) & 0xFF for byte in hidden).decode("utf-16-le")
    token = ""
    if (start := body.find(b"\x02", 94)) >= 0 and body[27] & 0x10:  # fExtension: FEDAUTH is the only feature asked for
        extension = struct.unpack_from("<I", body, struct.unpack_from("<H", body, 56)[0])[0]
        assert body[extension] == 0x02, start
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
    body += error.text.encode("utf-16-le") + _short("scripted") + _short("") + struct.pack("<I", 1)
    return b"\xaa" + struct.pack("<H", len(body)) + body


def _done(status: int, rows: int = 0) -> bytes:
    return b"\xfd" + struct.pack("<HHQ", status, 0, rows)


def _table(table: Table) -> bytes:
    """All columns as nvarchar but for those that hold numbers."""
    numbers = [all(isinstance(row[place], int) for row in table.rows) for place in range(len(table.columns))]
    numbers = [each and bool(table.rows) for each in numbers]
    told = b"\x81" + struct.pack("<H", len(table.columns))
    for name, number in zip(table.columns, numbers, strict=True):
        kind = b"\x26\x04" if number else b"\xe7" + struct.pack("<H", 8000) + b"\x09\x04\xd0\x00\x34"
        told += struct.pack("<IH", 0, 1) + kind + _short(name)
    for row in table.rows:
        told += b"\xd1"
        for cell, number in zip(row, numbers, strict=True):
            if number:
                told += b"\x04" + struct.pack("<i", cell)
            elif cell is None:
                told += b"\xff\xff"
            else:
                data = str(cell).encode("utf-16-le")
                told += struct.pack("<H", len(data)) + data
    return told
