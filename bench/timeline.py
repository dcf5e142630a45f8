"""The timeline: opening one of 100,000 entries, and one durable append to it beside a bare SQLite insert."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.figures import Figure, median, seconds, versus
from incident import ledger
from incident.database import immediate
from incident.entry import Draft, Kind, Source
from incident.ledger import Stamp
from incident.recorder import Recorder
from incident.store import Store
from incident.timeline import Timeline
from tui import collector

ENTRIES = 100_000
OPEN_BAR = 1.0
APPEND_BAR = 3.0


def figures(*, quick: bool = False) -> Iterator[Figure]:
    yield from asyncio.run(_measured(3 if quick else 7, 50 if quick else 300))


async def _measured(openings: int, appends: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="warroom-bench-") as home:
        path = Path(home) / "store" / "warroom.db"
        incident = await _filled(path)
        opened = [await _open(path, incident) for _ in range(openings)]
        ours, bare = await _appends(path, incident, Path(home) / "bare.db", appends)
    held = median(opened) <= OPEN_BAR
    ratio = median(ours) / median(bare)
    beside = f"{versus(bare)} bare insert, WAL, synchronous=FULL"
    return [
        Figure(f"opening a timeline of {ENTRIES:,} entries", versus(opened), "", "", f"≤ {seconds(OPEN_BAR)}", held),
        Figure("one durable append to it", versus(ours), beside, f"{ratio:.2f}", "≤ 3", ratio <= APPEND_BAR),
    ]


async def _filled(path: Path) -> str:
    """A store with one incident of `ENTRIES`: notes, observations with evidence, amendments. In one transaction."""
    store = await Store.open(path)
    incident = await store.declare(title="A long night", author="bench")
    await store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection, immediate(connection):
        for number in range(ENTRIES - 1):
            probe = number % 3 == 0
            draft = Draft(
                text=f"entry {number}: payment-service unhealthy, {number % 4} of 3 ready",
                author="probe" if probe else "tech-lead",
                source=Source.PROBE if probe else Source.PERSON,
                kind=Kind.OBSERVATION if probe else Kind.NOTE,
                evidence={"pods": number % 7} if probe else None,
            )
            ledger.append(connection, incident.id, draft, Stamp.at(incident.declared_at + number))
    return incident.id


async def _open(path: Path, incident: str) -> float:
    """Seconds from opening the store to a timeline that can be shown; the console does exactly this.

    It holds the garbage collector while it starts, and so does this.
    """
    collector.hold()
    before = time.perf_counter()
    store = await Store.open(path)
    timeline = Timeline(await store.entries(incident, evidence=False))
    took = time.perf_counter() - before
    collector.release()
    assert len(timeline.lines) == ENTRIES
    await store.close()
    return took


async def _appends(path: Path, incident: str, bare_path: Path, times: int) -> tuple[list[float], list[float]]:
    """Seconds of each append through the console's recorder, and of each bare insert of as much text, in turn."""
    ours, bare = [], []
    with closing(sqlite3.connect(bare_path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT)")
        async with await Recorder.open(path) as recorder:
            for number in range(times):
                text = f"entry {number}: what somebody typed in the middle of the night" + "." * 400
                before = time.perf_counter()
                connection.execute("INSERT INTO entry (text) VALUES (?)", (text,))
                between = time.perf_counter()
                await recorder.record(incident, Draft(text=text[:60], author="tech-lead"))
                ours.append(time.perf_counter() - between)
                bare.append(between - before)
    return ours, bare
