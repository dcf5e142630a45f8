"""Azure's answers about a database as a row: what it is, how it does, what is near a limit. Pure.

Metrics: learn.microsoft.com/azure/azure-monitor/reference/supported-metrics/microsoft-sql-servers-databases-metrics
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from probes.azure import wire
from probes.azure.pressure import high_since
from probes.azure.resources import group_of
from probes.azure.rows import Database, DatabaseOperation, DatabaseUsage, Metric, Replica
from probes.rows import Health
from probes.turns import span

HOUR = 3600.0
MINUTE = 60.0
RECENT = 10 * MINUTE  # seconds in which failures are counted
SUSTAINED = 5 * MINUTE  # seconds at the limit after which a database counts as failing

_DTU_TIERS = ("Basic", "Standard", "Premium")

# What is asked for, and by which of Azure's aggregations it is read: the one that the metric is made for.
LOADS = {"dtu_consumption_percent": "average", "cpu_percent": "average"}
SHARES = {"storage_percent": "maximum", "workers_percent": "average", "sessions_percent": "average"}
COUNTS = {"deadlock": "total", "connection_failed": "total", "blocked_by_firewall": "total"}
AGGREGATIONS = {**LOADS, **SHARES, **COUNTS}

# Percent from which it is said, and from which the database counts as failing (None: never for this alone).
_LIMITS: dict[str, tuple[str, float, float | None]] = {
    "dtu_consumption_percent": ("DTU", 90.0, 95.0),
    "cpu_percent": ("CPU", 90.0, 95.0),
    "storage_percent": ("storage", 85.0, 97.0),
    "workers_percent": ("workers", 80.0, 95.0),
    "sessions_percent": ("sessions", 90.0, 97.0),
}
_HAPPENED = {
    "deadlock": ("1 deadlock", "{} deadlocks"),
    "connection_failed": ("1 failed connection", "{} failed connections"),
    "blocked_by_firewall": ("1 blocked by the firewall", "{} blocked by the firewall"),
}

# Microsoft.Sql DatabaseStatus. What is neither of these is on its way somewhere (Creating, Restoring, Scaling …).
_DOWN = ("RecoveryPending", "Suspect", "Offline", "Shutdown", "EmergencyMode", "Inaccessible", "Disabled")
_ASLEEP = ("Paused", "AutoClosed", "Stopped", "Standby", "OfflineSecondary")


def is_system(found: wire.Database) -> bool:
    """``master`` belongs to the server and is nobody's database."""
    return "system" in (found.kind or "").lower().split(",") or (found.name or "").lower() == "master"


def database(found: wire.Database, server: str, group: str) -> Database:
    """Its row, without what other questions answer."""
    properties = found.properties or wire.DatabaseProperties()
    sku = properties.current_sku or found.sku or wire.Sku()
    tier = sku.tier or sku.name or ""
    return Database(
        resource_id=found.id or "",
        resource_group=group_of(found.id or "") or group,
        server=server,
        name=found.name or "",
        status=properties.status or "unknown",
        health=Health.HEALTHY,
        objective=properties.current_service_objective_name or sku.name or "",
        edition=tier,
        capacity=sku.capacity or 0,
        unit="DTU" if tier in _DTU_TIERS else "vCores",
        max_size=properties.max_size_bytes,
        zone_redundant=bool(properties.zone_redundant),
        location=found.location or "",
        created_at=wire.instant(properties.creation_date),
        earliest_restore_at=wire.instant(properties.earliest_restore_date),
    )


def changing(found: wire.Database) -> bool:
    """Whether a management operation is likely to be going on: then operations are worth a question."""
    properties = found.properties or wire.DatabaseProperties()
    wanted, current = properties.requested_service_objective_name, properties.current_service_objective_name
    return bool(wanted and current and wanted != current) or properties.status not in ("Online", *_ASLEEP)


def metric_names(row: Database) -> tuple[str, ...]:
    """DTUs where it has them, else the processor; storage has no limit in Hyperscale."""
    load = "dtu_consumption_percent" if row.unit == "DTU" else "cpu_percent"
    shares = tuple(name for name in SHARES if row.edition != "Hyperscale" or name != "storage_percent")
    return (load, *shares, *COUNTS)


def metrics(answer: wire.Metrics) -> tuple[Metric, ...]:
    """Each metric with its minutes, the oldest first; what has no minutes at all is left out."""
    found = []
    for metric in answer.value or ():
        name = (metric.name.value if metric.name else "") or ""
        aggregation = AGGREGATIONS.get(name)
        if aggregation is None or not metric.timeseries:
            continue
        samples = {
            at: _value(point, aggregation)
            for series in metric.timeseries
            for point in series.data or ()
            if (at := wire.instant(point.time_stamp)) is not None
        }
        if samples:
            unit, how = metric.unit or "", aggregation.capitalize()
            found.append(Metric(name=name, unit=unit, aggregation=how, samples=tuple(sorted(samples.items()))))
    return tuple(sorted(found, key=lambda metric: list(AGGREGATIONS).index(metric.name)))


