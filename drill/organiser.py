"""Who runs a drill for others: has things happen by hand, sees who works and what the script still holds.

Everything that was injected is kept, in order, with its author and what came of it: a debrief lists it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from drill import injections, script, troubles
from drill.azure.faults import AzureFaults
from drill.clock import Clock, Timer
from drill.director import Director
from drill.faults import Faults
from drill.injections import BadStep
from drill.observing import Request
from drill.offsets import seconds
from drill.scenario import Scenario
from drill.server import ApiServer
from drill.statuses import ApiError
from drill.world import NAMESPACE, World

log = logging.getLogger(__name__)

Json = dict[str, Any]

_MOST: Final = 10_000  # injections of one drill
_WORKERS: Final = 200  # users with their programs that are told apart


class Injected(Struct, kw_only=True):
    """Something that was made to happen: times in seconds since the epoch, ``failed`` is why it did not."""

    number: int
    at: float
    by: str
    step: str
    due: float  # when it happens; equal to ``at`` unless it was set for later
    failed: str = ""


class Worker(Struct, kw_only=True):
    """Somebody who asks: a user with one program. ``last`` in seconds since the epoch."""

    user: str
    program: str
    requests: int = 0
    writes: int = 0
    last: float = 0.0
    wrote: str = ""  # the last write, as ``PATCH /apis/…``


class Organiser:
    """Acts on one platform. ``faults`` are those of its addresses, by the name that `troubles.Of` gives them."""

    def __init__(
        self,
        scenario: Scenario,
        world: World,
        director: Director,
        server: ApiServer,
        azure: AzureFaults | None,
        told: Callable[[Injected], None] = lambda injected: None,
    ) -> None:
        self.scenario = scenario
        self.injected: list[Injected] = []
        self._longer = scenario  # with what was injected, so that the next one is checked against that too
        self._world = world
        self._clock: Clock = world.clock
        self._director = director
        self._server = server
        self._faults: dict[str, Faults | AzureFaults] = {"kubernetes": server.faults}
        if azure is not None:
            self._faults["azure"] = azure
        self._told = told
        self._workers: dict[tuple[str, str], Worker] = {}
        self._ends: dict[str, tuple[Callable[[], None], Timer | None]] = {}  # what lasts, and how it ends
        self._turning: set[asyncio.Task[None]] = set()
        services, nodes = [one.name for one in scenario.services], [one.name for one in scenario.nodes]
        self._names = {"service": services, "while_down": services, "node": nodes, "namespace": [scenario.namespace]}
        self._forms = [msgspec.to_builtins(form) for form in injections.forms(scenario)]
        server.observers.append(self._see)

    async def stop(self) -> None:
        """Take no more notice of who works."""
        if self._see in self._server.observers:
            self._server.observers.remove(self._see)
        await asyncio.gather(*self._turning, return_exceptions=True)

    # Acting

    def inject(self, text: str, by: str) -> Injected:
        """Have something happen (see `injections.parse`), and keep that it was. Raises `BadStep`; it is not kept."""
        if len(self.injected) >= _MOST:
            raise BadStep(f"{_MOST} steps were injected: that is enough for one drill")
        elapsed = self._clock.now - self._director.start
        step = injections.parse(text, self._longer, elapsed)
        now = self._clock.wall()
        kept = Injected(
            number=len(self.injected) + 1, at=now, by=by, step=injections.written(step), due=self._due(step, elapsed)
        )
        if isinstance(step, troubles.Trouble):
            self._trouble(step)
        else:
            self._longer = replace(self._longer, script=(*self._longer.script, step))
            if seconds(step.at) - elapsed > 0.5:
                self._clock.at(self._director.start + seconds(step.at), lambda: self._carry_out(step, kept))
            else:
                self._carry_out(step, kept)
        self.injected.append(kept)
        log.info("injected by %s: %s", by, kept.step)
        self._told(kept)
        return kept

    def _due(self, step: script.Step | troubles.Kind, elapsed: float) -> float:
        now = self._clock.now
        if isinstance(step, troubles.Trouble) or seconds(step.at) - elapsed <= 0.5:
            return self._clock.wall(now)
        return self._clock.wall(self._director.start + seconds(step.at))

    def _carry_out(self, step: script.Step, kept: Injected) -> None:
        try:
            self._director.carry_out(step)
        except (ApiError, LookupError, ValueError) as error:  # participants may have changed what the step is about
            log.warning("%s could not be carried out: %r", kept.step, error)
            kept.failed = f"the platform refused it: {error}"
        except Exception as error:  # the drill goes on, and the record says so
            log.exception("%s could not be carried out", kept.step)
            kept.failed = f"something went wrong that should not: {error!r:.200}"

    def _trouble(self, step: troubles.Kind) -> None:
        match step:
            case troubles.Well():
                self.make_well()
            case troubles.Cut():
                self._server.drop_connections()
            case troubles.Compacted():
                self._server.expire_watches()
            case troubles.Message():
                self._say(step)
            case troubles.Throttled(requests=requests):
                self._of(step.of).throttled += requests
            case troubles.LostWrites(requests=requests, done=done):
                name, faults = "unanswered" if done else "unheard", self._of(step.of)
                setattr(faults, name, getattr(faults, name) + requests)
            case troubles.Gone():
                self._turn(self._server.refuse())
                self._last("gone", lambda: self._turn(self._server.accept()), step.lasts)
            case troubles.Closed(namespace=namespace):
                self._server.faults.closed.add(namespace)
                self._last(f"closed {namespace}", lambda: self._server.faults.closed.discard(namespace), step.lasts)
            case troubles.NoMetrics():
                self._switch(self._server.faults, "no_metrics", True, step.lasts)
            case troubles.NoWatches():
                self._switch(self._server.faults, "no_watches", True, step.lasts)
                self._server.end_watches()
            case troubles.LoggedOut():
                self._switch(self._of(step.of), "logged_out", True, step.lasts, step.of)
            case troubles.Frozen():
                faults = self._of(step.of)
                faults.freeze()
                self._last(f"frozen {step.of}", faults.thaw, step.lasts)
            case troubles.Error():
                self._of(step.of).only = step.only
                self._switch(self._of(step.of), "error", step.status, step.lasts, step.of)
            case troubles.Slow():
                self._of(step.of).only = step.only
                self._switch(self._of(step.of), "delay", seconds(step.by), step.lasts, step.of)

    def _of(self, name: str) -> Faults | AzureFaults:
        if name not in self._faults:
            raise BadStep("of: this scenario has nothing in Azure")
        return self._faults[name]

    def _switch(self, faults: Faults | AzureFaults, name: str, value: object, lasts: str, of: str = "") -> None:
        usual = {"error": None, "delay": 0.0}.get(name, False)
        setattr(faults, name, value)
        self._last(f"{name} {of}".strip(), lambda: setattr(faults, name, usual), lasts)

    def _last(self, name: str, end: Callable[[], None], lasts: str) -> None:
        """Remember how something ends; the same thing again begins anew."""
        before = self._ends.pop(name, None)
        if before is not None and before[1] is not None:
            before[1].cancel()
        timer = self._clock.after(seconds(lasts), lambda: self._end(name)) if lasts else None
        self._ends[name] = end, timer

    def _end(self, name: str) -> None:
        end, timer = self._ends.pop(name)
        if timer is not None:
            timer.cancel()
        end()

    def make_well(self) -> None:
        """End all that lasts, and what waits for further requests."""
        for name in [*self._ends]:
            self._end(name)
        for faults in self._faults.values():
            faults.throttled = faults.unheard = faults.unanswered = 0
            faults.only = ""

    def _turn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="the API server goes or comes")
        self._turning.add(task)
        task.add_done_callback(self._turning.discard)

    def _say(self, step: troubles.Message) -> None:
        space = self.scenario.namespace
        found = self._world.store.get(NAMESPACE, None, space)
        if found is None:
            raise BadStep(f"the namespace {space} is gone, so there is nowhere to say it")
        about = {**found, "metadata": {**found["metadata"], "namespace": space}}
        say = self._world.events.say
        say(NAMESPACE, about, "Organiser", step.text, warning=step.warning, component="drill-control")

    # Looking

    def _see(self, request: Request) -> None:
        user = self._server.access.user(request.headers.get("Authorization"))
        name = "a wrong token" if user is None else user.name
        program = request.headers.get("User-Agent", "").partition(" ")[0].partition("/")[0][:60] or "unknown"
        worker = self._workers.get((name, program))
        if worker is None:
            if len(self._workers) >= _WORKERS:
                return
            worker = self._workers[name, program] = Worker(user=name, program=program)
        worker.requests += 1
        worker.last = self._clock.wall()
        if request.writes:
            worker.writes += 1
            worker.wrote = f"{request.method} {request.path}"[:200]

    def state(self) -> Json:
        """All of it as plain data; instants are seconds since the epoch."""
        clock, start = self._clock, self._director.start
        now = clock.now
        return {
            "scenario": {
                "name": self.scenario.name,
                "title": self.scenario.title,
                "severity": self.scenario.severity,
                "summary": self.scenario.summary,
            },
            "now": clock.wall(),
            "opened": clock.wall(start),
            "speed": clock.speed,
            "watches": self._server.watching,
            "script": [
                {"at": clock.wall(start + offset), "past": start + offset <= now, "step": injections.written(step)}
                for offset, step in self.scenario.steps()
            ],
            "injected": [msgspec.to_builtins(one) for one in self.injected],
            "lasting": self._lasting() + self._waiting(),
            "working": [
                msgspec.to_builtins(one) for one in sorted(self._workers.values(), key=lambda worker: -worker.last)
            ],
            "forms": self._forms,
            "names": self._names,
        }

    def _lasting(self) -> list[str]:
        """What goes on for a time, or until it is ended."""
        clock = self._clock
        return [
            name if timer is None else f"{name}, {max(0.0, (timer.at - clock.now) / clock.speed):.0f} s more"
            for name, (_, timer) in sorted(self._ends.items())
        ]

    def _waiting(self) -> list[str]:
        """What goes on until so many further requests have come."""
        return [
            f"{name} {of}, {left} more"
            for of, faults in self._faults.items()
            for name in ("throttled", "unheard", "unanswered")
            if (left := getattr(faults, name))
        ]
