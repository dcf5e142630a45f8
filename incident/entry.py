"""The types of the timeline: an incident, an entry, and how a reader sees an entry after its amendments.

Instants in this room are ``int`` milliseconds since the epoch (UTC): exact, so that they can be hashed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct


class Source(StrEnum):
    """Who wrote an entry."""

    PERSON = "person"
    PROBE = "probe"
    MITIGATION = "mitigation"
    UPDATE = "update"


class Kind(StrEnum):
    """What an entry is."""

    NOTE = "note"
    FOLLOWUP = "followup"  # a note that began with TODO
    PIN = "pin"  # a row, event or log line put on the timeline, with its original time and raw object
    DECLARED = "declared"
    STATUS = "status"  # the incident itself changed: severity, status, title, roles, facts, times
    OBSERVATION = "observation"  # a probe saw something change
    REPEAT = "repeat"  # the observation in `refers_to` happened again; `count` so far
    AMENDMENT = "amendment"  # new text and/or time for `refers_to`
    RETRACTION = "retraction"  # `refers_to` no longer stands; `text` is the reason
    EXPORT = "export"
    MITIGATION = "mitigation"  # somebody is about to act: the intent, with its plan as evidence
    OUTCOME = "outcome"  # how the intent in `refers_to` ended
    UPDATE = "update"  # a status update, word for word as it was sent (`incident.updates`)
    DELIVERY = "delivery"  # how the update in `refers_to` fared with one channel
    MISSED = "missed"  # an update that was due and not sent
    CHECK = "check"  # an item of a checklist was ticked, opened again, or is not needed (`incident.checks`)


ACTS = (Kind.MITIGATION, Kind.OUTCOME)
"""What an act leaves on the timeline. It happened: neither is ever amended or retracted."""

SENT = (Kind.UPDATE, Kind.DELIVERY, Kind.MISSED)
"""What was told to others, or was not. It is out in the world: none of these is ever amended or retracted."""

CHANGES = (Kind.DECLARED, Kind.STATUS)
"""What the incident's own row is made of (`incident.standing`)."""

MARKS = ("began", "detected", "acknowledged", "mitigated", "resolved")
"""The moments of an incident that a person may set, in the only order that makes sense."""


class Status(StrEnum):
    INVESTIGATING = "INVESTIGATING"
    MITIGATING = "MITIGATING"
    RESOLVED = "RESOLVED"
    REVIEWED = "REVIEWED"


class Incident(Struct, frozen=True, kw_only=True):
    """One incident. ``id`` is ``INC-YYYYMMDD-HHMM-xxxx``: sorts by time, never clashes between consoles.

    ``facts`` answer the decision matrix: service_down, customer_impact, degraded, complaints; what nobody knows is not
    in it. ``roles`` are persons by the role's id. ``times`` (ms) are the `MARKS` that a person has set.
    ``resolved_at`` is the mark of that name once it is set; until then, when it was said to be resolved.
    """

    id: str
    title: str
    severity: int | None  # 1 (critical) to 4 (low); None while not classified
    status: Status
    declared_at: int  # ms
    resolved_at: int | None  # ms
    drill: bool
    cluster: str
    namespace: str
    services: tuple[str, ...] = ()  # affected
    impact: str = ""  # on customers, in somebody's words
    facts: dict[str, bool] = {}
    roles: dict[str, str] = {}
    times: dict[str, int] = {}

    @property
    def open(self) -> bool:
        return self.status in (Status.INVESTIGATING, Status.MITIGATING)


class Draft(Struct, frozen=True, kw_only=True):
    """What somebody wants recorded; the store adds id, time recorded and hashes."""

    text: str
    author: str
    source: Source = Source.PERSON
    kind: Kind = Kind.NOTE
    happened_at: int | None = None  # ms; None means now
    evidence: dict[str, Any] | None = None  # JSON; the store redacts secrets before writing
    refers_to: str | None = None  # what is amended, retracted, repeated; the outcome's intent, the delivery's update
    fold: str | None = None  # observations of the same fold key become one entry with a count
    level: str = "info"  # info, good, warn, bad: how loud the entry is on the screen
    count: int = 1  # of REPEAT: how often so far


