"""What is to be captured about which pods, settled when the plan is made: a pod may be gone when its turn comes.

It is JSON in a plan's steps, so it names things and holds nothing of what is in them.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from probes.errors import ProbeError
from probes.objects import KINDS, object_path
from runbook.evidence_folder import HEADROOM, evidence_root, room_left, safe_name
from runbook.plan import Finding, Json, Level, Need
from runbook.scene import api_path

if TYPE_CHECKING:
    from runbook.scene import Scene

_GROUP_VERSION = re.compile(r"[a-z0-9.-]+\.[a-z0-9.-]+/v[a-z0-9]+")  # of a custom resource: its group has a dot
_KIND = re.compile(r"[A-Za-z]+")
_ROLES = (("initContainers", "init"), ("containers", "app"), ("ephemeralContainers", "ephemeral"))


class Container(Struct, frozen=True):
    """``role`` is init, sidecar (an init container that goes on), app or ephemeral."""

    name: str
    role: str


class Owner(Struct, frozen=True):
    """An ownerReference, or what else leads to an object."""

    api_version: str
    kind: str
    name: str


class Subject(Struct, frozen=True, kw_only=True):
    """A pod as it was when the plan was made."""

    name: str
    uid: str
    node: str = ""
    containers: tuple[Container, ...] = ()
    owners: tuple[Owner, ...] = ()
    labels: dict[str, str] = {}


class Order(Struct, frozen=True, kw_only=True):
    """``folder`` is absolute, on the machine ``host``. ``left_out`` pods of the workload are not captured."""

    act: str
    incident: str
    host: str
    folder: str
    namespace: str
    kind: str
    name: str
    subjects: tuple[Subject, ...]
    left_out: int = 0

    @property
    def here(self) -> bool:
        """Whether the folder is on this machine."""
        return self.host == socket.gethostname()


def order_of(
    scene: Scene, act: str, namespace: str, kind: str, name: str, pods: Sequence[Json], left_out: int = 0
) -> Order:
    """The order for these pods of one target; its folder bears the time of now."""
    at = datetime.fromtimestamp(scene.now(), UTC)
    stamp = f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}Z"
    folder = evidence_root() / safe_name(scene.incident or "no-incident") / f"{stamp}-{safe_name(name)}"
    return Order(
        act=act,
        incident=scene.incident,
        host=socket.gethostname(),
        folder=str(folder),
        namespace=namespace,
        kind=kind,
        name=name,
        subjects=tuple(map(subject_of, pods)),
        left_out=left_out,
    )


def in_steps(order: Order) -> Json:
    """The order's JSON form."""
    plain: Json = msgspec.to_builtins(order)
    return plain


def from_steps(value: Any) -> Order:
    return msgspec.convert(value, Order)


def subject_of(pod: Json) -> Subject:
    """A pod's JSON reduced to what leads to the rest. Takes any shape that a server may send."""
    metadata, spec = _object(pod.get("metadata")), _object(pod.get("spec"))
    owners = [
        Owner(str(owner.get("apiVersion", "")), str(owner.get("kind", "")), str(owner.get("name", "")))
        for owner in _objects(metadata.get("ownerReferences"))
    ]
    return Subject(
        name=str(metadata.get("name", "")),
        uid=str(metadata.get("uid", "")),
        node=str(spec.get("nodeName") or ""),
        containers=containers_of(pod),
        owners=tuple(owners),
        labels={str(key): str(value) for key, value in _object(metadata.get("labels")).items()},
    )


def containers_of(pod: Json) -> tuple[Container, ...]:
    """All its containers, in the order in which they start."""
    spec = _object(pod.get("spec"))
    found = []
    for field, role in _ROLES:
        for container in _objects(spec.get(field)):
            goes_on = role == "init" and container.get("restartPolicy") == "Always"
            found.append(Container(str(container.get("name", "")), "sidecar" if goes_on else role))
    return tuple(found)


