"""The timeline from a shell: declare, log, list, export, verify, each the real program on one store."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.drill.shell import fresh_user, warroom


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    return fresh_user(tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where somebody has declared an incident, and its id."""
    home = tmp_path_factory.mktemp("first")
    return home, await declared(fresh_user(home))


@pytest.fixture
def incident(user: dict[str, str], first: tuple[Path, str]) -> str:
    """The incident that this user has declared, as a copy of what the first one has."""
    home, found = first
    shutil.copytree(home, user["HOME"], dirs_exist_ok=True)
    return found


async def declared(user: dict[str, str], *title: str) -> str:
    done = await warroom(user, "declare", *(title or ("Payments", "fail")), "--severity", "1", "--author", "ana")
    assert done.status == 0, done.err
    return done.out.strip()


async def exported(user: dict[str, str], incident: str = "latest") -> dict[str, Any]:
    done = await warroom(user, "export", incident, "--format", "json")
    assert done.status == 0, done.err
    document: dict[str, Any] = json.loads(done.out)
    return document


def leftovers(directory: Path) -> list[str]:
    return [path.name for path in directory.glob(".*.part")]


async def test_without_an_open_incident_log_says_how_to_declare_one(user: dict[str, str], tmp_path: Path) -> None:
    done = await warroom(user, "log", "rolled back")

    assert (done.status, done.out) == (2, "")
    assert "no open incident" in done.err
    assert "warroom declare" in done.err


async def test_a_declared_incident_is_listed_and_open(user: dict[str, str], incident: str) -> None:
    listed = await warroom(user, "incidents", "--json")
    table = await warroom(user, "incidents")

    (only,) = json.loads(listed.out)
    assert only["id"] == incident
    assert (only["title"], only["severity"], only["status"]) == ("Payments fail", 1, "INVESTIGATING")
    assert incident in table.out
    assert (listed.status, listed.err) == (0, "")


async def test_no_store_is_an_empty_list_and_creates_nothing(user: dict[str, str], tmp_path: Path) -> None:
    done = await warroom(user, "incidents", "--json")

    assert (done.status, done.out) == (0, "[]\n")
    assert not (tmp_path / "state" / "warroom" / "warroom.db").exists()


@pytest.mark.usefixtures("incident")
async def test_log_appends_and_prints_the_saved_line(user: dict[str, str]) -> None:
    done = await warroom(user, "log", "rolled", "back", "payment-service", "--author", "ben")
    entry = (await exported(user))["entries"][-1]

    assert (done.status, done.err) == (0, "")
    assert "rolled back payment-service" in done.out
    assert (entry["text"], entry["author"], entry["source"], entry["kind"]) == (
        "rolled back payment-service",
        "ben",
        "person",
        "note",
    )


@pytest.mark.usefixtures("incident")
async def test_log_takes_the_time_it_happened(user: dict[str, str]) -> None:
    before = time.time()

    for arguments in (
        ("-5m deploy finished",),
        ("-5m", "deploy", "finished"),
        ("deploy finished", "--at", "-5m"),
        ("--at=-5m", "deploy finished"),
    ):
        done = await warroom(user, "log", *arguments)
        assert done.status == 0, (arguments, done.err)

    entries = (await exported(user))["entries"][1:]
    assert [entry["text"] for entry in entries] == ["deploy finished"] * 4
    for entry in entries:
        happened = datetime.fromisoformat(entry["happened_at"]).timestamp()
        assert before - 301 <= happened <= time.time() - 299
        assert entry["recorded_at"] > entry["happened_at"]


@pytest.mark.usefixtures("incident")
async def test_log_takes_an_exact_instant(user: dict[str, str]) -> None:
    instant = datetime.fromtimestamp(int(time.time()) - 3600, UTC).isoformat(timespec="milliseconds")

    done = await warroom(user, "log", "the alert fired", "--at", instant.replace("+00:00", "Z"))

    assert done.status == 0, done.err
    assert (await exported(user))["entries"][-1]["happened_at"] == instant.replace("+00:00", "Z")


@pytest.mark.usefixtures("incident")
async def test_a_todo_becomes_a_follow_up(user: dict[str, str]) -> None:
    done = await warroom(user, "log", "TODO add an alert on 5xx")

    assert done.status == 0, done.err
    assert (await exported(user))["entries"][-1]["kind"] == "followup"


@pytest.mark.usefixtures("incident")
async def test_log_refuses_what_cannot_be_an_entry(user: dict[str, str]) -> None:
    for arguments in (("",), ("   ",), ("-5m",), ("text", "--at", "25:99"), ("text", "--at", "soon")):
        done = await warroom(user, "log", *arguments)
        assert (done.status, done.out) == (2, ""), arguments

    assert len((await exported(user))["entries"]) == 1


