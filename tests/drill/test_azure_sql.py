"""The SQL of the drill's databases, asked and acted on by what the console uses for that: encrypted and signed in."""

from __future__ import annotations

import asyncio
import ssl
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from drill.azure.queries import parse
from drill.platform import Running, running
from probes.errors import BadAnswer, Forbidden, LoginExpired
from runbook.errors import Refused
from runbook.sql_hands import SqlHands
from runbook.sql_reading import ask
from runbook.sql_server import Login, SqlServer
from runbook.sql_sessions import blockers, may_kill, session
from runbook.stamps import Stamp

STAMP = Stamp("INC-20261125-0900-abcd", "a1b2c3d4e5")
ACCOUNTS = "BankingAccountsDb"
BLOCKED = """
SELECT r.session_id, r.blocking_session_id, r.wait_time / 1000 AS waits_seconds, r.wait_type, r.command,
  s.login_name, s.host_name, LEFT(t.text, 200) AS text
FROM sys.dm_exec_requests r
JOIN sys.dm_exec_sessions s ON s.session_id = r.session_id
OUTER APPLY sys.dm_exec_sql_text(r.sql_handle) t
WHERE r.blocking_session_id <> 0
ORDER BY r.wait_time DESC;
"""
SLOW = """
SELECT TOP 3 q.query_id, CAST(SUM(s.avg_duration * s.count_executions) / 1000 AS decimal(18, 1)) AS average_ms,
  MAX(LEFT(t.query_sql_text, 200)) AS query_sql_text
FROM sys.query_store_query_text t JOIN sys.query_store_query q ON q.query_text_id = t.query_text_id
ORDER BY average_ms DESC;
"""


def known(told: Running, *, database: str = ACCOUNTS, login: Login | None = None) -> SqlServer:
    """The server that the drill's settings name."""
    settings = tomllib.loads(told.config.read_text())
    token_file = settings["azure"]["token_file"]

    async def sign_in() -> Login:
        with open(token_file, encoding="utf-8") as file:  # noqa: ASYNC230, PTH123 (a line)
            return login or Login(token=file.read().strip())

    sql = settings["sql"]
    return SqlServer(sql["server"], database, sign_in, port=sql["port"], ca_file=sql["ca_file"])


@asynccontextmanager
async def degraded() -> AsyncIterator[tuple[Running, SqlServer]]:
    async with running("database-degradation") as told:
        yield told, known(told)


async def test_the_runbooks_queries_show_who_blocks_whom_and_what_is_slow() -> None:
    async with degraded() as (_, server):
        blocked = await ask(server, BLOCKED, primary=True)
        everything = await ask(server, "SELECT * FROM sys.dm_exec_requests WHERE blocking_session_id <> 0;")
        slow = await ask(server, SLOW)
        stuck = await ask(
            server, "-- stuck\nSELECT COUNT(*) FROM Payments WHERE Status = 'PENDING' AND CreatedAt < GETUTCDATE();"
        )

    assert blocked.columns == (
        *("session_id", "blocking_session_id", "waits_seconds", "wait_type"),
        *("command", "login_name", "host_name", "text"),
    )
    assert len(blocked.rows) == len(everything.rows) == 23
    assert {row[1] for row in blocked.rows} == {"87"}
    waits = [int(row[2]) for row in blocked.rows]
    assert waits == sorted(waits, reverse=True)
    assert blocked.rows[0][-1].startswith("SELECT TOP (50) * FROM dbo.Entries")
    assert len(slow.rows) == 3
    assert "migration 0041" in slow.rows[0][2]
    assert stuck.rows == (("0",),)


async def test_a_blocking_session_is_found_and_ended_and_the_database_recovers() -> None:
    async with degraded() as (told, server):
        estate = told.platform.estate
        assert estate is not None
        (found,) = await blockers(server)
        again = await session(server, 87, found.login_time)
        allowed = await may_kill(server)
        hands = SqlHands(server, STAMP)
        with pytest.raises(Refused, match="another session"):
            await hands.kill(87, "2020-01-01T00:00:00.000")
        before = estate.pressure(ACCOUNTS, estate.clock.now)
        await hands.kill(87, found.login_time)
        after = estate.pressure(ACCOUNTS, estate.clock.now)
        with pytest.raises(Refused, match="another session"):
            await hands.kill(87, found.login_time)
        gone = await session(server, 87, found.login_time)
        left = await blockers(server)

    assert (found.number, found.login, found.host, found.blocks) == (87, "svc-migrator", "ci-runner-07", 23)
    assert found.text.startswith("UPDATE e SET e.CounterpartyId")
    assert found.seconds > 1200
    assert again is not None
    assert again.key == found.key
    assert allowed
    assert (gone, left) == (None, [])
    assert before > 1.4
    assert after < 0.8


async def test_only_the_token_signs_in_and_only_to_a_database_that_is_there() -> None:
    async with running("payment-release") as told:
        for login in (Login(user="sa", password="hunter22"), Login(token="guessed")):
            with pytest.raises(LoginExpired, match="Login failed for user"):
                await ask(known(told, login=login), "SELECT 1 AS one")
        with pytest.raises(Forbidden, match="Cannot open database"):
            await ask(known(told, database="Nothing"), "SELECT 1 AS one")
        with pytest.raises(BadAnswer, match=r"Invalid object name 'dbo\.customers'"):
            await ask(known(told), "SELECT * FROM dbo.Customers")
        assert (await ask(known(told), "SELECT 1 AS one")).rows == (("1",),)
        assert (await ask(known(told), BLOCKED)).rows == ()


async def test_whoever_says_something_else_is_hung_up_on_and_leaves_nothing() -> None:
    async with degraded() as (told, server):
        for said in (b"GET / HTTP/1.1\r\n\r\n", b"\x12\x01\x00\x08\x00\x00\x01\x00" + b"\x17\x03\x03\x00\x05hello"):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(said)
            writer.write_eof()
            async with asyncio.timeout(60):
                answer = await reader.read()
            writer.close()
            assert b"token" not in answer
        assert (await ask(server, "SELECT 1 AS one")).rows == (("1",),)
        assert ssl.create_default_context(cafile=server.ca_file).get_ca_certs()
        assert told.urls["sql"] == f"tds://127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("text", "columns", "source", "top"),
    [
        ("SELECT 1", [""], "", None),
        ("select top (5) a.b AS c, d FROM sys.x a", ["c", "d"], "sys.x", 5),
        ("SELECT COUNT(*), (SELECT MAX(y) FROM z) AS m FROM t WHERE 'FROM q' = ','", ["", "m"], "t", None),
        ("/* FROM a */ SELECT * FROM b -- FROM c", ["*"], "b", None),
        ("KILL 5", None, "", None),
    ],
)
def test_a_select_is_taken_apart(text: str, columns: Any, source: str, top: int | None) -> None:
    found = parse(text)
    if columns is None:
        assert found is None
    else:
        assert found is not None
        assert ([*found.columns], found.source, found.top) == (columns, source, top)
