"""The rows that probes report: one frozen struct per kind of thing, holding only what is drawn or judged.

Raw objects are not kept (5,000 pods are 30 MB of JSON); `probes.objects` fetches one when asked.
All instants are float seconds since the epoch (UTC), sizes are bytes, processor use is cores.
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct


class Health(IntEnum):
    """Sick first: the order is the order on the screen. Never told by colour alone (see `mark`)."""

    FAILING = 0
    DEGRADED = 1
    HEALTHY = 2
    DORMANT = 3  # finished or switched off on purpose: Completed, cordoned, scaled to 0

    @property
    def mark(self) -> str:
        return "✗!✓○"[self]


class Owner(Struct, frozen=True, gc=False):
    """The workload a pod belongs to: Deployment, StatefulSet, DaemonSet, Job, ReplicaSet, Node …"""

    kind: str
    name: str


class Container(Struct, frozen=True, gc=False, kw_only=True):
    """One container of a pod. ``role`` is init, sidecar (restartable init), app or ephemeral."""

    name: str
    role: str
    image: str
    ready: bool
    state: str  # waiting, running, terminated, or "" when the kubelet has not reported it
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    restarts: int = 0
    started_at: float | None = None
    last_reason: str = ""  # of the previous run
    last_exit_code: int | None = None
    last_finished_at: float | None = None


class Pod(Struct, frozen=True, kw_only=True):
    """A pod. ``status`` is the word that ``kubectl get pods`` prints (pkg/printers/internalversion)."""

    uid: str
    namespace: str
    name: str
    resource_version: str
    status: str
    phase: str
    health: Health
    ready: int  # containers ready, as in kubectl's READY
    total: int
    restarts: int
    restarted_at: float | None  # when a container last ended, as in kubectl's "7 (3m ago)"
    unready_since: float | None  # transition time of the Ready condition while it is False
    node: str
    ip: str
    created_at: float
    deleting_since: float | None
    owner: Owner | None
    app: str  # app.kubernetes.io/name, or ""
    containers: tuple[Container, ...]
    message: str = ""  # of the pod or of the container that explains `status`
    overdue_at: float | None = None  # when it becomes DEGRADED by itself if nothing changes until then

    @property
    def key(self) -> str:
        return self.uid


class Taint(Struct, frozen=True, gc=False):
    key: str
    value: str
    effect: str


class Node(Struct, frozen=True, kw_only=True):
    """A node. ``pressures`` names the conditions that are True and bad (MemoryPressure, DiskPressure …)."""

    uid: str
    name: str
    resource_version: str
    health: Health
    ready: bool
    status: str  # as kubectl prints it: Ready, NotReady, Ready,SchedulingDisabled …
    reason: str  # of the Ready condition when it is not True
    message: str
    changed_at: float | None  # when the condition that explains `health` began
    pressures: tuple[str, ...]
    taints: tuple[Taint, ...]
    cordoned: bool
    roles: tuple[str, ...]
    version: str
    created_at: float
    cpu_allocatable: float  # cores
    memory_allocatable: int  # bytes
    pods_allocatable: int

    @property
    def key(self) -> str:
        return self.uid


class Usage(Struct, frozen=True, gc=False, kw_only=True):
    """What metrics.k8s.io measured for a node (``namespace`` empty) or a pod. Key: ``name`` or ``namespace/name``."""

    namespace: str
    name: str
    cpu: float  # cores
    memory: int  # bytes
    at: float

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Workload(Struct, frozen=True, kw_only=True):
    """A Deployment, StatefulSet or DaemonSet and where its rollout stands."""

    uid: str
    kind: str
    namespace: str
    name: str
    resource_version: str
    health: Health
    desired: int
    updated: int
    ready: int
    available: int
    condition: str  # e.g. "complete", "progressing", "ProgressDeadlineExceeded", "paused"
    message: str
    changed_at: float | None
    created_at: float
    revision: str  # deployment.kubernetes.io/revision or controller-revision-hash, "" if none
    images: tuple[str, ...]
    release: str  # meta.helm.sh/release-name, "" when Helm does not own it

    @property
    def key(self) -> str:
        return self.uid


class Event(Struct, frozen=True, gc=False, kw_only=True):
    """A Kubernetes event, its series folded. ``type`` is Normal or Warning."""

    uid: str
    namespace: str
    name: str
    type: str
    reason: str
    kind: str  # of the object it regards
    object_name: str
    object_uid: str
    message: str
    count: int
    first_at: float
    last_at: float
    reporter: str

    @property
    def key(self) -> str:
        return self.uid


class Revision(Struct, frozen=True, gc=False, kw_only=True):
    """One revision of a Helm release. Chart fields are empty until the Secret was decoded."""

    number: int
    status: str
    updated: float | None
    secret: str  # the Secret's name
    chart: str = ""
    chart_version: str = ""
    app_version: str = ""
    description: str = ""
    rollback_to: int | None = None


class Release(Struct, frozen=True, kw_only=True):
    """A Helm release: the fields of its newest revision, and its history, newest first."""

    namespace: str
    name: str
    health: Health
    revision: int
    status: str
    updated: float | None
    chart: str
    chart_version: str
    app_version: str
    description: str
    history: tuple[Revision, ...]

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


class Endpoint(Struct, frozen=True, kw_only=True):
    """One HTTP health endpoint and its last check. ``history`` is (instant, latency in ms or -1 if it failed)."""

    name: str
    url: str
    health: Health
    ok: bool | None  # None before the first check
    status: int | None
    latency_ms: float | None
    error: str
    excerpt: str  # of the body, at most 2 KiB
    tls_expires_at: float | None
    checked_at: float | None
    changed_at: float | None  # when `ok` last changed
    history: tuple[tuple[float, float], ...]

    @property
    def key(self) -> str:
        return self.url


class Commit(Struct, frozen=True, gc=False, kw_only=True):
    """One commit of the configured checkout."""

    commit: str
    author: str
    subject: str
    at: float

    @property
    def key(self) -> str:
        return self.commit
