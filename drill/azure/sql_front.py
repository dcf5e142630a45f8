"""The databases' own SQL, for the queries of the runbook: who blocks whom, what is slow, and an end for a session.

Behind `drill.tds`. It knows the views that those queries ask and one statement that acts, KILL; to anything else it
answers as SQL Server does to a name that it does not know.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from drill.azure.database import Database
from drill.azure.estate import Estate
from drill.azure.instants import written
from drill.azure.queries import Select, parse
from drill.azure.sessions import Request
from drill.tds import Script
from drill.tds_tokens import SignIn, SqlError, Table

Row = dict[str, int | str | None]

_KILL: Final = re.compile(r"^\s*KILL\s+(\d+)\s*;?\s*$", re.IGNORECASE)
_KILL_IF: Final = re.compile(
    r"IF\s+EXISTS\s*\(.*session_id\s*=\s*(\d+)\s+AND\s+CONVERT\(varchar\(23\),\s*login_time,\s*126\)\s*=\s*'([^']*)'\s*\)\s*KILL\s+(\d+)\s+"
    r"ELSE\s+RAISERROR\('([^']*)'",
    re.IGNORECASE | re.DOTALL,
)
_OF_SESSION: Final = re.compile(r"\bsession_id = (\d+)")
_STUCK: Final = 3600.0  # seconds, after which the runbook calls a payment stuck
_SLOWER: Final = 45  # times, of a statement that waits for a database under pressure


class SqlFront:
    """Answers for the databases of an estate. ``token`` gives the one that signs in.

    ``pending`` tells how many payments are older than so many seconds and not settled.
    """

    def __init__(
        self, estate: Estate, token: Callable[[], str], pending: Callable[[float], int] = lambda older: 0
    ) -> None:
        self._estate = estate
        self._token = token
        self._pending = pending

    @property
    def script(self) -> Script:
        return Script(self._admit, self._answer)

    def _admit(self, who: SignIn) -> None:
        if not secrets.compare_digest(who.token.strip().encode(), self._token().encode()):
            name = who.user or "<token-identified principal>"
            raise SqlError(18456, f"Login failed for user '{name}'.")
        self._database(who)

    def _database(self, who: SignIn) -> Database:
        found = self._estate.find(who.database)
        if found is None or not found.readable:
            raise SqlError(4060, f'Cannot open database "{who.database}" requested by the login. The login failed.')
        if found.interrupted(self._estate.clock.now):
            raise SqlError(
                40613,
                f"Database '{found.name}' on server '{found.server}' is not currently available.  Please retry the "
                "connection later.",
            )
        return found

    def _answer(self, who: SignIn, text: str) -> Table | None:
        database = self._database(who)
        select = parse(text)
        if select is not None:
            return self._select(database, select)
        if text.strip().upper().startswith(("SET ", "IF @@TRANCOUNT", "USE ")):
            return None
        self._kill(database, text)
        return None

    # Acting

    def _kill(self, database: Database, text: str) -> None:
        """KILL, and KILL on condition that the session is still the one that was meant."""
        plain, guarded = _KILL.match(text), _KILL_IF.search(text)
        if guarded is not None and guarded[1] == guarded[3]:
            there = {_login_time(request): request for request in database.sessions.requests()}
            meant = there.get(guarded[2])
            if meant is None or meant.session_id != int(guarded[1]) or not database.sessions.kill(meant.session_id):
                raise SqlError(50000, guarded[4])
            return
        if plain is None:
            raise SqlError(102, "Incorrect syntax: this practice server knows SELECT of the runbook's views, and KILL.")
        if not database.sessions.kill(int(plain[1])):
            raise SqlError(6106, f"Process ID {plain[1]} is not an active process ID.")

    # Looking

    def _select(self, database: Database, select: Select) -> Table:
        sources: Mapping[str, Callable[[Database, Select], list[Row]]] = {
            "": _constants,
            "sys.dm_exec_requests": _requests,
            "sys.dm_exec_sessions": self._sessions,
            "sys.query_store_query_text": self._queries,
            "payments": self._payments,
            "dbo.payments": self._payments,
        }
        rows_of = sources.get(select.source)
        if rows_of is None:
            raise SqlError(208, f"Invalid object name '{select.source}'.")
        rows = rows_of(database, select)
        return _table(select, rows if select.top is None else rows[: select.top])

    def _sessions(self, database: Database, select: Select) -> list[Row]:
        """sys.dm_exec_sessions, with what its request and its statement say."""
        requests = database.sessions.requests()
        numbered = _OF_SESSION.search(select.where)
        if numbered is not None:
            requests = [request for request in requests if request.session_id == int(numbered[1])]
        elif "blocking_session_id" in select.where:
            waited_for = {request.blocking_session_id for request in requests}
            requests = [request for request in requests if request.session_id in waited_for]
        blocks = [request.blocking_session_id for request in database.sessions.requests()]
        return [
            _request(request)
            | {
                "login_time": _login_time(request),
                "blocks": blocks.count(request.session_id),
                "waits_for": request.blocking_session_id,
                "seconds": request.total_elapsed_time // 1000,
                "percent_complete": 0,
            }
            for request in requests
        ]

    def _payments(self, database: Database, select: Select) -> list[Row]:
        """How many payments are stuck: those that are not settled, of the last hour or without an age of any."""
        count = self._pending(_STUCK if "createdat" in select.where else 0.0)
        return [{"": count, "stuck": count}]

    def _queries(self, database: Database, select: Select) -> list[Row]:
        """The query store's slowest of the last hour."""
        now = self._estate.clock.now
        pressure = database.pressure(now)
        slower = _SLOWER * pressure if pressure > 1 else 1.0
        sessions = database.sessions
        rows = [
            _query(blocker.session, blocker.statement, 1, sessions.age(blocker) * 1000, 1.0)
            for blocker in sessions.blocking()
        ]
        rows += [
            _query(number, known.text, known.executions, known.average_ms * slower, 3.1)
            for number, known in enumerate(database.part.queries, start=40_012)
        ]
        rows.sort(key=lambda row: -float(row["average_ms"] or 0))
        stamp = written(self._estate.instants.wall(now)).replace("T", " ").rstrip("Z")
        return [{**row, "last_execution_time": stamp} for row in rows]


