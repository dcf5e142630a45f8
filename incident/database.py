"""One SQLite connection in its own thread (aiosqlite), opened so that nobody else can read it and a commit is durable.

Work is a function of the plain `sqlite3.Connection` and runs in one hop to that thread: a transaction is never
half done when the task that wanted it is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import sqlite3
import stat
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from incident.errors import Damaged, DiskFull, Missing, Older, ReadOnly, StoreError, Unusable, Vanished, explain
from incident.schema import STEPS, migrate, version

log = logging.getLogger(__name__)

T = TypeVar("T")


class Database:
    """An open store file. Use `Database.open`; every method raises only `StoreError`\\ s."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self.path = path
        self._connection = connection
        self._identity = _identity(path)
        self._closed = False
        self.copied_to: Path | None = None  # the store as it was before this opening brought it up to date

    @classmethod
    async def open(cls, path: Path, *, busy_timeout: float) -> Database:
        """Open or create the file (0600, its directory 0700 if it is new) and migrate it.

        ``busy_timeout`` is how many seconds to wait for other processes' transactions.

        Raises:
            StoreFault: it cannot be opened; it is as it was.
        """
        path = await asyncio.to_thread(_make_private, path)
        await asyncio.to_thread(_refuse_hollow, path)
        return await cls._connect(path, str(path), busy_timeout, _configure)

    @classmethod
    async def open_to_read(cls, path: Path, *, busy_timeout: float) -> Database:
        """Open an existing file without ever writing to it, also where nobody can: a full disk, a copy on a CD.

        Raises:
            Missing: there is no file. Older: it would have to be migrated, which needs to write.
        """
        path, logged = await asyncio.to_thread(_found, path)
        try:
            return await cls._connect(path, f"{path.as_uri()}?mode=ro", busy_timeout, _check)
        except (ReadOnly, DiskFull, Unusable):
            # SQLite keeps an index of the log in a file that it cannot create here. Without a log there is no need to.
            if logged:
                raise
            return await cls._connect(path, f"{path.as_uri()}?immutable=1", busy_timeout, _check)

    @classmethod
    async def _connect(
        cls, path: Path, name: str, busy_timeout: float, prepare: Callable[[sqlite3.Connection, Path], Path | None]
    ) -> Database:
        connection: aiosqlite.Connection | None = None
        try:
            connection = aiosqlite.connect(
                name, timeout=busy_timeout, isolation_level=None, uri=name.startswith("file:")
            )
            # A program that dies of something else must not hang on this thread; commits are durable anyway.
            connection._thread.daemon = True
            await connection
            database = cls(path, connection)
            database.copied_to = await database.run(lambda plain: prepare(plain, path))
        except sqlite3.Error as error:
            raise explain(error, path) from error
        except BaseException:
            if connection is not None:
                await connection.close()
            raise
        return database

    async def close(self) -> None:
        """Finish what is queued, then close. Safe to call twice."""
        self._closed = True
        try:
            await self._connection.close()
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in the connection's thread, outside of a transaction."""
        # aiosqlite's public calls are one hop per statement; this is the call beneath all of them.
        execute: Callable[..., Awaitable[T]] = self._connection._execute
        try:
            return await execute(work, self._connection._conn)
        except (sqlite3.Error, ValueError) as error:
            if self._closed:
                raise Unusable(f"{self.path} was closed already; nothing was written.") from error
            if isinstance(error, sqlite3.Error):
                raise explain(error, self.path) from error
            raise

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in one immediate transaction. When this returns, its effect is on disk.

        Raises:
            Vanished: the path no longer leads to the file that is open; writing to it would be lost.
        """

        def transaction(connection: sqlite3.Connection) -> T:
            if _identity(self.path) != self._identity:
                raise Vanished(
                    f"{self.path} was deleted or replaced while it was open. Nothing more is written to it. "
                    "What it held can still be exported until this program ends: do that now, then start again."
                )
            with immediate(connection):
                return work(connection)

        return await self.run(transaction)


@contextlib.contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that holds the write lock from its start, so that what it reads is still true when it writes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite may have rolled back by itself (full disk), and a broken file may refuse to.
        if connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                log.warning("rollback failed: %s", error)
        raise


def _configure(connection: sqlite3.Connection, path: Path) -> Path | None:
    copy = migrate(connection, path)
    if copy is not None:
        log.warning("%s was brought up to date; as it was before, it is kept as %s", path, copy)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":  # a file system without shared memory; slower, as durable
        log.warning("%s: write-ahead log not available, journal mode is %s", path, mode)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return copy


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if version(connection, path) < len(STEPS):
        raise Older(
            f"{path} was written by an older warroom and must be brought up to date before it can be read, "
            "which needs to write to it. Nothing was changed. Do that on a copy: warroom incidents --store COPY."
        )


def _found(path: Path) -> tuple[Path, bool]:
    """The path made absolute, and whether entries may still be in a log beside the file."""
    path = path.absolute()
    if not path.exists():
        raise Missing(f"There is no store at {path}: nothing was recorded there yet. Check --store.")
    log_file = path.with_name(f"{path.name}-wal")
    return path, log_file.exists() and log_file.stat().st_size > 0


def _refuse_hollow(path: Path) -> None:
    """An empty file with a log beside it has lost what it held. SQLite would take it for a new one and drop the log."""
    log_file = path.with_name(f"{path.name}-wal")
    with contextlib.suppress(OSError):
        if path.stat().st_size == 0 and log_file.stat().st_size > 0:
            raise Damaged(
                f"{path} is damaged: it is empty, and what belongs to it is in {log_file.name}. Nothing was changed. "
                "Start the console: both are set aside, and what can be read is recovered."
            )


def _make_private(path: Path) -> Path:
    """Create file and directory for this user alone, before SQLite can create them for everybody. Returns it absolute.

    An existing file is never opened here: closing it would drop the locks that SQLite holds on it elsewhere in this
    process (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    path = path.absolute()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            _tighten(path)
        else:
            _sync_directory(path.parent)
    except OSError as error:
        raise _cannot_create(path, error) from error
    return path


def _tighten(path: Path) -> None:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise Unusable(f"{path} is not a file. Nothing was changed. Choose another place with --store.")
    if found.st_mode & 0o077:
        log.warning("%s could be read by others; it is now private", path)
        try:
            path.chmod(0o600)
        except PermissionError as error:
            log.warning("%s belongs to another user and stays readable by others: %s", path, error)


def _sync_directory(directory: Path) -> None:
    """Make a new file's name survive a power cut, as its contents will."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_create(path: Path, error: OSError) -> StoreError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ReadOnly(
            f"{path} cannot be created: {error.strerror}. Nothing was recorded yet. "
            "Make its directory writable, or choose another place with --store."
        )
    return Unusable(
        f"{path} cannot be created: {error.strerror}. Nothing was recorded yet. Choose another place with --store."
    )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found: Any = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
