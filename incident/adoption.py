"""Taking over a chain that was written elsewhere, as it is: its ids, times and hashes stay what they were."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from incident.chain import GENESIS
from incident.entry import Entry, Incident
from incident.errors import Refused
from incident.rows import INSERT_ENTRY, INSERT_INCIDENT, SELECT_STANDING, UPDATE_INCIDENT, entry_row, incident_row


def adopt(connection: sqlite3.Connection, incident: Incident, entries: Sequence[Entry]) -> int:
    """Insert what is missing of a chain that was verified before. Returns how many entries that were.

    ``entries`` are the whole chain and ``incident`` is what they make. To be called within a transaction.

    Raises:
        Refused: the store has the incident and its chain goes another way, or has one of the entries elsewhere.
    """
    row = connection.execute(SELECT_STANDING, (incident.id,)).fetchone()
    known = 0
    if row is None:
        connection.execute(INSERT_INCIDENT, (*incident_row(incident), 0, GENESIS))
    else:
        known = int(row[-3])
        _same_way(connection, incident.id, known, entries)
    missing = entries[known:]
    if not missing:
        return 0
    try:
        for entry in missing:
            connection.execute(INSERT_ENTRY, entry_row(entry))
    except sqlite3.IntegrityError as error:
        raise Refused(
            f"Entry {entry.id} of {incident.id} is in this store already, as a part of something else. "
            "Nothing was imported."
        ) from error
    identity, *changed = incident_row(incident)
    connection.execute(UPDATE_INCIDENT, (*changed, identity))
    connection.execute(
        "UPDATE incident SET head_seq = ?, head_hash = ? WHERE id = ?", (entries[-1].seq, entries[-1].hash, incident.id)
    )
    return len(missing)


def _same_way(connection: sqlite3.Connection, incident: str, known: int, entries: Sequence[Entry]) -> None:
    """Refuse a chain that differs from what is known, naming the first entry that does."""
    common = min(known, len(entries))
    found = connection.execute(
        "SELECT seq, hash FROM entry WHERE incident = ? AND seq <= ? ORDER BY seq", (incident, common)
    ).fetchall()
    for entry, (seq, digest) in zip(entries, found, strict=False):
        if (entry.seq, entry.hash) != (seq, digest):
            raise Refused(
                f"{incident} is here already and went another way from entry {entry.seq} ({entry.id}) on. "
                "Nothing was imported: import into another store (--store) and compare the two."
            )
    if len(found) != common:
        raise Refused(
            f"The chain of {incident} in this store is not whole; run `warroom verify`. Nothing was imported."
        )
