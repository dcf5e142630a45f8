"""The drill of a connection string that leads nowhere, played to its end: a roll back heals it, a restart does not."""

from __future__ import annotations

from pathlib import Path

from tests.pilot.playing import practising

HOST = "banking-platform-prod-sql.privatelink.database.windows.net"


async def test_who_rolls_the_connection_strings_back_heals_it_and_gets_all_the_points(tmp_path: Path) -> None:
    async with practising(tmp_path, "service-outage-database") as drill:
        assert await drill.declare("Nothing answers", severity=1) == 1
        await drill.take("technical-lead")
        await drill.tell("Severity: 1\nStatus: INVESTIGATING")
        await drill.tell_customers()
        dialled = await drill.act("X", "account-service", url=f"https://{HOST}:1433")
        assert f"Could not resolve host: {HOST}" in dialled
        screen = await drill.plan("B")
        assert screen.plan is not None
        assert any(HOST in line for hunk in screen.plan.diff.hunks for line in hunk.lines), "the plan shows the string"
        title = await drill.carry_out(screen)
        assert ((await drill.ended(title)).outcome or "").startswith("worked")
        score = await drill.close("rolled back to 1.5.0")
    assert (score.lost, score.missing, score.harmful) == ({}, [], {})
    assert score.points == 100
    assert score.unjudged == {"evidence"}  # the scenario asks for none


async def test_who_restarts_heals_nothing_and_is_told_why(tmp_path: Path) -> None:
    async with practising(tmp_path, "service-outage-database", within=3.0) as drill:
        await drill.declare("Nothing answers", severity=1)
        assert (await drill.act("R", "account-service")).startswith("did not work")
        assert not drill.recovered
        await drill.resolve("it was restarted", last_update=False)
        score = await drill.score()
    assert score.harmful == {
        "Restart deployment/account-service": "the new pods read the same connection string as the old ones"
    }
    assert score.row("mitigation")["said"] == "resolved while it was not well again"
    assert {"harm", "mitigation", "resolution", "checklist", "path"} <= set(score.lost)
    assert {"dial", "roll-back"} <= set(score.missing)
