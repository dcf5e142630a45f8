"""Rows of the store's tables as incidents and entries, and back."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from incident import particulars
from incident.entry import SENT, Ending, Entry, Incident, Kind, Source, Status, ending_of
from incident.errors import Damaged
from incident.instants import rfc3339

# To be followed by a WHERE clause. Written out, so that no statement is ever put together from anything else.
SELECT_INCIDENT = """
    SELECT id, title, severity, status, declared_at, resolved_at, drill, cluster, namespace,
           services, impact, facts, roles, times FROM incident
"""
# The same, then where the chain is recorded to end, and the highest number there is. Takes the ID.
SELECT_STANDING = """
    SELECT id, title, severity, status, declared_at, resolved_at, drill, cluster, namespace,
           services, impact, facts, roles, times,
           head_seq, head_hash, (SELECT max(seq) FROM entry WHERE incident = ?1) FROM incident WHERE id = ?1
"""
INSERT_INCIDENT = """
    INSERT INTO incident (id, title, severity, status, declared_at, resolved_at, drill, cluster, namespace,
                          services, impact, facts, roles, times, head_seq, head_hash)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# Takes the values of `incident_row` without the first, which comes last.
UPDATE_INCIDENT = """
    UPDATE incident SET title = ?, severity = ?, status = ?, declared_at = ?, resolved_at = ?, drill = ?, cluster = ?,
                        namespace = ?, services = ?, impact = ?, facts = ?, roles = ?, times = ? WHERE id = ?
"""
SELECT_ENTRY = """
    SELECT id, incident, seq, happened_at, recorded_at, author, source, kind, text, refers_to, fold, level, count,
           previous_hash, hash, evidence FROM entry
"""
# Of the same what a timeline is drawn from. Of the evidence only whether there is one: an act's is read and not kept,
# it says how the act ended; what the console works with all the time is small and comes along. The hashes, a sixth of
# the time that reading takes, and the incident, which is known, are not asked for.
SELECT_LIGHT = """
    SELECT id, seq, happened_at, recorded_at, author, source, kind, text, refers_to, fold, level, count,
           CASE WHEN kind IN ('mitigation', 'outcome', 'update', 'delivery', 'missed', 'check')
                THEN evidence ELSE evidence IS NOT NULL END
      FROM entry
"""
INSERT_ENTRY = """
    INSERT INTO entry (id, incident, seq, happened_at, recorded_at, author, source, kind, text, refers_to, fold, level,
                       count, previous_hash, hash, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NAMES = (
    "id", "incident", "seq", "happened_at", "recorded_at", "author", "source", "kind", "text", "refers_to", "fold",
    "level", "count", "previous_hash", "hash", "evidence",
)  # fmt: skip

_COMES_ALONG = frozenset(map(str, (*SENT, Kind.CHECK)))

_SOURCES = {str(source): source for source in Source}
_KINDS = {str(kind): kind for kind in Kind}

Row = tuple[Any, ...]


def incident_of(row: Row) -> Incident:
    """An incident from `SELECT_INCIDENT`.

    Raises:
        Damaged: the row holds what this program never writes.
    """
    (
        identity, title, severity, status, declared_at, resolved_at, drill, cluster, namespace,
        services, impact, facts, roles, times,
    ) = row  # fmt: skip
    try:
        return Incident(
            id=identity,
            title=title,
            severity=severity,
            status=Status(status),
            declared_at=declared_at,
            resolved_at=resolved_at,
            drill=bool(drill),
            cluster=cluster,
            namespace=namespace,
            services=particulars.services_of(json.loads(services)),
            impact=impact,
            facts=particulars.settled(particulars.facts_of(json.loads(facts))),
            roles=particulars.settled(particulars.roles_of(json.loads(roles))),
            times=particulars.settled(particulars.times_of(json.loads(times))),
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(f"incident {identity}", error) from error


def incident_row(incident: Incident) -> Row:
    """The values of `SELECT_INCIDENT`."""
    return (
        incident.id,
        incident.title,
        incident.severity,
        str(incident.status),
        incident.declared_at,
        incident.resolved_at,
        int(incident.drill),
        incident.cluster,
        incident.namespace,
        _json(incident.services),
        incident.impact,
        _json(incident.facts),
        _json(incident.roles),
        _json(incident.times),
    )


def entries_of(rows: Iterable[Row]) -> list[Entry]:
    """Entries from `SELECT_ENTRY`.

    Raises:
        Damaged: a row holds what this program never writes.
    """
    entries = []
    for row in rows:
        (
            identity, incident, seq, happened_at, recorded_at, author, source, kind, text,
            refers_to, fold, level, count, previous_hash, digest, evidence,
        ) = row  # fmt: skip
        try:
            entry = Entry(
                identity, incident, seq, happened_at, recorded_at, author, _SOURCES[source], _KINDS[kind], text,
                None if evidence is None else evidence_of(evidence),
                refers_to, fold, level, count, previous_hash, digest,
            )  # fmt: skip
        except (KeyError, ValueError) as error:
            raise _damaged(f"entry {identity}", error) from error
        entries.append(entry)
    return entries


def light_entries_of(rows: Iterable[Row], incident: str) -> list[Entry]:
    """Entries of an incident from `SELECT_LIGHT`: without hashes, and with their evidence left on disk.

    Raises:
        Damaged: a row holds what this program never writes.
    """
    entries = []
    for row in rows:
        (
            identity, seq, happened_at, recorded_at, author, source, kind, text,
            refers_to, fold, level, count, evidence,
        ) = row  # fmt: skip
        on_disk = kind not in _COMES_ALONG
        try:
            # By position, which is a quarter of the time that names take: 100,000 of them are 0.2 s.
            entry = Entry(
                identity, incident, seq, happened_at, recorded_at, author, _SOURCES[source], _KINDS[kind], text,
                None if on_disk or evidence is None else evidence_of(evidence),
                refers_to, fold, level, count, "", "",
                on_disk and bool(evidence),
                _ending(evidence) if on_disk and isinstance(evidence, str) else None,
            )  # fmt: skip
        except (KeyError, ValueError) as error:
            raise _damaged(f"entry {identity}", error) from error
        entries.append(entry)
    return entries


def body_of(row: Row) -> dict[str, Any]:
    """A row of `SELECT_ENTRY` in its exported form, for checking: whatever it holds, this does not raise."""
    body = dict(zip(_NAMES, row, strict=True))
    for name in ("happened_at", "recorded_at"):
        with contextlib.suppress(ValueError, TypeError):
            body[name] = rfc3339(body[name])
    if row[-1] is not None:
        with contextlib.suppress(ValueError, TypeError):
            body["evidence"] = evidence_of(row[-1])
    return body


def entry_row(entry: Entry) -> Row:
    """The values of `SELECT_ENTRY`. Evidence keeps the order of its keys, so that an object reads as it came."""
    return (
        entry.id,
        entry.incident,
        entry.seq,
        entry.happened_at,
        entry.recorded_at,
        entry.author,
        str(entry.source),
        str(entry.kind),
        entry.text,
        entry.refers_to,
        entry.fold,
        entry.level,
        entry.count,
        entry.previous_hash,
        entry.hash,
        None if entry.evidence is None else _json(entry.evidence),
    )


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def evidence_of(text: str) -> dict[str, Any]:
    """Decode stored evidence.

    Raises:
        ValueError: it is not a JSON object.
    """
    evidence = json.loads(text)
    if not isinstance(evidence, dict):
        raise ValueError("the evidence is not an object")
    return evidence


def _ending(evidence: str) -> Ending | None:
    """How an act ended. Evidence that cannot be read says nothing here; whoever reads it for itself is told."""
    try:
        return ending_of(evidence_of(evidence))
    except ValueError:
        return None


def fetch_incident(connection: sqlite3.Connection, incident_id: str) -> Incident | None:
    """The incident of that ID, or None."""
    row = connection.execute(SELECT_INCIDENT + "WHERE id = ?", (incident_id,)).fetchone()
    return None if row is None else incident_of(row)


def _damaged(what: str, error: Exception) -> Damaged:
    return Damaged(
        f"The store holds something in {what} that warroom never wrote ({error!r}). Nothing was changed. "
        "Run `warroom verify` to see where its chain breaks; every other incident can still be exported."
    )
