"""Reading one line as a person types it in a hurry: when it happened, whether it is a follow-up, and the text.

    14:02 text         at 14:02 in the shown zone, today; yesterday if that is more than an hour ahead
    14:02:31 text      with seconds
    2026-11-23 14:02 text, 2026-11-23T14:02:42.123Z text      on that day, as logs write it
    -5m text, -90s text, -1h30m text                          so long ago
    TODO text          a follow-up; may come after a time

What only resembles one of these (``-5 degrees``, ``16:9 picture``) is plain text. What is one except for a slip
(``12:61 text``) is an error, because an entry at the wrong time is worse than a second try.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

from msgspec import Struct

from incident.entry import Kind
from incident.instants import EARLIEST
from incident.intake import TEXT_LIMIT

HOUR = 3_600_000  # ms
AHEAD = HOUR  # a clock time further ahead than this was yesterday's, and a date is a slip
BACK = 7 * 24 * HOUR  # the furthest that -… reaches

_UNITS = {"d": 24 * HOUR, "h": HOUR, "m": 60_000, "s": 1000}

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?=\s|$)", re.ASCII)
_DATE = re.compile(
    r"(\d{4}-\d{1,2}-\d{1,2})(?:[ \t]+|T)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
    r"[ ]?(Z|UTC|[+-]\d\d:?\d\d)?(?=\s|$)",
    re.ASCII,
)
_AGO = re.compile(r"[-−]((?:\d{1,9}[dhms])+)(?=\s|$)", re.ASCII)
_TODO = re.compile(r"(?:TODO(?=[:\s]|$)|(?i:todo):):?\s*")


class LineError(ValueError):
    """The line cannot be recorded as it stands; the message says why and what to type instead."""


class ParsedLine(Struct, frozen=True, kw_only=True):
    """What a line says. ``happened_at`` is None when it names no time: it happens now."""

    text: str
    happened_at: int | None  # ms
    kind: Kind  # NOTE or FOLLOWUP


def todo_of(text: str) -> str:
    """What is to be done, of a text that begins with TODO; empty for every other."""
    match = _TODO.match(text.strip())
    return text.strip()[match.end() :] if match else ""


def parse_line(text: str, *, now_ms: int, tz: tzinfo = UTC) -> ParsedLine:
    """Read a line; ``tz`` is the zone that the console shows, in which a time without one is meant.

    Raises:
        LineError: no text, too much of it, or a time that cannot be.
    """
    rest = text.strip()
    if len(rest.encode(errors="replace")) > TEXT_LIMIT:
        raise LineError(
            f"That is too long for one entry: at most {TEXT_LIMIT // 1024} KiB. Pin a file's excerpt instead."
        )
    happened_at: int | None = None
    if match := _DATE.match(rest):
        happened_at = _dated(match, now_ms, tz)
    elif match := _CLOCK.match(rest):
        happened_at = _at_clock(match, now_ms, tz)
    elif match := _AGO.match(rest):
        happened_at = _ago(match, now_ms)
    if match:
        rest = rest[match.end() :].lstrip()
    kind = Kind.NOTE
    if todo := _TODO.match(rest):
        kind, rest = Kind.FOLLOWUP, rest[todo.end() :]
    if not rest:
        if said := todo or match:
            raise LineError(f"What happened? There is nothing after {said.group().strip()}.")
        raise LineError("The line is empty.")
    return ParsedLine(text=rest, happened_at=happened_at, kind=kind)


def _dated(match: re.Match[str], now_ms: int, tz: tzinfo) -> int:
    day, hour, minute, second, fraction, zone = match.groups()
    try:
        on = date(*map(int, day.split("-")))
    except ValueError as error:
        raise LineError(f"{day} is not a day of the calendar.") from error
    instant = _instant(on, _time(match.group(), hour, minute, second, fraction), now_ms, _zone(zone) or tz)
    if instant > now_ms + AHEAD:
        raise LineError(f"{match.group()} has not come yet. Check the date.")
    if instant < EARLIEST:
        raise LineError(f"{match.group()} is before 1970. Check the date.")
    return instant


def _at_clock(match: re.Match[str], now_ms: int, tz: tzinfo) -> int:
    at = _time(match.group(), *match.groups())
    today = datetime.fromtimestamp(now_ms / 1000, tz).date()
    instant = _instant(today, at, now_ms, tz)
    if instant > now_ms + AHEAD:
        instant = _instant(today - timedelta(days=1), at, now_ms, tz)
    return instant


def _ago(match: re.Match[str], now_ms: int) -> int:
    parts = re.findall(r"(\d+)([dhms])", match.group(1))
    units = [unit for _, unit in parts]
    if units != sorted(set(units), key="dhms".index):
        raise LineError(f"{match.group()} is not a duration. Write it like -1h30m.")
    ago = sum(int(number) * _UNITS[unit] for number, unit in parts)
    if ago > BACK:
        raise LineError(f"{match.group()} is more than a week ago. Write the date: 2026-11-23 14:02 text.")
    return now_ms - ago


def _time(said: str, hour: str, minute: str, second: str | None, fraction: str | None) -> time:
    try:
        microsecond = int((fraction or "0")[:3].ljust(3, "0")) * 1000
        return time(int(hour), int(minute), int(second or 0), microsecond)
    except ValueError as error:
        # Short: it has to fit in the border of the line it was typed in.
        raise LineError(f"{said.strip()} is not a time of day; or put a word before it") from error


def _zone(said: str | None) -> tzinfo | None:
    if said is None:
        return None
    if said in ("Z", "UTC"):
        return UTC
    hours, minutes = int(said[1:3]), int(said[-2:])
    if hours > 14 or minutes > 59:
        raise LineError(f"{said} is not an offset from UTC.")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if said[0] == "-" else offset)


def _instant(day: date, at: time, now_ms: int, tz: tzinfo) -> int:
    """Milliseconds since the epoch. An hour that the clocks go through twice is meant as the last one that has come."""
    both = sorted(round(datetime.combine(day, at.replace(fold=fold), tz).timestamp() * 1000) for fold in (0, 1))
    return both[1] if both[1] <= now_ms else both[0]
