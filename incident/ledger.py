"""Writing to the chain, inside a transaction that somebody else has begun: the only statements that insert entries."""

from __future__ import annotations

import sqlite3

from msgspec import Struct
from msgspec.structs import replace

from incident import chain, change_rules, folding, standing
from incident.entry import ACTS, CHANGES, SENT, Draft, Entry, Incident, Kind
from incident.errors import Damaged, NoSuchEntry, NoSuchIncident, Refused
from incident.identity import entry_id, incident_id
from incident.rows import (
    INSERT_ENTRY,
    INSERT_INCIDENT,
    SELECT_ENTRY,
    UPDATE_INCIDENT,
    entries_of,
    entry_row,
    fetch_incident,
    incident_row,
)

_REFERRING = (Kind.AMENDMENT, Kind.RETRACTION, Kind.REPEAT, Kind.OUTCOME, Kind.DELIVERY)


class Stamp(Struct, frozen=True):
    """What the store adds to a draft. Made before the first attempt to write, so that a second cannot double it."""

    id: str
    recorded_at: int  # ms

    @classmethod
    def at(cls, now: int) -> Stamp:
        """A fresh stamp for something recorded at ``now`` (ms)."""
        return cls(entry_id(now), now)


def declare(connection: sqlite3.Connection, draft: Draft, stamp: Stamp) -> Incident:
    """Insert an incident and the DECLARED entry that begins it, whose evidence says everything about it.

    Raises:
        Refused: the severity does not exist.
    """
    declared_at = stamp.recorded_at if draft.happened_at is None else draft.happened_at
    identity = _free_id(connection, declared_at)
    try:
        incident = standing.begin(identity, standing.change_of(draft.evidence), declared_at)
    except ValueError as error:
        raise _nonsense(error) from error
    connection.execute(INSERT_INCIDENT, (*incident_row(incident), 0, chain.GENESIS))
    append(connection, identity, draft, stamp)
    return incident


def _free_id(connection: sqlite3.Connection, declared_at: int) -> str:
    """A name that no incident here has, and that sorts after those of the same minute that were declared before it."""
    minute = incident_id(declared_at)[: len("INC-20261123-1406-")]
    (newest,) = connection.execute(
        "SELECT max(id) FROM incident WHERE id BETWEEN ? AND ? AND declared_at <= ?",
        (minute, f"{minute}~", declared_at),
    ).fetchone()
    identity = incident_id(declared_at, after=newest)
    while fetch_incident(connection, identity) is not None:  # of others that are said to have been declared later
        identity = incident_id(declared_at)
    return identity


def append(connection: sqlite3.Connection, incident: str, draft: Draft, stamp: Stamp) -> Entry:
    """Insert one entry at the end of the incident's chain; a draft of this stamp that is there already is returned.

    Raises:
        NoSuchIncident, NoSuchEntry: what the draft is for, or refers to, is not there.
        Refused: the draft declares or changes an incident in a way that makes no sense.
    """
    head = connection.execute("SELECT head_seq, head_hash FROM incident WHERE id = ?", (incident,)).fetchone()
    if head is None:
        raise NoSuchIncident(f"There is no incident {incident} here. `warroom incidents` lists those there are.")
    written = fetch_entry(connection, stamp.id)
    if written is not None:
        return written
    draft = _resolve(connection, incident, draft, first=head[0] == 0)
    if draft.kind is Kind.STATUS:
        draft = _informed(connection, incident, draft, stamp.recorded_at)
    entry = chain.sealed(
        Entry(
            id=stamp.id,
            incident=incident,
            seq=head[0] + 1,
            happened_at=stamp.recorded_at if draft.happened_at is None else draft.happened_at,
            recorded_at=stamp.recorded_at,
            author=draft.author,
            source=draft.source,
            kind=draft.kind,
            text=draft.text,
            evidence=draft.evidence,
            refers_to=draft.refers_to,
            fold=draft.fold,
            level=draft.level,
            count=draft.count,
            previous_hash=head[1],
            hash="",
        )
    )
    _follow(connection, entry, draft)
    try:
        connection.execute(INSERT_ENTRY, entry_row(entry))
    except sqlite3.IntegrityError as error:
        raise Damaged(
            f"The end of {incident}'s chain was changed from outside ({error}); nothing was written. "
            "Run `warroom verify` to see where it breaks."
        ) from error
    connection.execute(
        "UPDATE incident SET head_seq = ?, head_hash = ? WHERE id = ?", (entry.seq, entry.hash, incident)
    )
    return entry


def observe(
    connection: sqlite3.Connection, incident: str, draft: Draft, stamp: Stamp, waited: Draft | None, *, may_wait: bool
) -> tuple[folding.Fold, list[Entry]]:
    """Append an observation as what it is: news, or a repeat. No entry is written if it may wait and should.

    ``waited`` are the repeats of the same key that were absorbed since the last entry.
    """
    assert draft.fold is not None
    newest = _newest_of_fold(connection, incident, draft.fold)
    fold = None if newest is None else folding.fold_of(newest)
    happened_at = stamp.recorded_at if draft.happened_at is None else draft.happened_at
    entries: list[Entry] = []
    if waited is not None:
        if fold is not None and fold.first == waited.refers_to:
            fold = replace(fold, last_at=max(fold.last_at, waited.happened_at or 0))
        if fold is not None and fold.first == waited.refers_to and folding.continues(fold, draft, happened_at):
            draft = replace(draft, count=draft.count + waited.count)
        else:
            entries.append(repeat(connection, incident, waited, Stamp.at(stamp.recorded_at)))
    elif (
        may_wait
        and fold is not None
        and folding.continues(fold, draft, happened_at)
        and folding.may_wait(fold, stamp.recorded_at)
    ):
        return fold, []
    entries.append(append(connection, incident, folding.decide(fold, draft, happened_at), stamp))
    return folding.fold_of(entries[-1]), entries


