"""The incident's card through its keys: each change is an entry, probes tick what they see, a relapse is loud."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from drill import kinds
from drill.fates import ANNOTATION
from drill.platform import Running, running
from incident.entry import Incident, Kind, Line, Status
from incident.store import Store
from tests.drill.small_scenario import SMALL
from tests.pilot.console_harness import NARROW, WIDE, Console, opened, options_for
from tests.unit.channel_servers import TOKEN, receiver
from tui.screens.ask import AskScreen, SeverityScreen
from tui.screens.choose import ChooseScreen
from tui.screens.incident import IncidentScreen
from tui.screens.resolve import ResolveScreen
from tui.screens.update import UpdateScreen

pytestmark = pytest.mark.asyncio(loop_scope="module")

NODE = "aks-system-00002"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running(SMALL) as found:
        yield found


@asynccontextmanager
async def carded(platform: Running, tmp_path: Path, size: tuple[int, int] = WIDE) -> AsyncIterator[Console]:
    """The bank's console with an open incident."""
    async with opened(options_for(platform, tmp_path / "warroom.db", runbook="banking-platform"), size) as console:
        await console.until(lambda: console.room.response is not None, "the runbook")
        if console.room.journal.incident is None:
            await console.declare()
        yield console


async def card(console: Console) -> IncidentScreen:
    """The card, with its checklists in it."""
    await console.press("v")
    screen = await console.on(IncidentScreen)
    await console.until(lambda: console.room.commanding.checklists.ready, "the checklists")
    await console.pilot.pause()
    return screen


async def at(console: Console, screen: IncidentScreen, row: str) -> None:
    """The card's cursor on this row, by its arrow keys."""
    await console.until(lambda: console.app.screen is screen, "the card in front")
    await console.press("home")
    for _ in range(40):
        if screen.card.chosen == row:
            return
        await console.press("down")
    raise AssertionError(f"{row} is not on the card: {screen.card.chosen}")


def shown(console: Console) -> Incident:
    found = console.room.journal.incident
    assert found is not None
    return found


def checks(console: Console) -> list[Line]:
    return [line for line in console.timeline if line.entry.kind is Kind.CHECK]


def fate(platform: Running, word: str) -> None:
    """What becomes of a node of the platform."""
    store, kind = platform.platform.store, kinds.kind("nodes")
    node = store.get(kind, None, NODE)
    assert node is not None
    meta = node["metadata"]
    annotations = {**(meta.get("annotations") or {}), ANNOTATION: word}
    store.update(kind, {**node, "metadata": {**meta, "annotations": annotations}})


async def test_roles_severity_facts_and_times_are_changed_from_the_keyboard(platform: Running, tmp_path: Path) -> None:
    async with carded(platform, tmp_path) as console:
        me = console.room.journal.author
        await console.says("no IC")
        screen = await card(console)
        usually = "usually Operations Manager, else Platform Engineering Lead"
        await console.until(lambda: usually in console.line("Incident Commander"), usually)

        await at(console, screen, "role:ic")
        await console.press("t")
        await console.notes(rf"^Incident Commander: {re.escape(me)}$")
        await console.until(lambda: me in console.line("Incident Commander"), "held by me")
        await console.press("enter")
        await console.on(AskScreen)
        await console.typed("Grace [bold]Hopper")
        await console.press("enter")
        await console.notes(rf"^Incident Commander: {re.escape(me)} → Grace \[bold\]Hopper$")
        await console.until(lambda: console.app.screen is screen, "the card")
        await console.until(lambda: "Grace [bold]Hopper  since " in console.line("Incident Commander"), "since when")
        await at(console, screen, "role:technical-lead")
        await console.press("enter")
        await console.on(AskScreen)
        await console.press("enter")
        await console.says("Nobody is technical lead")  # and the dialog stays
        await console.press("escape")

        await at(console, screen, "fact:service_down")
        await console.press("y", "down", "n")
        await console.says("matrix: Service Down + No Customer Impact = Severity 2")
        await at(console, screen, "severity")
        await console.press("enter")
        await console.on(SeverityScreen)
        await console.press("2")
        await console.says("Significant performance degradation or partial service outage")
        await console.press("enter")
        await console.typed("cards only")
        await console.press("enter")
        changed = await console.notes(r"^Severity: unclassified → SEV 2")
        await console.until(lambda: console.app.screen is screen, "the card")
        await console.until(lambda: "SEV 2 High" in console.line("Severity  "), "its word")
        assert "Service Down + No Customer Impact = Severity 2" in console.line("Severity  ")

        await console.until(lambda: "ill now: payment-service" in console.line("Services  "), "what is ill")
        seen = "seen by probes: yes, 3 of 3 payment-service in CrashLoopBackOff"
        await console.until(lambda: seen in console.line("Performance degraded?"), seen)
        await at(console, screen, "services")
        await console.press("enter")
        await console.on(AskScreen)
        await console.press("end")
        await console.typed(", card-service")  # what is ill stands there already
        await console.press("enter")
        await console.notes("^Services affected: payment-service, card-service$")

        await at(console, screen, "time:mitigated")
        await console.press("enter")
        await console.on(AskScreen)
        await console.typed("2020-01-01 00:00")
        await console.press("enter")
        await console.says("which is when it was declared: say first when it was detected")
        await console.press("escape")
        await at(console, screen, "time:detected")
        await console.press("enter")
        await console.on(AskScreen)
        await console.typed("2019-12-31 00:00")
        await console.press("enter")
        await console.notes("^Detected: 2019-12-31")
        await at(console, screen, "time:mitigated")
        await console.press("enter")
        await console.on(AskScreen)
        await console.typed("2020-01-01 00:00")
        await console.press("enter")
        await console.notes("^Mitigated: 2020-01-01")
        await at(console, screen, "time:detected")
        await console.press("enter")
        await console.on(AskScreen)
        await console.typed("2020-01-02 00:00")
        await console.press("enter")
        await console.says("itigated at 2020-01-01 00:00:00 UTC would be before")
        await console.press("escape")
        incident = shown(console)
        await console.press("escape")
        await console.home()
        await console.says("SEV 2 HIGH")
        await console.says("IC Grace [bold]Hopper")
    assert changed.text == "Severity: unclassified → SEV 2\ncards only"
    assert incident.roles == {"ic": "Grace [bold]Hopper"}
    assert incident.facts == {"service_down": True, "customer_impact": False}
    assert incident.services == ("payment-service", "card-service")
    assert set(incident.times) == {"detected", "mitigated"}


