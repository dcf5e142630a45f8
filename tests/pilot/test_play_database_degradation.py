"""The drill of a database at its limit, played to its end: by its cause, and by what only costs time."""

from __future__ import annotations

from pathlib import Path

from tests.pilot.playing import SOON, practising

ACCOUNTS = "BankingAccountsDb"
WHY = "the pods wait for the database: new ones wait as well, and all reconnect at once"


async def test_who_ends_the_session_that_blocks_heals_it_and_gets_all_the_points(tmp_path: Path) -> None:
    async with practising(tmp_path, "database-degradation") as drill:
        assert await drill.declare("Accounts and transfers are slow", severity=2) == 2
        await drill.take("technical-lead")
        await drill.tell("Severity: 2\nStatus: INVESTIGATING")
        assert (await drill.act("W", ACCOUNTS, "databases")).startswith("worked")
        drill.minute_ends()
        score = await drill.close("migration 0041 held locks; its session was ended")
        await drill.console.notes(f"^database {ACCOUNTS} .*(Online and near no limit any more|well again)", SOON)
    assert (score.lost, score.missing, score.harmful) == ({}, [], {})
    assert score.points == 100


async def test_who_restarts_what_waits_for_the_database_heals_nothing_and_is_told_why(tmp_path: Path) -> None:
    async with practising(tmp_path, "database-degradation", within=4.0) as drill:
        await drill.declare("Accounts and transfers are slow", severity=2)
        assert (await drill.act("R", "account-service")).startswith("did not work")
        await drill.console.until(lambda: any(name.startswith("account-service") for name in drill.ill), "it waits")
        assert not drill.recovered
        await drill.resolve("it was restarted", last_update=False)
        score = await drill.score()
    assert score.harmful == {"Restart deployment/account-service": WHY}
    assert WHY in drill.scoreboard
    assert {"harm", "mitigation", "resolution", "path"} <= set(score.lost)
    assert {"relieve", "unblock"} <= set(score.missing)
