"""The countdown to the next status update: the runbook's frequencies, and clocks that do what they want."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.countdown import GRACE, MOST_MISSED, Countdown, Promise, countdown, next_due, promised

MINUTE = 60_000
HOUR = 60 * MINUTE
OPENED = int(datetime(2026, 11, 23, 14, 2, tzinfo=UTC).timestamp()) * 1000
INSTANTS = st.integers(0, 4_000_000_000_000)


def at(
    now: int, last: Promise | None = None, *, every: float = 900, first: float = 300, changed: int | None = None
) -> Countdown:
    return countdown(opened_at=OPENED, last=last, every=every, first_within=first, now=now, changed_at=changed)


def test_the_first_update_is_due_five_minutes_after_the_declaration() -> None:
    assert at(OPENED).left == 300
    assert at(OPENED + MINUTE).due_at == OPENED + 5 * MINUTE
    assert at(OPENED).last_at is None


@pytest.mark.parametrize("every", [900, 1800, 3600, 86_400])
def test_the_next_one_is_due_at_the_severitys_frequency(every: int) -> None:
    sent = OPENED + 3 * MINUTE
    left = at(sent + MINUTE, Promise(sent, None), every=every)
    assert (left.left, left.last_at, left.overdue, left.missed) == (every - 60, sent, False, ())


def test_it_turns_loud_two_minutes_before_and_overdue_after() -> None:
    due = OPENED + 5 * MINUTE
    seen = [(at(now).loud, at(now).overdue) for now in (due - 121_000, due - 120_000, due, due + 1000)]
    assert seen == [(False, False), (True, False), (True, False), (True, True)]


def test_an_earlier_promise_counts_and_a_later_one_does_not_stretch_the_frequency() -> None:
    sent = OPENED + 3 * MINUTE
    assert at(sent, Promise(sent, sent + 10 * MINUTE)).left == 600
    assert at(sent, Promise(sent, sent + 40 * MINUTE)).left == 900
    assert at(sent, Promise(sent, sent - MINUTE)).left == 900  # nonsense is no promise


def test_an_incident_that_becomes_worse_gets_the_first_minutes_again() -> None:
    sent = OPENED + 3 * MINUTE
    worse = sent + 40 * MINUTE
    assert at(worse, Promise(sent, sent + HOUR), every=900, changed=worse).left == 300
    assert at(worse, Promise(sent, sent + HOUR), every=900, changed=worse).missed == ()


def test_what_was_due_and_not_sent_is_missed_a_few_times_and_then_left_alone() -> None:
    due = OPENED + 5 * MINUTE
    grace = int(GRACE * 1000)
    assert at(due + grace).missed == ()
    assert at(due + grace + 1).missed == (due,)
    assert at(due + 16 * MINUTE).missed == (due, due + 15 * MINUTE)
    assert at(due + 3 * 7 * 24 * HOUR).missed == (due, due + 15 * MINUTE, due + 30 * MINUTE)


def test_a_clock_that_is_put_back_makes_nobody_wait_longer() -> None:
    sent = OPENED + 3 * MINUTE
    back = at(sent - 30 * 24 * HOUR, Promise(sent, None))
    assert (back.left, back.overdue, back.missed) == (900, False, ())


def test_over_midnight_and_daylight_saving_nothing_jumps() -> None:
    late = int(datetime(2026, 3, 29, 0, 55, tzinfo=UTC).timestamp()) * 1000  # Europe goes to summer time at 01:00
    left = countdown(opened_at=late, last=Promise(late, None), every=900, first_within=300, now=late + 10 * MINUTE)
    assert left.left == 300


@given(opened=INSTANTS, now=INSTANTS, sent=st.none() | INSTANTS, due=st.none() | INSTANTS, every=st.floats(1, 1e6))
def test_whatever_the_clocks_say_it_stays_in_bounds(
    opened: int, now: int, sent: int | None, due: int | None, every: float
) -> None:
    last = None if sent is None else Promise(sent, due)
    found = countdown(opened_at=opened, last=last, every=every, first_within=300, now=now)
    assert found.left <= max(every, 300)
    assert len(found.missed) <= MOST_MISSED
    assert all(missed < now for missed in found.missed)
    assert found.overdue or not found.missed


def test_a_new_update_promises_a_whole_minute_within_the_frequency() -> None:
    now = OPENED + 17_123
    assert next_due(now, 900) == OPENED + 15 * MINUTE
    assert next_due(now, 20) == OPENED + MINUTE


def test_the_promise_is_read_from_the_words() -> None:
    assert promised("Impact: none\nNext Update: 14:35 UTC\nIC: Ada", OPENED, 900) == OPENED + 33 * MINUTE
    assert promised("next update at 14:35", OPENED, 900) == OPENED + 33 * MINUTE
    assert promised("Next Update: none, this is the last one", OPENED, 900) is None
    assert promised("Next update: 25:99", OPENED, 900) is None
    assert promised("We restarted it at 14:35", OPENED, 900) is None
    night = int(datetime(2026, 11, 30, 23, 55, tzinfo=UTC).timestamp()) * 1000
    assert promised("Next update: 00:10 UTC", night, 900) == night + 15 * MINUTE
    assert promised("Next update: 14:00 UTC", OPENED, 900) == OPENED - 2 * MINUTE  # past, which the composer says
    assert promised("Next update: 2026-11-24 14:01 UTC", OPENED, 86_400) == OPENED + 24 * HOUR - MINUTE
