"""One thing that is to be captured, and what became of it; how captures wait without losing what is half written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from enum import StrEnum
from typing import Any, TypeVar

from probes.errors import BadAnswer, Forbidden, NotFound, ProbeError
from probes.log_lines import in_words
from runbook.evidence_folder import EvidenceFile, EvidenceFolder
from runbook.plan import Json

T = TypeVar("T")


class State(StrEnum):
    """What became of a piece. ``absent``: there is nothing to be had, and nothing is missing."""

    PENDING = "pending"
    COMPLETE = "complete"
    PARTIAL = "partial"
    ABSENT = "absent"
    FORBIDDEN = "forbidden"
    FAILED = "failed"


class Piece:
    """``name`` is its file's below ``original`` and ``redacted``, ``source`` the request, ``about`` it in words.

    ``copy`` is the redacted one; ``uncopied`` says why there is none, or only a part of one. ``more`` goes into the
    index as it is: which container a log is of.
    """

    def __init__(self, name: str, source: str, about: str, more: Json | None = None) -> None:
        self.name = name
        self.source = source
        self.about = about
        self.more = more or {}
        self.state = State.PENDING
        self.why = ""
        self.original: EvidenceFile | None = None
        self.copy: EvidenceFile | None = None
        self.uncopied = ""

    @property
    def bytes(self) -> int:
        return self.original.bytes if self.original else 0

    @property
    def well(self) -> bool:
        """Whether nothing of it is missing."""
        return self.state in (State.COMPLETE, State.ABSENT) and not self.uncopied

    def succeed(self) -> None:
        self.state, self.why = State.COMPLETE, ""

    def fail(self, why: str) -> None:
        """It ends here; what had come is kept."""
        self.state, self.why = (State.PARTIAL if self.original is not None else State.FAILED), why

    def doubt(self, why: str) -> None:
        """It is there, and may not be whole."""
        self.state, self.why = State.PARTIAL, f"{self.why}; {why}" if self.why else why

    def refused(self, error: ProbeError, *, absent: int = 0) -> None:
        """The server has none, does not give it, or broke off. ``absent`` is the status that means "none"."""
        if self.original is not None:
            self.fail(f"it broke off after {self.bytes:,} bytes: {error}")
        elif isinstance(error, Forbidden):
            self.state, self.why = State.FORBIDDEN, str(error)
        elif isinstance(error, BadAnswer) and absent and error.status == absent:
            self.state, self.why = State.ABSENT, in_words(error)
        elif isinstance(error, NotFound):
            self.fail(f"it is not there: {error}")
        else:
            self.fail(str(error))

    def close(self) -> None:
        for file in (self.original, self.copy):
            if file is not None:
                file.close()

    def listed(self) -> Json:
        """Its line in the index."""
        found: Json = {
            "what": self.about,
            "source": self.source,
            "state": str(self.state),
            "why": self.why,
            **self.more,
        }
        if self.original is not None:
            found |= {"original": self.original.name, "bytes": self.original.bytes, "sha256": self.original.sha256}
            copied = self.copy and {"file": self.copy.name, "bytes": self.copy.bytes, "sha256": self.copy.sha256}
            found |= {"redacted": copied, "not_redacted_because": self.uncopied}
        return found


class Pieces:
    """The pieces of one folder, in the order in which they were asked for."""

    def __init__(self, folder: EvidenceFolder) -> None:
        self.folder = folder
        self.all: list[Piece] = []

    def expect(self, *parts: str, suffix: str, source: str, about: str, more: Json | None = None) -> Piece:
        """A piece that somebody will see to. ``parts`` may be any texts: they are made a safe name of."""
        piece = Piece(self.folder.name_of(*parts, suffix=suffix), source, about, more)
        self.all.append(piece)
        return piece


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread. Cancelled, it waits for its end first: nobody else may have the file before."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):  # whoever cancels twice is not served sooner
                await asyncio.wait([task])
        raise


async def all_at_once(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all of it. Cancelled, or with a fault of ours in one, the others end before it is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
