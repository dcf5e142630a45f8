"""Status updates of a console: drafted, sent, recorded word for word with every outcome, missed, and never lost."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from incident.channels.deliver import Patience
from incident.entry import Kind, Status
from incident.updates import delivery_of, missed_due_of, update_draft, update_of
from runbook.response import Channel
from tests.unit.channel_servers import TOKEN, receiver
from tests.unit.update_desk import MINUTE, START, Office, office, response, slack, texts
from tui.updates import NotSent

PAGERDUTY = {"id": "pager", "name": "PagerDuty", "kind": "pagerduty", "env": {"routing_key": "OPS_PAGER"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warroom.db"


def left(desk: Office) -> float:
    found = desk.updates.countdown(desk.now())
    assert found is not None
    return found.left


# ---------------------------------------------------------------- sent and recorded


async def test_an_update_is_recorded_word_for_word_and_each_channel_says_how_it_fared(path: Path) -> None:
    fine, busy = receiver(200), receiver(500, 200)
    async with fine as one, busy as two, receiver((401, f"no such hook {TOKEN}")) as three:
        values = {name: f"{at.url}/{TOKEN}" for name, at in (("OPS_A", one), ("OPS_B", two), ("OPS_C", three))}
        async with office(path, response(slack("a"), slack("b"), slack("c")), values) as desk:
            text = "Cards fail for <everybody>.\n\nNext Update: soon"
            sending = await desk.updates.send(text, [one.channel for one in desk.updates.recipients("team")])
            await desk.recorded(sending)
            await desk.until(lambda: not desk.updates.told.silent)
            (entry,) = await desk.entries(Kind.UPDATE)
            deliveries = [delivery_of(one) for one in await desk.entries(Kind.DELIVERY)]
            said = list(desk.said)
    assert entry.text == text
    update = update_of(entry)
    assert update is not None
    assert update.channels == ("a", "b", "c")
    assert update.next_due == START + 15 * MINUTE
    assert one.asked[0].body["text"] == "Cards fail for &lt;everybody&gt;.\n\nNext Update: soon"
    outcomes = {found.channel: (found.ok, found.attempts) for found in deliveries if found is not None}
    assert outcomes == {"a": (True, 1), "b": (True, 2), "c": (False, 1)}
    assert said == [f"NOT delivered to Slack c: 127.0.0.1:{three.port} answered 401: no such hook «redacted»"]


async def test_no_token_is_in_the_store_the_log_or_what_is_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with (
        receiver((500, f"echo {TOKEN}")) as at,
        office(path, response(slack("a")), {"OPS_A": f"{at.url}/{TOKEN}"}) as desk,
    ):
        channels = [one.channel for one in desk.updates.recipients("team")]
        with pytest.raises(NotSent, match=r"the text holds a secret of Slack a \(OPS_A\)"):
            await desk.updates.send(f"the hook is {TOKEN}", channels)
        sending = await desk.updates.send("all is well", channels)
        await desk.recorded(sending)
        said = "\n".join(desk.said)
    for file in path.parent.glob("warroom*"):
        assert TOKEN.encode() not in file.read_bytes()
    ours = [record.getMessage() for record in caplog.records if record.name.partition(".")[0] in ("tui", "incident")]
    assert TOKEN not in "\n".join([said, *ours])


async def test_a_secret_in_the_words_is_taken_out_of_what_is_sent_too(path: Path) -> None:
    async with receiver(200) as at, office(path, response(slack("a")), {"OPS_A": at.url}) as desk:
        channels = [one.channel for one in desk.updates.recipients("team")]
        sending = await desk.updates.send("log in with password=hunter2hunter2", channels)
        await desk.recorded(sending)
        (entry,) = await desk.entries(Kind.UPDATE)
    assert "hunter2" not in entry.text
    assert at.asked[0].body["text"] == entry.text


async def test_without_channels_the_words_are_recorded_all_the_same(path: Path) -> None:
    async with office(path, response()) as desk:
        sending = await desk.updates.send("told by phone", [])
        assert sending.finished
        assert texts(await desk.entries(Kind.UPDATE)) == ["told by phone"]


async def test_an_update_of_a_resolved_incident_is_the_last_one(path: Path) -> None:
    async with office(path, response()) as desk:
        incident = desk.journal.incident
        assert incident is not None
        await desk.journal._opened().set_status(incident.id, Status.RESOLVED, "ops")
        await desk.until(lambda: desk.journal.incident is not None and not desk.journal.incident.open)
        assert desk.updates.countdown(desk.now()) is None
        text, trouble = await desk.updates.draft("team")
        assert trouble == ""
        assert "Status: RESOLVED" in text
        assert "Next Update: none" in text
        await desk.updates.send(text, [])
        (entry,) = await desk.entries(Kind.UPDATE)
        update = update_of(entry)
        assert update is not None
        assert update.next_due is None


async def test_what_the_store_cannot_take_is_sent_and_kept_and_still_counts(path: Path) -> None:
    async with receiver(200) as at, office(path, response(slack("a")), {"OPS_A": at.url}) as desk:
        holder = sqlite3.connect(path)
        holder.execute("BEGIN EXCLUSIVE")
        try:
            channels = [one.channel for one in desk.updates.recipients("team")]
            sending = await desk.updates.send("the disk is busy", channels)
            assert "locked" in sending.trouble
            await desk.until(lambda: len(at.asked) == 1)
        finally:
            holder.rollback()
            holder.close()
        await desk.recorded(sending)
        await desk.journal.flush()
        await desk.until(lambda: desk.updates.told.last is not None)
        assert texts(await desk.entries(Kind.UPDATE)) == ["the disk is busy"]
        assert left(desk) == 900


# ---------------------------------------------------------------- leaving and dying


async def test_what_is_under_way_when_the_console_is_left_is_recorded_as_not_sent(path: Path) -> None:
    runbook, slow = response(slack("a"), slack("b")), Patience(limit=60)
    async with receiver(None) as at, receiver(200) as fine:
        values = {"OPS_A": at.url, "OPS_B": fine.url}
        async with office(path, runbook, values, patience=slow) as desk:
            channels = [one.channel for one in desk.updates.recipients("team")]
            await desk.updates.send("nobody answers", channels)
            await at.waiting.wait()
            await desk.until(lambda: [one for _, left in desk.updates.told.silent for one in left] == ["a"])
        async with office(path, runbook, values) as desk:
            found = [delivery_of(entry) for entry in await desk.entries(Kind.DELIVERY)]
    outcomes = {one.channel: (one.ok, one.detail) for one in found if one is not None}
    assert outcomes["a"] == (False, "the console was left; it may have arrived")
    assert outcomes["b"][0] is True
    assert len(found) == 2


async def test_an_outcome_that_a_killed_console_took_along_is_recorded_as_unknown_once(path: Path) -> None:
    runbook = response(slack("a"))
    async with office(path, runbook) as desk:
        incident = desk.journal.incident
        assert incident is not None
        draft = update_draft("then the power went", "ops", next_due=None, channels=["a"])
        await desk.journal.record(incident.id, draft)  # and no outcome ever
        async with office(path, runbook) as other:
            for console in (desk, other):
                await console.until(lambda console=console: console.updates.told.silent)  # type: ignore[misc]
                await console.ticks()
            assert await desk.entries(Kind.DELIVERY) == []  # it may still be on its way
            for console in (desk, other):
                console.at += 6 * MINUTE
                await console.ticks()
            for console in (desk, other):
                await console.until(lambda console=console: not console.updates.told.silent)  # type: ignore[misc]
                await console.ticks()
            (entry,) = await desk.entries(Kind.DELIVERY)
    assert "not known: the console ended before it had an answer" in entry.text


# ---------------------------------------------------------------- the countdown


async def test_the_countdown_follows_severity_updates_and_reopening(path: Path) -> None:
    async with office(path, response(), severity=3) as desk:
        assert left(desk) == 300
        await desk.updates.send("first", [])
        await desk.until(lambda: left(desk) == 3600)
        desk.at += 50 * MINUTE
        assert left(desk) == 600
        await desk.severity(1)
        await desk.until(lambda: left(desk) == 300)
        incident, store = desk.journal.incident, desk.journal._opened()
        assert incident is not None
        await store.set_status(incident.id, Status.RESOLVED, "ops")
        await desk.until(lambda: desk.updates.countdown(desk.now()) is None)
        desk.at += 600 * MINUTE
        await store.set_status(incident.id, Status.INVESTIGATING, "ops")
        await desk.until(lambda: desk.updates.countdown(desk.now()) is not None and left(desk) == 300)


async def test_a_daily_update_promises_tomorrow_with_its_date(path: Path) -> None:
    async with office(path, response(), severity=4) as desk:
        text, _ = await desk.updates.draft("team")
        assert "Next Update: 2027-01-16 08:00 UTC" in text
        await desk.updates.send(text, [])
        await desk.until(lambda: left(desk) == 86_400)


async def test_who_was_paged_is_told_of_the_end(path: Path) -> None:
    async with receiver(202) as at:
        pager = Channel(**PAGERDUTY, severities=(1,), options={"server": at.url})  # type: ignore[arg-type]
        async with office(path, response(pager), {"OPS_PAGER": "k3y-of-the-pager"}) as desk:
            assert [(one.wanted, one.why) for one in desk.updates.recipients("team")] == [
                (True, "severity 1 · pages the people on call")
            ]
            sending = await desk.updates.send("first", desk.updates.pagers())
            await desk.until(lambda: sending.finished and desk.updates.told.paged)
            assert desk.updates.recipients("team")[0].why == "severity 1 · adds to the alert"
            incident = desk.journal.incident
            assert incident is not None
            await desk.severity(4)
            await desk.journal._opened().set_status(incident.id, Status.RESOLVED, "ops")
            await desk.until(lambda: desk.journal.incident is not None and not desk.journal.incident.open)
            assert [(one.wanted, one.why) for one in desk.updates.recipients("team")] == [
                (True, "they were paged: ends the alert")
            ]
            last = await desk.updates.send("it is over", desk.updates.pagers())
            await desk.until(lambda: last.finished and not desk.updates.told.paged)
    assert [asked.body["event_action"] for asked in at.asked] == ["trigger", "resolve"]


async def test_the_words_promise_when_the_next_one_comes(path: Path) -> None:
    async with office(path, response()) as desk:
        await desk.updates.send("Next update: 08:07 UTC", [])  # START is 08:00
        await desk.until(lambda: left(desk) == 420)


async def test_a_customers_update_and_a_page_leave_the_countdown_alone(path: Path) -> None:
    async with receiver(202) as at:
        pager = Channel(**PAGERDUTY, severities=(1,), options={"server": at.url})  # type: ignore[arg-type]
        runbook = response(pager, templates={"customer-update": "We are sorry."})
        async with office(path, runbook, {"OPS_PAGER": "k3y-of-the-pager"}) as desk:
            await desk.updates.send("We are sorry.", [], audience="customers")
            for event in ("trigger", "acknowledge", "resolve"):
                sending = await desk.updates.page(event)
                await desk.recorded(sending)
                paged = event != "resolve"
                await desk.until(lambda paged=paged: desk.updates.told.paged is paged)  # type: ignore[misc]
            incident = desk.journal.incident
            assert incident is not None
            assert left(desk) == 300
    assert [(asked.body["event_action"], asked.body["dedup_key"]) for asked in at.asked] == [
        ("trigger", incident.id),
        ("acknowledge", incident.id),
        ("resolve", incident.id),
    ]


async def test_without_a_pager_nobody_is_paged(path: Path) -> None:
    async with office(path, response()) as desk:
        with pytest.raises(NotSent, match="there is no pager"):
            await desk.updates.page("trigger")


async def test_a_missed_update_is_recorded_once_by_two_consoles_and_after_a_restart(path: Path) -> None:
    due = START + 5 * MINUTE
    async with office(path, response()) as one, office(path, response()) as two:
        for desk in (one, two):
            desk.at = due + MINUTE
            await desk.ticks()
        for desk in (one, two):
            await desk.until(lambda desk=desk: due in desk.updates.told.missed)  # type: ignore[misc]
            await desk.ticks()
        found = await one.entries(Kind.MISSED)
        assert [missed_due_of(entry) for entry in found] == [due]
        assert found[0].text == "Status update missed: it was due at 08:05 UTC"
    async with office(path, response()) as again:
        again.at = due + 20 * MINUTE  # one more is due meanwhile
        await again.ticks()
        await again.until(lambda: len(again.updates.told.missed) == 2)
        await again.ticks()
        dues = [missed_due_of(entry) for entry in await again.entries(Kind.MISSED)]
    assert dues == [due, due + 15 * MINUTE]


async def test_a_clock_that_is_wrong_for_a_second_misses_nothing(path: Path) -> None:
    async with office(path, response()) as desk:
        desk.at += 400 * 24 * 60 * MINUTE
        await desk.ticks(2)
        desk.at = START + MINUTE
        await desk.ticks()
        await asyncio.sleep(0.05)
        assert await desk.entries(Kind.MISSED) == []
