"""The drill of a bad release, played to its end: rolled back it heals and earns all points, restarted it does not."""

from __future__ import annotations

from pathlib import Path

from tests.pilot.playing import practising


async def test_who_rolls_the_release_back_heals_it_and_gets_all_the_points(tmp_path: Path) -> None:
    async with practising(tmp_path, "payment-release") as drill:
        assert await drill.declare("Payments fail", severity=2) == 2
        await drill.take("technical-lead")
        await drill.tell("Severity: 2\nStatus: INVESTIGATING")
        assert (await drill.act("B", "payment-service")).startswith("worked")
        score = await drill.close("rolled back to 1.4.0")
    assert (score.lost, score.missing, score.harmful) == ({}, [], {})
    assert score.points == 100
    assert score.unjudged == {"evidence"}  # the scenario asks for none


async def test_who_restarts_it_heals_nothing_and_is_told_why(tmp_path: Path) -> None:
    async with practising(tmp_path, "payment-release", within=4.0) as drill:
        await drill.declare("Payments fail", severity=2)
        assert (await drill.act("R", "payment-service")).startswith("did not work")
        await drill.console.until(lambda: any(name.startswith("payment-service") for name in drill.ill), "crashes")
        assert not drill.recovered
        await drill.resolve("it was restarted", last_update=False)
        score = await drill.score()
    assert score.harmful == {
        "Restart deployment/payment-service": "the new version cannot start: each restart only brings another crash"
    }
    assert "each restart only brings another crash" in drill.scoreboard
    assert score.row("mitigation")["said"] == "resolved while it was not well again"
    assert {"harm", "mitigation", "resolution", "checklist", "path"} <= set(score.lost)
    assert "roll-back" in score.missing
