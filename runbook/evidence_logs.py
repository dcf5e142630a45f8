"""Captures whole logs: to the disk as they come, with flat memory, and redacted from there afterwards."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import msgspec

from probes.errors import NotFound, ProbeError, Unreachable
from runbook.evidence_folder import CannotKeep
from runbook.evidence_objects import ANSWER, PAUSE, TRIES
from runbook.evidence_order import Container, Subject, sized, subject_of
from runbook.evidence_piece import Piece, Pieces, in_thread
from runbook.evidence_redaction import LogRedaction
from runbook.plan import Json
from runbook.scene import api_path

if TYPE_CHECKING:
    from probes.cluster import Cluster
    from runbook.mitigation import Tell

AT_ONCE = 12
MOST_LOG = 2 * 1024**3  # bytes of one log; a server that never stops must not fill the disk
IDLE = 30.0  # seconds without a byte, after which a log is given up
BAD_REQUEST = 400  # no previous run, or not started yet: there is no such log
_BATCH = 256 * 1024  # bytes that are written at a time
_TOLD_EVERY = 16 * 1024 * 1024  # bytes


class Logs:
    """Puts what it gets into ``pieces``; what it cannot get is told there, and never raised."""

    def __init__(self, cluster: Cluster, namespace: str, pieces: Pieces, tell: Tell) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._pieces = pieces
        self._tell = tell
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._logs: list[Piece] = []

    def expect(self, subject: Subject, container: Container, previous: bool) -> Piece:
        """The log of a container's present run, or of the one before."""
        run = "previous log" if previous else "log"
        piece = self._pieces.expect(
            "pods",
            subject.name,
            "logs",
            container.name,
            suffix=".previous.log" if previous else ".log",
            source=f"GET {self._path(subject)}/log?{urlencode(_query(container, previous), quote_via=quote)}",
            about=f"{run} of {subject.name}/{container.name}",
            more={"container": container.name, "role": container.role, "previous": previous},
        )
        self._logs.append(piece)
        return piece

    async def capture(self, piece: Piece, subject: Subject, container: Container, previous: bool) -> None:
        async with self._turns:
            try:
                await self._stream(piece, f"{self._path(subject)}/log", _query(container, previous))
            except ProbeError as error:
                piece.refused(error, absent=BAD_REQUEST)
            except CannotKeep as error:
                piece.fail(str(error))
            if piece.original is not None:
                self._tell(f"{piece.about}: {sized(piece.bytes)}{f', {piece.why}' if piece.why else ''}")
                await self._still_there(piece, subject)

    async def redact(self) -> None:
        """The redacted copies of all logs that came, or of what came of them."""
        for piece in self._logs:
            if piece.original is not None:
                await self._redact(piece)

    def _path(self, subject: Subject) -> str:
        return api_path("v1", self._namespace, "pods", subject.name)

    async def _stream(self, piece: Piece, path: str, query: dict[str, str]) -> None:
        for attempt in range(1, TRIES):
            try:
                return await self._once(piece, path, query)
            except Unreachable:
                if piece.original is not None:  # from the beginning it would come twice
                    raise
                await asyncio.sleep(PAUSE * attempt)
        return await self._once(piece, path, query)

    async def _once(self, piece: Piece, path: str, query: dict[str, str]) -> None:
        """One log to its end. However this ends, what had come is on the disk."""
        held = bytearray()
        told = 0
        try:
            async with aclosing(self._cluster.body(path, query, idle_timeout=IDLE)) as parts:
                async for part in parts:
                    held += part
                    if len(held) < _BATCH:
                        continue
                    batch = bytes(held)
                    held.clear()
                    await in_thread(lambda data=batch: self._append(piece, data))  # type: ignore[misc]
                    if piece.bytes - told >= _TOLD_EVERY:
                        told = piece.bytes
                        self._tell(f"{piece.about}: {sized(piece.bytes)} so far")
            await in_thread(lambda: self._append(piece, b""))  # an empty log is a file, too
        finally:
            if held:
                rest = bytes(held)
                await in_thread(lambda: self._append(piece, rest))
        piece.succeed()

    def _append(self, piece: Piece, data: bytes) -> None:
        """Runs in a thread."""
        self._pieces.folder.check_room()
        if piece.original is None:
            piece.original = self._pieces.folder.original(piece.name)
        if piece.bytes + len(data) > MOST_LOG:
            raise CannotKeep(f"cut: a log of more than {sized(MOST_LOG)}")
        piece.original.write(data)

    async def _still_there(self, piece: Piece, subject: Subject) -> None:
        """A log that ends because its pod does looks like one that is whole, so the pod is looked at afterwards."""
        try:
            body = await self._cluster.get(self._path(subject), timeout=ANSWER)
            uid = subject_of(msgspec.json.decode(body, type=Json)).uid
        except NotFound:
            piece.doubt("the pod vanished meanwhile: the end of its log may be missing")
        except (ProbeError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # nobody knows; the pod's own piece tells why it cannot be read
        else:
            if uid != subject.uid:
                piece.doubt("the pod was replaced by another one of that name meanwhile, which this may be from")

    async def _redact(self, piece: Piece) -> None:
        assert piece.original is not None
        piece.original.close()
        folder = self._pieces.folder
        piece.uncopied = "its redaction was broken off"
        try:
            piece.copy = folder.redacted(piece.name)
            with folder.read(piece.original.name) as source:
                work = LogRedaction(source, piece.copy)

                def step() -> bool:
                    folder.check_room()
                    return work.step()

                told = time.monotonic()
                while await in_thread(step):
                    if time.monotonic() - told > 1.0:
                        told = time.monotonic()
                        self._tell(f"{piece.about}: redacting, {sized(source.tell())} of {sized(piece.bytes)}")
            piece.uncopied = ""
        except (CannotKeep, OSError) as error:
            piece.uncopied = str(error)
        finally:
            piece.close()


def _query(container: Container, previous: bool) -> dict[str, str]:
    return {"container": container.name, "timestamps": "true"} | ({"previous": "true"} if previous else {})
