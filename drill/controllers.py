"""The control plane behind the API server: every controller, wired to the store's changes."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from drill.clock import Clock
from drill.daemonsets import DaemonSets
from drill.deployments import Deployments
from drill.disruptions import Disruptions
from drill.endpoints import EndpointsController
from drill.evictions import BUDGET
from drill.garbage import Garbage
from drill.kinds import Kind
from drill.kubelet import Kubelets
from drill.machines import STOPPED, Machines
from drill.namespaces import Namespaces
from drill.nodes import Nodes
from drill.owners import Owners
from drill.recorder import Recorder
from drill.replicasets import ReplicaSets
from drill.scheduler import Scheduler
from drill.statefulsets import StatefulSets
from drill.store import ObjectStore
from drill.world import (
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    NAMESPACE,
    NODE,
    POD,
    REPLICA_SET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    World,
)

Json = dict[str, Any]
Observer = Callable[[str, Kind, Json, Json | None], None]


class ControlPlane:
    """All controllers, the scheduler and the kubelets of one world.

    ``born`` is the instant at which somebody may look; events that would have expired by then are never written.
    ``seed`` decides names, nodes and jitter: the same seed makes the same cluster.
    """

    def __init__(self, store: ObjectStore, clock: Clock, *, born: float | None = None, seed: int = 7) -> None:
        events = Recorder(store, clock, born=clock.now if born is None else born)
        self.world = World(store, clock, random.Random(seed), events, Owners(store))  # noqa: S311 (no secret hangs on it)
        self.kubelets = Kubelets(self.world)
        self.scheduler = Scheduler(self.world)
        self.nodes = Nodes(self.world, self.kubelets)
        self.machines = Machines(self.world, self.nodes, self.kubelets)
        self.deployments = Deployments(self.world)
        replica_sets = ReplicaSets(self.world)
        stateful_sets = StatefulSets(self.world)
        daemon_sets = DaemonSets(self.world, self.scheduler)
        endpoints = EndpointsController(self.world)
        disruptions = Disruptions(self.world)
        garbage = Garbage(self.world)
        namespaces = Namespaces(self.world)
        self._everything: tuple[Observer, ...] = (self.world.owned.observe, garbage.observe)
        self._by_kind: defaultdict[Kind, tuple[Observer, ...]] = defaultdict(tuple)
        self._by_kind |= {
            DEPLOYMENT: (self.deployments.observe_deployment,),
            REPLICA_SET: (replica_sets.observe_set, self.deployments.observe_set),
            STATEFUL_SET: (stateful_sets.observe_set,),
            DAEMON_SET: (daemon_sets.observe_set,),
            SERVICE: (endpoints.observe_service,),
            BUDGET: (disruptions.observe_budget,),
            NAMESPACE: (namespaces.observe_namespace,),
            CONFIG_MAP: (namespaces.observe_furniture,),
            SERVICE_ACCOUNT: (namespaces.observe_furniture,),
            NODE: (self.nodes.observe_node, self.scheduler.observe_node, daemon_sets.observe_node),
            POD: (
                self.scheduler.observe_pod,
                self.kubelets.observe_pod,
                replica_sets.observe_pod,
                self.deployments.observe_pod,
                stateful_sets.observe_pod,
                daemon_sets.observe_pod,
                endpoints.observe_pod,
                disruptions.observe_pod,
            ),
        }
        self._unsubscribe = store.subscribe(self._observe)

    def befall(self, node: str, fate: str) -> None:
        """Give a node a fate of a scenario's script; ``""`` ends it."""
        if fate == STOPPED:
            self.machines.stop(node)
        elif not fate and not self.machines.answers(node):
            self.machines.start(node)
        else:
            self.nodes.afflict(node, fate)

    def stop(self) -> None:
        """Take no more notice of the store."""
        self._unsubscribe()

    def _observe(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        for observe in self._everything:
            observe(change, kind, obj, old)
        for observe in self._by_kind[kind]:
            observe(change, kind, obj, old)
