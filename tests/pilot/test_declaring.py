"""Declaring through the console's keys: the probes propose, the matrix classifies, the person decides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from drill.platform import Running, running
from incident.entry import Incident, Kind
from tests.drill.small_scenario import SMALL
from tests.pilot.console_harness import NARROW, WIDE, Console, opened, options_for
from tui.screens.declare import DeclareScreen

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running(SMALL) as found:
        yield found


@asynccontextmanager
async def declaring(platform: Running, tmp_path: Path, size: tuple[int, int] = WIDE) -> AsyncIterator[Console]:
    """The bank's console with its declaration open."""
    async with opened(options_for(platform, tmp_path / "warroom.db", runbook="banking-platform"), size) as console:
        await console.until(lambda: console.room.response is not None, "the runbook")
        ill = "3 of 3 payment-service in CrashLoopBackOff"  # but for a moment after a restart
        await console.until(lambda: ill in str(console.room.commanding.seen()), ill)
        await console.press("I")
        await console.on(DeclareScreen)
        yield console


async def declared(console: Console) -> Incident:
    await console.home()
    await console.until(lambda: console.room.journal.recording, "an open incident")
    found = console.room.journal.incident
    assert found is not None
    return found


async def test_enter_leads_to_the_question_that_decides_before_it_declares(platform: Running, tmp_path: Path) -> None:
    async with declaring(platform, tmp_path) as console:
        await console.says("No severity proposed yet: customer impact? yes: severity 1, no: severity 2")
        assert "seen by probes: payment-service: 0 of 3 ready" in console.line("Service down")
        assert "seen by probes: 3 of 3 payment-service in CrashLoopBackOff" in console.line("Performance degraded")
        assert "no probe sees that: ask support" in console.line("Customer impact?")
        assert "no probe sees that: ask support" in console.line("Customer complaints")
        await console.typed("Payments fail")
        await console.press("enter", "enter")  # in haste
        await console.says("Declare unclassified  enter")
        await console.until(lambda: "y or n decides the severity" not in console.text, "no hint any more")
        assert console.room.journal.incident is None
        await console.press("enter")
        incident = await declared(console)
        entry = await console.notes("^Declared unclassified: Payments fail")
    assert incident.services == ("payment-service",)
    assert incident.facts == {"service_down": True, "degraded": True}
    assert incident.severity is None  # nobody said whether customers notice, and no probe knows
    assert "Services affected: payment-service" in entry.text


async def test_the_answers_move_the_proposal_until_the_person_decides(platform: Running, tmp_path: Path) -> None:
    async with declaring(platform, tmp_path) as console:
        await console.typed("Payments fail")
        await console.press("tab", "tab")
        await console.typed("cards are declined")
        await console.press("enter")
        await console.says("Customer impact? y or n decides the severity; enter leaves it open")
        await console.press("y")
        await console.says("Severity 1 proposed: Service Down + Customer Impact")
        await console.says("Declare SEV 1  enter")
        assert "[1 Critical]" in console.line("Severity  ")
        await console.says("Complete system outage or security breach")
        await console.says("updates every 15 minutes · resolution within 2 h")
        assert "decides the severity" not in console.text
        await console.press("n")
        await console.says("Severity 2 proposed: Service Down + No Customer Impact")
        assert "[2 High]" in console.line("Severity  ")
        await console.press("tab", "tab", "tab", "3")
        await console.says("you decided otherwise")
        await console.press("shift+tab", "y")  # complaints: the proposal may move, the decision stays
        assert "[3 Medium]" in console.line("Severity  ")
        await console.press("enter", "enter")
        incident = await declared(console)
        await console.says("SEV 3")
    assert (incident.severity, incident.impact) == (3, "cards are declined")
    assert incident.facts == {"service_down": True, "customer_impact": False, "degraded": True, "complaints": True}


async def test_what_the_store_refuses_is_said_and_nothing_typed_is_lost(platform: Running, tmp_path: Path) -> None:
    async with declaring(platform, tmp_path) as console:
        await console.typed("Payments fail")
        await console.press("tab", "end")
        await console.typed(", " + "x" * 1_100)
        await console.press("enter", "enter", "enter")
        await console.says("not declared: ")
        await console.until(lambda: "Payments fail" in console.line("What is wrong"), "what was typed")
        assert console.room.journal.incident is None
        await console.press("escape")
        await console.home()
        assert console.room.journal.incident is None


async def test_at_eighty_columns_everything_is_reached_by_keyboard(platform: Running, tmp_path: Path) -> None:
    async with declaring(platform, tmp_path, NARROW) as console:
        for part in ("What is wrong", "Customer complaints", "Severity", "Cancel  esc", "Declare unclassified  enter"):
            await console.says(part)
        await console.typed("Payments fail")
        await console.press("down", "down", "down", "down", "y")
        await console.says("Severity 1 proposed")
        await console.says("Complete system outage")
        await console.press("enter", "enter")
        incident = await declared(console)
        (entry,) = [line.entry for line in console.timeline if line.entry.kind is Kind.DECLARED]
    assert incident.severity == 1
    assert entry.text.startswith("Declared SEV 1: Payments fail")
