"""Acts while the store fails, and after a console was killed: no act without a record, and no record that lies."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from incident.entry import Kind
from incident.recorder import Recorder
from incident.store import Store
from incident.timeline import Timeline
from runbook.errors import NotRecorded
from runbook.plan import Verdict
from runbook.record import intent_of
from tests.drill.shell import fresh_user, warroom
from tests.unit.act_drafts import intent, outcome, unsent
from tests.unit.incident_entries import note
from tests.unit.test_journal import journal
from tui.act_book import ActBook
from tui.journal import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "w.db"


@pytest.fixture
async def shown(path: Path) -> AsyncIterator[Journal]:
    """A journal that shows an open incident."""
    opened = journal(path)
    await opened.open()
    await opened.declare("Payments failing", 1, cluster="", namespace="")
    yield opened
    await opened.close()


@pytest.fixture
def book(shown: Journal) -> ActBook:
    return ActBook(shown)


def recorder(shown: Journal) -> Recorder:
    assert shown._recorder is not None
    return shown._recorder


@contextlib.asynccontextmanager
async def frozen(shown: Journal) -> AsyncIterator[None]:
    """SQLite refuses every write, as on a file system that was remounted."""

    async def set_to(value: int) -> None:
        statement = f"PRAGMA query_only = {value}"
        await recorder(shown).store._database.run(lambda connection: connection.execute(statement).fetchall())

    await set_to(1)
    yield
    await set_to(0)


def spilled(path: Path) -> list[Path]:
    return sorted(path.parent.glob("warroom-spill-*"))


async def in_store(shown: Journal) -> Timeline:
    assert shown.incident is not None
    store = recorder(shown).store
    assert (await store.verify(shown.incident.id)).ok
    return Timeline(await store.entries(shown.incident.id))


async def test_an_outcome_that_the_store_cannot_take_is_kept_and_completes_its_line_later(
    shown: Journal, book: ActBook, path: Path
) -> None:
    incident, entry = await book.intend(intent())
    async with frozen(shown):
        await book.conclude(incident, outcome(entry))
        assert "read-only" in shown.trouble
        assert len(spilled(path)) == 1
        assert await book.unfinished() == []  # it ended, wherever that is written by now
        (act,) = await book.acts()
        assert act.ending is not None
        assert act.ending.verdict == "worked"
    await shown.flush()
    timeline = await in_store(shown)
    line = timeline.get(entry)
    assert line is not None
    assert line.outcome == "worked after 12 s: 5 of 5 ready"
    assert (shown.trouble, spilled(path), timeline.unended) == ("", [], [])


async def test_an_intent_that_is_kept_in_a_file_is_durable_and_its_outcome_finds_it(
    shown: Journal, book: ActBook, path: Path
) -> None:
    async with frozen(shown):
        incident, entry = await book.intend(intent())
        (file,) = spilled(path)
        assert entry in file.read_text()
        assert "read-only" in shown.trouble
        (left,) = await book.unfinished()
        assert left.id == entry
        assert intent_of(left.evidence) is not None
    await book.conclude(incident, outcome(entry))
    line = (await in_store(shown)).get(entry)
    assert line is not None
    assert line.outcome == "worked after 12 s: 5 of 5 ready"
    assert spilled(path) == []


async def test_intent_and_outcome_that_were_both_kept_reach_the_store_in_order(
    shown: Journal, book: ActBook, path: Path
) -> None:
    async with frozen(shown):
        incident, entry = await book.intend(intent())
        await shown.write(note("meanwhile"))
        await book.conclude(incident, outcome(entry, Verdict.FAILED, "3 of 5 ready"))
        await book.conclude(incident, unsent())
        assert await book.unfinished() == []
    await shown.flush()
    assert shown.incident is not None
    kinds = [one.kind for one in await recorder(shown).store.entries(shown.incident.id)]
    assert kinds[1:] == [Kind.MITIGATION, Kind.NOTE, Kind.OUTCOME, Kind.MITIGATION]
    line = (await in_store(shown)).get(entry)
    assert line is not None
    assert (line.level, line.outcome) == ("bad", "did not work after 12 s: 3 of 5 ready")
    assert spilled(path) == []


async def test_an_intent_that_nothing_can_make_durable_is_refused_and_leaves_no_trace(
    shown: Journal, book: ActBook
) -> None:
    recorder(shown)._spill._directories = (Path("/nonexistent"),)
    async with frozen(shown):
        await shown.write(note("only in memory"))
        with pytest.raises(NotRecorded, match=r"nothing was sent: the intent cannot be put on disk.*read-only"):
            await book.intend(intent())
        assert shown.aside == 1
    await shown.flush()
    assert [line.text for line in (await in_store(shown)).lines][1:] == ["only in memory"]
    await book.intend(intent())  # as soon as the store works, acts do


# Killed

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.unit.act_drafts import intent, outcome, unsent
from tests.unit.test_journal import journal
from tui.act_book import ActBook

async def main():
    shown = journal(Path(sys.argv[1]))
    await shown.open()
    book = ActBook(shown)
    incident, done = await book.intend(intent("a1"))
    await book.conclude(incident, outcome(done))
    await book.conclude(incident, unsent())
    if sys.argv[2] == "frozen":
        freeze = lambda connection: connection.execute("PRAGMA query_only = 1").fetchall()
        await shown._recorder.store._database.run(freeze)
    _, left = await book.intend(intent("a2"))
    print(left, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def killed_after_its_intent(path: Path, how: str) -> str:
    """A console that is killed between intent and outcome; returns the intent's ID."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, str(path), how, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == -signal.SIGKILL
    return out.decode().strip()


