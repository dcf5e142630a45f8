"""What the diagnosis knows of the world, kept up to date by what changed, so that 5,000 pods cost no more than that.

`Sightings.look` takes the newest snapshots. Told which keys changed, it looks at those; otherwise at every row that is
another object than before: probes keep the row of what did not change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from probes.freshness import Snapshot, State
from probes.rows import Commit, Endpoint, Event, Health, Node, Pod, Release, Workload
from runbook.diagnosis.warnings import Warnings, of_database

if TYPE_CHECKING:
    from probes.azure.rows import Activity, Database

NOTHING: Mapping[str, Collection[str]] = MappingProxyType({})

WorkKey = tuple[str, str, str]  # namespace, kind, name

CHANGE_REASONS = frozenset(
    {
        "ScalingReplicaSet",  # deployment controller: a rollout, or another number of replicas
        "SuccessfulRescale",  # horizontal pod autoscaler
        "NodeNotReady",
        "NodeReady",
        "NodeNotSchedulable",  # cordoned
        "NodeSchedulable",
        "RegisteredNode",
        "RemovingNode",
        "DeletingNode",
        "Rebooted",
        "NodeHasDiskPressure",
        "NodeHasInsufficientMemory",
        "NodeHasInsufficientPID",
    }
)
"""Reasons of events that tell of a change and not of its consequences."""

DYING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
"""Kinds whose pods are replaced when they end; a pod of theirs that ended for good is no replica any more."""


class Illness(Struct, frozen=True, kw_only=True):
    """One workload (or lone pod) that is ill. ``words`` are kubectl's of its sick pods, the most frequent first."""

    key: WorkKey
    sick: int
    total: int
    ready: int
    words: tuple[tuple[str, int], ...]
    since: float | None
    failing: bool
    pending: int  # of the sick, those that never started
    crashing: int  # of the sick, those that started and failed
    restarts: int
    exit_code: int | None
    message: str  # what a container said when it ended, else what its rollout says
    database: bool  # whether that message is about a database
    nodes: frozenset[str]
    pod: str  # key of its sickest pod; empty when it has none
    row: Workload | None

    @property
    def name(self) -> str:
        return self.key[2]

    @property
    def dead(self) -> bool:
        """Nothing of it can answer."""
        return self.row is not None and self.row.desired > 0 and self.row.available == 0


