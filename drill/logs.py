"""The containers' logs, made up on demand from who they are and when they ran: nothing is written, nothing is kept."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zlib import crc32

from drill import pods, statuses, voices
from drill.clock import parse_instant
from drill.fates import Fate
from drill.outages import Outages
from drill.podlogs import LogOptions
from drill.store import ObjectStore
from drill.strain import Strain
from drill.voices import Moment, Voice
from drill.world import POD

Json = dict[str, Any]
Line = tuple[float, str]  # wall seconds, text

_KEPT: Final = 1800.0  # seconds; what a kubelet still has after rotating
_LOOK: Final = 0.4  # seconds between two looks at a log that is followed


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a container: wall seconds; ``end`` None while it lasts."""

    start: float
    end: float | None
    exit_code: int | None


class Logs:
    """The platform's `LogProvider`. ``voices`` names the voice of a container, ``fate`` tells who is doomed."""

    def __init__(
        self,
        store: ObjectStore,
        outages: Outages,
        strain: Strain,
        *,
        voice_names: Mapping[str, str],
        fate: Callable[[Json, Json], Fate],
        own: Mapping[str, Voice] | None = None,
    ) -> None:
        self._store = store
        self._outages = outages
        self._strain = strain
        self._voice_names = voice_names
        self._fate = fate
        self._own = own or {}  # voices by container, where a scenario gives them something of their own to say

    async def __call__(self, pod: Json, options: LogOptions) -> AsyncIterator[bytes]:
        run = run_of(pod, options.container, previous=options.previous)
        now = self._store.clock()
        lines = [*self._lines(pod, options.container, run, since=options.since or 0.0, until=now)]
        if options.tail is not None:
            lines = lines[-options.tail :] if options.tail else []
        yield _encode(lines, options.timestamps)
        if not options.follow or run.end is not None:
            return
        meta = pod["metadata"]
        while True:
            await asyncio.sleep(_LOOK)
            seen, now = now, self._store.clock()
            fresh = self._store.get(POD, meta["namespace"], meta["name"])
            ended = fresh is None or fresh["metadata"]["uid"] != meta["uid"]
            if fresh is not None and not ended:
                pod = fresh
                run, ended = _follow(fresh, options.container, run)
            lines = [*self._lines(pod, options.container, run, since=seen, until=now)]
            if lines:
                yield _encode(lines, options.timestamps)
            if ended:
                return

    def _lines(self, pod: Json, container: str, run: Run, *, since: float, until: float) -> Iterator[Line]:
        """The lines of a run after ``since`` and not after ``until``, oldest first."""
        spec = next((c for c in pod["spec"]["containers"] if c["name"] == container), {"image": ""})
        version = spec["image"].rpartition(":")[2]
        fate = self._fate(pod, spec)
        if run.exit_code:
            fate = Fate.OOM if run.exit_code == 137 else Fate.CRASH
        doomed = fate in (Fate.CRASH, Fate.OOM) and not pods.is_ready(pod)
        end = min(until, run.end) if run.end is not None else until
        first = voices.startup(container, version) + (voices.struggling(container, fate) if doomed else [])
        for after, text in first:
            at = run.start + after
            if since < at <= end and end - at < _KEPT:
                yield at, text
        if not doomed:
            yield from self._talk(pod, container, run, since=since, until=end)
        elif run.end is not None and run.exit_code:
            for number, text in enumerate(voices.last_words(container, fate)):
                at = run.end + number * 1e-4
                if since < at and run.end <= until:
                    yield at, text

    def _talk(self, pod: Json, container: str, run: Run, *, since: float, until: float) -> Iterator[Line]:
        """What a running service says, slot by slot of its voice's period."""
        voice = self._own.get(container) or voices.VOICES[self._voice_names.get(container, "system")]
        meta = pod["metadata"]
        ready = pods.condition(pod, "Ready")
        unready_since = math.inf
        if ready is not None and ready["status"] != "True":
            unready_since = parse_instant(ready["lastTransitionTime"])
        begin = max(since, run.start + 2.0, until - _KEPT)
        forwarded = voices.UPSTREAMS.values() if voice is voices.VOICES["gateway"] else ()
        born = parse_instant(meta["creationTimestamp"])  # by the clock on the wall no two drills would say the same
        for slot in range(int((begin - born) // voice.period), int((until - born) // voice.period) + 1):
            chance = random.Random(crc32(f"{meta['uid']}/{container}/{slot}".encode()))  # noqa: S311 (a log's filler)
            at = born + (slot + chance.random()) * voice.period
            if begin < at <= until:
                moment = Moment(
                    service=container,
                    unready=at >= unready_since,
                    down=frozenset(one for one in forwarded if self._outages.at(meta["namespace"], one, at)),
                    felt=self._strain.at(at),
                    database=self._strain.database_of(container),
                    at=at,
                    pod=meta["name"],
                )
                yield at, voice.speak(chance, moment)


def run_of(pod: Json, container: str, *, previous: bool) -> Run:
    """The run whose log is meant. Raises `statuses.ApiError` (400) in the kubelet's words if there is none."""
    status = _status(pod, container)
    state, last = status.get("state") or {}, status.get("lastState") or {}
    name = pod["metadata"]["name"]
    if previous:
        if "terminated" in last:
            return _ended(last["terminated"])
        raise statuses.bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    if "running" in state:
        return Run(parse_instant(state["running"]["startedAt"]), None, None)
    for held in (state, last):
        if "terminated" in held:
            return _ended(held["terminated"])
    reason = (state.get("waiting") or {}).get("reason", "ContainerCreating")
    why = "trying and failing to pull image" if "Pull" in reason else reason
    raise statuses.bad_request(f'container "{container}" in pod "{name}" is waiting to start: {why}')


def _follow(pod: Json, container: str, run: Run) -> tuple[Run, bool]:
    """The same run as it stands now, and whether it has ended."""
    status = _status(pod, container)
    state, last = status.get("state") or {}, status.get("lastState") or {}
    if "running" in state and parse_instant(state["running"]["startedAt"]) == run.start:
        return run, False
    for held in (state, last):
        if "terminated" in held and parse_instant(held["terminated"]["startedAt"]) == run.start:
            return _ended(held["terminated"]), True
    return run, True


def _status(pod: Json, container: str) -> Json:
    found = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((status for status in found if status["name"] == container), {})


def _ended(terminated: Json) -> Run:
    start, end = parse_instant(terminated["startedAt"]), parse_instant(terminated["finishedAt"])
    return Run(start, end, terminated.get("exitCode"))


def _encode(lines: list[Line], timestamps: bool) -> bytes:
    if not timestamps:
        return "".join(f"{text}\n" for _, text in lines).encode()
    return "".join(f"{_nanos(at)} {text}\n" for at, text in lines).encode()


def _nanos(at: float) -> str:
    """RFC 3339 with nanoseconds, as the container runtime stamps lines."""
    whole = math.floor(at)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{int((at - whole) * 1e9):09d}Z"