@pytest.mark.parametrize("how", ["working", "frozen"])
async def test_the_next_start_finds_exactly_the_intent_that_a_killed_console_left(path: Path, how: str) -> None:
    async with await Store.open(path) as store:
        incident = (await store.declare(title="Payments failing", author="tech-lead")).id
    left = await killed_after_its_intent(path, how)
    assert len(spilled(path)) == (how == "frozen")

    again = journal(path)
    await again.open()
    (entry,) = await ActBook(again).unfinished()
    assert (entry.id, entry.incident) == (left, incident)
    found = intent_of(entry.evidence)
    assert found is not None
    assert found.plan.id == "a2"
    assert not found.ours
    assert not found.running_elsewhere
    assert [line.id for line in again.timeline.unended] == [left]
    assert (await in_store(again)).get(left) is not None
    await again.close()
    assert spilled(path) == []


async def test_an_intent_in_a_file_is_found_even_while_the_store_still_fails(path: Path) -> None:
    async with await Store.open(path) as store:
        await store.declare(title="Payments failing", author="tech-lead")
    left = await killed_after_its_intent(path, "frozen")
    kept = [(file, file.read_bytes()) for file in spilled(path)]
    again = journal(path)
    await again.open()
    async with frozen(again):
        for file, content in kept:  # as if the store had failed before it took them
            file.write_bytes(content)
        assert recorder(again)._spill.recover() == 1
        assert [entry.id for entry in await ActBook(again).unfinished()] == [left]
    await again.close()


async def test_an_incident_with_an_act_of_unknown_outcome_is_exported_and_verified(path: Path, tmp_path: Path) -> None:
    async with await Store.open(path) as store:
        incident = (await store.declare(title="Payments failing", author="tech-lead")).id
    await killed_after_its_intent(path, "working")
    user = fresh_user(tmp_path)
    review = await warroom(user, "--store", str(path), "export", incident)
    assert review.status == 0, review.err
    assert "outcome unknown" in review.out
    assert "## What Was Tried and Whether It Worked" in review.out
    data = tmp_path / "incident.json"
    assert (await warroom(user, "--store", str(path), "export", incident, "-o", str(data))).status == 0
    for what in (incident, str(data)):
        done = await warroom(user, "--store", str(path), "verify", what)
        assert done.status == 0, done.err
    logged = await warroom(user, "--store", str(path), "log", "looked", "at", "the", "cluster")
    assert logged.status == 0, logged.err
    listed = await warroom(user, "--store", str(path), "incidents")
    assert incident in listed.out
