"""Asks the SQL server and changes nothing: one query, its rows, and everything taken back. Bounded in every way."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from msgspec import Struct

from probes.errors import ConfigError
from runbook.sql_connection import MISSING, MISSING_HINT, installed, with_connection
from runbook.sql_server import SqlServer
from runbook.sql_statements import objection

__all__ = ["MISSING", "MISSING_HINT", "Rows", "ask", "installed"]

MOST_ROWS = 200
MOST_CELL = 2_000  # characters
LOCKS = 3_000  # milliseconds that a look waits for a lock; it is a look, and somebody else is at work


class Rows(Struct, frozen=True, kw_only=True):
    """What a query gave: cells as text. ``more``: there were more rows than are kept. ``seconds`` it took."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: bool = False
    seconds: float = 0.0


async def ask(server: SqlServer, query: str, *, primary: bool = False) -> Rows:
    """Run a query that only looks. Raises `ProbeError`; `ConfigError` for a query that does more, which is not sent.

    The login says that it only reads (ApplicationIntent), so a database with readable replicas answers from one;
    ``primary`` asks where the writing is done, which is where sessions block each other.
    """
    if why := objection(query):
        raise ConfigError(f"the query is not asked: {why}", "the runbook file may only look; acts are mitigations")
    return await with_connection(
        server, lambda connection: _rows(connection, query), read_only=not primary, autocommit=False
    )


def _rows(connection: Any, query: str) -> Rows:
    began = time.monotonic()
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCK_TIMEOUT {LOCKS}")
            cursor.execute(query)
            columns = tuple(str(column[0] or "") for column in cursor.description or ())
            found = cursor.fetchmany(MOST_ROWS + 1) if columns else []
            rows = tuple(tuple(map(_cell, row)) for row in found[:MOST_ROWS])
    finally:
        connection.rollback()
    seconds = round(time.monotonic() - began, 3)
    return Rows(columns=columns, rows=rows, more=len(found) > MOST_ROWS, seconds=seconds)


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes | bytearray):
        text = f"0x{bytes(value[:64]).hex().upper()}{'…' if len(value) > 64 else ''}"
    elif isinstance(value, datetime):
        text = value.isoformat(sep=" ", timespec="milliseconds")
    else:
        text = str(value)
    return text if len(text) <= MOST_CELL else f"{text[:MOST_CELL]}…"
