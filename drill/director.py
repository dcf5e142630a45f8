"""Plays a scenario on a world: builds the cluster, lives through the past, leaves the rest to time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from drill import chart, kinds, pods, stored_form
from drill.chart import Chart
from drill.controllers import ControlPlane
from drill.kinds import Kind
from drill.nodes import conditions
from drill.revisions import Revisions
from drill.scenario import Node, Scenario, seconds
from drill.script import NodeFate, PodFate, Resize, Rollback, Say, Step, Upgrade
from drill.world import (
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    NAMESPACE,
    NODE,
    POD,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
)

Json = dict[str, Any]

KUBELET_VERSION: Final = "v1.34.2"
_LOOK: Final = 5.0  # seconds between two looks at a service that others wait for
_RECOVERY: Final = 15.0  # seconds from a service's return to the recovery of who suffered from its absence
_SYSTEM_NAMESPACES: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
_KINDS: Final = {
    "Deployment": DEPLOYMENT,
    "StatefulSet": STATEFUL_SET,
    "DaemonSet": DAEMON_SET,
    "Service": SERVICE,
    "ConfigMap": CONFIG_MAP,
}
_RELEASE_MARKS: Final = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")


class Director:
    """Carries out the script of one scenario. ``start`` is the world instant that its offsets are relative to.

    ``others`` carry out the steps that are not about the cluster itself, by the steps' type.
    """

    def __init__(
        self,
        scenario: Scenario,
        plane: ControlPlane,
        start: float,
        others: Mapping[type[Any], Callable[[Any], None]] | None = None,
    ) -> None:
        self.scenario = scenario
        self.start = start
        self._others = dict(others or {})
        self._plane = plane
        self._world = plane.world
        release = scenario.release
        chart_of_release = Chart(release.name, scenario.namespace, release.chart, scenario.services)
        self._revisions = Revisions(chart_of_release, self._world)
        self._addresses = 10

    def play(self) -> None:
        """Build the cluster and live through everything before ``start``; what comes later is set on the clock."""
        clock, steps = self._world.clock, self.scenario.steps()
        self._plane.kubelets.images.update(self.scenario.images)
        self._build()
        for offset, step in steps:
            clock.at(self.start + offset, lambda step=step: self.carry_out(step))  # type: ignore[misc]
        clock.advance(self.start)
        # Only now: two months of heartbeats are of no interest to anybody.
        for node in self.scenario.nodes:
            self._plane.nodes.beat(node.name)

    # The cluster

    def _build(self) -> None:
        namespaces = {
            *_SYSTEM_NAMESPACES,
            self.scenario.namespace,
            *(addon.namespace for addon in self.scenario.addons),
        }
        for name in sorted(namespaces):
            self.namespace(name)
        for index, node in enumerate(self.scenario.nodes):
            self._node(node, index)
        for addon in self.scenario.addons:
            self._put(chart.addon(addon), marks={})

    def namespace(self, name: str) -> None:
        """A namespace with what a cluster puts into every one."""
        world = self._world
        labels = {"kubernetes.io/metadata.name": name}
        content = {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        world.create(NAMESPACE, {"metadata": {"name": name, "labels": labels}, **content})
        world.create(SERVICE_ACCOUNT, {"metadata": {"name": "default", "namespace": name}})
        world.create(CONFIG_MAP, {"metadata": {"name": "kube-root-ca.crt", "namespace": name}, "data": {"ca.crt": ""}})

    def _node(self, node: Node, index: int) -> None:
        world = self._world
        born = self.start + seconds(node.age)
        obj = node_object(node.name, index, pool=node.pool, zone=node.zone, size=node.size)
        room = {"cpu": str(node.cores), "memory": node.capacity, "pods": str(node.max_pods)}
        stamp = world.clock.stamp(born)
        obj["status"] |= {
            "capacity": {**room, "ephemeral-storage": "129886128Ki"},
            "allocatable": {**room, "ephemeral-storage": "119703055367"},
            "conditions": conditions("", [], stamp),
        }
        if node.cordoned:
            obj["spec"]["unschedulable"] = True
        if node.taints:
            parts = (taint.replace("=", ":").split(":") for taint in node.taints)
            obj["spec"]["taints"] = [dict(zip(("key", "value", "effect"), part, strict=True)) for part in parts]
        world.store.create(NODE, obj, now=world.clock.wall(born))

    # The script

    def carry_out(self, step: Step) -> None:
        """Have a step happen now."""
        match step:
            case Upgrade():
                self._apply(self._revisions.upgrade(step))
            case Rollback(to=to):
                self._apply(self._revisions.roll_back(to))
            case PodFate():
                self._doom(step)
            case NodeFate(node=node, fate=fate):
                self._plane.befall(node, fate)
            case Resize(deployment=name, replicas=replicas):
                self._resize(name, replicas)
            case Say():
                self._say(step, step.times)
            case _:
                self._others[type(step)](step)

    def _apply(self, objects: list[Json]) -> None:
        """What the release consists of now, as `helm upgrade` without --wait applies it."""
        marks = dict(zip(_RELEASE_MARKS, (self.scenario.release.name, self.scenario.namespace), strict=True))
        for obj in objects:
            self._put(obj, marks=marks)

    def _put(self, obj: Json, *, marks: Json) -> None:
        """Create an object, or give the one that is there its new spec."""
        world, kind, meta = self._world, _KINDS[obj["kind"]], obj["metadata"]
        held = world.store.get(kind, meta["namespace"], meta["name"])
        filled = self._stored(kind, obj)
        if held is None:
            world.create(kind, {**filled, "metadata": {**meta, "annotations": marks}} if marks else filled)
        elif kind is CONFIG_MAP:
            world.store.update(kind, {**held, "data": filled["data"]})
        elif kind is not SERVICE:
            world.store.update(kind, {**held, "spec": filled["spec"]})

    def _stored(self, kind: Kind, obj: Json) -> Json:
        if kind is CONFIG_MAP:
            return obj
        if kind is SERVICE:
            self._addresses += 1
            return stored_form.service(obj, f"10.0.{self._addresses // 250}.{self._addresses % 250 + 1}")
        return {DEPLOYMENT: stored_form.deployment, STATEFUL_SET: stored_form.stateful_set}.get(
            kind, stored_form.daemon_set
        )(obj)

    def _resize(self, name: str, replicas: int) -> None:
        store = self._world.store
        found = store.get(DEPLOYMENT, self.scenario.namespace, name)
        if found is not None:
            store.update(DEPLOYMENT, {**found, "spec": {**found["spec"], "replicas": replicas}})

    def _doom(self, step: PodFate) -> None:
        """The victims are those on a troubled node first, and then the oldest."""
        nodes = {node.name: node.memory for node in self.scenario.nodes}
        mine = [pod for pod in self._pods_of(step.service) if pods.is_ready(pod)]
        mine.sort(key=lambda pod: (-nodes.get(pod["spec"].get("nodeName", ""), 0.0), pod["metadata"]["name"]))
        for pod in mine[: step.pods]:
            uid = pod["metadata"]["uid"]
            self._plane.kubelets.doom(uid, step.fate)
            if step.while_down:
                self._spare_when_up(uid, step.while_down)

    def _spare_when_up(self, uid: str, service: str) -> None:
        if self._is_up(service):
            self._world.clock.after(_RECOVERY, lambda: self._plane.kubelets.spare(uid))
        else:
            self._world.clock.after(_LOOK, lambda: self._spare_when_up(uid, service))

    def _is_up(self, service: str) -> bool:
        found = self._world.store.get(DEPLOYMENT, self.scenario.namespace, service)
        return found is not None and pods.is_true(found, "Available")

    def _say(self, step: Say, left: int) -> None:
        world = self._world
        kind = kinds.kind(step.kind, "" if step.kind in ("Node", "Service", "Pod") else "apps")
        if step.kind == "Pod":
            found = next(iter(self._pods_of(step.name)), None)
        else:
            namespace = None if step.kind == "Node" else self.scenario.namespace
            found = world.store.get(kind, namespace, step.name)
        if found is not None and not (step.while_down and self._is_up(step.while_down)):
            world.events.say(kind, found, step.reason, step.message, warning=step.warning, component=step.component)
        if step.every and left > 1:
            pause = seconds(step.every) * world.chance.uniform(0.9, 1.1)
            world.clock.after(pause, lambda: self._say(step, left - 1))

    def _pods_of(self, service: str) -> list[Json]:
        found = self._world.store.list(POD, self.scenario.namespace)
        return [pod for pod in found if pods.labels(pod).get("app.kubernetes.io/name") == service]


def node_object(name: str, index: int, *, pool: str, zone: str, size: str) -> Json:
    """A node of AKS without its capacity and conditions."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "agentpool": pool,
                "kubernetes.azure.com/mode": "system" if pool == "system" else "user",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": size,
                "topology.kubernetes.io/region": zone.rpartition("-")[0],
                "topology.kubernetes.io/zone": zone,
            },
        },
        "spec": {"podCIDR": f"10.{244 + index // 256}.{index % 256}.0/24", "providerID": f"azure:///{name}"},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": f"10.{224 + index // 60_000}.{index // 250 % 250}.{index % 250 + 4}"},
                {"type": "Hostname", "address": name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kernelVersion": "5.15.0-1098-azure",
                "osImage": "Ubuntu 22.04.5 LTS",
                "containerRuntimeVersion": "containerd://1.7.28-1",
                "kubeletVersion": KUBELET_VERSION,
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
        },
    }
