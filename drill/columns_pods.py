"""The pod's row: READY, STATUS and RESTARTS as printPod of kubernetes/pkg/printers/internalversion works them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from drill import durations
from drill.columns import NONE, Cell, Cells, Columns, age

Json = dict[str, Any]
_TERMINAL: Final = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Restarts:
    """A cell like ``7 (3m ago)``."""

    count: int
    last: float

    def __call__(self, now: float) -> str:
        return f"{self.count} ({durations.human(now - self.last)} ago)"


class _Tally:
    """Restarts and the last one's instant."""

    def __init__(self) -> None:
        self.count = 0
        self.last: float | None = None

    def add(self, status: Json) -> None:
        self.count += status.get("restartCount", 0)
        terminated = (status.get("lastState") or {}).get("terminated")
        finished = durations.instant(terminated.get("finishedAt")) if terminated else None
        if finished is not None and (self.last is None or finished > self.last):
            self.last = finished

    def cell(self) -> Cell:
        return str(self.count) if not self.count or self.last is None else Restarts(self.count, self.last)


def _condition(status: Json, wanted: str) -> bool:
    return any(c.get("type") == wanted and c.get("status") == "True" for c in status.get("conditions") or ())


def _failure(terminated: Json) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


@dataclass(slots=True)
class _Judgement:
    reason: str
    ready: int = 0
    initializing: bool = False


def _judge_init(spec: Json, status: Json, judged: _Judgement, all_restarts: _Tally, sidecar_restarts: _Tally) -> None:
    """The first init container that is not done decides."""
    init = spec.get("initContainers") or []
    sidecars = {container["name"] for container in init if container.get("restartPolicy") == "Always"}
    for position, container in enumerate(status.get("initContainerStatuses") or ()):
        all_restarts.add(container)
        sidecar = container.get("name") in sidecars
        if sidecar:
            sidecar_restarts.add(container)
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if terminated and terminated.get("exitCode", 0) == 0:
            continue
        if sidecar and container.get("started"):
            judged.ready += bool(container.get("ready"))
            continue
        if terminated:
            judged.reason = "Init:" + _failure(terminated)
        elif waiting and waiting.get("reason") not in (None, "", "PodInitializing"):
            judged.reason = f"Init:{waiting['reason']}"
        else:
            judged.reason = f"Init:{position}/{len(init)}"
        judged.initializing = True
        return


def _judge_containers(status: Json, judged: _Judgement, restarts: _Tally) -> None:
    running = False
    for container in reversed(status.get("containerStatuses") or ()):
        restarts.add(container)
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if waiting and waiting.get("reason"):
            judged.reason = waiting["reason"]
        elif terminated:
            judged.reason = _failure(terminated)
        elif container.get("ready") and state.get("running") is not None:
            running = True
            judged.ready += 1
    if judged.reason == "Completed" and running:
        judged.reason = "Running" if _condition(status, "Ready") else "NotReady"


def _pod(pod: Json) -> Cells:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    phase = status.get("phase", "")
    judged = _Judgement(status.get("reason") or phase)
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            judged.reason = "SchedulingGated"
    restarts, sidecar_restarts = _Tally(), _Tally()
    _judge_init(spec, status, judged, restarts, sidecar_restarts)
    if not judged.initializing or _condition(status, "Initialized"):
        restarts = sidecar_restarts
        _judge_containers(status, judged, restarts)
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            judged.reason = "Unknown"
        elif phase not in _TERMINAL:
            judged.reason = "Terminating"
    sidecars = sum(c.get("restartPolicy") == "Always" for c in spec.get("initContainers") or ())
    total = len(spec.get("containers") or ()) + sidecars
    gates = spec.get("readinessGates") or ()
    passed = sum(_condition(status, gate.get("conditionType", "")) for gate in gates)
    return [
        pod["metadata"]["name"],
        f"{judged.ready}/{total}",
        judged.reason,
        restarts.cell(),
        age(pod),
        status.get("podIP") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        f"{passed}/{len(gates)}" if gates else NONE,
    ]


PRINTERS: Final = {
    "Pod": Columns(
        ("Name", "Ready", "Status", "Restarts", "Age"), _pod, ("IP", "Node", "Nominated Node", "Readiness Gates")
    )
}
