"""The drill of a stuck rollout, played to its end: rolled back it heals, restarted it does not, undone it half does."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from drill import helm
from drill.scenario import Scenario, load
from drill.script import Traffic
from drill.world import SECRET
from runbook.plan import Level
from tests.pilot.playing import Drill, practising

PROD = "banking-platform-prod"


def before_the_peak() -> Scenario:
    """The scenario whose peak does not come, however slow the machine is that plays it."""
    played = load("stuck-rollout")
    return replace(played, script=tuple(step for step in played.script if not isinstance(step, Traffic)))


def newest_revision(drill: Drill) -> tuple[str, int]:
    """Helm's word for the newest revision, and its number."""
    labels = [
        one["metadata"]["labels"]
        for one in drill.platform.platform.store.list(SECRET, PROD)
        if one.get("type") == helm.SECRET_TYPE
    ]
    newest = max(labels, key=lambda one: int(one["version"]))
    return newest["status"], int(newest["version"])


async def test_who_rolls_the_pending_release_back_heals_it_and_gets_all_the_points(tmp_path: Path) -> None:
    async with practising(tmp_path, before_the_peak()) as drill:
        assert newest_revision(drill) == ("pending-upgrade", 6)
        assert await drill.declare("Accounts slow", severity=2) == 2
        await drill.take("technical-lead")
        await drill.tell("Severity: 2\nStatus: INVESTIGATING")
        await drill.select("account-service")
        screen = await drill.plan("B")
        assert screen.plan is not None
        assert screen.plan.title.endswith("from revision 6 (pending-upgrade) to revision 5")
        release = next(one for one in screen.plan.findings if one.name == "release")
        assert release.level is Level.AMBER
        assert "revision 6 is pending-upgrade since" in release.text
        assert "helm refuses every upgrade" in release.text
        assert "no pipeline's helm" in release.advice
        title = await drill.carry_out(screen)
        assert ((await drill.ended(title)).outcome or "").startswith("worked")
        assert newest_revision(drill) == ("deployed", 7)
        score = await drill.close("rolled back to 1.4.0")
    assert (score.lost, score.missing, score.harmful) == ({}, [], {})
    assert score.points == 100


async def test_who_restarts_it_heals_nothing_and_who_undoes_the_rollout_leaves_a_release_that_nobody_can_upgrade(
    tmp_path: Path,
) -> None:
    async with practising(tmp_path, before_the_peak(), within=4.0) as drill:
        await drill.declare("Accounts slow", severity=2)
        assert (await drill.act("R", "account-service")).startswith("did not work")
        assert (await drill.act("O", "account-service")).startswith("did not work")  # it undoes the restart
        await drill.console.until(
            lambda: sum(name.startswith("account-service") for name in drill.ill) == 2, "two pods that have no image"
        )
        assert not drill.recovered

        assert (await drill.act("O", "account-service", revision="4")).startswith("worked")
        await drill.well()
        assert newest_revision(drill) == ("pending-upgrade", 6)
        await drill.resolve("undone", last_update=False)
        score = await drill.score()
    assert score.harmful == {
        "Restart deployment/account-service": "the image is not there: new pods cannot be pulled either, and the "
        "rollout that O would undo is this one"
    }
    assert {"harm", "checklist", "path"} <= set(score.lost)
    assert score.done("heal")
    assert not score.done("free")