def reads(namespace: str) -> tuple[Need, ...]:
    """Everything that a capture asks the server for."""
    return (
        Need("get", "pods", namespace=namespace),
        Need("get", "pods", subresource="log", namespace=namespace),
        Need("list", "events", namespace=namespace),
        Need("get", "replicasets", "apps", namespace=namespace),
        Need("get", "deployments", "apps", namespace=namespace),
        Need("list", "services", namespace=namespace),
        Need("list", "networkpolicies", "networking.k8s.io", namespace=namespace),
        Need("get", "nodes"),
        Need("list", "events", namespace="default"),  # a node's
    )


async def readable(scene: Scene, order: Order) -> Finding:
    """What of it this user may read. Never red: what may be read is worth having."""
    try:
        denied = await scene.denied(reads(order.namespace))
    except ProbeError as error:
        return Finding("readable", Level.AMBER, f"the server does not say what may be read: {error}", error.hint)
    who = scene.cluster.user or "this user"
    if not denied:
        return Finding("readable", Level.GREEN, f"{who} may read all of it")
    ask = denied[0]
    scope = f" -n {ask.namespace}" if ask.namespace else ""
    sub = f" --subresource={ask.subresource}" if ask.subresource else ""
    lacking = ", ".join(map(str, denied))
    text = f"{who} may not {lacking}: the evidence will lack that"
    return Finding("readable", Level.AMBER, text, f"kubectl auth can-i {ask.verb} {ask.resource}{sub}{scope}")


def disk(order: Order) -> Finding:
    """Whether there is room where it goes."""
    free = room_left(Path(order.folder))
    if free is None:
        return Finding("disk", Level.AMBER, f"how much room is left in {order.folder} cannot be told")
    if free < HEADROOM:
        text = f"only {sized(free)} are free where it goes: logs will be left out"
        return Finding("disk", Level.AMBER, text, "free some room, or set XDG_STATE_HOME")
    return Finding("disk", Level.GREEN, f"{sized(free)} are free where it goes")


def commands(order: Order, *owners_above: str) -> tuple[tuple[str, ...], ...]:
    """What a person would type to see the same, as argument lists. ``owners_above`` are known from elsewhere."""
    inside = ("-n", order.namespace)
    found: list[tuple[str, ...]] = []
    for subject in order.subjects:
        logs = ("kubectl", "logs", subject.name, *inside, "--all-containers", "--timestamps")
        found += [
            logs,
            (*logs, "--previous", "--ignore-errors"),
            ("kubectl", "get", "pod", subject.name, *inside, "-o", "yaml"),
            ("kubectl", "get", "events", *inside, "--field-selector", f"involvedObject.name={subject.name}"),
        ]
    owners = dict.fromkeys(owner for subject in order.subjects for owner in subject.owners)
    found += [("kubectl", "get", f"{owner.kind.lower()}/{owner.name}", *inside, "-o", "yaml") for owner in owners]
    above = owners_above if order.kind == "Pod" else (f"{order.kind.lower()}/{order.name}",)
    there = {f"{owner.kind.lower()}/{owner.name}" for owner in owners}
    found += [("kubectl", "get", one, *inside, "-o", "yaml") for one in above if one not in there]
    nodes = dict.fromkeys(subject.node for subject in order.subjects if subject.node)
    found += [("kubectl", "get", "node", node, "-o", "yaml") for node in nodes]
    found.append(("kubectl", "get", "networkpolicies,services", *inside, "-o", "yaml"))
    return tuple(found)


def path_of(owner: Owner, namespace: str) -> str:
    """The API path of an owner; for kinds that nobody here knows, the one that its plural most likely has.

    Empty for what is no owner: who may write a pod may write any reference, and must not have a Secret fetched by it.
    """
    if owner.kind in KINDS:
        return "" if owner.kind == "Secret" else object_path(owner.kind, namespace, owner.name)
    if not (_GROUP_VERSION.fullmatch(owner.api_version) and _KIND.fullmatch(owner.kind)):
        return ""
    return api_path(owner.api_version, namespace, f"{owner.kind.lower()}s", owner.name)


def sized(number: int) -> str:
    """Bytes in words: ``412 B``, ``3.4 MB``."""
    if number < 1000:
        return f"{number} B"
    value = float(number)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 1000 or unit == "TB":
            break
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
