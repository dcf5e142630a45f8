"""Status updates through the console: written, sent after a deliberate key, recorded with outcomes, counted down."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from textual import events
from textual.widgets import Button

from drill.platform import Running, running
from incident.entry import Entry, Kind
from incident.store import Store
from incident.updates import delivery_of, missed_due_of, update_of
from tests.drill.small_scenario import SMALL
from tests.pilot.acting import looked_at
from tests.pilot.console_harness import NARROW, WIDE, Console, opened, options_for
from tests.unit.channel_servers import TOKEN, mailbox, receiver
from tui.screens.choose import ChooseScreen
from tui.screens.update import UpdateScreen
from tui.screens.update_channels import UpdateChannels

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHANNELS = """
name: Bank
severities:
  1: {name: Critical, definition: all is down, update_every: 15 min}
  2: {name: High, definition: much is down, update_every: 30 min}
  3: {name: Medium, definition: some is down, update_every: 1 h}
  4: {name: Low, definition: nothing is down, update_every: 1 d}
parties:
  customers: {name: Customers, notified: {1: yes, 2: judge, 3: no, 4: no}}
channels:
  ops: {name: "Slack: incident channel", kind: slack, env: {url: OPS_SLACK}, severities: [1, 2, 3, 4]}
  bosses:
    name: "Mail: stakeholders"
    kind: email
    severities: [1, 2, 3, 4]
    options: {host: 127.0.0.1, port: SMTP, from: ir@bank.test, to: cto@bank.test}
  nowhere: {name: "Teams: engineering", kind: teams, env: {url: OPS_TEAMS}, severities: [1, 2, 3, 4]}
  pager: {name: "PagerDuty: on call", kind: pagerduty, env: {routing_key: OPS_PAGER}, options: {server: HOOK}}
  page: {name: Status page, kind: webhook, env: {url: OPS_SLACK}, parties: [customers]}
templates:
  status-update: |
    INCIDENT UPDATE - {{ incident_id }}
    Impact: {{ impact or "under assessment" }}
    Next Update: {{ next_update }}
  customer-update: We know of a problem with {{ services | join(", ") or "our service" }}.
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running(SMALL) as found:
        yield found


@asynccontextmanager
async def composing(
    platform: Running,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hook: str,
    smtp: int,
    size: tuple[int, int] = WIDE,
) -> AsyncIterator[Console]:
    """A console of the bank's, with an open incident."""
    monkeypatch.setenv("OPS_SLACK", f"{hook}/{TOKEN}")
    runbook = tmp_path / "bank.yaml"
    runbook.write_text(CHANNELS.replace("SMTP", f'"{smtp}"').replace("HOOK", f'"{hook}"'))
    options = options_for(platform, tmp_path / "warroom.db", runbook=str(runbook))
    async with opened(options, size, live=False) as console:
        await console.until(lambda: console.room._furnished and console.room.journal.ready, "the console and its store")
        await console.until(lambda: console.room.response is not None, "the runbook")
        if console.room.journal.incident is None:
            await console.declare()
        yield console


async def composer(console: Console) -> UpdateScreen:
    """The composer with its draft in it."""
    await console.press("M")
    screen = await console.on(UpdateScreen)
    await console.until(lambda: screen.area.text, "a draft")
    await console.pilot.pause()
    return screen


async def confirm(console: Console) -> None:
    await console.press("ctrl+s")
    await looked_at(console, await console.on(UpdateScreen))
    await console.press("exclamation_mark")


async def burst(console: Console, *keys: str) -> None:
    """As a paste without brackets or a held key comes: every key at the same instant, however busy the machine is."""
    driver, at = console.app._driver, time.monotonic()
    assert driver is not None
    for key in keys:
        event = events.Key(key, {"exclamation_mark": "!", "enter": "\r"}.get(key))
        event.time = at
        driver.process_message(event)
    await console.pilot.pause()


