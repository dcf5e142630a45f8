"""A store on a full, read-only or broken disk, locked by others or pulled away says so, and loses nothing it had."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from incident.entry import Draft, Entry
from incident.errors import (
    Damaged,
    DiskFull,
    Locked,
    Missing,
    Older,
    ReadOnly,
    StoreError,
    StoreFault,
    Unusable,
    Vanished,
)
from incident.store import Store

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "warroom.db"


def note(text: str = "text") -> Draft:
    return Draft(text=text, author="tech-lead")


async def filled(path: Path, count: int = 3) -> tuple[str, list[Entry]]:
    """A closed store with one incident; its id and entries."""
    async with await Store.open(path) as store:
        incident = (await store.declare(title="x", author="bob")).id
        for n in range(count):
            await store.append(incident, Draft(text=f"{n} " * 50, author="bob", evidence={"n": n, "pad": "x" * 200}))
        return incident, await store.entries(incident)


@contextlib.contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """No file of this process may grow beyond ``limit`` bytes: what a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """File modes mean nothing to root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that an unprivileged user reaches; pytest's own are below one that is closed to others."""
    directory = Path(tempfile.mkdtemp(prefix="warroom-faults-"))
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
    yield directory
    directory.chmod(0o700)
    shutil.rmtree(directory)


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA locking_mode = " + sys.argv[2])
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE incident SET title = title")
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.asynccontextmanager
async def held(path: Path, *, exclusive: bool) -> AsyncIterator[None]:
    """Another process holds the store: its write lock, or all of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLDER,
        str(path),
        "exclusive" if exclusive else "normal",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert await process.stdout.readline() == b"held\n"
    try:
        yield
    finally:
        process.stdin.close()
        await process.wait()


def tells_what_to_do(error: StoreError) -> bool:
    """A sentence or more, that a person can act on; no code names, no Python."""
    text = str(error)
    return text.endswith(".") and len(text) > 60 and "Error" not in text and "None" not in text


async def fill_up(store: Store, incident: str, written: list[Entry]) -> None:
    """Append until the store refuses, which it must."""
    while len(written) < 1000:
        written.append(await store.append(incident, note("x" * 3000)))


async def use(path: Path, incident: str | None = None) -> None:
    """Open, read, write, close."""
    async with await Store.open(path) as store:
        if incident is None:
            incident = (await store.declare(title="x", author="bob")).id
        await store.entries(incident)
        await store.append(incident, note())


def size(path: Path) -> int:
    return path.stat().st_size


def content(path: Path) -> bytes:
    return path.read_bytes()


def change(path: Path, at: int, data: bytes) -> None:
    """Overwrite a part of a file that nobody has open."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def modes(directory: Path, directory_mode: int, path: Path | None = None, file_mode: int = 0) -> None:
    if path is not None:
        path.chmod(file_mode)
    directory.chmod(directory_mode)


def pull_away(path: Path, *, replaced: bool) -> None:
    path.unlink()
    if replaced:
        path.touch()


# Full


async def test_a_full_disk_is_told_and_everything_before_is_there(path: Path) -> None:
    incident, before = await filled(path)
    async with await Store.open(path) as store:
        await store._database.run(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchall())
        with pytest.raises(DiskFull, match="is full") as caught:
            await fill_up(store, incident, before)
        assert tells_what_to_do(caught.value)
        assert await store.entries(incident) == before
        await store._database.run(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchall())
        before.append(await store.append(incident, note("there is room again")))
        assert (await store.verify(incident)).ok
        assert await store.entries(incident) == before


async def test_a_quota_in_the_middle_of_a_transaction_leaves_the_chain_whole(path: Path) -> None:
    incident, before = await filled(path)
    async with await Store.open(path) as store:
        await store.append(incident, note())
        limit = size(path.with_name("warroom.db-wal")) + 20_000
        with file_size_limit(limit), pytest.raises(StoreFault) as caught:
            await fill_up(store, incident, before)
        assert tells_what_to_do(caught.value)
        await store.append(incident, note("there is room again"))
        verdict = await store.verify(incident)
        assert (verdict.ok, verdict.entries) == (True, len(before) + 2)


# Read-only


async def test_a_directory_that_may_not_be_written_is_told(public: Path) -> None:
    modes(public, 0o555)
    with unprivileged(), pytest.raises(ReadOnly, match="cannot be created") as caught:
        await Store.open(public / "warroom.db")
    assert tells_what_to_do(caught.value)
    with unprivileged(), pytest.raises(ReadOnly):
        await Store.open(public / "deep" / "warroom.db")


@pytest.mark.parametrize(("file_mode", "directory_mode"), [(0o400, 0o700), (0o400, 0o500), (0o600, 0o500)])
async def test_a_store_that_may_not_be_written_is_told_and_left_as_it_is(
    public: Path, file_mode: int, directory_mode: int
) -> None:
    path = public / "warroom.db"
    with unprivileged():
        await filled(path)
        before = content(path)
        modes(public, directory_mode, path, file_mode)
        with pytest.raises(ReadOnly, match="read-only") as caught:
            await use(path)
        assert tells_what_to_do(caught.value)
        assert content(path) == before


