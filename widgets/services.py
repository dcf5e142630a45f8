"""Does it answer: the health endpoints, the workloads that are not fully ready, and those that are scaled to 0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from probes.freshness import Snapshot
from probes.rows import Endpoint, Health, Workload
from widgets.bars import buckets, latency, sparkline
from widgets.columns import EMPTY, Cell, Column
from widgets.events import SHORT_KINDS
from widgets.nodes import STYLES
from widgets.plain import ago, plain
from widgets.table import TablePane
from widgets.table_rows import Placed, Sort
from widgets.table_standing import remark

Service = Endpoint | Workload

SPARK_CELLS = 15
SPARK_SPAN = 30 * 60.0  # seconds
TLS_WARNING = 14 * 86400.0  # seconds before a certificate ends
_CALM = 1000.0  # ms; a quick endpoint's jitter is not drawn as mountains


class ServicesPane(TablePane[Service]):
    """Endpoints, and workloads short of what they should be; sick first, what has no pods at all last and quiet: there
    is no other row from which it could be scaled up. Sources: ``endpoints`` and ``workloads``.
    """

    NAME = "Services"
    SOURCES = ("endpoints", "workloads")
    ROW_SOURCES = ("endpoints", "workloads")
    COLUMNS = (
        Column("", 1),
        Column("ENDPOINT / WORKLOAD", 18, grow=1, shrink=2),
        Column("READY", 5, 9, "right", drop=2),
        Column("STATUS", 24, 60, shrink=3),
        Column("LATENCY", 7, 8, "right"),
        Column("LAST 30 MIN", SPARK_CELLS, SPARK_CELLS, drop=3),
    )

    def merge(self, source: str, snapshot: Snapshot[Any], changed: Iterable[str]) -> None:
        puts: dict[str, Placed[Service]] = {}
        drops: list[str] = []
        for key in changed:
            row = snapshot.rows.get(key)
            if row is None or (isinstance(row, Workload) and _fine(row)):
                drops.append(key)
            else:
                puts[key] = Placed(self.order_of(row), row)
        self.put(puts, drops)

    def order_of(self, row: Service) -> Sort:
        sick = row.health < Health.HEALTHY
        return (row.health, isinstance(row, Workload), -(row.changed_at or 0.0) if sick else 0.0, row.name)

    def source_of(self, row: Service) -> str:
        return "workloads" if isinstance(row, Workload) else "endpoints"

    def varying(self, row: Service, now: float) -> object:
        since = "" if row.changed_at is None else ago(now - row.changed_at)
        if isinstance(row, Workload):
            return since
        return since, _tls(row, now), self._spark(row, now)

    def cells(self, row: Service, now: float) -> tuple[Cell, ...]:
        return _workload(row, now) if isinstance(row, Workload) else self._endpoint(row, now)

    def _endpoint(self, row: Endpoint, now: float) -> tuple[Cell, ...]:
        style = STYLES[row.health]
        sick = row.health < Health.HEALTHY
        if row.ok is None:
            status = Cell("checking …", "dim")
        else:
            since = f"for {ago(now - row.changed_at)}" if sick and row.changed_at is not None else ""
            word = str(row.status) if row.status is not None else "no answer"
            reason = plain(row.error or (row.excerpt if sick else ""), 200)
            detail = "  ".join(filter(None, (_tls(row, now), since, reason)))
            status = Cell(word, style, detail, "degraded" if _tls(row, now) else style)
        return (
            Cell("·" if row.ok is None else row.health.mark, "dim" if row.ok is None else style),
            Cell(plain(row.name or row.url), style if sick else "text", short="middle"),
            EMPTY,
            status,
            Cell("–", "dim") if row.latency_ms is None else Cell(latency(row.latency_ms), style if sick else "text"),
            Cell(self._spark(row, now), style),
        )

    def _spark(self, row: Endpoint, now: float) -> str:
        # Whole buckets, so that the line moves one mark every two minutes and is not redrawn every second.
        width = SPARK_SPAN / SPARK_CELLS
        until = (now // width + 1) * width
        sorted_in = buckets(row.history, SPARK_CELLS, until=until, span=SPARK_SPAN)
        peak = max((ms for ms in (max(values, default=0.0) for values in sorted_in)), default=0.0)
        ceiling = max(peak, _CALM)
        marks = [None if not values else ceiling if min(values) < 0 else max(values) for values in sorted_in]
        return sparkline(marks, SPARK_CELLS, ceiling=ceiling)

    def search_text(self, row: Service) -> str:
        if isinstance(row, Workload):
            return plain(f"{row.kind} {row.namespace} {row.name} {row.condition} {row.message}")
        return plain(f"{row.name} {row.url} {row.status or ''} {row.error}")

    def summary(self) -> str:
        endpoints, workloads = self.snapshot_of("endpoints"), self.snapshot_of("workloads")
        parts: list[str] = []
        if endpoints is not None and endpoints.rows:
            down = sum(1 for row in endpoints.rows.values() if row.ok is False)
            total = len(endpoints.rows)
            up = " up" if all(row.ok for row in endpoints.rows.values()) else ""  # one not asked yet may be down
            parts.append(f"{down} of {_many(total, 'endpoint')} down" if down else f"{_many(total, 'endpoint')}{up}")
        if workloads is not None and workloads.rows:
            listed = [placed.row for placed in self._placed.values() if isinstance(placed.row, Workload)]
            off = sum(1 for row in listed if _off(row))
            short, total = len(listed) - off, len(workloads.rows) - off
            parts.append(
                f"{short} of {_many(total, 'workload')} not ready" if short else f"{_many(total, 'workload')} ready"
            )
            parts += [f"{off} scaled to 0"] if off else []
        return ", ".join(parts)

    def remarks(self) -> tuple[str, ...]:
        return tuple(filter(None, (remark("workloads", self.freshness_of("workloads"), self.now),)))

    def empty_sentence(self) -> str:
        workloads = self.snapshot_of("workloads")
        if workloads is not None and workloads.rows:
            return "every workload is ready; no endpoint is configured"
        return " ".join(filter(None, ("no endpoint is configured, no workload", self.where)))


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _fine(row: Workload) -> bool:
    return row.health >= Health.HEALTHY and row.ready >= row.desired and not _off(row)


def _off(row: Workload) -> bool:
    """Whether somebody wants no pods of it; a DaemonSet that fits on no node is none of those."""
    return row.health is Health.DORMANT and row.kind != "DaemonSet"


def _tls(row: Endpoint, now: float) -> str:
    if row.tls_expires_at is None or row.tls_expires_at - now > TLS_WARNING:
        return ""
    left = row.tls_expires_at - now
    return f"TLS expires in {ago(left)}" if left > 0 else f"TLS expired {ago(-left)} ago"


def _workload(row: Workload, now: float) -> tuple[Cell, ...]:
    style = STYLES[row.health]
    kind = SHORT_KINDS.get(row.kind, row.kind.lower())
    since = "" if row.changed_at is None else f"for {ago(now - row.changed_at)}"
    return (
        Cell(row.health.mark, style),
        Cell(plain(f"{kind}/{row.name}"), style, short="middle"),
        Cell(f"{row.ready}/{row.desired}", style),
        Cell(
            "scaled to 0" if _off(row) else plain(row.condition or "not ready"),
            style,
            plain("  ".join(filter(None, (since, row.message)))),
            "dim",
        ),
        EMPTY,
        EMPTY,
    )
