"""What stands around a pod that is to be quarantined: who sends to it, who owns it, which policies are about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from probes.errors import ProbeError
from probes.objects import KINDS
from runbook.plan import Json
from runbook.quarantine_policy import LABEL, POLICY, SELECTOR, VERSION, YES, allows, holds, labels_of
from runbook.selectors import as_query, equal_selects
from runbook.workloads import controller_of, is_finished, is_ready

if TYPE_CHECKING:
    from runbook.scene import Scene

T = TypeVar("T")
Unknown = ProbeError
"""Why something could not be looked at, in the place of what was looked for."""

_SLICES = ("discovery.k8s.io/v1", "discovery.k8s.io/v1beta1")
_TELLING = ("In", "Exists")  # the operators by which an expression needs a label to be there


class Owner(Struct, frozen=True, kw_only=True):
    """Who manages the pod. ``selector`` None: it could not be read. ``pods`` it wants, ``ready`` it has, ours too.

    ``replaces``: it starts another pod when this one is released.
    """

    kind: str
    name: str
    uid: str
    selector: Json | None = None
    pods: int = 0
    ready: int = 0

    @property
    def replaces(self) -> bool:
        return self.kind in ("ReplicaSet", "DaemonSet", "ReplicationController", "Job")

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Place(Struct, frozen=True, kw_only=True):
    """Everything is of the pod's namespace. ``services`` are those that select the pod as it is labelled now."""

    pod: Json
    services: list[Json] | Unknown
    policies: list[Json] | Unknown
    quarantined: list[str] | Unknown  # other pods with the label
    owner: Owner | None
    networks: list[str] | Unknown  # the daemon sets of kube-system

    @property
    def labels(self) -> dict[str, str]:
        return labels_of(self.pod)

    @property
    def service_names(self) -> list[str]:
        return names(self.services) if isinstance(self.services, list) else []

    @property
    def policy(self) -> Json | Unknown | None:
        """The NetworkPolicy that has the quarantine's name."""
        if not isinstance(self.policies, list):
            return self.policies
        return next((one for one in self.policies if _name(one) == POLICY), None)

    def open_by(self, labels: Mapping[str, str]) -> list[Json]:
        """The other policies that would be about a pod with these labels and let something through."""
        found = self.policies if isinstance(self.policies, list) else []
        return [one for one in found if _name(one) != POLICY and allows(one) and holds(one, labels)]

    def selecting(self) -> dict[str, str]:
        """The pod's labels by which services, its owner and the policies that let something through find it."""
        keys: set[str] = set()
        for service in self.services if isinstance(self.services, list) else ():
            keys |= set((service.get("spec") or {}).get("selector") or {})
        for policy in self.open_by(self.labels):
            keys |= _keys((policy.get("spec") or {}).get("podSelector"))
        if self.owner is not None and self.owner.kind != "StatefulSet":
            keys |= _keys(self.owner.selector)
        return {key: value for key, value in self.labels.items() if key in keys and key != LABEL}


def quarantined_labels(labels: Mapping[str, str], moved: Iterable[str]) -> dict[str, str]:
    """A pod's labels once it is in quarantine."""
    gone = set(moved)
    return {key: value for key, value in labels.items() if key not in gone} | {LABEL: YES}


def overwrite(labels: Mapping[str, str], wanted: Mapping[str, str]) -> tuple[str, ...]:
    """What ``kubectl label`` wants to be told before it changes the value of a label."""
    changes = any(key in labels and labels[key] != value for key, value in wanted.items())
    return ("--overwrite",) if changes else ()


def patched(pod: Json, body: Json) -> Json:
    """The pod after a merge patch of its labels and annotations, worked out here."""
    metadata = dict(pod.get("metadata") or {})
    for field, changes in body["metadata"].items():
        merged = {**(metadata.get(field) or {}), **changes}
        metadata[field] = {key: value for key, value in merged.items() if value is not None}
    return {**pod, "metadata": metadata}


