"""A crash loop is one line with a count: what probes see again and again is folded, and nothing new is swallowed."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from incident.entry import Draft, Entry, Kind, Line, Source
from incident.folding import PACE, WINDOW, Waiting, decide, fold_of
from incident.store import Store
from incident.timeline import Timeline
from tests.unit.incident_entries import BEGAN, entry
from tests.unit.incident_store import Clock, declared, path, store

__all__ = ["path", "store"]

SECONDS = 1000


def seen(level: str = "bad", *, fold: str | None = "payment", text: str = "BackOff", at: int | None = None) -> Draft:
    return Draft(text=text, author="pods", fold=fold, level=level, happened_at=at, evidence={"exit": 1})


def pass_by(store: Store, seconds: float) -> None:
    clock = store.clock
    assert isinstance(clock, Clock)
    clock.pass_by(seconds)


async def observations(store: Store, incident: str) -> list[Entry]:
    return [one for one in await store.entries(incident) if one.kind in (Kind.OBSERVATION, Kind.REPEAT)]


async def line_of(store: Store, incident: str) -> Line:
    (line,) = [line for line in Timeline(await store.entries(incident)).lines if line.entry.kind is Kind.OBSERVATION]
    return line


async def test_the_first_sight_is_an_entry_at_once(store: Store) -> None:
    incident = await declared(store)
    first = await store.observe(incident, seen())
    assert first is not None
    assert (first.kind, first.source, first.count, first.evidence) == (Kind.OBSERVATION, Source.PROBE, 1, {"exit": 1})


async def test_a_crash_loop_is_one_line_with_a_count(store: Store) -> None:
    incident = await declared(store)
    for _ in range(240):
        await store.observe(incident, seen())
        pass_by(store, 1)
    await store.flush_folds()
    line = await line_of(store, incident)
    assert line.count == 240
    assert len(await observations(store, incident)) <= 10, "four minutes, one entry in half a minute"
    assert (await store.verify(incident)).ok


async def test_that_something_is_well_again_does_not_wait_to_be_counted(store: Store) -> None:
    incident = await declared(store)
    for level, told in (("bad", True), ("good", True), ("bad", False), ("good", True)):
        entry = await store.observe(incident, seen(level, fold=f"endpoint/{level}"))
        assert (entry is not None) is told
        pass_by(store, 5)


async def test_what_waits_is_written_when_the_store_is_closed(store: Store, path: Path) -> None:
    incident = await declared(store)
    for _ in range(5):
        await store.observe(incident, seen())
    assert len(await observations(store, incident)) == 1
    await store.close()
    async with await Store.open(path) as again:
        assert (await line_of(again, incident)).count == 5


async def test_flushing_writes_each_count_once(store: Store) -> None:
    incident = await declared(store)
    for _ in range(3):
        await store.observe(incident, seen())
    assert [one.count for one in await store.flush_folds()] == [3]
    assert await store.flush_folds() == []
    await store.observe(incident, seen())
    assert [one.count for one in await store.flush_folds()] == [4]


async def test_a_recovery_is_news_and_so_is_the_relapse(store: Store) -> None:
    incident = await declared(store)
    for level in ("bad", "bad", "good", "good", "bad"):
        await store.observe(incident, seen(level))
        pass_by(store, 1)
    await store.flush_folds()
    found = [(one.kind, one.level, one.count) for one in await observations(store, incident)]
    assert found == [
        (Kind.OBSERVATION, "bad", 1),
        (Kind.REPEAT, "bad", 2),
        (Kind.OBSERVATION, "good", 1),
        (Kind.REPEAT, "good", 2),
        (Kind.OBSERVATION, "bad", 1),
    ]


async def test_after_a_quiet_time_it_is_news_again(store: Store) -> None:
    incident = await declared(store)
    await store.observe(incident, seen())
    pass_by(store, 14 * 60)
    await store.observe(incident, seen())
    pass_by(store, 16 * 60)
    await store.observe(incident, seen())
    found = [(one.kind, one.count) for one in await observations(store, incident)]
    assert found == [(Kind.OBSERVATION, 1), (Kind.REPEAT, 2), (Kind.OBSERVATION, 1)]


async def test_different_things_are_not_folded_into_one(store: Store) -> None:
    incident, other = await declared(store), await declared(store)
    assert await store.observe(incident, seen(fold="payment"))
    assert await store.observe(incident, seen(fold="ledger"))
    assert await store.observe(incident, seen(fold=None))
    assert await store.observe(incident, seen(fold=None))
    assert await store.observe(other, seen(fold="payment"))


async def test_counting_goes_on_after_a_restart(store: Store, path: Path) -> None:
    incident = await declared(store)
    for _ in range(5):
        await store.observe(incident, seen())
    await store.close()
    async with await Store.open(path, clock=store.clock) as again:
        assert await again.observe(incident, seen()) is None, "the last entry is moments old"
        pass_by(again, 31)
        repeat = await again.observe(incident, seen())
        assert repeat is not None
        assert (repeat.kind, repeat.count) == (Kind.REPEAT, 7)
        assert (await line_of(again, incident)).count == 7


async def test_two_consoles_on_one_store_fold_into_one_line(store: Store, path: Path) -> None:
    incident = await declared(store)
    async with await Store.open(path, clock=store.clock) as other:
        for _ in range(100):
            await store.observe(incident, seen())
            await other.observe(incident, seen())
            pass_by(store, 1)
        await other.flush_folds()
        await store.flush_folds()
    assert (await line_of(store, incident)).count == 200


async def test_repeats_are_of_the_text_and_time_they_were_seen_with(store: Store) -> None:
    incident = await declared(store)
    await store.observe(incident, seen(at=BEGAN))
    await store.observe(incident, seen(at=BEGAN + 7 * SECONDS))
    (repeat,) = await store.flush_folds()
    assert (repeat.happened_at, repeat.evidence) == (BEGAN + 7 * SECONDS, None)


def test_a_clock_that_goes_back_does_not_swallow_anything() -> None:
    waiting = Waiting()
    first = entry(1, decide(None, seen(), BEGAN), recorded_at=BEGAN)
    waiting.written("i", "payment", fold_of(first))
    assert waiting.absorb("i", seen(), BEGAN + 1)
    assert not waiting.absorb("i", seen(), BEGAN - 5 * SECONDS)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["bad", "good"]), st.integers(0, WINDOW + PACE), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_counts_add_up_and_every_change_of_level_is_an_entry(steps: list[tuple[str, int, bool]]) -> None:
    waiting, written, now = Waiting(), list[Entry](), BEGAN
    for level, gap, wait in steps:
        now += gap if not wait else gap % PACE
        draft = seen(level)
        if waiting.absorb("i", draft, now):
            continue
        newest = fold_of(written[-1]) if written else None
        made = entry(len(written) + 1, decide(newest, draft, now), recorded_at=now)
        written.append(made)
        waiting.written("i", "payment", fold_of(made), waiting.get("i", "payment"))
    for made, before in zip(written[1:], written, strict=False):
        if made.level != before.level or made.happened_at - before.happened_at > 2 * WINDOW:
            assert made.kind is Kind.OBSERVATION
        if made.kind is Kind.REPEAT:
            assert made.count == before.count + 1
            assert made.recorded_at - before.recorded_at >= PACE
    assert written[0].kind is Kind.OBSERVATION
