"""What nodes and pods use right now, polled from metrics.k8s.io (which cannot be watched)."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct, field

from probes import wire
from probes.cluster import Cluster, Scope
from probes.errors import BadAnswer, Forbidden, NotFound, ProbeError, Unreachable
from probes.freshness import Freshness, Snapshot, State
from probes.gathering import combine
from probes.quantities import cores, number_of_bytes
from probes.rows import Usage

log = logging.getLogger(__name__)

WireT = TypeVar("WireT")

_PREFIX = "/apis/metrics.k8s.io/v1beta1"
# Servers measure every 15 s to every minute and say so in `window`; what is this many windows old is not "now".
_OLDEST_WINDOWS = 3
_SLOW_RETRY = 30.0
# Above this many pods the poll of pods is spread so that it costs at most half a hundredth of a core.
_MANY_PODS = 1000
_SHARE = 0.005
_MOST_INTERVAL = 120.0


class UsageProbe:
    """Rows keyed by node name, and by ``namespace/name`` for pods."""

    name = "usage"

    def __init__(self, cluster: Cluster, scope: Scope, interval: float = 15.0) -> None:
        self.cluster = cluster
        self.scope = scope
        self.interval = interval

    async def watch(self) -> AsyncGenerator[Snapshot[Usage], None]:
        polls = [_Poll(f"{_PREFIX}/nodes", _nodes)]
        polls += [_Poll(f"{_PREFIX}{place}/pods", _pods) for place in self._places()]
        version = 0
        before: dict[str, Usage] = {}
        yield Snapshot(self.name, combine([poll.freshness for poll in polls]), MappingProxyType({}), version)
        while True:
            now = time.monotonic()
            due = [poll for poll in polls if poll.due_at <= now]
            await asyncio.gather(*(poll.look(self.cluster, self.interval) for poll in due))
            rows: dict[str, Usage] = {}
            for poll in polls:
                rows.update(poll.rows)
            freshness = combine([poll.freshness for poll in polls])
            version += 1
            changed = _changed(before, rows) if version > 1 else None
            yield Snapshot(self.name, freshness, MappingProxyType(rows), version, changed)
            before = rows
            await asyncio.sleep(max(min(poll.due_at for poll in polls) - time.monotonic(), 0.05))

    def _places(self) -> Sequence[str]:
        return [f"/namespaces/{namespace}" for namespace in self.scope.namespaces] or [""]


def _changed(before: dict[str, Usage], rows: dict[str, Usage]) -> frozenset[str]:
    return frozenset(key for key in before.keys() | rows.keys() if before.get(key) != rows.get(key))


class _Poll(Struct):
    """One list that is asked for again and again."""

    path: str
    read: Callable[[bytes], _Measured]
    rows: dict[str, Usage] = field(default_factory=dict)
    freshness: Freshness = field(default_factory=lambda: Freshness(State.LOADING, since=time.time()))
    due_at: float = 0.0

    async def look(self, cluster: Cluster, interval: float) -> None:
        """Ask once; ends in rows and a freshness, never in an error."""
        pause = interval
        try:
            body = await cluster.get(self.path, timeout=max(interval, 10.0))
            measured = await asyncio.to_thread(self.read, body) if len(body) > 200_000 else self.read(body)
            if len(measured.rows) > _MANY_PODS:
                pause = max(interval, min(measured.cost / _SHARE, _MOST_INTERVAL))
            self.rows = measured.rows
            self._arrived(max(interval, measured.window))
        except Forbidden as error:
            pause = max(interval, _SLOW_RETRY)
            self._failed(State.FORBIDDEN, error)
        except (NotFound, BadAnswer, Unreachable) as error:
            if isinstance(error, NotFound) or error.status == 503:
                # 503: the APIService is registered and its server is not there.
                pause = max(interval, _SLOW_RETRY)
                self._failed(State.UNAVAILABLE, _no_metrics(error))
            else:
                self._failed(State.UNAVAILABLE if self.freshness.confirmed is None else State.STALE, error)
        except ProbeError as error:
            pause = max(interval, _SLOW_RETRY / 2)
            self._failed(State.UNAVAILABLE if self.freshness.confirmed is None else State.STALE, error)
        self.due_at = time.monotonic() + pause

    def _arrived(self, window: float) -> None:
        now = time.time()
        newest = max((usage.at for usage in self.rows.values()), default=now)
        if now - newest > _OLDEST_WINDOWS * window:
            when = time.strftime("%H:%M:%S", time.gmtime(newest))
            since = self.freshness.since if self.freshness.state is State.STALE else newest
            self.freshness = Freshness(
                State.STALE,
                since=since,
                confirmed=newest,
                detail=f"the metrics server has measured nothing since {when} UTC",
                hint="kubectl -n kube-system logs deployment/metrics-server",
            )
            return
        since = self.freshness.since if self.freshness.live else now
        self.freshness = Freshness(State.LIVE, since=since, confirmed=min(newest, now))

    def _failed(self, state: State, error: ProbeError) -> None:
        since = self.freshness.since if self.freshness.state is state else time.time()
        self.freshness = Freshness(state, since, self.freshness.confirmed, str(error), error.hint)
        if state in (State.FORBIDDEN, State.UNAVAILABLE):
            self.rows = {}


def _no_metrics(error: ProbeError) -> ProbeError:
    if error.status == 503:
        text = f"no metrics: the metrics server behind metrics.k8s.io does not answer ({error})"
        return NotFound(text, hint="kubectl get apiservice v1beta1.metrics.k8s.io")
    return NotFound(
        "no metrics server: metrics.k8s.io is not served by this cluster", hint="install metrics-server", status=404
    )


class _Measured(NamedTuple):
    """``window`` is the longest that was measured over, ``cost`` the processor time of reading it, both in seconds."""

    rows: dict[str, Usage]
    window: float
    cost: float


def _nodes(body: bytes) -> _Measured:
    began = time.thread_time()
    items = _items(body, wire.NodeMetrics)
    usages = (
        Usage(
            namespace="",
            name=sys.intern(item.metadata.name),
            cpu=cores(item.usage.cpu),
            memory=number_of_bytes(item.usage.memory),
            at=wire.instant(item.timestamp) or 0.0,
        )
        for item in items
    )
    rows = {usage.key: usage for usage in usages}
    return _Measured(rows, _longest_window({item.window for item in items}), time.thread_time() - began)


def _pods(body: bytes) -> _Measured:
    began = time.thread_time()
    items = _items(body, wire.PodMetrics)
    rows: dict[str, Usage] = {}
    for item in items:
        cpu, memory = 0.0, 0
        for container in item.containers or ():
            cpu += cores(container.usage.cpu)
            memory += number_of_bytes(container.usage.memory)
        usage = Usage(
            namespace=sys.intern(item.metadata.namespace),
            name=item.metadata.name,
            cpu=cpu,
            memory=memory,
            at=wire.instant(item.timestamp) or 0.0,
        )
        rows[usage.key] = usage
    return _Measured(rows, _longest_window({item.window for item in items}), time.thread_time() - began)


_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def _longest_window(windows: Iterable[str | None]) -> float:
    """The longest of some Go durations (``15.2s``, ``1m0s``) in seconds, 0 if there are none."""
    return max(
        (sum(float(n) * _SECONDS[unit] for n, unit in _DURATION.findall(window or "")) for window in windows),
        default=0.0,
    )


def _items(body: bytes, kind: type[WireT]) -> list[WireT]:
    """The readable items; one that is not is said in the log and left out."""
    with suppress(msgspec.DecodeError):
        return wire.page_decoder(kind).decode(body).items or []
    try:
        raws = wire.page_decoder(msgspec.Raw).decode(body).items or []
    except msgspec.DecodeError as error:
        raise BadAnswer(f"metrics.k8s.io does not answer a list: {error}") from error
    items = []
    for raw in raws:
        try:
            items.append(msgspec.json.decode(raw, type=kind))
        except msgspec.DecodeError as error:
            log.warning("cannot read one of the metrics: %s", error)
    return items
