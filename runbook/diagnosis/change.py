"""A change before it is ranked (`runbook.diagnosis.suspects`), and what its touch weighs."""

from __future__ import annotations

from typing import NamedTuple

from runbook.diagnosis.findings import ChangeKind, Place, Touch

TOUCHES: dict[Touch, float] = {
    "workload": 1.0,
    "node": 1.0,
    "database": 1.0,
    "namespace": 0.5,
    "shared": 0.5,
    "elsewhere": 0.2,
}


HALF = 600.0  # seconds before, at which closeness is a half


def closeness(before: float) -> float:
    """1 at the first symptom, a half `HALF` seconds before it."""
    return 1.0 / (1.0 + max(before, 0.0) / HALF)


class Change(NamedTuple):
    """``weight`` replaces the touch's, ``reason`` is why it touches what it does.

    ``ongoing``: it did not end before the first symptom, however long before that it began.
    """

    id: str
    kind: ChangeKind
    at: float
    what: str
    short: str
    by: str
    touch: Touch
    weight: float
    reason: str
    place: Place
    ongoing: bool = False
