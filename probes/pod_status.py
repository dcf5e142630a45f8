"""The word kubectl prints in a pod's STATUS column, its READY and RESTARTS, and how sick that makes the pod.

The first half is a port of ``printPod`` in Kubernetes' pkg/printers/internalversion/printers.go (1.36); where it
looks odd, it is odd there too, and people know the words. The second half, `judge`, is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from probes import wire
from probes.rows import Health

# How long a pod may take to be scheduled, pull its image and start before it counts as sick.
SETTLING = 30.0
# How long past its grace period a pod may linger: the kubelet needs a moment to report.
LINGERING = 15.0
# The kubelet's longest pause between two restarts is five minutes.
_CRASH_MEMORY = 600.0

# Words that mean "broken now" (kubelet: pkg/kubelet/images/types.go, container/sync_result.go, events).
FAILING_WORDS = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "StartError",
        "PreStartHookError",
        "PostStartHookError",
        "PreCreateHookError",
        "ContainerCannotRun",
        "ContainerStatusUnknown",
        "DeadlineExceeded",
        "Error",
        "OOMKilled",
        "Evicted",
        "Failed",
        "NodeLost",
        "UnexpectedAdmissionError",
        "NodeAffinity",
        "Preempting",
        "Shutdown",
        "Terminated",
        "OutOfcpu",
        "OutOfmemory",
        "OutOfpods",
    }
)
# Words of a pod that is on its way up.
_STARTING_WORDS = frozenset({"Pending", "ContainerCreating", "PodInitializing"})
_FAILING_PREFIXES = ("ExitCode:", "Signal:")


class Summary(NamedTuple):
    """kubectl's columns. ``restarted_at`` is epoch seconds of the last end of a container, None if none ended."""

    status: str
    ready: int
    total: int
    restarts: int
    restarted_at: float | None


class Verdict(NamedTuple):
    """``overdue_at``: the instant at which a pod that is still the same then becomes DEGRADED; None if it will not."""

    health: Health
    overdue_at: float | None


_WELL = Verdict(Health.HEALTHY, None)


def summarize(pod: wire.Pod) -> Summary:
    """kubectl's STATUS, READY and RESTARTS of a pod; never raises, whatever is missing."""
    spec, status = pod.spec or wire.PodSpec(), pod.status or wire.PodStatus()
    init_specs, conditions = spec.init_containers or [], status.conditions or []
    phase = status.phase or ""
    word = status.reason or phase
    scheduled = _condition(conditions, "PodScheduled")
    if scheduled is not None and scheduled.reason == "SchedulingGated":
        word = "SchedulingGated"

    sidecars = {c.name for c in init_specs if c.restart_policy == "Always"} if init_specs else frozenset()
    total = len(spec.containers or []) + len(sidecars)
    ready = restarts = sidecar_restarts = 0
    restarted: float | None = None
    sidecar_restarted: float | None = None
    initializing = False
    for index, container in enumerate(status.init_container_statuses or []):
        restarts += container.restart_count
        restarted = _latest(restarted, container)
        if container.name in sidecars:
            sidecar_restarts += container.restart_count
            sidecar_restarted = _latest(sidecar_restarted, container)
        state = container.state or wire.ContainerState()
        if state.terminated is not None and state.terminated.exit_code == 0:
            continue
        if container.name in sidecars and container.started:
            ready += container.ready
            continue
        initializing = True
        if state.terminated is not None:
            word = "Init:" + _end(state.terminated)
        elif state.waiting is not None and state.waiting.reason and state.waiting.reason != "PodInitializing":
            word = "Init:" + state.waiting.reason
        else:
            word = f"Init:{index}/{len(init_specs)}"
        break

    if not initializing or _says(conditions, "Initialized", "True"):
        restarts, restarted = sidecar_restarts, sidecar_restarted
        running = False
        # Backwards, so that the first container's word wins.
        for container in reversed(status.container_statuses or []):
            restarts += container.restart_count
            restarted = _latest(restarted, container)
            state = container.state or wire.ContainerState()
            if state.waiting is not None and state.waiting.reason:
                word = state.waiting.reason
            elif state.terminated is not None:
                word = _end(state.terminated)
            elif container.ready and state.running is not None:
                running = True
                ready += 1
        if word == "Completed" and running:
            word = "Running" if _says(conditions, "Ready", "True") else "NotReady"

    if pod.metadata.deletion_timestamp:
        if status.reason == "NodeLost":
            word = "Unknown"
        elif phase not in ("Succeeded", "Failed"):
            word = "Terminating"
    return Summary(word or "Unknown", ready, total, restarts, restarted)


def judge(pod: wire.Pod, summary: Summary, created_at: float, now: float) -> Verdict:
    """How sick a pod is at the instant ``now``, and when that gets worse by itself."""
    status = pod.status or wire.PodStatus()
    word = summary.status
    if word == "Terminating":
        # The API server sets deletionTimestamp to the end of the grace period, not to the request.
        limit = (wire.instant(pod.metadata.deletion_timestamp) or now) + LINGERING
        return _until(limit, now, Health.HEALTHY)
    bare = word.removeprefix("Init:")
    if status.phase == "Failed" or bare in FAILING_WORDS or bare.startswith(_FAILING_PREFIXES):
        return Verdict(Health.FAILING, None)
    if status.phase == "Succeeded" or word == "Completed":
        return Verdict(Health.DORMANT, None)
    if word == "Unknown":
        return Verdict(Health.DEGRADED, None)
    for container in status.container_statuses or ():
        if not container.ready and _crashed_since(container, now - _CRASH_MEMORY):
            # Between two crashes a container runs for a moment; the pod is no healthier for it.
            return Verdict(Health.FAILING, None)
    if word in _STARTING_WORDS or word.startswith("Init:"):
        scheduled = _condition(status.conditions or (), "PodScheduled")
        if scheduled is not None and scheduled.reason == "Unschedulable":
            return Verdict(Health.DEGRADED, None)
        return _until(created_at + SETTLING, now, Health.HEALTHY)
    if word == "SchedulingGated":
        return _until(created_at + SETTLING, now, Health.HEALTHY)
    if summary.ready < summary.total or _says(status.conditions or (), "Ready", "False"):
        return Verdict(Health.DEGRADED, None)
    return _WELL


def _until(limit: float, now: float, meanwhile: Health) -> Verdict:
    return Verdict(Health.DEGRADED, None) if now >= limit else Verdict(meanwhile, limit)


def _end(terminated: wire.Terminated) -> str:
    if terminated.reason:
        return terminated.reason
    return f"Signal:{terminated.signal}" if terminated.signal else f"ExitCode:{terminated.exit_code}"


def _latest(so_far: float | None, container: wire.ContainerStatus) -> float | None:
    last = container.last_state
    if last is None or last.terminated is None:
        return so_far
    ended = wire.instant(last.terminated.finished_at)
    if ended is None or (so_far is not None and so_far >= ended):
        return so_far
    return ended


def _crashed_since(container: wire.ContainerStatus, since: float) -> bool:
    last = container.last_state
    if last is None or last.terminated is None or last.terminated.exit_code == 0:
        return False
    return (wire.instant(last.terminated.finished_at) or 0.0) >= since


def _says(conditions: Sequence[wire.Condition], kind: str, status: str) -> bool:
    condition = _condition(conditions, kind)
    return condition is not None and condition.status == status


def _condition(conditions: Sequence[wire.Condition], kind: str) -> wire.Condition | None:
    """The condition of that type, of which an object has one at most. A plain loop: every pod is asked thrice."""
    for condition in conditions:
        if condition.type == kind:
            return condition
    return None
