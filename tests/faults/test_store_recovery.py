"""A damaged store is set aside and what can be read is recovered: nothing is made up, and nothing is ever lost."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import sqlite3
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from incident.entry import Draft, Entry, Status
from incident.errors import StoreFault
from incident.recorder import Recorder
from incident.recovery import Recovery, damage_of, open_or_recover
from incident.store import Store

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "warroom.db"


async def filled(path: Path, count: int = 150, *, close: bool = True) -> tuple[str, list[Entry]]:
    """A store with one incident, some of whose entries are larger than a page; its id and entries."""
    store = await Store.open(path)
    incident = (await store.declare(title="Payments failing", author="Ada", severity=1, services=["core-api"])).id
    work = [
        Draft(text=f"entry {n} " * 20, author="Ada", evidence={"n": n, "pad": "x" * (9000 if n % 20 == 0 else 50)})
        for n in range(count)
    ]
    for draft in work:
        await store.append(incident, draft)
    await store.set_status(incident, Status.MITIGATING, "Ada")
    entries = await store.entries(incident)
    if close:
        await store.close()
    return incident, entries


async def recovered(path: Path) -> tuple[Recorder, Recovery]:
    recorder, recovery = await open_or_recover(path)
    assert recovery is not None
    return recorder, recovery


def overwrite(path: Path, page: int, count: int = 1) -> None:
    """As a bad disk does: garbage where pages were (counted from 1)."""
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(random.Random(page).randbytes(count * PAGE))  # noqa: S311


def content(path: Path) -> bytes:
    return path.read_bytes()


def size(path: Path) -> int:
    return path.stat().st_size


def beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir() if ".damaged-" in file.name)


async def check(path: Path, incident: str, before: list[Entry], recorder: Recorder, recovery: Recovery) -> None:
    """What must be true after any recovery."""
    verdict = await recorder.store.verify(incident)
    assert verdict.ok, verdict.reason
    *now, note = await recorder.store.entries(incident)
    told = {entry.id: entry for entry in before}
    for entry in now:
        if entry.id in told:  # as it was written, and under its own hash as long as nothing before it is missing
            was = told[entry.id]
            assert (entry.text, entry.happened_at, entry.recorded_at) == (was.text, was.happened_at, was.recorded_at)
            assert entry.evidence == was.evidence
    assert note.author == "warroom"
    assert recovery.damaged.name in note.text
    assert recovery.damaged.exists()
    assert stat.S_IMODE(recovery.path.stat().st_mode) == 0o600
    assert str(recovery.damaged) in recovery.sentence
    (one,) = recovery.incidents
    kept = {entry.id for entry in now}
    assert one.read == sum(entry.id in kept for entry in before)
    if one.certain:
        assert one.read + one.lost == len(before), "what could not be read is told exactly"
    else:
        assert "not known any more" in note.text


async def test_a_broken_first_page_costs_nothing(path: Path) -> None:
    incident, before = await filled(path)
    broken = content(path)
    overwrite(path, 1)
    damaged = content(path)
    recorder, recovery = await recovered(path)
    async with recorder:
        await check(path, incident, before, recorder, recovery)
        entries = await recorder.store.entries(incident)
        assert entries[:-1] == before, "every entry, with its number and its hash"
        assert "All 152 entries" in entries[-1].text
        now = await recorder.store.incident(incident)
        assert (now.status, now.services, now.severity) == (Status.MITIGATING, ("core-api",), 1)
        await recorder.record(incident, Draft(text="it goes on", author="Ada"))
        assert (await recorder.store.verify(incident)).ok
    assert content(recovery.damaged) == damaged != broken
    again, told = await open_or_recover(path)
    await again.close()
    assert told is None, "once is enough"


async def test_a_broken_page_in_the_middle_costs_what_was_on_it_and_the_rest_is_chained_behind(path: Path) -> None:
    incident, before = await filled(path)
    pages = size(path) // PAGE
    overwrite(path, pages // 2)
    recorder, recovery = await recovered(path)
    async with recorder:
        await check(path, incident, before, recorder, recovery)
        (one,) = recovery.incidents
        assert 0 < one.lost < 20
        entries = await recorder.store.entries(incident)
        gap = next(n for n, (was, now) in enumerate(zip(before, entries, strict=False)) if was.id != now.id)
        assert entries[:gap] == before[:gap]
        assert "Not read: number" in entries[-1].text
        assert entries[-1].evidence is not None
        anew = entries[-1].evidence["recovered"]["chained_anew"]
        by_id = {entry.id: entry for entry in before}
        assert anew == {name: {"seq": by_id[name].seq, "hash": by_id[name].hash} for name in anew}
        assert (await recorder.store.incident(incident)).status is Status.MITIGATING


@pytest.mark.parametrize("seed", range(6))
async def test_pages_broken_anywhere_never_make_anything_up(path: Path, seed: int) -> None:
    incident, before = await filled(path, 60)
    chance = random.Random(seed)  # noqa: S311
    pages = size(path) // PAGE
    for page in chance.sample(range(1, pages + 1), pages // 3):
        overwrite(path, page)
    damaged = content(path)
    recorder, recovery = await recovered(path)
    async with recorder:
        assert content(recovery.damaged) == damaged
        for found in await recorder.store.incidents():
            assert found.id == incident
            await check(path, incident, before, recorder, recovery)


async def test_a_store_that_was_cut_short_gives_what_is_left(path: Path) -> None:
    incident, before = await filled(path)
    os.truncate(path, size(path) // 2 + 100)
    recorder, recovery = await recovered(path)
    async with recorder:
        verdict = await recorder.store.verify(incident)
        assert verdict.ok, verdict.reason
        (one,) = recovery.incidents
        assert 30 < one.read < len(before)
        assert {entry.id for entry in before} > {entry.id for entry in (await recorder.store.entries(incident))[:-1]}


@pytest.mark.parametrize("emptied", [False, True])
async def test_what_was_only_in_the_log_is_recovered_from_it(path: Path, emptied: bool) -> None:
    incident, _ = await filled(path, 20)
    code = (
        "import asyncio, os, sys\nfrom pathlib import Path\nfrom incident.entry import Draft\n"
        "from incident.store import Store\n"
        "async def main():\n"
        "    store = await Store.open(Path(sys.argv[1]))\n"
        "    for n in range(5):\n"
        "        await store.append(sys.argv[2], Draft(text=f'late {n}', author='Ada'))\n"
        "    os._exit(0)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path), incident)
    assert await process.wait() == 0
    assert size(path.with_name("warroom.db-wal")) > 0
    if emptied:
        os.truncate(path, 0)
    else:
        overwrite(path, 1, size(path) // PAGE)
    recorder, _ = await recovered(path)
    async with recorder:
        texts = [entry.text for entry in await recorder.store.entries(incident)]
        assert (await recorder.store.verify(incident)).ok
    assert [f"late {n}" for n in range(5)] == [text for text in texts if text.startswith("late")]
    assert any(name.endswith("-wal") for name in beside(path)), "the log is kept with the file that it belongs to"


async def test_an_incident_whose_beginning_is_gone_still_has_its_title(path: Path) -> None:
    incident, before = await filled(path, 200)
    data = content(path)
    first = next(n for n in range(len(data) // PAGE) if before[0].hash.encode() in data[n * PAGE + 200 : (n + 1) * PAGE]
                 and data[n * PAGE] == 0x0D and b"Declared SEV 1" in data[n * PAGE : (n + 1) * PAGE])  # fmt: skip
    overwrite(path, first + 1)
    recorder, recovery = await recovered(path)
    async with recorder:
        found = await recorder.store.incident(incident)
        assert (await recorder.store.verify(incident)).ok
        assert (found.title, found.severity, found.status) == ("Payments failing", 1, Status.MITIGATING)
        (one,) = recovery.incidents
        assert one.read + one.lost == len(before)
        assert one.read > 150


@pytest.mark.parametrize(
    "garbage",
    [b"my notes about lunch" * 500, b"SQLite format 3\0" * 99, b"not a database"],
    ids=["notes", "header", "short"],
)
async def test_a_file_with_nothing_of_ours_in_it_is_left_where_it_is(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(garbage)
    with pytest.raises(StoreFault):
        await open_or_recover(path)
    assert content(path) == garbage
    assert beside(path) == []


async def test_another_programs_broken_database_is_left_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "bookmarks.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE bookmarks (url)")
    connection.executemany("INSERT INTO bookmarks VALUES (?)", [("https://example.com/" + "x" * 500,)] * 100)
    connection.close()
    overwrite(path, 2, 3)
    before = content(path)
    with pytest.raises(StoreFault):
        await open_or_recover(path)
    assert (content(path), beside(path)) == (before, [])


async def test_a_row_that_was_changed_by_hand_is_for_verify_and_not_damage(path: Path) -> None:
    incident, before = await filled(path, 3)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DROP TRIGGER entry_is_never_changed")
    connection.execute("UPDATE entry SET text = 'forged' WHERE seq = 2")
    connection.close()
    recorder, recovery = await open_or_recover(path)
    async with recorder:
        assert recovery is None
        assert (await recorder.store.verify(incident)).broken_id == before[1].id
    assert beside(path) == []


async def test_a_locked_store_is_not_a_damaged_one(path: Path) -> None:
    incident, before = await filled(path, 3)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    recorder, recovery = await open_or_recover(path)
    connection.execute("ROLLBACK")
    connection.close()
    async with recorder:
        assert recovery is None
        assert await recorder.store.entries(incident) == before


async def test_without_room_for_a_new_store_everything_stays_as_it_is(
    path: Path, limited: Callable[[int], None]
) -> None:
    await filled(path)
    overwrite(path, 1)
    before = content(path)
    limited(PAGE)
    with pytest.raises(StoreFault) as caught:
        await open_or_recover(path)
    limited(-1)
    assert str(caught.value).endswith(".")
    assert content(path) == before
    assert [file.name for file in path.parent.iterdir() if "damaged" in file.name or "part" in file.name] == []
    recorder, _ = await recovered(path)
    await recorder.close()


@pytest.fixture
def limited() -> Callable[[int], None]:
    """How large a file of this process may become: what a quota does. -1: as large as it was."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft if size < 0 else size, hard))

    return limit


