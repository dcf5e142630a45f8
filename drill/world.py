"""What every controller of the platform holds: the store, the clock, chance, events, and who owns whom."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from drill import kinds
from drill.clock import Clock
from drill.kinds import Kind
from drill.owners import Owners
from drill.recorder import Recorder
from drill.store import ObjectStore

log = logging.getLogger(__name__)

Json = dict[str, Any]

NAMESPACE: Final = kinds.kind("Namespace")
POD: Final = kinds.kind("Pod")
NODE: Final = kinds.kind("Node", "")
SERVICE: Final = kinds.kind("Service")
ENDPOINTS: Final = kinds.kind("Endpoints")
ENDPOINT_SLICE: Final = kinds.kind("EndpointSlice")
SECRET: Final = kinds.kind("Secret")
CONFIG_MAP: Final = kinds.kind("ConfigMap")
SERVICE_ACCOUNT: Final = kinds.kind("ServiceAccount")
DEPLOYMENT: Final = kinds.kind("Deployment")
REPLICA_SET: Final = kinds.kind("ReplicaSet")
STATEFUL_SET: Final = kinds.kind("StatefulSet")
DAEMON_SET: Final = kinds.kind("DaemonSet")
CONTROLLER_REVISION: Final = kinds.kind("ControllerRevision")

_NAME_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"  # as k8s.io/apimachinery/pkg/util/rand


@dataclass(slots=True)
class World:
    """One platform. Everything runs on one thread, and a controller's turn is never interrupted."""

    store: ObjectStore
    clock: Clock
    chance: random.Random
    events: Recorder
    owned: Owners

    def suffix(self, length: int = 5) -> str:
        """What the API server appends to a generateName."""
        return "".join(self.chance.choices(_NAME_ALPHABET, k=length))

    def create(self, kind: Kind, obj: Json) -> Json:
        """Create an object of this kind."""
        return self.store.create(kind, {"apiVersion": kind.api_version, "kind": kind.kind, **obj})

    def set_status(self, kind: Kind, obj: Json, status: Json) -> Json:
        """Write a status, unless it says what is already there."""
        if obj.get("status") == status:
            return obj
        return self.store.update(kind, {**obj, "status": status}, subresource="status")


KeyT = TypeVar("KeyT", bound=Hashable)


class WorkQueue(Generic[KeyT]):
    """Keys to reconcile: each waits at most once, and all of a burst are done in one turn of the clock."""

    def __init__(self, clock: Clock, reconcile: Callable[[KeyT], None]) -> None:
        self._clock = clock
        self._reconcile = reconcile
        self._waiting: dict[KeyT, None] = {}

    def add(self, key: KeyT) -> None:
        if not self._waiting:
            self._clock.soon(self._drain)
        self._waiting[key] = None

    def add_after(self, key: KeyT, seconds: float) -> None:
        self._clock.after(seconds, lambda: self.add(key))

    def _drain(self) -> None:
        keys, self._waiting = self._waiting, {}
        for key in keys:
            try:
                self._reconcile(key)
            except Exception:  # as in a controller manager: one object's trouble is not the others'
                log.exception("cannot reconcile %s", key)
