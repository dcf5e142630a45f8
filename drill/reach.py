"""How the services reach their databases: by connection strings in a ConfigMap, which they read again when it changes.

The ConfigMap has a key for each database, with a connection string as SqlClient reads it. A kubelet carries a change
into the pods within a minute. Where the host of a string cannot be connected to (`scenario.External`), whatever needs
that database cannot: its pods say so, fail their readiness probes, and are ready again when the string is right.
Neither a new pod nor more of them can do better.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from drill import pods
from drill.ailing import Ailing
from drill.azure.history import History
from drill.controllers import ControlPlane
from drill.fates import Fate
from drill.kinds import Kind
from drill.scenario import External
from drill.world import CONFIG_MAP, POD

Json = dict[str, Any]

_SYNC: Final = 45.0  # seconds until a kubelet has carried a ConfigMap's change into a running pod
_FAILS: Final = 30.0  # seconds until a readiness probe has failed often enough
_LOOK: Final = 5.0
_SERVER: Final = re.compile(r"(?:^|;)\s*(?:Server|Data Source)\s*=\s*(?:tcp:)?([^,;\s]+)", re.IGNORECASE)
_TROUBLES: Final = {
    "unresolved": "error: 0 - Name or service not known",
    "refused": "error: 40 - Connection refused",
    "silent": "error: 40 - Connection timed out",
}


class Lost(Struct, frozen=True):
    """A database that a service cannot connect to: by which host, and in which of the words of `_TROUBLES`."""

    database: str
    host: str
    words: str


NONE: Final[Mapping[str, Lost]] = {}


class Reach:
    """``needs`` is service → its database; ``config`` the name of the ConfigMap, "" for a scenario without one."""

    def __init__(
        self,
        plane: ControlPlane,
        namespace: str,
        config: str,
        needs: Mapping[str, str],
        hosts: Mapping[str, External],
    ) -> None:
        self._plane = plane
        self._clock = plane.world.clock
        self._namespace = namespace
        self._config = config
        self._needs = {service: database for service, database in needs.items() if database}
        self._hosts = hosts
        self._history: History[Mapping[str, Lost]] = History(NONE)
        self._doomed: set[str] = set()
        self._watching = False
        if config:
            plane.world.store.subscribe(self._observe)

    def lost(self, at: float) -> Mapping[str, Lost]:
        """Which services could not reach their database at an instant of the world."""
        return self._history.at(at)

    def share(self, database: str, at: float) -> float:
        """Which share of the services that need a database could reach it, 0 to 1."""
        mine = [service for service, needed in self._needs.items() if needed == database]
        lost = self.lost(at)
        return 1.0 - sum(service in lost for service in mine) / len(mine) if mine and lost else 1.0

    def complaint(self, service: str) -> Ailing | None:
        """What ails a service whose pods are still in the endpoints."""
        lost = self._history.last.get(service)
        if lost is None:
            return None
        return Ailing("Unhealthy", f"{service}: cannot connect to {lost.database} at {lost.host}", 2.4)

    def _observe(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        meta = obj["metadata"]
        if kind is not CONFIG_MAP or (meta["namespace"], meta["name"]) != (self._namespace, self._config):
            return
        if old is None or obj.get("data") != old.get("data"):
            self._clock.after(0.0 if old is None else _SYNC, lambda: self._read(obj.get("data") or {}))

    def _read(self, strings: Mapping[str, str]) -> None:
        """The services have their connection strings anew."""
        found = {
            service: lost
            for service, database in self._needs.items()
            if (lost := self._trial(database, strings.get(database, ""))) is not None
        }
        if found != self._history.last:
            self._history.change(self._clock.now, found)
        if found and not self._watching:
            self._watching = True
            self._clock.after(_FAILS, self._look)

    def _trial(self, database: str, string: str) -> Lost | None:
        named = _SERVER.search(string)
        host = named[1] if named is not None else ""
        there = self._hosts.get(host)
        fate = there.fate if there is not None else "unresolved"
        return Lost(database, host or "no server", _TROUBLES[fate]) if fate in _TROUBLES else None

    def _look(self) -> None:
        """The pods of whoever cannot connect are not ready, new ones neither; the others are spared."""
        lost, kubelets = self._history.last, self._plane.kubelets
        there = {
            pod["metadata"]["uid"]: pods.labels(pod).get("app.kubernetes.io/name", "") in lost
            for pod in self._plane.world.store.list(POD, self._namespace)
        }
        for uid, cannot in there.items():
            if cannot and uid not in self._doomed:
                kubelets.doom(uid, Fate.UNREADY)
            elif not cannot and uid in self._doomed:
                kubelets.spare(uid)
        self._doomed = {uid for uid, cannot in there.items() if cannot}
        self._watching = bool(lost)
        if self._watching:
            self._clock.after(_LOOK, self._look)
