"""What the databases say: which is ill and since when, as symptoms, and as evidence for the framework's nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from probes.azure.pressure import began, trouble, trouble_since
from probes.rows import Health
from runbook.diagnosis.findings import Place, Seen
from runbook.diagnosis.wording import clip, many, not_live

if TYPE_CHECKING:
    from probes.azure.rows import Database
    from runbook.diagnosis.situation import Situation

SHOWN = 2  # databases that a sentence names


def place_of(row: Database) -> Place:
    return Place(pane="databases", kind="SqlDatabase", namespace=row.server, name=row.name, key=row.key)


def ill_words(row: Database) -> str:
    """``BankingAccountsDb DTU 98 % for 12 min``."""
    return f"{clip(row.name)} {clip(trouble(row)) or 'is ill'}"


def onset(row: Database) -> float | None:
    """Since when it is ill, if that is known: not of what was so for all of the hour that was measured."""
    return began(row)


def symptoms_of(now: Situation) -> Iterator[Seen]:
    """A database that is not there for anybody, and one that is at a limit of its own."""
    if not now.sight.seen("databases"):
        return
    away = [row for row in now.sick_databases if row.health is Health.FAILING and row.status != "Online"]
    limited = [row for row in now.sick_databases if row.near]
    as_of = now.sight.as_of("databases")
    if away:
        text = _told(away)
        yield Seen(symptom="database-unavailable", text=text, since=None, place=place_of(away[0]), as_of=as_of)
    if limited:
        since = min((at for row in limited if (at := trouble_since(row)) is not None), default=None)
        text = _told(limited)
        yield Seen(symptom="database-at-limit", text=text, since=since, place=place_of(limited[0]), as_of=as_of)


def _told(rows: Sequence[Database]) -> str:
    rest = len(rows) - SHOWN
    return "; ".join(map(ill_words, rows[:SHOWN])) + (f"; and {many(rest, 'more database')}" if rest > 0 else "")


def standing(now: Situation) -> tuple[str, Place, float | None]:
    """(sentence, where, since when) of all that are watched; the sick ones by name, else the one that works hardest."""
    rows, place = list(now.sight.databases), Place(pane="databases")
    if not now.sight.live("databases"):
        return f"not known: {not_live('databases', now.sight.snapshots.get('databases'), now.clock)}", place, None
    if not rows:
        return "there is no SQL database in the configured resource groups", place, None
    sick = now.sick_databases
    if sick:
        others = len(rows) - len(sick)
        rest = f"; {many(others, 'other')} well" if others else ""
        return _told(sick) + rest, place_of(sick[0]), trouble_since(sick[0])
    well = "the only database is well" if len(rows) == 1 else f"all {len(rows)} databases are well"
    return well + hardest(rows), place, None


def hardest(rows: Sequence[Database]) -> str:
    """``, BankingAccountsDb works hardest at 24 %``."""
    loads = [(last, row.name) for row in rows if row.load is not None and (last := row.load.last) is not None]
    if not loads:
        return ""
    load, name = max(loads)
    return f", {clip(name)} works hardest at {load:.0f} %" if len(rows) > 1 else f", at {load:.0f} % of what it may do"
