"""Why something could not be recorded or read. Every message says what happened, what was not lost, what to do.

StoreError
├── Refused          the request itself is wrong; nothing was written and nothing needs to be kept
│   ├── NoSuchIncident
│   ├── NoSuchEntry
│   └── TooLong
└── StoreFault       the store cannot do its work now; what was to be written must be kept elsewhere
    ├── DiskFull
    ├── ReadOnly
    ├── Locked       another process holds the store for longer than we wait
    ├── Damaged      the file is not a database, or pages of it are broken
    ├── Foreign      a database, but another program's
    ├── Newer        written by a newer warroom
    ├── Older        written by an older one, and opened only to read
    ├── Missing      there is no store to read
    ├── Vanished     deleted or replaced while it was open
    └── Unusable     anything else the system said
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path


class StoreError(Exception):
    """The base. ``str(error)`` is what a person should read."""


class Refused(StoreError):
    """What was asked makes no sense to the store; it wrote nothing."""


class NoSuchIncident(Refused):
    """The store has no incident of that ID."""


class NoSuchEntry(Refused):
    """The incident has no entry of that ID, or not one that can be amended or retracted."""


class TooLong(Refused):
    """A text or a piece of evidence is over its limit."""


class StoreFault(StoreError):
    """The store cannot write or read now. Entries acknowledged before are as safe as the file is."""


class DiskFull(StoreFault):
    """No space (or no quota) for one more page."""


class ReadOnly(StoreFault):
    """The file or its directory may not be written."""


class Locked(StoreFault):
    """Another process held the store for longer than the busy timeout."""


class Damaged(StoreFault):
    """SQLite cannot make sense of the file."""


class Foreign(StoreFault):
    """The file is a SQLite database of another program."""


class Newer(StoreFault):
    """The schema is newer than this program."""


class Older(StoreFault):
    """The schema must be migrated first, and the store was opened only to read."""


class Missing(StoreFault):
    """There is no file, and the store was opened only to read."""


class Vanished(StoreFault):
    """The file at the store's path is no longer the one that was opened."""


class Unusable(StoreFault):
    """The system refused in a way that has no sentence of its own."""


# Less than this free and a failed write is called what it is, even when SQLite only says "disk I/O error".
_NO_SPACE = 1 << 20


def explain(error: sqlite3.Error, path: Path) -> StoreFault:
    """The sentence for what SQLite said about the store at ``path``.

    The codes are SQLite's primary result codes, https://www.sqlite.org/rescode.html.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _no_space(path)):
        return DiskFull(
            f"The disk that holds {path} is full. Every entry saved before is safe; this one is not in the store. "
            "Free some space; what was kept aside is then written."
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM) or (code == sqlite3.SQLITE_CANTOPEN and _read_only(path)):
        return ReadOnly(
            f"{path} cannot be written: it or its directory is read-only for this user. Every entry saved before is "
            "safe; nothing new can be saved there. Make it writable, or choose another place with --store."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Locked(
            f"Another process keeps {path} locked. Every entry saved before is safe; this one is not in the store yet. "
            "Find the process (fuser -v FILE) and let it finish; what was kept aside is then written."
        )
    if code == sqlite3.SQLITE_NOTADB:
        return Damaged(
            f"{path} is not a database, so nothing can be read from it or written to it; it was left as it is. "
            "Choose another place with --store; if it was one, start the console: what can be read is recovered."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT):
        return Damaged(
            f"{path} is damaged ({error}). Nothing more is written to it, and what was exported before is safe. "
            "Start the console anew: the file is set aside beside itself, and what can be read is recovered."
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return Unusable(
            f"{path} cannot be opened. Nothing was changed. Check that its directory exists and that this user may "
            "write there, or choose another place with --store."
        )
    return Unusable(
        f"The store {path} failed: {error}. Every entry saved before is as safe as its disk; this one is not in the "
        "store. Check the disk; what was kept aside is written as soon as the store works again."
    )


def _read_only(path: Path) -> bool:
    return path.exists() and not (
        os.access(path, os.W_OK, effective_ids=True) and os.access(path.parent, os.W_OK, effective_ids=True)
    )


def _no_space(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _NO_SPACE
    except OSError:
        return False
