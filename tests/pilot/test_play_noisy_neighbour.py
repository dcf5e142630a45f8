"""The drill of a noisy neighbour, played to its end: without the neighbour it heals, with more pods it does not."""

from __future__ import annotations

from pathlib import Path

from tests.pilot.playing import practising


async def test_who_finds_the_neighbour_and_scales_it_down_heals_it_and_gets_all_the_points(tmp_path: Path) -> None:
    async with practising(tmp_path, "noisy-neighbour") as drill:
        assert await drill.declare("Fraud scoring fails", severity=2) == 2
        await drill.take("technical-lead")
        await drill.tell("Severity: 2\nStatus: INVESTIGATING")
        assert (await drill.act("S", "report-builder", replicas="1")).startswith("worked")
        score = await drill.close("report-builder is back at one pod")
        evicted = [pod for pod in drill.console.room.feeds.latest["pods"].rows.values() if pod.status == "Evicted"]
    assert (score.lost, score.missing, score.harmful) == ({}, [], {})
    assert score.points == 100
    assert score.unjudged == {"evidence"}  # the scenario asks for none
    assert evicted, "what was evicted stays as a record"


async def test_who_scales_the_victim_up_and_cordons_a_node_heals_nothing_and_is_told_why(tmp_path: Path) -> None:
    async with practising(tmp_path, "noisy-neighbour", within=3.0) as drill:
        await drill.declare("Fraud scoring fails", severity=2)
        assert (await drill.act("S", "fraud-scoring", replicas="5")).startswith("did not work")
        await drill.act("C", "aks-system-00000", "nodes")
        assert not drill.recovered
        await drill.resolve("it was scaled up", last_update=False)
        score = await drill.score()
    assert [*score.harmful.values()] == [
        "more pods want more memory on nodes that have none: others have to go for them",
        "what cannot run there runs on the other nodes, and these go the same way",
    ]
    assert score.row("harm")["got"] == 0
    assert score.row("mitigation")["said"] == "resolved while it was not well again"
    assert "neighbour" in score.missing
