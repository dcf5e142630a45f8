"""The store keeps every entry, in a chain, privately, and tells others about it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from incident.chain import GENESIS
from incident.entry import Draft, Kind, Source, Status
from incident.errors import NoSuchEntry, NoSuchIncident, Refused, TooLong, Unusable
from incident.store import Store
from tests.unit.incident_entries import note
from tests.unit.incident_store import NOW, declared, path, store

__all__ = ["path", "store"]


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# The file


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
async def test_nobody_else_can_read_the_store_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        async with await Store.open(path) as store:
            await declared(store)
            found = {entry.name: permissions(entry) for entry in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert found == {"warroom.db": 0o600, "warroom.db-wal": 0o600, "warroom.db-shm": 0o600}
    assert permissions(path.parent) == 0o700


async def test_a_store_that_others_could_read_is_made_private_and_its_directory_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "warroom.db"
    path.touch(0o644)
    await asyncio.to_thread(tmp_path.chmod, 0o755)
    async with await Store.open(path):
        assert permissions(path) == 0o600
    assert permissions(tmp_path) == 0o755


async def test_commits_are_durable_and_the_file_says_whose_it_is(path: Path) -> None:
    async with await Store.open(path) as store:
        pragmas = await store._database.run(
            lambda connection: {
                name: connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys", "application_id")
            }
        )
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "application_id": 0x57415252}


async def test_the_file_itself_refuses_to_change_or_forget_entries(store: Store, path: Path) -> None:
    await declared(store)
    with sqlite3.connect(path) as other:
        for statement in ("UPDATE entry SET text = 'forged'", "DELETE FROM entry", "DELETE FROM incident"):
            with pytest.raises(sqlite3.IntegrityError):
                other.execute(statement)
    other.close()


async def test_a_closed_store_says_so(path: Path) -> None:
    store = await Store.open(path)
    incident = await declared(store)
    await store.close()
    await store.close()
    with pytest.raises(Unusable, match="closed"):
        await store.append(incident, note("text"))


# Incidents


async def test_an_incident_begins_with_its_declaration(store: Store) -> None:
    incident = await store.declare(
        title=" Payments  failing ", author="tech-lead", severity=2, cluster="aks-prod", namespace="prod"
    )
    assert incident.id.startswith("INC-20261123-1406-")
    assert (incident.title, incident.severity, incident.status) == ("Payments failing", 2, Status.INVESTIGATING)
    (entry,) = await store.entries(incident.id)
    assert (entry.kind, entry.seq, entry.previous_hash) == (Kind.DECLARED, 1, GENESIS)
    assert entry.text == "Declared SEV 2: Payments failing"
    assert entry.happened_at == entry.recorded_at == incident.declared_at
    assert await store.incident(incident.id) == incident


async def test_an_incident_can_be_declared_for_a_time_before(store: Store) -> None:
    incident = await store.declare(title="x", author="bob", happened_at=NOW - 3_600_000)
    assert incident.declared_at == NOW - 3_600_000
    assert incident.id.startswith("INC-20261123-1306-")


@pytest.mark.parametrize("severity", [0, 5, True])
async def test_a_severity_that_does_not_exist_is_refused(store: Store, severity: int) -> None:
    with pytest.raises(Refused, match="not a severity"):
        await store.declare(title="x", author="bob", severity=severity)
    assert await store.incidents() == []


async def test_an_incident_without_a_title_is_refused(store: Store) -> None:
    with pytest.raises(Refused, match="title is empty"):
        await store.declare(title=" \n", author="bob")


async def test_status_and_severity_are_entries_and_move_the_incident(store: Store) -> None:
    incident = await declared(store)
    await store.set_severity(incident, 1, "ic")
    await store.set_status(incident, Status.MITIGATING, "ic")
    resolved = await store.set_status(incident, Status.RESOLVED, "ic", text="fixed by rollback")
    found = await store.incident(incident)
    assert (found.severity, found.status, found.resolved_at) == (1, Status.RESOLVED, resolved.happened_at)
    texts = [entry.text for entry in await store.entries(incident)][1:]
    assert texts == ["Severity: SEV 1", "Status: MITIGATING", "fixed by rollback"]
    assert (await store.verify(incident)).ok


async def test_the_current_incident_is_the_newest_open_one_and_real_ones_come_before_drills(store: Store) -> None:
    assert await store.current() is None
    assert await store.latest() is None
    first, drill, second = await declared(store), await declared(store, drill=True), await declared(store)
    newest_drill = await declared(store, drill=True)

    async def current(drill: bool | None = None) -> str | None:
        found = await store.current(drill=drill)
        return None if found is None else found.id

    assert await current() == second
    assert await current(drill=True) == newest_drill
    await store.set_status(second, Status.RESOLVED, "bob")
    assert await current() == first
    await store.set_status(first, Status.RESOLVED, "bob")
    assert await current() == newest_drill
    assert await current(drill=False) is None
    assert [incident.id for incident in await store.incidents()] == [newest_drill, second, drill, first]
    latest = await store.latest()
    assert latest is not None
    assert latest.id == newest_drill


# Entries


async def test_what_was_appended_is_read_back_as_it_was_returned(store: Store) -> None:
    incident = await declared(store)
    draft = Draft(
        text="pin: log 14:09:12 «ünïcode» 中文",
        author="tech-lead",
        source=Source.PERSON,
        kind=Kind.PIN,
        happened_at=NOW - 1000,
        evidence={"z": 1, "a": [1.5, None, True, 2**70], "nested": {"ü": "\n"}},
        level="bad",
    )
    entry = await store.append(incident, draft)
    assert (await store.entries(incident))[-1] == entry
    assert list(entry.evidence or {}) == ["z", "a", "nested"], "an object reads as it came"
    assert (entry.happened_at, entry.seq) == (NOW - 1000, 2)
    assert entry.recorded_at > NOW


async def test_a_second_connection_sees_an_entry_as_soon_as_append_returns(store: Store, path: Path) -> None:
    entry = await store.append(await declared(store), note("x"))
    other = sqlite3.connect(path)
    assert other.execute("SELECT text FROM entry WHERE id = ?", (entry.id,)).fetchall() == [("x",)]
    other.close()


async def test_nothing_a_person_types_is_sql(store: Store) -> None:
    hostile = "'); DROP TABLE entry; --"
    incident = await store.declare(title=hostile, author=hostile, cluster=hostile, namespace=hostile)
    entry = await store.append(incident.id, Draft(text=hostile, author=hostile, evidence={hostile: hostile}))
    assert (await store.entries(incident.id))[-1] == entry
    with pytest.raises(NoSuchIncident):
        await store.entries(hostile)
    with pytest.raises(NoSuchEntry):
        await store.evidence(hostile)
    assert (await store.verify(incident.id)).ok


async def test_entries_can_be_read_in_portions_and_from_a_number_on(store: Store) -> None:
    incident = await declared(store)
    written = [await store.append(incident, note(str(n))) for n in range(5)]
    assert await store.entries(incident, after_seq=1) == written
    assert await store.entries(incident, after_seq=3, limit=2) == written[2:4]
    assert await store.entries(incident, after_seq=99) == []
    assert await store.entries(incident, limit=0) == []


async def test_evidence_can_stay_on_disk_until_somebody_asks_for_it(store: Store) -> None:
    incident = await declared(store)
    entry = await store.append(incident, Draft(text="pin", author="bob", evidence={"kind": "Pod"}))
    plain = await store.append(incident, note("text"))
    light = await store.entries(incident, evidence=False)
    assert [one.evidence for one in light] == [None, None, None]
    assert [one.has_evidence for one in light] == [True, True, False]
    assert await store.evidence(entry.id) == {"kind": "Pod"}
    assert await store.evidence(plain.id) is None
    with pytest.raises(NoSuchEntry):
        await store.evidence("nothing")


async def test_an_unknown_incident_is_said_to_be_unknown(store: Store) -> None:
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: store.append("INC-0", note("text")),
        lambda: store.entries("INC-0"),
        lambda: store.incident("INC-0"),
        lambda: store.verify("INC-0"),
        lambda: store.set_status("INC-0", Status.RESOLVED, "bob"),
    ]
    for call in calls:
        with pytest.raises(NoSuchIncident, match="INC-0"):
            await call()


async def test_too_long_a_text_is_refused_and_nothing_is_written(store: Store) -> None:
    incident = await declared(store)
    with pytest.raises(TooLong):
        await store.append(incident, note("x" * 100_000))
    assert len(await store.entries(incident)) == 1


# Amendments and retractions


async def test_an_amendment_says_all_that_holds_after_it(store: Store) -> None:
    incident = await declared(store)
    entry = await store.append(incident, note("restarted"))
    timed = await store.amend(incident, entry.id, author="bob", happened_at=NOW - 5000)
    assert (timed.text, timed.happened_at, timed.refers_to) == ("restarted", NOW - 5000, entry.id)
    worded = await store.amend(incident, entry.id, author="bob", text="rolled back")
    assert (worded.text, worded.happened_at) == ("rolled back", NOW - 5000)
    assert (await store.entries(incident))[1] == entry, "nothing is overwritten"


async def test_only_entries_of_the_incident_can_be_amended_or_retracted(store: Store) -> None:
    incident, other = await declared(store), await declared(store)
    elsewhere = await store.append(other, note("text"))
    for target in ("nothing", elsewhere.id):
        with pytest.raises(NoSuchEntry):
            await store.amend(incident, target, author="bob", text="x")
        with pytest.raises(NoSuchEntry):
            await store.retract(incident, target, author="bob", reason="x")


async def test_an_amendment_and_a_retraction_stand_as_they_are(store: Store) -> None:
    incident = await declared(store)
    entry = await store.append(incident, note("text"))
    amendment = await store.amend(incident, entry.id, author="bob", text="x")
    retraction = await store.retract(incident, entry.id, author="bob", reason="x")
    for target in (amendment, retraction):
        with pytest.raises(NoSuchEntry, match=f"amend or retract {entry.id}"):
            await store.retract(incident, target.id, author="bob", reason="x")


async def test_what_changed_the_incident_can_not_be_retracted(store: Store) -> None:
    incident = await declared(store)
    change = await store.set_severity(incident, 1, "bob")
    for entry in ((await store.entries(incident))[0], change):
        with pytest.raises(Refused, match="changed the incident itself"):
            await store.retract(incident, entry.id, author="bob", reason="x")


async def test_a_retraction_needs_a_reason(store: Store) -> None:
    incident = await declared(store)
    entry = await store.append(incident, note("text"))
    with pytest.raises(Refused, match="empty"):
        await store.retract(incident, entry.id, author="bob", reason=" ")


@pytest.mark.parametrize("kind", [Kind.AMENDMENT, Kind.RETRACTION, Kind.REPEAT, Kind.DECLARED])
async def test_a_draft_that_does_not_fit_the_chain_is_refused(store: Store, kind: Kind) -> None:
    incident = await declared(store)
    with pytest.raises(Refused):
        await store.append(incident, Draft(text="x", author="bob", kind=kind))
    assert len(await store.entries(incident)) == 1
