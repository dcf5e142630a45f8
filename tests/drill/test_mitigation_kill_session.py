"""Ending a database session that others wait for: the one that was shown, with what it does in the plan, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runbook.errors import Changed, NoPlan
from runbook.outside import Outside
from runbook.plan import Aim, Level, Verdict
from runbook.sql_server import Login
from runbook.sql_server import SqlServer as Known
from tests.drill.mitigation_desk import Desk, finding
from tests.drill.small_scenario import village
from tests.tds_server import Answer, SqlError, SqlServer, Table, sql_server

DATABASE = "BankingAccountsDb"
AIM = Aim(kind="SqlDatabase", namespace="banking-platform-prod-rg/127", name=DATABASE)
SINCE = "2026-11-25T14:03:12.123"
COLUMNS = (
    "session_id", "login_time", "login_name", "host_name", "program_name", "status", "open_transaction_count", "blocks",
    "waits_for", "command", "seconds", "percent_complete", "text",
)  # fmt: skip
STATEMENT = "UPDATE Accounts SET Tier = 2\nWHERE 1 = 1 -- PASSWORD = 'hunter22-and-more'"


@dataclass
class Sessions:
    """What the server has: rows of `COLUMNS`, and whether the login may end any."""

    rows: list[tuple[int | str | None, ...]] = field(default_factory=list)
    may: int = 1
    killed: list[str] = field(default_factory=list)

    def answer(self, text: str) -> Answer:
        if text.startswith("SELECT HAS_PERMS"):
            return Table(("any_connection", "database_connection"), [(self.may, self.may)])
        if text.startswith("SELECT s.session_id"):
            wanted = text.rpartition("s.session_id = ")[2] if "s.session_id = " in text[-30:] else ""
            return Table(COLUMNS, [row for row in self.rows if not wanted or str(row[0]) == wanted])
        if text.startswith("IF EXISTS"):
            if not any(f"session_id = {row[0]} " in text and str(row[1]) in text for row in self.rows):
                return SqlError(50000, "another session has this number by now, or none: nothing was ended")
            self.killed.append(text)
            self.rows = [row for row in self.rows if f"KILL {row[0]} " not in text]
        return None


def blocker(number: int = 72, since: str = SINCE, blocks: int = 12, waits_for: int = 0) -> tuple[int | str | None, ...]:
    who = ("svc-batch", "aks-batch-0", "nightly")
    return (number, since, *who, "running", 1, blocks, waits_for, "UPDATE", 340, 0, STATEMENT)


@asynccontextmanager
async def beside_a_server(directory: Path, sessions: Sessions) -> AsyncIterator[tuple[Desk, SqlServer]]:
    async def sign_in() -> Login:
        return Login(user="warroom", password="correct-horse")

    async with sql_server(directory, answer=sessions.answer) as server:
        known = Known(server.host, DATABASE, sign_in, server.port, str(server.ca_file))
        async with village(outside=lambda running: Outside(sql=known)) as at:
            yield at, server


async def test_the_one_that_most_wait_for_is_shown_with_what_it_does_and_ended_once(tmp_path: Path) -> None:
    sessions = Sessions([blocker(60, blocks=2, waits_for=72), blocker()])
    async with beside_a_server(tmp_path, sessions) as (at, server):
        assert "kill-session" in at.gate.offered
        assert "restore-database" not in at.gate.offered
        plan = await at.plan("kill-session", AIM)
        assert plan.title == f"End session 72 of svc-batch on {DATABASE}"
        assert [name for name, _ in plan.fields[0].options] == [f"72 {SINCE}", f"60 {SINCE}"]
        shown = "\n".join(plan.diff.hunks[0].lines)
        assert "- UPDATE Accounts SET Tier = 2\n" in shown
        assert "hunter22" not in repr(plan)
        assert finding(plan, "allowed").level is Level.GREEN
        assert "may take as long as it has worked (340 s)" in finding(plan, "rollback").text
        assert plan.phrase == "kill 72"
        assert plan.commands == (f"sqlcmd -S {server.host},{server.port} -d {DATABASE} -G -Q 'KILL 72'",)
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.WORKED
        assert outcome.text.startswith("session 72 is gone; 1 other blocking session left: 60, svc-batch")
        assert len(sessions.killed) == 1
        assert at.writes == []  # the cluster has nothing to do with it
        elsewhere = Aim(kind="SqlDatabase", namespace="banking-platform-prod-rg/another-sql", name=DATABASE)
        said = finding(await at.plan("kill-session", elsewhere), "server")
        assert said.text == "the row is of another-sql; what is asked, and acted on, is the settings' 127.0.0.1"
        waiting = await at.plan("kill-session", AIM)
        assert [one.level for one in waiting.findings if one.name == "waiting"] == [Level.GREEN, Level.AMBER]


async def test_another_session_under_the_same_number_is_never_ended(tmp_path: Path) -> None:
    sessions = Sessions([blocker()])
    async with beside_a_server(tmp_path, sessions) as (at, _):
        plan = await at.plan("kill-session", AIM)
        sessions.rows = [blocker(since="2026-11-25T15:00:00.000")]
        with pytest.raises(Changed, match="has ended, or is another's by now"):
            await at.confirm(plan)
        sessions.rows = []
        with pytest.raises(NoPlan, match="no session of BankingAccountsDb is waited for"):
            await at.plan("kill-session", AIM)
        with pytest.raises(NoPlan, match=r"\[sql\] is BankingAccountsDb on 127.0.0.1, and not BankingLedgerDb"):
            await at.plan("kill-session", Aim(kind="SqlDatabase", namespace=AIM.namespace, name="BankingLedgerDb"))
        assert sessions.killed == []


async def test_an_answer_that_did_not_come_is_found_out_by_looking_for_the_session(tmp_path: Path) -> None:
    sessions = Sessions([blocker()], may=0)
    async with beside_a_server(tmp_path, sessions) as (at, server):
        assert finding(await at.plan("kill-session", AIM), "allowed").level is Level.RED
        sessions.may = 1
        plan = await at.plan("kill-session", AIM)
        server.cuts = "KILL 72"
        outcome = await at.ended(await at.confirm(plan))
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert len([batch for batch in server.batches if "KILL 72" in batch]) == 1
