"""``d`` on the drill: what is wrong, since when, what changed just before, and the way from there to the row."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from drill.platform import Running, running
from tests.pilot.console_harness import NARROW, WIDE, Console, opened, options_for
from tui.screens.choose import ChooseScreen
from tui.screens.diagnosis import DiagnosisScreen
from tui.screens.logs import LogsScreen
from widgets.diagnosis import DiagnosisPane
from widgets.pod_groups import WorkloadGroup

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened_once(platform: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    store = tmp_path_factory.mktemp("store") / "warroom.db"
    async with opened(options_for(platform, store, runbook="banking-platform")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def console(opened_once: Console) -> AsyncIterator[Console]:
    """A console that is only looked at."""
    yield opened_once
    await opened_once.pilot.resize_terminal(*WIDE)
    await opened_once.at_rest()


async def diagnosed(console: Console) -> DiagnosisScreen:
    await console.press("d")
    screen = await console.on(DiagnosisScreen)
    await console.says("Pods Running?")
    return screen


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_d_names_what_is_ill_the_scenario_and_the_first_suspect_and_enter_goes_to_the_row(
    console: Console, size: tuple[int, int]
) -> None:
    await console.pilot.resize_terminal(*size)
    await console.says("rev 12" if size == NARROW else "suspect revision 12,")
    screen = await diagnosed(console)

    await console.says("▶ Pods Running?  ✗ No")
    ill = "3 of 3 payment-service in CrashLoopBackOff"  # but for a moment after a restart
    await console.until(lambda: ill in re.sub(r"[│┃▌▐]|\s+", " ", console.text), ill)
    found = console.room.diagnosing.latest
    assert found is not None
    assert found.suspects[0].short == "revision 12"
    assert 0 <= found.suspects[0].before < 60

    def evidence() -> str:
        assert console.room.diagnosing.latest is not None
        return next(one.evidence for one in console.room.diagnosing.latest.findings if one.asks == "pods-running")

    # Of another day, since midnight: its name and the minute.
    since = r"since (\d\d:\d\d:\d\d|[A-Z][a-z]{2} \d\d:\d\d), \d+ s after revision 12"
    await console.until(lambda: re.search(f"^{ill} {since}", evidence()), "since when, and after what")
    if size == WIDE:
        await console.says("▶ 2  Payment Processing Failures")
        assert re.search(r"▶ 1 +\d+ s before  revision 12 of banking-platform-prod", console.text)
    console.check_inert()

    assert screen.chart.selected is not None
    await console.press("enter")
    await console.home()
    await console.until(lambda: console.desk.focused is console.table("pods"), "the pods in focus")
    await console.until(lambda: isinstance(console.table("pods").selected_row, WorkloadGroup), "a workload")
    row = console.table("pods").selected_row
    assert isinstance(row, WorkloadGroup)
    assert row.name == "payment-service"


async def test_a_suspect_is_shown_in_the_changes_even_behind_a_filter(console: Console) -> None:
    await console.until(lambda: console.room.diagnosing.suspect is not None, "a suspect")
    await console.press("5", "slash", *"gateway", "enter")
    await diagnosed(console)
    await console.says("▶ 1 ")
    await console.press("tab", "home", "down", "enter")
    await console.home()
    changes = console.table("changes")
    await console.until(lambda: console.desk.focused is changes, "the changes in focus")
    await console.until(lambda: str(changes.selected_key).startswith("helm:"), "the revision")
    assert str(changes.selected_key).endswith("/12")


async def test_d_is_left_by_every_key_that_leads_back(console: Console) -> None:
    for key in ("d", "escape", "q"):
        await diagnosed(console)
        await console.press(key)
        await console.home()


async def test_g_lists_the_guides_where_no_scenario_fits(console: Console) -> None:
    screen = await diagnosed(console)
    screen.chart.post_message(DiagnosisPane.Guide(screen.chart, ""))  # as the pane does then
    await console.on(ChooseScreen)
    await console.says("Phase 3")
    await console.press("escape")
    await console.home()


async def test_log_lines_that_were_read_are_evidence_and_name_the_database(console: Console) -> None:
    await console.press("1", "home", "l")
    await console.on(LogsScreen)
    await console.says("BankingAccountsDb")
    await console.press("escape")
    await console.home()
    await diagnosed(console)
    await console.says("read of payment-service are errors")
    await console.says("Database Performance Degradation")


async def test_the_changes_pane_and_the_banner_suspect_the_same(console: Console) -> None:
    await console.says("suspect revision 12,")
    suspect = console.table("changes").suspect  # type: ignore[attr-defined]
    assert suspect.revision == 12
