"""``g`` on the drill: a checklist beside the panes; what its steps find is on the timeline, and plans are opened."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drill.platform import Running, running
from tests.pilot.acting import stage
from tests.pilot.console_harness import NARROW, WIDE, Console, opened, options_for
from tui.screens.choose import ChooseScreen
from tui.screens.diagnosis import DiagnosisScreen
from tui.screens.logs import LogsScreen
from tui.screens.plan import PlanScreen
from tui.screens.rows import RowsScreen
from widgets.guide import GuidePane
from widgets.guide_view import StepView

pytestmark = pytest.mark.asyncio(loop_scope="module")

BANKING = "banking-platform"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running() as found:
        yield found


def pane_of(console: Console) -> GuidePane:
    return console.desk.query_one(GuidePane)


def step_of(console: Console, step: str) -> StepView:
    return next(one for one in pane_of(console).view.steps if one.id == step)


async def guided(console: Console, which: str) -> GuidePane:
    """The guide of this id, opened and in focus."""
    await console.until(lambda: console.room.response is not None, "the runbook read")
    console.desk.action_guide(which)
    await console.until(lambda: console.desk.query(GuidePane) and pane_of(console).has_focus, f"the guide {which}")
    return pane_of(console)


async def at_step(console: Console, step: str) -> None:
    await console.press("home")
    pane = pane_of(console)
    while pane.selected is None or pane.selected.id != step:
        await console.press("down")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_a_step_is_run_ticked_and_noted_and_all_of_it_is_on_the_timeline(
    platform: Running, tmp_path: Path, size: tuple[int, int]
) -> None:
    async with opened(options_for(platform, tmp_path / "warroom.db", runbook=BANKING), size) as console:
        await console.declare()
        await console.until(lambda: console.room.diagnosing.latest and console.room.diagnosing.latest.fits, "a fit")
        await console.press("g")
        await console.on(ChooseScreen)
        await console.says("● Scenario 2  Payment Processing Failures")
        await console.press("enter")
        await console.home()
        await console.until(lambda: console.desk.query(GuidePane) and pane_of(console).has_focus, "the guide")
        await console.says("Scenario 2  Payment Processing Failures  ◀ fits  0 of 7 done")
        if size == WIDE:
            assert "Pods  " in console.text
            assert "Timeline  " in console.text
            assert "Changes  " in console.text
        await console.says("☐ Check payment service health")

        await console.press("enter")
        entry = await console.notes(r"^Done: Check payment service health\nlogs of payment-service: \d+ of \d+ lines")
        evidence = (entry.entry.evidence or {})["finding"]
        assert evidence["known"] is True
        assert 1 <= len(evidence["excerpts"]) <= 3
        await console.says("1 of 7 done")
        assert step_of(console, "payment-health").records[-1].text.startswith("logs of payment-service: ")

        await at_step(console, "payment-tables")
        await console.says("SELECT COUNT(*) FROM Payments")
        await console.press("enter")
        await console.notes(r"^Done: Check database payment tables\nBankingAccountsDb: \d+$")
        await console.on(RowsScreen)
        await console.says("1 row · localhost/BankingAccountsDb")
        await console.press("escape")
        await console.home()
        await console.press("y")
        await console.until(lambda: "SELECT COUNT(*) FROM Payments" in console.app.clipboard, "the query copied")
        await console.press("a")
        await console.typed("asked the DBA\n")
        await console.notes(r"^Noted: Check database payment tables\nasked the DBA")
        await console.until(lambda: pane_of(console).has_focus, "the guide in focus")
        await console.until(lambda: step_of(console, "payment-tables").state == "done", "the step ticked")
        await console.typed("  ")  # a double press ticks once
        await console.notes(r"^Open again: Check database payment tables$")
        await console.says("1 of 7 done")
        await console.says("↳ asked the DBA")
        await console.press("space")
        await console.notes(r"^Done: Check database payment tables$")
        await console.says("2 of 7 done")
        await console.press("space")
        await console.says("1 of 7 done")
        console.check_inert()

        await console.press("escape")
        await console.until(lambda: not console.desk.query(GuidePane), "the guide closed")
        assert console.desk.focused is console.table("pods")
        pane = await guided(console, "payment-failures")
        assert step_of(console, "payment-health").state == "done"
        assert pane.selected is not None
        assert pane.selected.id == "payment-gateway"


async def test_every_look_records_what_it_saw_or_that_it_is_not_known(platform: Running, tmp_path: Path) -> None:
    async with opened(options_for(platform, tmp_path / "warroom.db", runbook=BANKING)) as console:
        await console.declare()
        await guided(console, "service-outage")
        for step, pattern in (
            (
                "cluster-connectivity",
                r"^Done: .*\nversion: API server v1\.34\.2 answers; nodes: 4 of 4",
            ),
            (
                "critical-pods",
                r"^Done: .*\npods: 3 of 41 not Running: payment-service ×3 CrashLoopBackOff",
            ),
            ("azure-health", r"^Done: Check Azure service health\nchanges: Azure's activity log: \d+"),
            ("database-issue", r"^Done: If database issue .*\ndatabases: "),
        ):
            await at_step(console, step)
            await console.press("enter")
            await console.notes(pattern)
        await console.says("4 of 6 done")
        await console.until(lambda: step_of(console, "azure-health").state == "done", "the step ticked")

        await at_step(console, "critical-pods")
        await console.press("o")
        await console.until(lambda: console.desk.focused is console.table("pods"), "the pods in focus")
        await console.press("g")
        await console.until(lambda: pane_of(console).has_focus, "the guide in focus")

        await console.until(lambda: console.room.diagnosing.latest and console.room.diagnosing.latest.fits, "a fit")
        await guided(console, "investigation")
        await console.says("Phase 2  Investigation and Diagnosis")
        for step, pattern in (
            ("infrastructure-events", r"events: \d+ warnings in 10 min, most: BackOff ×\d+ payment-service"),
            ("recent-changes", r"changes: revision 12 of \S+ deployed .* before the first symptom; \d+ commits"),
        ):
            await at_step(console, step)
            await console.press("enter")
            await console.notes(pattern)


async def test_without_an_incident_what_was_found_is_shown_and_said_not_to_be_recorded(
    platform: Running, tmp_path: Path
) -> None:
    async with opened(options_for(platform, tmp_path / "warroom.db", runbook=BANKING)) as console:
        await guided(console, "service-outage")
        await at_step(console, "critical-pods")
        await console.press("enter")
        await console.says("not recorded: no incident is open (I declares one)")
        await console.press("space")
        await console.tells("no open incident")
        assert step_of(console, "critical-pods").state == "open"
        await console.press("a")
        await console.typed("half a thought\n")
        panel = console.desk.query_one("#guide")
        await console.until(lambda: panel.query_one("#guide-note").has_focus, "the note kept to be tried again")
        assert "half a thought" in console.text


async def test_the_diagnosis_opens_the_guide_and_o_shows_the_logs(platform: Running, tmp_path: Path) -> None:
    async with opened(options_for(platform, tmp_path / "warroom.db", runbook=BANKING)) as console:
        await console.until(lambda: console.room.diagnosing.latest and console.room.diagnosing.latest.fits, "a fit")
        await console.press("d")
        await console.on(DiagnosisScreen)
        await console.says("Pods Running?")
        await console.press("g")
        await console.home()
        await console.says("Payment Processing Failures  ◀ fits")
        await console.until(lambda: pane_of(console).has_focus, "the guide in focus")
        await console.press("o")
        await console.on(LogsScreen)
        await console.says("deployment/payment-service")
        await console.press("escape")
        await console.home()
        await console.press("tab")
        assert console.desk.focused is console.desk.log_line
        await console.press("escape", "g", "z")
        await console.until(lambda: console.desk.maximized is not None, "the guide on the whole screen")
        assert "Check payment service health" in console.text
        await console.press("z", "g")
        await console.until(lambda: not console.desk.query(GuidePane), "the guide closed")


async def test_a_mitigation_of_the_guide_starts_its_plan_on_what_is_sick_and_its_end_is_the_steps(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, runbook=BANKING) as on:
        console = on.console
        await console.until(lambda: console.room.diagnosing.latest and console.room.diagnosing.latest.fits, "a fit")
        await on.select("card-service")
        await guided(console, "payment-failures")
        await at_step(console, "restart-payments")
        assert not on.writes
        await console.press("enter")
        screen = await on.planned()
        assert screen.plan is not None
        assert screen.plan.target.name == "payment-service"  # and not the row that happens to be selected
        assert "proposed by the guide, what is sick: deployment/payment-service" in re.sub(r"\s+", " ", console.text)
        assert not on.writes
        await on.confirm(screen)
        await console.home()
        await console.until(lambda: step_of(console, "restart-payments").records, "what it came to")
        entry = await console.notes(r"^(Done|Looked): Restart payment service if application issue\n")
        assert (entry.entry.evidence or {})["finding"]["act"]


async def test_a_plan_goes_where_it_makes_sense_and_containment_before_the_evidence_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    async with stage(tmp_path, runbook=BANKING) as on:
        console = on.console
        await on.select("card-service")
        await guided(console, "mitigation")
        await at_step(console, "restart-service")
        await console.press("enter")
        screen = await on.planned()
        assert screen.plan is not None
        assert screen.plan.target.name == "card-service"
        await console.press("escape")
        await console.home()
        await guided(console, "payment-failures")
        await at_step(console, "payment-gateway")
        await console.press("enter")
        screen = await on.planned()
        assert screen.plan is not None
        assert (screen.plan.mitigation, screen.plan.target.kind) == ("connectivity", "Pod")
        assert screen.plan.target.name.startswith("card-service-")  # nothing can be run in pods that crash
        assert "no pod of payment-service runs: aimed at the selected row" in re.sub(r"\s+", " ", console.text)
        await console.press("escape")
        await console.home()
        await on.select("payment-service")
        await guided(console, "payment-failures")
        await at_step(console, "payment-gateway")
        await console.press("enter")
        screen = await on.planned()
        assert screen.plan is not None
        assert not screen.plan.blocked
        assert screen.plan.target.name.startswith("account-service-")
        assert "runs: aimed at account-service, for which the network is the same" in re.sub(r"\s+", " ", console.text)
        await console.press("escape")
        await console.home()

        await on.select("payment-service-")
        await guided(console, "security-incident")
        await console.says("! evidence first: “Preserve Evidence: capture logs immediately”")
        await at_step(console, "containment")
        await console.press("enter")
        screen = await on.planned()
        assert screen.plan is not None
        assert screen.plan.mitigation == "quarantine"
        assert "evidence first: “Preserve Evidence" in console.text
        await console.press("escape")
        await console.home()

        await on.select("aks-system-00000", "nodes")
        await guided(console, "security-incident")
        await at_step(console, "containment")
        await console.press("enter")
        await console.tells("nothing is aimed by guess")
        assert not isinstance(console.app.screen, PlanScreen)
        await on.select("payment-service-")
        await guided(console, "security-incident")
        await at_step(console, "preserve-evidence")
        await console.press("enter")
        await on.confirm(await on.planned())
        await console.home()
        await console.notes(r"^Done: Preserve Evidence: capture logs immediately\nPreserve evidence of pod/.*: worked")
        await console.until(lambda: not step_of(console, "containment").warning, "no warning once it is preserved")
        await console.until(lambda: step_of(console, "preserve-evidence").state == "done", "the step ticked")
        assert not on.writes
