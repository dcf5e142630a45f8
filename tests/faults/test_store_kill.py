"""Killed or cancelled at any instant: every acknowledged entry is in the store, and its chain is whole."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from incident.entry import Draft
from incident.store import Store

WRITER = """
import asyncio, sys
from pathlib import Path
from incident.entry import Draft
from incident.store import Store

async def main():
    async with await Store.open(Path(sys.argv[1]), busy_timeout=30) as store:
        n = 0
        while True:
            entry = await store.append(sys.argv[2], Draft(text=f"entry {n} " * 40, author="ops", evidence={"n": n}))
            print(entry.id, entry.hash, flush=True)
            n += 1

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "warroom.db"


async def begun(path: Path) -> str:
    """A closed store with one incident."""
    async with await Store.open(path) as store:
        return (await store.declare(title="x", author="bob")).id


async def test_whatever_was_acknowledged_before_a_kill_is_there_and_the_chain_is_whole(path: Path) -> None:
    chance = random.Random(20261123)  # noqa: S311
    incident = await begun(path)
    acknowledged: dict[str, str] = {}
    for _ in range(8):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(path), incident, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        # The instant is chosen by how much was acknowledged, and then by chance within the next entries.
        for _ in range(chance.randrange(1, 25)):
            said = (await process.stdout.readline()).split()
            acknowledged[said[0].decode()] = said[1].decode()
        await asyncio.sleep(chance.random() * 0.003)
        process.kill()
        rest, _ = await process.communicate()
        for line in rest.split(b"\n")[:-1]:  # the last may be half a line, and so was never read as one
            identity, digest = line.split()
            acknowledged[identity.decode()] = digest.decode()
        async with await Store.open(path) as store:
            verdict = await store.verify(incident)
            assert verdict.ok, verdict.reason
            found = {entry.id: entry.hash for entry in await store.entries(incident)}
        assert acknowledged.items() <= found.items()
    assert len(acknowledged) > 30


async def test_a_task_that_is_cancelled_while_it_appends_leaves_a_whole_entry_or_none(path: Path) -> None:
    chance = random.Random(7)  # noqa: S311
    incident = await begun(path)
    async with await Store.open(path) as store:
        for n in range(60):
            task = asyncio.ensure_future(store.append(incident, Draft(text=str(n), author="bob")))
            await asyncio.sleep(chance.random() * 0.001)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        verdict = await store.verify(incident)
        assert verdict.ok
        texts = [entry.text for entry in await store.entries(incident)][1:]
        assert texts == sorted(set(texts), key=int)


async def test_a_store_is_private_again_after_a_kill(path: Path) -> None:
    incident = await begun(path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), incident, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    process.kill()
    await process.communicate()
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_program_that_forgets_to_close_the_store_still_ends(path: Path) -> None:
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom incident.store import Store\n"
        "async def main():\n    await Store.open(Path(sys.argv[1]))\n    raise SystemExit(3)\n"
        "asyncio.run(main())\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], timeout=30, check=False).returncode == 3
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