def _value(point: wire.Point, aggregation: str) -> float | None:
    by_name: dict[str, float | None] = {"average": point.average, "maximum": point.maximum, "total": point.total}
    return by_name[aggregation]


def usage(found: wire.Usage) -> DatabaseUsage:
    properties = found.properties or wire.UsageProperties()
    return DatabaseUsage(
        name=found.name or "",
        text=properties.display_name or found.name or "",
        current=properties.current_value or 0.0,
        limit=properties.limit,
        unit=properties.unit or "",
    )


def replica(found: wire.Link) -> Replica:
    properties = found.properties or wire.LinkProperties()
    return Replica(
        server=properties.partner_server or "",
        database=properties.partner_database or "",
        role=properties.partner_role or "",
        state=properties.replication_state or "",
        location=properties.partner_location or "",
    )


def operation(found: wire.Operation) -> DatabaseOperation:
    properties = found.properties or wire.OperationProperties()
    return DatabaseOperation(
        id=found.name or (found.id or "").rpartition("/")[2],
        operation=properties.operation or properties.operation_friendly_name or "",
        state=properties.state or "",
        percent=properties.percent_complete,
        started_at=wire.instant(properties.start_time),
        error=" ".join((properties.error_description or "")[:2000].split())[:500],
        cancellable=bool(properties.is_cancellable),
    )


def operations(found: Iterable[wire.Operation]) -> tuple[DatabaseOperation, ...]:
    """The newest first, at most twenty: Azure keeps them for days."""
    rows = sorted(map(operation, found), key=lambda each: each.started_at or 0.0, reverse=True)
    return tuple(rows[:20])


def near(found: Sequence[Metric]) -> tuple[str, ...]:
    """What is near its limit or failed lately, in words, the load first."""
    told = []
    for metric in found:
        if metric.name in _LIMITS:
            word, limit, _ = _LIMITS[metric.name]
            lasted = _lasted(metric, limit)
            if lasted is None or metric.last is None:
                continue
            # How long a disk has been full is in nobody's interest; how long a load lasts is.
            long = lasted > MINUTE and metric.name != "storage_percent"
            told.append(f"{word} {metric.last:.0f} %" + (f" for {span(lasted)}" if long else ""))
        elif metric.name in _HAPPENED:
            many = round(_recently(metric))
            one, more = _HAPPENED[metric.name]
            if many:
                told.append(f"{one if many == 1 else more.format(many)} in {RECENT / MINUTE:.0f} min")
    return tuple(told)


def _lasted(metric: Metric, limit: float) -> float | None:
    """Seconds that it has not been below the limit, each sample being a minute; None if the newest one is below."""
    since = high_since(metric, limit)
    last = next((at for at, value in reversed(metric.samples) if value is not None), None)
    return None if since is None or last is None else last - since + MINUTE


def _recently(metric: Metric) -> float:
    until = metric.samples[-1][0]
    return sum(value or 0.0 for at, value in metric.samples if at > until - RECENT)


def health(row: Database) -> Health:
    """FAILING: not usable, or at a limit for minutes; DEGRADED: near one, changing, a replica that stands still."""
    if row.status in _DOWN:
        return Health.FAILING
    if row.status in _ASLEEP:
        return Health.DORMANT
    if any(_at_limit(metric) for metric in row.metrics):
        return Health.FAILING
    suspended = any(each.state.upper() == "SUSPENDED" for each in row.replicas)
    return Health.DEGRADED if row.near or row.status != "Online" or suspended else Health.HEALTHY


def _at_limit(metric: Metric) -> bool:
    _, _, limit = _LIMITS.get(metric.name, ("", 0.0, None))
    if limit is None or (lasted := _lasted(metric, limit)) is None:
        return False
    return metric.name == "storage_percent" or lasted >= SUSTAINED


Of = Literal["metrics", "usages", "replicas", "operations"]

decode_database = msgspec.json.Decoder(wire.Database)
decode_server = msgspec.json.Decoder(wire.Server)
decode_metrics = msgspec.json.Decoder(wire.Metrics)
decode_usage = msgspec.json.Decoder(wire.Usage)
decode_link = msgspec.json.Decoder(wire.Link)
decode_operation = msgspec.json.Decoder(wire.Operation)
