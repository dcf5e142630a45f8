"""A scripted SQL server on loopback: TDS 7.4 as far as python-tds needs it, TLS inside of it, and what a test says.

[MS-TDS]: prelogin, TLS in packets of the prelogin's type, then LOGIN7, batches, transactions, attention.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drill import tds_tokens as tokens
from drill.certificate import self_signed
from drill.tds_tokens import (
    ATTENTION,
    BATCH,
    LOGIN,
    NOT_SUPPORTED,
    OFF,
    ON,
    PIECE,
    PRELOGIN,
    REPLY,
    REQUIRED,
    TRANSACTION,
    SignIn,
    SqlError,
    Table,
)

__all__ = ["NOT_SUPPORTED", "OFF", "ON", "REQUIRED", "Answer", "SignIn", "SqlError", "SqlServer", "Table", "sql_server"]


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
        await self._say(tokens.prelogin(self._server.encryption))
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
                await self._say(tokens.done(0x20))

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
            self._writer.write(tokens.packet(PRELOGIN, data))
            await self._writer.drain()

    async def _sign_in(self, body: bytes) -> None:
        self._server.sign_ins.append(tokens.read_login(body))
        if self._server.refuse is not None:
            await self._say(tokens.error(self._server.refuse) + tokens.done(0x02))
            return
        told = (
            tokens.environment(1, tokens.short(tokens.read_login(body).database), tokens.short("master"))
            + tokens.acknowledged()
        )
        if tokens.read_login(body).token:
            told += tokens.FEDAUTH_ACKNOWLEDGED
        if self._server.route is not None:
            host, port = self._server.route
            value = struct.pack("<BHH", 0, port, len(host)) + host.encode("utf-16-le")
            told += tokens.environment(20, struct.pack("<H", len(value)) + value, struct.pack("<H", 0))
        await self._say(told + tokens.done(0))

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
            await self._say(tokens.error(answer) + tokens.done(0x02))
        elif isinstance(answer, Table):
            await self._say(tokens.table(answer) + tokens.done(0x10, len(answer.rows)))
        else:
            await self._say(tokens.done(0))

    async def _transaction(self, body: bytes) -> None:
        request = struct.unpack_from("<H", body, struct.unpack_from("<I", body)[0])[0]
        name = {5: "begin", 7: "commit", 8: "rollback"}.get(request, str(request))
        self._server.transactions.append(name)
        await self._say(tokens.transaction(request))

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
        for start in range(0, len(body), PIECE):
            packet = tokens.packet(REPLY, body[start : start + PIECE], last=start + PIECE >= len(body))
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
