"""What is worth a line on the timeline in Azure: who changed what, databases near a limit, alerts that fire. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from probes.azure.pressure import trouble, trouble_since
from probes.azure.rows import Activity, Database, DatabaseOperation, FiredAlert
from probes.freshness import Snapshot
from probes.rows import Health
from probes.turns import OPENED, Level, Transition, span, turn

SETTLES = 45.0
"""Seconds that an operation under way may take to its end before it is told without one."""

DARK = 150.0
"""Seconds without an answer after which a source that was live counts as not seen; they are asked every minute."""

RECENT = 3600.0  # seconds
MOST_AT_OPENING = 12  # databases told one by one when the console opens

TOLD = ("ServiceHealth", "ResourceHealth", "Security")
CALLED = {"activity": "Azure's activity log", "databases": "the databases", "alerts": "Azure's alerts"}
_LEVELS: Mapping[Health, Level] = {Health.FAILING: "bad", Health.DEGRADED: "warn"}


class AzureTurns:
    """All of them. The first live snapshot of a source is where it begins."""

    def __init__(self) -> None:
        self._activity = ActivityTurns()
        self._databases = DatabaseTurns()
        self._alerts = AlertTurns()
        self._seen: dict[str, float] = {}  # source → when it last proved itself
        self._whys: dict[str, str] = {}  # source → why it is not live
        self._told: set[str] = set()  # sources of which it was told that they cannot be seen

    def observe(self, snapshot: Snapshot[Any], now: float) -> list[Transition]:
        source, freshness = snapshot.source, snapshot.freshness
        if not freshness.live:
            self._whys[source] = freshness.detail
            return self.tick(now)
        turns = self._back(source, now)
        self._seen[source] = max(freshness.confirmed or 0.0, freshness.since)
        if source == "activity":
            turns += self._activity.observe(snapshot.rows, now)
        elif source == "databases":
            turns += self._databases.observe(snapshot.rows, now)
        else:
            turns += self._alerts.observe(snapshot.rows, now)
        return turns + self.tick(now)

    def tick(self, now: float) -> list[Transition]:
        """What becomes certain by time alone: a long operation, a source that is really gone."""
        turns = self._activity.tick(now)
        for source, why in self._whys.items():
            seen = self._seen.get(source)
            if seen is None or source in self._told or now - seen < DARK:
                continue
            self._told.add(source)
            text = f"{CALLED[source]} cannot be seen"
            turns.append(turn(f"azure/{source}", seen, "warn", text, f"for {span(now - seen)}: {why}"))
        return turns

    def _back(self, source: str, now: float) -> list[Transition]:
        self._whys.pop(source, None)
        if source not in self._told:
            return []
        self._told.discard(source)
        since = self._seen[source]
        text, detail = f"{CALLED[source]} can be seen again", f"nothing was seen for {span(now - since)}"
        return [turn(f"azure/{source}", now, "info", text, detail, blind_from=since, blind_until=now)]


class ActivityTurns:
    """Changes that came into the log since the console opened, however long ago they were made: Azure tells late."""

    def __init__(self) -> None:
        self._before: Mapping[str, Activity] | None = None
        self._going_on: dict[str, float] = {}  # key → until when its end is waited for; inf once it was told without

    def observe(self, rows: Mapping[str, Activity], now: float) -> list[Transition]:
        before, self._before = self._before, rows
        if before is None:
            return []
        turns: list[Transition] = []
        for key, row in rows.items():
            old = before.get(key)
            if old is row or not _worth(row):
                continue
            if row.ended_at is None and row.health is not Health.FAILING and row.category == "Administrative":
                self._going_on.setdefault(key, now + SETTLES)
            elif old is None or key in self._going_on or row.health is not old.health:
                self._going_on.pop(key, None)
                turns.append(_activity(row))
        return turns + self.tick(now)

    def tick(self, now: float) -> list[Transition]:
        due = [key for key, until in self._going_on.items() if until <= now]
        turns: list[Transition] = []
        for key in due:
            self._going_on[key] = float("inf")
            row = (self._before or {}).get(key)
            if row is None:
                del self._going_on[key]
            else:
                turns.append(_activity(row, " is under way"))
        return turns


def _worth(row: Activity) -> bool:
    return row.change or row.category in TOLD or row.health is Health.FAILING


def _activity(row: Activity, word: str = "") -> Transition:
    """A change is no symptom, even one that failed: the review takes what is bad for one. Azure's own health is."""
    failed = row.health is Health.FAILING
    level: Level = "info"
    if row.category in TOLD:
        level = "warn" if row.health <= Health.DEGRADED else "good"
    elif failed:
        word = " failed"
    details = (row.caller and f"by {row.caller}", row.sub_status if failed else "", row.description)
    return turn(
        f"azure/{row.operation}/{row.resource_id}/{word.strip() or level}".lower(),
        row.at,
        level,
        f"azure {row.operation_text or row.operation}{word}: {row.resource}",
        " · ".join(filter(None, details)),
        operation=row.operation,
        resource=row.resource_id,
        status=row.status,
        sub_status=row.sub_status,
        caller=row.caller,
        correlation=row.correlation,
    )


