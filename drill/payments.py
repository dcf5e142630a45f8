"""The queue of payments behind a host outside: what waits while that fails, what works it down, what a restart loses.

Payments are counted, not kept: a flow into the queue and one out of it, looked at every few seconds of the world. They
leave it in the order in which they came. Where a pod reaches the host is asked of the network, pod by pod, so that a
policy that cuts a pod off counts like a host that is down.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from drill import pods
from drill.ailing import Ailing
from drill.kinds import Kind
from drill.parts import Payments
from drill.world import POD, World

Json = dict[str, Any]

_LOOK: Final = 5.0  # seconds between two looks
_KEPT: Final = 1_500  # looks, two hours of them
_NAME: Final = "app.kubernetes.io/name"
_ANSWERS: Final = 0.12  # seconds that the service itself takes to say how it is
_SOME: Final = 0.1  # of the limit: so many that wait are said to


class Standing(Struct, frozen=True):
    """How the queue stood at an instant of the world; ``trouble`` is what pods met that dialled the host, "" for none.

    ``oldest`` is in seconds, ``lost`` counts those that nobody tries again, ``drains`` is what left the queue a second.
    ``open``: new ones reach the service.
    """

    at: float
    trouble: str = ""
    waiting: int = 0
    oldest: float = 0.0
    lost: int = 0
    drains: float = 0.0
    open: bool = True


class PaymentQueue:
    """``reach`` is asked what a pod meets that dials the host: "" where all is well; ``is_open`` whether requests reach
    the service. Looks begin at ``since``.
    """

    def __init__(
        self,
        part: Payments,
        world: World,
        namespace: str,
        reach: Callable[[Json], str],
        is_open: Callable[[], bool],
        since: float,
    ) -> None:
        self.part = part
        self.failing = 0.0  # the share of tries that fail although the host answers
        self._world = world
        self._namespace = namespace
        self._reach = reach
        self._is_open = is_open
        self._came: list[tuple[float, float]] = [(since, 0.0)]  # (instant, how many had ever come by then)
        self._left = 0.0  # how many have ever left it
        self._lost: list[tuple[float, int]] = []  # (when they came, how many)
        self._held: dict[str, int] = {}  # by pod
        self._seen: deque[Standing] = deque([Standing(since)], maxlen=_KEPT)
        self._at = since
        world.store.subscribe(self._observe)
        world.clock.at(since, self._look)

    @property
    def now(self) -> Standing:
        return self._seen[-1]

    def at(self, instant: float) -> Standing:
        """How it stood at an instant of the world, to a few seconds."""
        found = bisect_right(self._seen, instant, key=lambda one: one.at)
        return self._seen[max(0, found - 1)]

    def pending(self, older: float = 0.0) -> int:
        """The payments that are older than so many seconds and not settled, those that were lost among them."""
        limit = self._world.clock.now - older
        return max(0, round(self._by(limit) - self._left)) + sum(n for came, n in self._lost if came <= limit)

    def complaint(self, service: str) -> Ailing | None:
        """What ails the service that takes them in; its process is well all the while."""
        now, limit = self.now, self.part.limit
        if service != self.part.service or not (now.trouble or now.waiting > limit * _SOME):
            return None
        wait = f"{now.waiting} payments wait, the oldest for {now.oldest / 60:.0f} min"
        if now.trouble:
            return Ailing("Unhealthy", f"{service}: {self.part.gateway}: {told(now.trouble)}; {wait}", _ANSWERS)
        return Ailing("Unhealthy" if now.waiting > limit else "Degraded", f"{service}: {wait}", _ANSWERS)

    # The flow

    def _look(self) -> None:
        part, clock = self.part, self._world.clock
        now, seconds = clock.now, clock.now - self._at
        takers, workers = self._ready(part.service), self._ready(part.processor)
        met = {pod["metadata"]["uid"]: self._reach(pod) for pod in (*takers, *workers)}
        share = 1.0 - self.failing
        strength = share * part.settles * sum(not met[pod["metadata"]["uid"]] for pod in takers)
        is_open = self._is_open()
        fresh = part.arrive if takers and is_open else 0.0
        settled = min(fresh * share, strength)
        came = self._came[-1][1] + (fresh - settled) * seconds
        spare = strength - settled + share * part.works * sum(not met[pod["metadata"]["uid"]] for pod in workers)
        gone = min(came - self._left, spare * seconds)
        self._left += gone
        if came > self._came[-1][1]:
            if self._came[-1][0] < self._at:  # none came for a while
                self._came.append((self._at, self._came[-1][1]))
            self._came.append((now, came))
        waiting = round(came - self._left)
        troubled = [uid for uid, trouble in met.items() if trouble]
        self._held = {uid: min(part.holds, waiting // len(troubled)) for uid in troubled}
        mine = [met[pod["metadata"]["uid"]] for pod in takers]
        self._at = now
        self._seen.append(
            Standing(
                at=now,
                trouble=mine[0] if mine and all(mine) else "",
                waiting=waiting,
                oldest=now - self._instant(self._left) if waiting else 0.0,
                lost=sum(n for _, n in self._lost),
                drains=gone / seconds if seconds else 0.0,
                open=is_open,
            )
        )
        clock.after(_LOOK, self._look)

    def _observe(self, change: str, kind: Kind, obj: Json, old: Json | None) -> None:
        """What a pod held ends with it: nobody else knows of those, and they stay as they are."""
        held = self._held.pop(obj["metadata"]["uid"], 0) if kind is POD and change == "DELETED" else 0
        if held:
            self._lost.append((self._instant(self._left), held))
            self._left = min(self._left + held, self._came[-1][1])

    def _ready(self, service: str) -> list[Json]:
        found = self._world.store.list(POD, self._namespace)
        return [pod for pod in found if pods.labels(pod).get(_NAME) == service and pods.is_ready(pod)]

    def _by(self, instant: float) -> float:
        """How many had ever come by an instant."""
        at = bisect_right(self._came, instant, key=lambda one: one[0])
        if at == 0:
            return 0.0
        if at == len(self._came):
            return self._came[-1][1]
        (begin, before), (end, after) = self._came[at - 1], self._came[at]
        return before + (after - before) * (instant - begin) / (end - begin)

    def _instant(self, number: float) -> float:
        """When the payment with that number came."""
        at = bisect_right(self._came, number, key=lambda one: one[1])
        if at == len(self._came):
            return self._came[-1][0]
        if at == 0:
            return self._came[0][0]
        (begin, before), (end, after) = self._came[at - 1], self._came[at]
        return begin + (end - begin) * (number - before) / (after - before)


def told(trouble: str) -> str:
    """A trouble in the words of who met it."""
    words = {
        "silent": "no answer in 10000 ms",
        "unresolved": "name not resolved",
        "refused": "connection refused",
        "untrusted": "certificate not trusted",
    }
    return words.get(trouble, f"answered {trouble}")
