"""What can be wrong with a service although its pods are ready, as the public health report tells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct


class Ailing(Struct, frozen=True):
    """What the report says of a service, and how long who asks has to wait for it (``seconds`` of the world)."""

    status: Literal["Degraded", "Unhealthy"]
    words: str
    seconds: float = 0.0


Complaint = Callable[[str], Ailing | None]
"""What ails a service, by its name."""
