"""The drill of a security incident, played to its end: evidence and quarantine stop it, a deleted pod does not."""

from __future__ import annotations

from pathlib import Path

from tests.pilot.playing import Drill, practising
from widgets.guide import GuidePane


def where(drill: Drill) -> str:
    """The pod in which the intruder is, or was last."""
    intruder = drill.platform.platform.business.intruder
    assert intruder is not None
    return intruder.stays[-1].pod


async def the_guide_says_that_another_pod_is_named(drill: Drill) -> None:
    """Where a row is selected that no warning is about, the plan says so."""
    console = drill.console
    await console.until(
        lambda: (
            console.room.diagnosing.latest
            and any(fit.id == "security-incident" for fit in console.room.diagnosing.latest.fits)
        ),
        "the scenario that fits",
    )
    await drill.select("account-service")
    console.desk.action_guide("security-incident")
    await console.until(
        lambda: console.desk.query(GuidePane) and console.desk.query_one(GuidePane).has_focus, "the guide"
    )
    await console.press("home")
    while console.desk.query_one(GuidePane).selected is None:
        await console.press("down")
    await console.press("enter")
    await drill.planned()
    told = f"! the warnings name pod/{where(drill)}, which is not selected"
    await console.until(lambda: told in " ".join(console.text.replace("┃", " ").split()), told)
    await console.press("escape")
    await console.home()


async def test_who_keeps_the_evidence_and_cuts_the_pod_off_gets_all_the_points(tmp_path: Path) -> None:
    async with practising(tmp_path, "security-incident") as drill:
        assert await drill.declare("Security alerts", severity=1) == 1
        await drill.take("technical-lead")
        await drill.tell("Severity: 1\nStatus: INVESTIGATING")
        pod = where(drill)
        await the_guide_says_that_another_pod_is_named(drill)
        assert (await drill.keep_evidence(f"UnusualConnection Pod/{pod}", "events")).startswith("worked")
        assert (await drill.quarantine(f"UnusualConnection Pod/{pod}", "events")).startswith("worked")
        await drill.tell_customers()
        await drill.tick("external-communications", "data-protection", "law-enforcement")
        score = await drill.close("contained: the pod is cut off, the credential is revoked")
    assert (score.lost, score.missing, score.harmful) == ({}, [], {})
    assert score.points == 100
    assert score.unjudged == set()


async def test_who_deletes_the_pod_loses_the_evidence_and_has_the_pattern_back_in_another_one(tmp_path: Path) -> None:
    async with practising(tmp_path, "security-incident") as drill:
        await drill.declare("Security alerts", severity=1)
        first = where(drill)
        assert (await drill.act("K", f"UnusualConnection Pod/{first}", "events")).startswith("worked")
        await drill.console.until(lambda: where(drill) != first, "the intruder in another pod")
        await drill.console.until(
            lambda: drill.ill == ["login.banking-platform.com/health"] and not drill.recovered, "throttled again"
        )
        await drill.resolve("the pod is gone", last_update=False)
        score = await drill.score()
    assert score.harmful == {
        f"Delete pod/{first}": "the traces end with the pod, and the intruder is back in another one within two minutes"
    }
    assert score.row("evidence")["got"] == 0
    assert score.row("mitigation")["got"] == 0
    # The pattern pauses when its pod goes: who resolves just then resolves what only looks well.
    assert score.row("mitigation")["said"] in {
        f"resolved while it {was} well again" for was in ("was not", "only looked")
    }
    assert {"evidence", "contain", "customers", "regulators"} <= set(score.missing)
