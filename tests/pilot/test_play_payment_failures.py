"""The drill of a provider that fails, played to its end: the backlog worked down heals, a restart loses payments."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from drill.offsets import seconds
from drill.scenario import Scenario, load
from drill.script import External
from tests.pilot.playing import Drill, practising

HOST = "external-payment-gateway.com"


def until_told() -> Scenario:
    """The scenario whose provider is back when the test says so, however fast time runs."""
    played = load("payment-failures")
    script = tuple(
        step
        for step in played.script
        if not (isinstance(step, External) and step.host == HOST and seconds(step.at) > 0)
    )
    return replace(played, script=script)


def back(drill: Drill) -> None:
    """The provider answers again, as an organiser can have it."""
    drill.platform.platform.business.steps[External](External(at="+0s", host=HOST))


async def test_who_finds_the_gateway_and_works_the_backlog_down_gets_all_the_points(tmp_path: Path) -> None:
    async with practising(tmp_path, until_told(), speed=120.0) as drill:
        assert await drill.declare("Transfers fail", severity=1) == 1
        await drill.take("technical-lead")
        await drill.tell("Severity: 1\nStatus: INVESTIGATING")
        assert "503" in await drill.act("X", "payment-service")
        await drill.tell_customers()
        assert (await drill.act("S", "payment-queue-processor", "services", replicas="5")).startswith("worked")
        assert not drill.recovered
        back(drill)
        score = await drill.close("the provider is back, the backlog is worked down")
    assert (score.lost, score.missing, score.harmful) == ({}, [], {})
    assert score.points == 100


async def test_who_restarts_the_service_heals_nothing_and_is_told_what_was_lost(tmp_path: Path) -> None:
    async with practising(tmp_path, until_told()) as drill:
        await drill.declare("Transfers fail", severity=2)
        assert (await drill.act("R", "payment-service")).startswith("worked"), "the pods are ready again"
        queue = drill.platform.platform.business.queue
        assert queue is not None
        await drill.console.until(lambda: queue.now.lost == 120, "payments lost")
        await drill.console.until(lambda: drill.ill == ["api.banking-platform.com/health"], "only the provider missing")
        assert not drill.recovered
        told = await drill.act("T", "payment-service", match="all")
        assert "payment-service answers 503 to every request in the mesh" in told
        await drill.console.until(lambda: not queue.now.open, "nothing more queues up")
        await drill.resolve("it was restarted", last_update=False)
        score = await drill.score()
    assert list(score.harmful.values()) == [
        "the process is well: a restart changes nothing, and what its pods were trying to settle is lost with them"
    ]
    assert score.row("mitigation")["said"] == "resolved while it was not well again"
    assert {"severity", "harm", "mitigation", "path"} <= set(score.lost)
    assert {"check", "customers", "process"} <= set(score.missing)
