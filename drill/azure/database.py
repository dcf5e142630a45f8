"""One SQL database: what it is, how hard it works at any instant, and what it can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from zlib import crc32

from msgspec import Struct

from drill.azure.history import History
from drill.azure.operations import Operation
from drill.azure.part import SqlDatabase, Surge
from drill.azure.sessions import Sessions
from drill.azure.tiers import Tier
from drill.offsets import seconds

Json = dict[str, Any]

GB: Final = 1024**3
_FADING: Final = 60.0  # seconds in which the work of a surge that ended is done
_AFTERMATH: Final = (0.0, 20.0, 40.0)  # seconds for which a service that came back is still felt

_MIXING: Final = ((16, 0x7FEB352D), (15, 0x846CA68B))

WasDown = Callable[[str, float], bool]
"""Whether a service was not available at an instant of the world."""


class Database(Struct):
    """A database. Instants are world seconds; ``start`` is what the offsets of its data are relative to."""

    group: str
    server: str
    part: SqlDatabase
    guid: str
    created: float
    start: float
    tier: History[Tier]
    sessions: Sessions
    was_down: WasDown
    max_gb: int
    status: str = "Online"
    requested: Tier | None = None  # while it is being scaled
    zone_redundant: bool = False
    tags: dict[str, str] = {}
    operations: list[Operation] = []  # the newest first
    interruptions: list[tuple[float, float]] = []  # spans in which it took no connections
    deleted: bool = False
    needed_by: tuple[str, ...] = ()  # services of the cluster; while all of them are gone nobody works in it
    was_gone: WasDown = lambda service, at: False

    @property
    def name(self) -> str:
        return self.part.name

    @property
    def readable(self) -> bool:
        """Whether it has been there as a database, and not only as one to be."""
        return self.status not in ("Creating", "Restoring")

    def earliest_restore(self, now: float) -> float:
        """It moves on by ten minutes at a time."""
        return max(self.created + 60.0, (now - seconds(self.part.retention)) // 600 * 600)

    # Work

    def demand(self, at: float) -> float:
        """What is asked of it, in DTUs or vCores; more than it has is possible."""
        if self.left_alone(at):
            return 0.02 * self.part.demand
        surges = sum(surge.demand * self._share(surge, at) for surge in self.part.surges)
        blockers = sum(blocker.demand * weight for blocker, weight in self.sessions.shares(at))
        return max(0.0, self.part.demand + self.part.swing * self.wobble("demand", at) + surges + blockers)

    def pressure(self, at: float) -> float:
        """Demand as a share of what it has; above 1 somebody waits."""
        return self.demand(at) / self.tier.at(at).capacity

    def left_alone(self, at: float) -> bool:
        """Whether none of the services that need it was there at an instant."""
        return bool(self.needed_by) and all(self.was_gone(service, at) for service in self.needed_by)

    def interrupted(self, at: float) -> bool:
        """Whether it took no connections at that instant, as for a moment at the end of scaling."""
        return any(since <= at < until for since, until in self.interruptions)

    def load_percent(self, at: float) -> float:
        return min(100.0, 100.0 * self.pressure(at))

    def workers(self, at: float) -> float:
        """How many requests are worked on or wait, up to what it allows."""
        if self.left_alone(at):
            return 0.0
        extra = sum(surge.workers * self._share(surge, at) for surge in self.part.surges)
        extra += sum(blocker.workers * weight for blocker, weight in self.sessions.shares(at))
        crowd = max(1.0, min(1.6, self.pressure(at)))
        wanted = (self.part.workers * (1 + 0.15 * self.wobble("workers", at)) + extra) * crowd
        return min(wanted, self.tier.at(at).workers)

    def connections(self, at: float) -> float:
        if self.left_alone(at):
            return 0.05 * self.part.sessions
        extra = sum(surge.sessions * self._share(surge, at) for surge in self.part.surges)
        wanted = self.part.sessions * (1 + 0.05 * self.wobble("sessions", at)) + extra
        return 0.0 if self.interrupted(at) else min(wanted, self.tier.at(at).sessions)

    def used_bytes(self, at: float) -> float:
        """It grows by a thousandth a day."""
        return self.part.used_gb * GB * (1 + 0.001 * (at - self.start) / 86_400)

    def wobble(self, what: str, at: float) -> float:
        """Chance between -1 and 1 that moves from minute to minute, the same whenever it is asked."""
        minute, within = divmod(at - self.start, 60.0)
        before, after = self._chance(what, int(minute)), self._chance(what, int(minute) + 1)
        return before + (after - before) * within / 60.0

    def _chance(self, what: str, minute: int) -> float:
        mixed = crc32(f"{self.name}/{what}/{minute}".encode())
        for shift, factor in _MIXING:  # the checksums of neighbours are neighbours
            mixed = ((mixed ^ mixed >> shift) * factor) & 0xFFFF_FFFF
        return (mixed ^ mixed >> 16) / 2**31 - 1.0

    def _share(self, surge: Surge, at: float) -> float:
        """How much of a surge was felt at an instant, 0 to 1."""
        begun = self.start + seconds(surge.at)
        if at < begun:
            return 0.0
        share = min(1.0, (at - begun) / max(seconds(surge.ramp), 1.0))
        if surge.until is not None:
            share *= max(0.0, 1.0 - max(0.0, at - self.start - seconds(surge.until)) / _FADING)
        if surge.while_down:
            share *= sum(self.was_down(surge.while_down, at - ago) for ago in _AFTERMATH) / len(_AFTERMATH)
        return share
