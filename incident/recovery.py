"""A damaged store is set aside, never replaced: what can be read goes into a new one, entry by entry, and is told.

Every entry's own hash says whether it is as it was written. What follows from the first entry without a gap keeps its
numbers and hashes; what was read beyond a gap keeps its id, times and words, and is chained anew behind that.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from incident.adoption import adopt
from incident.database import immediate
from incident.errors import Damaged, StoreFault, Unusable, explain
from incident.instants import now_ms
from incident.recorder import Recorder
from incident.schema import APPLICATION_ID, migrate

if TYPE_CHECKING:
    from incident.salvage import Salvaged

log = logging.getLogger(__name__)

BESIDE = ("-wal", "-shm", "-journal")
# What SQLite says of a file whose pages are sound and whose rows were changed by hand: `verify` tells that better.
_OF_ROWS = ("NULL value in", "CHECK constraint failed", "non-unique entry", "NUMERIC value in", "TEXT value in")


class Recovery(Struct, frozen=True, kw_only=True):
    """What became of a damaged store."""

    path: Path  # of the new store, where the old one was
    damaged: Path  # where that is now
    incidents: tuple[Salvaged, ...]

    @property
    def sentence(self) -> str:
        """What to tell a person."""
        read = sum(one.read for one in self.incidents)
        lost = sum(one.lost for one in self.incidents)
        what = f"{read} of {read + lost} entries were" if lost else f"all {read} entries that are known of were"
        return (
            f"{self.path.name} was damaged. It is kept as {self.damaged}, and {what} recovered into a new store; "
            "each incident's timeline says what is missing."
        )


async def open_or_recover(
    path: Path, *, clock: Callable[[], int] = now_ms, thorough: bool = True
) -> tuple[Recorder, Recovery | None]:
    """Open the store to write to it; if it is damaged, set it aside and recover what can be read.

    ``thorough`` looks at every page first (`damage_of`): SQLite itself notices a broken page only when it is read.

    Raises:
        StoreFault: it cannot be opened, and is not a damaged store of ours. It is as it was.
    """
    try:
        if thorough:
            await asyncio.to_thread(_refuse_damaged, path)
        return await Recorder.open(path, clock=clock), None
    except Damaged as fault:
        log.error("%s", fault)
        recovery = await asyncio.to_thread(recover, path, fault, clock())
        return await Recorder.open(path, clock=clock), recovery


def damage_of(path: Path) -> str:
    """What is wrong with the pages of the file, in SQLite's words; empty if nothing is, or there is no file. Blocking.

    Raises:
        StoreFault: it cannot be looked at, for another reason than damage.
    """
    if not path.exists() or path.stat().st_size == 0:
        return ""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0.5)) as connection:
            said = [str(line) for (line,) in connection.execute("PRAGMA quick_check(20)")]
    except sqlite3.DatabaseError as error:
        fault = explain(error, path)
        if isinstance(fault, Damaged):
            return str(error)
        raise fault from error
    wrong = [line for line in said if line != "ok" and not line.startswith(_OF_ROWS)]
    return "; ".join(wrong)[:300]


def recover(path: Path, fault: Damaged, now: int) -> Recovery | None:
    """Set a damaged store aside and put what can be read of it in its place. Blocking; one process at a time.

    Returns None if another process has done so meanwhile.

    Raises:
        StoreFault: there is nothing of ours in the file, so it was left alone (``fault``); or the new store could not
            be made, and everything is as it was.
    """
    # Every start imports this module, and next to none has a damaged store.
    from incident.carving import carve
    from incident.salvage import salvage

    path = path.absolute()
    with _alone(path):
        if path.stat().st_size > 0 and not damage_of(path):
            return None
        try:
            damaged = _half_set_aside(path)
            carved = carve(path if damaged is None else damaged)
            if not carved.entries and not _is_ours(path):
                raise fault
            damaged = damaged or _free_name(path, now)
            incidents = salvage(carved, damaged.name, now)
            fresh = _new_store(path, incidents)
            _swap(path, fresh, damaged)
        except OSError as error:
            raise Unusable(
                f"{path} is damaged, and what can be read could not be recovered: {error.strerror}. Nothing was "
                "changed. Make room on the disk, or make the directory writable, and start again."
            ) from error
    recovery = Recovery(path=path, damaged=damaged, incidents=tuple(incidents))
    log.error("%s", recovery.sentence)
    return recovery


def _refuse_damaged(path: Path) -> None:
    path = path.absolute()
    try:
        found = damage_of(path)
    except StoreFault as error:  # opening it says the same, or waits until it can
        log.info("%s", error)
        return
    if found:
        raise Damaged(f"{path} is damaged ({found}). Nothing was changed.")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process recovers a store; others wait, and then find it done."""
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path.with_name(f"{path.name}.recovering"), flags, 0o600)
    except OSError as error:
        raise Unusable(
            f"{path} is damaged, and nothing can be written beside it: {error.strerror}. Nothing was changed. "
            "Make the directory writable, or choose another place with --store."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        # Who waits for this lock, or makes another, finds the store sound. After a failure it stays: they try.
        path.with_name(f"{path.name}.recovering").unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(72)
    return head[:15] == b"SQLite format 3" and int.from_bytes(head[68:72], "big") == APPLICATION_ID


def _half_set_aside(path: Path) -> Path | None:
    """The file's other name, where the log that belongs to it is, if somebody was stopped in the middle of this."""
    others = sorted(path.parent.glob(f"{path.name}.damaged-*"))
    return next((other for other in others if path.stat().st_size > 0 and other.samefile(path)), None)


def _free_name(path: Path, now: int) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now // 1000))
    names = (f"{path.name}.damaged-{stamp}{'' if n == 1 else f'-{n}'}" for n in range(1, 1000))
    return next(name for name in map(path.with_name, names) if not name.exists())


def _new_store(path: Path, incidents: list[Salvaged]) -> Path:
    """A store of what was read, whole and on disk, under a name that nobody opens."""
    fresh = path.with_name(f"{path.name}.recovered.{os.getpid()}.part")
    os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    try:
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            migrate(connection, fresh)
            connection.execute("PRAGMA foreign_keys = ON")
            with immediate(connection):
                for one in incidents:
                    adopt(connection, one.incident, one.entries)
    except sqlite3.Error as error:
        fresh.unlink(missing_ok=True)
        raise explain(error, path) from error
    return fresh


def _swap(path: Path, fresh: Path, damaged: Path) -> None:
    """The damaged file and what belongs to it get their new name first: at no moment is it anywhere but on disk."""
    try:
        os.link(path, damaged)
    except FileExistsError:  # it has that name already
        pass
    except OSError as error:  # a file system without hard links
        log.info("%s: %s", damaged, error)
        path.rename(damaged)
    for ending in BESIDE:
        beside = path.with_name(path.name + ending)
        if beside.exists():
            beside.rename(damaged.with_name(damaged.name + ending))
    fresh.replace(path)
    for left in path.parent.glob(f"{path.name}.recovered.*.part"):  # of somebody who was stopped
        left.unlink(missing_ok=True)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
