"""The rows of the Azure sources. Instants are float seconds since the epoch (UTC), sizes bytes, shares percent.

Sources: ``activity`` (`Activity`), ``databases`` (`Database`), ``alerts`` (`FiredAlert`).
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from probes.rows import Health

_PARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LOOKS = ("list", "get", "check", "validate")
"""How actions begin that hand something out and change nothing: listKeys, listClusterUserCredential."""


@lru_cache(maxsize=4096)
def _changes(category: str, operation: str) -> bool:
    if category not in ("Administrative", "Autoscale"):
        return False
    *_, what, how = ("", *operation.lower().split("/"))
    return how != "read" and not (how == "action" and what.startswith(_LOOKS))


class Activity(Struct, frozen=True, kw_only=True):
    """One operation of the activity log: its started, accepted and succeeded events folded by correlation, operation
    and resource.

    ``category`` is Azure's: Administrative, ServiceHealth, ResourceHealth, Autoscale, Alert, Policy, Security,
    Recommendation. ``status`` and ``sub_status`` are of its newest event (``Succeeded``, ``Created (HTTP Status Code:
    201)``), ``level`` its worst (Critical, Error, Warning, Informational, Verbose).
    """

    key: str
    at: float  # its first event
    ended_at: float | None  # its last, when its status is final
    category: str
    operation: str  # Microsoft.Sql/servers/firewallRules/write
    operation_text: str  # as Azure words it: Update SQL server firewall rule
    status: str
    sub_status: str
    level: str
    caller: str
    resource_id: str
    resource_type: str  # Microsoft.Sql/servers/firewallRules
    resource: str  # without what is common: banking-platform-prod-sql/allow-aks-egress
    resource_group: str
    correlation: str
    description: str
    events: int  # how many were folded into it
    health: Health  # FAILING: failed or critical, DEGRADED: warning or still going on

    @property
    def change(self) -> bool:
        """Whether somebody or something changed a resource with it: a candidate for the cause."""
        return _changes(self.category, self.operation)


class Metric(Struct, frozen=True, kw_only=True):
    """One metric of the last hour: ``samples`` are (instant, value) at one-minute grain, None where Azure has none."""

    name: str  # dtu_consumption_percent, storage_percent, deadlock …
    unit: str  # Percent, Count
    aggregation: str  # which of Azure's was read: Average, Maximum, Total
    samples: tuple[tuple[float, float | None], ...]

    @property
    def last(self) -> float | None:
        """The newest value there is."""
        return next((value for _, value in reversed(self.samples) if value is not None), None)

    @property
    def peak(self) -> float | None:
        return max((value for _, value in self.samples if value is not None), default=None)


class DatabaseUsage(Struct, frozen=True, kw_only=True):
    """What the database has used of what it may: ``database_size`` and ``database_allocated_size`` in bytes."""

    name: str
    text: str
    current: float
    limit: float | None
    unit: str


class Replica(Struct, frozen=True, kw_only=True):
    """A replication link as seen from this database."""

    server: str
    database: str
    role: str  # of the partner: Secondary, Primary …
    state: str  # CATCH_UP, SEEDING, SUSPENDED …
    location: str


class DatabaseOperation(Struct, frozen=True, kw_only=True):
    """A management operation on the database: scaling, restoring, copying."""

    id: str
    operation: str  # UpdateLogicalDatabase, as Azure words it
    state: str  # Pending, InProgress, Succeeded, Failed, CancelInProgress, Cancelled
    percent: int | None
    started_at: float | None
    error: str
    cancellable: bool

    @property
    def words(self) -> str:
        """``Update logical database``: Azure's word with its parts apart."""
        return _PARTS.sub(" ", self.operation).lower().capitalize() or "An operation"

    @property
    def going_on(self) -> bool:
        return self.state in ("Pending", "InProgress", "CancelInProgress")


class Database(Struct, frozen=True, kw_only=True):
    """A SQL database and how it has done in the last hour."""

    resource_id: str
    resource_group: str
    server: str
    name: str
    status: str  # Online, Paused, Restoring, Creating, Scaling, Offline …
    health: Health
    objective: str  # S3, P1, GP_Gen5_4
    edition: str  # Standard, Premium, GeneralPurpose …
    capacity: int  # DTUs or vCores
    unit: str  # "DTU" or "vCores"
    max_size: int | None
    zone_redundant: bool
    location: str
    created_at: float | None
    earliest_restore_at: float | None
    metrics: tuple[Metric, ...] = ()
    usages: tuple[DatabaseUsage, ...] = ()
    replicas: tuple[Replica, ...] = ()
    operations: tuple[DatabaseOperation, ...] = ()  # the newest first
    near: tuple[str, ...] = ()  # what is near its limit, in words: "DTU 98 % for 12 min", "storage 91 %"
    unseen: tuple[str, ...] = ()  # what could not be read of it, and why, one sentence each

    @property
    def key(self) -> str:
        return self.resource_id.lower()

    def metric(self, name: str) -> Metric | None:
        return next((metric for metric in self.metrics if metric.name == name), None)

    @property
    def load(self) -> Metric | None:
        """How hard it works: DTUs, or the processor where it has vCores."""
        return self.metric("dtu_consumption_percent") or self.metric("cpu_percent")


class FiredAlert(Struct, frozen=True, kw_only=True):
    """A metric alert that is fired now."""

    key: str  # the rule's resource id, and the dimensions where there are several
    rule: str
    severity: int | None  # Azure's: 0 critical … 4 verbose
    state: str  # Unhealthy
    target: str  # the resource, without what is common
    at: float | None
    description: str
    health: Health
