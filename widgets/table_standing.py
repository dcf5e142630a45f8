"""What a pane says about its data: how fresh it is, what it is filtered by, and why there is nothing to see."""

from __future__ import annotations

from collections.abc import Sequence

from probes.freshness import Freshness, State
from widgets.plain import ago, plain, width

SEPARATOR = " · "


def seconds_ago(seconds: float) -> str:
    """``0 s``, ``14 s``; from two minutes on as kubectl counts."""
    return f"{max(int(seconds), 0)} s" if seconds < 120 else ago(seconds)


YOUNG = 10
"""Seconds up to which data is young: its age is said as that, and not counted."""


def standing(freshness: Freshness, now: float) -> str:
    """The freshness in a few words; the age counts on with ``now``."""
    if freshness.state is State.LIVE:
        confirmed = freshness.since if freshness.confirmed is None else freshness.confirmed
        age = now - confirmed
        # Six panes that count "1 s, 2 s" are noise beside what matters; from here on it is worth counting.
        return f"live {seconds_ago(age)}" if age >= YOUNG else f"live <{YOUNG} s"
    if freshness.state is State.STALE:
        since = freshness.since if freshness.confirmed is None else freshness.confirmed
        return SEPARATOR.join(filter(None, (f"STALE {seconds_ago(now - since)}", plain(freshness.detail, 200))))
    if freshness.state is State.FORBIDDEN:
        return SEPARATOR.join(filter(None, ("FORBIDDEN", plain(freshness.detail, 200))))
    if freshness.state is State.UNAVAILABLE:
        return SEPARATOR.join(filter(None, ("UNAVAILABLE", plain(freshness.detail, 200))))
    return "loading …"


def remark(called: str, freshness: Freshness, now: float) -> str:
    """How a pane's second source stands, if there is something to say: ``metrics STALE 40 s``."""
    if freshness.live:
        return f"{called}: {plain(freshness.detail, 200)}" if freshness.detail else ""
    return f"{called} {standing(freshness, now)}"


def sentences(freshness: Freshness, what: str, empty: str) -> list[tuple[str, str]]:
    """What stands where rows would be, as (text, palette name). ``empty`` is only said of data that is live."""
    detail = freshness.detail
    hint = [(freshness.hint, "accent")] if freshness.hint and freshness.hint not in detail else []
    if freshness.state is State.LOADING:
        return [(f"loading {what} …", "dim"), *([(detail, "dim")] if detail else [])]
    if freshness.state is State.LIVE:
        return [(empty, "dim"), *([(detail, "dim")] if detail else []), *hint]
    if freshness.state is State.FORBIDDEN:
        return [("⊘ FORBIDDEN", "degraded"), (detail or f"{what} may not be read", "text"), *hint]
    if freshness.state is State.STALE:
        return [("– STALE", "degraded"), (detail or "the connection is gone", "text"), (empty, "dim"), *hint]
    return [("✗ UNAVAILABLE", "degraded"), (detail or f"{what} cannot be had", "text"), *hint]


def fitting(parts: Sequence[str], cells: int) -> str:
    """As many of the parts as fit, joined; the first are the most important, and the first always stays."""
    kept: list[str] = []
    for part in filter(None, parts):
        if kept and width(SEPARATOR.join([*kept, part])) > cells:
            break
        kept.append(part)
    return SEPARATOR.join(kept)
