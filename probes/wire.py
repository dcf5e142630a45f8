"""What of a Kubernetes object is read off the wire: structs that name only the fields somebody draws or judges.

Everything has a default and may be null: Go marshals empty lists of some fields as ``null``, and an object that
lacks what it should have must still become a row. Unknown fields are skipped by the decoder without being built,
which is what makes 5,000 pods of 6 KB each cheap. Instants stay text here; `instant` reads them.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar

from msgspec import Raw, Struct
from msgspec.json import Decoder

ItemT = TypeVar("ItemT")


class OwnerReference(Struct, rename="camel", gc=False):
    kind: str = ""
    name: str = ""
    controller: bool | None = None


class Meta(Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    generation: int | None = None
    labels: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None


class Annotated(Meta, frozen=True, rename="camel"):
    """Metadata with annotations: only for kinds whose annotations are read (a pod's can be 256 KiB)."""

    annotations: dict[str, str] | None = None


class Condition(Struct, rename="camel", gc=False):
    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None
    last_update_time: str | None = None


# ---------------------------------------------------------------- lists and watches


class PageMeta(Struct, frozen=True, gc=False, rename={"resource_version": "resourceVersion", "next_page": "continue"}):
    resource_version: str = ""
    next_page: str | None = None


class Page(Struct, Generic[ItemT]):
    """One page of a list. Where an item cannot be read, it is read again with `Raw` ones: one spoils only itself."""

    metadata: PageMeta = PageMeta()
    items: list[ItemT] | None = None


_pages: dict[Any, Decoder[Page[Any]]] = {}


def page_decoder(item: Any) -> Decoder[Page[Any]]:
    """The one decoder of pages of these structs, or of `Raw`."""
    if item not in _pages:
        _pages[item] = Decoder(Page[item])
    return _pages[item]


class WatchLine(Struct):
    """One line of a watch: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR (whose object is a Status)."""

    type: str
    object: Raw


class Anything(Struct):
    """Any object, when only who and which version matters."""

    metadata: Meta = Meta()


# ---------------------------------------------------------------- pods


class ContainerSpec(Struct, rename="camel", gc=False):
    name: str = ""
    image: str | None = None
    restart_policy: str | None = None


class Waiting(Struct, gc=False):
    reason: str | None = None
    message: str | None = None


class Running(Struct, rename="camel", gc=False):
    started_at: str | None = None


class Terminated(Struct, rename="camel", gc=False):
    exit_code: int = 0
    signal: int | None = None
    reason: str | None = None
    message: str | None = None
    started_at: str | None = None
    finished_at: str | None = None


class ContainerState(Struct):
    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Struct, rename="camel"):
    name: str = ""
    state: ContainerState | None = None
    last_state: ContainerState | None = None
    ready: bool = False
    restart_count: int = 0
    started: bool | None = None


class PodSpec(Struct, rename="camel"):
    node_name: str | None = None
    containers: list[ContainerSpec] | None = None
    init_containers: list[ContainerSpec] | None = None
    ephemeral_containers: list[ContainerSpec] | None = None


class PodStatus(
    Struct,
    rename={
        "pod_ip": "podIP",
        "container_statuses": "containerStatuses",
        "init_container_statuses": "initContainerStatuses",
        "ephemeral_container_statuses": "ephemeralContainerStatuses",
    },
):
    phase: str | None = None
    reason: str | None = None
    message: str | None = None
    pod_ip: str | None = None
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    ephemeral_container_statuses: list[ContainerStatus] | None = None


class Pod(Struct):
    metadata: Meta = Meta()
    spec: PodSpec | None = None
    status: PodStatus | None = None


# ---------------------------------------------------------------- nodes


class Taint(Struct, gc=False):
    key: str = ""
    value: str | None = None
    effect: str | None = None


class NodeSpec(Struct):
    unschedulable: bool | None = None
    taints: list[Taint] | None = None


class NodeInfo(Struct, rename="camel", gc=False):
    kubelet_version: str | None = None


class NodeStatus(Struct, rename="camel"):
    allocatable: dict[str, str] | None = None
    conditions: list[Condition] | None = None
    node_info: NodeInfo | None = None


class Node(Struct):
    metadata: Meta = Meta()
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


# ---------------------------------------------------------------- workloads


class TemplateSpec(Struct):
    containers: list[ContainerSpec] | None = None


class Template(Struct):
    spec: TemplateSpec | None = None


class UpdateStrategy(Struct, gc=False):
    type: str | None = None


class WorkloadSpec(Struct, rename="camel"):
    replicas: int | None = None
    paused: bool | None = None
    template: Template | None = None
    update_strategy: UpdateStrategy | None = None


class WorkloadStatus(Struct, rename="camel"):
    """The status fields of Deployments, StatefulSets and DaemonSets together; each kind fills its own."""

    observed_generation: int | None = None
    conditions: list[Condition] | None = None
    replicas: int | None = None
    updated_replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    current_revision: str | None = None
    update_revision: str | None = None
    desired_number_scheduled: int | None = None
    updated_number_scheduled: int | None = None
    number_ready: int | None = None
    number_available: int | None = None


class Workload(Struct):
    metadata: Annotated = Annotated()
    spec: WorkloadSpec | None = None
    status: WorkloadStatus | None = None


# ---------------------------------------------------------------- events


class Regarding(Struct, gc=False):
    kind: str | None = None
    name: str | None = None
    namespace: str | None = None
    uid: str | None = None


class Series(Struct, rename="camel", gc=False):
    count: int | None = None
    last_observed_time: str | None = None


class EventSource(Struct, gc=False):
    component: str | None = None


class NewEvent(Struct, rename="camel"):
    """``events.k8s.io/v1``."""

    metadata: Meta = Meta()
    event_time: str | None = None
    series: Series | None = None
    reporting_controller: str | None = None
    reason: str | None = None
    regarding: Regarding | None = None
    note: str | None = None
    type: str | None = None
    deprecated_source: EventSource | None = None
    deprecated_first_timestamp: str | None = None
    deprecated_last_timestamp: str | None = None
    deprecated_count: int | None = None


class CoreEvent(Struct, rename="camel"):
    """Core ``v1``."""

    metadata: Meta = Meta()
    event_time: str | None = None
    series: Series | None = None
    reporting_component: str | None = None
    reason: str | None = None
    involved_object: Regarding | None = None
    message: str | None = None
    type: str | None = None
    source: EventSource | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    count: int | None = None


# ---------------------------------------------------------------- metrics.k8s.io


class Measured(Struct, frozen=True):
    cpu: str = "0"
    memory: str = "0"


class ContainerMetrics(Struct):
    usage: Measured = Measured()


class Named(Struct, frozen=True, gc=False):
    name: str = ""
    namespace: str = ""


class NodeMetrics(Struct):
    metadata: Named = Named()
    timestamp: str | None = None
    window: str | None = None  # a Go duration
    usage: Measured = Measured()


class PodMetrics(Struct):
    metadata: Named = Named()
    timestamp: str | None = None
    window: str | None = None
    containers: list[ContainerMetrics] | None = None


@lru_cache(maxsize=4096)  # an event has the same time three times, and its pod's neighbours have it, too
def instant(text: str | None) -> float | None:
    """Epoch seconds of an RFC 3339 time (``metav1.Time`` or ``MicroTime``); None if there is none or it is nonsense."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
