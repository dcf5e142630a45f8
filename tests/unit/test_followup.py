"""A follow-up's owner, due date and priority are read from its text, and what is not one of these stays text."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.followup import FollowUp, parse

NOON = 1_796_126_400_000  # 2026-12-01T12:00:00Z


def test_owner_due_date_and_priority_are_read_from_anywhere_in_the_text() -> None:
    whole = FollowUp(text="rotate keys", owner="ada", due=date(2026, 12, 1), priority="high")

    assert parse("rotate keys @ada due 2026-12-01 !high") == whole
    assert parse("!HIGH @ada rotate keys due: 2026-12-01") == whole
    assert parse("rotate due 2026-12-01 keys @ada, !high").text == "rotate keys ,"


@pytest.mark.parametrize(
    "text",
    [
        "write to ada@example.com",
        "due 2026-13-45 is no day",
        "due tomorrow",
        "!important",
        "wow!high",
        "@ alone",
        "DONEGAL is a place",
        "",
    ],
)
def test_what_only_resembles_one_stays_text(text: str) -> None:
    assert parse(text) == FollowUp(text=text)


def test_only_the_first_of_each_counts() -> None:
    read = parse("ask @ada or @ben !low !high")

    assert (read.owner, read.priority, read.text) == ("ada", "low", "ask or @ben !high")


def test_nothing_but_marks_keeps_them_as_its_text() -> None:
    assert parse("@ada").text == "@ada"


def test_one_that_was_amended_to_begin_with_done_is_done_and_never_overdue() -> None:
    assert parse("DONE rotate keys due 2026-11-01").done
    assert parse("[x] rotate keys").done
    assert not parse("DONE rotate keys due 2026-11-01").overdue(NOON)


def test_it_is_overdue_when_its_day_has_passed() -> None:
    assert parse("x due 2026-11-30").overdue(NOON)
    assert not parse("x due 2026-12-01").overdue(NOON)
    assert not parse("x").overdue(NOON)


@given(st.text(alphabet="@!due 2026-10DONE[x]high,.\n\t界a", max_size=40))
def test_no_text_is_lost_or_refused(text: str) -> None:
    read = parse(text)

    kept = read.text + read.owner + str(read.due or "") + read.priority
    assert sum(c == "界" for c in kept) == sum(c == "界" for c in text)
