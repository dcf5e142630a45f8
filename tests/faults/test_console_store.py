"""The console beside a store that is locked, full, damaged or gone: what was typed is kept, told, and stored once."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drill.platform import Running, running
from incident.entry import Draft, Kind, Line, Source
from incident.store import Store
from tests.drill.shell import fresh_user, warroom
from tests.pilot.console_harness import Console, opened, options_for
from tui.screens.choose import ChooseScreen
from tui.screens.help import HelpScreen
from widgets.dialogs import EntryDialog
from widgets.entry_editor import EntryEditor

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE incident SET title = title")
print("held", flush=True)
sys.stdin.read()
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def path(tmp_path: Path) -> Path:
    """A store with an open incident and an entry of an hour ago."""
    path = tmp_path / "state" / "warroom.db"
    async with await Store.open(path) as store:
        await store.declare(title="Payments failing", author="tech-lead", severity=1)
    return path


@pytest_asyncio.fixture(loop_scope="module")
async def console(platform: Running, path: Path) -> AsyncIterator[Console]:
    async with opened(options_for(platform, path)) as found:
        yield found


async def run(console: Console, statement: str) -> None:
    """A statement on the console's own connection: how a disk's faults are made."""
    recorder = console.room.journal._recorder
    assert recorder is not None
    await recorder.store._database.run(lambda connection: connection.execute(statement).fetchall())


async def alter(path: Path, statement: str) -> None:
    """A statement of another process, which this console notices as it notices every other's."""

    def change() -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(statement)

    await asyncio.to_thread(change)


@contextlib.asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Another process holds the store's write lock."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLDER, str(path), stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    assert process.stdin is not None
    assert await process.stdout.readline() == b"held\n"
    try:
        yield
    finally:
        process.stdin.close()
        await process.wait()


@contextlib.asynccontextmanager
async def read_only(console: Console) -> AsyncIterator[None]:
    await run(console, "PRAGMA query_only = 1")
    yield
    await run(console, "PRAGMA query_only = 0")


@contextlib.asynccontextmanager
async def full(console: Console) -> AsyncIterator[None]:
    """Not one more page, as on a full disk."""
    await run(console, "PRAGMA max_page_count = 1")
    yield
    await run(console, "PRAGMA max_page_count = 1000000")


def written(console: Console, text: str) -> list[Line]:
    return [line for line in console.timeline if line.text == text]


def aside(console: Console) -> list[str]:
    """What is kept aside for the store."""
    recorder = console.room.journal._recorder
    assert recorder is not None
    return [one.draft.text for one in recorder.pending]


async def submit(console: Console, text: str) -> None:
    await console.press("escape", "n")
    await console.typed(text)
    await console.press("enter")
    await console.until(lambda: not console.desk.log_line.saving, f"an answer about {text!r}")


async def check_kept_aside(console: Console, text: str) -> None:
    """The line has let go of it, so that a second enter does not write it twice; and nobody can miss what is wrong."""
    await console.until(lambda: console.desk.log_line.value == "", f"{text!r} taken from the line")
    await console.says("NOT IN THE STORE")
    await console.says("kept aside")
    assert "✓ saved" not in console.text
    assert written(console, text) == []
    assert console.app.is_running


async def check_arrived_once(console: Console, path: Path, *texts: str) -> None:
    """Each is in the store and on the screen once, and the trouble is over."""
    await console.until(lambda: all(written(console, text) for text in texts), f"{texts!r} on the timeline")
    assert [len(written(console, text)) for text in texts] == [1] * len(texts)
    await console.until(lambda: "NOT IN THE STORE" not in console.text, "the banner quiet again")
    await console.until(lambda: "Log  ! kept aside" not in console.text, "the log line quiet again")
    async with await Store.open(path) as store:
        incident = await store.current()
        assert incident is not None
        entries = [entry.text for entry in await store.entries(incident.id)]
        assert [entries.count(text) for text in texts] == [1] * len(texts)
        assert (await store.verify(incident.id)).ok


async def test_a_store_that_another_process_holds_keeps_what_is_typed_aside_and_takes_it_once(
    console: Console, path: Path
) -> None:
    async with locked(path):
        await submit(console, "while it was locked")
        await check_kept_aside(console, "while it was locked")
        await console.says("locked")

    await submit(console, "after the lock")
    await check_arrived_once(console, path, "while it was locked", "after the lock")


async def test_a_read_only_store_keeps_every_line_aside_until_it_can_be_written(console: Console, path: Path) -> None:
    async with read_only(console):
        for text in ("first", "second"):
            await submit(console, text)
            await check_kept_aside(console, text)
        await console.says("read-only")

    await console.room.journal.flush()
    await check_arrived_once(console, path, "first", "second")


async def test_a_full_disk_loses_no_line(console: Console, path: Path) -> None:
    async with full(console):
        number = 1
        await submit(console, f"{number} " + "x" * 900)
        # What is left on the last pages. The first to find them full may have been a probe.
        while f"{number} " + "x" * 900 not in aside(console):
            number += 1
            await submit(console, f"{number} " + "x" * 900)
        await check_kept_aside(console, f"{number} " + "x" * 900)
        await console.says("full")

    await console.room.journal.flush()
    await check_arrived_once(console, path, *(f"{n} " + "x" * 900 for n in range(1, number + 1)))


