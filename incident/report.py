"""How incidents were handled over a period: mean times, targets met, what came back, what is still to be done. Pure.

The runbook, "Success Metrics". A drill is never counted among incidents, nor an incident among drills.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from incident import review
from incident.entry import Entry, Incident
from incident.followup import FollowUp
from incident.followup import parse as parse_followup
from incident.instants import rfc3339
from incident.standard import Standard
from incident.timeline import Timeline

SCHEMA = "warroom/report/1"
DAY = 86_400_000  # ms

MEANS = {"mttd": "detected", "mtta": "acknowledged", "mttm": "mitigated", "mttr": "resolved"}
TARGETS = {"detection": "detected", "response": "acknowledged", "resolution": "resolved"}

_NOT_WORDS = re.compile(r"[\W\d_]+")


class Case(Struct, frozen=True, kw_only=True):
    """One incident, as far as it is counted."""

    incident: Incident
    steps: dict[str, review.Step]  # by the name of the mark that each leads to
    followups: list[FollowUp]


class Group(Struct, frozen=True, kw_only=True):
    """Incidents of one severity, or all. ``means``: ms and of how many; ``targets``: met and missed, by name."""

    severity: int | None
    name: str
    incidents: int
    open: int
    means: dict[str, tuple[int, int]]
    targets: dict[str, tuple[int, int]]


class Repeat(Struct, frozen=True, kw_only=True):
    """``incident`` came ``days`` after ``of``, which it resembles by ``why``."""

    incident: str
    of: str
    days: float
    why: str


class Report(Struct, frozen=True, kw_only=True):
    """``since`` and ``until`` in ms, None for no limit. ``followups`` are by the incident that they are of."""

    since: int | None
    until: int
    drills: bool
    cases: list[Case]
    overall: Group
    groups: list[Group]
    repeats: list[Repeat]
    followups: list[tuple[str, FollowUp]]
    now: int

    @property
    def open(self) -> list[tuple[str, FollowUp]]:
        return [(incident, item) for incident, item in self.followups if not item.done]

    @property
    def overdue(self) -> list[tuple[str, FollowUp]]:
        return [(incident, item) for incident, item in self.followups if item.overdue(self.now)]


def case_of(incident: Incident, entries: Iterable[Entry], standard: Standard) -> Case:
    """An incident from its entries, which may be without their evidence."""
    timeline = Timeline(entries)
    steps = review.steps(review.marks(incident, timeline.lines), standard.level(incident.severity))
    return Case(
        incident=incident,
        steps={step.mark.name: step for step in steps},
        followups=[parse_followup(line.text) for line in timeline.followups],
    )


def counts(incident: Incident, since: int | None, until: int, *, drills: bool) -> bool:
    """Whether an incident is one of the period's."""
    return (
        incident.drill is drills and (since is None or since <= incident.declared_at) and incident.declared_at < until
    )


def report(
    cases: Sequence[Case],
    earlier: Iterable[Incident],
    standard: Standard,
    *,
    since: int | None,
    until: int,
    now: int,
    drills: bool = False,
    repeat_days: int = 30,
) -> Report:
    """Count the cases that `counts` says are the period's. ``earlier``: all incidents that a case may repeat."""
    counted = sorted(
        (case for case in cases if counts(case.incident, since, until, drills=drills)),
        key=lambda case: (case.incident.declared_at, case.incident.id),
    )
    severities = [level.level for level in standard.levels]
    others = sorted({case.incident.severity for case in counted} - set(severities), key=lambda one: one or 0)
    return Report(
        since=since,
        until=until,
        drills=drills,
        cases=counted,
        overall=_group(None, "all", counted),
        groups=[
            _group(severity, standard.severity_words(severity), chosen)
            for severity in (*severities, *others)
            for chosen in [[case for case in counted if case.incident.severity == severity]]
            if chosen or severity in severities
        ],
        repeats=_repeats(counted, [one for one in earlier if one.drill is drills], repeat_days),
        followups=[(case.incident.id, item) for case in counted for item in case.followups],
        now=now,
    )


def _group(severity: int | None, name: str, cases: Sequence[Case]) -> Group:
    means, targets = {}, {}
    for mean, mark in MEANS.items():
        took = [step.took for case in cases for step in [case.steps[mark]] if step.took is not None]
        means[mean] = (sum(took) // len(took) if took else 0, len(took))
    for target, mark in TARGETS.items():
        met = [step.met for case in cases for step in [case.steps[mark]] if step.met is not None]
        targets[target] = (sum(met), len(met) - sum(met))
    return Group(
        severity=severity,
        name=name,
        incidents=len(cases),
        open=sum(case.incident.open for case in cases),
        means=means,
        targets=targets,
    )


def _repeats(cases: Sequence[Case], every: Sequence[Incident], days: int) -> list[Repeat]:
    """Each case that resembles one before it, with the nearest of those."""
    found = []
    before = sorted(every, key=lambda one: (one.declared_at, one.id))
    for case in cases:
        incident = case.incident
        for other in reversed(before):
            apart = incident.declared_at - other.declared_at
            if (other.declared_at, other.id) >= (incident.declared_at, incident.id):
                continue
            if apart > days * DAY:
                break
            if why := _alike(incident, other):
                found.append(Repeat(incident=incident.id, of=other.id, days=round(apart / DAY, 1), why=why))
                break
    return found


def _alike(one: Incident, other: Incident) -> str:
    """What two incidents have in common; empty if nothing that counts."""
    shared = [service for service in one.services if service in other.services]
    if shared:
        return ", ".join(shared)
    title = _folded(one.title)
    return one.title if title and title == _folded(other.title) else ""


def _folded(title: str) -> str:
    return " ".join(_NOT_WORDS.sub(" ", title.casefold()).split())


def to_json(found: Report) -> dict[str, Any]:
    """The report as it leaves the program; durations in seconds, null where nothing is known."""
    return {
        "schema": SCHEMA,
        "since": None if found.since is None else rfc3339(found.since),
        "until": rfc3339(found.until),
        "drills": found.drills,
        "overall": _exported(found.overall),
        "severities": [_exported(group) for group in found.groups],
        "incidents": [
            {
                "id": case.incident.id,
                "title": case.incident.title,
                "severity": case.incident.severity,
                "status": str(case.incident.status),
                "declared_at": rfc3339(case.incident.declared_at),
                **{f"{mark}_seconds": _seconds(case.steps[mark].took) for mark in MEANS.values()},
                "targets": {target: case.steps[mark].met for target, mark in TARGETS.items()},
            }
            for case in found.cases
        ],
        "repeats": [
            {"incident": one.incident, "of": one.of, "days": one.days, "why": one.why} for one in found.repeats
        ],
        "followups": {
            "total": len(found.followups),
            "done": len(found.followups) - len(found.open),
            "open": len(found.open),
            "overdue": len(found.overdue),
            "items": [
                {
                    "incident": incident,
                    "text": item.text,
                    "owner": item.owner,
                    "due": item.due.isoformat() if item.due else None,
                    "priority": item.priority,
                    "done": item.done,
                    "overdue": item.overdue(found.now),
                }
                for incident, item in found.followups
            ],
        },
    }


def _exported(group: Group) -> dict[str, Any]:
    return {
        "severity": group.severity,
        "name": group.name,
        "incidents": group.incidents,
        "open": group.open,
        **{f"{name}_seconds": _seconds(mean) if known else None for name, (mean, known) in group.means.items()},
        "targets": {name: {"met": met, "missed": missed} for name, (met, missed) in group.targets.items()},
    }


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
