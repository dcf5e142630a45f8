"""The console where the settings name an Azure: its pane, its rows everywhere, what it finds and records."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from drill import scenario
from drill.azure.part import Activity, Surge
from drill.platform import Running, running
from tests.pilot.console_harness import NARROW, Console, opened, options_for
from tests.pilot.test_console_guide import guided
from tui.azure_settings import AzureSettings
from tui.palette import commands
from tui.screens.detail import DetailScreen
from tui.screens.help import HelpScreen
from tui.session import AZURE_SOURCES, SOURCES
from widgets.detail import DetailView

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCOUNTS = "BankingAccountsDb"
RULE = Activity(
    at="-26m",
    operation="Microsoft.Sql/servers/firewallRules/write",
    text="Update SQL server firewall rule",
    resource="Microsoft.Sql/servers/banking-platform-prod-sql/firewallRules/allow-aks-egress",
    caller="jane.doe@banking-platform.com",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    """The payment drill; besides, a database has had all it may have for twelve minutes."""
    told = scenario.load("payment-release")
    assert told.azure is not None
    first, *others = told.azure.databases
    sick = replace(first, surges=(Surge(at="-12m", ramp="1m", demand=400.0),))
    azure = replace(told.azure, databases=(sick, *others), activity=(*told.azure.activity, RULE))
    async with running(replace(told, azure=azure)) as platform:
        yield platform


async def azure_live(console: Console) -> None:
    """Azure's sources have been asked, and had an answer."""
    vitals = console.desk.vitals
    await console.until(lambda: all(vitals.known(source) for source in AZURE_SOURCES), "Azure live")


async def test_a_database_at_its_limit_is_seen_in_its_pane_opened_pinned_and_on_the_timeline(
    platform: Running, tmp_path: Path
) -> None:
    async with opened(options_for(platform, tmp_path / "warroom.db", runbook="banking-platform")) as console:
        await console.declare()
        await azure_live(console)
        await console.says(f"probes {len(SOURCES + AZURE_SOURCES)} live · 0 stale")
        await console.says(f"✗ {ACCOUNTS}")
        await console.says("─ Databases  1 of 3 unhealthy")
        seen = await console.notes(f"database {ACCOUNTS} already DTU")
        assert seen.level == "bad"
        assert seen.entry.source.value == "probe"

        await console.press("7")
        assert console.desk.focused is console.table("databases")
        await console.press("enter")
        screen = await console.on(DetailScreen)
        await console.until(lambda: "all that Azure told of it" in console.text, "the whole row")
        view = screen.query_one(DetailView)
        await console.until(lambda: "# as Azure has it:" in view.copy_text(), "what Azure itself has")
        copied = view.copy_text()
        assert "dtu_consumption_percent:" in copied
        assert "earliest_restore_at: '2" in copied
        assert "requestedServiceObjectiveName: S3" in copied.partition("# as Azure has it:")[2]
        await console.press("p")
        pinned = await console.notes(f"database banking-platform-prod-sql/{ACCOUNTS}: Online, S3")
        evidence = await console.room.journal.evidence(pinned.entry.id) or {}
        assert evidence["seen"]["objective"] == "S3"
        assert evidence["object"]["type"] == "Microsoft.Sql/servers/databases"
        await console.press("escape")
        await console.home()

        # The rule is in the changes, with the time before the first symptom; the diagnosis suspects it and leads there.
        await console.until(lambda: any("firewallRules/write" in row for row in console.names("changes")), "the rule")
        await console.until(lambda: "helm · git · azure" in console.table("changes").subtitle_text, "all told")
        await console.press("d")
        await console.says(f"{ACCOUNTS} DTU 100 %")
        await console.says("banking-platform-prod-sql/allow-aks-egress")
        about = "it is about the server of BankingAccountsDb"
        await console.until(lambda: about in console.text.replace("\n", " "), about)
        await console.press("escape")
        await console.home()

        # Scenario 3 of the runbook: what its first step asks az is answered, and recorded.
        pane = await guided(console, "database-degradation")
        await console.press("enter")
        found = await console.notes(f"databases: {ACCOUNTS} Online, S3")
        assert "DTU 100 %, 90 % or more since" in found.text
        assert "last change: Update SQL server firewall rule" in found.text
        await console.until(lambda: pane.has_focus, "the guide in focus")
        console.check_inert()


async def test_at_80x24_the_databases_are_a_tab_and_their_loss_is_told(platform: Running, tmp_path: Path) -> None:
    async with opened(options_for(platform, tmp_path / "warroom.db"), NARROW) as console:
        await azure_live(console)
        await console.says("7 DB ✗1")
        await console.press("7")
        await console.says("─ Databases  1 of 3 unhealthy")
        await console.says(f"✗ {ACCOUNTS}")
        await console.press("5")
        await console.says("azure  firewallRules/write")

        # Every way to the pane is told, and a login that ended is told in it, with what to do.
        await console.press("question_mark")
        screen = await console.on(HelpScreen)
        assert ("7", "Go to databases") in [row for _, rows in screen._sections for row in rows]
        await console.press("escape")
        await console.home()
        assert "go to databases  (7)" in [command.title for command in commands(console.room)]
        arm, session = platform.platform.arm, console.room.session
        assert arm is not None
        arm.faults.logged_out = True
        try:
            assert session.view is not None
            await console.room.look_elsewhere(session.view)
            await console.press("7")
            await console.says("✗ UNAVAILABLE")
            await console.says("the login to Azure has expired")
            await console.says("write a new token into")
        finally:
            arm.faults.logged_out = False


async def test_without_azure_in_the_settings_there_is_no_such_pane_and_no_word_of_it(
    platform: Running, tmp_path: Path
) -> None:
    configured = options_for(platform, tmp_path / "warroom.db").settings
    bare = options_for(platform, tmp_path / "warroom.db", settings=replace(configured, azure=AzureSettings()))
    async with opened(bare, live=False) as console:
        await console.says("payment-service")
        await console.press("7")
        assert console.desk.focused is console.table("pods")
        assert not console.desk.query("#databases")
        assert "azure" not in console.text.casefold()
        assert "atabases" not in console.text