async def look_around(scene: Scene, namespace: str, pod: Json) -> Place:
    """Everything at once; what may not be read is in its place the error that says so."""
    labels, me = labels_of(pod), _name(pod)
    services, policies, quarantined, owner, networks = await asyncio.gather(
        asked(scene.items(("v1",), namespace, "services")),
        asked(scene.items((VERSION,), namespace, "networkpolicies")),
        asked(scene.items(("v1",), namespace, "pods", SELECTOR)),
        owner_of(scene, namespace, pod),
        asked(scene.items(("apps/v1",), "kube-system", "daemonsets")),
    )
    if isinstance(services, list):
        services = [one for one in services if equal_selects((one.get("spec") or {}).get("selector"), labels)]
    others: list[str] | Unknown
    others = [name for name in names(quarantined) if name != me] if isinstance(quarantined, list) else quarantined
    return Place(
        pod=pod,
        services=services,
        policies=policies,
        quarantined=others,
        owner=owner,
        networks=names(networks) if isinstance(networks, list) else networks,
    )


async def owner_of(scene: Scene, namespace: str, pod: Json) -> Owner | None:
    """Who manages a pod, and how many it wants and has."""
    reference = controller_of(pod)
    if reference is None:
        return None
    kind, name = str(reference.get("kind", "")), str(reference.get("name", ""))
    bare = Owner(kind=kind, name=name, uid=str(reference.get("uid", "")))
    if kind not in KINDS or kind == "Node":
        return bare
    try:
        obj = await scene.fetch(kind, namespace, name)
        spec = obj.get("spec") or {}
        selector = spec.get("selector") or {}
        if kind == "ReplicationController":  # its selector is a plain map
            selector = {"matchLabels": selector}
        mine = await owned(scene, namespace, selector, bare.uid)
    except ProbeError:
        return bare
    wanted = int((obj.get("status") or {}).get("desiredNumberScheduled") or 0)
    if kind != "DaemonSet":
        wanted = int(spec.get("replicas", 1)) if kind != "Job" else 0
    return Owner(kind=kind, name=name, uid=bare.uid, selector=selector, pods=wanted, ready=sum(map(is_ready, mine)))


async def owned(scene: Scene, namespace: str, selector: Json, uid: str) -> list[Json]:
    """The pods that a controller with that UID holds, without those that ended. Raises `ProbeError`."""
    found = await scene.items(("v1",), namespace, "pods", as_query(selector))
    return [pod for pod in found if (controller_of(pod) or {}).get("uid") == uid and not is_finished(pod)]


async def services_with(scene: Scene, namespace: str, pod: str) -> set[str]:
    """The services among whose endpoints a pod is. Raises `ProbeError`."""
    found = set()
    for piece in await scene.items(_SLICES, namespace, "endpointslices"):
        service = str(labels_of(piece).get("kubernetes.io/service-name", ""))
        if any(((one.get("targetRef") or {}).get("name")) == pod for one in piece.get("endpoints") or ()):
            found.add(service)
    return found


async def ready_beside(scene: Scene, namespace: str, pod: str) -> dict[str, int]:
    """For each service, its ready endpoints that are not this pod. Raises `ProbeError`."""
    found: dict[str, int] = {}
    for piece in await scene.items(_SLICES, namespace, "endpointslices"):
        service = str(labels_of(piece).get("kubernetes.io/service-name", ""))
        for one in piece.get("endpoints") or ():
            ready = (one.get("conditions") or {}).get("ready") is not False
            beside = (one.get("targetRef") or {}).get("name") != pod
            found[service] = found.get(service, 0) + (ready and beside)
    return found


async def asked(question: Awaitable[T]) -> T | Unknown:
    """The answer, or why there is none."""
    try:
        return await question
    except ProbeError as error:
        return error


def names(objects: list[Json]) -> list[str]:
    return [_name(obj) for obj in objects]


def _name(obj: Json) -> str:
    return str((obj.get("metadata") or {}).get("name", ""))


def _keys(selector: Mapping[str, Any] | None) -> set[str]:
    selector = selector or {}
    found = set(selector.get("matchLabels") or {})
    for expression in selector.get("matchExpressions") or ():
        if expression.get("operator") in _TELLING:
            found.add(str(expression.get("key", "")))
    return found
