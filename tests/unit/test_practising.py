"""A person's progress over their drills, worked out of the store anew; real incidents are never in it."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from drill import scenario
from incident.entry import Draft, Status
from incident.practice import LEFT, Good, Practice, Wanted, sealed
from incident.practising import Progress, drill_case, exercise_of, progress
from incident.standing import status_draft
from incident.store import Store
from tests.unit.drills import STANDARD, Drill, played_right
from tui import drill_progress
from tui.cli import main
from tui.columns import Page

GOOD = Good(severity=2, path=(Wanted(id="answer", say="Answer", done="acknowledged"),))
START = 1_795_442_760_000  # 2026-11-23T14:06:00.000Z
DAY = 86_400_000


def practised(*drills: Drill) -> list[Progress]:
    return progress(exercise_of(one.dossier.incident, one.entries, STANDARD) for one in drills)


def of_ada(*drills: Drill) -> Progress:
    return next(one for one in practised(*drills) if one.person == "ada")


def test_progress_is_of_the_drills_that_were_seen_through() -> None:
    ada = of_ada(played_right(), Drill().note(4).resolved(6, LEFT), Drill().seen(4, "bad").resolved(50))

    assert (ada.person, len(ada.exercises), ada.points[0], ada.best) == ("ada", 3, 100, 100)
    assert len(ada.points) == 2  # the one that was left does not count
    assert [one.state for one in ada.exercises] == ["finished", "left unfinished", "finished"]
    assert ada.gained == ada.trend == ada.points[1] - 100
    assert practised(Drill(None))[0].mean is None
    assert practised() == []


def test_what_cost_the_most_and_what_was_left_out_is_told_of_the_drills_that_were_finished() -> None:
    late = Drill().seen(3.1, "bad").note(4).role(4).seen(8, "good").resolved(9)
    ada = of_ada(late, Drill().note(4).resolved(9), Drill().note(4).resolved(6, LEFT), played_right())

    assert [(row.what, row.drills) for row in ada.missed[:2]] == [("Ideal path", 2), ("Checklist", 2)]
    assert ada.missed == sorted(ada.missed, key=lambda row: -row.points)
    assert [(step.what, step.drills) for step in ada.left_out[:3]] == [
        ("Tell the team", 2),
        ("Scale it", 2),
        ("Verify it", 2),
    ]
    assert ada.points[2] == 100
    assert ada.trend == 100 - ada.points[0]
    assert of_ada(played_right()).missed == of_ada(played_right()).left_out == []


def test_a_drill_of_several_people_is_each_ones_who_did_something() -> None:
    drill = Drill().note(4).say(5, Draft(text="I help", author="grace")).seen(5, "bad")
    drill.say(6, status_draft(Status.RESOLVED, "another console", LEFT))

    assert [(one.person, one.exercises[0].people) for one in practised(drill)] == [
        ("ada", ("ada", "grace")),
        ("grace", ("ada", "grace")),
    ]


def test_what_a_console_notes_by_itself_makes_nobody_of_it() -> None:
    assert [one.person for one in practised(Drill().note(4).missed(8))] == ["ada"]


def test_the_means_of_drills_agree_with_their_scores_and_what_was_left_is_in_none() -> None:
    seen = Drill(at=3).seen(3.1, "bad").note(4).resolved(9)
    left = Drill(at=3).note(4).resolved(9, LEFT)
    for drill in (seen, left):
        exercise = exercise_of(drill.dossier.incident, drill.entries, STANDARD)
        steps = drill_case(exercise, drill.entries, STANDARD).steps
        found = {name: step.took for name, step in steps.items()}
        if drill is left:
            assert {*found.values()} == {None}
        else:
            assert found["detected"] == drill.row("detection").took == 3 * 60_000
            assert found["acknowledged"] == drill.row("response").took
            assert found["resolved"] == 6 * 60_000


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_persons_progress_fits_a_terminal_of_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = max(scenario.names(), key=len)
    drills = [played_right(), Drill().note(4).resolved(6, LEFT), Drill(surprise=True).note(4), Drill(None).resolved(5)]
    found = of_ada(*drills, Drill().note(4).resolved(9))
    long = replace(found, exercises=tuple(replace(one, scenario=name) for one in found.exercises))
    out = Terminal()
    drill_progress.show([long], Page(out, no_color=True))

    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    points = [line.split()[2] for line in lines if line.startswith("2026")]
    assert points == ["100", "left", "open", "–", str(found.points[-1])]


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
    assert [(row[0][:12], "wrong" in row, "right" in row) for row in rows] == [
        ("INC-20261123", True, False),
        ("INC-20261124", False, True),
        ("INC-20261125", False, True),
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
