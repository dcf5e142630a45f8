"""Rows of the Azure sources as their probes make them, for who is driven by snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from probes.azure.rows import Activity, Database, DatabaseOperation, FiredAlert, Metric
from probes.rows import Health

NOW = 1_795_443_644.0  # Mon 23 Nov 2026, 14:20:44 UTC
GROUP = "banking-platform-prod-rg"
SERVER = "banking-platform-prod-sql"
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"


def metric(name: str, values: Sequence[float | None], *, until: float = NOW) -> Metric:
    """One value for each minute up to ``until``."""
    first = until - 60 * (len(values) - 1)
    samples = tuple((first + 60 * minute, value) for minute, value in enumerate(values))
    return Metric(name=name, unit="Percent", aggregation="Average", samples=samples)


def load(before: float, now: float, minutes: int) -> Metric:
    """DTUs of an hour that has been at ``now`` percent for the last ``minutes``."""
    return metric("dtu_consumption_percent", [before] * (60 - minutes) + [now] * minutes)


def database(name: str = "BankingAccountsDb", **fields: Any) -> Database:
    row = Database(
        resource_id=f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Sql/servers/{SERVER}/databases/{name}",
        resource_group=GROUP,
        server=SERVER,
        name=name,
        status="Online",
        health=Health.HEALTHY,
        objective="S3",
        edition="Standard",
        capacity=100,
        unit="DTU",
        max_size=250 << 30,
        zone_redundant=False,
        location="westeurope",
        created_at=NOW - 90 * 86400,
        earliest_restore_at=NOW - 7 * 86400,
        metrics=(load(22.0, 24.0, 5), metric("storage_percent", [41.0] * 60)),
    )
    return replace(row, **fields)


def at_its_limit(name: str = "BankingAccountsDb", minutes: int = 12, **fields: Any) -> Database:
    metrics = (load(31.0, 98.0, minutes), metric("storage_percent", [61.0] * 60))
    sick: dict[str, Any] = {"health": Health.FAILING, "metrics": metrics, "near": (f"DTU 98 % for {minutes} min",)}
    return database(name, **sick | fields)


def operation(percent: int | None = 40, state: str = "InProgress", **fields: Any) -> DatabaseOperation:
    row = DatabaseOperation(
        id="op-1",
        operation="UpdateLogicalDatabase",
        state=state,
        percent=percent,
        started_at=NOW - 90,
        error="",
        cancellable=True,
    )
    return replace(row, **fields)


def activity(
    operation: str = "Microsoft.Sql/servers/firewallRules/write",
    resource: str = f"{SERVER}/allow-aks-egress",
    *,
    ago: float = 360,
    **fields: Any,
) -> Activity:
    kind = operation.rpartition("/")[0]
    row = Activity(
        key=f"{operation}:{resource}:{ago:g}".lower(),
        at=NOW - ago,
        ended_at=NOW - ago + 4,
        category="Administrative",
        operation=operation,
        operation_text="Update SQL server firewall rule",
        status="Succeeded",
        sub_status="OK (HTTP Status Code: 200)",
        level="Informational",
        caller="jane.doe@bank.example",
        resource_id=f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Sql/servers/{resource}",
        resource_type=kind,
        resource=resource,
        resource_group=GROUP,
        correlation="c0ffee00-0000-0000-0000-000000000001",
        description="",
        events=3,
        health=Health.HEALTHY,
    )
    return replace(row, **fields)


def alert(rule: str = "dtu-high", *, ago: float | None = 300, **fields: Any) -> FiredAlert:
    row = FiredAlert(
        key=f"{SUBSCRIPTION}/{rule}".lower(),
        rule=rule,
        severity=1,
        state="Unhealthy",
        target=f"{SERVER}/BankingAccountsDb",
        at=None if ago is None else NOW - ago,
        description="DTU above 90 % for five minutes",
        health=Health.FAILING,
    )
    return replace(row, **fields)
