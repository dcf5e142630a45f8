"""While the store cannot be written, entries are kept aside; when it can again they are in it, in order, once."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from incident.entry import Draft, Entry, Kind, Status
from incident.errors import Refused
from incident.recorder import Recorder
from incident.timeline import Timeline


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "warroom.db"


@pytest.fixture
def spills(tmp_path: Path) -> Path:
    """The only directory that entries are kept in."""
    directory = tmp_path / "spills"
    directory.mkdir()
    return directory


@pytest.fixture
async def recorder(path: Path, spills: Path) -> AsyncIterator[Recorder]:
    async with await Recorder.open(path, directories=[spills], busy_timeout=0.1) as recorder:
        yield recorder


async def declared(recorder: Recorder) -> str:
    return (await recorder.store.declare(title="x", author="bob")).id


def note(text: str = "text") -> Draft:
    return Draft(text=text, author="tech-lead")


async def fill_disk(recorder: Recorder, *, full: bool) -> None:
    """SQLite may not add a page, as on a full disk; or may again."""
    statement = f"PRAGMA max_page_count = {1 if full else 1_000_000}"
    await recorder.store._database.run(lambda connection: connection.execute(statement).fetchall())
    if full:  # what is left on the last pages
        incident = (await recorder.store.incidents())[0].id
        while not (await recorder.record(incident, note("x" * 4000))).spilled:
            pass


async def freeze(recorder: Recorder, *, frozen: bool) -> None:
    """SQLite refuses every write with SQLITE_READONLY, as on a file system that was remounted; or no longer."""
    statement = f"PRAGMA query_only = {int(frozen)}"
    await recorder.store._database.run(lambda connection: connection.execute(statement).fetchall())


async def texts(recorder: Recorder, incident: str) -> list[str]:
    return [entry.text for entry in (await recorder.store.entries(incident))[1:]]


def files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


async def test_a_store_that_works_just_records(recorder: Recorder, spills: Path) -> None:
    incident = await declared(recorder)
    recorded = await recorder.record(incident, note("x"))
    assert isinstance(recorded.entry, Entry)
    assert (recorded.spilled, recorded.error) == (False, "")
    assert files(spills) == []


async def test_what_the_store_cannot_take_is_kept_privately_and_said_loudly(recorder: Recorder, spills: Path) -> None:
    incident = await declared(recorder)
    await freeze(recorder, frozen=True)
    recorded = await recorder.record(incident, Draft(text="password=hunter2 leaked", author="bob"))
    assert (recorded.entry, recorded.spilled) == (None, True)
    assert "read-only" in recorded.error
    assert str(recorded.kept_in) in recorded.error
    (file,) = files(spills)
    assert file == recorded.kept_in
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"leaked" in file.read_bytes()
    assert b"hunter2" not in file.read_bytes()
    assert [one.draft.text for one in recorder.pending] == ["password=«redacted» leaked"]


async def test_after_the_fault_everything_is_written_in_order_under_its_own_time(
    recorder: Recorder, spills: Path
) -> None:
    incident = await declared(recorder)
    await freeze(recorder, frozen=True)
    for n in range(5):
        assert (await recorder.record(incident, note(str(n)))).spilled
    kept = recorder.pending
    await freeze(recorder, frozen=False)
    recorded = await recorder.record(incident, note("5"))
    assert recorded.entry is not None
    assert recorded.entry.seq == 7
    entries = (await recorder.store.entries(incident))[1:]
    assert [entry.text for entry in entries] == ["0", "1", "2", "3", "4", "5"]
    assert [(entry.id, entry.recorded_at) for entry in entries[:5]] == [(one.id, one.recorded_at) for one in kept]
    assert (await recorder.store.verify(incident)).ok
    assert recorder.pending == ()
    assert files(spills) == []


async def test_a_full_disk_loses_nothing(recorder: Recorder, spills: Path) -> None:
    incident = await declared(recorder)
    await fill_disk(recorder, full=True)
    recorded = await recorder.record(incident, note("while full"))
    assert "is full" in recorded.error
    assert len(files(spills)) == 1
    await fill_disk(recorder, full=False)
    assert await recorder.flush() == 0
    assert (await texts(recorder, incident))[-1] == "while full"
    assert files(spills) == []


async def test_without_any_place_entries_stay_in_memory_and_are_written_later(path: Path) -> None:
    async with await Recorder.open(path, directories=[Path("/nonexistent"), Path("/dev/null")]) as recorder:
        incident = await declared(recorder)
        await freeze(recorder, frozen=True)
        recorded = await recorder.record(incident, note("a"))
        assert "only in memory" in recorded.error
        assert recorded.kept_in is None
        await freeze(recorder, frozen=False)
        await recorder.record(incident, note("b"))
        assert await texts(recorder, incident) == ["a", "b"]


async def test_a_second_directory_takes_what_the_first_cannot(path: Path, tmp_path: Path, spills: Path) -> None:
    async with await Recorder.open(path, directories=[tmp_path / "missing", spills]) as recorder:
        incident = await declared(recorder)
        await freeze(recorder, frozen=True)
        assert (await recorder.record(incident, note())).kept_in == files(spills)[0]


async def test_a_refused_draft_is_not_kept(recorder: Recorder, spills: Path) -> None:
    incident = await declared(recorder)
    await freeze(recorder, frozen=True)
    with pytest.raises(Refused):
        await recorder.record(incident, note(" "))
    assert recorder.pending == ()
    await freeze(recorder, frozen=False)
    with pytest.raises(Refused):
        await recorder.record("INC-0", note())
    assert files(spills) == []


async def test_amendments_retractions_and_changes_are_kept_too(recorder: Recorder) -> None:
    incident = await declared(recorder)
    first = (await recorder.record(incident, note("a"))).entry
    second = (await recorder.record(incident, note("b"))).entry
    assert first is not None
    assert second is not None
    await freeze(recorder, frozen=True)
    assert (await recorder.amend(incident, first.id, author="bob", text="better")).spilled
    assert (await recorder.retract(incident, second.id, author="bob", reason="wrong")).spilled
    assert (await recorder.set_severity(incident, 1, "bob")).spilled
    assert (await recorder.set_status(incident, Status.RESOLVED, "bob")).spilled
    await freeze(recorder, frozen=False)
    assert await recorder.flush() == 0
    lines = Timeline(await recorder.store.entries(incident)).lines
    assert [(line.text, line.retracted) for line in lines[1:3]] == [("better", None), ("b", "wrong")]
    found = await recorder.store.incident(incident)
    assert (found.severity, found.status) == (1, Status.RESOLVED)
    assert (await recorder.store.verify(incident)).ok


async def test_what_is_refused_only_afterwards_is_still_on_the_record(recorder: Recorder) -> None:
    incident = await declared(recorder)
    await freeze(recorder, frozen=True)
    assert (await recorder.amend(incident, "no-such-entry", author="bob", text="important")).spilled
    await freeze(recorder, frozen=False)
    assert await recorder.flush() == 0
    (entry,) = (await recorder.store.entries(incident))[1:]
    assert entry.kind is Kind.NOTE
    assert entry.text.startswith("important (amendment of no-such-entry could not be applied")


# Across processes

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from incident.entry import Draft
from incident.recorder import Recorder

async def main():
    recorder = await Recorder.open(Path(sys.argv[1]), directories=[Path(sys.argv[2])], busy_timeout=0.1)
    freeze = lambda connection: connection.execute("PRAGMA query_only = 1").fetchall()
    await recorder.store._database.run(freeze)
    for n in range(3):
        assert (await recorder.record(sys.argv[3], Draft(text=str(n), author="ops"))).spilled
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def killed_while_spilling(path: Path, spills: Path, incident: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, str(path), str(spills), incident)
    assert await process.wait() == -signal.SIGKILL


async def begun(path: Path, spills: Path) -> str:
    async with await Recorder.open(path, directories=[spills]) as recorder:
        return await declared(recorder)


async def test_what_a_killed_process_kept_aside_is_written_at_the_next_opening(path: Path, spills: Path) -> None:
    incident = await begun(path, spills)
    await killed_while_spilling(path, spills, incident)
    assert len(files(spills)) == 1
    await killed_while_spilling(path, spills, incident)
    async with await Recorder.open(path, directories=[spills]) as recorder:
        assert await texts(recorder, incident) == ["0", "1", "2", "0", "1", "2"]
        assert (await recorder.store.verify(incident)).ok
    assert files(spills) == []


async def test_replaying_twice_writes_once(path: Path, spills: Path) -> None:
    incident = await begun(path, spills)
    await killed_while_spilling(path, spills, incident)
    (file,) = files(spills)
    copy = file.read_bytes()
    async with await Recorder.open(path, directories=[spills]):
        pass
    write(file, copy)  # as if the process had died between the commit and the removal
    async with await Recorder.open(path, directories=[spills]) as recorder:
        assert await texts(recorder, incident) == ["0", "1", "2"]
    assert files(spills) == []


async def test_half_a_line_at_the_end_is_put_aside_and_the_rest_is_written(path: Path, spills: Path) -> None:
    incident = await begun(path, spills)
    await killed_while_spilling(path, spills, incident)
    (file,) = files(spills)
    write(file, file.read_bytes()[:-20])
    async with await Recorder.open(path, directories=[spills]) as recorder:
        assert await texts(recorder, incident) == ["0", "1"]
    (left,) = files(spills)
    assert left.suffix == ".damaged"


async def test_a_living_process_keeps_its_file(path: Path, spills: Path) -> None:
    async with await Recorder.open(path, directories=[spills]) as first:
        incident = await declared(first)
        await freeze(first, frozen=True)
        await first.record(incident, note("mine"))
        async with await Recorder.open(path, directories=[spills]) as second:
            assert await texts(second, incident) == []
            assert len(files(spills)) == 1
        await freeze(first, frozen=False)
        assert await first.flush() == 0
        assert await texts(first, incident) == ["mine"]


async def test_entries_for_an_incident_of_another_store_stay_in_their_file(path: Path, spills: Path) -> None:
    incident = await begun(path, spills)
    await killed_while_spilling(path, spills, incident)
    for file in path.parent.iterdir():
        file.unlink()
    async with await Recorder.open(path, directories=[spills]) as recorder:
        assert await recorder.store.incidents() == []
    assert len(files(spills)) == 1


async def test_a_file_that_somebody_else_put_there_is_not_a_memory_of_ours(path: Path, spills: Path) -> None:
    incident = await begun(path, spills)
    await killed_while_spilling(path, spills, incident)
    (file,) = files(spills)
    moved = file.rename(spills / "elsewhere")
    file.symlink_to(moved)
    if os.geteuid() == 0:
        foreign = spills / file.name.replace(".jsonl", "0.jsonl")
        write(foreign, moved.read_bytes())
        os.chown(foreign, 65534, 65534)
    before = files(spills)
    async with await Recorder.open(path, directories=[spills]) as recorder:
        assert await texts(recorder, incident) == []
    assert files(spills) == before


async def test_what_is_still_aside_at_the_end_is_left_for_the_next_process(path: Path, spills: Path) -> None:
    async with await Recorder.open(path, directories=[spills]) as recorder:
        incident = await declared(recorder)
        await freeze(recorder, frozen=True)
        await recorder.record(incident, note("a"))
    async with await Recorder.open(path, directories=[spills]) as recorder:
        assert await texts(recorder, incident) == ["a"]


def write(file: Path, data: bytes) -> None:
    file.write_bytes(data)


# Observations


def seen(level: str = "bad", fold: str | None = "payment") -> Draft:
    return Draft(text="BackOff", author="pods", fold=fold, level=level)


async def test_observations_are_folded_also_while_the_store_is_broken(recorder: Recorder) -> None:
    incident = await declared(recorder)
    await recorder.observe(incident, seen())
    await freeze(recorder, frozen=True)
    for _ in range(50):
        await recorder.observe(incident, seen("good"))
    assert len(recorder.pending) == 1, "a crash loop must not fill what little room there is"
    await freeze(recorder, frozen=False)
    assert await recorder.flush() == 0
    lines = Timeline(await recorder.store.entries(incident)).lines
    assert [(line.entry.level, line.count) for line in lines[1:]] == [("bad", 1), ("good", 50)]


async def test_what_was_seen_before_and_during_the_fault_is_one_line(recorder: Recorder) -> None:
    incident = await declared(recorder)
    for _ in range(3):
        await recorder.observe(incident, seen())
    await freeze(recorder, frozen=True)
    for _ in range(4):
        await recorder.observe(incident, seen())
    await recorder.observe(incident, seen(fold=None))
    await freeze(recorder, frozen=False)
    assert await recorder.flush() == 0
    folded = [line for line in Timeline(await recorder.store.entries(incident)).lines if line.entry.fold]
    assert [line.count for line in folded] == [7]
