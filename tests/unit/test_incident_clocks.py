"""Clocks that step, midnights, months, weeks and crowds: order and durations stay right, and so does the chain."""

from __future__ import annotations

import asyncio
import csv
import io
import random
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from incident import ledger
from incident.chain import exported
from incident.database import immediate
from incident.dossier import dossier
from incident.editor import parse_line
from incident.entry import Draft, Entry, Kind, Source, Status
from incident.errors import Refused
from incident.export import render
from incident.identity import incident_id
from incident.instants import SteadyClock, rfc3339
from incident.rows import SELECT_ENTRY, body_of, entries_of
from incident.schema import migrate
from incident.standing import declaration_draft
from incident.store import Store
from incident.timeline import Timeline
from incident.verify import Walk, walk_all
from probes.transitions import Transition
from tests.unit.incident_entries import incident_with, note
from tests.unit.incident_store import NOW, path
from tui.journal import Journal

__all__ = ["path"]

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


class Clocks:
    """A system's two clocks: the one that people set, and the one that nothing sets."""

    def __init__(self, at: int = NOW) -> None:
        self.wall, self.elapsed = at, 0.0

    def pass_by(self, ms: int) -> None:
        self.wall += ms
        self.elapsed += ms / 1000

    def set_back(self, ms: int) -> None:
        self.wall -= ms

    def steady(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.elapsed)


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


# Steps


def test_after_a_small_step_back_time_goes_on_and_is_right_again_soon() -> None:
    clocks = Clocks()
    steady = clocks.steady()
    assert steady() == NOW
    clocks.set_back(30 * SECOND)
    seen = [steady()]
    for _ in range(60):
        clocks.pass_by(SECOND)
        seen.append(steady())
    assert seen[0] == NOW
    assert seen == sorted(seen)
    assert len(set(seen)) > 58
    assert seen[-1] == clocks.wall, "after twice the step it is what the system says"


def test_a_clock_that_was_hours_ahead_is_corrected_at_once_and_a_suspend_is_followed() -> None:
    clocks = Clocks()
    steady = clocks.steady()
    clocks.set_back(2 * HOUR)
    assert (steady(), steady.ahead()) == (NOW - 2 * HOUR, 0)
    clocks.wall += 9 * HOUR  # asleep: the clock that nothing sets may have stood still
    assert (steady(), steady.ahead()) == (NOW + 7 * HOUR, 0)


@settings(deadline=None)
@example([(0, 0), (0, 0), (0, -93_126), (38, -206_904)])  # two small steps, a ms short of a large one
@given(st.lists(st.tuples(st.integers(0, 10 * MINUTE), st.integers(-20 * MINUTE, 20 * MINUTE)), max_size=30))
def test_whatever_the_clock_does_it_is_right_or_at_most_a_small_step_ahead(moves: list[tuple[int, int]]) -> None:
    clocks = Clocks()
    steady, before = clocks.steady(), 0
    for passed, step in moves:
        before = steady()
        clocks.pass_by(passed)
        clocks.wall += step
        now = steady()
        assert 0 <= now - clocks.wall <= SteadyClock.STEP
        assert now >= before or before - clocks.wall > SteadyClock.STEP


async def test_what_a_console_records_while_the_clock_is_set_back_stands_in_the_order_in_which_it_came(
    path: Path,
) -> None:
    clocks = Clocks()

    async def changed(_: set[str] | None) -> None: ...

    book = Journal(path, "Ada", drill=False, clock=lambda: clocks.wall, changed=changed)
    await book.open()
    await book.declare("Payments failing", 1, cluster="", namespace="")
    said = []
    for n in range(6):
        clocks.pass_by(SECOND)
        if n == 3:
            clocks.set_back(2 * MINUTE)
        said.append(f"seen {n}")
        seen = Transition(key=str(n), at=clocks.wall / 1000, level="bad", text=said[-1], detail="", evidence={})
        await book.observe([seen])
        said.append(f"written {n}")
        await book.write(Draft(text=said[-1], author="Ada"))
    entries = await book.all_entries()
    await book.close()
    assert [line.text for line in Timeline(entries).lines][1:] == said


# Days


@pytest.mark.parametrize(
    ("began", "ended", "hours"),
    [
        ("2026-11-23T23:30:00+00:00", "2026-11-24T00:30:00+00:00", 1),  # midnight
        ("2026-11-30T23:00:00+00:00", "2026-12-01T03:00:00+00:00", 4),  # a month
        ("2026-12-31T23:00:00+00:00", "2027-01-01T01:00:00+00:00", 2),  # a year
        ("2028-02-28T12:00:00+00:00", "2028-03-01T12:00:00+00:00", 48),  # a leap day
        ("2026-10-25T01:30:00+02:00", "2026-10-25T03:30:00+01:00", 3),  # the night with an hour twice
        ("2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00", 1),  # and the one with an hour less
        ("2026-11-02T08:00:00+00:00", "2026-11-23T08:00:00+00:00", 21 * 24),  # three weeks
    ],
)
async def test_an_incident_lasts_as_long_as_it_lasts(path: Path, began: str, ended: str, hours: int) -> None:
    now = instant(began)

    def clock() -> int:
        return now

    async with await Store.open(path, clock=clock) as store:
        incident = (await store.declare(title="x", author="Ada")).id
        now += 10 * MINUTE
        await store.append(incident, note("at work"))
        now = instant(ended)
        await store.set_status(incident, Status.RESOLVED, "Ada")
        later = (await store.declare(title="x", author="Ada")).id
        found = await store.incident(incident)
        assert found.resolved_at is not None
        assert found.resolved_at - found.declared_at == hours * HOUR
        lines = Timeline(await store.entries(incident)).lines
        assert [line.entry.seq for line in lines] == [1, 2, 3]
        assert [one.id for one in await store.incidents()] == [later, incident]
        assert incident < later


