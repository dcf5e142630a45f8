"""The drill of a zone that is gone, played to its end: room elsewhere heals it, restarting and rolling back do not."""

from __future__ import annotations

from pathlib import Path

from tests.pilot.playing import practising


async def test_who_lets_the_batch_nodes_in_heals_it_and_gets_all_the_points(tmp_path: Path) -> None:
    async with practising(tmp_path, "service-outage") as drill:
        assert await drill.declare("Nothing answers", severity=1) == 1
        await drill.take("technical-lead")
        await drill.tell("Severity: 1\nStatus: INVESTIGATING")
        await drill.tell_customers()
        assert (await drill.act("C", "aks-batch-00000", "nodes")).startswith("worked")
        assert (await drill.act("C", "aks-batch-00001", "nodes")).startswith("worked")
        score = await drill.close("the services run in zones 2 and 3")
    assert (score.lost, score.missing, score.harmful) == ({}, [], {})
    assert score.points == 100
    assert score.unjudged == {"evidence"}  # the scenario asks for none


async def test_who_restarts_heals_nothing_and_is_told_why(tmp_path: Path) -> None:
    async with practising(tmp_path, "service-outage", within=3.0) as drill:
        await drill.declare("Nothing answers", severity=1)
        assert (await drill.act("R", "ledger-writer")).startswith("did not work")
        assert not drill.recovered
        await drill.resolve("it was restarted", last_update=False)
        score = await drill.score()
    assert score.harmful == {
        "Restart deployment/ledger-writer": (
            "nothing is wrong with the pods: new ones find no room either, and Recreate ends the old ones first"
        )
    }
    assert score.row("mitigation")["said"] == "resolved while it was not well again"
    assert {"harm", "mitigation", "resolution", "checklist", "path"} <= set(score.lost)
    assert "room" in score.missing
