"""Asking the SQL server with the driver's real connection: what is asked, in what manner, what never leaves here."""

from __future__ import annotations

import asyncio
import sys
import traceback
from pathlib import Path

import pytest

from probes.errors import BadAnswer, ConfigError, Forbidden, LoginExpired, ProbeError, Unreachable
from runbook.errors import NotSent, Refused, Uncertain
from runbook.sql_hands import SqlHands
from runbook.sql_reading import ask
from runbook.sql_server import Login
from runbook.sql_server import SqlServer as Known
from runbook.sql_statements import objection
from runbook.sql_transport import route_in
from runbook.stamps import Stamp
from tests.tds_server import NOT_SUPPORTED, Answer, SqlError, SqlServer, Table, sql_server

PASSWORD = "correct-horse-battery-staple"
TOKEN = "eyJ0.entra.token"
QUERY = "SELECT COUNT(*) AS stuck FROM Payments WHERE Status = 'PENDING'"
STAMP = Stamp("INC-20261125-0900-abcd", "a1b2c3d4e5")


def known(server: SqlServer, *, token: str = "", timeout: float = 15.0, ca_file: str | None = None) -> Known:
    async def sign_in() -> Login:
        return Login(token=token) if token else Login(user="warroom", password=PASSWORD)

    return Known(
        host=server.host,
        database="BankingAccountsDb",
        sign_in=sign_in,
        port=server.port,
        ca_file=str(server.ca_file) if ca_file is None else ca_file,
        timeout=timeout,
    )


def answers(text: str) -> Answer:
    return Table(["stuck", "text"], [[37, "a\x1b[31m"], [5, None]]) if text.startswith("SELECT") else None


async def refusal(server: SqlServer, query: str = QUERY, **how: object) -> ProbeError:
    """What asking comes to; that no secret is in any of it is seen here, each time."""
    with pytest.raises(ProbeError) as caught:
        await ask(known(server, **how), query)  # type: ignore[arg-type]
    told = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert PASSWORD not in told
    assert TOKEN not in told
    assert caught.value.__cause__ is None
    return caught.value


async def test_a_query_is_asked_encrypted_with_read_only_intent_and_rolled_back(tmp_path: Path) -> None:
    async with sql_server(tmp_path, answer=answers) as server:
        rows = await ask(known(server), QUERY)
        assert (rows.columns, rows.rows, rows.more) == (("stuck", "text"), (("37", "a\x1b[31m"), ("5", "NULL")), False)
        (signed,) = server.sign_ins
        assert (signed.user, signed.password, signed.database) == ("warroom", PASSWORD, "BankingAccountsDb")
        assert signed.read_only
        assert server.batches == ["SET LOCK_TIMEOUT 3000", QUERY]
        assert server.transactions[0] == "begin"
        assert server.transactions[-1] == "rollback"
        assert "commit" not in server.transactions
        for secret in (PASSWORD, "warroom", "Payments"):
            assert secret.encode("utf-16-le") not in bytes(server.clear)

        await ask(known(server), QUERY, primary=True)
        assert not server.sign_ins[1].read_only


async def test_a_token_of_entra_id_signs_in(tmp_path: Path) -> None:
    async with sql_server(tmp_path, answer=answers) as server:
        assert (await ask(known(server, token=TOKEN), QUERY)).rows[0][0] == "37"
        assert (server.sign_ins[0].token, server.sign_ins[0].user, server.sign_ins[0].password) == (TOKEN, "", "")
        assert TOKEN.encode("utf-16-le") not in bytes(server.clear)


async def test_more_rows_than_a_look_needs_are_left_there(tmp_path: Path) -> None:
    async with sql_server(tmp_path, answer=lambda text: Table(["n"], [[n] for n in range(500)])) as server:
        rows = await ask(known(server), QUERY)
        assert (len(rows.rows), rows.more) == (200, True)


async def test_nothing_is_sent_to_a_server_that_does_not_encrypt_or_cannot_prove_who_it_is(tmp_path: Path) -> None:
    async with sql_server(tmp_path, encryption=NOT_SUPPORTED) as server:
        error = await refusal(server)
        assert isinstance(error, Unreachable)
        assert "offers no encryption; nothing was sent" in str(error)
        assert server.sign_ins == []
    async with sql_server(tmp_path) as server:
        error = await refusal(server, ca_file="")  # the machine's authorities do not know this one
        assert "is not trusted" in str(error)
        assert server.sign_ins == []


async def test_what_the_server_refuses_is_said_in_its_words_with_what_to_do(tmp_path: Path) -> None:
    async with sql_server(tmp_path, refuse=SqlError(18456, "Login failed for user 'warroom'.")) as server:
        error = await refusal(server)
        assert isinstance(error, LoginExpired)
        assert "Login failed for user 'warroom'. (error 18456)" in str(error)
        assert len(server.sign_ins) == 1
        server.refuse = SqlError(40615, "Client with IP address '10.0.0.7' is not allowed to access the server.")
        error = await refusal(server, token=TOKEN)
        assert isinstance(error, Forbidden)
        assert "firewall" in error.hint
        assert len(server.sign_ins) == 2  # each once
        server.refuse = None
        for number, kind in ((300, Forbidden), (1222, Unreachable), (208, BadAnswer)):
            server.answer = lambda text, number=number: (  # type: ignore[misc]
                SqlError(number, "It said so.") if text.startswith("SELECT") else None
            )
            assert isinstance(await refusal(server), kind)


