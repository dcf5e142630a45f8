"""The tables of the store and how an older file becomes a current one, step by step on ``PRAGMA user_version``.

A released step is never edited: a change of the schema is one more step at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from incident.backup import copy_beside
from incident.errors import Foreign, Newer

APPLICATION_ID = 0x57415252  # "WARR", so that `file` and we can tell our store from any other database

# Step n brings a file from version n to n + 1. One statement per item: `executescript` would commit in between.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE incident (
            id          TEXT    NOT NULL PRIMARY KEY,
            title       TEXT    NOT NULL,
            severity    INTEGER          CHECK (severity BETWEEN 1 AND 4),
            status      TEXT    NOT NULL,
            declared_at INTEGER NOT NULL,
            resolved_at INTEGER,
            drill       INTEGER NOT NULL CHECK (drill IN (0, 1)),
            cluster     TEXT    NOT NULL,
            namespace   TEXT    NOT NULL,
            -- The end of the chain. Kept apart from the entries, so that a cut tail is noticed.
            head_seq    INTEGER NOT NULL,
            head_hash   TEXT    NOT NULL
        )
        """,
        # Evidence comes last: SQLite then lists entries without touching the overflow pages of large objects.
        """
        CREATE TABLE entry (
            id            TEXT    NOT NULL UNIQUE,
            incident      TEXT    NOT NULL REFERENCES incident (id),
            seq           INTEGER NOT NULL CHECK (seq > 0),
            happened_at   INTEGER NOT NULL,
            recorded_at   INTEGER NOT NULL,
            author        TEXT    NOT NULL,
            source        TEXT    NOT NULL,
            kind          TEXT    NOT NULL,
            text          TEXT    NOT NULL,
            refers_to     TEXT             REFERENCES entry (id),
            fold          TEXT,
            level         TEXT    NOT NULL,
            count         INTEGER NOT NULL,
            previous_hash TEXT    NOT NULL,
            hash          TEXT    NOT NULL,
            evidence      TEXT,
            UNIQUE (incident, seq)
        )
        """,
        "CREATE INDEX entry_by_fold ON entry (incident, fold, seq) WHERE fold IS NOT NULL",
        "CREATE INDEX entry_by_reference ON entry (refers_to, seq) WHERE refers_to IS NOT NULL",
        """
        CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'the timeline is append-only: write an amendment'); END
        """,
        """
        CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'the timeline is append-only: write a retraction'); END
        """,
        """
        CREATE TRIGGER incident_is_never_deleted BEFORE DELETE ON incident
        BEGIN SELECT RAISE(ABORT, 'incidents are never deleted'); END
        """,
    ),
    (
        # JSON: a list of names, and objects by question, role and mark.
        "ALTER TABLE incident ADD COLUMN services TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE incident ADD COLUMN impact TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE incident ADD COLUMN facts TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE incident ADD COLUMN roles TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE incident ADD COLUMN times TEXT NOT NULL DEFAULT '{}'",
    ),
)


def migrate(connection: sqlite3.Connection, path: Path, steps: Sequence[Sequence[str]] = STEPS) -> Path | None:
    """Bring the file to the current version; all missing steps are one transaction. Safe when two processes open it.

    A store with a past is copied beside itself first (`incident.backup`); returns the copy.

    Raises:
        Foreign: a database, but not one of ours. It is left as it is.
        Newer: of a later version than ``steps`` reach. It is left as it is.
        StoreFault: there is no copy, so nothing is changed.
        sqlite3.Error: what SQLite says while reading or writing it.
    """
    if version(connection, path, len(steps)) == len(steps):
        return None
    copy = None
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked again: another process may have migrated while we waited for the lock.
        found = version(connection, path, len(steps))
        if 0 < found < len(steps):
            copy = copy_beside(path, f"v{found}-backup")
        for statements in steps[found:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")
        connection.execute(f"PRAGMA user_version = {len(steps):d}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return copy


def version(connection: sqlite3.Connection, path: Path, newest: int = len(STEPS)) -> int:
    """The file's version, 0 for an empty one.

    Raises:
        Foreign, Newer: as `migrate`.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application or found or tables:
            raise Foreign(
                f"{path} is a database of another program. It was left as it is. "
                "Choose another place for the timeline with --store."
            )
    if found > newest:
        raise Newer(
            f"{path} was written by a newer warroom (store version {found}; this program knows {newest}). "
            "Nothing in it was changed. Update warroom, or choose another place with --store."
        )
    return int(found)