def repeat(connection: sqlite3.Connection, incident: str, waited: Draft, stamp: Stamp) -> Entry:
    """Append the repeats that waited, to the observation that they repeat."""
    (count,) = connection.execute(
        "SELECT max(count) FROM entry WHERE id = ? OR (refers_to = ? AND kind = ?)",
        (waited.refers_to, waited.refers_to, str(Kind.REPEAT)),
    ).fetchone()
    return append(connection, incident, folding.repeat(waited, count or 0), stamp)


def fetch_entry(connection: sqlite3.Connection, identity: str) -> Entry | None:
    """The entry of that ID, or None."""
    rows = connection.execute(SELECT_ENTRY + "WHERE id = ?", (identity,)).fetchall()
    return entries_of(rows)[0] if rows else None


def _newest_of_fold(connection: sqlite3.Connection, incident: str, fold: str) -> Entry | None:
    rows = connection.execute(
        SELECT_ENTRY + "WHERE incident = ? AND fold = ? AND kind IN (?, ?) ORDER BY seq DESC LIMIT 1",
        (incident, fold, str(Kind.OBSERVATION), str(Kind.REPEAT)),
    ).fetchall()
    return entries_of(rows)[0] if rows else None


def _resolve(connection: sqlite3.Connection, incident: str, draft: Draft, *, first: bool) -> Draft:
    """The draft with everything that only the store knows; refuses what does not fit the chain."""
    if (draft.kind is Kind.DECLARED) is not first:
        raise Refused("An incident is declared once, by its first entry. Nothing was recorded.")
    if draft.refers_to is None:
        if draft.kind in _REFERRING:
            raise Refused(f"The {draft.kind} does not say which entry it is for. Nothing was recorded.")
        return draft
    target = fetch_entry(connection, draft.refers_to)
    if target is None or target.incident != incident:
        raise NoSuchEntry(f"There is no entry {draft.refers_to} in {incident}. Nothing was recorded.")
    if draft.kind in (Kind.AMENDMENT, Kind.RETRACTION) and target.kind in ACTS:
        raise Refused(
            f"Entry {target.id} is the record of an act and stands as it is: what was done cannot be amended or "
            "retracted. Nothing was recorded: write a note beside it."
        )
    if draft.kind in (Kind.AMENDMENT, Kind.RETRACTION) and target.kind in SENT:
        raise Refused(
            f"Entry {target.id} is the record of what was told to others and stands as it is. Nothing was recorded: "
            "send another update, or write a note beside it."
        )
    if draft.kind is Kind.DELIVERY and target.kind is not Kind.UPDATE:
        raise Refused(f"Entry {target.id} is no update, so it was not delivered. Nothing was recorded.")
    if draft.kind is Kind.OUTCOME and (target.kind is not Kind.MITIGATION or target.ending is not None):
        what = "is no act" if target.kind is not Kind.MITIGATION else "was never sent"
        raise Refused(f"Entry {target.id} {what}, so it has no outcome. Nothing was recorded.")
    if draft.kind in (Kind.AMENDMENT, Kind.RETRACTION) and target.kind in _REFERRING:
        raise NoSuchEntry(
            f"Entry {target.id} is itself a {target.kind} and stands as it is. Nothing was recorded: "
            f"amend or retract {target.refers_to} instead."
        )
    if draft.kind is Kind.RETRACTION and target.kind in CHANGES:
        raise Refused(
            f"Entry {target.id} changed the incident itself and cannot be retracted. Nothing was recorded: "
            "set what it changed to what it should be instead."
        )
    if draft.kind is Kind.AMENDMENT:
        return _as_amended(connection, draft, target)
    return draft


def _as_amended(connection: sqlite3.Connection, draft: Draft, target: Entry) -> Draft:
    """An amendment holds text and time as they are after it; what it leaves open stays as it was."""
    text, happened_at = connection.execute(
        "SELECT text, happened_at FROM entry WHERE id = ? OR (refers_to = ? AND kind = ?) ORDER BY seq DESC LIMIT 1",
        (target.id, target.id, str(Kind.AMENDMENT)),
    ).fetchone()
    return replace(
        draft,
        text=draft.text or text,
        happened_at=happened_at if draft.happened_at is None else draft.happened_at,
        level=target.level,
    )


def _informed(connection: sqlite3.Connection, incident: str, draft: Draft, recorded_at: int) -> Draft:
    found = fetch_incident(connection, incident)
    assert found is not None
    try:
        return change_rules.informed(found, draft, recorded_at)
    except ValueError as error:
        raise _nonsense(error) from error


def _follow(connection: sqlite3.Connection, entry: Entry, draft: Draft) -> None:
    """Let the incident's row follow an entry that changes it; refuse a change that makes no sense."""
    if entry.kind is not Kind.STATUS:
        return
    incident = fetch_incident(connection, entry.incident)
    assert incident is not None
    try:
        changed = standing.after(incident, entry)
        change_rules.check(incident, changed, draft, entry.recorded_at)
    except ValueError as error:
        raise _nonsense(error) from error
    identity, *row = incident_row(changed)
    connection.execute(UPDATE_INCIDENT, (*row, identity))


def _nonsense(error: ValueError) -> Refused:
    text = str(error)
    return Refused(f"{text[:1].upper()}{text[1:]}. Nothing was recorded.")
