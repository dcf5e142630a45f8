"""Big clusters: thousands of pods, nodes and events put straight into the store, complete, without living through it.

They are ordinary objects that controllers look after once somebody touches them. Until then they are still; `Churn`
makes a chosen number of changes a second among them.
"""

from __future__ import annotations

import random
from typing import Any, Final

from drill import pods, stored_form
from drill.clock import Clock, Timer
from drill.deployments import REVISION, template_hash
from drill.director import Director, node_object
from drill.fates import Fate
from drill.nodes import conditions
from drill.owners import owner_reference
from drill.recorder import EVENT
from drill.store import ObjectStore
from drill.world import DEPLOYMENT, NODE, POD, REPLICA_SET, World

Json = dict[str, Any]

REPLICAS: Final = 5
_PER_NAMESPACE: Final = 250  # pods
_CRASHING, _UNREADY = 40, 60  # every so manieth Deployment is sick
_TAINT: Final = {"key": "virtual-kubelet.io/provider", "value": "azure", "effect": "NoSchedule"}
_ROOM: Final = {"cpu": "16", "memory": "65710864Ki", "pods": "250", "ephemeral-storage": "129886128Ki"}
_REASONS: Final = (
    ("Scheduled", "Successfully assigned {pod} to {node}", False, "default-scheduler"),
    ("Pulled", 'Container image "{image}" already present on machine', False, "kubelet"),
    ("Started", "Started container {container}", False, "kubelet"),
    ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", True, "kubelet"),
    ("BackOff", "Back-off restarting failed container {container} in pod {pod}", True, "kubelet"),
)


