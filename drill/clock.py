"""The platform's time: a heap of timers that can be lived through at once, and later at the wall's pace.

A scenario is born days before the console opens. Its past is not painted but lived: controllers and kubelets run
through it on this clock without waiting (`Clock.advance`), then `Clock.go_live` lets asyncio carry on from there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count

log = logging.getLogger(__name__)


def parse_instant(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 instant, as metav1.Time and MicroTime write it."""
    return datetime.fromisoformat(text).timestamp()


class Timer:
    """One thing to do at one instant. `cancel` may be called at any time, also twice."""

    __slots__ = ("action", "at")

    def __init__(self, at: float, action: Callable[[], None]) -> None:
        self.at = at
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self.action = None


class Clock:
    """World seconds, and the timers set on them.

    ``start``  the instant at which the world begins, in seconds since the epoch.
    ``speed``  world seconds per second of the wall, once live. Durations shrink; instants that are written into
               objects (`wall`, `stamp`) stay those of the wall, or ages would be negative to whoever reads them.
    ``source`` the wall: seconds since the epoch.
    """

    def __init__(self, start: float, *, speed: float = 1.0, source: Callable[[], float] = time.time) -> None:
        if speed <= 0:
            raise ValueError(f"speed is world seconds per second and must be positive, not {speed}")
        self.speed = speed
        self._source = source
        self._now = start  # while not live; afterwards the instant of the timer that runs
        self._live_since: float | None = None
        self._wall_at_live = 0.0
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = 0.0
        self._firing = False

    @property
    def live(self) -> bool:
        return self._live_since is not None

    @property
    def now(self) -> float:
        """World seconds. Equal to the wall's until the clock is live, and ever after at speed 1."""
        if self._live_since is None:
            return self._now
        return self._live_since + (self._source() - self._wall_at_live) * self.speed

    # Instants that others read

    def wall(self, at: float | None = None) -> float:
        """The wall's seconds since the epoch for a world instant (default: now)."""
        at = self.now if at is None else at
        if self._live_since is None or at <= self._live_since:
            return at
        return self._wall_at_live + (at - self._live_since) / self.speed

    def stamp(self, at: float | None = None) -> str:
        """A world instant as metav1.Time: ``2026-11-23T14:02:31Z``."""
        return datetime.fromtimestamp(int(self.wall(at)), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def micro_stamp(self, at: float | None = None) -> str:
        """A world instant as metav1.MicroTime: ``2026-11-23T14:02:31.123456Z``."""
        return datetime.fromtimestamp(self.wall(at), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def world(self, stamp: str) -> float:
        """The world instant that `stamp` wrote, to the second."""
        return self.instant(parse_instant(stamp))

    def instant(self, wall: float) -> float:
        """The world instant of the wall's seconds since the epoch."""
        if self._live_since is None or wall <= self._wall_at_live:
            return wall
        return self._live_since + (wall - self._wall_at_live) * self.speed

    # Timers

    def at(self, instant: float, action: Callable[[], None]) -> Timer:
        """Call ``action`` at a world instant; one in the past is due at once, but never before this returns."""
        timer = Timer(instant, action)
        heappush(self._heap, (instant, next(self._order), timer))
        if self._loop is not None and not self._firing and (self._wake is None or instant < self._wake_at):
            self._arm()
        return timer

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Call ``action`` in so many world seconds."""
        return self.at(self.now + seconds, action)

    def soon(self, action: Callable[[], None]) -> Timer:
        """Call ``action`` now, after what runs now."""
        return self.at(self.now, action)

    def advance(self, until: float) -> None:
        """Live through everything up to a world instant without waiting. Only before `go_live`."""
        if self._live_since is not None:
            raise RuntimeError("a live clock follows the wall; it cannot be advanced")
        while self._heap and self._heap[0][0] <= until:
            at, _, timer = heappop(self._heap)
            self._now = max(self._now, at)
            if timer.action is not None:
                timer.action()
        self._now = max(self._now, until)

    def go_live(self) -> None:
        """From here on the timers fire by themselves, on the running asyncio loop."""
        self._loop = asyncio.get_running_loop()
        self._wall_at_live = self._source()
        self._live_since = self._now
        self._arm()

    def stop(self) -> None:
        """No timer fires any more."""
        self._heap.clear()
        self._loop = None
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _arm(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        while self._heap and self._heap[0][2].action is None:
            heappop(self._heap)
        if self._loop is not None and self._heap:
            self._wake_at = self._heap[0][0]
            self._wake = self._loop.call_later(max(0.0, (self._wake_at - self.now) / self.speed), self._fire)

    def _fire(self) -> None:
        self._wake = None
        self._firing = True
        # What is due when the turn starts; what those add waits for the next turn, so that I/O is served between.
        now = self.now
        try:
            for _ in range(len(self._heap)):
                if not self._heap or self._heap[0][0] > now:
                    break
                timer = heappop(self._heap)[2]
                action, timer.action = timer.action, None
                if action is not None:
                    try:
                        action()
                    except Exception:  # one broken timer must not stop the world's time
                        log.exception("a timer of the platform failed")
        finally:
            self._firing = False
            self._arm()
