"""One container's log, followed through everything that ends a stream: a restart, an idle balancer, a dead server.

It hands on every line once. `probes.logs` merges several of these; use that.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct

from probes import wire
from probes.errors import BadAnswer, ConfigError, Forbidden, NotFound, ProbeError
from probes.log_lines import LogLine, Replay, Seen, in_words, parse, pieces, waiting_reason

if TYPE_CHECKING:
    from probes.cluster import Cluster

log = logging.getLogger(__name__)

Target = tuple[str, str]  # pod, container

IDLE = 45.0  # seconds; cloud load balancers drop a silent connection after 60 s (GCP) to 4 min (Azure)
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0  # seconds between two attempts, or two looks at a container that does not run
GONE = "gone"
_TAIL_BYTES = 16 * 1024 * 1024


class Run(Struct, frozen=True, gc=False):
    """Which run of a container it is and how it stands; equal as long as nothing happened to it."""

    uid: str
    restarts: int
    state: str  # running, waiting, terminated or unknown
    reason: str
    exit_code: int | None  # of the run that ended last
    final: bool  # it will never run again


class Stream:
    """Reads or follows one container. ``hand_on`` is awaited for every line: a slow reader slows the server down."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        target: Target,
        *,
        previous: bool = False,
        tail: int = 500,
        idle_timeout: float = IDLE,
        hand_on: Callable[[LogLine], Awaitable[None]] | None = None,
    ) -> None:
        self.pod, self.container = target
        self._cluster = cluster
        self._previous = previous
        self._tail = tail
        self._idle_timeout = idle_timeout
        self._hand_on = hand_on
        self._pod_path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(self.pod, safe='')}"
        self._seen = Seen()
        self._primed = False  # the tail was read: a stream brings only what came after it
        self._lost_at: float | None = None  # monotonic; while a visible gap is open
        self._pause = FIRST_PAUSE
        self._said = ""  # the last notice, so that a wait is told once

    def line(self, at: float | None, text: str, kind: Literal["log", "gap", "notice"] = "log") -> LogLine:
        return LogLine(at, self.pod, self.container, text, kind)

    async def read_tail(self, timeout: float) -> list[LogLine]:
        """The last lines, and where a later `follow` goes on. Raises `ProbeError`."""
        query = self._query(follow=False) | {"tailLines": str(self._tail), "limitBytes": str(_TAIL_BYTES)}
        body = await self._cluster.get(f"{self._pod_path}/log", query, timeout=timeout)
        self._primed = True
        lines: list[LogLine] = []
        raws = body.split(b"\n")
        if not raws[-1]:
            raws.pop()
        for raw in raws:
            at, text = parse(raw)
            if at is not None:
                self._seen.note(raw, at)
            lines += [self.line(at, part) for part in pieces(text)]
        return lines

    async def follow(self) -> None:
        """Hand on every line until the container has ended for good, is gone, or may not be read."""
        run = await self._look()
        while True:
            opened = time.monotonic()
            try:
                await self._stream()
            except ProbeError as error:
                if await self._is_the_end(error):
                    return
                if waiting_reason(error) is None and not await self._merely_idle(error, opened):
                    await self._lose(in_words(error))
            if time.monotonic() - opened > LONGEST_PAUSE:
                self._pause = FIRST_PAUSE
            found = await self._until_worth_another(run)
            if found is not None:
                if found.final:
                    return
                if run is not None:
                    await self._tell_restart(run, found)
                run = found

    async def _until_worth_another(self, streamed: Run | None) -> Run | None:
        """Wait until a new stream can bring something. None when the container's standing cannot be seen: just try.

        A container that does not run has nothing new to say until something happens to it. Its status can lag behind
        the end of its log by a second, which is why any change since `streamed` is worth another stream.
        """
        while True:
            await asyncio.sleep(self._pause * random.uniform(0.8, 1.2))  # noqa: S311  (jitter, not a secret)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            run = await self._look()
            if run is None:
                return None
            await self._tell_end(run)
            if run.final or run.state == "running" or run != streamed:
                return run

    async def _stream(self) -> None:
        """One stream, to its end. Lines that were handed on before are left out."""
        query = self._query(follow=True)
        if (since := self._seen.since) is not None:
            query["sinceTime"] = since
        elif not self._primed:
            query["tailLines"] = str(self._tail)
        replay = self._seen.replay()
        lines = self._cluster.lines(f"{self._pod_path}/log", query, idle_timeout=self._idle_timeout)
        try:
            async for raw in lines:
                at, text = parse(raw)
                repeats = at is not None and replay.repeats(raw, at)
                if self._lost_at is not None:
                    await self._resume(replay)
                if repeats:
                    continue
                if at is not None:
                    self._seen.note(raw, at)
                self._said = ""
                for part in pieces(text):
                    await self._send(self.line(at, part))
        finally:
            await lines.aclose()

    async def _is_the_end(self, error: ProbeError) -> bool:
        """Whether trying again is pointless. Says why, once."""
        if reason := waiting_reason(error):
            await self._notice(f"waiting to start: {reason}")
            return False
        if isinstance(error, BadAnswer) and error.status is None:
            # A line that exceeds every limit. Reading on from before it would only meet it again.
            now = time.time()
            self._seen.skip_to(now)
            await self._send(self.line(now, f"{error}; lines before {_clock(now)} may be missing", "gap"))
            return False
        refused = isinstance(error, BadAnswer) and error.status is not None and error.status < 500
        if isinstance(error, NotFound):
            await self._notice(f"the pod {self.pod} is gone")
        elif refused or isinstance(error, Forbidden | ConfigError):
            await self._notice(in_words(error))
        else:
            return False
        return True

    async def _merely_idle(self, error: ProbeError, opened: float) -> bool:
        """Whether the stream ended only because nobody had anything to say: the server still answers."""
        if error.status is not None or time.monotonic() - opened < self._idle_timeout:
            return False
        try:
            await self._cluster.get(self._pod_path)
        except ProbeError:
            return False
        return True

    async def _look(self) -> Run | None:
        """How the container stands; None when that cannot be known now."""
        try:
            pod = msgspec.json.decode(await self._cluster.get(self._pod_path), type=wire.Pod)
        except NotFound:
            return Run("", 0, "terminated", GONE, None, True)
        except (ProbeError, msgspec.DecodeError) as error:
            log.debug("cannot see how %s/%s stands: %s", self.pod, self.container, error)
            return None
        return run_of(pod, self.container)

    async def _tell_end(self, run: Run) -> None:
        if run.reason == GONE:
            await self._notice(f"the pod {self.pod} is gone")
        elif run.state == "terminated":
            await self._notice(f"ended: {run.reason or 'no reason given'}, exit {run.exit_code}")
        elif run.state == "waiting" and run.exit_code is not None:
            text = (
                f"waiting: {run.reason or 'no reason given'} after exit {run.exit_code}; goes on when it starts again"
            )
            await self._notice(text)

    async def _tell_restart(self, before: Run, run: Run) -> None:
        restarts = run.restarts - before.restarts
        if run.uid != before.uid:
            await self._notice(f"the pod {self.pod} was replaced by a new one of that name")
        elif restarts > 1:
            text = f"restarted {restarts} times; the log of {restarts - 1} of these runs was not seen"
            await self._send(self.line(time.time(), text, "gap"))
        elif restarts == 1:
            await self._notice(f"started again (restart {run.restarts})")

    async def _lose(self, why: str) -> None:
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            await self._send(self.line(time.time(), f"the log broke off: {why}; trying again", "gap"))

    async def _resume(self, replay: Replay) -> None:
        assert self._lost_at is not None
        lasted, self._lost_at = time.monotonic() - self._lost_at, None
        missing = "no line is missing" if replay.matched else "lines in between may be missing"
        await self._send(self.line(time.time(), f"the log goes on after {lasted:.0f} s; {missing}", "gap"))

    async def _notice(self, text: str) -> None:
        if text != self._said:
            self._said = text
            await self._send(self.line(time.time(), text, "notice"))

    async def _send(self, line: LogLine) -> None:
        assert self._hand_on is not None, "a stream that is followed needs somebody to hand its lines to"
        await self._hand_on(line)

    def _query(self, *, follow: bool) -> dict[str, str]:
        query = {"container": self.container, "timestamps": "true"}
        if follow:
            query["follow"] = "true"
        if self._previous:
            query["previous"] = "true"
        return query


def run_of(pod: wire.Pod, container: str) -> Run:
    """How one container of a pod stands, and whether that is final."""
    status = pod.status or wire.PodStatus()
    over = status.phase in ("Succeeded", "Failed")
    inits = status.init_container_statuses or []
    for found in [*(status.container_statuses or []), *inits, *(status.ephemeral_container_statuses or [])]:
        if found.name != container:
            continue
        state = found.state or wire.ContainerState()
        last = found.last_state.terminated if found.last_state else None
        ended = state.terminated or last
        if state.running is not None:
            name, reason = "running", ""
        elif state.terminated is not None:
            name, reason = "terminated", state.terminated.reason or ""
        elif state.waiting is not None:
            name, reason = "waiting", state.waiting.reason or ""
        else:
            name, reason = "unknown", ""
        init_done = found in inits and state.terminated is not None and state.terminated.exit_code == 0
        final = (over and name != "running") or init_done
        return Run(pod.metadata.uid, found.restart_count, name, reason, ended.exit_code if ended else None, final)
    return Run(pod.metadata.uid, 0, "unknown", "", None, over)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")
