"""Drills that nobody saw through: their console was killed, or left, and their platform is gone."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

from drill.private_directory import OWNER, PrivateDirectory
from incident.entry import Kind, Status
from incident.practice import LEFT, Practice, resolving, sealed
from incident.store import Store
from tests.drill.shell import document, fresh_user, warroom
from tests.unit.api_server import until
from tui.incident_choice import opened
from tui.journal import Journal
from tui.left_drills import end_left, settled, unfinished


async def declared(store: Store, title: str, platform: Path | str, *, drill: bool = True) -> str:
    practice = Practice(scenario="payment-release", opened_at=0, declared=True, platform=str(platform))
    incident = await store.declare(title=title, author="ada", drill=drill, kept=sealed(practice))
    return incident.id


async def test_only_a_drill_whose_platform_is_gone_from_this_machine_is_ended(tmp_path: Path) -> None:
    running, removed = PrivateDirectory(tmp_path), PrivateDirectory(tmp_path)
    removed.remove()
    copied = tmp_path / "gameday"  # of a platform on another machine
    copied.mkdir()
    (copied / OWNER).write_text(f"not-{socket.gethostname()}\n1\n")
    async with opened(tmp_path / "w.db") as store:
        kept = [
            await declared(store, "it runs", running.path),
            await declared(store, "a copy", copied),
            await declared(store, "nobody knows", ""),
            await declared(store, "a real one", removed.path, drill=False),
        ]
        left = await declared(store, "killed", removed.path)

        ended = await end_left(store, "ben")

        assert [one.id for one in ended] == [left]
        assert await end_left(store, "ben") == []
        assert {one.id for one in await store.incidents() if one.open} == {*kept}
        assert await unfinished(store, await store.incidents()) == {left}
        last = resolving(await store.of_kinds(left, (Kind.STATUS,)))
        assert last is not None
        assert (last.text, last.author) == (LEFT, "ben")
    running.remove()


async def test_commands_that_list_drills_end_them_first_and_say_so(tmp_path: Path) -> None:
    path, user = tmp_path / "w.db", fresh_user(tmp_path)
    async with opened(path) as store:
        gone = await declared(store, "killed", tmp_path / "nowhere")
        seen = await declared(store, "seen through", "")
        await store.set_status(seen, Status.RESOLVED, "ada")
        await store.declare(title="a real one", author="ada")

    told = await warroom(user, "--store", str(path), "incidents", "--json")
    listed = {one["id"]: one for one in json.loads(told.out)}
    assert [listed[gone]["status"], listed[gone]["unfinished"]] == ["RESOLVED", True]
    assert [listed[seen]["status"], listed[seen]["unfinished"]] == ["RESOLVED", False]
    assert [one for one in listed.values() if "unfinished" not in one and not one["drill"]]
    table = (await warroom(user, "--store", str(path), "incidents")).out
    assert "UNFINISHED" in next(line for line in table.splitlines() if line.startswith(gone))
    report = document(await warroom(user, "--store", str(path), "report", "--drills", "--json"))
    assert [person["finished"] for person in report["progress"]] == [0]  # neither keeps what is good


async def test_a_line_is_not_written_to_a_drill_that_was_killed(tmp_path: Path) -> None:
    path, user = tmp_path / "w.db", fresh_user(tmp_path)
    async with opened(path) as store:
        gone = await declared(store, "killed", tmp_path / "nowhere")
    logged = await warroom(user, "--store", str(path), "log", "is anybody there?")
    assert (logged.status, logged.out) == (2, "")
    assert "there is no open incident to write to" in logged.err
    async with opened(path, read_only=True) as store:
        assert [entry.text for entry in await store.entries(gone)][1:] == [LEFT]


async def test_a_console_that_joined_a_platform_leaves_its_incident_to_the_others(tmp_path: Path) -> None:
    async def heard(_lines: set[str] | None) -> None:
        """Nobody looks."""

    for shared in (True, False):
        path = tmp_path / f"{shared}.db"
        book = Journal(path, "ada", drill=True, shared=shared, clock=lambda: 1_700_000_000_000, changed=heard)
        await book.open()
        incident = await book.declare("Payments failing", 2, cluster="drill-prod", namespace="prod")
        await book.close()
        async with opened(path) as store:
            assert (await store.incident(incident.id)).open is shared


async def test_a_store_that_cannot_be_written_is_read_as_it_is(tmp_path: Path) -> None:
    await settled(tmp_path / "nowhere" / "w.db", "ada")
    assert not (tmp_path / "nowhere").exists()


async def test_a_drill_shows_and_meets_the_incidents_of_its_own_platform_only(tmp_path: Path) -> None:
    ours, before = Practice(scenario="s", opened_at=0, declared=False, platform=str(tmp_path / "p")), tmp_path / "q"
    async with opened(tmp_path / "w.db") as store:
        done = await declared(store, "the drill before", before)
        await store.set_status(done, Status.RESOLVED, "ada")
        book = Journal(tmp_path / "w.db", "ada", drill=True, clock=lambda: 0, changed=_unheard)
        book.practice = ours
        await book.open()
        assert book.incident is None  # and so nothing that is ill here is a relapse of that one
        assert not await book.is_here(await store.incident(done))
        following = asyncio.create_task(book.follow())
        await declared(store, "another drill beside this one", before)
        await declared(store, "the team's", tmp_path / "p")
        await until(lambda: book.incident is not None and book.incident.title == "the team's")
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await book.close()


async def _unheard(touched: set[str] | None) -> None:
    """Nothing is drawn here."""
