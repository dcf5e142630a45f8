"""The disruption controller: how many pods of a PodDisruptionBudget may go right now (pkg/controller/disruption)."""

from __future__ import annotations

from typing import Any, Final

from drill import pods
from drill.evictions import BUDGET
from drill.kinds import Kind
from drill.label_selector import selects
from drill.owners import controller_of
from drill.replicasets import counts_differently
from drill.rolling import resolve
from drill.world import DEPLOYMENT, POD, REPLICA_SET, STATEFUL_SET, WorkQueue, World

Json = dict[str, Any]
Key = tuple[str, str]

_FORGET: Final = 120.0  # seconds after which a pod that was to be evicted and is still there counts again
_SCALED: Final = {kind.kind: kind for kind in (DEPLOYMENT, REPLICA_SET, STATEFUL_SET)}


class Disruptions:
    """Keeps the status of every budget."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: WorkQueue[Key] = WorkQueue(world.clock, self._reconcile)

    def observe_budget(self, change: str, kind: Kind, budget: Json, old: Json | None) -> None:
        if change != "DELETED" and (old is None or budget["spec"] != old["spec"]):
            self._queue.add((budget["metadata"]["namespace"], budget["metadata"]["name"]))

    def observe_pod(self, change: str, kind: Kind, pod: Json, old: Json | None) -> None:
        if change == "MODIFIED" and old is not None and not counts_differently(pod, old):
            return
        namespace = pod["metadata"]["namespace"]
        for budget in self._world.store.list(BUDGET, namespace):
            selector = budget["spec"].get("selector")
            if selects(selector, pods.labels(pod)) or (old is not None and selects(selector, pods.labels(old))):
                self._queue.add((namespace, budget["metadata"]["name"]))

    def _reconcile(self, key: Key) -> None:
        world = self._world
        budget = world.store.get(BUDGET, *key)
        if budget is None:
            return
        spec, before = budget["spec"], budget.get("status") or {}
        concerned = [pod for pod in world.store.list(POD, key[0]) if selects(spec.get("selector"), pods.labels(pod))]
        leaving = self._leaving(before, concerned)
        healthy = sum(
            pods.is_ready(pod) and not pods.is_terminating(pod) and pod["metadata"]["name"] not in leaving
            for pod in concerned
        )
        expected, desired = self._wanted(spec, concerned)
        allowed = max(0, healthy - desired) if expected else 0
        status: Json = {
            "observedGeneration": budget["metadata"].get("generation", 1),
            **({"disruptedPods": leaving} if leaving else {}),
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        }
        status["conditions"] = [self._condition(before, allowed, status["observedGeneration"])]
        world.set_status(BUDGET, budget, status)
        if leaving:
            self._queue.add_after(key, _FORGET)

    def _leaving(self, before: Json, concerned: list[Json]) -> Json:
        """The pods whose eviction was let through and whose end is not seen yet."""
        clock = self._world.clock
        there = {pod["metadata"]["name"] for pod in concerned if not pods.is_terminating(pod)}
        return {
            name: since
            for name, since in (before.get("disruptedPods") or {}).items()
            if name in there and clock.now - clock.world(since) < _FORGET
        }

    def _wanted(self, spec: Json, concerned: list[Json]) -> tuple[int, int]:
        """(expected pods, healthy ones that there must be), by ``minAvailable`` or ``maxUnavailable``."""
        least = spec.get("minAvailable")
        if isinstance(least, int):
            return len(concerned), least
        expected = self._scale(concerned)
        if least is not None:
            return expected, resolve(least, expected, up=True)
        return expected, max(0, expected - resolve(spec.get("maxUnavailable", 1), expected, up=True))

    def _scale(self, concerned: list[Json]) -> int:
        """How many pods their controllers want in all; a pod without one counts for nothing."""
        sizes: dict[str, int] = {}
        for pod in concerned:
            owner: Json | None = pod
            namespace = pod["metadata"]["namespace"]
            while owner is not None:
                reference = controller_of(owner)
                kind = _SCALED.get(reference["kind"]) if reference is not None else None
                above = self._world.store.get(kind, namespace, reference["name"]) if reference and kind else None
                if above is None and owner is not pod:
                    sizes[owner["metadata"]["uid"]] = owner["spec"].get("replicas", 1)
                owner = above
        return sum(sizes.values())

    def _condition(self, before: Json, allowed: int, generation: int) -> Json:
        truth = "True" if allowed else "False"
        past = next(iter(before.get("conditions") or ()), None)
        same = past is not None and past["status"] == truth
        return {
            "type": "DisruptionAllowed",
            "status": truth,
            "observedGeneration": generation,
            "lastTransitionTime": past["lastTransitionTime"] if same and past else self._world.clock.stamp(),
            "reason": "SufficientPods" if allowed else "InsufficientPods",
            "message": "",
        }