async def test_at_eighty_columns_probes_tick_what_they_see_and_people_the_rest(
    platform: Running, tmp_path: Path
) -> None:
    async with carded(platform, tmp_path, NARROW) as console:
        screen = await card(console)
        await console.says("Severity")
        assert "Resolution Verification" not in console.text  # one side at a time
        await console.press("tab")
        await console.says("Resolution Verification Checklist")
        # What has lasted a moment is ticked by its probe, once; what does not hold stays open and says why.
        await console.notes("^Done: All services responding to health checks\n2 of 2 endpoints answer as expected")
        await console.says("[✓] All services responding to health checks")
        await console.says("✗ 3 of 16 pods not ready")

        await console.press("home")
        for _ in range(20):
            if screen.checks.chosen == "resolution/transaction-flow":
                break
            await console.press("down")
        await console.press("enter")
        await console.on(AskScreen)
        await console.typed("20 payments sampled")
        await console.press("enter")
        await console.until(lambda: console.app.screen is screen, "the card")
        await console.press("space")  # what was noted stays with it
        await console.notes("^Done: End-to-end transaction flow working\n20 payments sampled$")
        await console.until(lambda: "[✓]" in console.line("End-to-end"), "ticked")
        await console.press("space")
        await console.notes("^Open again: End-to-end transaction flow working\n20 payments sampled$")
        await console.until(lambda: "[ ]" in console.line("End-to-end"), "open again")
        await console.press("down", "x")
        await console.on(AskScreen)
        await console.typed("reads only")
        await console.press("enter")
        await console.notes("^Not needed: No data corruption detected\nreads only$")
        await console.until(lambda: "[–] No data corruption" in console.text, "not needed")
        ticked = [line.entry for line in checks(console)]
        await console.press("escape")
        await console.home()
    by_probe = [entry.text.split("\n")[0] for entry in ticked if entry.source.value == "probe"]
    assert "Done: All services responding to health checks" in by_probe
    assert len(by_probe) == len(set(by_probe))
    assert all("pods ready" not in text for text in by_probe)


async def test_what_is_written_into_an_incident_is_shown_as_text(platform: Running, tmp_path: Path) -> None:
    nasty = "[/bar] [red]x\x1b[31m\u202eevil\u200b"
    async with carded(platform, tmp_path) as console:
        journal = console.room.journal
        await journal.set_title(nasty)
        await journal.set_role("ic", nasty, name="Incident Commander")
        await journal.set_role(nasty, nasty)
        await journal.set_facts(services=[nasty, nasty * 9], impact=nasty * 9)
        screen = await card(console)
        await console.says("[/bar] [red]x")
        console.check_inert()
        for row in ("title", "impact", "role:ic", "severity"):
            await at(console, screen, row)
            await console.press("enter")
            await console.until(lambda: isinstance(console.app.screen, AskScreen), "asked")
            await console.pilot.pause()
            console.check_inert()
            await console.press("escape")


