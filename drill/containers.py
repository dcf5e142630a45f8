"""One container's life under a kubelet: pulled, started, probed, crashed, held back, restarted; and its status."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from drill.clock import Clock, Timer
from drill.fates import Fate

Json = dict[str, Any]

RUN_SECONDS: Final = {
    Fate.CRASH: 6.0,
    Fate.OOM: 18.0,
    Fate.DONE: 3.0,
}  # from the start of a doomed container to its end
_ENDS: Final = {Fate.CRASH: (1, "Error"), Fate.OOM: (137, "OOMKilled"), Fate.DONE: (0, "Completed")}
BACKOFF_FIRST: Final = 10.0  # seconds; pkg/kubelet: doubles with every crash
BACKOFF_MOST: Final = 300.0
_BACKOFF_FORGIVEN: Final = 600.0  # a run this long starts over
_SYNC: Final = 12.0  # how often a kubelet looks again at a pod that it holds back
_SLOW: Final = 20.0


class Say(Protocol):
    """How a container's events are recorded."""

    def __call__(self, reason: str, message: str, *, container: str, warning: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container's life needs of its kubelet; ``changed`` is called when its status should be written."""

    clock: Clock
    chance: random.Random
    pod: str  # name_namespace(uid), as kubelets write it
    restarts_always: bool
    say: Say
    changed: Callable[[], None]


class ContainerLife:
    """A state machine on the world's clock. `status` is what the kubelet reports of it."""

    def __init__(self, spec: Json, fate: Fate, around: Surroundings) -> None:
        self.name: str = spec["name"]
        self.image: str = spec["image"]
        self.fate = fate
        self.ready = False
        self.restarts = 0
        self.state: Json = {"waiting": {"reason": "ContainerCreating"}}
        self.last: Json = {}
        self._probe: Json | None = spec.get("readinessProbe")
        self._around = around
        self._backoff = 0.0  # before the restart after the next
        self._waited = BACKOFF_MOST
        self._started_at = 0.0
        self._timer: Timer | None = None  # the next turn of its life
        self._probing: Timer | None = None

    @property
    def running(self) -> bool:
        return "running" in self.state

    @property
    def begun(self) -> bool:
        """Whether it ever ran."""
        return "waiting" not in self.state or bool(self.last)

    @property
    def finished(self) -> bool:
        return "terminated" in self.state and not self._around.restarts_always

    def status(self) -> Json:
        return {
            "name": self.name,
            "state": self.state,
            "lastState": self.last,
            "ready": self.ready,
            "restartCount": self.restarts,
            "image": self.image,
            "imageID": _image_id(self.image) if self.begun else "",
            **({"containerID": self._container_id()} if self.begun else {}),
            "started": self.running,
        }

    # Its life

    def start(self) -> None:
        """Pull and run; the pod's status shows ContainerCreating until then."""
        self._next(self._around.chance.uniform(0.6, 1.6), self._pull)

    def resume(self, status: Json) -> None:
        """Take over a container whose status was written before, as a kubelet does that was restarted."""
        self.state, self.last = status.get("state") or {}, status.get("lastState") or {}
        self.ready, self.restarts = status.get("ready", False), status.get("restartCount", 0)
        if self.running:
            self._started_at = self._around.clock.world(self.state["running"]["startedAt"])
            if self.fate is Fate.UNREADY:
                self._become_unready()
            elif self.fate.dies:
                self._next(RUN_SECONDS[self.fate], self._die)
        elif "waiting" in self.state:
            self._backoff = BACKOFF_MOST
            pulling = self.fate is Fate.NO_PULL
            self._next(self._around.chance.uniform(5, BACKOFF_MOST), self._pull if pulling else self._restart)
            if not pulling:
                self._hold_back()

    def turn(self, fate: Fate) -> None:
        """Its fate changes while it lives."""
        was, self.fate = self.fate, fate
        if was is fate:
            return
        if not self.running:
            return  # the next start follows the new fate
        self._cancel()
        if fate.dies:
            self._next(self._around.chance.uniform(0.5, 2.0), self._die)
        elif fate is Fate.UNREADY:
            self._next(0.5, self._become_unready)
        elif not self.ready:
            self._next(self._around.chance.uniform(0.5, 2.0), self._become_ready)

    def stop(self) -> None:
        """Nothing happens to it any more."""
        self._cancel()

    def run_out_of_memory(self) -> None:
        """The kernel kills it, once; it starts again as its restart policy says."""
        if self.running:
            self._end(137, "OOMKilled")

    def reboot(self) -> None:
        """The machine under it was off: it starts at once, and nobody knows how it ended."""
        if self.running:
            self._cancel()
            self.state = {"terminated": self._ended(255, "Unknown")}
            self.ready = False
            self._next(1.0, self._restart)

    def _pull(self) -> None:
        if self.fate is Fate.NO_PULL:
            self._pull_failed()
            return
        self._say("Pulled", f'Container image "{self.image}" already present on machine')
        self._say("Created", f"Created container: {self.name}")
        self._run()

    def _pull_failed(self) -> None:
        problem = (
            f'failed to pull and unpack image "{self.image}": failed to resolve reference "{self.image}": '
            f"{self.image}: not found"
        )
        self._say("Pulling", f'Pulling image "{self.image}"')
        message = f'Failed to pull image "{self.image}": rpc error: code = NotFound desc = {problem}'
        self._say("Failed", message, warning=True)
        self._say("Failed", "Error: ErrImagePull", warning=True)
        reason = {"reason": "ErrImagePull", "message": f"rpc error: code = NotFound desc = {problem}"}
        self._show({"waiting": reason}, ready=False)
        self._backoff = min(max(self._backoff * 2, BACKOFF_FIRST), BACKOFF_MOST)
        self._next(1.5, self._pull_back_off)

    def _pull_back_off(self) -> None:
        message = f'Back-off pulling image "{self.image}"'
        self._say("BackOff", message)
        self._say("Failed", "Error: ImagePullBackOff", warning=True)
        self._show({"waiting": {"reason": "ImagePullBackOff", "message": message}}, ready=False)
        self._next(self._backoff, self._pull)

    def _run(self) -> None:
        around = self._around
        self._started_at = around.clock.now
        self._say("Started", f"Started container {self.name}")
        probed = self._probe is not None or self.fate in (Fate.UNREADY, Fate.SLOW)
        self._show({"running": {"startedAt": around.clock.stamp()}}, ready=not probed)
        if self.fate.dies:
            self._next(RUN_SECONDS[self.fate] * around.chance.uniform(0.9, 1.1), self._die)
            return
        delay = float((self._probe or {}).get("initialDelaySeconds", 2)) + around.chance.uniform(0, 2)
        if self.fate is Fate.UNREADY:
            self._probing = around.clock.after(delay, self._probe_fails)
        elif self.fate is Fate.SLOW:
            self._probing = around.clock.after(delay, self._probe_fails)
            self._next(_SLOW, self._become_ready)
        elif probed:
            self._next(delay, self._become_ready)

    def _become_ready(self) -> None:
        self._cancel()
        self._show(self.state, ready=True)

    def _become_unready(self) -> None:
        self._show(self.state, ready=False)
        self._probe_fails()

    def _probe_fails(self) -> None:
        message = "Readiness probe failed: HTTP probe failed with statuscode: 503"
        self._say("Unhealthy", message, warning=True)
        period = float((self._probe or {}).get("periodSeconds", 10))
        self._probing = self._around.clock.after(period, self._probe_fails)

    def _die(self) -> None:
        self._end(*_ENDS.get(self.fate, _ENDS[Fate.CRASH]))

    def _end(self, code: int, reason: str) -> None:
        around = self._around
        self._cancel()
        self._show({"terminated": self._ended(code, reason)}, ready=False)
        if not around.restarts_always:
            return
        if around.clock.now - self._started_at > _BACKOFF_FORGIVEN:
            self._backoff = 0.0
        delay, self._backoff = self._backoff, min(max(self._backoff * 2, BACKOFF_FIRST), BACKOFF_MOST)
        if delay == 0.0:  # the first restart comes at once
            self._next(1.0, self._restart)
        else:
            self._waited = delay
            self._next(delay, self._restart)
            self._probing = around.clock.after(1.0, self._hold_back)

    def _hold_back(self) -> None:
        around = self._around
        minutes, seconds = divmod(int(self._waited), 60)
        wait = f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
        if "terminated" in self.state:
            self.last = self.state
        message = f"back-off {wait} restarting failed container={self.name} pod={around.pod}"
        if "waiting" not in self.state:
            self._show({"waiting": {"reason": "CrashLoopBackOff", "message": message}}, ready=False)
        message = f"Back-off restarting failed container {self.name} in pod {around.pod}"
        self._say("BackOff", message, warning=True)
        self._probing = around.clock.after(_SYNC * around.chance.uniform(0.9, 1.2), self._hold_back)

    def _restart(self) -> None:
        self._cancel()
        if "terminated" in self.state:
            self.last = self.state
        self.restarts += 1
        self._pull()

    # Small print

    def _ended(self, code: int, reason: str) -> Json:
        stamps = {"startedAt": self._around.clock.stamp(self._started_at), "finishedAt": self._around.clock.stamp()}
        return {"exitCode": code, "reason": reason, **stamps, "containerID": self._container_id()}

    def _show(self, state: Json, *, ready: bool) -> None:
        self.state, self.ready = state, ready
        self._around.changed()

    def _say(self, reason: str, message: str, *, warning: bool = False) -> None:
        self._around.say(reason, message, container=self.name, warning=warning)

    def _next(self, seconds: float, action: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._around.clock.after(seconds, action)

    def _cancel(self) -> None:
        for timer in (self._timer, self._probing):
            if timer is not None:
                timer.cancel()
        self._timer = self._probing = None

    def _container_id(self) -> str:
        return "containerd://" + hashlib.sha256(f"{self._around.pod}/{self.name}/{self.restarts}".encode()).hexdigest()


def _image_id(image: str) -> str:
    repository = image.rpartition(":")[0] or image
    return f"{repository}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"
