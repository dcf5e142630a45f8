"""Azure's rows as subjects: a database, an operation, an alert. Imported when Azure is looked at."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from probes.azure.rows import Activity, Database, FiredAlert, Metric
from probes.rows import Health
from tui.subjects import LEVELS, Subject, facts_of, instant, subject_of
from widgets.databases import operation_text

if TYPE_CHECKING:
    from probes.azure.account import Account

WHOLE = "all that Azure told of it"


@subject_of.register
def _database(row: Database) -> Subject:
    """Its hour is kept as one line of values from one instant on, so that a pin of it stays readable."""
    facts = facts_of(row) | {"metrics": {metric.name: _hour(metric) for metric in row.metrics}}
    load = row.load.last if row.load is not None else None
    under_way = [operation_text(operation) for operation in row.operations if operation.going_on]
    told = ", ".join((*row.near, *under_way)) or (f"{row.unit} {load:.0f} %" if load is not None else "")
    return Subject(
        title=f"database/{row.name}",
        name=row.name,
        level=LEVELS[row.health],
        text=f"database {row.server}/{row.name}: {row.status}, {row.objective}{f', {told}' if told else ''}",
        facts=facts,
        whole=WHOLE,
    )


def _hour(metric: Metric) -> dict[str, Any]:
    first = metric.samples[0][0] if metric.samples else None
    return {
        "unit": metric.unit,
        "aggregation": metric.aggregation,
        "last": _rounded(metric.last),
        "peak": _rounded(metric.peak),
        "from": None if first is None else instant(round(first * 1000)),
        "each minute": " ".join("–" if value is None else f"{value:.3g}" for _, value in metric.samples),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


@subject_of.register
def _activity(row: Activity) -> Subject:
    failed = row.health is Health.FAILING
    why = ": ".join(filter(None, (row.sub_status, row.description))) if failed else ""
    return Subject(
        title=f"azure/{row.operation_text or row.operation}",
        name=row.resource,
        at=row.at,
        level="bad" if failed else "warn" if row.health is Health.DEGRADED else "info",
        text=f"azure {row.operation_text or row.operation}: {row.resource}, {row.status}"
        + (f" by {row.caller}" if row.caller else "")
        + (f": {why}" if why else ""),
        facts=facts_of(row),
        whole=WHOLE,
    )


@subject_of.register
def _alert(row: FiredAlert) -> Subject:
    severity = f" (sev {row.severity})" if row.severity is not None else ""
    return Subject(
        title=f"alert/{row.rule}",
        name=row.rule,
        at=row.at,
        level=LEVELS[row.health],
        text=f"alert {row.rule}{severity} on {row.target}" + (f": {row.description}" if row.description else ""),
        facts=facts_of(row),
        whole=WHOLE,
    )


async def raw_of(account: Account, subject: Subject) -> dict[str, Any] | None:
    """What Azure itself has of it: a database, the events of an operation; None for an alert. Raises `ProbeError`."""
    from probes.azure.raw import raw_database, raw_events

    facts = subject.facts
    resource = str(facts.get("resource_id", ""))
    if resource and subject.title.startswith("database/"):
        return await raw_database(account, resource)
    if not subject.title.startswith("azure/") or subject.at is None:
        return None
    ended = facts.get("ended_at")
    events = await raw_events(
        account,
        correlation=str(facts.get("correlation", "")),
        resource_id=resource,
        operation=str(facts.get("operation", "")),
        since=subject.at,
        until=datetime.fromisoformat(ended).timestamp() if isinstance(ended, str) else subject.at,
    )
    return {"events": events}
