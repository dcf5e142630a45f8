"""What an incident's timeline says of its status updates, played from the entries of `TOLD`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from incident.countdown import Promise
from incident.entry import Entry, Kind, Status
from incident.updates import Update, delivery_of, missed_due_of, update_of

TOLD = (Kind.DECLARED, Kind.STATUS, Kind.UPDATE, Kind.DELIVERY, Kind.MISSED)
"""The kinds of entries that this is played from, with their evidence."""

AUDIENCE = "audience"
"""The field of an update that says whom it is for."""

TEAM, CUSTOMERS, PAGER = "team", "customers", "pager"
"""Audiences. Only what goes to the team and its stakeholders is the status update that the runbook counts."""

_OPEN = (Status.INVESTIGATING, Status.MITIGATING)


class Told(Struct, frozen=True, kw_only=True):
    """Instants in ms.

    ``updates``     to the team, oldest first; ``last`` is the newest since the incident was opened (again).
    ``opened_at``   when it was declared or last opened again; ``severity_at`` when it last got another severity.
    ``missed``      the due times that a MISSED entry is there for.
    ``refs``        what a channel (by id) calls the incident.
    ``silent``      updates, and the ids of those of their channels that no outcome was recorded for.
    ``paged``       whether a pager was triggered and not resolved since.
    ``customers``   when customers were told last.
    ``turns``       by id the entries by which status, severity or services changed, and whether a reason follows
    """

    updates: tuple[Update, ...] = ()
    last: Promise | None = None
    opened_at: int | None = None
    severity_at: int | None = None
    missed: frozenset[int] = frozenset()
    refs: Mapping[str, str] = {}
    silent: tuple[tuple[Update, tuple[str, ...]], ...] = ()
    paged: bool = False
    customers: int | None = None
    turns: Mapping[str, bool] = {}


def told(entries: Iterable[Entry]) -> Told:
    """Play them in the order of the chain. Whatever their evidence holds, this does not raise."""
    updates: dict[str, Update] = {}
    answered: dict[str, set[str]] = {}
    last: Promise | None = None
    opened_at: int | None = None
    severity_at: int | None = None
    missed: set[int] = set()
    refs: dict[str, str] = {}
    closed = paged = False
    customers: int | None = None
    turns: dict[str, bool] = {}
    for entry in sorted(entries, key=lambda one: one.seq):
        if entry.kind is Kind.DECLARED:
            opened_at = entry.happened_at
        elif entry.kind is Kind.STATUS:
            change = _of(entry.evidence, "incident")
            if change.keys() & {"status", "severity", "services"}:
                turns[entry.id] = not change.keys().isdisjoint(("status", "severity"))
            if "severity" in change:
                severity_at = entry.recorded_at
            if "status" in change:
                opens = change["status"] in _OPEN
                if opens and closed:
                    opened_at, last = entry.recorded_at, None
                closed = not opens
        elif (update := update_of(entry)) is not None:
            updates[update.entry] = update
            if audience(update) == TEAM:
                last = Promise(update.at, update.next_due)
            elif audience(update) == CUSTOMERS:
                customers = update.at
        elif (delivery := delivery_of(entry)) is not None:
            answered.setdefault(delivery.update, set()).add(delivery.channel)
            extra = _of(entry.evidence, "delivery")
            if delivery.ok and isinstance(extra.get("ref"), str) and extra["ref"]:
                refs[delivery.channel] = extra["ref"]
            if delivery.ok and delivery.kind == "pagerduty":
                paged = extra.get("event") != "resolve"
        elif (due := missed_due_of(entry)) is not None:
            missed.add(due)
    silent = [
        (update, left)
        for update in updates.values()
        if (left := tuple(one for one in update.channels if one not in answered.get(update.entry, ())))
    ]
    return Told(
        updates=tuple(update for update in updates.values() if audience(update) == TEAM),
        last=last,
        opened_at=opened_at,
        severity_at=severity_at,
        missed=frozenset(missed),
        refs=refs,
        silent=tuple(silent),
        paged=paged,
        customers=customers,
        turns=turns,
    )


def audience(update: Update) -> str:
    """Whom an update was for."""
    return update.fields.get(AUDIENCE, TEAM)


def _of(evidence: Mapping[str, Any] | None, key: str) -> Mapping[str, Any]:
    found = (evidence or {}).get(key)
    return found if isinstance(found, dict) else {}