async def test_resolved_with_open_items_watched_relapsed_and_reopened(platform: Running, tmp_path: Path) -> None:
    async with carded(platform, tmp_path) as console:
        screen = await card(console)
        await at(console, screen, "status")
        await console.press("enter")
        await console.on(ChooseScreen)
        await console.typed("RESOLVED")
        await console.press("enter")
        await console.on(ResolveScreen)
        await console.says("items are open: ")
        await console.says("Resolve anyway?")
        await console.press("enter")  # the focus is on going back
        await console.until(lambda: console.app.screen is screen, "the card")
        assert shown(console).open

        await console.press("enter")
        await console.on(ChooseScreen)
        await console.press("down", "enter")
        await console.on(ResolveScreen)
        await console.typed("rolled back to 1.4.0")  # words are the reason, whatever has the focus
        await console.press("enter", "enter")
        resolved = await console.notes("^Status: RESOLVED")
        await console.on(ChooseScreen)
        await console.says("Write the last status update")
        await console.press("enter")
        await console.on(UpdateScreen)
        await console.press("escape")
        await console.until(lambda: console.app.screen is screen, "the card")
        await console.says("watched for another 01:5")
        await console.press("escape")
        await console.home()
        await console.says("No incident open")
        assert "RELAPSE" not in console.text

        fate(platform, "not-ready")
        try:
            await console.says("✗ RELAPSE: ")
            await console.notes(rf"^RELAPSE .* after resolution: {NODE} NotReady")
            await console.says("v reopens")
        except AssertionError:
            fate(platform, "")
            raise
    lines = resolved.text.split("\n")
    assert lines[:2] == ["Status: RESOLVED", "rolled back to 1.4.0"]
    assert re.match(r"\d items were open on the resolution checklist: .*All pods ready", lines[2])

    # Another console within the window knows of it, and reopens.
    async with carded(platform, tmp_path) as console:
        await console.says("✗ RELAPSE: ")
        screen = await card(console)
        await at(console, screen, "relapse")
        await console.until(lambda: "NotReady" in console.line("✗ RELAPSE"), "what fell ill again")
        await console.press("enter")
        await console.on(AskScreen)
        await console.typed(" for good")
        await console.press("enter")
        await console.notes("^Reopened: .*for good$")
        assert shown(console).status is Status.INVESTIGATING
        await console.until(lambda: "✗ RELAPSE" not in console.text, "no relapse any more: it is open")
    fate(platform, "")
    async with await Store.open(tmp_path / "warroom.db") as store:
        (incident,) = await store.incidents()
        assert (await store.verify(incident.id)).ok


PAGER = """
name: Bank
severities:
  1: {name: Critical, definition: all is down}
  2: {name: High, definition: much is down}
  3: {name: Medium, definition: some is down}
  4: {name: Low, definition: nothing is down}
channels:
  pager: {name: On call, kind: pagerduty, env: {routing_key: OPS_PAGER}, options: {server: HOOK}, severities: [1, 2]}
"""


async def test_once_it_is_resolved_the_page_can_be_ended(
    platform: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_PAGER", TOKEN)
    answer = (202, {"status": "success", "dedup_key": "x"})
    async with receiver(answer, answer) as pager:
        runbook = tmp_path / "bank.yaml"
        runbook.write_text(PAGER.replace("HOOK", f'"{pager.url}"'))
        async with opened(options_for(platform, tmp_path / "warroom.db", runbook=str(runbook))) as console:
            await console.until(lambda: console.room.response is not None, "the runbook")
            await console.declare()
            await console.room.updates.page("trigger")
            await console.until(lambda: console.room.updates.told.paged, "they were paged")
            screen = await card(console)
            await at(console, screen, "status")
            await console.press("enter")
            await console.on(ChooseScreen)
            await console.typed("RESOLVED")
            await console.press("enter")
            await console.on(ResolveScreen)
            await console.says("Nothing is open")  # this runbook has no checklists
            await console.press("enter")
            await console.on(ChooseScreen)
            await console.says("End the page only")
            await console.press("down", "enter")
            await console.until(lambda: len(pager.asked) == 2, "the page ended")
    assert [one.body["event_action"] for one in pager.asked] == ["trigger", "resolve"]
    assert len({one.body["dedup_key"] for one in pager.asked}) == 1