async def test_several_processes_that_find_the_damage_at_once_recover_it_once(path: Path) -> None:
    incident, before = await filled(path)
    overwrite(path, 1)
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom incident.entry import Draft\n"
        "from incident.recovery import open_or_recover\n"
        "async def main():\n"
        "    recorder, _ = await open_or_recover(Path(sys.argv[1]))\n"
        "    assert (await recorder.record(sys.argv[2], Draft(text='after', author='Ada'))).entry\n"
        "    await recorder.close()\n"
        "asyncio.run(main())\n"
    )
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path), incident) for _ in range(3)
    ]
    assert [await process.wait() for process in processes] == [0, 0, 0]
    async with await Store.open(path) as store:
        entries = await store.entries(incident)
        assert (await store.verify(incident)).ok
    assert entries[: len(before)] == before
    assert [entry.text for entry in entries[len(before) + 1 :]] == ["after"] * 3
    assert len([name for name in beside(path) if "-" not in name.partition(".damaged-")[2]]) == 1


async def test_a_recovery_that_was_stopped_in_the_middle_is_finished_by_the_next(path: Path) -> None:
    incident, before = await filled(path, 30)
    overwrite(path, 1)
    half = path.with_name("warroom.db.damaged-20261123T140600Z")
    os.link(path, half)
    path.with_name("warroom.db.recovered.1.part").touch()
    recorder, recovery = await recovered(path)
    async with recorder:
        assert recovery.damaged == half
        assert (await recorder.store.entries(incident))[:-1] == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["warroom.db", half.name]


async def test_damage_is_named_and_a_sound_store_has_none(path: Path) -> None:
    assert damage_of(path) == ""
    await filled(path)
    assert damage_of(path) == ""
    overwrite(path, size(path) // PAGE // 2)
    assert damage_of(path)
