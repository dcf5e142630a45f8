"""``d`` on the drill: what is wrong, since when, what changed just before, and the way from there to the row."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drill.platform import Running, running
from tests.pilot.console_harness import NARROW, WIDE, Console, opened, options_for
from tui.screens.diagnosis import DiagnosisScreen
from tui.screens.logs import LogsScreen
from widgets.pod_groups import WorkloadGroup

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running() as found:
        yield found


async def diagnosed(console: Console) -> DiagnosisScreen:
    await console.press("d")
    screen = await console.on(DiagnosisScreen)
    await console.says("Pods Running?")
    return screen


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_d_names_what_is_ill_the_scenario_and_the_first_suspect_and_enter_goes_to_the_row(
    platform: Running, tmp_path: Path, size: tuple[int, int]
) -> None:
    options = options_for(platform, tmp_path / "warroom.db", runbook="banking-platform")
    async with opened(options, size) as console:
        await console.says("rev 12" if size == NARROW else "suspect revision 12,")
        screen = await diagnosed(console)

        assert "▶ Pods Running?  ✗ No" in console.text
        said = re.sub(r"[│┃▌▐]|\s+", " ", console.text)
        assert re.search(r"3 of 3 payment-service in CrashLoopBackOff", said)
        found = console.room.diagnosing.latest
        assert found is not None
        assert found.suspects[0].short == "revision 12"
        assert 0 <= found.suspects[0].before < 60
        evidence = next(one.evidence for one in found.findings if one.asks == "pods-running")
        assert re.search(
            r"^3 of 3 payment-service in CrashLoopBackOff since \d\d:\d\d:\d\d, \d+ s after revision 12", evidence
        )
        if size == WIDE:
            assert "▶ 2  Payment Processing Failures" in console.text
            assert re.search(r"▶ 1 +\d+ s before  revision 12 of banking-platform-prod", console.text)
        console.check_inert()

        assert screen.chart.selected is not None
        await console.press("enter")
        await console.home()
        await console.until(lambda: console.desk.focused is console.table("pods"), "the pods in focus")
        row = console.table("pods").selected_row
        assert isinstance(row, WorkloadGroup)
        assert row.name == "payment-service"


async def test_a_suspect_is_shown_in_the_changes_even_behind_a_filter(platform: Running, tmp_path: Path) -> None:
    options = options_for(platform, tmp_path / "warroom.db", runbook="banking-platform")
    async with opened(options) as console:
        await console.press("5", "slash", *"gateway", "enter")
        screen = await diagnosed(console)
        await console.press("tab", "home", "down", "enter")
        await console.home()
        assert screen.is_attached is False
        changes = console.table("changes")
        await console.until(lambda: console.desk.focused is changes, "the changes in focus")
        await console.until(lambda: changes.selected_key and changes.selected_key.startswith("helm:"), "the revision")
        assert str(changes.selected_key).endswith("/12")


async def test_d_and_esc_lead_back_and_g_says_what_there_is(platform: Running, tmp_path: Path) -> None:
    options = options_for(platform, tmp_path / "warroom.db", runbook="banking-platform")
    async with opened(options) as console:
        for key in ("d", "escape", "q"):
            await diagnosed(console)
            await console.press(key)
            await console.home()


async def test_log_lines_that_were_read_are_evidence_and_name_the_database(platform: Running, tmp_path: Path) -> None:
    options = options_for(platform, tmp_path / "warroom.db", runbook="banking-platform")
    async with opened(options) as console:
        await console.press("1", "home", "l")
        await console.on(LogsScreen)
        await console.says("BankingAccountsDb")
        await console.press("escape")
        await console.home()
        await diagnosed(console)
        await console.says("read of payment-service are errors")
        await console.says("Database Performance Degradation")


async def test_the_changes_pane_and_the_banner_suspect_the_same(platform: Running, tmp_path: Path) -> None:
    async with opened(options_for(platform, tmp_path / "warroom.db")) as console:
        await console.says("suspect revision 12,")
        suspect = console.table("changes").suspect  # type: ignore[attr-defined]
        assert suspect.revision == 12
