"""Service objectives of Azure SQL databases and what each allows.

Source: learn.microsoft.com/azure/azure-sql/database/resource-limits-dtu-single-databases and
resource-limits-vcore-single-databases.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

Json = dict[str, Any]


class Tier(Struct, frozen=True):
    """One service objective. ``capacity`` is in ``unit``; sizes in GB; workers and sessions are the most at a time."""

    objective: str
    edition: str
    capacity: int
    unit: Literal["DTU", "vCores"]
    max_gb: int
    workers: int
    sessions: int
    zones: bool  # whether it can be zone redundant

    @property
    def sku(self) -> Json:
        """As Azure names it in a resource's ``sku``."""
        if self.unit == "DTU":
            return {"name": self.edition, "tier": self.edition, "capacity": self.capacity}
        name, _, _ = self.objective.rpartition("_")
        return {"name": name, "tier": self.edition, "family": "Gen5", "capacity": self.capacity}


def _standard(objective: str, dtus: int, workers: int, sessions: int) -> Tier:
    return Tier(objective, "Standard", dtus, "DTU", 250 if dtus < 100 else 1024, workers, sessions, zones=False)


def _premium(objective: str, dtus: int, workers: int, max_gb: int = 1024) -> Tier:
    return Tier(objective, "Premium", dtus, "DTU", max_gb, workers, 30_000, zones=True)


def _general(vcores: int, max_gb: int) -> Tier:
    return Tier(f"GP_Gen5_{vcores}", "GeneralPurpose", vcores, "vCores", max_gb, 100 * vcores, 30_000, zones=True)


def _critical(vcores: int, max_gb: int) -> Tier:
    return Tier(f"BC_Gen5_{vcores}", "BusinessCritical", vcores, "vCores", max_gb, 100 * vcores, 30_000, zones=True)


_SIZES: Final = {2: 1024, 4: 1024, 6: 1536, 8: 2048, 16: 3072, 32: 4096}  # GB by vCores
TIERS: Final = {
    tier.objective: tier
    for tier in (
        Tier("Basic", "Basic", 5, "DTU", 2, 30, 300, zones=False),
        _standard("S0", 10, 60, 600),
        _standard("S1", 20, 90, 900),
        _standard("S2", 50, 120, 1200),
        _standard("S3", 100, 200, 2400),
        _standard("S4", 200, 400, 4800),
        _standard("S6", 400, 800, 9600),
        _standard("S7", 800, 1600, 19_200),
        _standard("S9", 1600, 3200, 30_000),
        _standard("S12", 3000, 6000, 30_000),
        _premium("P1", 125, 200),
        _premium("P2", 250, 400),
        _premium("P4", 500, 800),
        _premium("P6", 1000, 1600),
        _premium("P11", 1750, 2800, 4096),
        _premium("P15", 4000, 6400, 4096),
        *(_general(vcores, size) for vcores, size in _SIZES.items()),
        *(_critical(vcores, size) for vcores, size in _SIZES.items()),
    )
}


def by_sku(sku: Json) -> Tier | None:
    """The tier that a request's ``sku`` means: ``S4``, or ``Standard`` with a capacity; None if there is no such."""
    name, capacity = str(sku.get("name") or ""), sku.get("capacity")
    exact = {objective.lower(): tier for objective, tier in TIERS.items()}.get(name.lower())
    if exact is not None:
        return exact
    fitting = (tier for tier in TIERS.values() if tier.capacity == capacity)
    return next((tier for tier in fitting if tier.sku["name"].lower() == name.lower()), None)
