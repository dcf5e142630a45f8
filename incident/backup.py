"""A copy of the store beside it, whole and private, before anything is done to the store that cannot be undone."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from itertools import count
from pathlib import Path

from incident.errors import Unusable, explain

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds to wait for whoever has the store locked


def copy_beside(path: Path, name: str) -> Path:
    """Copy the database to ``warroom.db.NAME`` (0600) by SQLite's own means; returns where it is.

    It holds what was committed, what is still in the log included. A copy that is there already is never overwritten:
    then a number is added. Call it while another connection of this process holds the write lock and has written
    nothing yet: then it is what will be migrated.

    Raises:
        StoreFault: the copy could not be made; the store was not touched.
    """
    unfinished = path.with_name(f"{path.name}.{name}.{os.getpid()}.part")
    try:
        os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        try:
            _copy(path, unfinished)
            return _named(unfinished, path, name)
        finally:
            unfinished.unlink(missing_ok=True)
            for more in ("-journal", "-wal", "-shm"):
                unfinished.with_name(unfinished.name + more).unlink(missing_ok=True)
    except sqlite3.Error as error:
        raise explain(error, path) from error
    except OSError as error:
        raise Unusable(
            f"{path} must be brought up to date, and no copy of it could be made beside it first: {error.strerror}. "
            "Nothing was changed. Make room there, or make the directory writable."
        ) from error


def _copy(path: Path, to: Path) -> None:
    source = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)
    target = sqlite3.connect(to, isolation_level=None, timeout=PATIENCE)
    until = time.monotonic() + PATIENCE

    def watch(status: int, _remaining: int, _total: int) -> None:
        # Python asks SQLite again and again, for ever, when somebody has the source locked.
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > until:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = status
            raise error

    try:
        source.backup(target, progress=watch, sleep=0.05)
        # One file, that can be carried away as it is.
        target.execute("PRAGMA journal_mode = DELETE").fetchall()
    finally:
        target.close()
        source.close()
    descriptor = os.open(to, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _named(unfinished: Path, path: Path, name: str) -> Path:
    for number in count(1):
        copy = path.with_name(f"{path.name}.{name}{'' if number == 1 else f'-{number}'}")
        try:
            os.link(unfinished, copy)
        except FileExistsError:
            continue
        except OSError as error:  # a file system without hard links
            log.info("%s: %s", copy, error)
            if copy.exists():
                continue
            unfinished.rename(copy)
        return copy
    raise AssertionError("numbers do not end")