class Fleet:
    """Fills a world up to so many pods, nodes and events in all. The same seed makes the same fleet."""

    def __init__(self, world: World, director: Director, *, seed: int = 13) -> None:
        self._world = world
        self._director = director
        self._chance = random.Random(seed)  # noqa: S311 (names and spread)
        self._nodes: list[str] = []
        self.pods: list[tuple[str, str]] = []  # namespace, name of what was added

    def fill(self, *, pods: int, nodes: int, events: int) -> None:
        """Add what is missing. Pods need nodes: without any asked for there is one for every 100 pods."""
        store = self._world.store
        missing_pods = max(0, pods - len(store.list(POD)))
        wanted_nodes = max(nodes, -(-missing_pods // 100)) if missing_pods else nodes
        for number in range(max(0, wanted_nodes - len(store.list(NODE)) if nodes else wanted_nodes)):
            self._node(number)
        self._deployments(missing_pods)
        self._events(max(0, events - len(store.list(EVENT))))

    def _node(self, number: int) -> None:
        name, zone = f"aks-virtual-{number:05d}", f"westeurope-{number % 3 + 1}"
        obj = node_object(name, number + 16, pool="virtual", zone=zone, size="Standard_D16s_v5")
        born = self._world.clock.now - 86_400 * self._chance.uniform(2, 60)
        obj["metadata"]["labels"]["type"] = "virtual-kubelet"
        obj["spec"]["taints"] = [_TAINT]  # no DaemonSet follows here, so the number of pods stays what was asked for
        beats = conditions("", [], self._world.clock.stamp())
        obj["status"] |= {"capacity": _ROOM, "allocatable": _ROOM, "conditions": beats}
        self._world.store.create(NODE, obj, now=self._world.clock.wall(born))
        self._nodes.append(name)

    def _deployments(self, count: int) -> None:
        number = 0
        while count > 0:
            namespace = f"team-{number * REPLICAS // _PER_NAMESPACE:03d}"
            if number % (_PER_NAMESPACE // REPLICAS) == 0:
                self._director.namespace(namespace)
            fate = Fate.OK
            if number % _CRASHING == _CRASHING - 1:
                fate = Fate.CRASH
            elif number % _UNREADY == _UNREADY - 1:
                fate = Fate.UNREADY
            self._deployment(namespace, number, min(count, REPLICAS), fate)
            count -= REPLICAS
            number += 1

    def _deployment(self, namespace: str, number: int, replicas: int, fate: Fate) -> None:
        world, name = self._world, f"svc-{number:04d}"
        labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": namespace}
        suffix = "" if fate is Fate.OK else f"-{fate}"
        container = {
            "name": name,
            "image": f"bankingacr.azurecr.io/{name}:2.{number % 9}.{number % 4}{suffix}",
            "ports": [{"containerPort": 8080}],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
        }
        spec = {"containers": [container], "tolerations": [{"key": _TAINT["key"], "operator": "Exists"}]}
        deployment = stored_form.deployment(
            {
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "labels": labels,
                    "annotations": {REVISION: "1"},
                },
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
                    "template": {"metadata": {"labels": labels}, "spec": spec},
                },
            }
        )
        born = world.clock.now - 86_400 * self._chance.uniform(0.2, 40)
        ready = replicas if fate is Fate.OK else 0
        deployment["status"] = _deployment_status(replicas, ready, world.clock.stamp(born), name)
        wall = world.clock.wall(born)
        owner = world.store.create(DEPLOYMENT, {**deployment, "apiVersion": "apps/v1", "kind": "Deployment"}, now=wall)
        self._replica_set(owner, replicas, ready, born, fate)

    def _replica_set(self, deployment: Json, replicas: int, ready: int, born: float, fate: Fate) -> None:
        world, meta, spec = self._world, deployment["metadata"], deployment["spec"]
        stamp = template_hash(spec["template"])
        labels = {**spec["template"]["metadata"]["labels"], pods.TEMPLATE_HASH: stamp}
        template = {**spec["template"], "metadata": {"labels": labels}}
        selector = {"matchLabels": {**spec["selector"]["matchLabels"], pods.TEMPLATE_HASH: stamp}}
        sizes = {
            "deployment.kubernetes.io/desired-replicas": str(replicas),
            "deployment.kubernetes.io/max-replicas": str(replicas + -(-replicas // 4)),
            REVISION: "1",
        }
        status = {"replicas": replicas, "observedGeneration": 1, "fullyLabeledReplicas": replicas}
        if ready:
            status |= {"readyReplicas": ready, "availableReplicas": ready}
        owner = world.store.create(
            REPLICA_SET,
            {
                "metadata": {
                    "name": f"{meta['name']}-{stamp}",
                    "namespace": meta["namespace"],
                    "labels": labels,
                    "annotations": sizes,
                    "ownerReferences": [owner_reference(DEPLOYMENT, deployment)],
                },
                "spec": {"replicas": replicas, "minReadySeconds": 0, "selector": selector, "template": template},
                "status": status,
            },
            now=world.clock.wall(born),
        )
        model = pods.from_template(REPLICA_SET, owner, template, name="")
        for _ in range(replicas):
            self._pod(model, born, fate)

    def _pod(self, model: Json, born: float, fate: Fate) -> None:
        world, meta = self._world, model["metadata"]
        name = meta["generateName"] + "".join(self._chance.choices("bcdfghjklmnpqrstvwxz2456789", k=5))
        node = self._nodes[len(self.pods) % len(self._nodes)] if self._nodes else ""
        number = len(self.pods)
        status = _pod_status(model["spec"]["containers"][0], world.clock, born, fate, number)
        world.store.create(
            POD,
            {
                **model,
                "metadata": {**meta, "name": name},
                "spec": {**model["spec"], "nodeName": node},
                "status": status,
            },
            now=world.clock.wall(born),
        )
        self.pods.append((meta["namespace"], name))

    def _events(self, count: int) -> None:
        world, targets = self._world, self.pods or [("default", "none")]
        now = world.clock.now
        for number in range(count):
            namespace, name = targets[number % len(targets)]
            pod = world.store.get(POD, namespace, name)
            reason, text, warning, component = _REASONS[number % len(_REASONS)]
            uid = pod["metadata"]["uid"] if pod is not None else "00000000-0000-4000-a000-000000000000"
            container = pod["spec"]["containers"][0] if pod is not None else {"name": "none", "image": "none"}
            node = pod["spec"]["nodeName"] if pod is not None else ""
            last = now - 3500 * self._chance.random() ** 2
            stamp = world.clock.stamp(last)
            world.store.create(
                EVENT,
                {
                    "metadata": {"name": f"{name}.{0x18EA000000000000 + number:x}", "namespace": namespace},
                    "involvedObject": {
                        "kind": "Pod",
                        "namespace": namespace,
                        "name": name,
                        "uid": uid,
                        "apiVersion": "v1",
                    },
                    "reason": reason,
                    "message": text.format(pod=name, node=node, container=container["name"], image=container["image"]),
                    "source": {"component": component, "host": node},
                    "firstTimestamp": world.clock.stamp(last - 600 if warning else last),
                    "lastTimestamp": stamp,
                    "count": number % 40 + 2 if warning else 1,
                    "type": "Warning" if warning else "Normal",
                    "eventTime": None,
                    "reportingComponent": component,
                    "reportingInstance": node,
                },
                now=world.clock.wall(last),
            )


class Churn:
    """So many changes a second: one pod after the other has its container restarted, and stays as ready as it was."""

    _TICK: Final = 0.05  # seconds
    _LATEST: Final = 1.0  # seconds; on a busy machine a turn may come so late

    def __init__(self, store: ObjectStore, clock: Clock, targets: list[tuple[str, str]], rate: float) -> None:
        self._store = store
        self._clock = clock
        self._targets = targets
        self._rate = rate
        self._next = 0
        self._due = 0.0
        self._since = 0.0
        self._timer: Timer | None = None
        self.changes = 0

    def start(self) -> None:
        if self._rate > 0 and self._targets:
            self._since = self._clock.wall()
            self._timer = self._clock.after(self._TICK * self._clock.speed, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        now = self._clock.wall()
        # A turn that came late is made up for, as is the rate; a pause of the whole process is not.
        self._due += min(now - self._since, self._LATEST) * self._rate
        self._since = now
        stamp = self._clock.stamp()
        for _ in range(int(self._due)):
            self._change(*self._targets[self._next], stamp)
            self._next = (self._next + 1) % len(self._targets)
        self._due %= 1.0
        self._timer = self._clock.after(self._TICK * self._clock.speed, self._tick)

    def _change(self, namespace: str, name: str, stamp: str) -> None:
        pod = self._store.get(POD, namespace, name)
        if pod is None:
            return
        status = pod["status"]
        containers = [
            {
                **held,
                "restartCount": held["restartCount"] + 1,
                "state": {"running": {"startedAt": stamp}} if "running" in held["state"] else held["state"],
                "lastState": {"terminated": _terminated(stamp, stamp)},
            }
            for held in status["containerStatuses"]
        ]
        self._store.update(POD, {**pod, "status": {**status, "containerStatuses": containers}}, subresource="status")
        self.changes += 1


def _terminated(started: str, finished: str) -> Json:
    return {"exitCode": 1, "reason": "Error", "startedAt": started, "finishedAt": finished}


def _deployment_status(replicas: int, ready: int, stamp: str, name: str) -> Json:
    status: Json = {"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas}
    if ready:
        status |= {"readyReplicas": ready, "availableReplicas": ready}
        available = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        status["unavailableReplicas"] = replicas
        available = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    progress = ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    status["conditions"] = [
        {
            "type": kind,
            "status": truth,
            "lastUpdateTime": stamp,
            "lastTransitionTime": stamp,
            "reason": reason,
            "message": message,
        }
        for kind, (truth, reason, message) in (("Available", available), ("Progressing", progress))
    ]
    return status


def _pod_status(container: Json, clock: Clock, born: float, fate: Fate, number: int) -> Json:
    stamp, ready = clock.stamp(born), fate is Fate.OK
    state: Json = {"running": {"startedAt": stamp}}
    last: Json = {}
    restarts = 0
    if fate is Fate.CRASH:
        ended = clock.now - 20 - number * 37 % 270
        last = {"terminated": _terminated(clock.stamp(ended - 6), clock.stamp(ended))}
        message = f"back-off 5m0s restarting failed container={container['name']}"
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        restarts = 40 + number * 13 % 400
    unready: Json = {}
    if not ready:
        message = f"containers with unready status: [{container['name']}]"
        unready = {"reason": "ContainersNotReady", "message": message}
    address = f"10.{100 + number // 60_000}.{number // 250 % 240}.{number % 250 + 2}"
    return {
        "phase": "Running",
        "conditions": [
            {"type": kind, "status": truth, "lastProbeTime": None, "lastTransitionTime": stamp, **extra}
            for kind, truth, extra in (
                ("PodReadyToStartContainers", "True", {}),
                ("Initialized", "True", {}),
                ("Ready", str(ready), unready),
                ("ContainersReady", str(ready), unready),
                ("PodScheduled", "True", {}),
            )
        ],
        "hostIP": "10.224.0.4",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": stamp,
        "containerStatuses": [
            {
                "name": container["name"],
                "state": state,
                "lastState": last,
                "ready": ready,
                "restartCount": restarts,
                "image": container["image"],
                "imageID": container["image"],
                "started": fate is not Fate.CRASH,
            }
        ],
        "qosClass": "Burstable",
    }
