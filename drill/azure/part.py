"""The ``azure:`` part of a scenario, as data: databases and their load, what was done to them, alerts.

Offsets are relative to the moment the platform starts, as everywhere in a scenario.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from drill.azure import tiers
from drill.document import Place
from drill.offsets import Name, Offset, Span, seconds

Guid = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z",
        description="a GUID such as 3f1c6a52-8b0d-4e57-9a41-6c2d7e90b318",
    ),
]
Amount = Annotated[float, Meta(ge=0.0)]
Whole = Annotated[int, Meta(ge=0)]

Category = Literal[
    "Administrative",
    "ServiceHealth",
    "ResourceHealth",
    "Autoscale",
    "Alert",
    "Policy",
    "Security",
    "Recommendation",
]

METRICS: Final = ("dtu_consumption_percent", "cpu_percent", "workers_percent", "sessions_percent", "storage_percent")


class Surge(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """More work for a database: from ``at`` on (whole after ``ramp``), until ``until``, or while a service is down.

    ``demand`` is in DTUs, or in vCores where the database has those.
    """

    at: Offset
    until: Offset | None = None
    ramp: Span = "2m"
    while_down: str = ""
    demand: Amount = 0.0
    workers: Whole = 0
    sessions: Whole = 0


class Blocker(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A session that holds locks for which ``blocks`` others wait. With its end goes the demand that it causes."""

    session: Annotated[int, Meta(ge=51)]  # those below are the system's
    at: Offset
    login: str
    host: str
    program: str
    statement: str
    command: str = "UPDATE"
    blocks: Whole = 12
    waiting: str = "SELECT"  # what the waiting ones are about to do, as a statement
    waiting_login: str = "svc-banking"
    demand: Amount = 0.0
    workers: Whole = 0
    ramp: Span = "2m"


class Replica(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A geo-replica on another server."""

    server: Name
    location: str = "North Europe"
    state: Literal["CATCH_UP", "SEEDING", "SUSPENDED", "PENDING"] = "CATCH_UP"


class Query(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A statement of the query store, as it does on an ordinary day."""

    text: str
    average_ms: Amount
    executions: Whole = 100


class SqlDatabase(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A database. ``demand`` (DTUs or vCores) is what an ordinary minute asks of it, give or take ``swing``."""

    name: str
    objective: str
    max_gb: Annotated[int, Meta(gt=0)] = 250
    used_gb: Amount = 20.0
    demand: Amount = 10.0
    swing: Amount = 3.0
    workers: Whole = 8
    sessions: Whole = 60
    zone_redundant: bool = False
    created: Offset = "-94d"
    retention: Span = "7d"
    surges: tuple[Surge, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    queries: tuple[Query, ...] = ()
    replicas: tuple[Replica, ...] = ()


class Activity(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One operation of the activity log, which becomes its events: begun, accepted, ended.

    ``resource`` is below the resource group's providers: ``Microsoft.Sql/servers/NAME/firewallRules/RULE``.
    """

    at: Offset
    operation: str
    text: str
    resource: str
    caller: str
    category: Category = "Administrative"
    level: Literal["Critical", "Error", "Warning", "Informational", "Verbose"] = "Informational"
    status: Literal["Succeeded", "Failed", "Active", "Resolved"] = "Succeeded"
    takes: Span = "2s"
    description: str = ""


class Alert(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A metric alert on a database: fired while the metric's average over ``window`` is above ``threshold``."""

    name: str
    database: str
    metric: str
    threshold: float
    window: Span = "5m"
    severity: Annotated[int, Meta(ge=0, le=4)] = 2
    description: str = ""


class Azure(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One resource group with one SQL server. ``scaling`` and ``restoring`` are how long those take."""

    subscription: Guid
    group: str
    server: Name
    databases: tuple[SqlDatabase, ...]
    tenant: Guid = "7b0c2d3e-4f51-4a6b-8c7d-9e0f1a2b3c4d"
    location: str = "westeurope"
    user: str = "drill.lead@banking-platform.com"  # who the console's token stands for
    scaling: Span = "2m"
    restoring: Span = "6m"
    activity: tuple[Activity, ...] = ()
    alerts: tuple[Alert, ...] = ()

    @property
    def trouble(self) -> float:
        """The offset in seconds from which something presses a database more than on an ordinary day; at most 0."""
        surges = [surge.at for database in self.databases for surge in database.surges if surge.demand > 0]
        blockers = [blocker.at for database in self.databases for blocker in database.blockers]
        return min((0.0, *(seconds(at) for at in (*surges, *blockers))))

    def mistakes(self, services: set[str]) -> Iterator[tuple[Place, str]]:
        """What the types cannot say: a place below ``azure``, and a sentence."""
        names = [database.name for database in self.databases]
        for index, database in enumerate(self.databases):
            if database.name in names[:index]:
                yield ("databases", index, "name"), f"there are two named {database.name!r}"
            for place, what in _mistakes_of(database, services):
                yield ("databases", index, *place), what
        for index, alert in enumerate(self.alerts):
            here: Place = ("alerts", index)
            if alert.database not in names:
                yield (*here, "database"), f"alert {alert.name}: there is no database {alert.database!r}"
            if alert.metric not in METRICS:
                yield (
                    (*here, "metric"),
                    f"alert {alert.name}: expected one of {', '.join(METRICS)}, not {alert.metric!r}",
                )
        for index, entry in enumerate(self.activity):
            if seconds(entry.at) > 0:
                yield ("activity", index, "at"), "expected something of the past"
            if len(entry.resource.split("/")) % 2 == 0 or "." not in entry.resource.split("/")[0]:
                wanted = f"expected a resource such as Microsoft.Sql/servers/NAME, not {entry.resource!r}"
                yield ("activity", index, "resource"), wanted


def _mistakes_of(database: SqlDatabase, services: set[str]) -> Iterator[tuple[Place, str]]:
    tier = tiers.TIERS.get(database.objective)
    if tier is None:
        yield ("objective",), f"there is no service objective {database.objective!r}, but {', '.join(tiers.TIERS)}"
    elif database.max_gb > tier.max_gb:
        yield ("max_gb",), f"{database.objective} holds at most {tier.max_gb} GB, not {database.max_gb}"
    if database.used_gb > database.max_gb:
        yield ("used_gb",), f"it uses {database.used_gb:g} GB of {database.max_gb}"
    for index, surge in enumerate(database.surges):
        here: Place = ("surges", index)
        if surge.while_down and surge.while_down not in services:
            yield (*here, "while_down"), f"there is no service {surge.while_down!r}"
        if surge.until is not None and seconds(surge.until) <= seconds(surge.at):
            yield (*here, "until"), f"the surge at {surge.at} ends at {surge.until}, before it begins"
    numbers = [blocker.session for blocker in database.blockers]
    for index, number in enumerate(numbers):
        if number in numbers[:index]:
            yield ("blockers", index, "session"), f"two blockers have the session number {number}"


def of(data: object) -> Azure:
    """The part out of plain data. Raises `msgspec.ValidationError`."""
    return msgspec.convert(data, Azure)
