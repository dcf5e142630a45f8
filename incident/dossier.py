"""All that is known of an incident, worked out once from its entries, for whatever form it is then written in. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from incident import review, standing
from incident.acts import ActRecord, acts
from incident.checks import Tick, ticks
from incident.entry import CHANGES, Entry, Incident, Kind, Line
from incident.fills import Fills
from incident.followup import FollowUp
from incident.followup import parse as parse_followup
from incident.kept import Kept
from incident.standard import NEUTRAL, Standard
from incident.timeline import Timeline
from incident.updates import Delivery, Update, delivery_of, missed_due_of, update_of


class Held(Struct, frozen=True, kw_only=True):
    """Somebody held a role from ``since`` to ``until`` (ms; None: until the end)."""

    role: str
    person: str
    since: int
    until: int | None


class Classified(Struct, frozen=True, kw_only=True):
    """The severity became this, at ``at`` (ms), by whom and with which words."""

    at: int
    severity: int | None
    by: str
    words: str


class Told(Struct, frozen=True, kw_only=True):
    """A status update, word for word, and what became of it on each channel."""

    update: Update
    deliveries: tuple[Delivery, ...]


class Missed(Struct, frozen=True, kw_only=True):
    """An update that was due (ms) and did not come."""

    entry: Entry
    due: int


class Dossier(Struct, frozen=True, kw_only=True):
    """``numbers``: the evidence that the appendix shows, E1 and on, by the ID of its entry."""

    incident: Incident
    entries: Sequence[Entry]
    standard: Standard
    timeline: Timeline
    marks: dict[str, review.Mark]
    steps: list[review.Step]
    acts: list[ActRecord]
    held: list[Held]
    classified: list[Classified]
    updates: list[Told]
    missed: list[Missed]
    ticks: list[Tick]
    followups: list[tuple[Line, FollowUp]]
    numbers: dict[str, int]
    fills: Fills
    kept: Kept

    @property
    def end(self) -> int:
        """Where the incident's time ends, ms: resolved, or what was recorded last while it is open."""
        if self.incident.resolved_at is not None:
            return self.incident.resolved_at
        return self.entries[-1].recorded_at if self.entries else self.incident.declared_at

    @property
    def began(self) -> int:
        """Where the incident's time begins, ms."""
        at = self.marks["began"].at
        return self.incident.declared_at if at is None else at


def dossier(
    incident: Incident,
    entries: Sequence[Entry],
    standard: Standard = NEUTRAL,
    fills: Fills | None = None,
    kept: Kept | None = None,
) -> Dossier:
    """Work everything out from all of an incident's entries, in the order of the chain.

    Raises:
        ValueError: the entries were read without their evidence.
    """
    for entry in entries:
        if entry.evidence_on_disk:
            raise ValueError(f"entry {entry.id} was read without its evidence")
    timeline = Timeline(entries)
    marks = review.marks(incident, timeline.lines)
    held, classified = _course(entries)
    updates, missed = _communication(entries)
    return Dossier(
        incident=incident,
        entries=entries,
        standard=standard,
        timeline=timeline,
        marks=marks,
        steps=review.steps(marks, standard.level(incident.severity)),
        acts=acts(entries),
        held=held,
        classified=classified,
        updates=updates,
        missed=missed,
        ticks=list(ticks(timeline.lines).values()),
        followups=[(line, parse_followup(line.text)) for line in timeline.followups],
        numbers={entry.id: number for number, entry in enumerate(_with_evidence(entries), 1)},
        fills=fills or Fills(),
        kept=kept or Kept(),
    )


def _with_evidence(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Entries whose evidence a reader wants to see: what has its own section, or is told by its text, is not."""
    told = (*CHANGES, Kind.UPDATE, Kind.DELIVERY, Kind.MISSED, Kind.CHECK)
    return (entry for entry in entries if entry.evidence and entry.kind not in told and not _never_sent(entry))


def _never_sent(entry: Entry) -> bool:
    """A plan that was left or refused: what it would have done is in the record, and nobody's evidence of anything."""
    return entry.kind is Kind.MITIGATION and entry.ending is not None and entry.ending.sent is False


def _course(entries: Sequence[Entry]) -> tuple[list[Held], list[Classified]]:
    """Play the incident through: who held which role, and who said how severe it is."""
    incident: Incident | None = None
    holding: dict[str, Held] = {}
    held: list[Held] = []
    classified: list[Classified] = []
    for entry in entries:
        if entry.kind not in CHANGES:
            continue
        before = incident
        incident = standing.declared(entry) if incident is None else standing.after(incident, entry)
        if before is None or before.severity != incident.severity:
            classified.append(
                Classified(at=entry.happened_at, severity=incident.severity, by=entry.author, words=entry.text)
            )
        roles = {} if before is None else before.roles
        for role in (*roles, *(role for role in incident.roles if role not in roles)):
            person = incident.roles.get(role)
            if person == roles.get(role):
                continue
            if role in holding:
                held.append(_until(holding.pop(role), entry.happened_at))
            if person is not None:
                holding[role] = Held(role=role, person=person, since=entry.happened_at, until=None)
    held += holding.values()
    return sorted(held, key=lambda one: (one.since, one.role)), classified


def _until(held: Held, until: int) -> Held:
    return Held(role=held.role, person=held.person, since=held.since, until=max(held.since, until))


def _communication(entries: Sequence[Entry]) -> tuple[list[Told], list[Missed]]:
    deliveries: dict[str, list[Delivery]] = {}
    for delivery in filter(None, map(delivery_of, entries)):
        deliveries.setdefault(delivery.update, []).append(delivery)
    updates = [
        Told(update=update, deliveries=tuple(deliveries.get(update.entry, ())))
        for update in filter(None, map(update_of, entries))
    ]
    dues = ((entry, missed_due_of(entry)) for entry in entries)
    missed = [Missed(entry=entry, due=due) for entry, due in dues if due is not None]
    return sorted(updates, key=lambda one: one.update.at), missed
