"""Two consoles and ten shells write to one store at once: nothing lost, nothing out of chain, everybody sees it.

Takes one second, or as many as WARROOM_SHARED_SECONDS says; then it prints what it measured (pytest -s).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from incident.entry import Draft, Entry, Status
from incident.instants import now_ms
from incident.store import Store
from tests.drill.shell import fresh_user, warroom
from tui.journal import Journal

SECONDS = float(os.environ.get("WARROOM_SHARED_SECONDS", "1"))
SHELLS = 10
LIMIT = 60.0  # seconds until something is called lost; what is measured is far below


class Screen:
    """A console without a terminal: its journal, and when each entry that others wrote was shown."""

    def __init__(self, path: Path, author: str) -> None:
        self.shown: dict[str, float] = {}
        self.journal = Journal(path, author, drill=False, clock=now_ms, changed=self._changed)
        self._grown = asyncio.Event()

    async def _changed(self, touched: set[str] | None) -> None:
        now = time.monotonic()
        for line_id in [line.id for line in self.journal.timeline.lines] if touched is None else touched:
            self.shown.setdefault(line_id, now)
        self._grown.set()

    async def shows(self, entry: str) -> float:
        """When it showed the entry, as soon as it does."""
        async with asyncio.timeout(LIMIT):
            while entry not in self.shown:
                self._grown.clear()
                await self._grown.wait()
        return self.shown[entry]


@asynccontextmanager
async def screen(path: Path, author: str) -> AsyncIterator[Screen]:
    found = Screen(path, author)
    await found.journal.open()
    following = asyncio.create_task(found.journal.follow())
    try:
        yield found
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await found.journal.close()


async def test_two_consoles_and_ten_shells_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, environ = tmp_path / "warroom.db", fresh_user(tmp_path)
    async with await Store.open(path) as store:
        incident = (await store.declare(title="Payments failing", author="Ada", severity=1)).id
    until = time.monotonic() + SECONDS
    delays: list[float] = []
    said: list[str] = []

    async def write(mine: Screen, other: Screen, name: str) -> None:
        n = 0
        while time.monotonic() < until:
            n += 1
            saved = await mine.journal.write(Draft(text=f"{name} {n}", author=name))
            assert saved.ok or saved.kept, saved.trouble
            said.append(f"{name} {n}")
            if saved.entry is not None:
                written = time.monotonic()
                delays.append(await other.shows(saved.entry.id) - written)

    async def shell(number: int) -> None:
        n = 0
        while time.monotonic() < until or n == 0:
            n += 1
            text = f"shell {number} says {n}"
            done = await warroom(environ, "--store", str(path), "log", text, limit=LIMIT)
            said.append(text)
            # A shell that found the store busy for too long has kept its line in a file; the next one brings it in.
            assert done.status == 0 or "is kept in" in done.err, done

    async with screen(path, "one") as one, screen(path, "other") as other:
        async with asyncio.TaskGroup() as group:
            group.create_task(write(one, other, "one"))
            group.create_task(write(other, one, "other"))
            for number in range(SHELLS):
                group.create_task(shell(number))
        # Whoever opens the store writes what others had to keep aside.
        assert (await warroom(environ, "--store", str(path), "log", "the last word")).status == 0
        await one.journal.flush()
        await other.journal.flush()
        entries = await one.journal.all_entries()
        for console in (one, other):
            await console.shows(entries[-1].id)
            assert {entry.id for entry in entries} <= console.shown.keys()
            assert len(console.journal.timeline) == len(entries)
    assert sorted(entry.text for entry in entries[1:]) == sorted([*said, "the last word"]), (
        "nothing lost, nothing twice"
    )
    in_order(entries, said)
    done = await warroom(environ, "--store", str(path), "verify", incident)
    assert (done.status, done.out) == (0, f"{incident}: ok, {len(entries)} entries\n")
    async with await Store.open(path) as store:
        assert (await store.incident(incident)).status is Status.INVESTIGATING
    with capsys.disabled():
        if "WARROOM_SHARED_SECONDS" in os.environ:
            slow = sorted(delays)
            print(
                f"\n{len(entries)} entries in {SECONDS:g} s; {len(delays)} of a console's were shown by the other "
                f"after {slow[len(slow) // 2] * 1000:.0f} ms (median), {slow[-1] * 1000:.0f} ms at most"
            )


def in_order(entries: list[Entry], said: list[str]) -> None:
    """What one writer wrote after another thing stands after it."""
    place = {entry.text: entry.seq for entry in entries}
    last: dict[str, int] = {}
    for text in said:
        writer = text.rpartition(" ")[0]
        assert place[text] > last.get(writer, 0)
        last[writer] = place[text]