class Sightings:
    """The rows that matter, by what they are about."""

    def __init__(self) -> None:
        self.snapshots: Mapping[str, Snapshot[Any]] = {}
        self.illnesses: dict[WorkKey, Illness] = {}
        self.warnings = Warnings()
        self.changes: dict[str, Event] = {}
        self.operations: dict[str, Activity] = {}  # Azure's, those that may be the cause of something
        self._newest: tuple[Activity, ...] | None = None
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._sick: dict[WorkKey, dict[str, Pod]] = {}
        self._counted: Counter[WorkKey] = Counter()
        self._workloads: dict[WorkKey, Workload] = {}
        self._touched: set[WorkKey] = set()

    def look(self, latest: Mapping[str, Snapshot[Any]], changed: Mapping[str, Collection[str]] = NOTHING) -> None:
        """Take over the newest snapshot of each source. A source that is not among them was never heard of.

        ``changed``: of a source, every key whose row changed since the last look; a source that is left out may have
        changed anywhere.
        """
        self.snapshots = latest
        self._take("pods", self._pod, changed.get("pods"))
        self._take("workloads", self._workload, changed.get("workloads"))
        self._take("events", self._event, changed.get("events"))
        self._take("activity", self._operation, changed.get("activity"))
        self.warnings.settle()
        touched, self._touched = self._touched, set()
        for key in touched:
            found = self._examine(key)
            if found is None:
                self.illnesses.pop(key, None)
            else:
                self.illnesses[key] = found

    # ------------------------------------------------------------------ asked

    def rows(self, source: str) -> Mapping[str, Any]:
        snapshot = self.snapshots.get(source)
        return snapshot.rows if snapshot is not None else {}

    def live(self, source: str) -> bool:
        snapshot = self.snapshots.get(source)
        return snapshot is not None and snapshot.freshness.live

    def as_of(self, source: str) -> float | None:
        """When a stale source was last right; None while it is live."""
        snapshot = self.snapshots.get(source)
        if snapshot is None or snapshot.freshness.live:
            return None
        freshness = snapshot.freshness
        return freshness.since if freshness.confirmed is None else freshness.confirmed

    def seen(self, source: str) -> bool:
        """Whether a source's rows are, or once were, what is."""
        snapshot = self.snapshots.get(source)
        return snapshot is not None and snapshot.freshness.state in (State.LIVE, State.STALE)

    @property
    def nodes(self) -> Iterable[Node]:
        return self.rows("nodes").values()

    @property
    def endpoints(self) -> Iterable[Endpoint]:
        return self.rows("endpoints").values()

    @property
    def releases(self) -> Iterable[Release]:
        return self.rows("releases").values()

    @property
    def commits(self) -> Iterable[Commit]:
        return self.rows("commits").values()

    @property
    def databases(self) -> Iterable[Database]:
        return self.rows("databases").values()

    @property
    def newest_operations(self) -> tuple[Activity, ...]:
        """Azure's operations that may be the cause of something, the newest first."""
        if self._newest is None:
            self._newest = tuple(sorted(self.operations.values(), key=lambda row: (-row.at, row.key)))
        return self._newest

    @property
    def lost_pods(self) -> int:
        """How many have long been told to go and cannot, as on a node that is gone."""
        return sum(pod.deleting_since is not None for sick in self._sick.values() for pod in sick.values())

    @property
    def has_workloads(self) -> bool:
        """Whether anything is meant to run."""
        return any(row.desired > 0 for row in self._workloads.values())

    def workload(self, key: WorkKey) -> Workload | None:
        return self._workloads.get(key)

    # ------------------------------------------------------------------ what changed

    def _take(self, source: str, each: Callable[[str, Any, Any], None], changed: Collection[str] | None) -> None:
        before, now = self._rows.get(source, {}), self.rows(source)
        if before is now:
            return
        self._rows[source] = now
        if changed is not None:
            for key in changed:
                old, new = before.get(key), now.get(key)
                if old is not new:
                    each(key, old, new)
            return
        for key, row in now.items():
            old = before.get(key)
            if old is not row:
                each(key, old, row)
        if len(before) != len(now) or before.keys() != now.keys():
            for key in before.keys() - now.keys():
                each(key, before[key], None)

    def _pod(self, uid: str, old: Pod | None, new: Pod | None) -> None:
        if old is not None:
            key = workload_key(old)
            if _counts(old):
                self._counted[key] -= 1
                if not self._counted[key]:
                    del self._counted[key]
            if (sick := self._sick.get(key)) is not None and sick.pop(uid, None) is not None:
                if not sick:
                    del self._sick[key]
                self._touched.add(key)
            elif key in self.illnesses:
                self._touched.add(key)
        if new is not None:
            key = workload_key(new)
            counts = _counts(new)
            if counts:
                self._counted[key] += 1
            if counts and new.health <= Health.DEGRADED:
                self._sick.setdefault(key, {})[uid] = new
                self._touched.add(key)
            elif key in self.illnesses:
                self._touched.add(key)

    def _workload(self, uid: str, old: Workload | None, new: Workload | None) -> None:
        for row in (old, new):
            if row is not None:
                key = (row.namespace, row.kind, row.name)
                self._touched.add(key)
                held = self._workloads.get(key)
                if row is new:
                    self._workloads[key] = row
                elif held is not None and held.uid == uid:
                    del self._workloads[key]

    def _event(self, uid: str, old: Event | None, new: Event | None) -> None:
        self.warnings.drop(uid)
        self.changes.pop(uid, None)
        if new is not None:
            if new.reason in CHANGE_REASONS and new.kind != "Pod":  # "Node is not ready" of each of its pods is none
                self.changes[uid] = new
            elif new.type == "Warning":
                self.warnings.put(uid, new)

    def _operation(self, key: str, old: Activity | None, new: Activity | None) -> None:
        from runbook.diagnosis.azure_changes import counts

        self._newest = None
        self.operations.pop(key, None)
        if new is not None and counts(new):
            self.operations[key] = new

    def _examine(self, key: WorkKey) -> Illness | None:
        sick = list(self._sick.get(key, {}).values())
        row = self._workloads.get(key)
        short = row is not None and row.health <= Health.DEGRADED
        if row is not None and not short:  # what a lost node cannot let go of has others instead
            sick = [pod for pod in sick if pod.deleting_since is None]
        if not sick and not short:
            return None
        counted = self._counted[key]
        sick.sort(key=lambda pod: (pod.health, pod.name, pod.uid))
        words = Counter("Unready" if pod.status == "Running" else pod.status for pod in sick)
        began = [pod.unready_since or pod.created_at for pod in sick]
        since = min(began) if began else row.changed_at if row is not None else None
        total = max(row.desired if row is not None else counted, len(sick))
        message = next((text for pod in sick if (text := _said(pod))), row.message if row is not None else "")
        return Illness(
            key=key,
            sick=len(sick),
            total=total,
            ready=row.ready if row is not None else max(counted - len(sick), 0),
            words=tuple(sorted(words.items(), key=lambda item: (-item[1], item[0]))),
            since=since,
            failing=any(pod.health is Health.FAILING for pod in sick)
            or (row is not None and row.condition in ("ProgressDeadlineExceeded", "ReplicaFailure")),
            pending=sum(1 for pod in sick if pod.phase == "Pending"),
            crashing=sum(1 for pod in sick if pod.health is Health.FAILING and pod.phase != "Pending"),
            restarts=sum(pod.restarts for pod in sick),
            exit_code=next((code for pod in sick if (code := _exit_code(pod))), None),
            message=message,
            database=of_database(message),
            nodes=frozenset(pod.node for pod in sick if pod.node),
            pod=sick[0].uid if sick else "",
            row=row,
        )


def workload_key(pod: Pod) -> WorkKey:
    """The workload a pod belongs to; the pod itself when nobody owns it (a static pod's node is none)."""
    if pod.owner is None or pod.owner.kind == "Node":
        return pod.namespace, "Pod", pod.name
    return pod.namespace, pod.owner.kind, pod.owner.name


def _counts(pod: Pod) -> bool:
    """Whether it is a replica now: not finished, not leaving, not ended for good and replaced."""
    if pod.health is Health.DORMANT:
        return False
    replaced = pod.owner is not None and pod.owner.kind in DYING and pod.phase in ("Succeeded", "Failed")
    return not replaced and (pod.deleting_since is None or pod.health <= Health.DEGRADED)


def _exit_code(pod: Pod) -> int | None:
    for container in pod.containers:
        code = container.exit_code if container.exit_code is not None else container.last_exit_code
        if not container.ready and code:
            return code
    return None


def _said(pod: Pod) -> str:
    """What a container said when it ended; the kubelet's own "back-off …" says nothing of the cause."""
    texts = (*(container.message for container in pod.containers), pod.message)
    return next((text for text in texts if text and not text.startswith("back-off ")), "")
