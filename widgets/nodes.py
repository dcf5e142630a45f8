"""The nodes: what they carry, how much of it is used, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from probes.freshness import Snapshot, State
from probes.rows import Health, Node, Usage
from widgets.bars import percent
from widgets.columns import EMPTY, Cell, Column
from widgets.plain import ago, plain
from widgets.table import TablePane
from widgets.table_rows import Sort

BUSY, FULL = 0.85, 0.95  # of allocatable; where kubelets begin to evict and pods to wait
_FINISHED = ("Succeeded", "Failed")
STYLES: Mapping[Health, str] = {
    Health.FAILING: "failing",
    Health.DEGRADED: "degraded",
    Health.HEALTHY: "healthy",
    Health.DORMANT: "dormant",
}


class NodesPane(TablePane[Node]):
    """Nodes, sick first. Sources: ``nodes``, ``usage`` (metrics.k8s.io) and ``pods`` for how many run on each."""

    NAME = "Nodes"
    SOURCES = ("nodes", "usage", "pods")
    ROW_SOURCES = ("nodes",)
    REMARKED: ClassVar[Mapping[str, str]] = {"usage": "metrics"}
    COLUMNS = (
        Column("", 1),
        Column("NODE", 16, 40, shrink=1),
        Column("CPU", 6, 14, drop=4, shrink=2),
        Column("", 4, 4, "right"),
        Column("MEMORY", 6, 14, drop=3, shrink=2),
        Column("", 4, 4, "right"),
        Column("PODS", 4, 4, "right"),
        Column("CONDITION", 20, grow=1, shrink=3),
        Column("TAINTS", 8, 36, drop=6, shrink=4),
        Column("VERSION", 7, 20, drop=5),
        Column("AGE", 5, 6, "right", drop=7),
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._node_of: dict[str, str] = {}
        self._carried: Counter[str] = Counter()

    def merge(self, source: str, snapshot: Snapshot[Any], changed: Iterable[str]) -> None:
        if source == "nodes":
            super().merge(source, snapshot, changed)
        elif source == "pods":
            self._count(snapshot, changed)

    def _count(self, snapshot: Snapshot[Any], changed: Iterable[str]) -> None:
        for uid in changed:
            before = self._node_of.pop(uid, "")
            if before:
                self._carried[before] -= 1
            pod = snapshot.rows.get(uid)
            if pod is not None and pod.node and pod.phase not in _FINISHED:
                self._node_of[uid] = pod.node
                self._carried[pod.node] += 1

    def order_of(self, row: Node) -> Sort:
        sick = row.health < Health.HEALTHY
        return (row.health, -(row.changed_at or 0.0) if sick else 0.0, row.name)

    def varying(self, row: Node, now: float) -> object:
        since = "" if row.changed_at is None else ago(now - row.changed_at)
        return (
            since,
            ago(now - row.created_at),
            self._usage(row),
            self._carried[row.name],
            self.freshness_of("usage").live,
        )

    def _usage(self, row: Node) -> Usage | None:
        snapshot = self.snapshot_of("usage")
        usage = None if snapshot is None else snapshot.rows.get(row.name)
        return usage if isinstance(usage, Usage) else None

    def cells(self, row: Node, now: float) -> tuple[Cell, ...]:
        style = STYLES[row.health]
        usage = self._usage(row)
        cpu = _share(usage.cpu, row.cpu_allocatable) if usage else None
        memory = _share(usage.memory, row.memory_allocatable) if usage else None
        quiet = row.health is Health.DORMANT or not self.freshness_of("usage").live
        taints = ", ".join(f"{taint.key}:{taint.effect}" for taint in row.taints)
        counted = self.snapshot_of("pods") is not None
        return (
            Cell(row.health.mark, style),
            Cell(plain(row.name), style if row.health < Health.HEALTHY else "text", short="middle"),
            *_meter(cpu, quiet),
            *_meter(memory, quiet),
            Cell(str(self._carried[row.name])) if counted else Cell("–", "dim"),
            self._condition(row, now, style),
            Cell(plain(taints), "dim"),
            Cell(plain(row.version), "dim"),
            Cell(ago(now - row.created_at), "dim"),
        )

    def _condition(self, row: Node, now: float, style: str) -> Cell:
        since = "" if row.changed_at is None or row.health >= Health.HEALTHY else ago(now - row.changed_at)
        words = ", ".join(row.pressures) if row.ready and row.pressures else row.status.split(",")[0]
        if row.cordoned:
            words += ", cordoned"
        detail = "" if row.ready else plain(row.reason or row.message)
        return Cell(" ".join(filter(None, (plain(words), since))), style, detail, "dim")

    def search_text(self, row: Node) -> str:
        taints = " ".join(f"{taint.key}:{taint.effect}" for taint in row.taints)
        words = (row.name, row.status, *row.pressures, *row.roles, taints, row.version, row.reason)
        return plain(" ".join(words) + (" cordoned" if row.cordoned else ""))

    def summary(self) -> str:
        snapshot = self.snapshot
        if snapshot is None:
            return ""
        sick = sum(1 for node in snapshot.rows.values() if node.health < Health.HEALTHY)
        return f"{sick} of {len(snapshot.rows)} unhealthy" if sick else f"{len(snapshot.rows)}"

    def remarks(self) -> tuple[str, ...]:
        return ("metrics-server",) if self.freshness_of("usage").state is State.LIVE else super().remarks()


def _share(used: float, allocatable: float) -> float | None:
    return used / allocatable if allocatable > 0 else None


def _meter(fraction: float | None, quiet: bool) -> tuple[Cell, Cell]:
    """A bar and its percentage. What was not measured is a dash, never zero."""
    if fraction is None:
        return EMPTY, Cell("–", "dim")
    style = "dim" if quiet else "failing" if fraction >= FULL else "degraded" if fraction >= BUSY else "healthy"
    return Cell("", style, bar=fraction), Cell(percent(fraction), "dim" if quiet else "text")
