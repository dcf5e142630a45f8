"""Several processes and tasks have one store open: the chain stays one, and everybody learns what was written."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from incident.entry import Entry
from incident.identity import named_id
from incident.recorder import Recorder
from incident.store import Store
from tests.unit.incident_entries import note
from tests.unit.incident_store import declared, path, store

__all__ = ["path", "store"]


async def test_own_entries_are_told_at_once_and_in_order(store: Store) -> None:
    incident = await declared(store)
    seen: list[Entry] = []

    async def follow() -> None:
        async for entries in store.changes(incident, after_seq=1, poll=60):
            seen.extend(entries)
            if len(seen) == 20:
                return

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(follow())
        written = [await store.append(incident, note(str(n))) for n in range(20)]
    assert seen == written


async def test_entries_of_another_process_are_told_without_being_asked_for(store: Store, path: Path) -> None:
    incident = await declared(store)
    changes = store.changes(incident)
    assert [entry.seq for entry in await anext(changes)] == [1]
    waiting = asyncio.ensure_future(anext(changes))
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from incident.entry import Draft\nfrom incident.store import Store\n"
        "async def main():\n"
        "    async with await Store.open(Path(sys.argv[1])) as store:\n"
        "        await store.append(sys.argv[2], Draft(text='from a shell', author='ops'))\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path), incident)
    async with asyncio.timeout(60):
        (entry,) = await waiting
    assert entry.text == "from a shell"
    assert await process.wait() == 0
    await changes.aclose()


async def test_watching_ends_when_the_store_is_closed(path: Path) -> None:
    store = await Store.open(path)
    changes = store.changes(await declared(store), after_seq=1, poll=60)
    waiting = asyncio.ensure_future(anext(changes, None))
    await asyncio.sleep(0)
    await store.close()
    async with asyncio.timeout(60):
        assert await waiting is None


WRITER = """
import asyncio, sys
from pathlib import Path
from incident.entry import Draft
from incident.identity import named_id
from incident.recorder import Recorder
from incident.store import Store

async def main():
    async with await Store.open(Path(sys.argv[1]), busy_timeout=30) as store:
        for n in range(int(sys.argv[3])):
            await store.append(sys.argv[2], Draft(text=f"{sys.argv[4]} {n}", author="ops"))

asyncio.run(main())
"""


async def test_several_processes_at_once_make_one_chain(path: Path) -> None:
    async with await Store.open(path, busy_timeout=30) as store:
        incident = await declared(store)
        processes = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, str(path), incident, "25", name)
            for name in ("a", "b", "c")
        ]
        own = [await store.append(incident, note(f"own {n}")) for n in range(25)]
        assert [await process.wait() for process in processes] == [0, 0, 0]
        entries = await store.entries(incident)
        verdict = await store.verify(incident)
    assert (verdict.ok, verdict.entries) == (True, 101)
    for name in ("a", "b", "c"):
        assert [entry.text for entry in entries if entry.text.startswith(name)] == [f"{name} {n}" for n in range(25)]
    assert [entry for entry in entries if entry.text.startswith("own")] == own


async def test_many_processes_may_create_the_store_at_the_same_moment(path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path\nfrom incident.store import Store\n"
        "async def main():\n"
        "    async with await Store.open(Path(sys.argv[1]), busy_timeout=30) as store:\n"
        "        await store.declare(title='x', author='y')\n"
        "asyncio.run(main())\n"
    )
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path)) for _ in range(5)]
    assert [await process.wait() for process in processes] == [0] * 5
    async with await Store.open(path) as store:
        assert len({incident.id for incident in await store.incidents()}) == 5


async def test_what_two_consoles_find_out_at_once_is_written_once(store: Store, path: Path) -> None:
    incident = await declared(store)
    name = named_id(1_800_000_000_000, f"{incident} missed")
    assert name == named_id(1_800_000_000_000, f"{incident} missed") != named_id(1_800_000_000_000, "another")
    consoles = [await Recorder.open(path) for _ in range(3)]
    found = await asyncio.gather(
        *(console.record(incident, note(f"missed, says {n}"), identity=name) for n, console in enumerate(consoles))
    )
    assert len({one.entry for one in found}) == 1
    assert {one.id for one in found} == {name}
    assert [entry.id for entry in await store.entries(incident)][1:] == [name]
    assert (await store.verify(incident)).ok
    for console in consoles:
        await console.close()