async def test_a_long_entry_and_an_amendment_are_kept_aside_too(console: Console, path: Path) -> None:
    await console.write("to be amended")
    async with read_only(console):
        await console.press("ctrl+e")
        dialog = await console.on(EntryDialog)
        await console.typed("a long entry")
        await console.press("ctrl+s")
        await console.until(lambda: console.app.screen is not dialog, "the dialog closed")
        await console.tells("kept")
        await console.says("NOT IN THE STORE")

        await console.point_at("to be amended")
        await console.press("a")
        dialog = await console.on(EntryDialog)
        assert dialog.query_one(EntryEditor).original is not None
        await console.typed(" now")
        await console.press("ctrl+s")
        await console.until(lambda: console.app.screen is not dialog, "the dialog closed")

    await console.room.journal.flush()
    await check_arrived_once(console, path, "a long entry")
    await console.until(lambda: console.entry("now"), "the amendment")


async def test_a_store_that_vanishes_is_told_and_what_is_typed_is_kept_for_it(console: Console, path: Path) -> None:
    elsewhere = await asyncio.to_thread(path.rename, path.with_suffix(".elsewhere"))

    await submit(console, "into nowhere")
    await check_kept_aside(console, "into nowhere")
    assert "deleted or replaced" in console.room.journal.trouble

    await asyncio.to_thread(elsewhere.rename, path)
    await console.room.journal.flush()
    await check_arrived_once(console, path, "into nowhere")


async def test_what_probes_see_meanwhile_is_kept_as_well(console: Console, path: Path, platform: Running) -> None:
    async with read_only(console):
        await platform.platform.server.refuse()
        await console.until(lambda: any("lost" in text for text in aside(console)), "the loss kept aside")
        await console.says("NOT IN THE STORE")
        await platform.platform.server.accept()

    await console.room.journal.flush()
    line = await console.notes("connection to the cluster lost")
    assert (line.entry.source, line.entry.kind) == (Source.PROBE, Kind.OBSERVATION)


async def test_a_store_that_cannot_be_read_is_said_and_followed_again_once_it_can(console: Console, path: Path) -> None:
    await alter(path, "ALTER TABLE entry RENAME TO elsewhere")
    await console.says("NOT IN THE STORE")
    await console.press("1", "e")
    await console.on(ChooseScreen)
    await console.press("enter")
    await console.tells("no such table: entry")

    await alter(path, "ALTER TABLE elsewhere RENAME TO entry")
    async with await Store.open(path) as store:
        incident = await store.current()
        assert incident is not None
        await store.append(incident.id, Draft(text="from a shell", author="somebody"))
    await console.until(lambda: written(console, "from a shell"), "what another process wrote")
    await console.write("written after")
    await console.until(lambda: "NOT IN THE STORE" not in console.text, "the banner quiet again")
    await console.until(lambda: "Log  ! kept aside" not in console.text, "the log line quiet again")


async def test_a_list_of_incidents_that_cannot_be_read_is_said(console: Console, path: Path) -> None:
    await alter(path, "ALTER TABLE incident RENAME TO elsewhere")
    await console.press("1", "i")
    await console.tells("no such table: incident")


async def test_the_console_answers_its_keys_while_an_entry_waits_for_a_locked_store(
    console: Console, path: Path
) -> None:
    await run(console, "PRAGMA busy_timeout = 120000")  # however slow this machine is, it waits longer
    async with locked(path):
        await console.press("escape", "n")
        await console.typed("takes its time\n")
        await console.until(lambda: console.desk.log_line.saving, "the line submitted")
        await console.press("escape", "2", "question_mark")
        await console.on(HelpScreen)
        assert console.desk.log_line.saving  # all of that while the store was waited for
    await console.press("escape")
    await console.until(lambda: written(console, "takes its time"), "the line saved")


async def test_what_was_kept_aside_is_there_for_the_next_console(platform: Running, path: Path, tmp_path: Path) -> None:
    async with opened(options_for(platform, path)) as console:
        await run(console, "PRAGMA query_only = 1")
        await submit(console, "survives the console")
        await check_kept_aside(console, "survives the console")

    async with opened(options_for(platform, path)) as console:
        await check_arrived_once(console, path, "survives the console")
        incident = console.room.journal.incident
        assert incident is not None
    done = await warroom(fresh_user(tmp_path), "--store", str(path), "verify", incident.id)
    assert done.status == 0, done.err


async def test_a_damaged_store_is_left_alone_and_entries_go_to_one_beside_it(platform: Running, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged" / "warroom.db"
    damaged.parent.mkdir()
    damaged.write_bytes(content := b"this is no database, " * 500)
    async with opened(options_for(platform, damaged)) as console:
        await console.says("NOT IN THE STORE")
        await console.declare("It has to go on")
        await console.write("into the rescue store")
        await console.says("NOT IN THE STORE")  # the trouble stays on the screen while it lasts

    assert await asyncio.to_thread(damaged.read_bytes) == content
    async with await Store.open(damaged.with_name("warroom-rescue.db")) as kept:
        (incident,) = await kept.incidents()
        assert "into the rescue store" in [entry.text for entry in await kept.entries(incident.id)]


def break_first_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xff" * 4096)


async def test_a_damaged_store_is_told_and_what_it_held_is_on_the_screen(platform: Running, path: Path) -> None:
    break_first_page(path)
    async with opened(options_for(platform, path)) as console:
        await console.tells("warroom.db was damaged. It is kept as")
        await console.until(lambda: "Payments failing" in console.text, "the incident")
        assert "NOT IN THE STORE" not in console.text
        await console.write("it goes on")
    async with await Store.open(path) as kept:
        (incident,) = await kept.incidents()
        texts = [entry.text for entry in await kept.entries(incident.id)]
        assert (await kept.verify(incident.id)).ok
    assert texts[0] == "Declared SEV 1: Payments failing"
    assert "it goes on" in texts


async def test_an_export_that_cannot_be_written_is_told(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/proc")
    await console.press("1", "e")
    await console.on(ChooseScreen)
    await console.press("enter")

    assert "/proc/INC-" in await console.tells("not exported")
    assert console.app.is_running