class Ending(Struct, frozen=True, kw_only=True, gc=False):
    """How an act ended, as the evidence of its outcome says; of a refused or cancelled one, as its own does.

    ``sent`` None: it is not known whether the cluster got the request. ``undo``: how to take back what was sent.
    ``looked``: it found something out and mitigated nothing.
    """

    verdict: str
    sent: bool | None
    seconds: float
    undo: str
    looked: bool = False


class Entry(Struct, frozen=True, gc=False):
    """One record of the chain, exactly as it is on disk. ``seq`` counts from 1 within its incident.

    One that was read without its evidence (``evidence_on_disk``) was read without its hashes: they are empty.
    """

    id: str
    incident: str
    seq: int
    happened_at: int  # ms
    recorded_at: int  # ms
    author: str
    source: Source
    kind: Kind
    text: str
    evidence: dict[str, Any] | None
    refers_to: str | None
    fold: str | None
    level: str
    count: int
    previous_hash: str
    hash: str
    evidence_on_disk: bool = False  # there is evidence, left in the store: `Store.evidence(id)` reads it
    ending_on_disk: Ending | None = None  # what of that is known all the same

    @property
    def has_evidence(self) -> bool:
        return self.evidence_on_disk or self.evidence is not None

    @property
    def ending(self) -> Ending | None:
        """How an act ended, if this entry says so: every OUTCOME does, and a MITIGATION that was never sent."""
        return self.ending_on_disk if self.evidence is None else ending_of(self.evidence)


def ending_of(evidence: dict[str, Any]) -> Ending | None:
    """What evidence says of how an act ended; None if it does not. Whatever it holds, this does not raise."""
    outcome = evidence.get("outcome")
    if not isinstance(outcome, dict):
        return None
    sent, seconds, undo = outcome.get("sent"), outcome.get("seconds"), outcome.get("undo")
    return Ending(
        verdict=str(outcome.get("verdict", "")),
        sent=sent if isinstance(sent, bool) else None,
        seconds=float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 1e9 else 0.0,
        undo=str(undo.get("words", "")) if isinstance(undo, dict) else "",
        looked=outcome.get("looked") is True,
    )


class Line(Struct, frozen=True, gc=False):
    """An entry as a reader sees it: amended text and time, retracted or not, how often it was repeated, how it ended.

    ``level``    how loud it is: the entry's, or its outcome's.
    ``outcome``  of an act, how it ended, in the words of the last entry that says so; None while nobody knows.
    ``ended_by`` who said so, ``ended_at`` (ms) when.
    ``earlier``  what was said of its end before that: two consoles may both find out after a crash.
    ``sent``     of an act that ended: whether the cluster got the request; None if that is not known.
    ``looked``   of an act: it finds something out and mitigates nothing.
    """

    entry: Entry
    text: str
    happened_at: int  # ms
    amended_at: int | None  # ms, of the last amendment
    retracted: str | None  # the reason, or None if it stands
    count: int
    last_at: int  # ms, of the last repeat or the outcome; else equal to happened_at
    level: str
    outcome: str | None = None
    ended_at: int | None = None
    ended_by: str = ""
    earlier: tuple[str, ...] = ()
    sent: bool | None = None
    looked: bool = False

    @property
    def id(self) -> str:
        return self.entry.id

    @property
    def unended(self) -> bool:
        """An act that has begun, and nothing says how it ended: it runs, or its outcome is unknown."""
        return self.entry.kind is Kind.MITIGATION and self.outcome is None

    @property
    def acted(self) -> bool:
        """Whether this line is an act that reached the cluster, or may have."""
        return self.entry.kind is Kind.MITIGATION and (self.outcome is None or self.sent is not False)
