"""What a timeline says about how an incident went: the instants and durations that a review begins with. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from incident.entry import ACTS, MARKS, Incident, Kind, Line, Source, Status
from incident.instants import EARLIEST, LATEST
from incident.practice import was_left
from incident.standard import Level
from incident.standing import change_of

ILL = ("bad", "warn")
UNANSWERED = (Kind.DECLARED, Kind.MISSED, Kind.DELIVERY)
"""Kinds of entries that are no person's answer to a declaration, whoever wrote them."""

DAY = 86_400_000  # ms


class Milestones(Struct, frozen=True, kw_only=True):
    """The instants (ms) of an incident as its entries tell them; None for what did not happen or nobody recorded."""

    first_symptom: int | None  # a probe's first bad or worrying observation that still stands
    declared: int
    first_answer: int | None  # when a person first recorded something after the declaration
    first_action: int | None  # a mitigation that was sent, or may have been, or the status that says one began
    recovered: (
        int | None
    )  # what was down is well again; where no probe saw it down, the end of the last act that worked
    seen_well: bool  # a probe saw it recover
    resolved: int | None


class Mark(Struct, frozen=True, kw_only=True):
    """One of the `MARKS`. ``corrected``: a person set it; else it is proposed from the timeline, ``why`` says how."""

    name: str
    at: int | None  # ms
    why: str
    corrected: bool = False


class Step(Struct, frozen=True, kw_only=True):
    """A duration against its target, ms. ``met`` is None where one of them is not known."""

    mark: Mark
    since: str  # the mark that it is counted from; empty for the first
    took: int | None
    target: int | None

    @property
    def met(self) -> bool | None:
        return None if self.took is None or self.target is None else self.took < self.target


CHANGED = ("azure/", "release/")
"""What may have caused an incident and is no symptom of it, by how the fold keys of its observations begin."""


