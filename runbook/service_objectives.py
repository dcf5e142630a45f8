"""The sizes that a SQL database comes in, as far as one can be scaled to another: names, order, and what they hold.

learn.microsoft.com/azure/azure-sql/database/resource-limits-dtu-single-databases and …-vcore-single-databases.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_GB = 2**30

BELOW, ABOVE = 4, 9  # how many smaller and larger ones are offered


class Objective(NamedTuple):
    """``name`` is the service objective, ``amount`` its DTUs or vCores, ``most`` what its data may grow to at most."""

    name: str
    edition: str
    amount: int
    unit: str
    most: int | None = None

    @property
    def sku(self) -> dict[str, str | int]:
        """As it is asked for: ``{"name": "Standard", "tier": "Standard", "capacity": 100}``."""
        vcore = _VCORE.fullmatch(self.name)
        if not vcore:
            return {"name": self.edition, "tier": self.edition, "capacity": self.amount}
        family = vcore["family"]
        generation = family.rpartition("_")[2]
        return {"name": family, "tier": self.edition, "family": generation, "capacity": self.amount}

    def __str__(self) -> str:
        return f"{self.name}, {self.edition}, {self.amount:,} {self.unit}"


_DTU = tuple(
    Objective(name, edition, amount, "DTU", most * _GB)
    for name, edition, amount, most in (
        ("Basic", "Basic", 5, 2),
        ("S0", "Standard", 10, 250),
        ("S1", "Standard", 20, 250),
        ("S2", "Standard", 50, 250),
        ("S3", "Standard", 100, 1024),
        ("S4", "Standard", 200, 1024),
        ("S6", "Standard", 400, 1024),
        ("S7", "Standard", 800, 1024),
        ("S9", "Standard", 1600, 1024),
        ("S12", "Standard", 3000, 1024),
        ("P1", "Premium", 125, 1024),
        ("P2", "Premium", 250, 1024),
        ("P4", "Premium", 500, 1024),
        ("P6", "Premium", 1000, 1024),
        ("P11", "Premium", 1750, 4096),
        ("P15", "Premium", 4000, 4096),
    )
)
_VCORES = (2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 32, 40, 80)
_VCORE = re.compile(r"(?P<family>(?P<tier>GP|BC|HS)(?:_S)?_[A-Za-z0-9]+)_(?P<cores>\d{1,3})")
_EDITIONS = {"GP": "GeneralPurpose", "BC": "BusinessCritical", "HS": "Hyperscale"}


def around(current: str, size: int | None) -> list[Objective]:
    """The objectives near ``current``, smaller ones first, itself among them, that hold ``size`` bytes.

    Empty for one that this does not know (a data warehouse's, an elastic pool's).
    """
    ladder = _ladder(current)
    place = next((number for number, one in enumerate(ladder) if one.name.lower() == current.lower()), None)
    if place is None:
        return []
    near = ladder[max(0, place - BELOW) : place + ABOVE + 1]
    return [one for one in near if one.name == ladder[place].name or size is None or not one.most or one.most >= size]


def _ladder(current: str) -> list[Objective]:
    found = _VCORE.fullmatch(current)
    if not found:
        return list(_DTU)
    edition, cores = _EDITIONS[found["tier"]], sorted({*_VCORES, int(found["cores"])})
    return [Objective(f"{found['family']}_{each}", edition, each, "vCores") for each in cores]
