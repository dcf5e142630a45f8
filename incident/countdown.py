"""When the next status update is due, and which ones were missed. Pure: instants in milliseconds, times in seconds.

The rules are the runbook's: the first update within a few minutes of the declaration, the next ones at the severity's
frequency. A promise made in an update counts where it is earlier than that. Whatever a clock does, nothing here is
negative, and no time until the next update is longer than the frequency allows.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from msgspec import Struct

LOUD = 120.0
"""Seconds before an update is due from which it is told loudly."""

GRACE = 30.0
"""Seconds after which an update that was due counts as missed: it may be under way."""

MOST_MISSED = 3
"""Missed updates that one silence leaves: the one that was due, and two more at the frequency. Then it is clear."""

_PROMISED = r"(?im)^.{0,40}next update.{0,20}?\b(\d\d?):(\d\d)\b(?: ?(?:UTC|Z))?"


class Promise(Struct, frozen=True):
    """An update that was sent: when (ms), and for when it promised the next one (ms); None if it did not."""

    at: int
    due: int | None


class Countdown(Struct, frozen=True, kw_only=True):
    """``left`` seconds until it is due, negative once it is overdue; ``due_at`` (ms) accordingly.

    ``missed`` are the instants (ms) at which updates were due that nobody sent since the last one.
    """

    due_at: int
    left: float
    last_at: int | None
    missed: tuple[int, ...]

    @property
    def overdue(self) -> bool:
        return self.left < 0

    @property
    def loud(self) -> bool:
        return self.left <= LOUD


def countdown(
    *,
    opened_at: int,
    last: Promise | None,
    every: float,
    first_within: float,
    now: int,
    changed_at: int | None = None,
) -> Countdown:
    """The countdown of an open incident.

    ``opened_at``   when it was declared, or opened again (ms).
    ``last``        the last update since then.
    ``every``       the longest time between two updates at the severity that it has now; ``first_within`` until the
                    first one.
    ``changed_at``  when it got that severity (ms): an incident that became worse is not overdue by that alone.
    """
    step, first = _ms(every), _ms(first_within)
    if last is None:
        due = opened_at + first
    else:
        due = last.at + step
        if changed_at is not None and changed_at > last.at:
            due = max(due, changed_at + first)
        if last.due is not None and last.due > last.at:
            due = min(due, last.due)
    missed = tuple(at for at in range(due, due + MOST_MISSED * step, step) if now > at + _ms(GRACE))
    # A clock that was put back, or another machine's that runs ahead, makes nobody wait longer than the runbook says.
    left = min(due - now, max(step, first))
    return Countdown(due_at=now + left, left=left / 1000, last_at=None if last is None else last.at, missed=missed)


def next_due(now: int, every: float) -> int:
    """What an update that is sent now promises (ms): the whole minute before the frequency runs out."""
    minute = 60_000
    return max((now + _ms(every)) // minute, now // minute + 1) * minute


def promised(text: str, now: int, every: float) -> int | None:
    """The time (ms) that the text of an update promises for the next one, as ``Next update: 14:35 UTC``.

    Tomorrow's, where that is within ``every`` seconds; else today's, which may be past. None if the text names none.
    """
    found = re.search(_PROMISED, text)
    if found is None:
        return None
    hour, minute = int(found.group(1)), int(found.group(2))
    if hour > 23 or minute > 59:
        return None
    moment = datetime.fromtimestamp(now / 1000, UTC)
    at = moment.replace(hour=hour, minute=minute, second=0, microsecond=0)
    tomorrow = at + timedelta(days=1)
    if at <= moment and tomorrow - moment <= timedelta(seconds=every + 60):
        at = tomorrow  # what 00:05 means at 23:55, or 14:01 where there is one update a day
    return int(at.timestamp()) * 1000


def _ms(seconds: float) -> int:
    return max(int(seconds * 1000), 1)
