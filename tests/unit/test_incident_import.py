"""An exported incident comes back into a store with its chain intact; what is broken or hostile comes in nowhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident import chain
from incident.entry import Draft, Status
from incident.errors import Refused
from incident.export import to_json
from incident.store import Store
from incident.transfer import import_export, parse_export, read_export
from tests.drill.shell import fresh_user, warroom
from tests.unit.incident_entries import incident_with, note
from tests.unit.incident_store import declared, path, store

__all__ = ["path", "store"]

Document = dict[str, Any]


async def exported(store: Store, incident: str) -> str:
    return to_json(await store.incident(incident), await store.entries(incident))


async def eventful(store: Store) -> str:
    """An incident with something of everything."""
    incident = await declared(store)
    first = await store.append(incident, note("payments down", evidence={"pod": {"ready": False, "score": 1.5}}))
    await store.amend(incident, first.id, author="Ada", text="payments are down")
    await store.set_role(incident, "scribe", "Ada", "Ada")
    await store.set_facts(incident, "Ada", services=["core-api"], facts={"complaints": True})
    await store.observe(incident, Draft(text="crash", author="probe", fold="pod"))
    await store.set_status(incident, Status.RESOLVED, "Ada")
    return incident


def document() -> Document:
    found: Document = json.loads(to_json(*incident_with([note("a", evidence={"n": 1}), note("b"), note("c")])))
    return found


def resealed(found: Document) -> str:
    """As somebody would do it who knows how hashes are made: every hash is right, whatever the entries say."""
    previous = chain.GENESIS
    for entry in found["entries"]:
        entry["previous_hash"] = previous
        entry["hash"] = previous = chain.digest(entry)
    found["head"]["hash"] = previous
    return json.dumps(found)


async def test_what_was_exported_is_the_same_in_the_other_store(store: Store, tmp_path: Path) -> None:
    incident = await eventful(store)
    text = await exported(store, incident)
    async with await Store.open(tmp_path / "other.db") as other:
        imported = await import_export(other, text)
        assert imported.added == imported.entries == len(await store.entries(incident))
        assert await other.entries(incident) == await store.entries(incident)
        assert await other.incident(incident) == await store.incident(incident)
        assert await exported(other, incident) == text
        assert (await other.verify(incident)).ok
        again = await import_export(other, text)
        assert (again.added, again.sentence) == (0, f"{incident} is already here: nothing was added")


async def test_an_imported_incident_goes_on_where_it_was(store: Store, tmp_path: Path) -> None:
    incident = await declared(store)
    async with await Store.open(tmp_path / "other.db") as other:
        await import_export(other, await exported(store, incident))
        await other.append(incident, note("it goes on"))
        assert (await other.verify(incident)).ok
        # And back: only what is missing is added.
        imported = await import_export(store, await exported(other, incident))
        assert (imported.added, imported.entries) == (1, 2)
        assert await store.entries(incident) == await other.entries(incident)
        assert (await store.verify(incident)).ok


async def test_an_older_export_of_what_is_here_adds_nothing(store: Store) -> None:
    incident = await declared(store)
    older = await exported(store, incident)
    await store.set_status(incident, Status.RESOLVED, "Ada")
    now, entries = await store.incident(incident), await store.entries(incident)
    assert (await import_export(store, older)).added == 0
    assert (await store.incident(incident), await store.entries(incident)) == (now, entries)


async def test_an_incident_that_went_another_way_is_refused_and_both_stay_as_they_are(
    store: Store, tmp_path: Path
) -> None:
    incident = await declared(store)
    async with await Store.open(tmp_path / "other.db") as other:
        await import_export(other, await exported(store, incident))
        mine = await store.append(incident, note("here"))
        await other.append(incident, note("there"))
        before = await other.entries(incident)
        with pytest.raises(Refused, match="went another way from entry 2"):
            await import_export(other, await exported(store, incident))
        assert await other.entries(incident) == before
        await store.append(incident, note("more"))
        with pytest.raises(Refused, match="went another way from entry 2") as caught:
            await import_export(other, await exported(store, incident))
        assert mine.id in str(caught.value)
        assert (await other.verify(incident)).ok


async def test_a_broken_chain_is_refused_naming_its_first_broken_entry(store: Store) -> None:
    found = document()
    found["entries"][2]["text"] = "forged"
    with pytest.raises(Refused, match=r"breaks at entry e3: .*changed after it was written.* Nothing was imported"):
        await import_export(store, json.dumps(found))
    del found["entries"][2:]
    with pytest.raises(Refused, match="The last 2 of 4 entries are missing"):
        await import_export(store, json.dumps(found))
    assert await store.incidents() == []


async def test_an_entry_of_another_incident_does_not_come_in_a_second_time(store: Store) -> None:
    await import_export(store, resealed(document()))
    found = document()
    found["incident"]["id"] = "INC-20261123-1406-0000"
    for entry in found["entries"]:
        entry["incident"] = "INC-20261123-1406-0000"
    with pytest.raises(Refused, match="already, as a part of something else"):
        await import_export(store, resealed(found))
    assert len(await store.incidents()) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("text", ["x"]), ("text", "\ud800"), ("text", "x" * 300_000), ("author", 7), ("author", None), ("fold", {}),
     ("level", "loud"), ("count", 0), ("count", 10**30), ("count", True), ("refers_to", "e9"), ("refers_to", []),
     ("id", "../../etc"), ("id", "x" * 99), ("kind", "dance"), ("source", []), ("happened_at", 7),
     ("evidence", []), ("evidence", {"x": "y" * 5_000_000})],
)  # fmt: skip
async def test_entries_of_a_kind_that_is_never_written_are_refused_though_their_hashes_are_right(
    store: Store, field: str, value: object
) -> None:
    found = document()
    found["entries"][2][field] = value
    with pytest.raises(Refused, match="Nothing was imported") as caught:
        await import_export(store, resealed(found))
    assert len(str(caught.value)) < 600
    assert await store.incidents() == []


async def test_an_id_that_would_be_a_path_is_refused(store: Store) -> None:
    found = document()
    found["incident"]["id"] = "../../INC"
    for entry in found["entries"]:
        entry["incident"] = "../../INC"
    with pytest.raises(Refused, match="ID"):
        await import_export(store, resealed(found))


def nested(depth: int) -> str:
    """Evidence as deep as that, in an entry whose hash nobody could compute."""
    text = json.dumps(document())
    return text.replace('{"n": 1}', '{"n":' * depth + "1" + "}" * depth)


@pytest.mark.parametrize("depth", [102, 900, 100_000])
def test_what_is_nested_without_end_is_refused(depth: int) -> None:
    with pytest.raises(Refused, match="Nothing was imported"):
        parse_export(nested(depth))


def test_deep_evidence_with_right_hashes_is_refused_too() -> None:
    found = document()
    inner: Document = {}
    for _ in range(200):
        inner = {"x": inner}
    found["entries"][1]["evidence"] = inner
    with pytest.raises(Refused, match="nested more than 100 deep"):
        parse_export(resealed(found))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"schema":"warroom/incident/2"}', "1" * 9999])
def test_what_is_no_export_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Refused, match=r"This is not an exported incident: .*Nothing was imported\.$"):
        parse_export(text)


def test_a_file_that_is_too_large_or_none_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(257 * 1024 * 1024)  # takes no room on the disk
    with pytest.raises(Refused, match="more than 256 MiB"):
        read_export(huge)
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(Refused, match="is not a file"):
            read_export(odd)
    (tmp_path / "text").write_bytes(b"\xff\xfe")
    with pytest.raises(Refused, match="not text"):
        read_export(tmp_path / "text")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.data())
def test_whatever_a_file_says_it_is_refused_in_a_sentence_or_is_an_export(data: st.DataObject) -> None:
    found = document()
    where: Any = data.draw(st.sampled_from([found, found["incident"], found["head"], *found["entries"]]))
    key = data.draw(st.sampled_from(sorted(where)))
    where[key] = data.draw(JSON)
    try:
        text = resealed(found) if data.draw(st.booleans()) else json.dumps(found)
    except (ValueError, TypeError, KeyError, AttributeError):
        text = json.dumps(found)
    try:
        incident, entries = parse_export(text)
    except Refused as refusal:
        sentence = str(refusal)
    else:
        to_json(incident, entries)
        return
    assert sentence.endswith(".")


async def test_the_command_imports_says_what_it_did_and_refuses_in_one_sentence(store: Store, tmp_path: Path) -> None:
    environ = fresh_user(tmp_path)
    incident = await eventful(store)
    file = tmp_path / "incident.json"
    file.write_text(await exported(store, incident))
    other = str(tmp_path / "other.db")
    done = await warroom(environ, "import", str(file), "--store", other)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{incident}: 7 entries imported: Payments failing\n"
    done = await warroom(environ, "import", str(file), "--store", other)
    assert (done.status, done.out) == (0, f"{incident} is already here: nothing was added\n")
    done = await warroom(environ, "verify", incident, "--store", other)
    assert (done.status, done.out) == (0, f"{incident}: ok, 7 entries\n")
    file.write_text(file.read_text().replace("payments down", "payments up"))
    done = await warroom(environ, "import", str(file), "--store", other)
    assert done.status == 2
    assert done.err.startswith("warroom: This export is not as it was written: its chain breaks at entry ")
    assert done.err.count("\n") == 1
    done = await warroom(environ, "import", str(tmp_path / "nothing.json"), "--store", other)
    assert done.status == 2
    assert "nothing.json" in done.err


async def test_a_bundle_comes_back_as_its_json_does(store: Store, path: Path, tmp_path: Path) -> None:
    environ = fresh_user(tmp_path)
    incident = await eventful(store)
    bundle, other = tmp_path / "incident.zip", str(tmp_path / "other.db")
    done = await warroom(environ, "--store", str(path), "export", incident, "--format", "bundle", "-o", str(bundle))
    assert done.status == 0, done.err
    done = await warroom(environ, "--store", other, "import", str(bundle))
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"{incident}: ")
    assert "imported: Payments failing" in done.out
    bundle.write_bytes(bundle.read_bytes()[:-100])
    done = await warroom(environ, "--store", other, "import", str(bundle))
    assert done.status == 2
    assert done.err.rstrip().endswith("Nothing was imported.")
