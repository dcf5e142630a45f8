"""The incident's card as rows: what its status is, and when it lags behind what happened."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from incident.entry import Status
from incident.review import Mark
from tests.unit.incident_entries import BEGAN, incident_with
from tui.card import rows


@pytest.mark.parametrize(
    ("status", "at", "more"),
    [
        (Status.INVESTIGATING, None, "INVESTIGATING → mitigating → resolved → reviewed"),
        (Status.INVESTIGATING, BEGAN, "! the last act that worked: enter moves it on"),
        (Status.MITIGATING, BEGAN, "investigating → MITIGATING → resolved → reviewed"),
    ],
)
def test_a_status_that_lags_behind_what_worked_says_so(status: Status, at: int | None, more: str) -> None:
    incident, _ = incident_with([])
    marks = {"mitigated": Mark(name="mitigated", at=at, why="the last act that worked" if at else "")}
    found = rows(replace(incident, status=status), None, marks, {}, local=False, now=BEGAN / 1000)
    assert next(row.more for row in found if row.id == "status") == more
