"""Instants of the timeline: ``int`` milliseconds since the epoch (UTC) inside, RFC 3339 wherever data leaves."""

from __future__ import annotations

import re
import time
from calendar import timegm
from collections.abc import Callable
from datetime import UTC, datetime

# The range that RFC 3339 can write and that a person can mean.
EARLIEST = 0
LATEST = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z

_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{3})Z", re.ASCII)


def now_ms() -> int:
    """The system clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class SteadyClock:
    """A clock for one process that small steps of the system's do not put out of order.

    Time servers set clocks back by seconds. What is recorded then would stand before what was recorded before it. So
    after a step back of at most `STEP` this one goes on at half its pace until the system's has caught up. A larger
    step corrects a clock that was wrong, and is followed at once, as is every step forward: a suspend is one.
    """

    STEP = 5 * 60_000  # ms

    def __init__(self, wall: Callable[[], int] = now_ms, elapsed: Callable[[], float] = time.monotonic) -> None:
        """``wall`` gives milliseconds since the epoch, ``elapsed`` seconds that never go back."""
        self._wall, self._elapsed = wall, elapsed
        self._last, self._looked = wall(), elapsed()

    def __call__(self) -> int:
        """Milliseconds since the epoch."""
        wall, looked = self._wall(), self._elapsed()
        if 0 < self._last - wall <= self.STEP:
            going_on = self._last + max(0, int((looked - self._looked) * 500))
            wall = max(wall, min(going_on, wall + self.STEP))
        self._last, self._looked = wall, looked
        return wall

    def ahead(self) -> int:
        """How many milliseconds it is before the system's clock now; 0 except after a small step back."""
        return max(0, self() - self._wall())


def rfc3339(instant: int) -> str:
    """``2026-11-23T14:02:42.123Z``: UTC, always with milliseconds, so that texts sort as times do.

    Raises:
        ValueError: the instant is before 1970 or after 9999.
    """
    if not EARLIEST <= instant <= LATEST:
        raise ValueError(f"{instant} ms is not between the years 1970 and 9999")
    seconds, milliseconds = divmod(instant, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03d}Z"


def parse_rfc3339(text: str) -> int:
    """The inverse of `rfc3339`, and nothing more lenient: an export has exactly one way to write an instant.

    Raises:
        ValueError: the text is not of that form, or names a day or time that does not exist.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an instant like 2026-11-23T14:02:42.123Z")
    year, month, day, hour, minute, second, milliseconds = (int(group) for group in match.groups())
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)  # raises ValueError for 31 February
    return timegm(moment.utctimetuple()) * 1000 + milliseconds
