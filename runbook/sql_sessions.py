"""The sessions of a SQL server that others wait for, and whether one is still there. Read where the writing is done."""

from __future__ import annotations

from typing import NamedTuple

from incident.redact import redact
from runbook.sql_reading import Rows, ask
from runbook.sql_server import SqlServer

MOST_TEXT = 4_000  # characters of a session's statement that are kept

_SESSION = (
    "SELECT s.session_id, CONVERT(varchar(23), s.login_time, 126) AS login_time, s.login_name, s.host_name,"
    " s.program_name, s.status, s.open_transaction_count,"
    " (SELECT COUNT(*) FROM sys.dm_exec_requests w WHERE w.blocking_session_id = s.session_id) AS blocks,"
    " COALESCE(r.blocking_session_id, 0) AS waits_for, COALESCE(r.command, '') AS command,"
    " DATEDIFF(second, COALESCE(r.start_time, s.last_request_start_time), GETDATE()) AS seconds,"
    " COALESCE(r.percent_complete, 0) AS percent_complete, COALESCE(t.text, '') AS text"
    " FROM sys.dm_exec_sessions s"
    " LEFT JOIN sys.dm_exec_requests r ON r.session_id = s.session_id"
    " LEFT JOIN sys.dm_exec_connections c ON c.session_id = s.session_id"
    " OUTER APPLY sys.dm_exec_sql_text(COALESCE(r.sql_handle, c.most_recent_sql_handle)) t"
    " WHERE s.is_user_process = 1 AND s.session_id <> @@SPID AND "
)
_WAITED_FOR = "s.session_id IN (SELECT blocking_session_id FROM sys.dm_exec_requests WHERE blocking_session_id > 0)"
BLOCKERS = f"{_SESSION}{_WAITED_FOR}"
PERMISSION = (
    "SELECT HAS_PERMS_BY_NAME(NULL, NULL, 'ALTER ANY CONNECTION') AS any_connection,"
    " HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'KILL DATABASE CONNECTION') AS database_connection"
)


class Session(NamedTuple):
    """``login_time`` is the server's own text: with the number it says which session this is. ``text`` is redacted."""

    number: int
    login_time: str
    login: str
    host: str
    program: str
    status: str
    transactions: int
    blocks: int
    waits_for: int
    command: str
    seconds: int
    percent: float
    text: str

    @property
    def key(self) -> str:
        """``72 2026-11-25T14:03:12.123``."""
        return f"{self.number} {self.login_time}"

    def __str__(self) -> str:
        who = " from ".join(filter(None, (self.login, self.host)))
        return f"{self.number}, {who}, {self.command or self.status} {self.seconds} s, blocks {self.blocks}"


async def blockers(server: SqlServer) -> list[Session]:
    """Who is waited for; first who waits for nobody, and whom the most wait for. Raises `ProbeError`."""
    found = _sessions(await ask(server, BLOCKERS, primary=True))
    return sorted(found, key=lambda one: (one.waits_for != 0, -one.blocks, one.number))


async def session(server: SqlServer, number: int, login_time: str) -> Session | None:
    """That session, None if it is gone or another has its number. Raises `ProbeError`."""
    found = _sessions(await ask(server, f"{_SESSION}s.session_id = {int(number)}", primary=True))
    return next((one for one in found if one.login_time == login_time), None)


async def may_kill(server: SqlServer) -> bool | None:
    """Whether the login may end sessions; None if the server does not say. Raises `ProbeError`."""
    rows = (await ask(server, PERMISSION, primary=True)).rows
    answers = [cell for cell in rows[0] if cell != "NULL"] if rows else []
    return any(cell == "1" for cell in answers) if answers else None


def _sessions(rows: Rows) -> list[Session]:
    """A session with several requests has several rows; the first stands for it."""
    found: dict[int, Session] = {}
    for row in rows.rows:
        cells = dict(zip(rows.columns, row, strict=True))
        one = Session(
            number=_whole(cells["session_id"]),
            login_time=cells["login_time"],
            login=_known(cells["login_name"]),
            host=_known(cells["host_name"]),
            program=_known(cells["program_name"]),
            status=cells["status"],
            transactions=_whole(cells["open_transaction_count"]),
            blocks=_whole(cells["blocks"]),
            waits_for=_whole(cells["waits_for"]),
            command=_known(cells["command"]),
            seconds=_whole(cells["seconds"]),
            percent=float(cells["percent_complete"] or 0),
            text=redact(_known(cells["text"]))[:MOST_TEXT],
        )
        found.setdefault(one.number, one)
    return list(found.values())


def _whole(text: str) -> int:
    return int(text) if text.lstrip("-").isdigit() else 0


def _known(text: str) -> str:
    return "" if text == "NULL" else text.strip()
