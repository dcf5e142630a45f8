"""The instant that a database is restored to: what it allows, what is proposed, and what a person typed, twice."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import NamedTuple

from runbook.mitigation import Choices
from runbook.plan import Field, Finding, Level

BEFORE = 60.0  # seconds before the incident began that are proposed
WITHOUT_INCIDENT = 600.0  # seconds before now, where nobody knows when it began
# Seconds between log backups: learn.microsoft.com/azure/azure-sql/database/automated-backups-overview
LOG_BACKUPS = 600.0

POINT, AGAIN = "point", "again"


class Window(NamedTuple):
    """What the database can be restored to. ``earliest`` None: Azure does not say; ``began`` None: nobody knows."""

    earliest: float | None
    latest: float
    began: float | None

    @property
    def proposed(self) -> float:
        """One minute before the incident began, to the second."""
        wanted = self.latest - WITHOUT_INCIDENT if self.began is None else self.began - BEFORE
        wanted = min(wanted, self.latest)
        return float(int(wanted if self.earliest is None else max(wanted, self.earliest + 1)))

    def __str__(self) -> str:
        first = utc(self.earliest) if self.earliest is not None else "not known"
        return f"from {first} to {utc(self.latest)} UTC"


def utc(at: float) -> str:
    """``2026-11-25 14:03:12``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def local(at: float) -> str:
    """The same instant on this machine's clock, with the name of its zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(at))


def instant_in(text: str) -> float | None:
    """What a person typed, as epoch seconds; None if it is no date and time. Without a zone it is UTC."""
    words = text.strip().removesuffix("UTC").strip()
    if len(words) < len("2026-11-25 14:03"):
        return None  # a date alone would be its midnight, and nobody means that
    try:
        at = datetime.fromisoformat(words)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


class Asked(NamedTuple):
    """The two fields as answered, the instant they agree on (None if they do not), and what is to be said of it."""

    fields: tuple[Field, Field]
    point: float | None
    findings: tuple[Finding, ...]


def asked(window: Window, choices: Choices) -> Asked:
    """Read the instant from the fields. What is wrong, or was not said twice, is a red finding."""
    text = choices.get(POINT, utc(window.proposed))
    again = choices.get(AGAIN, "")
    point, second = instant_in(text), instant_in(again)
    here = f"here {local(point)}" if point is not None else "e.g. 2026-11-25 14:03:12"
    fields = (
        Field(id=POINT, label="restore to UTC", kind="text", value=text, hint=here),
        Field(id=AGAIN, label="once more", kind="text", value=again, hint="type the same instant again"),
    )
    if point is None:
        wrong = f"{text[:40]!r} is no date and time"
        return Asked(fields, None, (Finding(POINT, Level.RED, wrong, "type it like 2026-11-25 14:03:12, in UTC"),))
    if out := _outside(window, point):
        return Asked(fields, None, (Finding(POINT, Level.RED, out, f"it can be restored {window}"),))
    said = [Finding(POINT, Level.GREEN, f"{_spoken(window, point)}; it can be restored {window}")]
    if window.earliest is None:
        text = "Azure does not say from when on this database can be restored: it may refuse"
        said = [Finding(POINT, Level.AMBER, text)]
    if window.latest - point < LOG_BACKUPS:
        text = "the last log backup may be older than that: Azure then waits for the next one, or refuses"
        said.append(Finding("backup", Level.AMBER, text))
    if second != point:
        text = "the instant is asked twice, and the second field does not say the same yet"
        advice = f"type {utc(point)} into “once more”"
        return Asked(fields, None, (*said, Finding(AGAIN, Level.RED, text, advice)))
    return Asked(fields, point, tuple(said))


def _outside(window: Window, point: float) -> str:
    if point > window.latest:
        return f"{utc(point)} UTC is still to come"
    if window.earliest is not None and point < window.earliest:
        return f"{utc(point)} UTC is before the earliest restore point"
    return ""


def _spoken(window: Window, point: float) -> str:
    here = local(point)
    text = f"{utc(point)} UTC" if here.startswith(utc(point)) else f"{utc(point)} UTC is {here}"
    if window.began is None:
        return text
    apart = window.began - point
    side = "before" if apart >= 0 else "after"
    return f"{text}, {_span(abs(apart))} {side} the incident began"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    if minutes >= 120:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes and rest else f"{minutes} min" if minutes else f"{rest} s"