async def test_a_server_that_hangs_or_hangs_up_costs_its_limit_and_no_more(tmp_path: Path) -> None:
    async with sql_server(tmp_path, hangs="SELECT", answer=answers) as server:
        error = await refusal(server, timeout=0.3)
        assert "did not answer within 0.3 s" in str(error)
        server.hangs, server.cuts = "", "SELECT"
        assert isinstance(await refusal(server), Unreachable)
        server.cuts = ""
    gone = await refusal(server)
    assert isinstance(gone, Unreachable)


async def test_a_server_that_sends_us_elsewhere_is_followed_encrypted(tmp_path: Path) -> None:
    async with (
        sql_server(tmp_path, answer=answers) as there,
        sql_server(tmp_path, route=("127.0.0.1", there.port)) as front,
    ):
        both = tmp_path / "both.pem"
        both.write_bytes(front.ca_file.read_bytes() + there.ca_file.read_bytes())
        rows = await ask(known(front, ca_file=str(both)), QUERY)
        assert rows.rows[0][0] == "37"
        assert len(front.sign_ins) == len(there.sign_ins) == 1
        assert PASSWORD.encode("utf-16-le") not in bytes(there.clear)
    assert route_in(b"\xe3\x03\x00\x14") is None
    assert route_in(b"\xe3" * 200) is None


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM Payments",
        "SELECT 1; DROP TABLE Payments",
        "SELECT * INTO copied FROM Payments",
        "WITH x AS (SELECT 1 AS a) DELETE FROM x",
        "select 1 /* ; */ ; commit",
        "EXEC sp_who2",
        "/* SELECT */ UPDATE Payments SET Status = 'x'",
        "SELECT * FROM OPENROWSET('a', 'b', 'c')",
        "SELECT 'it''s; DROP TABLE x' + 'open",
        "-- SELECT 1\nKILL 72",
        "SELECT NEXT VALUE FOR dbo.Numbers",
        "SELECT * FROM Payments WITH (TABLOCKX)",
        "",
    ],
)
async def test_a_query_that_does_more_than_look_is_never_sent(tmp_path: Path, query: str) -> None:
    async with sql_server(tmp_path) as server:
        error = await refusal(server, query)
        assert isinstance(error, ConfigError)
        assert "the query is not asked" in str(error)
        assert server.sign_ins == []


@pytest.mark.parametrize(
    "query",
    [
        "-- Check; it's only a look\nSELECT 'DROP TABLE x; --', [update], \"delete\" FROM t /* a /* b */ ; */ ;",
        "SELECT last_update, create_date FROM sys.tables",
    ],
)
def test_words_in_texts_names_and_comments_are_not_what_a_query_does(query: str) -> None:
    assert objection(query) == ""


async def test_without_the_driver_it_is_said_which_extra_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sql_server(tmp_path) as server:
        monkeypatch.setitem(sys.modules, "pytds", None)
        error = await refusal(server)
        assert (str(error), error.hint) == ("python-tds is not installed", "pip install 'warroom[sqlserver]'")
        assert server.sign_ins == []


# Ending a session


async def test_a_session_is_ended_once_if_it_is_still_the_one_that_was_meant(tmp_path: Path) -> None:
    async with sql_server(tmp_path) as server:
        hands = SqlHands(known(server), STAMP)
        await hands.kill(72, "2026-11-25T14:03:12.123")
        (batch,) = server.batches
        assert batch.startswith("IF EXISTS (SELECT 1 FROM sys.dm_exec_sessions WHERE session_id = 72 AND ")
        assert "= '2026-11-25T14:03:12.123') KILL 72 ELSE RAISERROR(" in batch
        (signed,) = server.sign_ins
        assert not signed.read_only
        assert signed.program == STAMP.description
        assert server.transactions == []  # KILL is refused inside of one

        server.answer = lambda text: SqlError(50000, "another session has this number by now, or none")
        with pytest.raises(Refused, match="another session has this number"):
            await hands.kill(72, "2026-11-25T14:03:12.123")
        server.answer = lambda text: SqlError(6102, "User does not have permission to use the KILL statement.")
        with pytest.raises(Refused, match="permission"):
            await hands.kill(72, "2026-11-25T14:03:12.123")
        server.cuts = "KILL"
        with pytest.raises(Uncertain, match="may have been carried out"):
            await hands.kill(72, "2026-11-25T14:03:12.123")
        assert len(server.batches) == 4
        with pytest.raises(NotSent, match="is no time"):
            await hands.kill(72, "2026' OR 1=1 --")
        server.refuse = SqlError(18456, "Login failed.")
        with pytest.raises(NotSent, match="nothing was sent"):
            await hands.kill(72, "2026-11-25T14:03:12.123")
        assert len(server.batches) == 4


async def test_a_console_that_goes_on_meanwhile_is_not_held_up(tmp_path: Path) -> None:
    async with sql_server(tmp_path, hangs="SELECT") as server:
        asking = asyncio.create_task(ask(known(server), QUERY))
        while not server.batches:  # noqa: ASYNC110 - what is waited for sends no event
            await asyncio.sleep(0)  # the loop turns while the driver waits
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