async def test_a_directory_in_the_place_of_the_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="is not a file"):
        await Store.open(tmp_path)
    with pytest.raises(Unusable) as caught:
        await Store.open(Path("/dev/null/warroom.db"))
    assert tells_what_to_do(caught.value)


@pytest.mark.parametrize(("file_mode", "directory_mode"), [(0o400, 0o700), (0o400, 0o500), (0o600, 0o700)])
async def test_a_store_can_be_opened_only_to_read_where_nobody_may_write(
    public: Path, file_mode: int, directory_mode: int
) -> None:
    path = public / "warroom.db"
    with unprivileged():
        incident, before = await filled(path)
        found = content(path)
        modes(public, directory_mode, path, file_mode)
        async with await Store.open(path, read_only=True) as store:
            assert await store.entries(incident) == before
            assert (await store.verify(incident)).ok
            with pytest.raises(ReadOnly):
                await store.append(incident, note())
        assert content(path) == found


async def test_a_store_on_a_full_disk_can_still_be_exported(path: Path) -> None:
    incident, before = await filled(path)
    with file_size_limit(0):
        async with await Store.open(path, read_only=True) as store:
            assert await store.entries(incident) == before


async def test_a_store_that_is_being_written_can_be_read_by_who_only_reads(path: Path) -> None:
    incident, before = await filled(path)
    async with await Store.open(path) as writer, await Store.open(path, read_only=True) as reader:
        before.append(await writer.append(incident, note()))
        assert await reader.entries(incident) == before


async def test_opening_only_to_read_creates_and_migrates_nothing(path: Path, tmp_path: Path) -> None:
    with pytest.raises(Missing, match="There is no store"):
        await Store.open(path, read_only=True)
    assert not path.parent.exists()
    empty = tmp_path / "empty.db"
    sqlite3.connect(empty).close()
    with pytest.raises(Older, match="older warroom") as caught:
        await Store.open(empty, read_only=True)
    assert tells_what_to_do(caught.value)
    assert content(empty) == b""


# Locked


async def test_a_store_whose_write_lock_is_held_can_be_read_and_says_that_it_waits_no_longer(path: Path) -> None:
    incident, before = await filled(path)
    async with await Store.open(path, busy_timeout=0.1) as store:
        async with held(path, exclusive=False):
            with pytest.raises(Locked, match="locked") as caught:
                await store.append(incident, note())
            assert tells_what_to_do(caught.value)
            assert await store.entries(incident) == before
        await store.append(incident, note())
        assert (await store.verify(incident)).ok


async def test_a_store_that_another_process_has_all_for_itself_is_told_at_opening(path: Path) -> None:
    await filled(path)
    async with held(path, exclusive=True):
        with pytest.raises(Locked) as caught:
            await Store.open(path, busy_timeout=0.1)
        assert tells_what_to_do(caught.value)
    async with await Store.open(path) as store:
        assert len(await store.incidents()) == 1


async def test_a_short_lock_is_waited_for(path: Path) -> None:
    incident, _ = await filled(path)
    async with await Store.open(path, busy_timeout=30) as store:
        async with held(path, exclusive=False):
            waiting = asyncio.ensure_future(store.append(incident, note()))
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            assert (await waiting).seq == 5


# Damaged


@pytest.mark.parametrize("garbage", [b"not a database, but long enough for a header" * 50, b"SQLite format 3\0" * 99])
async def test_a_file_that_is_no_database_is_told_and_left_as_it_is(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "warroom.db"
    with path.open("wb") as file:
        file.write(garbage)
    with pytest.raises(StoreFault) as caught:
        await Store.open(path)
    assert tells_what_to_do(caught.value)
    assert content(path) == garbage


@pytest.mark.parametrize("seed", range(12))
async def test_garbage_in_the_middle_is_told_or_does_no_harm_but_never_changes_what_is_read(
    path: Path, seed: int
) -> None:
    incident, before = await filled(path, 120)
    chance = random.Random(seed)  # noqa: S311
    change(path, chance.randrange(4096, size(path) - 2000), chance.randbytes(2000))
    try:
        async with await Store.open(path) as store:
            if (await store.verify(incident)).ok:
                assert await store.entries(incident) == before
    except StoreFault as error:
        fault = error
    else:
        return
    assert tells_what_to_do(fault)


async def test_a_damaged_page_is_told_as_damage(path: Path) -> None:
    incident, _ = await filled(path, 120)
    change(path, 2 * 4096, b"\xff" * (size(path) - 2 * 4096))
    with pytest.raises(Damaged, match="is damaged") as caught:
        await use(path, incident)
    assert tells_what_to_do(caught.value)


async def test_a_store_that_was_cut_short_is_told(path: Path) -> None:
    incident, _ = await filled(path, 120)
    os.truncate(path, size(path) // 2)
    with pytest.raises(StoreFault) as caught:
        await use(path, incident)
    assert tells_what_to_do(caught.value)


# Pulled away


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_store_that_was_deleted_or_replaced_takes_no_more_and_can_still_be_read(
    path: Path, replaced: bool
) -> None:
    incident, before = await filled(path)
    async with await Store.open(path) as store:
        pull_away(path, replaced=replaced)
        with pytest.raises(Vanished, match="deleted or replaced") as caught:
            await store.append(incident, note())
        assert tells_what_to_do(caught.value)
        assert await store.entries(incident) == before
