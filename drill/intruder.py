"""An intruder in a pod: what is done there, what stops it, and where it begins again.

The stolen credential is taken by any pod of the service, so that a new pod, or an old version, is no obstacle. Where
the pod ends, the intruder's tool notices that the connection is gone and comes back through another pod. Where a policy
drops what the pod sends, nothing tells the tool: it waits. The traces stand in the log of the pod, and end with that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from drill import pods
from drill.ailing import Ailing
from drill.offsets import seconds
from drill.parts import Intrusion
from drill.world import POD, World

Json = dict[str, Any]

_LOOK: Final = 4.0  # seconds between two looks
_ALARM: Final = (50.0, 95.0)  # seconds between two warnings of the sensor
_CALM: Final = 20.0  # seconds without anything after which customers sign in as ever
_PAGES: Final = 0.35  # requests a second by which customers are read
PAGE: Final = 500  # customers in each
_NAME: Final = "app.kubernetes.io/name"
_SENSOR: Final = "microsoft-defender-sensor"


class Stay(Struct):
    """A time in a pod, in seconds of the world; ``until`` None while it lasts. ``cut`` is when it was cut off."""

    pod: str
    uid: str
    since: float
    until: float | None = None
    cut: float | None = None

    def at(self, instant: float) -> bool:
        """Whether something is done there at that instant."""
        end = min((end for end in (self.until, self.cut) if end is not None), default=instant)
        return self.since <= instant <= end


class Intruder:
    """``dial`` is asked what a pod meets that dials the intruder's host: "" where it is answered.

    ``start`` is the world instant that the scenario's offsets are relative to.
    """

    def __init__(
        self, part: Intrusion, world: World, namespace: str, dial: Callable[[Json], str], start: float
    ) -> None:
        self.part = part
        self.stays: list[Stay] = []
        self._world = world
        self._namespace = namespace
        self._dial = dial
        self._returns = 0.0  # not before
        self._alarm = 0.0
        self._last = float("-inf")  # when something was done last
        world.clock.at(start + seconds(part.at), self._look)

    @property
    def first(self) -> str:
        """The first pod that was entered, "" before that."""
        return self.stays[0].pod if self.stays else ""

    @property
    def active(self) -> bool:
        """Whether something was done in the last moments."""
        return self._world.clock.now - self._last < _CALM

    def instant(self, wall: float) -> float:
        """The world's instant of the wall's."""
        return self._world.clock.instant(wall)

    def stay(self, pod: str, instant: float) -> Stay | None:
        """The time in a pod, up to an instant of the world."""
        return next((stay for stay in reversed(self.stays) if stay.pod == pod and stay.since <= instant), None)

    def read(self, instant: float) -> int:
        """How many customers had been read by an instant of the world."""
        spent = 0.0
        for stay in self.stays:
            end = min(end for end in (stay.until, stay.cut, instant) if end is not None)
            spent += max(0.0, end - stay.since)
        return int(spent * _PAGES) * PAGE

    def complaint(self, service: str) -> Ailing | None:
        """What ails the service: it defends itself, and customers feel it."""
        if service != self.part.service or not self.active:
            return None
        return Ailing("Unhealthy", f"{service}: sign-ins are throttled, 9 of 10 of the last 2000 failed", 0.2)

    def _look(self) -> None:
        now = self._world.clock.now
        here = self.stays[-1] if self.stays and self.stays[-1].until is None else None
        if here is None:
            if now >= self._returns:
                self._enter(now)
        else:
            self._continue(here, now)
        self._world.clock.after(_LOOK, self._look)

    def _enter(self, now: float) -> None:
        """Into a pod that reaches the intruder's host; which one is chance."""
        found = [
            pod
            for pod in self._world.store.list(POD, self._namespace)
            if pods.labels(pod).get(_NAME) == self.part.service and pods.is_ready(pod) and not self._dial(pod)
        ]
        if found:
            pod = self._world.chance.choice(sorted(found, key=lambda one: str(one["metadata"]["name"])))
            self.stays.append(Stay(pod["metadata"]["name"], pod["metadata"]["uid"], now))
            self._act(pod, now)

    def _continue(self, here: Stay, now: float) -> None:
        pod = self._world.store.get(POD, self._namespace, here.pod)
        if pod is None or pod["metadata"]["uid"] != here.uid or pods.is_terminating(pod):
            here.until = now
            waits = seconds(self.part.patience) - (now - here.cut) if here.cut is not None else 0.0
            self._returns = now + max(waits, seconds(self.part.returns))
        elif self._dial(pod):
            here.cut = now if here.cut is None else here.cut
            if now - here.cut > seconds(self.part.patience):
                here.until = now
        elif here.cut is not None:  # whoever held the pod let it go
            here.until = now
            self.stays.append(Stay(here.pod, here.uid, now))
            self._act(pod, now)
        else:
            self._act(pod, now)

    def _act(self, pod: Json, now: float) -> None:
        self._last = now
        if now < self._alarm:
            return
        chance = self._world.chance
        self._alarm = now + chance.uniform(*_ALARM)
        part = self.part
        reason, message = chance.choice(
            (
                (
                    "SuspiciousSignIns",
                    f"unusual sign-in pattern: more than 200 accounts from {part.address} in 5 minutes, "
                    "some of them successfully",
                ),
                (
                    "TokenReuse",
                    f"suspicious token use: one of {part.credential} is used from {part.address}, "
                    "and was issued elsewhere",
                ),
                (
                    "UnusualConnection",
                    f"security alert: connections to {part.outside}, which no pod of {part.service} ever had",
                ),
            )
        )
        self._world.events.say(POD, pod, reason, message, warning=True, component=_SENSOR)
