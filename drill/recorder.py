"""Kubernetes events as client-go's recorder writes them: the same thing again bumps a count, and all expire."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from drill import kinds
from drill.clock import Clock
from drill.kinds import Kind
from drill.store import ObjectStore

Json = dict[str, Any]

EVENT: Final = kinds.kind("Event", "")
TTL: Final = 3600.0  # seconds; kube-apiserver's --event-ttl


class Recorder:
    """Writes core/v1 events. Those that would have expired before ``born`` are not written at all."""

    def __init__(self, store: ObjectStore, clock: Clock, *, born: float) -> None:
        self._store = store
        self._clock = clock
        self._born = born
        self._serial = int(clock.now * 1e9)
        # what is said about whom → (namespace, name, last said), the longest silent first
        self._said: OrderedDict[tuple[str, ...], tuple[str, str, float]] = OrderedDict()
        self._sweeping = False

    def say(
        self,
        kind: Kind,
        obj: Json,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        component: str = "kubelet",
        host: str = "",
        container: str = "",
        times: int = 1,
    ) -> None:
        """Record that something happened to an object now; ``container`` narrows it to one of a pod."""
        now = self._clock.now
        if now + TTL < self._born:
            return
        meta = obj["metadata"]
        key = (meta["uid"], container, reason, message, component, host)
        said = self._said.pop(key, None)
        if said is not None:
            before = self._store.get(EVENT, said[0], said[1])
            if before is not None:
                count = before["count"] + times
                self._store.update(EVENT, {**before, "count": count, "lastTimestamp": self._clock.stamp()})
                self._said[key] = (said[0], said[1], now)
                return
        namespace = meta.get("namespace") or "default"
        self._serial += 1
        name = f"{meta['name']}.{self._serial:x}"
        regarding: Json = {"kind": kind.kind, "name": meta["name"], "uid": meta["uid"], "apiVersion": kind.api_version}
        if meta.get("namespace"):
            regarding["namespace"] = namespace
        if meta.get("resourceVersion"):
            regarding["resourceVersion"] = meta["resourceVersion"]
        if container:
            regarding["fieldPath"] = f"spec.containers{{{container}}}"
        stamp = self._clock.stamp()
        source = {"component": component, "host": host} if host else {"component": component}
        self._store.create(
            EVENT,
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace, "creationTimestamp": stamp},
                "involvedObject": regarding,
                "reason": reason,
                "message": message,
                "source": source,
                "firstTimestamp": stamp,
                "lastTimestamp": stamp,
                "count": times,
                "type": "Warning" if warning else "Normal",
                "eventTime": None,
                "reportingComponent": component,
                "reportingInstance": host,
            },
        )
        self._said[key] = (namespace, name, now)
        if not self._sweeping:
            self._sweeping = True
            self._clock.after(TTL, self._sweep)

    def _sweep(self) -> None:
        now = self._clock.now
        while self._said:
            key, (namespace, name, last) = next(iter(self._said.items()))
            if last + TTL > now:
                self._clock.at(max(last + TTL, now + 60), self._sweep)
                return
            del self._said[key]
            if self._store.get(EVENT, namespace, name) is not None:
                self._store.remove(EVENT, namespace, name)
        self._sweeping = False
