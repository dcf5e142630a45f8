"""Evictions, sent as a drain sends them: each asks the pod's disruption budget, and waits where that says not now.

What got no answer is not sent again; what was refused for now is, until the time is over or somebody stops it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from probes.errors import ProbeError
from runbook.errors import NotSent, Refused, Uncertain
from runbook.plan import Json
from runbook.scene import api_path

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.mitigation import Tell
    from runbook.scene import Scene

AT_ONCE = 4  # requests under way
PAUSES = (1.0, 2.0, 5.0)  # seconds between two tries of one pod; kubectl's are 5
NOT_NOW, NOT_FOUND, CONFLICT, FORBIDDEN = 429, 404, 409, 403
TERMINATING = "because it is being terminated"  # the API server's words (NamespaceLifecycle), in every version
EVICTION = "policy/v1"  # since Kubernetes 1.22

Victim = tuple[str, str, str]  # namespace, name, UID


class Tally(Struct):
    """What became of each pod, by ``namespace/name``; what must wait, was refused or got no answer, with the words."""

    evicted: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)  # before it was asked to go
    waiting: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)


async def eviction_version(scene: Scene) -> str:
    """In which version the server wants its evictions: ``policy/v1``, or ``policy/v1beta1`` before 1.22."""
    try:
        served = await scene.read("/api/v1")
    except ProbeError:
        return EVICTION
    for resource in served.get("resources") or ():
        if resource.get("name") == "pods/eviction" and resource.get("group") and resource.get("version"):
            return f"{resource['group']}/{resource['version']}"
    return EVICTION


class Evictor:
    """Sees the evictions of one drain out. ``stopped``: somebody stopped it before all was settled."""

    def __init__(self, hands: Hands, version: str, victims: Sequence[Victim], tell: Tell) -> None:
        self.tally = Tally()
        self._hands = hands
        self._version = version
        self._victims = victims
        self._tell = tell
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._stop = asyncio.Event()
        self._until = 0.0

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """Send nothing more. What is on its way gets its answer."""
        self._stop.set()

    async def see_out(self, seconds: float) -> None:
        """Evict them all; returns when each is settled, the time is over, or it is stopped (also by cancelling)."""
        self._until = asyncio.get_running_loop().time() + seconds
        everything = asyncio.gather(*(self._one(victim) for victim in self._victims), return_exceptions=True)
        while not everything.done():
            try:
                await asyncio.wait({everything})
            except asyncio.CancelledError:
                self.stop()
        for result in everything.result():
            if isinstance(result, BaseException):  # a defect of ours; by now nothing is on its way any more
                raise result

    async def _one(self, victim: Victim) -> None:
        place = f"{victim[0]}/{victim[1]}"
        for pause in chain(PAUSES, repeat(PAUSES[-1])):
            async with self._slots:
                if self._over:
                    self.tally.waiting.setdefault(place, "it was not its turn yet")
                    return
                why = await self._ask(victim, place)
            if not why:
                self.tally.waiting.pop(place, None)
                return
            if place not in self.tally.waiting:
                self._tell(f"{place} waits: {why}")
            self.tally.waiting[place] = why
            await self._rest(pause)

    @property
    def _over(self) -> bool:
        return self.stopped or asyncio.get_running_loop().time() >= self._until

    async def _rest(self, seconds: float) -> None:
        left = max(0.0, self._until - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(min(seconds, left)):
                await self._stop.wait()
        except TimeoutError:
            pass

    async def _ask(self, victim: Victim, place: str) -> str:
        """Send one eviction. Why it must be sent again later; empty when this pod is settled."""
        namespace, name, uid = victim
        body: Json = {
            "apiVersion": self._version,
            "kind": "Eviction",
            "metadata": {"namespace": namespace, "name": name},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        tally, total = self.tally, len(self._victims)
        try:
            await self._hands.create(f"{api_path('v1', namespace, 'pods', name)}/eviction", body)
        except Refused as refusal:
            if refusal.status == NOT_NOW:  # refused before anything was done, so it may be asked again
                return "its disruption budget allows no eviction now" if "budget" in str(refusal) else str(refusal)
            if refusal.status == FORBIDDEN and TERMINATING in str(refusal):  # the pod goes by itself; as kubectl waits
                return "its namespace is being deleted, and takes it along"
            if refusal.status == NOT_FOUND or (refusal.status == CONFLICT and "UID" in str(refusal)):
                tally.gone.append(place)
                self._tell(f"{place} was gone already")
            else:
                tally.refused[place] = str(refusal)
                self._tell(f"{place} stays: {refusal}")
        except NotSent as error:
            return str(error)
        except Uncertain as error:
            tally.unanswered[place] = str(error)
            self._tell(f"{place}: {error}; it is not asked again")
        else:
            tally.evicted.append(place)
            self._tell(f"evicted {place} ({len(tally.evicted) + len(tally.gone)} of {total})")
        return ""


async def undisturbed(work: Coroutine[Any, Any, Json]) -> tuple[Json, bool]:
    """Let a request get its answer although somebody stops meanwhile; the answer, and whether somebody did."""
    task, stopped = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            stopped = True
    return task.result(), stopped
