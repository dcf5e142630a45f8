"""Container logs, read once or followed: many streams as one, across reconnects and restarts, without silent loss.

Where a line could have been missed there is a `gap` line that says so. A reader that is slow makes the streams wait;
nothing is thrown away.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING

from probes.errors import ProbeError
from probes.log_lines import LogLine, in_words, merged
from probes.log_stream import IDLE, Stream, Target

if TYPE_CHECKING:
    from probes.cluster import Cluster

__all__ = ["LogLine", "LogSource", "read_once"]

log = logging.getLogger(__name__)

MOST_STREAMS = 100  # each followed container holds a connection, and the panes need some too
WAITING_LINES = 1000  # lines that wait for the reader before the streams wait
COALESCE = 0.05  # seconds in which lines are gathered into one batch
_AT_ONCE = 16


async def read_once(
    cluster: Cluster,
    namespace: str,
    targets: Sequence[Target],
    *,
    previous: bool = False,
    tail: int = 500,
    timeout: float = 10.0,
) -> tuple[LogLine, ...]:
    """The last `tail` lines of every container, merged by time. What cannot be read is a `notice` line at the end."""
    streams = [Stream(cluster, namespace, target, previous=previous, tail=tail) for target in targets]
    return tuple(await _read_all(streams, timeout, _say))


def _say(stream: Stream, error: ProbeError) -> list[LogLine]:
    return [stream.line(None, in_words(error), "notice")]


def _leave_to_follow(stream: Stream, error: ProbeError) -> list[LogLine]:
    log.debug("the tail of %s/%s is left to the stream: %s", stream.pod, stream.container, error)
    return []


async def _read_all(
    streams: Sequence[Stream], timeout: float, otherwise: Callable[[Stream, ProbeError], list[LogLine]]
) -> list[LogLine]:
    slots = asyncio.Semaphore(_AT_ONCE)
    unread: list[LogLine] = []

    async def read(stream: Stream) -> list[LogLine]:
        async with slots:
            try:
                return await stream.read_tail(timeout)
            except ProbeError as error:
                unread.extend(otherwise(stream, error))
                return []

    found = await asyncio.gather(*(read(stream) for stream in streams))
    return merged(found) + unread


class LogSource:
    """The logs of some containers of one namespace: all of one pod, or of a whole workload.

    Args:
        targets: (pod, container) pairs. Above `MOST_STREAMS` the rest is not followed, and a `notice` says so.
        previous: the run before the current one; it is read once and not followed.
        tail: lines of each container to begin with.
        idle_timeout: seconds without a byte after which a stream is checked and opened anew.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        targets: Sequence[Target],
        previous: bool = False,
        tail: int = 500,
        *,
        idle_timeout: float = IDLE,
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._previous = previous
        self._tail = tail
        self._idle_timeout = idle_timeout
        self._inbox = Inbox(WAITING_LINES)
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: set[Target] = set()
        self._added: list[Stream] = []
        self.add(targets)

    def add(self, targets: Sequence[Target]) -> None:
        """Follow these too: pods that a rollout brought while the log is open. Known ones are left alone."""
        for target in targets:
            if target not in self._known:
                self._known.add(target)
                self._added.append(
                    Stream(
                        self._cluster,
                        self._namespace,
                        target,
                        previous=self._previous,
                        tail=self._tail,
                        idle_timeout=self._idle_timeout,
                        hand_on=self._inbox.put,
                    )
                )
        self._inbox.wake()

    async def follow(self) -> AsyncGenerator[tuple[LogLine, ...], None]:
        """Batches of lines as they come; first the tails, merged by time. Ends when every container has ended for good.

        Never raises for what the server does: that is in `gap` and `notice` lines. Close it to hang up.
        """
        opening, self._added = self._added, []
        lines = await _read_all(opening, 10.0, _say if self._previous else _leave_to_follow)
        for start in range(0, len(lines), WAITING_LINES):
            yield tuple(lines[start : start + WAITING_LINES])
        if self._previous:
            return
        try:
            await self._start(opening)
            while True:
                if self._added:
                    fresh, self._added = self._added, []
                    await self._start(fresh)
                batch = self._inbox.take()
                if batch:
                    yield batch
                elif not self._tasks:
                    return
                else:
                    await self._inbox.something()
                    await asyncio.sleep(COALESCE)
                    self._bury()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks.clear()

    async def _start(self, streams: Sequence[Stream]) -> None:
        room = max(MOST_STREAMS - len(self._tasks), 0)
        for stream in streams[:room]:
            task = asyncio.create_task(stream.follow(), name=f"log {stream.pod}/{stream.container}")
            task.add_done_callback(lambda _: self._inbox.wake())
            self._tasks.add(task)
        for stream in streams[room:]:
            text = f"not followed: {MOST_STREAMS} containers are followed already"
            self._inbox.put_at_once(stream.line(None, text, "notice"))

    def _bury(self) -> None:
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            task.result()  # a mistake of ours is raised instead of looking like a quiet log


class Inbox:
    """Lines between the streams and the reader: whoever puts one in waits while it is full."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: deque[LogLine] = deque()
        self._room = asyncio.Event()
        self._news = asyncio.Event()

    async def put(self, line: LogLine) -> None:
        while len(self._lines) >= self._limit:
            self._room.clear()
            await self._room.wait()
        self.put_at_once(line)

    def put_at_once(self, line: LogLine) -> None:
        """For the few lines that the reader's own side adds; they may exceed the limit."""
        self._lines.append(line)
        self._news.set()

    def take(self) -> tuple[LogLine, ...]:
        """Everything that waits, maybe nothing."""
        lines = tuple(self._lines)
        self._lines.clear()
        self._room.set()
        return lines

    def wake(self) -> None:
        self._news.set()

    async def something(self) -> None:
        """Wait for a line, or for a `wake`."""
        await self._news.wait()
        self._news.clear()
