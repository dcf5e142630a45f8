"""Pods gathered by the workload they belong to, kept up to date pod by pod."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import NamedTuple

from probes.rows import Health, Pod
from widgets.table_rows import Placed, Sort

Pods = Mapping[str, Pod]
_SICK = Health.HEALTHY  # everything below it
_DORMANT = Health.DORMANT


class PodRow:
    """One pod on the screen. ``group`` is the key of its workload's line; empty for a pod that nobody owns."""

    __slots__ = ("group", "pod")

    def __init__(self, pod: Pod, group: str) -> None:
        self.pod = pod
        self.group = group

    @property
    def kind(self) -> str:
        return "Pod"

    @property
    def namespace(self) -> str:
        return self.pod.namespace

    @property
    def name(self) -> str:
        return self.pod.name

    @property
    def pods(self) -> tuple[Pod, ...]:
        return (self.pod,)

    @property
    def health(self) -> Health:
        return self.pod.health


class WorkloadGroup(NamedTuple):
    """A workload's line: its pods and what they come to. ``kind`` is the owner's: Deployment, StatefulSet, Job …"""

    key: str
    kind: str
    namespace: str
    name: str
    pods: tuple[Pod, ...]
    health: Health
    ready: int
    wanted: int
    restarts: int
    created_at: float  # of the oldest pod
    trouble_at: float  # when the newest trouble began; 0 when there is none
    reasons: tuple[tuple[str, int], ...]  # the status words of the sick pods, the most frequent first
    words: tuple[str, ...]  # the status words of all, when none is sick
    node: str  # the node they all run on, or empty


class Change(NamedTuple):
    """What a few changed pods mean for the lines of the table."""

    puts: dict[str, Placed[PodRow | WorkloadGroup]]
    drops: set[str]


class PodGroups:
    """The groups of all pods. `update` costs in proportion to what changed, not to what there is."""

    def __init__(self) -> None:
        self._pods: dict[str, PodRow] = {}
        self._members: dict[str, dict[str, PodRow]] = {}
        self._sorts: dict[str, Sort] = {}
        self._names: dict[str, tuple[str, str, str]] = {}
        self.namespaces: dict[str, int] = {}  # how many pods are in each
        self.health = [0] * len(Health)  # how many pods are of each

    def __len__(self) -> int:
        return len(self._pods)

    def members(self, group: str) -> Iterable[tuple[str, PodRow]]:
        return self._members.get(group, {}).items()

    def update(self, pods: Pods, changed: Iterable[str]) -> Change:
        """Works the changed keys in; a key that is not in ``pods`` is gone."""
        puts: dict[str, Placed[PodRow | WorkloadGroup]] = {}
        drops: set[str] = set()
        touched: dict[str, set[str]] = {}
        rows, members = self._pods, self._members
        for key in changed:
            before = rows.pop(key, None)
            if before is not None:
                self._count(before.pod, -1)
                if before.group:
                    members[before.group].pop(key, None)
                    if before.group not in touched:
                        touched[before.group] = set()
            pod = pods.get(key)
            if pod is None:
                drops.add(key)
                continue
            group = group_key(pod)
            row = rows[key] = PodRow(pod, group)
            self._count(pod, 1)
            if not group:
                puts[key] = Placed((*_lone(pod), 1, 0, ""), row)
                continue
            of_group = members.get(group)
            if of_group is None:
                of_group = members[group] = {}
            of_group[key] = row
            fresh = touched.get(group)
            if fresh is None:
                fresh = touched[group] = set()
            fresh.add(key)
        for group, fresh in touched.items():
            self._regroup(group, fresh, puts, drops)
        return Change(puts, drops)

    def _regroup(
        self, group: str, fresh: set[str], puts: dict[str, Placed[PodRow | WorkloadGroup]], drops: set[str]
    ) -> None:
        members = self._members[group]
        if not members:
            del self._members[group]
            self._sorts.pop(group, None)
            drops.add(group)
            return
        line = summarise(group, [row.pod for row in members.values()])
        sort = (line.health, -line.trouble_at, line.namespace, line.name, line.kind)
        if self._sorts.get(group) != sort:
            self._sorts[group] = sort
            fresh = set(members)  # they stand under their workload, wherever it goes
        puts[group] = Placed((*sort, 0, 0, ""), line)
        for key in fresh:
            row = members[key]
            puts[key] = Placed((*sort, 1, row.pod.health, row.pod.name), row)

    def _count(self, pod: Pod, by: int) -> None:
        self.health[pod.health] += by
        left = self.namespaces.get(pod.namespace, 0) + by
        if left:
            self.namespaces[pod.namespace] = left
        else:
            del self.namespaces[pod.namespace]


def group_key(pod: Pod) -> str:
    """The key of the workload's line; empty when no workload owns the pod (a static pod's node is none)."""
    owner = pod.owner
    if owner is None or owner.kind == "Node":
        return ""
    return f"workload:{pod.namespace}/{owner.kind}/{owner.name}"


def _lone(pod: Pod) -> Sort:
    return (pod.health, -_trouble_at(pod), pod.namespace, pod.name, "Pod")


def _trouble_at(pod: Pod) -> float:
    if pod.health >= _SICK:
        return 0.0
    return pod.unready_since or pod.deleting_since or pod.restarted_at or pod.created_at


def summarise(key: str, pods: list[Pod]) -> WorkloadGroup:
    """The line of a workload with at least one pod. Finished pods count only when there are no others.

    READY is that of the pods that are to stay: one that is being deleted, on a node that is silent for hours perhaps,
    is no replica any more (kube-controller-manager's ``FilterActivePods``), though it may well be trouble.
    """
    active = [pod for pod in pods if pod.health is not _DORMANT] or pods
    staying = [pod for pod in active if pod.deleting_since is None] or active
    sick = [pod for pod in active if pod.health < _SICK]
    first = pods[0]
    assert first.owner is not None
    nodes = {pod.node for pod in active}
    return WorkloadGroup(
        key=key,
        kind=first.owner.kind,
        namespace=first.namespace,
        name=first.owner.name,
        pods=tuple(sorted(pods, key=_by_name)),
        health=min([pod.health for pod in active]),
        ready=len([1 for pod in staying if 0 < pod.total <= pod.ready and pod.unready_since is None]),
        wanted=len(staying),
        restarts=sum([pod.restarts for pod in pods]),
        created_at=min([pod.created_at for pod in pods]),
        trouble_at=max(map(_trouble_at, sick), default=0.0),
        reasons=tuple(Counter(map(status_word, sick)).most_common()) if sick else (),
        words=tuple(sorted({pod.status for pod in active})),
        node=next(iter(nodes)) if len(nodes) == 1 else "",
    )


_by_name = attrgetter("name")


def status_word(pod: Pod) -> str:
    """kubectl's word, except that a pod that runs and is not ready is called what it is."""
    return "Unready" if pod.status == "Running" and pod.health < _SICK else pod.status