class DatabaseTurns:
    """Near a limit and well again, another status or size, operations, databases that come and go."""

    def __init__(self) -> None:
        self._before: dict[str, Database] | None = None
        self._ill_at: dict[str, float] = {}
        self._failing: set[str] = set()  # of which it was told that they fail, and not yet that this is over

    def observe(self, rows: Mapping[str, Database], now: float) -> list[Transition]:
        before, self._before = self._before, dict(rows)
        turns: list[Transition] = []
        if before is None:
            sick = [row for row in rows.values() if row.health <= Health.DEGRADED]
            turns += [self._ill(row, now, f"already {_wrong(row)} {OPENED}") for row in sick[:MOST_AT_OPENING]]
            turns += [_begun(row, one, now) for row in rows.values() for one in row.operations if one.going_on]
            return turns
        for key, row in rows.items():
            old = before.get(key)
            if old is row:
                continue
            if old is None:
                text = f"database {row.name} appeared on {row.server}"
                # One that is old has only come into view.
                at = row.created_at if row.created_at is not None and now - row.created_at < RECENT else now
                turns.append(turn(f"database/{key}/there", at, "info", text, **_database(row)))
            turns += self._changes(row, old, now)
        for key in before.keys() - rows.keys():
            self._ill_at.pop(key, None)
            self._failing.discard(key)
            old = before[key]
            turns.append(turn(f"database/{key}/gone", now, "warn", f"database {old.name} is gone from {old.server}"))
        return turns

    def _changes(self, row: Database, old: Database | None, now: float) -> Iterator[Transition]:
        was = old.health if old is not None else Health.HEALTHY
        if row.health <= Health.DEGRADED and row.health < was:
            yield self._ill(row, now, _wrong(row))
        elif row.health >= Health.HEALTHY and was <= Health.DEGRADED:
            since = self._ill_at.pop(row.key, None)
            self._failing.discard(row.key)
            after = f"after {span(now - since)}" if since is not None else ""
            text = f"database {row.name} well again"
            yield turn(f"database/{row.key}/well", now, "good", text, after, **_database(row))
        elif row.key in self._failing and _usable(row):
            # Its failures of the last minutes keep it amber for a while; who waits for it waits no more.
            self._failing.discard(row.key)
            text, still = f"database {row.name} Online and near no limit any more", f"of before: {_wrong(row)}"
            yield turn(f"database/{row.key}/relieved", now, "good", text, still, **_database(row))
        if old is not None and row.status != old.status and row.health > Health.DEGRADED:
            text = f"database {row.name} {old.status} → {row.status}"
            yield turn(f"database-status/{row.key}/{row.status}".lower(), now, "info", text, **_database(row))
        if old is not None and row.objective != old.objective:
            text = f"database {row.name} {old.objective} → {row.objective}"
            yield turn(f"database-objective/{row.key}/{row.objective}".lower(), now, "info", text, **_database(row))
        known = {one.id: one for one in old.operations} if old is not None else {}
        for one in row.operations:
            was_on = one.id in known and known[one.id].going_on
            if one.going_on and not was_on:
                yield _begun(row, one, now)
            elif not one.going_on and was_on:
                yield _ended(row, one, now)

    def _ill(self, row: Database, now: float, how: str) -> Transition:
        at = min(trouble_since(row) or now, now)
        self._ill_at.setdefault(row.key, at)
        level = _LEVELS.get(row.health, "warn")
        if row.health is Health.FAILING:
            self._failing.add(row.key)
        return turn(
            f"database/{row.key}/unhealthy", at, level, f"database {row.name} {how}", row.server, **_database(row)
        )


def _usable(row: Database) -> bool:
    """Whether it is there for everybody, and nothing of it is near a limit."""
    return row.status == "Online" and bool(row.metrics) and trouble_since(row) is None


def _wrong(row: Database) -> str:
    return trouble(row) or "unhealthy"


def _begun(row: Database, one: DatabaseOperation, now: float) -> Transition:
    text = f"database {row.name}: {one.words} under way"
    return turn(f"database-operation/{row.key}/{one.id}/begun", one.started_at or now, "info", text, **_database(row))


def _ended(row: Database, one: DatabaseOperation, now: float) -> Transition:
    level: Level = "good" if one.state == "Succeeded" else "warn"
    after = f"after {span(now - one.started_at)}" if one.started_at is not None else ""
    text = f"database {row.name}: {one.words} {one.state.lower()}"
    detail = " · ".join(filter(None, (after, one.error)))
    return turn(
        f"database-operation/{row.key}/{one.id}/{one.state}".lower(), now, level, text, detail, **_database(row)
    )


def _database(row: Database) -> dict[str, Any]:
    load = row.load
    return {
        "database": row.resource_id,
        "status": row.status,
        "objective": row.objective,
        "load_percent": load.last if load is not None else None,
        "near": list(row.near),
    }


class AlertTurns:
    """Fired, and quiet again."""

    def __init__(self) -> None:
        self._before: dict[str, FiredAlert] | None = None

    def observe(self, rows: Mapping[str, FiredAlert], now: float) -> list[Transition]:
        before, self._before = self._before, dict(rows)
        turns = [
            _fired(row, now, "fired" if before is not None else f"already fired {OPENED}")
            for key, row in rows.items()
            if before is None or key not in before
        ]
        for key in (before or {}).keys() - rows.keys():
            old = (before or {})[key]
            after = f"after {span(now - old.at)}" if old.at is not None else ""
            turns.append(turn(f"alert/{key}/quiet", now, "good", f"alert {old.rule} is quiet again", after))
        return turns


def _fired(row: FiredAlert, now: float, how: str) -> Transition:
    severity = f" (sev {row.severity})" if row.severity is not None else ""
    return turn(
        f"alert/{row.key}/fired",
        row.at or now,
        _LEVELS.get(row.health, "info"),
        f"alert {row.rule}{severity} {how}: {row.target}",
        row.description,
        rule=row.rule,
        severity=row.severity,
        target=row.target,
    )
