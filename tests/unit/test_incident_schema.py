"""Every older store becomes a current one; what is not ours, or newer than we are, is left as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.errors import Foreign, Newer
from incident.schema import APPLICATION_ID, STEPS, migrate
from incident.store import Store

Connection = sqlite3.Connection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warroom.db"


@pytest.fixture
def connection(path: Path) -> Iterator[Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


def version(connection: Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def schema(connection: Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


@pytest.mark.parametrize("older", range(len(STEPS) + 1))
async def test_a_store_of_every_older_version_becomes_a_current_one(path: Path, older: int) -> None:
    before = sqlite3.connect(path, isolation_level=None)
    migrate(before, path, STEPS[:older])
    before.close()
    async with await Store.open(path) as store:
        incident = await store.declare(title="x", author="bob")
        assert (await store.verify(incident.id)).ok
    after, fresh = sqlite3.connect(path), sqlite3.connect(":memory:", isolation_level=None)
    migrate(fresh, path)
    assert schema(after) == schema(fresh)
    assert version(after) == len(STEPS)
    after.close()
    fresh.close()


LATER = (*STEPS, ("ALTER TABLE incident ADD COLUMN commander TEXT", "UPDATE incident SET commander = 'ops'"))


async def test_a_later_step_keeps_what_is_there(path: Path) -> None:
    async with await Store.open(path) as store:
        await store.declare(title="x", author="bob")
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, LATER)
    assert connection.execute("SELECT title, commander FROM incident").fetchall() == [("x", "ops")]
    assert version(connection) == len(LATER)
    migrate(connection, path, LATER)
    connection.close()


def test_a_step_that_fails_leaves_the_store_as_it_was(connection: Connection, path: Path) -> None:
    migrate(connection, path)
    before = schema(connection)
    broken = (*STEPS, ("CREATE TABLE half (x)", "CREATE TABLE half (x)"))
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, path, broken)
    assert schema(connection) == before
    assert version(connection) == len(STEPS)


async def test_a_store_of_a_newer_warroom_is_left_as_it_is_and_says_what_to_do(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, LATER)
    before = schema(connection)
    connection.close()
    with pytest.raises(Newer, match=f"store version {len(LATER)}; this program knows {len(STEPS)}.*Update warroom"):
        await Store.open(path)
    connection = sqlite3.connect(path)
    assert schema(connection) == before
    connection.close()


async def test_a_database_of_another_program_is_left_as_it_is(connection: Connection, path: Path) -> None:
    connection.execute("CREATE TABLE bookmarks (url)")
    with pytest.raises(Foreign, match="another program"):
        await Store.open(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


async def test_another_programs_empty_database_is_not_taken_either(connection: Connection, path: Path) -> None:
    connection.execute("PRAGMA application_id = 7")
    with pytest.raises(Foreign):
        await Store.open(path)


async def test_an_empty_file_becomes_a_store(path: Path) -> None:
    sqlite3.connect(path).close()
    async with await Store.open(path) as store:
        assert await store.incidents() == []
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    connection.close()
