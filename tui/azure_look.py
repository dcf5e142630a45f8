"""One look at Azure: asked for `tui.look`, and told as a person and as a program reads it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from probes.rows import Health
from widgets.plain import ago

if TYPE_CHECKING:
    from probes.azure.rows import Activity, Database, FiredAlert
    from probes.freshness import Snapshot
    from tui.azure_settings import AzureSettings
    from tui.columns import Page
    from tui.look import Look

MOST_DATABASES, MOST_ACTIVITY = 50, 10


async def azure_look(settings: AzureSettings, limit: float) -> tuple[Snapshot[Any], ...]:
    """The activity log, the databases and the alerts, each at most ``limit`` seconds; nothing without settings."""
    if not settings.configured:
        return ()
    from tui.azure_probes import account_of, probes_of
    from tui.look import first

    account = account_of(settings)
    try:
        looks = (first(probe, probe.name, limit) for probe in probes_of(account, settings))
        return tuple(await asyncio.gather(*looks))
    finally:
        await account.close()


# ---------------------------------------------------------------------- as data


def to_dict(seen: Look) -> dict[str, Any]:
    """The ``azure`` of ``warroom status --json``: activity newest first, databases and alerts sick first."""
    return {
        "activity": [_activity(row) for row in _newest(seen)],
        "databases": [_database(row) for row in _databases(seen)],
        "alerts": [_alert(row) for row in _alerts(seen)],
    }


def _newest(seen: Look) -> list[Activity]:
    rows = seen.activity.rows.values() if seen.activity is not None else ()
    return sorted(rows, key=lambda row: (-row.at, row.key))


def _databases(seen: Look) -> list[Database]:
    rows = seen.databases.rows.values() if seen.databases is not None else ()
    return sorted(rows, key=lambda row: (row.health, row.server, row.name))


def _alerts(seen: Look) -> list[FiredAlert]:
    rows = seen.alerts.rows.values() if seen.alerts is not None else ()
    return sorted(rows, key=lambda row: (row.health, row.rule, row.key))


def _activity(row: Activity) -> dict[str, Any]:
    from tui.look_json import timestamp

    return {
        "time": timestamp(row.at),
        "operation": row.operation,
        "text": row.operation_text,
        "status": row.status,
        "sub_status": row.sub_status,
        "caller": row.caller,
        "resource": row.resource,
        "resource_id": row.resource_id,
        "category": row.category,
        "level": row.level,
        "correlation": row.correlation,
        "change": row.change,
        "ended": timestamp(row.ended_at),
    }


def _database(row: Database) -> dict[str, Any]:
    from tui.look_json import timestamp

    return {
        "server": row.server,
        "name": row.name,
        "status": row.status,
        "healthy": row.health >= Health.HEALTHY,
        "objective": row.objective,
        "edition": row.edition,
        "load_percent": _last(row, row.load.name) if row.load is not None else None,
        "storage_percent": _last(row, "storage_percent"),
        "near": list(row.near),
        "earliest_restore": timestamp(row.earliest_restore_at),
        "zone_redundant": row.zone_redundant,
        "replicas": [
            {"server": replica.server, "database": replica.database, "role": replica.role, "state": replica.state}
            for replica in row.replicas
        ],
        "operations": [
            {
                "operation": one.operation,
                "state": one.state,
                "percent": one.percent,
                "started": timestamp(one.started_at),
            }
            for one in row.operations
            if one.going_on
        ],
        "resource_id": row.resource_id,
        "unseen": list(row.unseen),
    }


def _last(row: Database, name: str) -> float | None:
    metric = row.metric(name)
    return None if metric is None or metric.last is None else round(metric.last, 1)


def _alert(row: FiredAlert) -> dict[str, Any]:
    from tui.look_json import timestamp

    return {
        "rule": row.rule,
        "severity": row.severity,
        "state": row.state,
        "target": row.target,
        "since": timestamp(row.at),
        "description": row.description,
    }


# ---------------------------------------------------------------------- as text


def write(seen: Look, page: Page) -> None:
    """The databases, what was changed or failed, and the alerts; nothing where Azure is not looked at."""
    from tui.look_text import LEVELS, heading, more

    if seen.databases is not None:
        rows = _databases(seen)
        sick = sum(row.health < Health.HEALTHY for row in rows)
        if heading(page, "DATABASES", seen.databases, f"{len(rows) - sick} of {len(rows)} well"):
            page.table(
                ("", "SERVER", "NAME", "STATUS", "TIER", ">LOAD", ">STORAGE", "NEAR A LIMIT, UNDER WAY"),
                ((LEVELS[row.health], _database_cells(row)) for row in rows[:MOST_DATABASES]),
            )
            more(page, len(rows) - MOST_DATABASES, "databases")
    if seen.activity is not None:
        everything = _newest(seen)
        told = [row for row in everything if row.change or row.health < Health.HEALTHY]
        remark = f"{len(told)} changes and failures of {len(everything)} operations, newest first"
        if heading(page, "AZURE ACTIVITY", seen.activity, remark) and told:
            page.table(
                (">AGE", "STATUS", "OPERATION", "RESOURCE", "BY"),
                ((_level(row), _activity_cells(row, seen.at)) for row in told[:MOST_ACTIVITY]),
            )
            more(page, len(told) - MOST_ACTIVITY, "changes")
    if seen.alerts is not None:
        fired = _alerts(seen)
        if heading(page, "AZURE ALERTS", seen.alerts, f"{len(fired)} fired"):
            page.table(
                ("", ">SEVERITY", "RULE", ">SINCE", "TARGET", "DESCRIPTION"),
                ((LEVELS[row.health], _alert_cells(row, seen.at)) for row in fired[:MOST_DATABASES]),
            )
            more(page, len(fired) - MOST_DATABASES, "alerts")


def _level(row: Activity) -> str:
    return "bad" if row.health is Health.FAILING else "warn" if row.health is Health.DEGRADED else ""


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}%"


def _database_cells(row: Database) -> tuple[str, ...]:
    from widgets.databases import operation_text

    under_way = (operation_text(one) for one in row.operations if one.going_on)
    return (
        row.health.mark,
        row.server,
        row.name,
        row.status,
        row.objective,
        _percent(row.load.last if row.load is not None else None),
        _percent(_last(row, "storage_percent")),
        ", ".join((*under_way, *row.near)),
    )


def _activity_cells(row: Activity, now: float) -> tuple[str, ...]:
    return (ago(now - row.at), row.status, row.operation_text or row.operation, row.resource, row.caller)


def _alert_cells(row: FiredAlert, now: float) -> tuple[str, ...]:
    return (
        row.health.mark,
        "–" if row.severity is None else str(row.severity),
        row.rule,
        "–" if row.at is None else ago(now - row.at),
        row.target,
        row.description,
    )
