"""How somebody gets on over their drills: each with its score, and whether it goes up. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from incident.dossier import dossier
from incident.entry import Entry, Incident, Source
from incident.instants import rfc3339
from incident.practice import LEFT, practice_of, was_left
from incident.report import Case, case_of
from incident.review import UNANSWERED
from incident.score import Score, score, to_json
from incident.standard import Standard


class Exercise(Struct, frozen=True, kw_only=True):
    """One drill. ``people`` responded: who declared it, or opened what did, and whoever wrote or did something then.

    ``score`` None: it keeps nothing to be scored against. ``left``: its platform was gone before it was resolved.
    """

    incident: Incident
    people: tuple[str, ...]
    scenario: str  # empty if it is not known
    score: Score | None
    left: bool

    @property
    def counted(self) -> int | None:
        """Its points, if somebody saw it through."""
        return self.score.points if self.score is not None and self.score.finished else None

    @property
    def state(self) -> str:
        return "left unfinished" if self.left else "so far" if self.incident.open else "finished"


class Missed(Struct, frozen=True, kw_only=True):
    """What cost a person points, or was not done: in so many drills, and how many points altogether (0: a step)."""

    what: str
    drills: int
    points: int = 0


class Progress(Struct, frozen=True, kw_only=True):
    """A person's drills, oldest first. Points are those of the finished ones; None without any."""

    person: str
    exercises: tuple[Exercise, ...]

    @property
    def points(self) -> list[int]:
        return [one.counted for one in self.exercises if one.counted is not None]

    @property
    def best(self) -> int | None:
        return max(self.points, default=None)

    @property
    def mean(self) -> int | None:
        return round(sum(self.points) / len(self.points)) if self.points else None

    @property
    def gained(self) -> int | None:
        """What the last finished drill has more than the first one; None with fewer than two."""
        return self.points[-1] - self.points[0] if len(self.points) > 1 else None

    @property
    def trend(self) -> int | None:
        """What the newer half of the finished drills has more than the older one, on the average; None below two.

        Of an odd number the one in the middle is in neither half.
        """
        half = len(self.points) // 2
        return round((sum(self.points[-half:]) - sum(self.points[:half])) / half) if half else None

    @property
    def missed(self) -> list[Missed]:
        """The rows of the score that cost the finished drills points, the most expensive first."""
        lost: dict[str, tuple[int, int]] = {}
        for row in (row for found in self._finished for row in found.judged):
            if row.got is not None and row.got < row.of:
                points, drills = lost.get(row.label, (0, 0))
                lost[row.label] = points + row.of - row.got, drills + 1
        ranked = [Missed(what=what, drills=drills, points=points) for what, (points, drills) in lost.items()]
        return sorted(ranked, key=lambda one: (-one.points, one.what))

    @property
    def left_out(self) -> list[Missed]:
        """The steps of ideal paths that the finished drills went without, the most frequent first, by their ids."""
        steps: dict[str, tuple[str, int]] = {}
        for step in (step for found in self._finished for step in found.path if step.at is None and not step.given):
            steps[step.id] = step.say, steps.get(step.id, ("", 0))[1] + 1  # in the newest drill's words
        ranked = [Missed(what=say, drills=drills) for say, drills in steps.values()]
        return sorted(ranked, key=lambda one: -one.drills)

    @property
    def _finished(self) -> list[Score]:
        return [one.score for one in self.exercises if one.score is not None and one.score.finished]


def exercise_of(incident: Incident, entries: list[Entry], standard: Standard) -> Exercise:
    """A drill from all of its entries.

    Raises:
        ValueError: they were read without their evidence.
    """
    practice, left = practice_of(entries), was_left(entries)
    return Exercise(
        incident=incident,
        people=tuple(_responded(entries)),
        scenario="" if practice is None else practice.told(over=not incident.open),
        score=score(dossier(incident, entries, standard)),
        left=left,
    )


def _responded(entries: list[Entry]) -> dict[str, None]:
    """Who did, in the order of what they did first. A console notes by itself that an update was missed, or that the
    drill was left.
    """
    return {
        entry.author: None
        for number, entry in enumerate(entries)
        if number == 0 or (entry.source is not Source.PROBE and entry.kind not in UNANSWERED and entry.text != LEFT)
    }


def drill_case(exercise: Exercise, entries: list[Entry], standard: Standard) -> Case:
    """A drill as the report counts it: what was left is in no mean, and it was detected as its score says.

    Its console was opened on an incident that had begun, so that its first symptom is older than anybody's chance.
    """
    case = case_of(exercise.incident, entries, standard)
    if exercise.left:
        return replace(case, steps={name: replace(step, took=None) for name, step in case.steps.items()})
    if exercise.score is None:
        return case
    took = next(row.took for row in exercise.score.judged if row.id == "detection")
    return replace(case, steps=case.steps | {"detected": replace(case.steps["detected"], took=took)})


def progress(exercises: Iterable[Exercise]) -> list[Progress]:
    """By person, in the order of their names. A drill of several people is each one's."""
    people: dict[str, list[Exercise]] = {}
    for one in sorted(exercises, key=lambda one: (one.incident.declared_at, one.incident.id)):
        for person in one.people:
            people.setdefault(person, []).append(one)
    return [Progress(person=person, exercises=tuple(people[person])) for person in sorted(people)]


def exported(found: list[Progress]) -> list[dict[str, Any]]:
    """The progress as it leaves the program; null where nothing is known."""
    return [
        {
            "person": one.person,
            "drills": len(one.exercises),
            "finished": len(one.points),
            "best": one.best,
            "mean": one.mean,
            "gained": one.gained,
            "trend": one.trend,
            "missed": [{"what": row.what, "points": row.points, "drills": row.drills} for row in one.missed],
            "left_out": [{"step": step.what, "drills": step.drills} for step in one.left_out],
            "exercises": [
                {
                    "incident": each.incident.id,
                    "declared_at": rfc3339(each.incident.declared_at),
                    "scenario": each.scenario or None,
                    "people": list(each.people),
                    "state": each.state,
                    "points": each.counted,
                    "score": None if each.score is None else to_json(each.score),
                }
                for each in one.exercises
            ],
        }
        for one in found
    ]
