"""A store that was changed by hand is noticed; what it exports can be checked elsewhere."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from incident.entry import Draft, Status
from incident.export import to_json, to_markdown
from incident.store import Store
from incident.verify import verify_json
from tests.unit.incident_store import declared, path, store

__all__ = ["path", "store"]


async def tampered(path: Path, *statements: str) -> None:
    """Change the file as somebody would who knows SQL; the store must be closed."""
    with sqlite3.connect(path, isolation_level=None) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statements", "broken", "says"),
    [
        (("UPDATE entry SET text = 'forged' WHERE seq = 3",), 3, "was changed"),
        (("UPDATE entry SET happened_at = happened_at + 1 WHERE seq = 3",), 3, "was changed"),
        (("UPDATE entry SET happened_at = -1 WHERE seq = 3",), 3, "was changed"),
        (("UPDATE entry SET kind = 'nonsense' WHERE seq = 3",), 3, "was changed"),
        (("UPDATE entry SET evidence = '{\"n\": 8}' WHERE seq = 3",), 3, "was changed"),
        (("UPDATE entry SET evidence = '{' WHERE seq = 3",), 3, "was changed"),
        (("UPDATE entry SET evidence = NULL WHERE seq = 3",), 3, "was changed"),
        (("DELETE FROM entry WHERE seq = 3",), 4, "removed"),
        (("DELETE FROM entry WHERE seq = 3", "UPDATE entry SET seq = seq - 1 WHERE seq > 3"), 4, "replaced"),
        (("DELETE FROM entry WHERE seq > 3",), None, "The last 2 of 5 entries are missing."),
        (("UPDATE incident SET head_seq = 3",), None, "recorded end"),
        (("DELETE FROM entry",), None, "The last 5 of 5"),
        (("UPDATE incident SET title = 'forged'",), None, "title"),
        (("UPDATE incident SET severity = 4",), None, "severity"),
        (("UPDATE incident SET resolved_at = 1",), None, "resolved_at"),
    ],
)
async def test_a_store_that_was_changed_by_hand_is_noticed(
    path: Path, statements: tuple[str, ...], broken: int | None, says: str
) -> None:
    async with await Store.open(path) as store:
        incident = await declared(store)
        for n in range(4):
            await store.append(incident, Draft(text=str(n), author="bob", evidence={"n": n}))
        ids = [entry.id for entry in await store.entries(incident)]
    await tampered(path, *statements)
    async with await Store.open(path) as store:
        verdict = await store.verify(incident)
    assert not verdict.ok
    assert says in verdict.reason
    assert verdict.broken_id == (None if broken is None else ids[broken - 1])


async def test_an_export_of_a_store_verifies_and_its_review_can_be_made(store: Store) -> None:
    incident = await declared(store)
    entry = await store.append(incident, Draft(text="pin", author="bob", evidence={"password": "x", "n": 1.0}))
    await store.amend(incident, entry.id, author="bob", text="better")
    await store.set_status(incident, Status.RESOLVED, "bob")
    found, entries = await store.incident(incident), await store.entries(incident)
    text = to_json(found, entries)
    assert verify_json(text) == await store.verify(incident)
    assert json.loads(text)["entries"][1]["evidence"]["password"] == "«redacted»"
    assert entries[-1].hash in to_markdown(found, entries)
