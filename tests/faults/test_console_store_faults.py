"""The console beside a store that is locked, damaged or left behind: it goes on, and so do its entries."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drill.platform import Running, running
from incident.store import Store
from tests.drill.shell import fresh_user, warroom
from tests.pilot.console_harness import Console, opened, options_for
from tui.screens.help import HelpScreen

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running() as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "state" / "warroom.db"


@pytest.fixture
def damaged(store: Path) -> bytes:
    """What is in the store's file, and is no database."""
    store.parent.mkdir()
    store.write_bytes(content := b"this is no database, " * 500)
    return content


@pytest_asyncio.fixture(loop_scope="module")
async def console(platform: Running, store: Path) -> AsyncIterator[Console]:
    async with opened(options_for(platform, store)) as found:
        await found.declare()
        await found.notes("already")
        yield found


@contextlib.asynccontextmanager
async def locked(store: Path) -> AsyncIterator[None]:
    """Another process in the middle of a long transaction."""
    other = await asyncio.to_thread(sqlite3.connect, store, isolation_level=None, check_same_thread=False)
    try:
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        yield
    finally:
        await asyncio.to_thread(other.close)


async def pragma(console: Console, statement: str) -> None:
    """Change what SQLite may do on the console's own connection."""
    recorder = console.room.journal._recorder
    assert recorder is not None
    await recorder.store._database.run(lambda connection: connection.execute(f"PRAGMA {statement}").fetchall())


async def submit(console: Console, text: str) -> None:
    await console.press("n")
    await console.typed(f"{text}\n")
    await console.until(lambda: console.desk.log_line.saving or not console.desk.log_line.value, "the line submitted")


async def test_the_console_answers_its_keys_while_an_entry_waits_for_a_locked_store(
    console: Console, store: Path
) -> None:
    async with locked(store):
        await submit(console, "takes its time")
        assert console.desk.log_line.saving
        await console.press("escape", "2", "question_mark")
        await console.on(HelpScreen)
        assert console.desk.log_line.saving  # all of that while the store was waited for
        await console.press("escape")
        await console.until(lambda: console.room.journal.aside, "the line kept aside")


async def test_what_was_kept_aside_is_there_for_the_next_console(
    platform: Running, store: Path, tmp_path: Path
) -> None:
    async with opened(options_for(platform, store)) as console:
        await console.declare()
        await pragma(console, "query_only = 1")
        await submit(console, "survives the console")
        await console.says("kept aside")

    async with opened(options_for(platform, store)) as console:
        await console.notes("^survives the console$")
        assert sum(line.text == "survives the console" for line in console.timeline) == 1
        incident = console.room.journal.incident
        assert incident is not None
    done = await warroom(fresh_user(tmp_path), "--store", str(store), "verify", incident.id)
    assert done.status == 0, done.err


async def test_a_damaged_store_is_left_alone_and_entries_go_to_one_beside_it(
    platform: Running, store: Path, damaged: bytes
) -> None:
    async with opened(options_for(platform, store)) as console:
        await console.says("NOT IN THE STORE")
        await console.declare("It has to go on")
        await console.write("into the rescue store")
        await console.says("NOT IN THE STORE")  # the trouble stays on the screen while it lasts

    assert await asyncio.to_thread(store.read_bytes) == damaged
    rescue = store.with_name("warroom-rescue.db")
    async with await Store.open(rescue) as kept:
        (incident,) = await kept.incidents()
        assert "into the rescue store" in [entry.text for entry in await kept.entries(incident.id)]


async def test_an_export_that_cannot_be_written_is_told(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/proc")
    await console.press("e")

    assert "/proc/INC-" in await console.tells("not exported")
    assert console.app.is_running
