"""A person's progress over their drills, worked out of the store anew; real incidents are never in it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from incident.entry import Draft, Status
from incident.practice import LEFT, Good, Practice, Wanted, sealed
from incident.practising import Progress, exercise_of, progress
from incident.store import Store
from tests.unit.drills import STANDARD, Drill, played_right
from tui.cli import main

GOOD = Good(severity=2, path=(Wanted(id="answer", say="Answer", done="acknowledged"),))
START = 1_795_442_760_000  # 2026-11-23T14:06:00.000Z
DAY = 86_400_000


def practised(*drills: Drill) -> list[Progress]:
    return progress(exercise_of(one.dossier.incident, one.entries, STANDARD) for one in drills)


def test_progress_is_of_the_drills_that_were_seen_through() -> None:
    (ada,) = practised(played_right(), Drill().note(4).resolved(6, LEFT), Drill().seen(4, "bad").resolved(50))

    assert (ada.person, len(ada.exercises), ada.points[0], ada.best) == ("ada", 3, 100, 100)
    assert len(ada.points) == 2  # the one that was left does not count
    assert ada.gained == ada.points[1] - 100
    assert practised(Drill(None))[0].mean is None
    assert practised() == []


async def fill(path: Path) -> None:
    """Two drills of two people, the second on another day, and a real incident."""
    now = START
    async with await Store.open(path, clock=lambda: now) as store:
        for number, (person, severity) in enumerate((("ada", 3), ("ada", 2), ("grace \x1b[31m", 2))):
            now = START + number * DAY
            kept = sealed(Practice(scenario="payment-release", opened_at=now, declared=False, good=GOOD))
            drill = await store.declare(title="Exercise", author=person, severity=severity, drill=True, kept=kept)
            now += 60_000
            await store.append(drill.id, Draft(text="on it", author=person))
            await store.set_status(drill.id, Status.RESOLVED, person)
        await store.declare(title="The real thing", author="ada", severity=1)


def test_the_report_of_drills_shows_each_persons_progress_and_the_plain_one_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "warroom.db"
    asyncio.run(fill(path))
    store = ["--store", str(path)]

    assert main(["report", "--drills", *store]) == 0
    table = capsys.readouterr().out
    assert main(["report", "--drills", "--json", *store]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["report", "--json", *store]) == 0
    plain = json.loads(capsys.readouterr().out)

    assert "ada: 2 drills, mean " in table
    assert "\x1b" not in table
    rows = [line.split() for line in table.splitlines() if line.startswith("INC-") and "payment-release" in line]
    assert [(row[1], "wrong" in row, "right" in row) for row in rows] == [
        ("2026-11-23", True, False),
        ("2026-11-24", False, True),
        ("2026-11-25", False, True),
    ]
    ada, grace = found["progress"]
    assert (ada["person"], ada["drills"], ada["finished"]) == ("ada", 2, 2)
    assert ada["gained"] == ada["exercises"][1]["points"] - ada["exercises"][0]["points"] > 0
    assert grace["gained"] is None
    assert ada["exercises"][0]["score"]["scenario"] == "payment-release"
    checklist = next(row for row in ada["exercises"][0]["score"]["rows"] if row["id"] == "checklist")
    assert "End-to-end transaction flow" in checklist["said"]  # the runbook of drills, where none is named
    assert "progress" not in plain
    assert plain["overall"]["incidents"] == 1
