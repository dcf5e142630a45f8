"""The life of the embedded platform: controllers, kubelets and scheduler, lived through on the world's own clock."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from drill import pods, stored_form
from drill.clock import Clock
from drill.containers import RUN_SECONDS
from drill.controllers import ControlPlane
from drill.deployments import REVISION
from drill.director import node_object
from drill.fates import ANNOTATION, Fate
from drill.kinds import Kind
from drill.kinds import kind as kind_named
from drill.nodes import conditions
from drill.store import ObjectStore
from drill.world import DAEMON_SET, DEPLOYMENT, ENDPOINTS, NODE, POD, REPLICA_SET, SERVICE, STATEFUL_SET

Json = dict[str, Any]
EVENT = kind_named("Event", "")
NAME = "app.kubernetes.io/name"
START = 1_795_000_000.0


class Village:
    """A small cluster in the namespace ``prod``."""

    def __init__(self, nodes: int = 3) -> None:
        self.clock = Clock(START)
        self.store = ObjectStore(clock=self.clock.wall)
        self.plane = ControlPlane(self.store, self.clock)
        for number in range(nodes):
            self.node(f"node-{number}", number)

    def node(self, name: str, number: int) -> None:
        obj = node_object(name, number, pool="system", zone="westeurope-1", size="small")
        room = {"cpu": "8", "memory": "32Gi", "pods": "110"}
        obj["status"] |= {"allocatable": room, "capacity": room, "conditions": conditions("", [], self.clock.stamp())}
        self.store.create(NODE, obj)

    def deploy(self, name: str = "api", tag: str = "1.0.0", replicas: int = 3, **spec: Any) -> None:
        template = {
            "metadata": {"labels": {NAME: name}},
            "spec": {"containers": [{"name": name, "image": f"example/{name}:{tag}", "readinessProbe": {}}]},
        }
        obj = {
            "metadata": {"name": name, "namespace": "prod"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {NAME: name}}, "template": template, **spec},
        }
        self.plane.world.create(DEPLOYMENT, stored_form.deployment(obj))

    def deployment(self, name: str = "api") -> Json:
        found = self.store.get(DEPLOYMENT, "prod", name)
        assert found is not None
        return found

    def change(self, kind: Kind, name: str, **spec: Any) -> None:
        found = self.store.get(kind, "prod", name)
        assert found is not None
        self.store.update(kind, {**found, "spec": {**found["spec"], **spec}})

    def set_image(self, tag: str, name: str = "api", kind: Kind = DEPLOYMENT) -> None:
        found = self.store.get(kind, "prod", name)
        assert found is not None
        template = found["spec"]["template"]
        container = {**template["spec"]["containers"][0], "image": f"example/{name}:{tag}"}
        changed = {**template, "spec": {**template["spec"], "containers": [container]}}
        self.change(kind, name, template=changed)

    def live(self, seconds: float) -> None:
        self.clock.advance(self.clock.now + seconds)

    def pods(self, name: str = "api") -> list[Json]:
        return [pod for pod in self.store.list(POD, "prod") if pods.labels(pod).get(NAME) == name]

    def sets(self) -> dict[str, int]:
        return {found["metadata"]["name"]: found["spec"]["replicas"] for found in self.store.list(REPLICA_SET, "prod")}

    def progress(self, name: str = "api") -> Json:
        found = pods.condition(self.deployment(name), "Progressing")
        assert found is not None
        return found

    def events(self, reason: str) -> list[Json]:
        return [event for event in self.store.list(EVENT) if event["reason"] == reason]


def images(found: list[Json]) -> Counter[str]:
    return Counter(pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in found)


def only_status(pod: Json) -> Json:
    status: Json = pod["status"]["containerStatuses"][0]
    return status


# Deployments


def test_a_rolling_update_arrives_and_keeps_its_promises_on_the_way() -> None:
    village = Village()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    village.deploy(replicas=5, strategy=strategy)
    village.live(30)
    ready: list[int] = []
    alive: list[int] = []

    def observe(change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        if kind is POD:
            active = [pod for pod in village.pods() if pods.is_active(pod)]
            alive.append(len(active))
            ready.append(sum(pods.is_ready(pod) for pod in active))

    village.store.subscribe(observe)
    village.set_image("1.1.0")
    village.live(120)

    assert images(village.pods()) == {"1.1.0": 5}
    assert max(alive) <= 6
    assert min(ready) >= 4
    status = village.deployment()["status"]
    assert (status["updatedReplicas"], status["availableReplicas"]) == (5, 5)
    assert "unavailableReplicas" not in status
    assert village.progress()["reason"] == "NewReplicaSetAvailable"
    assert village.deployment()["metadata"]["annotations"][REVISION] == "2"
    assert village.events("ScalingReplicaSet")


def test_a_bad_image_stops_the_rollout_keeps_the_old_pods_and_misses_the_deadline() -> None:
    village = Village()
    village.deploy()
    village.live(30)
    village.set_image("1.1.0-nopull")
    village.live(60)

    assert images([pod for pod in village.pods() if pods.is_ready(pod)]) == {"1.0.0": 3}
    assert village.progress()["reason"] in ("ReplicaSetUpdated", "NewReplicaSetCreated")

    village.live(700)
    progress = village.progress()
    assert (progress["status"], progress["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert pods.is_true(village.deployment(), "Available")
    (sick,) = (pod for pod in village.pods() if not pods.is_ready(pod))
    assert only_status(sick)["state"]["waiting"]["reason"] in ("ImagePullBackOff", "ErrImagePull")
    assert pods.phase(sick) == "Pending"


def test_going_back_reuses_the_old_set_under_the_next_revision_and_heals() -> None:
    village = Village()
    village.deploy()
    village.live(30)
    before = set(village.sets())
    village.set_image("1.1.0-crash")
    village.live(60)
    village.set_image("1.0.0")
    village.live(60)

    assert images(village.pods()) == {"1.0.0": 3}
    (old,) = before
    assert village.sets()[old] == 3
    assert len(village.sets()) == 2
    found = village.store.get(REPLICA_SET, "prod", old)
    assert found is not None
    assert found["metadata"]["annotations"][REVISION] == "3"
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"
    assert village.progress()["reason"] == "NewReplicaSetAvailable"


def test_recreate_lets_the_last_old_pod_go_before_the_first_new_one_comes() -> None:
    village = Village()
    village.deploy(strategy={"type": "Recreate"})
    village.live(30)
    mixed: list[bool] = []
    village.store.subscribe(lambda *_: mixed.append(len(images(village.pods())) > 1))

    village.set_image("2.0.0")
    village.live(60)

    assert images(village.pods()) == {"2.0.0": 3}
    assert not any(mixed)


def test_a_paused_deployment_scales_but_does_not_roll_until_it_is_resumed() -> None:
    village = Village()
    village.deploy()
    village.live(30)
    village.change(DEPLOYMENT, "api", paused=True)
    village.set_image("1.1.0")
    village.change(DEPLOYMENT, "api", replicas=5)
    village.live(60)
    assert images(village.pods()) == {"1.0.0": 5}
    assert village.progress()["reason"] == "DeploymentPaused"

    village.change(DEPLOYMENT, "api", paused=False)
    village.live(120)
    assert images(village.pods()) == {"1.1.0": 5}


@pytest.mark.parametrize("replicas", [0, 1, 7])
def test_a_scale_is_followed_without_a_new_revision(replicas: int) -> None:
    village = Village()
    village.deploy()
    village.live(30)
    village.change(DEPLOYMENT, "api", replicas=replicas)
    village.live(30)

    assert len(village.pods()) == replicas
    assert village.deployment()["status"].get("readyReplicas", 0) == replicas
    assert village.deployment()["metadata"]["annotations"][REVISION] == "1"


def test_old_sets_beyond_the_history_limit_are_forgotten() -> None:
    village = Village()
    village.deploy(revisionHistoryLimit=2)
    for number in range(5):
        village.set_image(f"1.{number}.0")
        village.live(60)
    assert len(village.sets()) == 3


# Pods


def test_a_crash_loop_backs_off_as_a_kubelet_does() -> None:
    village = Village()
    village.deploy(tag="1.0.0-crash", replicas=1)
    starts: list[float] = []

    def observe(change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        if kind is POD and change == "MODIFIED" and old is not None and (obj["status"].get("containerStatuses")):
            running = "running" in only_status(obj)["state"]
            before = (old["status"].get("containerStatuses") or [{"state": {}}])[0]["state"]
            if running and "running" not in before:
                starts.append(village.clock.now)

    village.store.subscribe(observe)
    village.live(1500)

    waits = [later - earlier - RUN_SECONDS[Fate.CRASH] for earlier, later in pairwise(starts)]
    assert waits == pytest.approx([1, 10, 20, 40, 80, 160, 300, 300, 300], abs=3)
    (pod,) = village.pods()
    status = only_status(pod)
    assert status["restartCount"] == len(starts) - 1
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    (event,) = village.events("BackOff")
    assert event["count"] > 50
    assert event["type"] == "Warning"
    assert not pods.is_ready(pod)


def test_a_container_that_runs_out_of_memory_says_so() -> None:
    village = Village()
    village.deploy(tag="1.0.0-oom", replicas=1)
    village.live(120)
    terminated = only_status(village.pods()[0])["lastState"]["terminated"]
    assert (terminated["reason"], terminated["exitCode"]) == ("OOMKilled", 137)


def test_an_unready_pod_runs_and_its_probe_event_is_counted() -> None:
    village = Village()
    village.deploy(tag="1.0.0-unready", replicas=1)
    village.live(120)
    (pod,) = village.pods()
    assert pods.phase(pod) == "Running"
    assert not pods.is_ready(pod)
    (event,) = village.events("Unhealthy")
    assert event["count"] >= 10
    assert event["source"]["host"] == pod["spec"]["nodeName"]


def test_a_slow_pod_is_ready_after_twenty_seconds() -> None:
    village = Village()
    village.deploy(tag="1.0.0-slow", replicas=1)
    village.live(15)
    assert not pods.is_ready(village.pods()[0])
    village.live(15)
    assert pods.is_ready(village.pods()[0])


def test_an_annotation_turns_a_running_pod_and_turns_it_back() -> None:
    village = Village()
    village.deploy(replicas=1)
    village.live(30)

    for fate, ready in (("unready", False), ("ok", True)):
        (pod,) = village.pods()
        meta = {**pod["metadata"], "annotations": {ANNOTATION: fate}}
        village.store.update(POD, {**pod, "metadata": meta})
        village.live(10)
        assert pods.is_ready(village.pods()[0]) is ready


def test_a_deleted_pod_ends_gracefully_and_is_replaced() -> None:
    village = Village()
    village.deploy()
    village.live(30)
    name = village.pods()[0]["metadata"]["name"]

    village.store.delete(POD, "prod", name)
    held = village.store.get(POD, "prod", name)
    assert held is not None
    assert pods.is_terminating(held)
    village.live(30)

    assert village.store.get(POD, "prod", name) is None
    assert len(village.pods()) == 3
    assert village.events("Killing")


def test_a_pod_in_quarantine_is_let_go_and_replaced_and_taken_back_when_it_fits_again() -> None:
    village = Village()
    village.deploy()
    village.live(30)
    pod = village.pods()[0]
    name = pod["metadata"]["name"]
    labels = {**pods.labels(pod), NAME: "quarantine"}
    village.store.update(POD, {**pod, "metadata": {**pod["metadata"], "labels": labels}})
    village.live(30)

    held = village.store.get(POD, "prod", name)
    assert held is not None
    assert "ownerReferences" not in held["metadata"]
    assert len(village.pods()) == 3

    labels = {**labels, NAME: "api"}
    village.store.update(POD, {**held, "metadata": {**held["metadata"], "labels": labels}})
    village.live(30)
    assert len(village.pods()) == 3
    assert all(pod["metadata"]["ownerReferences"] for pod in village.pods())


# Ownership


def test_what_a_deployment_owned_goes_with_it() -> None:
    village = Village()
    village.deploy()
    village.live(30)
    village.store.delete(DEPLOYMENT, "prod", "api")
    village.live(30)
    assert village.sets() == {}
    assert village.pods() == []


@pytest.mark.parametrize(("finalizer", "left"), [("orphan", 3), ("foregroundDeletion", 0)])
def test_a_finalizer_decides_about_the_dependents(finalizer: str, left: int) -> None:
    village = Village()
    village.deploy()
    village.live(30)
    found = village.deployment()
    village.store.update(DEPLOYMENT, {**found, "metadata": {**found["metadata"], "finalizers": [finalizer]}})
    village.store.delete(DEPLOYMENT, "prod", "api")
    village.live(30)
    assert village.store.get(DEPLOYMENT, "prod", "api") is None
    assert len(village.pods()) == left
    assert sum(village.sets().values()) == left


# Other workloads


def workload(kind: Kind, name: str, replicas: int | None) -> Json:
    template = {
        "metadata": {"labels": {NAME: name}},
        "spec": {"containers": [{"name": name, "image": f"example/{name}:1.0.0"}]},
    }
    spec: Json = {"selector": {"matchLabels": {NAME: name}}, "template": template}
    if replicas is not None:
        spec |= {"replicas": replicas, "serviceName": name}
    fill = stored_form.daemon_set if kind is DAEMON_SET else stored_form.stateful_set
    return fill({"metadata": {"name": name, "namespace": "prod"}, "spec": spec})


def test_a_stateful_set_starts_in_order_and_is_replaced_from_the_end() -> None:
    village = Village()
    village.plane.world.create(STATEFUL_SET, workload(STATEFUL_SET, "cache", 3))
    born: list[str] = []

    def observe(change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        if kind is POD and change == "ADDED":
            assert all(pods.is_ready(pod) for pod in village.pods("cache") if pod is not obj)
            born.append(obj["metadata"]["name"])

    village.store.subscribe(observe)
    village.live(60)
    assert born == ["cache-0", "cache-1", "cache-2"]

    village.set_image("1.1.0", "cache", STATEFUL_SET)
    village.live(120)
    assert born[3:] == ["cache-2", "cache-1", "cache-0"]
    found = village.store.get(STATEFUL_SET, "prod", "cache")
    assert found is not None
    assert found["status"]["currentRevision"] == found["status"]["updateRevision"]
    assert found["status"]["readyReplicas"] == 3


def test_a_daemon_set_is_on_every_node_a_new_and_a_cordoned_one_too() -> None:
    village = Village(nodes=2)
    village.plane.world.create(DAEMON_SET, workload(DAEMON_SET, "agent", None))
    village.live(30)
    village.node("node-9", 9)
    cordoned = village.store.get(NODE, None, "node-9")
    assert cordoned is not None
    village.store.update(NODE, {**cordoned, "spec": {**cordoned["spec"], "unschedulable": True}})
    village.live(30)

    assert {pod["spec"]["nodeName"] for pod in village.pods("agent")} == {"node-0", "node-1", "node-9"}
    found = village.store.get(DAEMON_SET, "prod", "agent")
    assert found is not None
    assert (found["status"]["numberReady"], found["status"]["desiredNumberScheduled"]) == (3, 3)


def test_endpoints_are_the_pods_that_are_ready() -> None:
    village = Village()
    service = {"metadata": {"name": "api", "namespace": "prod"}, "spec": {"selector": {NAME: "api"}, "ports": []}}
    village.plane.world.create(SERVICE, service)
    village.deploy()
    village.live(30)

    def addresses() -> tuple[int, int]:
        found = village.store.get(ENDPOINTS, "prod", "api")
        assert found is not None
        subset = found["subsets"][0]
        return len(subset.get("addresses", ())), len(subset.get("notReadyAddresses", ()))

    assert addresses() == (3, 0)
    pod = village.pods()[0]
    village.store.update(POD, {**pod, "metadata": {**pod["metadata"], "annotations": {ANNOTATION: "unready"}}})
    village.live(10)
    assert addresses() == (2, 1)


# Nodes


def test_a_pod_that_fits_nowhere_says_why_and_starts_when_a_node_comes() -> None:
    village = Village(nodes=1)
    cordoned = village.store.get(NODE, None, "node-0")
    assert cordoned is not None
    village.store.update(NODE, {**cordoned, "spec": {**cordoned["spec"], "unschedulable": True}})
    village.live(1)
    village.deploy(replicas=1)
    village.live(10)

    (pod,) = village.pods()
    scheduled = pods.condition(pod, "PodScheduled")
    assert scheduled is not None
    assert scheduled["reason"] == "Unschedulable"
    assert scheduled["message"] == "0/1 nodes are available: 1 node(s) were unschedulable."
    (event,) = village.events("FailedScheduling")
    assert event["type"] == "Warning"

    village.node("node-1", 1)
    village.live(30)
    assert pods.is_ready(village.pods()[0])


def test_a_silent_nodes_pods_are_unready_at_once_and_replaced_after_five_minutes() -> None:
    village = Village()
    village.deploy(replicas=6)
    village.live(60)
    node = village.pods()[0]["spec"]["nodeName"]
    found = village.store.get(NODE, None, node)
    assert found is not None
    village.store.update(NODE, {**found, "metadata": {**found["metadata"], "annotations": {ANNOTATION: "not-ready"}}})
    village.live(5)

    silent = village.store.get(NODE, None, node)
    assert silent is not None
    ready = pods.condition(silent, "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert {taint["key"] for taint in silent["spec"]["taints"]} == {"node.kubernetes.io/unreachable"}
    assert not any(pods.is_ready(pod) for pod in village.pods() if pod["spec"]["nodeName"] == node)

    village.live(360)
    assert sum(pods.is_ready(pod) for pod in village.pods()) == 6
    assert all(pods.is_terminating(pod) for pod in village.pods() if pod["spec"]["nodeName"] == node)

    metadata = {name: value for name, value in silent["metadata"].items() if name != "annotations"}
    metadata.pop("resourceVersion")
    village.store.update(NODE, {**silent, "metadata": metadata})
    village.live(30)
    assert len(village.pods()) == 6
    recovered = village.store.get(NODE, None, node)
    assert recovered is not None
    assert pods.is_ready(recovered)
    assert "taints" not in recovered["spec"]


def test_events_are_gone_an_hour_after_they_were_last_said() -> None:
    village = Village()
    village.deploy(tag="1.0.0-crash", replicas=1)
    village.live(3 * 3600)
    assert village.events("BackOff")
    assert not village.events("Scheduled")


def test_the_same_seed_makes_the_same_cluster() -> None:
    def names() -> list[str]:
        village = Village()
        village.deploy()
        village.live(60)
        return [f"{pod['metadata']['name']} {pod['spec']['nodeName']}" for pod in village.pods()]

    assert names() == names()