def _constants(database: Database, select: Select) -> list[Row]:
    """A SELECT of nothing: what the login may do, and which database it is in."""
    return [{"any_connection": None, "database_connection": 1, "database_name": database.name, "one": 1}]


def _requests(database: Database, select: Select) -> list[Row]:
    found = database.sessions.requests()
    if "blocking_session_id <> 0" in select.where or "blocking_session_id > 0" in select.where:
        found = [request for request in found if request.blocking_session_id]
    if "wait_time desc" in select.where:
        found.sort(key=lambda request: -request.wait_time)
    return [_request(request) for request in found]


def _request(request: Request) -> Row:
    return {
        "session_id": request.session_id,
        "blocking_session_id": request.blocking_session_id,
        "status": request.status,
        "command": request.command,
        "wait_type": request.wait_type or None,
        "wait_time": request.wait_time,
        "waits_seconds": request.wait_time // 1000,
        "total_elapsed_time": request.total_elapsed_time,
        "cpu_time": request.cpu_time,
        "open_transaction_count": request.open_transactions,
        "start_time": _login_time(request).replace("T", " "),
        "login_name": request.login_name,
        "host_name": request.host_name,
        "program_name": request.program_name,
        "text": request.text,
    }


def _query(number: int, text: str, executions: int, average: float, spread: float) -> Row:
    return {
        "query_id": number,
        "executions": executions,
        "average_ms": f"{average:.1f}",
        "worst_ms": f"{average * spread:.1f}",
        "query_sql_text": text[:200],
    }


def _login_time(request: Request) -> str:
    """As CONVERT(varchar(23), login_time, 126) has it: with milliseconds and without a zone."""
    return written(request.began_at).rstrip("Z")


def _table(select: Select, rows: Sequence[Row]) -> Table:
    """The rows with the columns that were asked for; one that nobody knows is NULL."""
    if "*" in select.columns:
        columns = [*(rows[0] if rows else ("session_id", "blocking_session_id", "command", "wait_type", "wait_time"))]
    else:
        columns = [*select.columns]
    return Table(columns, [[row.get(name.lower()) for name in columns] for row in rows])
