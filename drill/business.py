"""What the platform does for its customers, besides being pods: work that arrives, hosts it needs, who breaks in.

Each part is there only where the scenario has it. The platform asks here what ails a service, what its logs say, and
how many payments a database has that are not settled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from drill import voices_intruder, voices_payments
from drill.ailing import Ailing
from drill.good import Good
from drill.health import HealthEndpoints
from drill.intruder import Intruder
from drill.loads import Loads
from drill.mesh import ABORTED, aborted
from drill.network import Network
from drill.payments import PaymentQueue, Standing
from drill.scenario import Scenario, seconds
from drill.script import External, Traffic
from drill.voices import Voice
from drill.world import World

Json = dict[str, Any]

INTRUDED: Final = "INTRUDED"  # stands in a scenario for the name of a pod that only chance decides
_EARLIER: Final = 60.0  # seconds before the first thing that can happen to a queue, from which it is looked at
_QUICK: Final = 0.03  # seconds of an answer by the mesh
_HTTPS: Final = 443
_FAILS: Final = 500


class Business:
    """``start`` is the world instant that the scenario's offsets are relative to."""

    def __init__(
        self, scenario: Scenario, world: World, network: Network, health: HealthEndpoints, start: float
    ) -> None:
        self.voices: dict[str, Voice] = {}  # how containers talk that have something of their own to say, by name
        self._network = network
        self._world = world
        space = scenario.namespace
        loads = Loads(world.store, space, {service.name: service.load for service in scenario.services})
        health.complaints.append(loads.complaint)
        if any(service.mesh for service in scenario.services):
            health.complaints.append(lambda service: _answered_for(aborted(world.store, space, service), service))
        self.steps: dict[type[Any], Callable[[Any], None]] = {Traffic: loads.turn, External: self._turn}
        self.queue = self._queue(scenario, start)
        if self.queue is not None:
            part = self.queue.part
            health.complaints.append(self.queue.complaint)
            self.voices[part.service] = voices_payments.settling(self._standing, part.gateway)
            self.voices[part.processor] = voices_payments.replaying(self._standing, part.gateway)

        self.intruder = self._intruder(scenario, start)
        if self.intruder is not None:
            name = self.intruder.part.service
            usual = next(service.log for service in scenario.services if service.name == name)
            health.complaints.append(self.intruder.complaint)
            self.voices[name] = voices_intruder.intruded(self.intruder, usual)

    def named(self, good: Good | None) -> Good | None:
        """What is good, with the name of the pod for ``INTRUDED`` in which somebody is who should not be."""
        if good is None or self.intruder is None:
            return good
        name = self.intruder.first
        path = tuple(
            replace(step, evidence=step.evidence.replace(INTRUDED, name), target=step.target.replace(INTRUDED, name))
            for step in good.path
        )
        return replace(good, path=path)

    def pending(self, older: float = 0.0) -> int:
        """Payments that are older than so many seconds and not settled; none, where the scenario has no payments."""
        return self.queue.pending(older) if self.queue is not None else 0

    def _queue(self, scenario: Scenario, start: float) -> PaymentQueue | None:
        part = scenario.payments
        if part is None:
            return None
        first = min((seconds(step.at) for step in scenario.script if isinstance(step, External)), default=0.0)
        since = start + min(first, 0.0) - _EARLIER
        return PaymentQueue(
            part,
            self._world,
            scenario.namespace,
            reach=lambda pod: self._met(pod, part.gateway),
            is_open=lambda: aborted(self._world.store, scenario.namespace, part.service) is None,
            since=since,
        )

    def _intruder(self, scenario: Scenario, start: float) -> Intruder | None:
        part = scenario.intrusion
        if part is None:
            return None
        return Intruder(part, self._world, scenario.namespace, lambda pod: self._met(pod, part.outside), start)

    def _turn(self, step: External) -> None:
        """A host outside changes; one that fails only some looks well to who asks it once."""
        known = self._network.externals[step.host]
        if self.queue is not None and step.host == self.queue.part.gateway:
            self.queue.failing = step.share if 0 < step.share < 1 else 0.0
        if step.share == 1:
            self._network.externals[step.host] = replace(known, fate=step.fate, status=step.status, body=step.body)

    def _met(self, pod: Json, host: str) -> str:
        """What a pod meets that dials a host, "" where it is answered."""
        found = self._network.find(pod, host, _HTTPS, tls=True)
        if found.trouble:
            return found.trouble
        status = self._network.answer(pod, host, _HTTPS, "/health").status
        return str(status) if status >= _FAILS else ""

    def _standing(self, wall: float) -> Standing:
        assert self.queue is not None
        return self.queue.at(self._world.clock.instant(wall))


def _answered_for(status: int | None, service: str) -> Ailing | None:
    return None if status is None else Ailing("Unhealthy", f"{service}: answered {status}, {ABORTED}", _QUICK)
