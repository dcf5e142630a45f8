"""The runbook's queries from a guide: asked at enter, their rows over the console, what they found on the timeline."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from drill.platform import running
from tests.drill.small_scenario import SMALL
from tests.drill.test_mitigation_kill_session import Sessions, blocker
from tests.pilot.acting import QUICK, ready
from tests.pilot.console_harness import WIDE, Console, opened, options_for
from tests.tds_server import Answer, Table, sql_server
from tui.screens.plan import PlanScreen
from tui.screens.rows import RowsScreen
from tui.settings import Settings
from tui.sql_settings import SqlSettings

STUCK, BLOCKING, KILL = (
    ("payment-failures", "payment-tables"),
    ("database-degradation", "blocking-transactions"),
    ("database-degradation", "kill-blocking"),
)


def answer(text: str) -> Answer:
    if text.startswith("-- Check for stuck"):
        return Table(("",), [[37]])
    columns = ("session_id", "blocking_session_id", "text")
    return Table(columns, [[80, 72, "SELECT\n[/bold]\x1b[31m"], [81, 72, None]])


async def finding(console: Console, step: tuple[str, str]) -> str:
    """What a step came to, once that is recorded."""
    guiding = console.desk.guiding
    guiding.open_id = step[0]
    guiding.run(step)

    def found() -> list[str]:
        at = guiding.step(step)
        return [tick.note for tick in at[1].ticks if tick.note] if at is not None else []

    await console.until(found, "a finding")
    return found()[-1]


async def test_a_query_runs_at_enter_shows_its_rows_and_leads_to_the_session_that_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANKING_SQL_USER", "warroom")
    monkeypatch.setenv("BANKING_SQL_PASSWORD", "correct-horse")
    sessions = Sessions([blocker()])

    def said(text: str) -> Answer:
        return sessions.answer(text) or (answer(text) if "SELECT" in text else None)

    async with sql_server(tmp_path, answer=said) as server, running(SMALL, speed=30.0) as platform:
        sql = SqlSettings(
            server=server.host,
            database="BankingAccountsDb",
            port=server.port,
            user_env="BANKING_SQL_USER",
            password_env="BANKING_SQL_PASSWORD",
            ca_file=str(server.ca_file),
        )
        settings = replace(Settings.load(platform.config), sql=sql)
        options = options_for(
            platform, tmp_path / "warroom.db", settings=settings, runbook="banking-platform", playbook=QUICK
        )
        async with opened(options, WIDE, live=False) as console:
            await ready(console)
            assert await finding(console, STUCK) == "BankingAccountsDb: 37"
            await console.on(RowsScreen)
            await console.says("1 row · 127.0.0.1/BankingAccountsDb")
            await console.press("escape")

            told = await finding(console, BLOCKING)
            assert told.startswith("BankingAccountsDb (primary): 2 rows, the first: session_id 80, ")
            await console.on(RowsScreen)
            await console.says("[/bold]")
            await console.press("escape")
            assert [signed.read_only for signed in server.sign_ins] == [True, False]

            console.desk.guiding.run(KILL)
            screen = await console.on(PlanScreen)
            await console.until(lambda: screen.plan is not None, "a plan")
            assert screen.plan is not None
            assert screen.plan.title == "End session 72 of svc-batch on BankingAccountsDb"
            await console.press("escape")


async def test_without_a_server_in_the_settings_the_query_is_there_to_be_copied(tmp_path: Path) -> None:
    async with running(SMALL, speed=30.0) as platform:
        options = options_for(platform, tmp_path / "warroom.db", runbook="banking-platform", playbook=QUICK)
        async with opened(options, WIDE, live=False) as console:
            await ready(console)
            console.desk.guiding.open_id = STUCK[0]
            console.desk.guiding.run(STUCK)
            await console.tells("not asked, the settings name no SQL server ([sql]): y copies the query")
            assert "W kill session" not in console.text
            assert "D restore database" not in console.text
