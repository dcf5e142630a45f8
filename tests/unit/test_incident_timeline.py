"""A timeline shows entries in the order in which things happened, with everything applied that was said later."""

from __future__ import annotations

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from incident.entry import Draft, Entry, Kind, Source
from incident.timeline import Timeline
from tests.unit.incident_entries import BEGAN, amendment, entry, incident_with, note, retraction


def texts(timeline: Timeline) -> list[str]:
    return [line.text for line in timeline.lines]


def repeat(of: str, count: int, at: int) -> Draft:
    return note("again", kind=Kind.REPEAT, refers_to=of, count=count, happened_at=at, source=Source.PROBE)


def test_lines_stand_where_they_happened_and_not_where_they_were_written() -> None:
    timeline = Timeline(
        [
            entry(1, note("declared", happened_at=3000)),
            entry(2, note("release", happened_at=1000)),
            entry(3, note("first symptom", happened_at=2000)),
            entry(4, note("written at the same instant", happened_at=2000)),
        ]
    )
    assert texts(timeline) == ["release", "first symptom", "written at the same instant", "declared"]
    assert timeline.last_seq == 4


def test_an_amendment_changes_text_and_place_and_keeps_the_entry() -> None:
    original = entry(1, note("restarted", happened_at=5000))
    timeline = Timeline([original, entry(2, note("release", happened_at=2000))])
    changed = timeline.add([entry(3, amendment("e1", "rolled back", 1000))])
    assert changed == {"e1"}
    line = timeline.lines[0]
    assert (line.text, line.happened_at, line.amended_at) == ("rolled back", 1000, BEGAN + 3000)
    assert line.entry is original
    assert [one.id for one in timeline.history("e1")] == ["e3"]
    assert timeline.get("e1") is line
    assert timeline.index("e1") == 0


def test_the_last_amendment_counts() -> None:
    timeline = Timeline([entry(1, note("a"))])
    timeline.add([entry(3, amendment("e1", "c", 3000)), entry(2, amendment("e1", "b", 2000))])
    assert texts(timeline) == ["c"]


def test_a_retraction_stays_visible_with_its_reason() -> None:
    timeline = Timeline([entry(1, note("it is the database")), entry(2, retraction("e1", "it was not"))])
    assert texts(timeline) == ["it is the database"]
    assert timeline.lines[0].retracted == "it was not"


def test_repeats_are_a_count_and_not_lines() -> None:
    timeline = Timeline([entry(1, note("BackOff", happened_at=1000, source=Source.PROBE))])
    changed = timeline.add([entry(2, repeat("e1", 7, 9000)), entry(3, repeat("e1", 5, 8000))])
    assert changed == {"e1"}
    (line,) = timeline.lines
    assert (line.count, line.happened_at, line.last_at) == (7, 1000, 9000)
    assert timeline.counts[Source.PROBE] == 1


def test_what_refers_to_an_unknown_entry_is_shown_until_that_entry_comes() -> None:
    timeline = Timeline([entry(2, retraction("e1", "was wrong"))])
    assert texts(timeline) == ["was wrong"]
    changed = timeline.add([entry(1, note("text"))])
    assert changed == {"e1", "e2"}
    assert texts(timeline) == ["text"]
    assert timeline.lines[0].retracted == "was wrong"
    assert timeline.get("e2") is None
    assert timeline.counts[Source.PERSON] == 1


def test_an_entry_that_comes_twice_is_there_once() -> None:
    timeline = Timeline([entry(1, note("a"))])
    assert timeline.add([entry(1, note("a"))]) == set()
    assert len(timeline) == 1


def test_follow_ups_that_stand_are_listed() -> None:
    todo = {"kind": Kind.FOLLOWUP}
    timeline = Timeline([entry(1, note("a", **todo)), entry(2, note("b", **todo)), entry(3, retraction("e1", "done"))])
    assert [line.text for line in timeline.followups] == ["b"]


def test_searching_finds_every_word_in_any_case_in_text_author_and_reason() -> None:
    timeline = Timeline(
        [
            entry(1, note("Payment-Service unhealthy", author="pods", source=Source.PROBE)),
            entry(2, note("paying for STRASSE", author="bob")),
            entry(3, retraction("e2", "misread")),
        ]
    )
    assert [line.id for line in timeline.filtered("unhealthy PAYMENT")] == ["e1"]
    assert [line.id for line in timeline.filtered("bob straße")] == ["e2"]
    assert [line.id for line in timeline.filtered("misread")] == ["e2"]
    assert [line.id for line in timeline.filtered("pay", sources={Source.PERSON})] == ["e2"]
    assert timeline.filtered("pay", kinds={Kind.PIN}) == []
    assert len(timeline.filtered("  ")) == 2


@st.composite
def chains(draw: st.DrawFn) -> list[Entry]:
    drafts: list[Draft] = []
    for seq in range(2, 2 + draw(st.integers(0, 14))):
        of = f"e{draw(st.integers(1, seq - 1))}"
        at = draw(st.integers(1, 6)) * 1000
        drafts.append(
            draw(
                st.sampled_from(
                    [note(f"n{seq}", happened_at=at), amendment(of, f"a{seq}", at), retraction(of, f"r{seq}"),
                     repeat(of, seq, at)]
                )
            )
        )  # fmt: skip
    entries = incident_with(drafts)[1]
    kinds = {one.id: one.kind for one in entries}
    # As the store has it: only plain entries are amended, retracted and repeated.
    return [one for one in entries if one.refers_to is None or kinds[one.refers_to] in (Kind.NOTE, Kind.DECLARED)]


@settings(deadline=None)
@given(chains(), st.randoms(use_true_random=False), st.integers(1, 5))
def test_the_order_and_the_portions_in_which_entries_come_do_not_matter(
    entries: list[Entry], chance: random.Random, portion: int
) -> None:
    whole = Timeline(entries)
    shuffled = entries[:]
    chance.shuffle(shuffled)
    pieces = Timeline()
    for start in range(0, len(shuffled), portion):
        pieces.add(shuffled[start : start + portion])
    assert list(pieces.lines) == list(whole.lines)
    assert pieces.counts == whole.counts
    assert [(line.happened_at, line.entry.seq) for line in whole.lines] == sorted(
        (line.happened_at, line.entry.seq) for line in whole.lines
    )
    for at, line in enumerate(whole.lines):
        assert whole.index(line.id) == at


def test_one_entry_more_on_a_long_timeline_is_cheap() -> None:
    first = entry(1, note("x"))
    timeline = Timeline(_copies(first, 100_000))
    late = _copies(first, 100_003)[100_000:]
    took = []
    for one in late:  # the best of three: a garbage collection is not what is measured
        began = time.thread_time()
        timeline.add([one])
        took.append(time.thread_time() - began)
    assert min(took) < 0.02, "a frame of the console"
    assert len(timeline) == 100_003


def _copies(of: Entry, count: int) -> list[Entry]:
    """Entries at every other second, the last ones early in between."""
    return [
        replace(of, id=f"e{seq}", seq=seq, happened_at=seq * 2000 if seq <= 100_000 else seq)
        for seq in range(1, count + 1)
    ]
