"""The CSV is what a CSV reader makes of it: the timeline, and nothing that a spreadsheet would calculate."""

from __future__ import annotations

import csv
import io
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from incident.csv_export import COLUMNS, to_csv
from incident.dossier import dossier
from incident.escape import csv_cell, visible
from incident.export import render
from tests.unit.hostile_incident import hostile_dossier
from tests.unit.incident_entries import BEGAN, amendment, incident_with, note, retraction

FORMULA = re.compile(r"[\s\"']*[=+\-@＝＋－＠]")
ANY = st.one_of(st.text(max_size=30), st.text(alphabet="=+-@,;|\n\r\t\"' a1＝", max_size=12))


def rows(data: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def test_a_reader_finds_a_row_for_each_line_with_amendments_and_retractions() -> None:
    incident, entries = incident_with([note("it broke"), note("nonsense")], drill=True)
    incident, entries = incident_with(
        [
            note("it broke"),
            note("nonsense"),
            amendment("e2", "it stopped", BEGAN, author="ben"),
            retraction("e3", "no"),
        ],
        drill=True,
    )
    head, *lines = rows(render("csv", dossier(incident, entries)))
    found = [dict(zip(head, line, strict=True)) for line in lines]

    assert tuple(head) == COLUMNS
    stopped, declared, nonsense = found
    assert (stopped["text"], stopped["before"], stopped["amended_by"]) == ("it stopped", "it broke", "ben")
    assert (nonsense["text"], nonsense["retracted"]) == ("nonsense", "no")
    assert declared["happened_at"] == "2026-11-23T14:06:01.000Z"
    assert {line["drill"] for line in found} == {"DRILL"}
    assert stopped["hash"] == entries[1].hash


def test_a_follow_up_has_its_owner_due_date_and_priority() -> None:
    found = hostile_dossier("http://127.0.0.1:9")
    head, *lines = rows(render("csv", found))

    assert len(lines) == len(found.timeline.lines)
    assert all(len(line) == len(head) for line in lines)


def test_no_cell_is_a_formula_for_whatever_separator_a_spreadsheet_takes() -> None:
    data = render("csv", hostile_dossier("http://127.0.0.1:9"))

    assert data.startswith(b"\xef\xbb\xbf")
    for delimiter in ",;|\t":
        for row in rows(data, delimiter):
            assert not [cell for cell in row if re.match(r"[=+\-@＝＋－＠\t\r]", cell)]


@settings(deadline=None, max_examples=300)
@given(ANY)
def test_any_text_begins_no_formula_and_loses_nothing(text: str) -> None:
    cell = csv_cell(text)

    for part in re.split(r"[,;|\n]", cell):
        assert not re.match(r"[\s\"]*[=+\-@＝＋－＠]", part.replace("'", "'"))
    assert sorted(cell.replace("'", "")) == sorted(visible(text).replace("'", ""))


def test_an_ordinary_text_is_left_alone() -> None:
    for text in ("rolled back to rev 11", "a-b", "x = 1", "3 + 4", "mail ada@example.com", "14:02 – 14:10", ""):
        assert csv_cell(text) == text


def test_the_same_incident_gives_the_same_csv() -> None:
    assert to_csv(hostile_dossier("http://x")) == to_csv(hostile_dossier("http://x"))
