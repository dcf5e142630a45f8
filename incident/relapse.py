"""A relapse: something that was well when the incident was resolved is ill again. How that is recorded, and read back.

It stands on the timeline of the incident that was resolved, although that is not open: that is whom it concerns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from incident.entry import Draft, Entry, Incident, Kind, Line, Source
from incident.identity import named_id

FOLD = "relapse/"
"""How the fold keys of these entries begin; what it is about follows (``workload/…``, ``node/…``, ``endpoint/…``)."""

ILL, WELL = "ill", "well"


class Relapse(Struct, frozen=True, kw_only=True):
    """Something that is ill again. ``text`` without its beginning; ``at`` (ms) since when."""

    subject: str
    text: str
    at: int


def subject_of(key: str) -> str:
    """What an observation's fold key is about: what comes before the last stroke."""
    return key.rpartition("/")[0]


def relapse_draft(incident: Incident, key: str, at: int, text: str, after: str, evidence: dict[str, Any]) -> Draft:
    """``RELAPSE 4 min after resolution: payment-service unhealthy``. ``key`` and ``evidence`` are the observation's."""
    return Draft(
        kind=Kind.OBSERVATION,
        source=Source.PROBE,
        author="probe",
        level="bad",
        happened_at=at,
        text=f"RELAPSE {after} after resolution: {text}",
        fold=f"{FOLD}{subject_of(key)}/{ILL}",
        evidence={**evidence, "relapse": {"subject": subject_of(key), "resolved": incident.resolved_at}},
    )


def over_draft(key: str, at: int, text: str) -> Draft:
    """What relapsed is well again."""
    return Draft(
        kind=Kind.OBSERVATION,
        source=Source.PROBE,
        author="probe",
        level="good",
        happened_at=at,
        text=f"Relapse over: {text}",
        fold=f"{FOLD}{subject_of(key)}/{WELL}",
    )


def identity(resolved: Entry, key: str, state: str, turn: int) -> str:
    """The ID that every console gives to the ``turn``-th time that this happens after that resolution."""
    return named_id(resolved.recorded_at, f"{resolved.id} {FOLD}{subject_of(key)}/{state} {turn}")


def relapses(lines: Iterable[Line], after_seq: int) -> dict[str, tuple[Relapse | None, int]]:
    """By subject: its relapse, None once it was well again, and how often it relapsed since the entry ``after_seq``."""
    found: dict[str, tuple[Relapse | None, int]] = {}
    for line in sorted(lines, key=lambda one: one.entry.seq):
        entry = line.entry
        if entry.seq <= after_seq or line.retracted is not None or not (entry.fold or "").startswith(FOLD):
            continue
        assert entry.fold is not None
        subject, _, state = entry.fold.removeprefix(FOLD).rpartition("/")
        _, count = found.get(subject, (None, 0))
        if state == ILL:
            text = line.text.partition(": ")[2].split("\n")[0]
            found[subject] = Relapse(subject=subject, text=text, at=line.happened_at), count + 1
        elif state == WELL:
            found[subject] = None, count
    return found


def ever_ill(lines: Iterable[Line], seq: int) -> set[str]:
    """All that was ill at some time before the entry ``seq`` was written: what the incident was about."""
    return {
        subject_of(line.entry.fold)
        for line in lines
        if line.entry.seq < seq
        and line.entry.kind is Kind.OBSERVATION
        and line.entry.fold
        and line.retracted is None
        and line.entry.level in ("bad", "warn")
    }


def ill_at(lines: Iterable[Line], seq: int) -> set[str]:
    """What was ill already when the entry ``seq`` was written: that it still is, is no relapse."""
    ill: set[str] = set()
    for line in sorted(lines, key=lambda one: (one.happened_at, one.entry.seq)):
        entry = line.entry
        if entry.seq >= seq or entry.kind is not Kind.OBSERVATION or not entry.fold or line.retracted is not None:
            continue
        if entry.level in ("bad", "warn"):
            ill.add(subject_of(entry.fold))
        else:
            ill.discard(subject_of(entry.fold))
    return ill