def milestones(incident: Incident, lines: Sequence[Line]) -> Milestones:
    """Find the milestones among the lines of the incident's timeline, which are in order of time."""
    symptoms: list[int] = []
    actions: list[int] = []
    answers: list[int] = []
    worked: int | None = None
    for line in lines:
        entry = line.entry
        if entry.source is not Source.PROBE and entry.kind not in UNANSWERED:
            answers.append(entry.recorded_at)  # whoever retracted it was there, too
        if line.retracted is not None:
            continue
        if entry.kind is Kind.OBSERVATION:
            if entry.level in ILL and not (entry.fold or "").startswith(CHANGED):
                symptoms.append(line.happened_at)
            continue
        if _acted(line):
            actions.append(line.happened_at)
            if line.acted and line.level == "good" and line.ended_at is not None:
                worked = line.ended_at
    was_down, recovered = _recovered(lines)
    return Milestones(
        first_symptom=min(symptoms, default=None),
        declared=incident.declared_at,
        first_answer=min(answers, default=None),
        first_action=min(actions, default=None),
        recovered=recovered if was_down else worked,
        seen_well=recovered is not None,
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


def first_symptom(lines: Iterable[Line], declared_at: int) -> Line | None:
    """What was ill first, of workloads and endpoints, since all of them were well the last time; None if they are well.

    By the entries alone, in the order of happening. What was ill for a day before the declaration is not counted.
    """
    ill: set[str] = set()
    first: Line | None = None
    for line in lines:
        entry = line.entry
        if entry.kind is not Kind.OBSERVATION or line.retracted is not None or not entry.fold:
            continue
        subject = entry.fold.rpartition("/")[0]
        if not subject.startswith(("workload/", "endpoint/")):
            continue
        if entry.level not in ILL:
            ill.discard(subject)
            first = first if ill else None
        elif line.happened_at >= declared_at - DAY:
            ill.add(subject)
            first = first or line
    return first


TROUBLE = ("workload/", "endpoint/", "database/", "alert/")
"""What an incident may have begun with, by how the fold keys of its observations begin."""


def onset(lines: Iterable[Line], declared_at: int) -> int | None:
    """When the trouble began (ms) that the incident was declared for, whether all of it is well by now or not.

    By the entries alone: the first of what was ill since all was well the last time before the declaration. What was
    ill for a day before that, and what fell ill after it, does not count.
    """
    ill: set[str] = set()
    first: int | None = None
    for line in lines:
        entry = line.entry
        if entry.kind is not Kind.OBSERVATION or line.retracted is not None or not entry.fold:
            continue
        subject, at = entry.fold.rpartition("/")[0], line.happened_at
        if at > declared_at or not subject.startswith(TROUBLE):
            continue
        if entry.level not in ILL:
            ill.discard(subject)
            first = first if ill else None
        elif at >= declared_at - DAY:
            ill.add(subject)
            first = at if first is None else min(first, at)
    return first


def _recovered(lines: Iterable[Line]) -> tuple[bool, int | None]:
    """Whether anything was down, and when the last of it was well again; None while something still is.

    An observation's fold key is ``kind/name/what``: what comes before the last stroke is the thing itself. A node that
    is gone is nobody's outage once what ran there runs elsewhere. What comes back within minutes is on the line of its
    first time, so that a line's last repeat is a turn as well.
    """
    seen: list[tuple[int, str, str]] = []
    for line in lines:
        entry = line.entry
        if entry.kind is not Kind.OBSERVATION or line.retracted is not None or not entry.fold:
            continue
        subject = entry.fold.rpartition("/")[0]
        if not subject.startswith("node/"):
            times = (line.happened_at, line.last_at) if line.count > 1 else (line.happened_at,)
            seen += [(at, subject, entry.level) for at in times]
    down: set[str] = set()
    ever, healed = False, None
    for at, subject, level in sorted(seen, key=lambda one: one[0]):
        if level == "bad":
            ever, healed = True, None
            down.add(subject)
        elif level not in ILL and subject in down:
            down.discard(subject)
            if not down:
                healed = at
    return ever, healed


def marks(incident: Incident, lines: Sequence[Line]) -> dict[str, Mark]:
    """Every one of the `MARKS`, in their order: as a person set it, or as the timeline proposes it.

    A drill that was left ended without having been resolved.
    """
    known = milestones(incident, lines)
    began = known.declared if known.first_symptom is None else min(known.first_symptom, known.declared)
    left = incident.drill and was_left(line.entry for line in lines)
    mitigated, resolved = known.recovered, None if left else incident.resolved_at
    why_mitigated = "what was down was well again" if known.seen_well else "the last act that worked"
    if mitigated is None or (resolved is not None and mitigated > resolved):
        mitigated, why_mitigated = resolved, "when it was resolved"
    proposed: dict[str, tuple[int | None, str]] = {
        "began": (began, "the first symptom" if began < known.declared else "when it was declared"),
        "detected": (known.declared, "when it was declared"),
        "acknowledged": (known.first_answer, "the first entry of a person after the declaration"),
        "mitigated": (mitigated, why_mitigated),
        "resolved": (resolved, "when it was resolved"),
    }
    found = {}
    for name in MARKS:
        at, why = proposed[name]
        if name in incident.times:
            found[name] = Mark(name=name, at=incident.times[name], why="set by a person", corrected=True)
        else:
            found[name] = Mark(name=name, at=at, why=why if at is not None else "")
    return found


def steps(found: dict[str, Mark], level: Level | None) -> list[Step]:
    """The durations that a review judges: detection from the beginning, everything else from detection."""
    targets = {
        "detected": level.detect_within if level else None,
        "acknowledged": level.respond_within if level else None,
        "resolved": level.resolve_within if level else None,
    }
    judged = []
    for name, since in (
        ("began", ""),
        ("detected", "began"),
        ("acknowledged", "detected"),
        ("mitigated", "detected"),
        ("resolved", "detected"),
    ):
        target = targets.get(name)
        judged.append(
            Step(
                mark=found[name],
                since=since,
                took=_between(found[since].at, found[name].at) if since else None,
                target=None if target is None else round(target * 1000),
            )
        )
    return judged


def _between(earlier: int | None, later: int | None) -> int | None:
    """Clocks disagree, and people correct times one by one, but a duration is never negative."""
    return None if earlier is None or later is None else max(0, later - earlier)


def duration(milliseconds: int) -> str:
    """``00:14:38``, ``2 d 03:00:00``. Clocks disagree, but a duration is never negative."""
    seconds = max(0, milliseconds) // 1000
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days} d {clock}" if days else clock


def moment(instant: int) -> str:
    """``2026-11-23 14:02:42``, in UTC: for people, who do not read milliseconds. Evidence may hold any number."""
    if not EARLIEST <= instant <= LATEST:
        return "at no known time"
    return datetime.fromtimestamp(instant // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
