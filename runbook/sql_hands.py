"""The only thing that can be done on the SQL server: end a session, if it is still the one that was meant.

`runbook.hands` makes it for an act of the gate, and nobody else does. It is sent once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from probes.errors import BadAnswer, Forbidden, LoginExpired, NotFound, ProbeError
from runbook.errors import NotSent, Refused, Uncertain
from runbook.sql_connection import with_connection

if TYPE_CHECKING:
    from runbook.sql_server import SqlServer
    from runbook.stamps import Stamp

ANOTHER = "another session"
_INSTANT = re.compile(r"[0-9T:.-]{10,23}")
_BEFORE = (LoginExpired, NotFound)  # raised before a statement could be sent


class SqlHands:
    """One act's means on one server. The program name of its connection carries the stamp."""

    def __init__(self, server: SqlServer, stamp: Stamp) -> None:
        self._server = server
        self._stamp = stamp

    async def kill(self, session: int, login_time: str) -> None:
        """``KILL session``, on condition that it logged in at ``login_time`` (the server's own text, style 126).

        Raises `NotSent`, `Refused` (also when that number is another session's by now), `Uncertain`.
        """
        sent = False

        statement = _kill(session, login_time)

        def work(connection: Any) -> None:
            nonlocal sent
            with connection.cursor() as cursor:
                sent = True
                cursor.execute(statement)

        try:
            await with_connection(self._server, work, read_only=False, autocommit=True, who=self._stamp.description)
        except _BEFORE as error:
            raise NotSent(f"nothing was sent: {error}", error.hint) from None
        except Forbidden as error:
            hint = "KILL needs ALTER ANY CONNECTION, or KILL DATABASE CONNECTION in Azure"
            raise Refused(f"the server refused: {error}", hint) from None
        except BadAnswer as error:
            if sent:
                raise Refused(f"the server refused: {error}", error.hint) from None
            raise NotSent(f"nothing was sent: {error}", error.hint) from None
        except ProbeError as error:
            if sent:
                raise Uncertain(f"KILL went out and no answer came: it may have been carried out ({error})") from None
            raise NotSent(f"nothing was sent: {error}", error.hint) from None


def _kill(session: int, login_time: str) -> str:
    """KILL takes a number and nothing else, so the condition stands before it, in the same batch."""
    if not _INSTANT.fullmatch(login_time):
        raise NotSent(f"nothing was sent: {login_time[:40]!r} is no time that a session began")
    there = f"session_id = {int(session)} AND CONVERT(varchar(23), login_time, 126) = '{login_time}'"
    return (
        f"IF EXISTS (SELECT 1 FROM sys.dm_exec_sessions WHERE {there}) KILL {int(session)}"  # noqa: S608 - digits only
        f" ELSE RAISERROR('{ANOTHER} has this number by now, or none: nothing was ended', 16, 1)"
    )