@pytest.mark.usefixtures("incident")
async def test_a_line_for_a_locked_store_is_kept_and_written_by_the_next(user: dict[str, str], tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state" / "warroom" / "warroom.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        kept = await warroom(user, "log", "while it was locked")
        other.execute("ROLLBACK")
    await warroom(user, "log", "afterwards")

    assert (kept.status, kept.out) == (2, "")
    assert "locked" in kept.err
    assert "is kept in" in kept.err
    assert [entry["text"] for entry in (await exported(user))["entries"][1:]] == ["while it was locked", "afterwards"]


async def test_a_real_incident_gets_the_line_before_a_drill(user: dict[str, str], incident: str) -> None:
    practice = await warroom(user, "declare", "Practice", "--drill")
    assert f"{incident} is open too" in practice.err

    await warroom(user, "log", "for the real one")
    await warroom(user, "log", "for the drill", "--incident", practice.out.strip())

    assert (await exported(user, incident))["entries"][-1]["text"] == "for the real one"
    assert (await exported(user, practice.out.strip()))["entries"][-1]["text"] == "for the drill"


async def test_an_incident_is_found_by_prefix_and_as_latest(user: dict[str, str]) -> None:
    first = await declared(user)
    second = await declared(user, "Another")

    by_prefix = await warroom(user, "export", second[:-1])
    latest = await warroom(user, "export", "latest")
    ambiguous = await warroom(user, "export", "INC")
    nothing = await warroom(user, "export", "INC-1999")

    assert second in by_prefix.out or second in latest.out
    assert (ambiguous.status, nothing.status) == (2, 2)
    assert "could be 2 incidents" in ambiguous.err
    assert first in ambiguous.err
    assert "no incident is called INC-1999" in nothing.err


async def test_an_export_goes_to_a_private_file_and_never_overwrites_unasked(
    user: dict[str, str], incident: str, tmp_path: Path
) -> None:
    file = tmp_path / "review.md"

    first = await warroom(user, "export", incident, "-o", str(file))
    again = await warroom(user, "export", incident, "-o", str(file))
    text = file.read_text(encoding="utf-8")
    over = await warroom(user, "export", incident, "-o", str(file), "--format", "json")
    assert file.read_text(encoding="utf-8") == text
    forced = await warroom(user, "export", incident, "-o", str(file), "--force", "--format", "json")

    assert (first.status, first.out) == (0, "")
    assert str(file) in first.err
    assert "Payments fail" in text
    assert file.stat().st_mode & 0o777 == 0o600
    assert (again.status, over.status) == (0, 2)
    assert "what people wrote there" in again.err
    assert "--force" in over.err
    assert forced.status == 0
    assert json.loads(file.read_text(encoding="utf-8"))["incident"]["id"] == incident
    assert leftovers(tmp_path) == []


@pytest.mark.usefixtures("incident")
async def test_a_file_that_ends_in_json_is_json(user: dict[str, str], tmp_path: Path) -> None:
    await warroom(user, "export", "latest", "-o", str(tmp_path / "incident.json"))

    assert json.loads((tmp_path / "incident.json").read_text(encoding="utf-8"))["schema"] == "warroom/incident/1"


@pytest.mark.usefixtures("incident")
async def test_an_export_into_nowhere_is_one_sentence(user: dict[str, str], tmp_path: Path) -> None:
    done = await warroom(user, "export", "latest", "-o", str(tmp_path / "no" / "such" / "review.md"))

    assert done.status == 2
    assert done.err.count("\n") == 1
    assert "No such file or directory" in done.err


async def test_verify_accepts_the_store_and_its_export_and_names_what_was_changed(
    user: dict[str, str], incident: str, tmp_path: Path
) -> None:
    for text in ("one", "two", "three"):
        await warroom(user, "log", text)
    document = await exported(user)
    sound, changed = tmp_path / "sound.json", tmp_path / "changed.json"
    sound.write_text(json.dumps(document), encoding="utf-8")
    document["entries"][2]["text"] = "something nicer"
    changed.write_text(json.dumps(document), encoding="utf-8")

    in_store = await warroom(user, "verify", incident)
    in_file = await warroom(user, "verify", str(sound))
    broken = await warroom(user, "verify", str(changed))

    assert (in_store.status, in_store.out) == (0, f"{incident}: ok, 4 entries\n")
    assert in_file.status == 0
    assert broken.status == 1
    assert f"first broken entry {document['entries'][2]['id']}" in broken.out


async def test_verify_of_a_file_that_is_not_there_says_so(user: dict[str, str], tmp_path: Path) -> None:
    done = await warroom(user, "verify", str(tmp_path / "no.json"))

    assert done.status == 2
    assert "No such file or directory" in done.err


async def test_the_store_can_be_somewhere_else_and_is_private(user: dict[str, str], tmp_path: Path) -> None:
    store = tmp_path / "elsewhere" / "mine.db"

    done = await warroom(user, "declare", "Here", "--store", str(store))

    assert done.status == 0, done.err
    assert store.stat().st_mode & 0o777 == 0o600
    assert store.parent.stat().st_mode & 0o777 == 0o700
    assert (await warroom(user, "--store", str(store), "incidents")).out.count("INC-") == 1


async def test_a_store_that_is_no_database_is_left_alone(user: dict[str, str], tmp_path: Path) -> None:
    store = tmp_path / "mine.db"
    store.write_text("not a database at all, but somebody's only copy of something" * 100, encoding="utf-8")
    before = store.read_bytes()

    done = await warroom(user, "log", "x", "--store", str(store))

    assert done.status == 2
    assert "is not a database" in done.err
    assert store.read_bytes() == before


async def test_hostile_text_never_reaches_the_terminal(user: dict[str, str]) -> None:
    await warroom(user, "declare", "A \x1b[2J title \u202e gnp.exe")
    await warroom(user, "log", "a \x1b]52;c;aGk=\x07 line")

    listed = await warroom(user, "incidents")
    markdown = await warroom(user, "export", "latest")

    for out in (listed.out, markdown.out):
        assert "\x1b" not in out
        assert "\u202e" not in out
