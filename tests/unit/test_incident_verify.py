"""A chain that was touched anywhere is noticed, and the first entry that is not as it was written is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from incident import chain
from incident.entry import Entry, Incident, Kind, Status
from incident.export import to_json
from incident.standing import after, severity_draft, status_draft
from incident.verify import parse_entry, parse_incident, verify_file, verify_json
from tests.unit.incident_entries import incident_with, note

Document = dict[str, Any]


def export(count: int = 6) -> Document:
    drafts = [note(f"entry {n}", evidence={"n": n, "list": [1.5, None, "x"]}) for n in range(count - 1)]
    document: Document = json.loads(to_json(*incident_with(drafts)))
    return document


def resealed(document: Document, start: int) -> Document:
    """As a forger would do it who knows how hashes are made: every hash from ``start`` (an index) on is right again."""
    entries = document["entries"]
    for at in range(start, len(entries)):
        entries[at]["previous_hash"] = entries[at - 1]["hash"] if at else chain.GENESIS
        entries[at]["hash"] = chain.digest(entries[at])
    return document


def test_a_chain_as_it_was_written_is_sound() -> None:
    document = export()
    verdict = verify_json(json.dumps(document))
    assert (verdict.ok, verdict.entries, verdict.reason) == (True, 6, "")
    assert verdict.head == document["head"]["hash"]


FIELDS = ["id", "incident", "seq", "happened_at", "recorded_at", "author", "source", "kind", "level", "text", "count",
          "refers_to", "fold", "evidence", "previous_hash", "hash"]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("at", [0, 3, 5])
def test_a_change_of_any_field_of_any_entry_is_found_there(field: str, at: int) -> None:
    document = export()
    entry = document["entries"][at]
    assert field in entry
    entry[field] = "forged" if entry[field] != "forged" else "x"
    verdict = verify_json(json.dumps(document))
    assert not verdict.ok
    assert verdict.broken_id == entry["id"]
    assert verdict.entries == at
    assert verdict.reason.endswith(".")


def test_every_exported_field_is_one_that_is_checked() -> None:
    assert set(export()["entries"][0]) == set(FIELDS)
    assert {*Entry.__struct_fields__} - {"evidence_on_disk", "ending_on_disk"} == set(FIELDS)


@pytest.mark.parametrize("field", ["added", "evidence_on_disk"])
def test_a_field_that_is_added_is_found(field: str) -> None:
    document = export()
    document["entries"][2][field] = True
    assert verify_json(json.dumps(document)).broken_id == "e3"


def test_a_value_deep_in_the_evidence_is_part_of_the_hash() -> None:
    document = export()
    document["entries"][2]["evidence"]["list"][0] = 1.25
    assert verify_json(json.dumps(document)).broken_id == "e3"


def test_an_entry_removed_from_the_middle_is_noticed() -> None:
    document = export()
    del document["entries"][2]
    verdict = verify_json(json.dumps(document))
    assert (verdict.ok, verdict.broken_id) == (False, "e4")
    assert "removed" in verdict.reason


def test_an_entry_removed_and_the_numbers_closed_up_is_noticed() -> None:
    document = export()
    del document["entries"][2]
    for seq, entry in enumerate(document["entries"], 1):
        entry["seq"] = seq
    assert verify_json(json.dumps(document)).broken_id == "e4"


def test_entries_that_changed_places_are_noticed() -> None:
    document = export()
    entries = document["entries"]
    entries[2], entries[3] = entries[3], entries[2]
    assert verify_json(json.dumps(document)).broken_id == "e4"


def test_an_entry_that_was_slipped_in_is_noticed() -> None:
    document = export()
    document["entries"].insert(3, dict(document["entries"][2]))
    assert not verify_json(json.dumps(document)).ok


def test_a_cut_tail_is_noticed_by_the_head() -> None:
    document = export()
    del document["entries"][4:]
    verdict = verify_json(json.dumps(document))
    assert (verdict.ok, verdict.broken_id, verdict.entries) == (False, None, 4)
    assert verdict.reason == "The last 2 of 6 entries are missing."


def test_a_chain_that_was_computed_anew_does_not_fit_its_head() -> None:
    document = export()
    document["entries"][2]["text"] = "forged"
    verdict = verify_json(json.dumps(resealed(document, 2)))
    assert not verdict.ok
    assert "its recorded end is another" in verdict.reason


def test_an_export_without_its_head_is_not_called_sound() -> None:
    document = export()
    del document["head"]
    assert "no head" in verify_json(json.dumps(document)).reason


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", "forged"), ("severity", 4), ("status", "RESOLVED"), ("drill", True), ("cluster", "other"),
     ("namespace", "other"), ("declared_at", "2026-11-23T14:06:01.001Z"), ("resolved_at", "2026-11-23T15:00:00.000Z")],
)  # fmt: skip
def test_an_incident_that_says_other_things_than_its_entries_is_noticed(field: str, value: object) -> None:
    document = export()
    document["incident"][field] = value
    verdict = verify_json(json.dumps(document))
    assert not verdict.ok
    assert field in verdict.reason


def test_changes_of_status_and_severity_are_part_of_what_the_incident_must_say() -> None:
    drafts = [severity_draft(1, "bob"), status_draft(Status.MITIGATING, "bob"), status_draft(Status.RESOLVED, "bob")]
    incident, entries = incident_with(drafts)
    assert not verify_json(to_json(incident, entries)).ok
    for entry in entries[1:]:
        incident = after(incident, entry)
    assert (incident.severity, incident.status, incident.resolved_at) == (1, Status.RESOLVED, entries[3].happened_at)
    assert verify_json(to_json(incident, entries)).ok


def test_reopening_forgets_when_it_was_resolved_and_reviewing_does_not() -> None:
    incident, entries = incident_with(
        [status_draft(s, "bob") for s in (Status.RESOLVED, Status.REVIEWED, Status.INVESTIGATING)]
    )
    seen: list[tuple[bool, int | None]] = []
    for entry in entries[1:]:
        incident = after(incident, entry)
        seen.append((incident.open, incident.resolved_at))
    assert seen == [(False, entries[1].happened_at), (False, entries[1].happened_at), (True, None)]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"schema":"other/1"}', "\x00", "[" * 100_000, '{"schema":"warroom/incident/1"}',
     '{"schema":"warroom/incident/1","incident":{},"entries":[]}', '{"schema":"warroom/incident/1","incident":7}'],
)  # fmt: skip
def test_what_is_not_an_export_is_said_to_be_none(text: str) -> None:
    verdict = verify_json(text)
    assert not verdict.ok
    assert verdict.reason


def test_a_file_that_is_not_text_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert "not text" in verify_file(path).reason
    path.write_text(json.dumps(export()))
    assert verify_file(path).ok


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=20), st.none() | st.dictionaries(st.text(max_size=3), JSON, max_size=3))))
def test_any_chain_survives_being_written_and_read(contents: list[tuple[str, dict[str, Any] | None]]) -> None:
    incident, entries = incident_with([note(text, evidence=evidence) for text, evidence in contents])
    document = json.loads(to_json(incident, entries))
    assert verify_json(json.dumps(document)).ok
    assert parse_incident(document["incident"]) == incident
    assert [parse_entry(body) for body in document["entries"]] == entries


@settings(deadline=None)
@given(st.data())
def test_any_single_change_of_an_export_is_noticed(data: st.DataObject) -> None:
    document = export()
    where: Any = data.draw(st.sampled_from([document["incident"], document["head"], *document["entries"]]))
    while True:
        keys: list[Any] = list(where) if isinstance(where, dict) else list(range(len(where)))
        key = data.draw(st.sampled_from(keys))
        if not (isinstance(where[key], dict | list) and where[key]):
            break
        where = where[key]
    before = where[key]
    where[key] = data.draw(JSON.filter(lambda value: json.dumps(value) != json.dumps(before)))
    assert not verify_json(json.dumps(document)).ok


@settings(deadline=None)
@given(JSON)
def test_no_document_makes_verify_fail_instead_of_judging(value: Any) -> None:
    document = export(2)
    for part in ("incident", "entries", "head"):
        assert not verify_json(json.dumps(document | {part: value})).ok
    assert not verify_json(json.dumps(document | {"entries": [value]})).ok


def test_an_entry_without_its_evidence_can_not_be_hashed_or_exported_by_mistake() -> None:
    incident, entries = incident_with([note("a", evidence={"x": 1})])
    light = [entries[0], replace(entries[1], evidence=None, evidence_on_disk=True)]
    with pytest.raises(ValueError, match="without its evidence"):
        to_json(incident, light)


def test_parsing_back_gives_the_same_types() -> None:
    incident, entries = incident_with([note("a")])
    document = json.loads(to_json(incident, entries))
    entry = parse_entry(document["entries"][1])
    assert isinstance(entry.kind, Kind)
    parsed: Incident = parse_incident(document["incident"])
    assert isinstance(parsed.status, Status)
