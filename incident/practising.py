"""How somebody gets on over their drills: each with its score, and whether it goes up. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from incident.dossier import dossier
from incident.entry import Entry, Incident
from incident.instants import rfc3339
from incident.practice import practice_of
from incident.score import Score, score, to_json
from incident.standard import Standard


class Exercise(Struct, frozen=True, kw_only=True):
    """One drill. ``person`` declared it, or opened what did. ``score`` None: it keeps nothing to be scored against."""

    incident: Incident
    person: str
    scenario: str  # empty if it is not known
    score: Score | None

    @property
    def counted(self) -> int | None:
        """Its points, if somebody saw it through."""
        return self.score.points if self.score is not None and self.score.finished else None


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


def exercise_of(incident: Incident, entries: list[Entry], standard: Standard) -> Exercise:
    """A drill from all of its entries.

    Raises:
        ValueError: they were read without their evidence.
    """
    practice = practice_of(entries)
    return Exercise(
        incident=incident,
        person=entries[0].author if entries else "",
        scenario="" if practice is None else practice.told(over=not incident.open),
        score=score(dossier(incident, entries, standard)),
    )


def progress(exercises: Iterable[Exercise]) -> list[Progress]:
    """By person, in the order of their names."""
    people: dict[str, list[Exercise]] = {}
    for one in sorted(exercises, key=lambda one: (one.incident.declared_at, one.incident.id)):
        people.setdefault(one.person, []).append(one)
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
            "exercises": [
                {
                    "incident": each.incident.id,
                    "declared_at": rfc3339(each.incident.declared_at),
                    "scenario": each.scenario or None,
                    "points": each.counted,
                    "score": None if each.score is None else to_json(each.score),
                }
                for each in one.exercises
            ],
        }
        for one in found
    ]