def test_an_hour_that_comes_twice_is_the_one_that_was() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    now = instant("2026-10-25T02:10:00+01:00")
    parsed = parse_line("02:40 it began", now_ms=now, tz=berlin)
    assert parsed.happened_at is not None
    assert rfc3339(parsed.happened_at) == "2026-10-25T00:40:00.000Z"  # in summer time: the other is still to come
    assert now - parsed.happened_at == 30 * MINUTE


# Names


async def test_incidents_of_one_store_sort_by_time_also_within_a_minute(path: Path) -> None:
    now = NOW
    async with await Store.open(path, clock=lambda: now) as one, await Store.open(path, clock=lambda: now) as other:
        names = []
        for n in range(24):
            names.append((await (one if n % 2 else other).declare(title="x", author="Ada")).id)
            now += 4 * SECOND
    assert names == sorted(set(names))
    assert len({name[:17] for name in names}) == 2


async def test_two_consoles_that_declare_at_once_get_two_incidents(path: Path) -> None:
    async with await Store.open(path, clock=lambda: NOW) as one, await Store.open(path, clock=lambda: NOW) as other:
        declared = await asyncio.gather(*(store.declare(title="x", author="Ada") for store in (one, other) * 10))
        assert len({incident.id for incident in declared}) == 20
        assert [incident.id for incident in await one.incidents()] == sorted((i.id for i in declared), reverse=True)


def test_stores_that_do_not_know_each_other_share_a_minute_and_no_names() -> None:
    names = [incident_id(NOW + n) for n in range(50)]
    assert len({name[:17] for name in names}) == 1
    assert len(set(names)) > 48  # of a million


# Crowds


def test_ten_thousand_entries_are_in_order_and_their_chain_is_whole() -> None:
    count = 10_000
    # Three weeks of them, as probes and people bring them: most in order, some late.
    drafts = [
        note(f"entry {n}", happened_at=NOW + n * 21 * DAY // count - (n % 7 == 0) * 20 * MINUTE)
        for n in range(count - 1)
    ]
    incident, entries = incident_with(drafts)
    walk = Walk(incident.id)
    assert walk_all(walk, map(exported, entries))
    assert walk.verdict(incident, count, entries[-1].hash).ok
    lines = Timeline(entries).lines
    assert len(lines) == count
    keys = [(line.happened_at, line.entry.seq) for line in lines]
    assert keys == sorted(keys)
    arriving = Timeline(entries[: count // 2])
    arriving.add(entries[count // 2 :])
    assert list(arriving.lines) == list(lines)
    found = dossier(incident, entries)
    assert found.began == incident.declared_at
    assert found.end == entries[-1].recorded_at
    rows = list(csv.reader(io.StringIO(render("csv", found).decode("utf-8-sig"))))
    assert [row[10] for row in rows[1:]] == [line.text for line in lines]
    assert render("markdown", found).decode().count("| entry ") == count - 1


WRITES = st.lists(
    st.tuples(
        st.sampled_from(["note", "amend", "retract", "check", "status", "role", "time"]),
        st.integers(-3 * HOUR, 3 * HOUR),  # how the clock moves before it
        st.none() | st.integers(-HOUR, HOUR),  # when it is said to have happened, from then
        st.integers(0, 10),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(WRITES, st.randoms(use_true_random=False))
def test_whatever_is_written_whatever_the_clock_does_the_chain_holds_and_the_order_is_of_time(
    writes: Sequence[tuple[str, int, int | None, int]], chance: random.Random
) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, Path(":memory:"))
    first = declaration_draft(
        title="x", author="Ada", severity=None, drill=False, cluster="", namespace="", happened_at=None
    )
    incident = ledger.declare(connection, first, ledger.Stamp.at(NOW)).id
    now, written = NOW, list[Entry]()
    for what, step, offset, which in writes:
        now += step
        draft = _drawn(what, None if offset is None else now + offset, which, written)
        try:
            with immediate(connection):
                written.append(ledger.append(connection, incident, draft, ledger.Stamp.at(now)))
        except Refused:
            continue
    rows = connection.execute(SELECT_ENTRY + "ORDER BY seq").fetchall()
    connection.close()
    walk = Walk(incident)
    assert walk_all(walk, map(body_of, rows)), walk.broken
    entries = entries_of(rows)
    lines = list(Timeline(entries).lines)
    keys = [(line.happened_at, line.entry.seq) for line in lines]
    assert keys == sorted(keys)
    chance.shuffle(entries)
    assert list(Timeline(entries).lines) == lines, "the order in which they come does not matter"


def _drawn(what: str, happened_at: int | None, which: int, written: Sequence[Entry]) -> Draft:
    target = written[which % len(written)].id if written else None
    match what:
        case "amend":
            return note("amended", kind=Kind.AMENDMENT, refers_to=target, happened_at=happened_at)
        case "retract":
            return note("not so", kind=Kind.RETRACTION, refers_to=target)
        case "check":
            return note("Done", kind=Kind.CHECK, evidence={"check": {"list": "l", "item": str(which), "state": "done"}})
        case "status":
            status = list(Status)[which % 4]
            return note("status", kind=Kind.STATUS, evidence={"incident": {"status": str(status)}})
        case "role":
            return note("role", kind=Kind.STATUS, evidence={"incident": {"roles": {"scribe": f"person {which}"}}})
        case "time":
            mark = ("detected", "mitigated")[which % 2]
            return note("time", kind=Kind.STATUS, evidence={"incident": {"times": {mark: happened_at}}})
    return note("text", source=Source.PERSON, happened_at=happened_at)
