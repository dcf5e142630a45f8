"""Instants of the timeline: ``int`` milliseconds since the epoch (UTC) inside, RFC 3339 wherever data leaves."""

from __future__ import annotations

import re
import time
from calendar import timegm
from datetime import UTC, datetime

# The range that RFC 3339 can write and that a person can mean.
EARLIEST = 0
LATEST = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z

_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{3})Z", re.ASCII)


def now_ms() -> int:
    """The system clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


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
