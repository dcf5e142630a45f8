"""Kubernetes events from events.k8s.io, or core v1 where that is not to be had: each once, its repeats folded.

The two groups serve the same objects under the same UIDs; watching one is enough. Beyond their own counting,
events about the same object with the same reason and message (a new one per retry, from some controllers) become one.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from probes import wire
from probes.cluster import Cluster, Scope
from probes.freshness import Snapshot
from probes.reflector import Kind, reflect
from probes.rows import Event

_MOST_MESSAGE = 4096  # characters; validation allows 1 KiB, but only in events.k8s.io


class EventsProbe:
    """The events of a scope, repeats folded. A folded row's key is the UID of its oldest member still there."""

    name = "events"

    def __init__(self, cluster: Cluster, scope: Scope) -> None:
        self.cluster = cluster
        self.scope = scope

    async def watch(self) -> AsyncGenerator[Snapshot[Event], None]:
        fold = Fold()
        async with aclosing(reflect(self.name, self.cluster, self.scope, [(EVENTS, CORE_EVENTS)])) as snapshots:
            async for snapshot in snapshots:
                changed = fold.update(snapshot)
                yield Snapshot(self.name, snapshot.freshness, fold.rows, snapshot.version, changed)


_Same = tuple[str, str, str, str, str, str, str]
"""What makes two events the same news: namespace, UID, kind and name of what it is about, type, reason, message."""


class Fold:
    """Keeps the folded rows up to date from snapshots of single events, touching only what changed.

    Nearly every event is the only one of its kind: only those that are not are kept in lists.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Event] = {}
        self._singles: Mapping[str, Event] = {}
        self._shown: dict[_Same, Event] = {}
        self._crowds: dict[_Same, list[Event]] = {}  # of what is shown: the events that are folded in it

    @property
    def rows(self) -> Mapping[str, Event]:
        """The folded rows of this instant; they are not changed later."""
        return MappingProxyType(self._rows)

    def update(self, snapshot: Snapshot[Event]) -> frozenset[str] | None:
        """Take over a snapshot; returns the keys of folded rows that changed (None: any may have)."""
        before, now = self._singles, snapshot.rows
        keys: Iterable[str] = snapshot.changed if snapshot.changed is not None else {**before, **now}
        gone: set[str] = set()
        fresh: dict[str, Event] = {}
        touched: set[_Same] = set()
        for key in keys:
            old, new = before.get(key), now.get(key)
            if old is new:
                continue
            if old is not None:
                same = _same(old)
                if same in self._crowds:
                    self._crowds[same].remove(old)
                    touched.add(same)
                else:
                    gone.add(self._shown.pop(same).uid)
            if new is not None:
                same = _same(new)
                shown = self._shown.get(same)
                if shown is None:
                    self._shown[same] = fresh[new.uid] = new
                else:
                    self._crowds.setdefault(same, [shown]).append(new)
                    touched.add(same)
        self._singles = now
        for same in touched:
            shown = self._shown.pop(same)
            gone.add(shown.uid)
            fresh.pop(shown.uid, None)
            crowd = self._crowds[same]
            if crowd:
                folded = self._shown[same] = _folded(crowd)
                fresh[folded.uid] = folded
            if len(crowd) < 2:
                del self._crowds[same]
        if gone or fresh:
            # Copied whole, which is quick; asking 10,000 events for their keys at every news is not.
            rows = self._rows.copy()
            for key in gone:
                rows.pop(key, None)
            rows.update(fresh)
            self._rows = rows
        return None if snapshot.changed is None else frozenset(gone | fresh.keys())


def new_event(event: wire.NewEvent) -> Event:
    """The row of an ``events.k8s.io/v1`` event."""
    source = event.deprecated_source.component if event.deprecated_source is not None else None
    return _row(
        event.metadata,
        event.regarding,
        type_=event.type,
        reason=event.reason,
        message=event.note,
        series=event.series,
        count=event.deprecated_count,
        times=(event.event_time, event.deprecated_first_timestamp, event.deprecated_last_timestamp),
        reporter=event.reporting_controller or source,
    )


def core_event(event: wire.CoreEvent) -> Event:
    """The row of a core ``v1`` event."""
    source = event.source.component if event.source is not None else None
    return _row(
        event.metadata,
        event.involved_object,
        type_=event.type,
        reason=event.reason,
        message=event.message,
        series=event.series,
        count=event.count,
        times=(event.event_time, event.first_timestamp, event.last_timestamp),
        reporter=event.reporting_component or source,
    )


EVENTS: Final = Kind("/apis/events.k8s.io/v1", "events", wire.NewEvent, new_event, pages=2)
CORE_EVENTS: Final = Kind("/api/v1", "events", wire.CoreEvent, core_event, pages=2)


def _row(
    meta: wire.Meta,
    regarding: wire.Regarding | None,
    *,
    type_: str | None,
    reason: str | None,
    message: str | None,
    series: wire.Series | None,
    count: int | None,
    times: tuple[str | None, str | None, str | None],
    reporter: str | None,
) -> Event:
    about = regarding or wire.Regarding()
    first: float | None = None
    last = 0.0
    for stamp in times:
        at = wire.instant(stamp) if stamp else None
        if at is None:
            continue
        if first is None:
            first = last = at
        elif at < first:
            first = at
        elif at > last:
            last = at
    if first is None:
        first = last = wire.instant(meta.creation_timestamp) or 0.0
    count = count or 1
    if series is not None:
        last = max(last, wire.instant(series.last_observed_time) or 0.0)
        count = max(count, series.count or 0)
    text = message or ""
    return Event(
        uid=meta.uid,
        namespace=sys.intern(meta.namespace),
        name=meta.name,
        type=sys.intern(type_ or "Normal"),
        reason=sys.intern(reason or ""),
        kind=sys.intern(about.kind or ""),
        object_name=sys.intern(about.name or ""),
        object_uid=sys.intern(about.uid or ""),
        message=text if len(text) <= _MOST_MESSAGE else text[:_MOST_MESSAGE] + "…",
        count=max(count, 1),
        first_at=first,
        last_at=last,
        reporter=sys.intern(reporter or ""),
    )


def _same(event: Event) -> _Same:
    return (
        event.namespace,
        event.object_uid,
        event.kind,
        event.object_name,
        event.type,
        event.reason,
        event.message,
    )


def _folded(members: Sequence[Event]) -> Event:
    if len(members) == 1:
        return members[0]
    events = sorted(members, key=lambda event: (event.first_at, event.uid))
    return replace(
        events[0],
        count=sum(event.count for event in events),
        last_at=max(event.last_at for event in events),
    )
