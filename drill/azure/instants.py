"""Azure's instants: those of the platform's clock, written as Azure writes them, and read back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from drill.azure.faults import AzureFaults
from drill.clock import Clock

_FRACTION: Final = re.compile(r"(\.\d{6})\d+")  # Azure has seven digits, Python six


class Instants:
    """World seconds as text and back. Azure's clock may be ahead of ours by `AzureFaults.skew`."""

    def __init__(self, clock: Clock, faults: AzureFaults) -> None:
        self._clock = clock
        self._faults = faults

    @property
    def now(self) -> float:
        """World seconds."""
        return self._clock.now

    def wall(self, at: float | None = None) -> float:
        """Seconds since the epoch on Azure's clock, of a world instant (default: now)."""
        return self._clock.wall(at) + self._faults.skew

    def world(self, wall: float) -> float:
        """The world instant of an instant on Azure's clock."""
        return self._clock.instant(wall - self._faults.skew)

    def stamp(self, at: float | None = None) -> str:
        """``2026-11-25T17:04:05.123Z``"""
        return written(self.wall(at))

    def ticks(self, at: float | None = None) -> str:
        """With the seven digits of the activity log: ``2026-11-25T17:04:05.1234560Z``"""
        wall = datetime.fromtimestamp(self.wall(at), UTC)
        return f"{wall:%Y-%m-%dT%H:%M:%S.%f}0Z"


def written(wall: float) -> str:
    """Seconds since the epoch with milliseconds."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(text: str) -> float:
    """Seconds since the epoch; a time without a zone is UTC. Raises ValueError."""
    at = datetime.fromisoformat(_FRACTION.sub(r"\1", text.strip()))
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
