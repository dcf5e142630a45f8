"""A SQL server's wire on loopback: TDS 7.4 with TLS inside of it, as far as drivers need it to sign in and to ask.

[MS-TDS]: prelogin (2.2.6.5), TLS in packets of the prelogin's type, LOGIN7 (2.2.6.4), batches, transactions, attention.
What a batch comes to is decided by a `Script`; nothing else of SQL is known here.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import struct
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from drill import tds_tokens as tokens
from drill.tds_tokens import (
    ATTENTION,
    BATCH,
    HEADER,
    LOGIN,
    PIECE,
    PRELOGIN,
    REPLY,
    TRANSACTION,
    SignIn,
    SqlError,
    Table,
    read_login,
)

log = logging.getLogger(__name__)

_MOST: Final = 1024 * 1024  # bytes of one message


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
        await self._say(tokens.prelogin())
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
                await self._say(tokens.done(tokens.CANCELLED))
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
            self._writer.write(tokens.packet(PRELOGIN, data))
            await self._writer.drain()

    async def _sign_in(self, who: SignIn) -> bool:
        try:
            self._script.admit(who)
        except SqlError as error:
            await self._say(tokens.error(error) + tokens.done(tokens.ERROR))
            return False
        told = tokens.environment(1, tokens.short(who.database), tokens.short("master")) + tokens.acknowledged()
        if who.token:
            told += tokens.FEDAUTH_ACKNOWLEDGED
        await self._say(told + tokens.done(0))
        return True

    async def _batch(self, who: SignIn, text: str) -> None:
        try:
            answer = self._script.answer(who, text)
        except SqlError as error:
            await self._say(tokens.error(error) + tokens.done(tokens.ERROR))
            return
        told = b"" if answer is None else tokens.table(answer)
        await self._say(told + (tokens.done(0) if answer is None else tokens.done(tokens.ROWS, len(answer.rows))))

    async def _transaction(self, body: bytes) -> None:
        """Begin, commit, roll back: nothing is ever changed in one, so there is nothing to it."""
        request = struct.unpack_from("<H", body, struct.unpack_from("<I", body)[0])[0]
        try:
            answer = tokens.transaction(request)
        except KeyError:
            raise Hangup from None
        await self._say(answer)

    # Packets

    async def _message(self) -> tuple[int, bytes]:
        """All packets of one message: its type, and what is in them."""
        parts = bytearray()
        while True:
            head = await self._exactly(HEADER)
            parts += await self._exactly(max(0, int.from_bytes(head[2:4], "big") - HEADER))
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
        for start in range(0, len(body), PIECE):
            packet = tokens.packet(REPLY, body[start : start + PIECE], last=start + PIECE >= len(body))
            if self._secure:
                self._tls.write(packet)
                packet = self._outgoing.read()
            self._writer.write(packet)
        await self._writer.drain()
