"""What the cluster says is happening, newest first, warnings marked."""

from __future__ import annotations

from collections.abc import Mapping

from probes.rows import Event
from widgets.columns import Cell, Column
from widgets.plain import clock, plain
from widgets.table import TablePane
from widgets.table_rows import Sort

WINDOW = 30 * 60.0  # seconds
_MANY = 1000

#: kubectl's short names (``kubectl api-resources``).
SHORT_KINDS: Mapping[str, str] = {
    "Deployment": "deploy",
    "ReplicaSet": "rs",
    "StatefulSet": "sts",
    "DaemonSet": "ds",
    "CronJob": "cj",
    "Service": "svc",
    "Ingress": "ing",
    "Endpoints": "ep",
    "Namespace": "ns",
    "ConfigMap": "cm",
    "PersistentVolume": "pv",
    "PersistentVolumeClaim": "pvc",
    "PodDisruptionBudget": "pdb",
    "ReplicationController": "rc",
    "ResourceQuota": "quota",
    "ServiceAccount": "sa",
    "HorizontalPodAutoscaler": "hpa",
}


class EventsPane(TablePane[Event]):
    """Events of core v1 and events.k8s.io. Source: ``events``."""

    NAME = "Events"
    ORDER = "newest first"
    SOURCES = ("events",)
    ROW_SOURCES = ("events",)
    COLUMNS = (
        Column("TIME", 8, 9),
        Column("", 1),
        Column("REASON", 14, 24, shrink=1),
        Column("OBJECT", 18, 38, shrink=3, drop=1),
        Column("MESSAGE", 16, grow=1, shrink=4),
        Column("×", 3, 6, "right", drop=2),
    )

    _counted: tuple[int, float, str] = (-1, 0.0, "")  # version, when, what

    def order_of(self, row: Event) -> Sort:
        return (-row.last_at,)

    def varying(self, row: Event, now: float) -> object:
        return clock(row.last_at, self.local_time, now)

    def cells(self, row: Event, now: float) -> tuple[Cell, ...]:
        warning = row.type != "Normal"
        kind = SHORT_KINDS.get(row.kind, row.kind.lower())
        style = "text" if warning else "dim"
        return (
            Cell(clock(row.last_at, self.local_time, now), "text"),
            Cell("!", "degraded") if warning else Cell("·", "dim"),
            Cell(plain(row.reason, 80), "degraded" if warning else "dim"),
            Cell(plain(f"{kind}/{row.object_name}"), style, short="middle"),
            Cell(plain(row.message), style),
            Cell(str(row.count), style),
        )

    def search_text(self, row: Event) -> str:
        warning = "warning" if row.type != "Normal" else "normal"
        words = (warning, row.reason, f"{row.kind}/{row.object_name}", row.namespace, plain(row.message))
        return plain(" ".join(words), 1200)

    def summary(self) -> str:
        snapshot = self.snapshot
        if snapshot is None:
            return ""
        now = self.now
        known, counted_at, _ = self._counted
        # Thousands of rows are not added up at every burst: six seconds of half an hour are nothing.
        many = len(snapshot.rows) > _MANY and known >= 0
        if (snapshot.version != known and now - counted_at >= (6.0 if many else 0.0)) or now - counted_at >= 30.0:
            seen = sum(_within(event, now) for event in snapshot.rows.values() if event.last_at >= now - WINDOW)
            self._counted = (snapshot.version, now, f"{round(seen)} in 30 min")
        return self._counted[2]


def _within(event: Event, now: float) -> float:
    """How often the event happened within the window: a series that began before it counts in part."""
    start = now - WINDOW
    if event.first_at >= start or event.last_at <= event.first_at:
        return float(event.count)
    return max(1.0, event.count * (event.last_at - start) / (event.last_at - event.first_at))