def holding(directory: Path, secret: str) -> tuple[list[str], list[str]]:
    """The names of all files, and of those that have the secret in them."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path.name for path in files], [path.name for path in files if secret.encode() in path.read_bytes()]


async def entries(store: Path, *kinds: Kind) -> list[Entry]:
    async with await Store.open(store) as opened_store:
        (incident,) = await opened_store.incidents()
        return await opened_store.of_kinds(incident.id, kinds)


async def test_from_the_draft_to_two_channels_one_of_which_needs_a_second_try(
    platform: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = (429, "slow down", {"Retry-After": "0"})
    async with (
        receiver(busy, 200) as slack,
        mailbox() as mail,
        composing(platform, tmp_path, monkeypatch, slack.url, mail.port) as console,
    ):
        screen = await composer(console)
        incident = console.room.journal.incident
        assert incident is not None
        assert f"INCIDENT UPDATE - {incident.id}" in screen.area.text
        assert "Impact: under assessment" in screen.area.text
        await console.says("at every severity")
        await console.says("OPS_TEAMS not set")
        assert screen.query_one(UpdateChannels).ticked == ["ops", "bosses"]

        await console.typed("Cards fail. ")  # the cursor is at the start
        words = screen.area.text
        await confirm(console)
        await console.until(lambda: screen.sending is not None and screen.sending.finished, "delivered")
        await console.says("recorded and delivered")
        await console.until(lambda: "(try 2)" in console.line("✓ Slack: incident channel"), "the second try")
        await console.press("escape")
        await console.home()
        await console.says("next update in 2")  # nobody has classified it: as if it were severity 2
        update, *_ = await entries(tmp_path / "warroom.db", Kind.UPDATE)
        fared = [delivery_of(entry) for entry in await entries(tmp_path / "warroom.db", Kind.DELIVERY)]
    assert words.startswith("Cards fail. INCIDENT UPDATE")
    assert update.text == words.strip() == slack.asked[-1].body["text"]
    assert len(slack.asked) == 2
    assert len(mail.mails) == 1
    assert {(one.channel, one.ok, one.attempts) for one in fared if one} == {("ops", True, 2), ("bosses", True, 1)}
    found = update_of(update)
    assert found is not None
    assert found.channels == ("ops", "bosses")


async def test_a_channel_that_refuses_is_shown_told_and_recorded_and_its_token_is_nowhere(
    platform: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    log = logging.FileHandler(tmp_path / "warroom.log")
    log.addFilter(lambda record: record.name != "aiohttp.access")  # that is the receiver's own
    logging.getLogger().addHandler(log)
    async with (
        receiver((403, f"invalid_token {TOKEN}")) as slack,
        mailbox() as mail,
        composing(platform, tmp_path, monkeypatch, slack.url, mail.port) as console,
    ):
        await composer(console)
        await confirm(console)
        await console.says("1 of 2 NOT delivered")
        await console.says("answered 403: invalid_token «redacted»")
        await console.tells("NOT delivered to Slack: incident channel")
        await console.press("escape")
        await console.home()
        await console.press("e")
        await console.on(ChooseScreen)
        await console.press("enter")
        await console.tells("exported to")
        assert TOKEN not in console.text
    logging.getLogger().removeHandler(log)
    log.close()
    files, leaks = holding(tmp_path, TOKEN)
    assert any(name.startswith("INC-") for name in files)
    assert leaks == []


async def test_no_single_key_sends_anything(platform: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        receiver(200) as slack,
        mailbox() as mail,
        composing(platform, tmp_path, monkeypatch, slack.url, mail.port) as console,
    ):
        screen = await composer(console)
        await console.press("exclamation_mark", "exclamation_mark")
        assert screen.area.text.startswith("!!")  # it is a letter there
        await burst(console, "ctrl+s", "exclamation_mark", "exclamation_mark", "enter", "enter")
        await burst(console, "ctrl+s", "enter", "exclamation_mark")
        assert screen.sending is None
        await console.press("ctrl+s")
        await console.says("Send  !")
        await console.press("escape")
        await console.until(lambda: screen.focused is screen.area, "back in the text")
        await console.typed("?")
        await console.until(lambda: screen.query_one("#update-yes", Button).label == "Send  ctrl+s", "nothing asked")
        await console.press("escape")
        await console.home()
        assert slack.asked == []

        again = await composer(console)
        assert again.area.text.startswith("!!")  # what was written is there again
        await console.says("as you left it")
        await console.press("f5")
        await console.says("f5 again throws away")
        await console.press("f5")
        await console.until(lambda: again.area.text.startswith("INCIDENT UPDATE"), "a fresh draft")
    assert await entries(tmp_path / "warroom.db", Kind.UPDATE) == []


async def test_customers_get_words_of_their_own(
    platform: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        receiver(200) as slack,
        mailbox() as mail,
        composing(platform, tmp_path, monkeypatch, slack.url, mail.port) as console,
    ):
        screen = await composer(console)
        await console.typed("Team only. ")
        await console.press("f2")
        await console.until(lambda: screen.area.text.startswith("We know of a problem"), "the customers' words")
        await console.says("Status page")
        await console.says("not classified yet: judge")
        assert "Slack: incident channel" not in console.text
        assert screen.query_one(UpdateChannels).ticked == []
        await console.press("f2")
        await console.until(lambda: screen.area.text.startswith("Team only. "), "the team's words as they were")
        await console.press("f2")
        await console.until(lambda: screen.area.text.startswith("We know of a problem"), "the customers' words")
        await console.press("tab", "space")
        await console.until(lambda: screen.query_one(UpdateChannels).ticked == ["page"], "the page ticked")
        await confirm(console)
        await console.says("recorded and delivered")
        await console.press("escape")
        await console.home()
        left = console.room.updates.countdown(console.room.now())
        assert left is not None
        assert left.last_at is None  # the team still waits for its first one
    assert slack.asked[0].body["text"].startswith("We know of a problem")


async def test_the_people_on_call_are_paged_and_the_page_is_ended_with_the_incidents_id(
    platform: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_PAGER", "k3y-of-the-pager")
    async with (
        receiver(202) as at,
        mailbox() as mail,
        composing(platform, tmp_path, monkeypatch, at.url, mail.port) as console,
    ):
        for key, said in (("f6", "pages the people on call"), ("f8", "ends the page")):
            screen = await composer(console)
            await console.press(key)
            await console.says(f"! {said} through PagerDuty: on call")
            await looked_at(console, screen)
            await console.press("exclamation_mark")
            await console.says("recorded and delivered")
            await console.press("escape")
            await console.home()
        incident = console.room.journal.incident
        assert incident is not None
    sent = [(asked.body["event_action"], asked.body["dedup_key"], asked.body["routing_key"]) for asked in at.asked]
    assert sent == [
        ("trigger", incident.id, "k3y-of-the-pager"),
        ("resolve", incident.id, "k3y-of-the-pager"),
    ]


async def test_a_click_after_fast_typing_sends_and_a_severity_that_changes_meanwhile_ticks_anew(
    platform: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        receiver(200) as slack,
        mailbox() as mail,
        composing(platform, tmp_path, monkeypatch, slack.url, mail.port) as console,
    ):
        screen = await composer(console)
        await console.typed("fast words ")
        await console.press("ctrl+s")
        await console.says("Send  !")
        async with await Store.open(tmp_path / "warroom.db") as store:
            incident = console.room.journal.incident
            assert incident is not None
            await store.set_severity(incident.id, 3, "another console")
        await console.says("the incident has changed meanwhile")
        await console.says("SEV 3 INVESTIGATING")
        await console.says("severity 3")
        await burst(console, "a", "b")
        await console.pilot.click("#update-yes")
        await console.says("Send  !")
        await looked_at(console, screen)
        await console.pilot.click("#update-yes")
        await console.until(lambda: screen.sending is not None and screen.sending.finished, "delivered")


async def test_without_a_channel_the_words_are_recorded_and_copied(platform: Running, tmp_path: Path) -> None:
    async with opened(options_for(platform, tmp_path / "warroom.db"), live=False) as console:
        await console.until(lambda: console.room._furnished and console.room.journal.ready, "the console and its store")
        await console.until(lambda: console.room.response is not None, "the runbook")
        await console.press("M")
        await console.tells("no open incident: press I to declare one")
        await console.declare()
        screen = await composer(console)
        await console.says("The runbook names no channel")
        await confirm(console)
        await console.says("recorded word for word")
        await console.press("f3")
        await console.until(lambda: console.app.clipboard == screen.area.text, "copied")
    (update,) = await entries(tmp_path / "warroom.db", Kind.UPDATE)
    assert update.text == console.app.clipboard


async def test_a_silent_channel_blocks_nothing_and_is_recorded_when_the_console_is_left(
    platform: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        receiver(None) as slack,
        mailbox() as mail,
        composing(platform, tmp_path, monkeypatch, slack.url, mail.port) as console,
    ):
        await composer(console)
        await confirm(console)
        await slack.waiting.wait()
        await console.says("being delivered, which goes on if you leave")
        await console.press("escape")
        await console.home()
        await console.write("meanwhile")
    fared = [delivery_of(entry) for entry in await entries(tmp_path / "warroom.db", Kind.DELIVERY)]
    assert {one.channel: one.detail for one in fared if one}["ops"] == "the console was left; it may have arrived"


async def declared_before(store: Path, seconds: int) -> int:
    """An incident that was declared so long ago; returns when (ms)."""
    at = time.time_ns() // 1_000_000 - seconds * 1000
    async with await Store.open(store, clock=lambda: at) as opened_store:
        await opened_store.declare(title="Payments failing", author="ops", severity=1)
    return at


async def test_an_update_that_is_due_soon_is_loud(platform: Running, tmp_path: Path) -> None:
    await declared_before(tmp_path / "warroom.db", 200)
    async with opened(options_for(platform, tmp_path / "warroom.db"), live=False) as console:
        await console.says("! next update in 0")


async def test_an_update_that_was_due_is_overdue_then_missed_and_recorded(platform: Running, tmp_path: Path) -> None:
    store = tmp_path / "warroom.db"
    at = await declared_before(store, 345)
    async with opened(options_for(platform, store), live=False) as console:
        await console.says("! UPDATE OVERDUE 0")
        line = await console.notes("Status update missed: it was due at")
        assert line.entry.kind is Kind.MISSED
    (entry,) = await entries(store, Kind.MISSED)
    assert missed_due_of(entry) == at + 300_000


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_every_part_of_it_is_on_the_screen(
    platform: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    async with composing(platform, tmp_path, monkeypatch, "http://127.0.0.1:1", 1, size) as console:
        await composer(console)
        for part in ("Status update", "INCIDENT UPDATE", "Slack: incident", "Mail: stake", "Teams: eng", "OPS_TEAMS"):
            await console.says(part)
        for part in ("Leave  esc", "Send  ctrl+s", "ctrl+s send", "characters", "due in 0"):
            await console.says(part)
        await console.press("ctrl+s")
        await console.says("! sends it to Slack: incident channel, Mail: stakeholders")
        await console.says("Send  !")


async def test_hostile_text_from_the_cluster_is_inert_in_the_draft(
    platform: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "warroom.db"
    async with await Store.open(store) as opened_store:
        await opened_store.declare(title="[bold]x[/] \u202eevil\x1b[2J {{ 70007 * 7 }}", author="ops", severity=1)
    async with composing(platform, tmp_path, monkeypatch, "http://127.0.0.1:1", 1) as console:
        screen = await composer(console)
        console.check_inert()
        assert "490049" not in screen.area.text
