"""The kubelets of all nodes: they bring bound pods to life, report their status, and see them out when deleted."""

from __future__ import annotations

from typing import Any, Final

from drill import pods
from drill.containers import ContainerLife, Surroundings
from drill.fates import ANNOTATION, Fate, fate_of
from drill.kinds import Kind
from drill.world import NODE, POD, World

Json = dict[str, Any]

_STOPPING: Final = (0.6, 2.2)  # seconds from SIGTERM to the end of a well-behaved container
_UNREADY: Final = "containers with unready status: [{}]"


class _PodLife:
    """What a kubelet knows of one pod."""

    __slots__ = ("containers", "ending", "initialized", "key", "node", "uid")

    def __init__(self, pod: Json) -> None:
        self.key: tuple[str, str] = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self.uid: str = pod["metadata"]["uid"]
        self.node: str = pod["spec"]["nodeName"]
        self.containers: list[ContainerLife] = []
        self.ending = False


class Kubelets:
    """Every node's kubelet. One that is down (`freeze`) moves no status until it is thawed."""

    def __init__(self, world: World) -> None:
        self.images: dict[str, Fate] = {}  # fates of images whose tag does not tell
        self._world = world
        self._dooms: dict[str, Fate] = {}
        self._lives: dict[str, _PodLife] = {}
        self._frozen: set[str] = set()
        self._addresses: dict[str, int] = {}  # node → pods it ever gave an address

    def observe_pod(self, change: str, kind: Kind, pod: Json, old: Json | None) -> None:
        uid = pod["metadata"]["uid"]
        if change == "DELETED":
            life = self._lives.pop(uid, None)
            self._dooms.pop(uid, None)
            for container in life.containers if life is not None else ():
                container.stop()
            return
        if not pod["spec"].get("nodeName"):
            return
        if pods.is_terminating(pod):
            if old is None or not pods.is_terminating(old):
                self._world.clock.soon(lambda: self._end(uid, pod))
        elif uid not in self._lives:
            # A pod that arrives with its status was born before us: it lives on as it is until somebody touches it.
            known = old is None and bool((pod.get("status") or {}).get("containerStatuses"))
            if not known and (old is None or not old["spec"].get("nodeName") or _fate_moved(pod, old)):
                self._lives[uid] = _PodLife(pod)
                self._world.clock.soon(lambda: self._begin(uid, pod))
        elif old is not None and _fate_moved(pod, old):
            self._turn(uid, pod)

    def doom(self, uid: str, fate: Fate) -> None:
        """Give one pod a fate, now; it ends with the pod, or with `spare`."""
        self._dooms[uid] = fate
        self._turn_life(uid)

    def spare(self, uid: str) -> None:
        """Take the fate away that `doom` gave."""
        if self._dooms.pop(uid, None) is not None:
            self._turn_life(uid)

    def _turn_life(self, uid: str) -> None:
        life = self._lives.get(uid)
        pod = self._world.store.get(POD, *life.key) if life is not None else None
        if pod is not None:
            self._turn(uid, pod)

    def _turn(self, uid: str, pod: Json) -> None:
        for container, spec in zip(self._lives[uid].containers, pod["spec"]["containers"], strict=False):
            container.turn(self.fate(pod, spec))

    def fate(self, pod: Json, spec: Json) -> Fate:
        """What becomes of one container of a pod."""
        return fate_of(pod, spec, self.images, self._dooms.get(pod["metadata"]["uid"]))

    def freeze(self, node: str) -> None:
        """The node's kubelet stops reporting."""
        self._frozen.add(node)

    def thaw(self, node: str) -> None:
        """It reports again, and carries out what was asked of it meanwhile."""
        self._frozen.discard(node)
        for life in [*self._lives.values()]:
            if life.node != node:
                continue
            pod = self._world.store.get(POD, *life.key)
            if pod is not None and pods.is_terminating(pod):
                self._end(life.uid, pod)
            else:
                self._report(life)

    def reboot(self, node: str) -> None:
        """The node's machine was off: its containers start anew. What is deleted meanwhile goes with `thaw`."""
        for life in [*self._lives.values()]:
            if life.node == node:
                for container in life.containers:
                    container.reboot()

    def kill(self, uid: str) -> None:
        """The kernel ends a pod's containers for the memory that they use; they start again, as after any crash."""
        for container in self._lives[uid].containers if uid in self._lives else ():
            container.run_out_of_memory()

    def evict(self, pod: Json, message: str) -> None:
        """End a pod for good, because its node is short of something: its record stays, its containers go.

        The status is what pkg/kubelet/eviction writes.
        """
        life = self._lives.pop(pod["metadata"]["uid"], None)
        meta = pod["metadata"]
        pod = self._world.store.get(POD, meta["namespace"], meta["name"]) or pod
        before, stamp = pod.get("status") or {}, self._world.clock.stamp()
        for container in life.containers if life is not None else ():
            container.stop()
        said = {"reason": "TerminationByKubelet", "message": message}
        why = {"type": "DisruptionTarget", "status": "True", "lastProbeTime": None, "lastTransitionTime": stamp, **said}
        kept = [
            {**old, "status": "False", "lastTransitionTime": stamp, "reason": "PodFailed"}
            if old["type"] in ("Ready", "ContainersReady") and old["status"] == "True"
            else old
            for old in before.get("conditions") or ()
        ]
        status = {**before, "phase": "Failed", "reason": "Evicted", "message": message, "conditions": [why, *kept]}
        status.pop("containerStatuses", None)  # so that kubectl prints the reason
        node = pod["spec"]["nodeName"]
        self._world.events.say(POD, pod, "Evicted", message, warning=True, component="kubelet", host=node)
        self._world.set_status(POD, pod, status)

    # A pod's life

    def _begin(self, uid: str, pod: Json) -> None:
        life = self._lives.get(uid)
        if life is None:
            return
        meta, world = pod["metadata"], self._world
        around = Surroundings(
            clock=world.clock,
            chance=world.chance,
            pod=f"{meta['name']}_{meta['namespace']}({meta['uid']})",
            restarts_always=pod["spec"].get("restartPolicy", "Always") != "Never",
            say=lambda reason, message, *, container, warning=False: self._say(
                life, reason, message, container=container, warning=warning
            ),
            changed=lambda: self._report(life),
        )
        life.containers = [ContainerLife(spec, self.fate(pod, spec), around) for spec in pod["spec"]["containers"]]
        known = {status["name"]: status for status in (pod.get("status") or {}).get("containerStatuses") or ()}
        if known:
            for container in life.containers:
                container.resume(known.get(container.name) or {})
            return
        self._report(life)
        for container in life.containers:
            container.start()

    def _end(self, uid: str, pod: Json) -> None:
        life = self._lives.setdefault(uid, _PodLife(pod))
        if life.ending or life.node in self._frozen:
            return
        life.ending = True
        for container in life.containers:
            container.stop()
        for spec in pod["spec"]["containers"]:
            self._say(life, "Killing", f"Stopping container {spec['name']}", container=spec["name"])
        grace = pod["metadata"].get("deletionGracePeriodSeconds", 30)
        self._world.clock.after(min(grace, self._world.chance.uniform(*_STOPPING)), lambda: self._gone(life))

    def _gone(self, life: _PodLife) -> None:
        if life.node in self._frozen:
            life.ending = False
            return
        pod = self._world.store.get(POD, *life.key)
        if pod is not None and pod["metadata"]["uid"] == life.uid:
            self._world.store.remove(POD, *life.key)

    def _say(self, life: _PodLife, reason: str, message: str, *, container: str, warning: bool = False) -> None:
        pod = self._world.store.get(POD, *life.key)
        if pod is not None and life.node not in self._frozen:
            self._world.events.say(
                POD, pod, reason, message, warning=warning, component="kubelet", host=life.node, container=container
            )

    def _report(self, life: _PodLife) -> None:
        """Write the pod's status as its containers stand."""
        pod = self._world.store.get(POD, *life.key)
        if pod is None or pod["metadata"]["uid"] != life.uid or life.node in self._frozen:
            return
        before, stamp = pod.get("status") or {}, self._world.clock.stamp()
        begun = any(container.begun for container in life.containers)
        status: Json = {
            "phase": self._phase(life, begun),
            "conditions": _conditions(life.containers, before, begun, stamp),
            "hostIP": self._host_ip(life.node),
            "startTime": before.get("startTime", stamp),
            "containerStatuses": [container.status() for container in life.containers],
            "qosClass": before.get("qosClass") or pods.qos_class(pod["spec"]),
        }
        status["hostIPs"] = [{"ip": status["hostIP"]}]
        if begun:
            address = before.get("podIP") or self._address(pod, status["hostIP"])
            status |= {"podIP": address, "podIPs": [{"ip": address}]}
        self._world.set_status(POD, pod, status)

    @staticmethod
    def _phase(life: _PodLife, begun: bool) -> str:
        if all(container.finished for container in life.containers):
            codes = [container.state["terminated"]["exitCode"] for container in life.containers]
            return "Failed" if any(codes) else "Succeeded"
        return "Running" if begun else "Pending"

    def _host_ip(self, node: str) -> str:
        found = self._world.store.get(NODE, None, node) or {}
        addresses = (found.get("status") or {}).get("addresses") or ()
        return next((str(a["address"]) for a in addresses if a["type"] == "InternalIP"), "10.224.0.4")

    def _address(self, pod: Json, host_ip: str) -> str:
        """The next address of the node's pod network; pods on the host's network have the host's."""
        if pod["spec"].get("hostNetwork"):
            return host_ip
        node = pod["spec"]["nodeName"]
        network = [*self._addresses].index(node) if node in self._addresses else len(self._addresses)
        number = self._addresses[node] = self._addresses.get(node, 3) + 1
        return f"10.{244 + network // 256}.{network % 256}.{number % 250 + 4}"


def _fate_moved(pod: Json, old: Json) -> bool:
    return pods.notes(pod).get(ANNOTATION) != pods.notes(old).get(ANNOTATION)


def _conditions(containers: list[ContainerLife], before: Json, begun: bool, stamp: str) -> list[Json]:
    """The five conditions of a pod, each with the time it last changed."""
    past = {condition["type"]: condition for condition in before.get("conditions") or ()}
    unready = [container.name for container in containers if not container.ready]
    not_ready: Json = {}
    if unready:
        not_ready = {"reason": "ContainersNotReady", "message": _UNREADY.format(" ".join(unready))}
    wanted: tuple[tuple[str, bool, Json], ...] = (
        ("PodReadyToStartContainers", begun, {}),
        ("Initialized", True, {}),
        ("Ready", not unready, not_ready),
        ("ContainersReady", not unready, not_ready),
        ("PodScheduled", True, {}),
    )
    conditions = []
    for kind, truth, extra in wanted:
        status, old = str(truth), past.get(kind)
        since = old["lastTransitionTime"] if old is not None and old["status"] == status else stamp
        head = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
        conditions.append({**head, **extra})
    return conditions
