"""What every namespace has from the start: its default ServiceAccount and the cluster's root certificate."""

from __future__ import annotations

from typing import Any, Final

from drill.kinds import Kind
from drill.world import CONFIG_MAP, NAMESPACE, SERVICE_ACCOUNT, WorkQueue, World

Json = dict[str, Any]
_ROOT: Final = "kube-root-ca.crt"


class Namespaces:
    """The controllers of service accounts and of the root certificate."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: WorkQueue[str] = WorkQueue(world.clock, self._furnish)

    def observe_namespace(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        if change == "ADDED":
            self._queue.add(obj["metadata"]["name"])

    def observe_furniture(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        """What was deleted comes back."""
        if change == "DELETED" and obj["metadata"]["name"] in ("default", _ROOT):
            self._queue.add(obj["metadata"]["namespace"])

    def _furnish(self, name: str) -> None:
        store = self._world.store
        if store.get(NAMESPACE, None, name) is None:
            return
        if store.get(SERVICE_ACCOUNT, name, "default") is None:
            self._world.create(SERVICE_ACCOUNT, {"metadata": {"name": "default", "namespace": name}})
        if store.get(CONFIG_MAP, name, _ROOT) is None:
            self._world.create(CONFIG_MAP, {"metadata": {"name": _ROOT, "namespace": name}, "data": {"ca.crt": ""}})
