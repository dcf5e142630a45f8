"""What the cluster's services feel of the databases that they cannot do without: waiting, time-outs, lost connections.

Nothing of it is a service's own fault, so that neither a restart nor a roll back of one changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from drill import pods
from drill.azure.estate import Estate
from drill.clock import Clock
from drill.controllers import ControlPlane
from drill.fates import Fate
from drill.reach import Lost
from drill.world import POD

Json = dict[str, Any]

_LOOK: Final = 5.0  # seconds between two looks at how the databases are
_SICKENS: Final = 1.15  # pressure from which readiness probes of some pods fail
_RECOVERS: Final = 1.0
_MANY: Final = 4  # of so many pods one becomes unready
_MOMENT: Final = 5.0  # seconds for which one look at the past is good enough
_MOMENTS: Final = 4_000  # how many of those are kept


class Felt(Struct, frozen=True):
    """How it was at a moment: strained services with the pressure on their database (above 1), and who was cut off.

    ``lost`` are those that could not connect to where they looked for theirs.
    """

    pressed: Mapping[str, float] = {}
    cut_off: frozenset[str] = frozenset()
    lost: Mapping[str, Lost] = {}

    @property
    def worst(self) -> float:
        return max(self.pressed.values(), default=0.0)


NOTHING: Final = Felt()


class Strain:
    """``databases`` is service → the database that it needs. Without an estate nobody feels anything.

    ``start`` is the world instant that the scenario's offsets are relative to.
    """

    def __init__(self, estate: Estate | None, databases: Mapping[str, str], clock: Clock, start: float) -> None:
        self._estate = estate
        self._databases = {service: database for service, database in databases.items() if database}
        self._clock = clock
        self._start = start
        self._moments: dict[int, Felt] = {}
        self.lost: Callable[[float], Mapping[str, Lost]] = lambda at: {}  # see `drill.reach`

    def database_of(self, service: str) -> str:
        """The database that a service needs; "" for none."""
        return self._databases.get(service, "")

    def now(self) -> Felt:
        return self._look(self._clock.now)

    def at(self, wall: float) -> Felt:
        """How it was at an instant of the wall, to a few seconds."""
        if self._estate is None or not self._databases:
            return NOTHING
        # Moments are counted from the start: by the clock on the wall no two drills would have the same ones.
        moment = int((self._clock.instant(wall) - self._start) // _MOMENT)
        found = self._moments.get(moment)
        if found is None:
            if len(self._moments) >= _MOMENTS:
                self._moments.clear()
            found = self._moments[moment] = self._look(self._start + moment * _MOMENT)
        return found

    def _look(self, at: float) -> Felt:
        estate = self._estate
        if estate is None:
            return NOTHING
        pressures = {name: estate.pressure(name, at) for name in {*self._databases.values()}}
        gone = {name for name in pressures if estate.interrupted(name, at)}
        pressed = {service: pressures[name] for service, name in self._databases.items() if pressures[name] > 1.0}
        cut_off = frozenset(service for service, name in self._databases.items() if name in gone)
        return Felt(pressed, cut_off, self.lost(at))


class Unreadiness:
    """Makes some pods of strained services unready, and ready again when their database has recovered."""

    def __init__(self, strain: Strain, plane: ControlPlane, namespace: str, services: Iterable[str]) -> None:
        self._strain = strain
        self._plane = plane
        self._clock = plane.world.clock
        self._namespace = namespace
        self._services = [service for service in services if strain.database_of(service)]
        self._doomed: dict[str, set[str]] = {service: set() for service in self._services}

    def watch(self, since: float) -> None:
        """Look after the services from an instant of the world on."""
        if self._services:
            self._clock.at(since, self._look)

    def _look(self) -> None:
        pressed = self._strain.now().pressed
        by_service: dict[str, list[Json]] = {service: [] for service in self._services}
        for pod in self._plane.world.store.list(POD, self._namespace) if pressed else ():
            by_service.get(pods.labels(pod).get("app.kubernetes.io/name", ""), []).append(pod)
        for service, mine in by_service.items():
            pressure, doomed = pressed.get(service, 0.0), self._doomed[service]
            if pressure > _SICKENS:
                self._sicken(mine, doomed)
            elif pressure <= _RECOVERS and doomed:
                for uid in doomed:
                    self._plane.kubelets.spare(uid)
                doomed.clear()
        self._clock.after(_LOOK, self._look)

    def _sicken(self, mine: list[Json], doomed: set[str]) -> None:
        """One pod of four is unready; those that were and are gone are replaced by others."""
        doomed &= {pod["metadata"]["uid"] for pod in mine}
        wanted = max(1, len(mine) // _MANY) - len(doomed)
        for pod in [pod for pod in mine if pods.is_ready(pod)][: max(0, wanted)]:
            uid = pod["metadata"]["uid"]
            doomed.add(uid)
            self._plane.kubelets.doom(uid, Fate.UNREADY)
