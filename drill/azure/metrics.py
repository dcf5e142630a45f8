"""Metrics of databases at one-minute grain, worked out of their load whenever somebody asks.

Names, units and aggregations: learn.microsoft.com/azure/azure-monitor/reference/supported-metrics/
microsoft-sql-servers-databases-metrics. Wire form: Microsoft.Insights 2024-02-01, GetMetric.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from drill.azure.database import GB, Database
from drill.azure.errors import bad_request
from drill.azure.faults import AzureFaults
from drill.azure.instants import Instants, read, written

Json = dict[str, Any]
Aggregation = Literal["Average", "Minimum", "Maximum", "Total", "Count"]

MINUTE: Final = 60.0
_GRAINS: Final = {"PT1M": 1, "PT5M": 5, "PT15M": 15, "PT30M": 30, "PT1H": 60}
_MOST: Final = 30 * 86_400.0  # seconds of one question
_AGGREGATIONS: Final[tuple[Aggregation, ...]] = ("Average", "Minimum", "Maximum", "Total", "Count")
_SAMPLES: Final = 4  # what Azure measures in a minute
_FAILURES: Final = 46.0  # connections that fail while a database takes none


class Definition(Struct, frozen=True):
    """One metric. ``value`` is what it was at an instant of the world; None where there is none of it."""

    name: str
    text: str
    unit: Literal["Percent", "Count", "Bytes"]
    primary: Aggregation
    description: str
    value: Callable[[Database, float], float | None]


def _dtu(value: Callable[[Database, float], float]) -> Callable[[Database, float], float | None]:
    """Only where a database has DTUs."""
    return lambda database, at: value(database, at) if database.tier.at(at).unit == "DTU" else None


def _percent(value: Callable[[Database, float], float]) -> Callable[[Database, float], float]:
    return lambda database, at: min(100.0, max(0.0, value(database, at)))


def _failed(database: Database, at: float) -> float:
    if any(since <= at < until + MINUTE for since, until in database.interruptions):
        return _FAILURES
    pressure = database.pressure(at)
    return round(9 * min(pressure - 1.0, 1.0) * (1.2 + database.wobble("failed", at))) if pressure > 1.2 else 0.0


def _deadlocks(database: Database, at: float) -> float:
    waiting = sum(blocker.blocks * weight for blocker, weight in database.sessions.shares(at))
    return float(round(max(0.0, waiting / 8 * database.wobble("deadlock", at)))) if waiting else 0.0


DEFINITIONS: Final = {
    found.name: found
    for found in (
        Definition(
            "cpu_percent", "CPU percentage", "Percent", "Average", "CPU percentage",
            _percent(lambda d, at: d.load_percent(at) * (0.94 + 0.03 * d.wobble("cpu", at))),
        ),
        Definition(
            "physical_data_read_percent", "Data IO percentage", "Percent", "Average", "Data IO percentage",
            _percent(lambda d, at: d.load_percent(at) * (0.55 + 0.1 * d.wobble("read", at))),
        ),
        Definition(
            "log_write_percent", "Log IO percentage", "Percent", "Average", "Log IO percentage",
            _percent(lambda d, at: d.load_percent(at) * (0.3 + 0.08 * d.wobble("log", at))),
        ),
        Definition(
            "dtu_consumption_percent", "DTU percentage", "Percent", "Average",
            "DTU percentage. Applies to DTU-based databases.", _dtu(lambda d, at: d.load_percent(at)),
        ),
        Definition(
            "dtu_limit", "DTU limit", "Count", "Average", "DTU limit. Applies to DTU-based databases.",
            _dtu(lambda d, at: float(d.tier.at(at).capacity)),
        ),
        Definition(
            "dtu_used", "DTU used", "Count", "Average", "DTU used. Applies to DTU-based databases.",
            _dtu(lambda d, at: min(d.demand(at), d.tier.at(at).capacity)),
        ),
        Definition(
            "storage", "Data space used", "Bytes", "Maximum", "Data space used.", lambda d, at: d.used_bytes(at)
        ),
        Definition(
            "storage_percent", "Data space used percent", "Percent", "Maximum", "Data space used percent",
            _percent(lambda d, at: 100 * d.used_bytes(at) / (d.max_gb * GB)),
        ),
        Definition(
            "allocated_data_storage", "Data space allocated", "Bytes", "Average", "Allocated data storage.",
            lambda d, at: d.used_bytes(at) * 1.08,
        ),
        Definition(
            "workers_percent", "Workers percentage", "Percent", "Average", "Workers percentage.",
            _percent(lambda d, at: 100 * d.workers(at) / d.tier.at(at).workers),
        ),
        Definition(
            "sessions_percent", "Sessions percent", "Percent", "Average", "Sessions percentage.",
            _percent(lambda d, at: 100 * d.connections(at) / d.tier.at(at).sessions),
        ),
        Definition(
            "sessions_count", "Sessions count", "Count", "Average", "Number of active sessions.",
            lambda d, at: float(round(d.connections(at))),
        ),
        Definition("deadlock", "Deadlocks", "Count", "Total", "Deadlocks.", _deadlocks),
        Definition(
            "connection_successful", "Successful Connections", "Count", "Total", "Successful Connections",
            lambda d, at: 0.0 if d.interrupted(at) else float(round(d.connections(at) / 6)),
        ),
        Definition(
            "connection_failed", "Failed Connections : System Errors", "Count", "Total", "Failed Connections", _failed
        ),
        Definition(
            "connection_failed_user_error", "Failed Connections : User Errors", "Count", "Total",
            "Failed Connections : User Errors", lambda d, at: 0.0,
        ),
        Definition(
            "blocked_by_firewall", "Blocked by Firewall", "Count", "Total", "Blocked by Firewall", lambda d, at: 0.0
        ),
    )
}  # fmt: skip


class Metrics:
    """Answers questions about the metrics of databases."""

    def __init__(self, instants: Instants, faults: AzureFaults) -> None:
        self._instants = instants
        self._faults = faults

    def sample(self, database: Database, metric: str, minute: float) -> float | None:
        """A metric in the minute that begins at ``minute`` (seconds of Azure's clock): as it is at the minute's end."""
        now = self._instants.wall()
        if minute > now - MINUTE * self._faults.blind:
            return None
        at = self._instants.world(min(minute + MINUTE, now))
        if at < database.created or (not database.readable):
            return None
        return DEFINITIONS[metric].value(database, at)

    def answer(self, database: Database, resource: str, query: dict[str, str], region: str) -> Json:
        """The body for ``…/providers/Microsoft.Insights/metrics``. Raises `ArmError`."""
        names = [name.strip() for name in (query.get("metricnames") or "cpu_percent").split(",") if name.strip()]
        definitions = [_definition(name) for name in names]
        since, until = self._span(query.get("timespan", ""))
        interval = (query.get("interval") or "PT1M").upper()
        if interval not in _GRAINS:
            raise bad_request(f"Detected invalid time grain input: {interval}. Valid: {', '.join(_GRAINS)}")
        asked = _aggregations(query.get("aggregation", ""))
        return {
            "cost": int((until - since) / MINUTE) * len(names) - 1,
            "timespan": f"{_short(since)}/{_short(until)}",
            "interval": interval,
            "value": [
                {
                    "id": f"{resource}/providers/Microsoft.Insights/metrics/{found.name}",
                    "type": "Microsoft.Insights/metrics",
                    "name": {"value": found.name, "localizedValue": found.text},
                    "displayDescription": found.description,
                    "unit": found.unit,
                    "timeseries": self._series(database, found, since, until, _GRAINS[interval], asked),
                    "errorCode": "Success",
                }
                for found in definitions
            ],
            "namespace": "Microsoft.Sql/servers/databases",
            "resourceregion": region,
        }

    def definitions(self, resource: str) -> Json:
        """The body for ``…/providers/Microsoft.Insights/metricDefinitions``."""
        availabilities = [{"timeGrain": grain, "retention": "P93D"} for grain in _GRAINS]
        return {
            "value": [
                {
                    "id": f"{resource}/providers/microsoft.insights/metricdefinitions/{found.name}",
                    "resourceId": resource,
                    "namespace": "Microsoft.Sql/servers/databases",
                    "category": "Basic",
                    "name": {"value": found.name, "localizedValue": found.text},
                    "displayDescription": found.description,
                    "isDimensionRequired": False,
                    "unit": found.unit,
                    "primaryAggregationType": found.primary,
                    "supportedAggregationTypes": ["None", *_AGGREGATIONS],
                    "metricAvailabilities": availabilities,
                }
                for found in DEFINITIONS.values()
            ]
        }

    def _series(
        self,
        database: Database,
        definition: Definition,
        since: float,
        until: float,
        minutes: int,
        asked: Sequence[Aggregation],
    ) -> list[Json]:
        """Points that Azure knows nothing of have only their time."""
        now = self._instants.wall()
        grain = minutes * MINUTE
        data: list[Json] = []
        known = False
        start = since // MINUTE * MINUTE
        while start < until and start <= now:
            found = [self.sample(database, definition.name, start + MINUTE * n) for n in range(minutes)]
            values = [value for value in found if value is not None]
            known = known or bool(values)
            point: Json = {"timeStamp": _short(start)}
            if values:
                point |= {name.lower(): _aggregate(values, definition, name) for name in asked or [definition.primary]}
            data.append(point)
            start += grain
        return [{"metadatavalues": [], "data": data}] if known else []

    def _span(self, text: str) -> tuple[float, float]:
        """``START/END``; without one the last hour."""
        now = self._instants.wall()
        if not text:
            return now - 3600, now
        try:
            first, _, last = text.partition("/")
            if first.upper().startswith("P"):
                since, until = now - _duration(first), now
            elif last.upper().startswith("P"):
                since = read(first)
                until = since + _duration(last)
            else:
                since, until = read(first), read(last)
        except ValueError:
            raise bad_request(f"Invalid time interval input: '{text}'.") from None
        if until <= since or until - since > _MOST:
            raise bad_request(f"The time interval '{text}' is not valid: it is empty or longer than 30 days.")
        return since, until


def _definition(name: str) -> Definition:
    found = next((found for key, found in DEFINITIONS.items() if key == name.lower()), None)
    if found is None:
        raise bad_request(
            "Failed to find metric configuration for provider: Microsoft.Sql, resource Type: servers/databases, "
            f"metric: {name}, Valid metrics: {','.join(DEFINITIONS)}"
        )
    return found


def _aggregations(text: str) -> list[Aggregation]:
    wanted = [name.strip().lower() for name in text.split(",") if name.strip()]
    known = {name.lower(): name for name in _AGGREGATIONS}
    for name in wanted:
        if name not in known:
            raise bad_request(f"Detected invalid aggregation type input: {name}. Valid: {', '.join(_AGGREGATIONS)}")
    return [known[name] for name in wanted]


def _aggregate(values: Sequence[float], definition: Definition, how: Aggregation) -> float:
    """One number of a grain's minutes."""
    mean = sum(values) / len(values)
    if definition.primary == "Total":
        many = {"Total": sum(values), "Count": sum(values), "Maximum": max(values), "Minimum": min(values)}
        return round(many.get(how, mean), 2)
    limit = 100.0 if definition.unit == "Percent" else float("inf")
    many = {
        "Average": mean,
        "Maximum": min(limit, max(values) * 1.03),
        "Minimum": min(values) * 0.95,
        "Total": sum(values) * _SAMPLES,
        "Count": float(len(values) * _SAMPLES),
    }
    return round(many[how], 2)


_ISO: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE)


def _duration(text: str) -> float:
    """An ISO 8601 duration in seconds. Raises ValueError."""
    match = _ISO.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(text)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return days * 86_400.0 + hours * 3600 + minutes * 60 + seconds


def _short(wall: float) -> str:
    """Without fractions, as metrics have it."""
    return written(int(wall)).replace(".000Z", "Z")
