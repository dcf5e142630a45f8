"""What we read of Azure's answers: only the fields that are drawn or judged, everything else is skipped undecoded.

Everything may be null or missing: official examples leave out what other events have (``category``, ``resourceId``).
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from msgspec import Struct


class Named(Struct, gc=False):
    """Azure's LocalizableString."""

    value: str | None = ""
    localizedValue: str | None = ""  # noqa: N815

    @property
    def text(self) -> str:
        return self.localizedValue or self.value or ""


class Authorization(Struct, gc=False):
    action: str | None = ""
    scope: str | None = ""


class Event(Struct, rename="camel"):
    """An event of the activity log (Microsoft.Insights 2015-04-01). ``claims`` and ``httpRequest`` are not taken in."""

    event_data_id: str | None = ""
    id: str | None = ""
    correlation_id: str | None = ""
    event_timestamp: str | None = ""
    category: Named | None = None
    operation_name: Named | None = None
    status: Named | None = None
    sub_status: Named | None = None
    level: str | None = ""
    caller: str | None = ""
    resource_id: str | None = ""
    resource_type: Named | None = None
    resource_group_name: str | None = ""
    authorization: Authorization | None = None
    description: str | None = ""
    properties: msgspec.Raw = msgspec.Raw()


class EventProperties(Struct, rename="camel", gc=False):
    """What says why: ``statusMessage`` of a failure (an error body as text), ``title`` of an event of health."""

    status_message: str | msgspec.Raw | None = ""
    title: str | None = ""
    cause: str | None = ""
    details: str | None = ""


class Sku(Struct, gc=False):
    name: str | None = ""
    tier: str | None = ""
    capacity: int | None = None


class DatabaseProperties(Struct, rename="camel"):
    status: str | None = ""
    max_size_bytes: int | None = None
    creation_date: str | None = None
    earliest_restore_date: str | None = None
    current_service_objective_name: str | None = ""
    requested_service_objective_name: str | None = ""
    current_sku: Sku | None = None
    zone_redundant: bool | None = False


class Database(Struct):
    """``Microsoft.Sql/servers/databases``."""

    id: str | None = ""
    name: str | None = ""
    kind: str | None = ""
    location: str | None = ""
    sku: Sku | None = None
    properties: DatabaseProperties | None = None


class Server(Struct):
    """``Microsoft.Sql/servers``."""

    id: str | None = ""
    name: str | None = ""


class UsageProperties(Struct, rename="camel", gc=False):
    display_name: str | None = ""
    current_value: float | None = 0.0
    limit: float | None = None
    unit: str | None = ""


class Usage(Struct):
    name: str | None = ""
    properties: UsageProperties | None = None


class LinkProperties(Struct, rename="camel", gc=False):
    partner_server: str | None = ""
    partner_database: str | None = ""
    partner_location: str | None = ""
    partner_role: str | None = ""
    replication_state: str | None = ""


class Link(Struct):
    """``…/databases/replicationLinks``; its id says of which database."""

    id: str | None = ""
    properties: LinkProperties | None = None


class OperationProperties(Struct, rename="camel", gc=False):
    operation: str | None = ""
    operation_friendly_name: str | None = ""
    percent_complete: int | None = None
    start_time: str | None = None
    state: str | None = ""
    error_description: str | None = ""
    is_cancellable: bool | None = False


class Operation(Struct):
    id: str | None = ""
    name: str | None = ""
    properties: OperationProperties | None = None


class Point(Struct, rename="camel", gc=False):
    """One minute of a metric; Azure leaves out what it does not know."""

    time_stamp: str | None = ""
    average: float | None = None
    maximum: float | None = None
    total: float | None = None


class Series(Struct):
    data: list[Point] | None = None


class Metric(Struct, rename="camel"):
    name: Named | None = None
    unit: str | None = ""
    timeseries: list[Series] | None = None
    error_code: str | None = ""
    error_message: str | None = ""


class Metrics(Struct):
    value: list[Metric] | None = None


class RuleProperties(Struct, rename="camel"):
    description: str | None = ""
    severity: int | None = None
    enabled: bool | None = True
    scopes: list[str] | None = None


class Rule(Struct):
    """``Microsoft.Insights/metricAlerts``; the official example has no ``name``."""

    id: str | None = ""
    name: str | None = ""
    properties: RuleProperties | None = None


class AlertStatusProperties(Struct, gc=False):
    dimensions: dict[str, str | None] | None = None
    status: str | None = ""
    timestamp: str | None = None


class AlertStatus(Struct):
    name: str | None = ""
    properties: AlertStatusProperties | None = None


def instant(text: str | None) -> float | None:
    """Epoch seconds of an instant; one without a zone is UTC. None if there is none or it is nonsense."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def filter_time(at: float) -> str:
    """An instant as the activity log's ``$filter`` has it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
