"""Numbers, spans and standings as a person says them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from probes.freshness import Snapshot, State

_CALLED = {"activity": "Azure's activity log is", "alerts": "Azure's alerts are"}

Clock = Callable[[float], str]
"""How an instant reads: in UTC or in local time, as the console does."""

LONGEST = 160  # characters of a message from the cluster that a sentence quotes


def utc(at: float) -> str:
    """``14:02:11``."""
    try:
        return time.strftime("%H:%M:%S", time.gmtime(at))
    except (OverflowError, ValueError, OSError):  # a date that no calendar has
        return "a time that no calendar has"


def span(seconds: float) -> str:
    """``40 s``, ``4 min 40 s``, ``1 h 12 min``, ``3 d 4 h``. Below a second, and below nothing, ``0 s``."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole // 60, "min", whole % 60, "s") if whole < 600 else f"{whole // 60} min"
    if whole < 86_400:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return _two(whole // 86_400, "d", whole % 86_400 // 3600, "h")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"


def many(count: int, one: str) -> str:
    """``1 pod``, ``12 pods``."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"


def clip(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def not_live(source: str, snapshot: Snapshot[Any] | None, clock: Clock) -> str:
    """Why nothing can be said from a source, as a sentence without its beginning; empty while it is live."""
    called = _CALLED.get(source, f"{source} are")
    if snapshot is None:
        return f"{called} not loaded yet"
    freshness = snapshot.freshness
    detail = f": {clip(freshness.detail)}" if freshness.detail else ""
    match freshness.state:
        case State.LIVE:
            return ""
        case State.STALE:
            last = freshness.since if freshness.confirmed is None else freshness.confirmed
            return f"{called} stale since {clock(last)}{detail}"
        case State.FORBIDDEN:
            return f"{called.rpartition(' ')[0]} may not be read{detail}"
        case State.UNAVAILABLE:
            return f"{called.rpartition(' ')[0]} cannot be had{detail}"
    return f"{called} not loaded yet"
