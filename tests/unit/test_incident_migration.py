"""A store that an older warroom wrote becomes a current one: nothing changes in it, and a copy stays beside it."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from incident.entry import Draft, Status
from incident.errors import Older, StoreFault
from incident.export import to_json
from incident.schema import STEPS
from incident.store import Store
from incident.transfer import import_export
from incident.verify import verify_file
from tests.drill.shell import fresh_user, warroom
from tui.incident_choice import opened

HERE = Path(__file__).parent
# Both were written by warroom when its store had version 1: a real incident with something of everything, and a drill.
OLD_STORE = (HERE / "store-version-1.sql").read_text()
OLD_EXPORT = HERE / "export-of-store-version-1.json"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "warroom.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD_STORE)
        connection.execute("PRAGMA journal_mode = WAL")
    path.chmod(0o600)
    return path


def rows(path: Path, columns: str, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(f"SELECT {columns} FROM {table} ORDER BY id").fetchall()  # noqa: S608


def version(path: Path) -> int:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir() if not file.name.endswith(("-wal", "-shm")))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def limit(size: int) -> None:
    """How large a file of this process may become, as with a quota; -1: as large as it likes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


OLD = "id, title, severity, status, declared_at, resolved_at, drill, cluster, namespace, head_seq, head_hash"


async def test_nothing_in_it_changes_and_it_goes_on(path: Path) -> None:
    incidents, entries = rows(path, OLD, "incident"), rows(path, "*", "entry")
    async with await Store.open(path) as store:
        for incident in await store.incidents():
            verdict = await store.verify(incident.id)
            assert verdict.ok, verdict.reason
            assert (incident.services, incident.impact, incident.facts, incident.roles) == ((), "", {}, {})
        (real,) = [incident for incident in await store.incidents() if not incident.drill]
        assert to_json(real, await store.entries(real.id)).splitlines()[2:] == OLD_EXPORT.read_text().splitlines()[2:]
    assert (rows(path, OLD, "incident"), rows(path, "*", "entry")) == (incidents, entries)
    async with await Store.open(path) as store:
        await store.set_status(real.id, Status.INVESTIGATING, "Ada", text="It is back.")
        await store.set_role(real.id, "scribe", "Ada", "Ada")
        await store.append(real.id, Draft(text="at work", author="Ada"))
        assert (await store.verify(real.id)).ok


async def test_a_private_copy_of_it_stays_beside_it_and_opens_as_what_it_was(path: Path) -> None:
    entries = rows(path, "*", "entry")
    async with await Store.open(path) as store:
        copy = path.with_name("warroom.db.v1-backup")
        assert store.copied_to == copy
    assert files(path) == ["warroom.db", "warroom.db.v1-backup"]
    assert (version(path), version(copy), mode(copy)) == (len(STEPS), 1, 0o600)
    assert rows(copy, "*", "entry") == entries
    async with await Store.open(path) as store:
        assert store.copied_to is None
    assert files(path) == ["warroom.db", "warroom.db.v1-backup"]


async def test_what_was_still_in_the_log_is_in_the_copy_too(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:  # open, so that nobody empties the log
        writer.execute("UPDATE incident SET title = 'from the log' WHERE drill = 1")
        async with await Store.open(path) as store:
            assert store.copied_to is not None
            assert "from the log" in [row[0] for row in rows(store.copied_to, "title", "incident")]


async def test_a_copy_that_is_there_already_is_never_overwritten(path: Path) -> None:
    path.with_name("warroom.db.v1-backup").write_text("mine")
    async with await Store.open(path) as store:
        assert store.copied_to == path.with_name("warroom.db.v1-backup-2")
    assert path.with_name("warroom.db.v1-backup").read_text() == "mine"


async def test_without_room_for_a_copy_nothing_is_changed(path: Path) -> None:
    entries = rows(path, "*", "entry")
    limit(8192)
    try:
        with pytest.raises(StoreFault) as caught:
            await Store.open(path)
    finally:
        limit(-1)
    assert str(caught.value).endswith(".")
    assert (version(path), files(path), rows(path, "*", "entry")) == (1, ["warroom.db"], entries)
    await (await Store.open(path)).close()
    assert version(path) == len(STEPS)


async def test_processes_that_open_it_at_once_bring_it_up_to_date_once(path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path\nfrom incident.store import Store\n"
        "from incident.entry import Draft\n"
        "async def main():\n"
        "    async with await Store.open(Path(sys.argv[1]), busy_timeout=30) as store:\n"
        "        await store.append((await store.current()).id, Draft(text='here', author='Ada'))\n"
        "asyncio.run(main())\n"
    )
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path)) for _ in range(4)]
    assert [await process.wait() for process in processes] == [0] * 4
    assert files(path) == ["warroom.db", "warroom.db.v1-backup"]
    async with await Store.open(path) as store:
        current = await store.current()
        assert current is not None
        assert (await store.verify(current.id)).ok
        assert [entry.text for entry in await store.entries(current.id)].count("here") == 4


async def test_a_command_that_only_reads_brings_it_up_to_date_and_says_so(path: Path, tmp_path: Path) -> None:
    with pytest.raises(Older):
        await Store.open(path, read_only=True)
    environ = fresh_user(tmp_path)
    done = await warroom(environ, "--store", str(path), "incidents")
    assert done.status == 0
    assert "Payments failing" in done.out
    assert "was brought up to date; as it was before, it is kept as" in done.err
    done = await warroom(environ, "--store", str(path), "incidents")
    assert (done.status, done.err) == (0, "")


async def test_an_export_of_then_verifies_and_comes_back(tmp_path: Path) -> None:
    assert verify_file(OLD_EXPORT).ok
    async with await Store.open(tmp_path / "other.db") as store:
        imported = await import_export(store, OLD_EXPORT.read_text())
        assert imported.added == 7
        assert (await store.verify(imported.incident.id)).ok


async def test_where_nothing_can_be_written_it_is_left_and_says_what_to_do(path: Path) -> None:
    closed = Path(tempfile.mkdtemp(prefix="warroom-migration-"))
    there = Path(shutil.copy(path, closed))
    with unprivileged(closed, there), pytest.raises(Older, match="Do that on a copy"):
        async with opened(there, read_only=True):
            pass
    assert version(there) == 1
    shutil.rmtree(closed)


@contextmanager
def unprivileged(directory: Path, file: Path) -> Iterator[None]:
    """As a user who may read both and write neither. File modes mean nothing to root."""
    file.chmod(0o444)
    directory.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        directory.chmod(0o700)
