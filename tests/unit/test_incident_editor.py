"""One line of text becomes a time, a kind and a text, or a clear error; never an entry at the wrong time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.editor import LineError, ParsedLine, parse_line, todo_of
from incident.entry import Kind

BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


NOW = ms("2026-11-23T14:20:44Z")


def at(line: str, now: int = NOW) -> str | None:
    parsed = parse_line(line, now_ms=now)
    if parsed.happened_at is None:
        return None
    return datetime.fromtimestamp(parsed.happened_at / 1000, UTC).isoformat(timespec="milliseconds")[:-6]


@pytest.mark.parametrize(
    ("line", "happened_at"),
    [
        ("14:02 customers report duplicate charges", "2026-11-23T14:02:00.000"),
        ("9:05 first call", "2026-11-23T09:05:00.000"),
        ("14:02:31 rev 12 deployed", "2026-11-23T14:02:31.000"),
        ("14:02:31.25 rev 12 deployed", "2026-11-23T14:02:31.250"),
        ("15:19 slightly ahead of a slow clock", "2026-11-23T15:19:00.000"),
        ("23:50 last night", "2026-11-22T23:50:00.000"),
        ("2026-11-21 09:00 rev 11 superseded", "2026-11-21T09:00:00.000"),
        ("2026-11-23T14:02:42.123Z pasted from a log", "2026-11-23T14:02:42.123"),
        ("2026-11-23T15:02:42+01:00 pasted from another log", "2026-11-23T14:02:42.000"),
        ("2026-11-23 14:02:42 UTC pasted from a third", "2026-11-23T14:02:42.000"),
        ("-5m noticed it", "2026-11-23T14:15:44.000"),
        ("-90s noticed it", "2026-11-23T14:19:14.000"),
        ("-1h30m noticed it", "2026-11-23T12:50:44.000"),
        ("−5m with a typographer's minus", "2026-11-23T14:15:44.000"),
        ("just now", None),
    ],
)
def test_a_time_at_the_start_says_when_it_happened(line: str, happened_at: str | None) -> None:
    assert at(line) == happened_at


def test_the_text_begins_after_the_time() -> None:
    assert parse_line("  14:02   all is lost  ", now_ms=NOW).text == "all is lost"


@pytest.mark.parametrize(
    "line",
    [
        "-5 degrees in the server room",
        "-5mm of clearance",
        "-5 m away",
        "- 5m of nothing",
        "16:9 picture",
        "1:100 scale",
        "12:345 is no time",
        "12:30pm is not how we write",
        "2026-11-23 was a bad day",
        "payment-service at 14:02",
        "TODOs are piling up",
        "todo lists are for others",
        "10m requests",
    ],
)
def test_what_only_resembles_a_time_is_plain_text(line: str) -> None:
    assert parse_line(line, now_ms=NOW) == ParsedLine(text=line, happened_at=None, kind=Kind.NOTE)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("12:61 typo", "12:61 is not a time of day"),
        ("25:00 typo", "25:00 is not a time of day"),
        ("14:02:99 typo", "14:02:99 is not a time of day"),
        ("2026-02-30 14:02 typo", "2026-02-30 is not a day of the calendar"),
        ("2026-11-23 24:61 typo", "not a time of day"),
        ("2027-11-23 14:02 typo", "has not come yet"),
        ("2026-11-23T14:02+99:00 typo", "not an offset"),
        ("-5m3h backwards", "not a duration"),
        ("-5m5m twice", "not a duration"),
        ("-9d too long", "more than a week ago"),
        ("14:02", "nothing after 14:02"),
        ("-5m", "nothing after -5m"),
        ("-5m TODO", "nothing after TODO"),
        ("TODO", "nothing after TODO"),
        ("", "empty"),
        (" \t ", "empty"),
        ("x" * 65_537, "at most 64 KiB"),
        ("é" * 32_769, "at most 64 KiB"),
    ],
)
def test_a_slip_is_told_instead_of_recorded(line: str, says: str) -> None:
    with pytest.raises(LineError, match=says):
        parse_line(line, now_ms=NOW)


@pytest.mark.parametrize("line", ["TODO alert on the pool", "TODO: alert on the pool", "todo: alert on the pool"])
def test_todo_makes_a_follow_up(line: str) -> None:
    assert parse_line(line, now_ms=NOW) == ParsedLine(text="alert on the pool", happened_at=None, kind=Kind.FOLLOWUP)


def test_a_follow_up_may_have_a_time() -> None:
    parsed = parse_line("-5m TODO alert on the pool", now_ms=NOW)
    assert parsed == ParsedLine(text="alert on the pool", happened_at=NOW - 300_000, kind=Kind.FOLLOWUP)


def test_a_time_is_meant_in_the_zone_that_the_console_shows() -> None:
    assert parse_line("15:02 text", now_ms=NOW, tz=BERLIN).happened_at == ms("2026-11-23T14:02Z")
    west = timezone(timedelta(hours=-8))
    assert parse_line("23:30 text", now_ms=NOW, tz=west).happened_at == ms("2026-11-22T23:30-08:00")


def test_just_after_midnight_a_late_time_is_of_the_day_before() -> None:
    assert at("23:58 text", ms("2026-11-24T00:03Z")) == "2026-11-23T23:58:00.000"


@pytest.mark.parametrize(
    ("now", "meant"),
    [
        ("2026-10-25T00:40Z", "2026-10-25T00:30Z"),  # 02:40 summer time: the first 02:30 was ten minutes ago
        ("2026-10-25T01:40Z", "2026-10-25T01:30Z"),  # 02:40 winter time: the second one
    ],
)
def test_an_hour_that_comes_twice_is_the_last_one_that_has_come(now: str, meant: str) -> None:
    assert parse_line("02:30 text", now_ms=ms(now), tz=BERLIN).happened_at == ms(meant)


@settings(deadline=None)
@given(st.text(max_size=80), st.sampled_from([UTC, BERLIN, timezone(timedelta(hours=14))]))
def test_any_text_is_an_entry_or_a_clear_error(text: str, tz: timezone) -> None:
    try:
        parsed = parse_line(text, now_ms=NOW, tz=tz)
    except LineError:
        return
    assert parsed.text
    assert parsed.text in text
    assert parsed.happened_at is None or 0 <= parsed.happened_at <= NOW + 3_600_000


@settings(deadline=None)
@given(st.from_regex(r"(-|20)?[0-9]{1,4}[-:dhms][0-9dhms:TZ+ -]{0,12} ?x?", fullmatch=True))
def test_anything_like_a_time_is_an_entry_not_in_the_future_or_a_clear_error(text: str) -> None:
    try:
        parsed = parse_line(text, now_ms=NOW)
    except LineError:
        return
    assert parsed.happened_at is None or 0 <= parsed.happened_at <= NOW + 3_600_000


@settings(deadline=None)
@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 2_000_000_000_000))
def test_a_time_of_day_is_always_within_the_last_day_or_the_next_hour(hour: int, minute: int, now: int) -> None:
    now += 86_400_000
    happened_at = parse_line(f"{hour:02d}:{minute:02d} x", now_ms=now).happened_at
    assert happened_at is not None
    assert now - 24 * 3_600_000 < happened_at <= now + 3_600_000


@pytest.mark.parametrize(
    ("text", "todo"),
    [("TODO rotate keys @ada", "rotate keys @ada"), (" todo: rotate", "rotate"), ("TODOs are many", ""), ("note", "")],
)
def test_a_todo_is_known_wherever_it_is_typed(text: str, todo: str) -> None:
    assert todo_of(text) == todo
