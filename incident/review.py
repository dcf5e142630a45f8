"""What a timeline says about how an incident went: the instants and durations that a review begins with. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import Struct

from incident.entry import ACTS, Incident, Kind, Line, Source, Status
from incident.standing import change_of

_MINUTE = 60_000
_HOUR = 60 * _MINUTE

# The runbook, "Severity Levels".
SEVERITIES = {1: "Critical", 2: "High", 3: "Medium", 4: "Low"}

# The runbook, "Response Time Targets": detection, response, resolution, in ms.
TARGETS = {
    1: (5 * _MINUTE, 5 * _MINUTE, 2 * _HOUR),
    2: (15 * _MINUTE, 15 * _MINUTE, 8 * _HOUR),
    3: (30 * _MINUTE, 30 * _MINUTE, 24 * _HOUR),
    4: (_HOUR, 4 * _HOUR, 7 * 24 * _HOUR),
}


class Milestones(Struct, frozen=True, kw_only=True):
    """The instants (ms) of an incident; None for what did not happen or nobody recorded."""

    first_symptom: int | None  # a probe's first bad or worrying observation that still stands
    declared: int
    first_action: int | None  # a mitigation that was sent, or may have been, or the status that says one began
    resolved: int | None


def milestones(incident: Incident, lines: Iterable[Line]) -> Milestones:
    """Find the milestones among the lines of the incident's timeline."""
    symptoms: list[int] = []
    actions: list[int] = []
    for line in lines:
        entry = line.entry
        if line.retracted is not None:
            continue
        if entry.kind is Kind.OBSERVATION and entry.level in ("bad", "warn"):
            symptoms.append(line.happened_at)
        elif _acted(line):
            actions.append(line.happened_at)
    return Milestones(
        first_symptom=min(symptoms, default=None),
        declared=incident.declared_at,
        first_action=min(actions, default=None),
        resolved=incident.resolved_at,
    )


def _acted(line: Line) -> bool:
    """Whether somebody did something about the incident here. What was refused or only looks did nothing."""
    entry = line.entry
    if entry.kind in ACTS:
        return line.acted and not line.looked
    if entry.kind is Kind.STATUS:
        return change_of(entry.evidence).get("status") == Status.MITIGATING
    return entry.source is Source.MITIGATION


def duration(milliseconds: int) -> str:
    """``00:14:38``, ``2 d 03:00:00``. Clocks disagree, but a duration is never negative."""
    seconds = max(0, milliseconds) // 1000
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days} d {clock}" if days else clock


def moment(instant: int) -> str:
    """``2026-11-23 14:02:42``, in UTC: for people, who do not read milliseconds."""
    return datetime.fromtimestamp(instant // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
