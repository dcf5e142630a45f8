"""Chains of entries for the tests of the incident room, made without a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from incident import chain
from incident.entry import Draft, Entry, Incident, Kind, Status
from incident.standing import declaration_draft, declared

INCIDENT = "INC-20261123-1406-7kq2"
BEGAN = 1_795_442_760_000  # 2026-11-23T14:06:00.000Z


def entry(seq: int, draft: Draft, previous: str = chain.GENESIS, recorded_at: int | None = None) -> Entry:
    """The draft as entry number ``seq``, with the ID ``e<seq>``, recorded one second after the one before it."""
    recorded = BEGAN + seq * 1000 if recorded_at is None else recorded_at
    return chain.sealed(
        Entry(
            id=f"e{seq}",
            incident=INCIDENT,
            seq=seq,
            happened_at=recorded if draft.happened_at is None else draft.happened_at,
            recorded_at=recorded,
            author=draft.author,
            source=draft.source,
            kind=draft.kind,
            text=draft.text,
            evidence=draft.evidence,
            refers_to=draft.refers_to,
            fold=draft.fold,
            level=draft.level,
            count=draft.count,
            previous_hash=previous,
            hash="",
        )
    )


def note(text: str, **fields: Any) -> Draft:
    """A draft with what a test does not care about filled in."""
    return Draft(text=text, **({"author": "tech-lead"} | fields))


def amendment(of: str, text: str, happened_at: int, author: str = "tech-lead") -> Draft:
    """New text and time for an entry."""
    return note(text, kind=Kind.AMENDMENT, refers_to=of, happened_at=happened_at, author=author)


def retraction(of: str, reason: str) -> Draft:
    """Why an entry no longer stands."""
    return note(reason, kind=Kind.RETRACTION, refers_to=of)


def incident_with(
    drafts: Sequence[Draft], *, title: str = "Payments failing", drill: bool = False, cluster: str = "aks-prod"
) -> tuple[Incident, list[Entry]]:
    """A declared SEV 2 incident whose chain goes on with the drafts. The declaration is ``e1``."""
    first = declaration_draft(
        title=title, author="tech-lead", severity=2, drill=drill, cluster=cluster, namespace="prod", happened_at=None
    )
    entries: list[Entry] = []
    for seq, draft in enumerate((first, *drafts), 1):
        entries.append(entry(seq, draft, entries[-1].hash if entries else chain.GENESIS))
    incident = declared(entries[0])
    assert incident.status is Status.INVESTIGATING
    return incident, entries
