"""The pods, under the workloads they belong to: a sick pod is a line, healthy ones are folded into their workload's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from probes.freshness import Snapshot
from probes.rows import Container, Health, Pod, Usage
from widgets.bars import cores, size
from widgets.columns import Cell, Column
from widgets.nodes import STYLES
from widgets.plain import ago, plain
from widgets.pod_groups import PodGroups, PodRow, WorkloadGroup, status_word
from widgets.table import TablePane

Line = PodRow | WorkloadGroup

_NAMESPACE = Column("NAMESPACE", 10, 24, drop=6, shrink=5)
_COLUMNS = (
    Column("", 1),
    Column("WORKLOAD / POD", 20, None, grow=1, shrink=1),
    Column("READY", 5, 7, "right"),
    Column("STATUS", 24, 44, shrink=6),  # CrashLoopBackOff  exit 1
    Column("RESTARTS", 4, 8, "right", drop=3, shrink=2, brief="RST"),
    Column("CPU", 5, 5, "right", drop=4),
    Column("MEM", 6, 6, "right", drop=4),
    Column("NODE", 18, 32, drop=7, shrink=4),
    Column("AGE", 3, 6, "right"),
)
_COLUMNS_WITH_NAMESPACE = (*_COLUMNS[:2], _NAMESPACE, *_COLUMNS[2:])


class PodsPane(TablePane[Line]):
    """Workloads and their pods, sick first, then the newest trouble. Sources: ``pods`` and ``usage``.

    `selected_row` is a `PodRow` or a `WorkloadGroup`; both have ``kind``, ``namespace``, ``name`` and ``pods``. A
    pod's key is its UID, a workload's ``workload:NAMESPACE/KIND/NAME``.
    """

    NAME = "Pods"
    SOURCES = ("pods", "usage")
    ROW_SOURCES = ("pods",)
    REMARKED: ClassVar[Mapping[str, str]] = {"usage": "metrics"}

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "fold", "fold", id="pods.fold", tooltip="Show or fold all pods of this workload"),
        Binding("right", "unfold(True)", "unfold", id="pods.unfold", show=False, tooltip="Show all its pods"),
        Binding("left", "unfold(False)", "fold", id="pods.close", show=False, tooltip="Fold its pods away"),
    ]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._groups = PodGroups()
        self._unfolded: dict[str, bool] = {}  # by what the person said; without it, only sick pods are shown

    # -- rows ----------------------------------------------------------------------------------------------------

    def merge(self, source: str, snapshot: Snapshot[Any], changed: Iterable[str]) -> None:
        if source != "pods":
            return  # usage is looked up when a line is drawn
        puts, drops = self._groups.update(snapshot.rows, changed)
        self.put(puts, drops)

    def admits(self, key: str, row: Line) -> bool:
        if isinstance(row, WorkloadGroup):
            return super().admits(key, row) or any(
                super(PodsPane, self).admits(uid, pod) for uid, pod in self._groups.members(key)
            )
        if self.filter_text:
            return super().admits(key, row)
        return not row.group or self._unfolded.get(row.group, row.health < Health.HEALTHY)

    def search_text(self, row: Line) -> str:
        if isinstance(row, WorkloadGroup):
            words = [row.kind, row.namespace, row.name, *row.words]
            return plain(" ".join([*words, *(f"{count} × {word}" for word, count in row.reasons)]))
        pod = row.pod
        owner = "" if pod.owner is None else pod.owner.name
        return plain(
            f"{pod.namespace} {pod.name} {owner} {pod.status} {status_word(pod)} {_detail(pod, None)} {pod.node}"
        )

    # -- cells ---------------------------------------------------------------------------------------------------

    def columns(self) -> tuple[Column, ...]:
        return _COLUMNS_WITH_NAMESPACE if len(self._groups.namespaces) > 1 else _COLUMNS

    def varying(self, row: Line, now: float) -> object:
        since = None if isinstance(row, WorkloadGroup) else row.pod.unready_since
        unready = "" if since is None else ago(now - since)
        metrics = self.freshness_of("usage").live
        return _age(row, now), unready, self._usage(row), metrics, self._opened(row), len(self._groups.namespaces) > 1

    def cells(self, row: Line, now: float) -> tuple[Cell, ...]:
        cells = self._workload(row, now) if isinstance(row, WorkloadGroup) else self._pod(row, now)
        if len(self._groups.namespaces) > 1:
            return (*cells[:2], Cell(plain(row.namespace), "dim", short="middle"), *cells[2:])
        return cells

    def _workload(self, row: WorkloadGroup, now: float) -> tuple[Cell, ...]:
        style = STYLES[row.health]
        sick = row.health < Health.HEALTHY
        if row.reasons:
            (word, count), *others = row.reasons
            detail = "  ".join(f"{more} × {other}" for other, more in others)
            status = Cell(plain(f"{count} × {word}"), style, plain(detail), style)
        else:
            status = Cell(plain(", ".join(row.words)), style)
        name = Cell(
            plain(row.name), style if sick else "text" if row.health is Health.HEALTHY else "dim", short="middle"
        )
        opened = self._opened(row)
        return (
            Cell(row.health.mark, style),
            name._replace(tail="" if opened is None else "▾" if opened else "▸"),
            Cell(f"{row.ready}/{row.wanted}", style),
            status,
            _restarts(row.restarts, sick),
            *self._used(row),
            Cell(plain(row.node), "dim", short="middle"),
            Cell(_age(row, now), "dim"),
        )

    def _pod(self, row: PodRow, now: float) -> tuple[Cell, ...]:
        pod = row.pod
        style = STYLES[pod.health]
        sick = pod.health < Health.HEALTHY
        indent = "  " if row.group else ""
        return (
            Cell(pod.health.mark, style),
            Cell(indent + plain(pod.name), style if sick else "text" if not row.group else "dim", short="middle"),
            Cell(f"{pod.ready}/{pod.total}", style),
            Cell(plain(pod.status), style, plain(_detail(pod, now)) if sick else "", style),
            _restarts(pod.restarts, sick),
            *self._used(row),
            Cell(plain(pod.node), "dim", short="middle"),
            Cell(_age(row, now), "dim"),
        )

    def _opened(self, row: Line) -> bool | None:
        """What the person said about a workload's pods; None if nothing."""
        return self._unfolded.get(row.key) if isinstance(row, WorkloadGroup) else None

    def _usage(self, row: Line) -> tuple[float, int] | None:
        """Cores and bytes of all the row's pods that were measured."""
        snapshot = self.snapshot_of("usage")
        if snapshot is None:
            return None
        found = [snapshot.rows.get(f"{pod.namespace}/{pod.name}") for pod in row.pods]
        known = [usage for usage in found if isinstance(usage, Usage)]
        return (sum(usage.cpu for usage in known), sum(usage.memory for usage in known)) if known else None

    def _used(self, row: Line) -> tuple[Cell, Cell]:
        used = self._usage(row)
        if used is None:
            return Cell("–", "dim"), Cell("–", "dim")
        style = "dim" if row.health is Health.DORMANT or not self.freshness_of("usage").live else "text"
        return Cell(cores(used[0]), style), Cell(size(used[1]), style)

    # -- what is said and done -----------------------------------------------------------------------------------

    def summary(self) -> str:
        if self.snapshot is None:
            return ""
        health = self._groups.health
        sick = health[Health.FAILING] + health[Health.DEGRADED]
        total = sick + health[Health.HEALTHY]
        return f"{sick} of {total} unhealthy" if sick else f"{total} healthy" if total else ""

    def action_fold(self) -> None:
        group = self._group()
        if group is not None:
            self.action_unfold(not self._unfolded.get(group, False))

    def action_unfold(self, opened: bool) -> None:
        """Shows all pods of the workload under the cursor, or none."""
        group = self._group()
        if group is None:
            return
        if not opened and self.selected_key != group:
            self.viewport.move_to(self.viewport.rows.index(group) or 0)
        self._unfolded[group] = opened
        self.reselect()
        self.settle()

    def _group(self) -> str | None:
        row = self.selected_row
        if row is None:
            return None
        return row.key if isinstance(row, WorkloadGroup) else row.group or None


def _age(row: Line, now: float) -> str:
    return ago(now - (row.created_at if isinstance(row, WorkloadGroup) else row.pod.created_at))


def _restarts(count: int, sick: bool) -> Cell:
    return Cell(str(count), "failing" if sick and count else "dim" if not count else "text")


def _detail(pod: Pod, now: float | None) -> str:
    """Why a pod is sick, in a few words: how it ended, for how long it is not ready, or what the cluster says."""
    if pod.status == "Running":
        since = pod.unready_since
        return "not ready" if since is None or now is None else f"not ready {ago(now - since)}"
    for container in pod.containers:
        if not container.ready and _exit_code(container):
            reason = container.last_reason if container.last_reason not in ("", "Error", pod.status) else ""
            return " ".join(filter(None, (reason, f"exit {_exit_code(container)}")))
    return pod.message


def _exit_code(container: Container) -> int | None:
    return container.last_exit_code if container.exit_code is None else container.exit_code
