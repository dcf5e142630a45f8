"""The databases: whether they are online, how hard they work, what is near a limit and what is being done to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from probes.azure.pressure import near_from
from probes.azure.rows import Database, DatabaseOperation, Metric
from probes.freshness import Snapshot
from probes.rows import Health
from widgets.bars import buckets, percent, sparkline
from widgets.columns import EMPTY, Cell, Column
from widgets.nodes import STYLES
from widgets.plain import ago, plain
from widgets.table import TablePane
from widgets.table_rows import Sort

SPARK_CELLS = 12
SPARK_SPAN = 3600.0  # seconds
FULL = 95.0  # percent
LATE = 600.0
"""Seconds after which a figure is told with its age: Azure's own are two or three minutes late."""


class DatabasesPane(TablePane[Database]):
    """SQL databases, sick first. Source: ``databases``."""

    NAME = "Databases"
    SOURCES = ("databases",)
    ROW_SOURCES = ("databases",)
    COLUMNS = (
        Column("", 1),
        Column("DATABASE", 17, 60, grow=1, shrink=2),
        Column("STATUS", 9, 12, drop=3, shrink=1),
        Column("TIER", 4, 20, drop=6, shrink=4),
        Column("LAST HOUR", SPARK_CELLS, SPARK_CELLS, drop=5),
        Column("LOAD", 4, 12, "right", shrink=1),
        Column("DISK", 4, 4, "right", drop=4),
        Column("NEAR LIMIT, DOING", 19, grow=2, shrink=3),
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._several = False  # servers: a database is told with its own only where it may be another's

    def merge(self, source: str, snapshot: Snapshot[Any], changed: Iterable[str]) -> None:
        super().merge(source, snapshot, changed)
        self._several = len({row.server for row in snapshot.rows.values()}) > 1

    def order_of(self, row: Database) -> Sort:
        load = row.load.last if row.load is not None else None
        return (row.health, not _going_on(row), -(load or 0.0), row.name, row.server)

    def varying(self, row: Database, now: float) -> object:
        return _spark(row.load, now), _age(row.load, now), self._several

    def cells(self, row: Database, now: float) -> tuple[Cell, ...]:
        style = STYLES[row.health]
        sick = row.health < Health.HEALTHY
        online = row.status == "Online"
        tier = f"{row.capacity} {row.unit}" if row.capacity else ""
        server = plain(row.server, 70) if self._several else ""
        return (
            Cell(row.health.mark, style),
            Cell(plain(row.name, 130), style if sick else "text", server, short="middle"),
            Cell(plain(row.status, 40), "dim" if online else style),
            Cell(plain(row.objective, 40), "dim", plain(tier, 40)),
            Cell(_spark(row.load, now), _level(row.load)),
            _share(row.load, now),
            _disk(row),
            _remark(row, style),
        )

    def search_text(self, row: Database) -> str:
        words = (row.server, row.name, row.status, row.objective, row.edition, row.resource_group, row.location)
        told = (*words, *row.near, *map(operation_text, _going_on(row)))
        return plain(" ".join(told), 1200)

    def summary(self) -> str:
        snapshot = self.snapshot
        if snapshot is None or not snapshot.rows:
            return ""
        sick = sum(1 for row in snapshot.rows.values() if row.health < Health.HEALTHY)
        return f"{sick} of {len(snapshot.rows)} unhealthy" if sick else f"{len(snapshot.rows)}"

    def remarks(self) -> tuple[str, ...]:
        return (*super().remarks(), "azure")

    def empty_sentence(self) -> str:
        return "no SQL database in the configured resource groups"


def operation_text(operation: DatabaseOperation) -> str:
    """``Update logical database 40 %``."""
    return operation.words if operation.percent is None else f"{operation.words} {operation.percent} %"


def _going_on(row: Database) -> tuple[DatabaseOperation, ...]:
    return tuple(operation for operation in row.operations if operation.going_on)


def _spark(metric: Metric | None, now: float) -> str:
    """The hour, the highest of each five minutes. Whole buckets, so that it is not redrawn every second."""
    if metric is None:
        return ""
    width = SPARK_SPAN / SPARK_CELLS
    until = (now // width + 1) * width
    samples = ((at, value) for at, value in metric.samples if value is not None)
    marks = [max(values, default=None) for values in buckets(samples, SPARK_CELLS, until=until, span=SPARK_SPAN)]
    return sparkline(marks, SPARK_CELLS, ceiling=100.0)


def _age(metric: Metric | None, now: float) -> str:
    """How old the newest value is, if that is worth telling."""
    at = next((at for at, value in reversed(metric.samples) if value is not None), None) if metric else None
    return ago(now - at) if at is not None and now - at > LATE else ""


def _level(metric: Metric | None) -> str:
    last = metric.last if metric is not None else None
    if metric is None or last is None:
        return "dim"
    return "failing" if last >= FULL else "degraded" if last >= near_from(metric) else "healthy"


def _share(metric: Metric | None, now: float) -> Cell:
    """What was not measured is a dash, never zero; what was measured long ago is grey and says when."""
    if metric is None or metric.last is None:
        return Cell("–", "dim")
    age, level = _age(metric, now), _level(metric)
    text = percent(metric.last / 100)
    return Cell(text, "dim", f"{age} ago") if age else Cell(text, "text" if level == "healthy" else level)


def _disk(row: Database) -> Cell:
    metric = row.metric("storage_percent")
    if metric is None or metric.last is None:
        return Cell("–", "dim")
    level = _level(metric)
    return Cell(percent(metric.last / 100), "text" if level == "healthy" else level)


def _remark(row: Database, style: str) -> Cell:
    """What is being done to it, then what is near a limit, then what could not be read of it."""
    under_way = ", ".join(map(operation_text, _going_on(row)))
    near = ", ".join(row.near)
    if under_way:
        return Cell(plain(under_way, 200), "accent", plain(near, 200), style)
    if near:
        return Cell(plain(near, 200), style if row.health < Health.HEALTHY else "text")
    return Cell(plain(row.unseen[0], 200), "dim") if row.unseen else EMPTY
