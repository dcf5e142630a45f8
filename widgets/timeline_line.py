"""How one line of the timeline reads: its mark, its words, how an act ended, and the quiet lines below them."""

from __future__ import annotations

import time
from collections.abc import Iterator

from incident.entry import Kind, Line, Source
from widgets.plain import plain

LATE_MS = 60_000  # recorded later than this after it happened, and the reader is told
_MOST_LINES = 40  # of one entry; the detail view has them all
_MOST_COMMAND_LINES = 4  # of an act: how it ended must not be pushed off a small screen
_LONGEST_LINE = 2_000

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_KIND_MARKS = {
    Kind.DECLARED: "▲",
    Kind.STATUS: "▲",
    Kind.FOLLOWUP: "☐",
    Kind.PIN: "⊙",
    Kind.EXPORT: "↓",
    Kind.AMENDMENT: "~",  # these are lines of their own only while what they refer to has not come
    Kind.RETRACTION: "⊘",
    Kind.REPEAT: "×",
}
_SOURCE_MARKS = {Source.MITIGATION: "▶", Source.UPDATE: "»"}
_LEVEL_MARKS = {"bad": "✗", "warn": "!", "good": "✓"}
# Fold keys say what a probe observed; these two are neither good nor bad by themselves.
_CHANGES = ("release", "commit", "azure", "change", "rollout")
_GAPS = ("gap", "blind", "connection")

RETRACTED = "⊘"
BEGUN = "▶"
ENDED = "–"  # neither good nor bad: cancelled

RUNNING = "running…"
UNKNOWN = "outcome unknown: look at the cluster before you go on"


def mark_of(line: Line) -> str:
    """The single cell that says what kind of line this is, so that colour never has to."""
    entry = line.entry
    if line.retracted is not None:
        return RETRACTED
    if entry.kind is Kind.OUTCOME or (entry.kind is Kind.MITIGATION and not line.unended):
        return _LEVEL_MARKS.get(line.level, ENDED)
    if entry.kind in _KIND_MARKS:
        return _KIND_MARKS[entry.kind]
    if entry.source in _SOURCE_MARKS:
        return _SOURCE_MARKS[entry.source]
    fold = entry.fold or ""
    if fold.startswith(_GAPS):
        return "–"
    if entry.level == "info" and fold.startswith(_CHANGES):
        return "◆"
    if entry.level in _LEVEL_MARKS:
        return _LEVEL_MARKS[entry.level]
    return "●" if entry.source is Source.PERSON else "·"


def tone(line: Line) -> str:
    """The style of a line's mark: retracted, bad, warn, good, act, declared, update, or note."""
    entry = line.entry
    if line.retracted is not None:
        return "retracted"
    if line.unended:
        return "act"
    if line.level in _LEVEL_MARKS:
        return line.level
    if entry.kind in (Kind.DECLARED, Kind.STATUS):
        return "declared"
    if entry.source is Source.UPDATE:
        return "update"
    return "note"


def loudness(line: Line) -> str:
    """The style of a line's words: as its mark's, but what was done is told from how that ended."""
    return "act" if line.entry.kind is Kind.MITIGATION and line.retracted is None else tone(line)


def words(line: Line) -> tuple[list[str], list[str]]:
    """The lines of text drawn loud, and those drawn quietly below them, all inert.

    The first line of what a probe or a mitigation wrote is the news, the rest explains; every line that a person
    wrote is the person's. Of an act the rest is the command, or how it ended if it was never sent (see `verdict`).
    """
    lines = _inert(line.text) or [""]
    if line.entry.kind is Kind.MITIGATION:
        return lines[:1], _at_most(_MOST_COMMAND_LINES, lines[1:]) if line.entry.ending is None else []
    lines = _at_most(_MOST_LINES, lines)
    if line.entry.source is Source.PERSON:
        return lines, []
    return lines[:1], lines[1:]


def verdict(line: Line, running: bool = False) -> tuple[list[str], str]:
    """How an act ended, line by line, and the style of that; nothing for what is no act.

    ``running``: this console is at it, or another that is known to live.
    """
    if line.unended:
        return ([RUNNING], "act") if running else ([UNKNOWN], "unknown")
    if line.outcome is None:
        return [], "remark"
    return _at_most(_MOST_LINES, _inert(line.outcome)), line.level if line.level in _LEVEL_MARKS else "note"


def rows(line: Line, local: bool, running: bool = False) -> Iterator[tuple[str, str]]:
    """Every line of text of an entry, inert, with its style: of `loudness`, ``unknown``, or ``remark``."""
    loud, explained = words(line)
    for text in loud:
        yield text, loudness(line)
    ended, style = verdict(line, running)
    said = " · ".join(remarks(line, local))
    if len(explained) == 1 and not ended:  # what explains the news in one line shares it with the remarks
        yield f"{explained[0]} · {said}", "remark"
        return
    for text in explained:
        yield text, "remark"
    for text in ended:
        yield text, style
    for text in line.earlier:
        yield f"before that: {plain(text, _LONGEST_LINE)}", "remark"
    yield said, "remark"


def _inert(text: str) -> list[str]:
    return [plain(part, _LONGEST_LINE) for part in text.splitlines() if part.strip()]


def _at_most(most: int, lines: list[str]) -> list[str]:
    hidden = len(lines) - most
    return [*lines[:most], f"… {hidden} more lines, enter shows all"] if hidden > 0 else lines


def remarks(line: Line, local: bool) -> list[str]:
    """What is said about the line: detail, who, how often, amended, recorded late, retracted and why."""
    entry = line.entry
    said: list[str] = []
    if line.retracted is not None:
        reason = plain(line.retracted, _LONGEST_LINE)
        said.append(f"RETRACTED: {reason}" if reason else "RETRACTED")
    detail = (entry.evidence or {}).get("detail")
    if isinstance(detail, str) and detail and detail not in line.text:
        said.append(plain(detail, _LONGEST_LINE))
    if entry.kind is Kind.FOLLOWUP:
        said.append("follow-up")
    elif entry.kind is Kind.PIN:
        pinned = (entry.evidence or {}).get("pinned")
        said.append(f"pin: {plain(pinned, 200)}" if isinstance(pinned, str) and pinned else "pin")
    if entry.source is Source.PROBE:
        said.append("probe")
    else:
        if entry.source is not Source.PERSON:
            said.append(str(entry.source))
        said.append(plain(entry.author, 80) or "nobody")
    if line.ended_by and line.ended_by != entry.author:
        said.append(f"found out by {plain(line.ended_by, 80)}")
    if line.ended_at is not None and line.ended_at - line.happened_at > LATE_MS:
        said.append(f"ended {near(line.ended_at, line.happened_at, local, seconds=True)}")
    if line.count > 1:
        said.append(f"{line.count:,} times so far, last {near(line.last_at, line.happened_at, local, seconds=True)}")
    if line.amended_at is not None:
        said.append(f"amended {near(line.amended_at, line.happened_at, local)}")
    if entry.recorded_at - line.happened_at > LATE_MS:
        said.append(f"recorded {near(entry.recorded_at, line.happened_at, local)}")
    return said


def split(at: int, local: bool) -> time.struct_time | None:
    """An instant in ms as calendar fields, or None for one that no calendar has."""
    try:
        return time.localtime(at / 1000) if local else time.gmtime(at / 1000)
    except (OverflowError, ValueError, OSError):
        return None


def clock_of(at: int, local: bool) -> str:
    """``14:02:42``: always eight cells; the day stands above it."""
    then = split(at, local)
    return f"{then.tm_hour:02}:{then.tm_min:02}:{then.tm_sec:02}" if then else "  :  :  "


def day_of(at: int, local: bool) -> str:
    """``Mon 23 Nov 2026``."""
    then = split(at, local)
    if then is None:
        return "a day that no calendar has"
    return f"{_WEEKDAYS[then.tm_wday]} {then.tm_mday} {_MONTHS[then.tm_mon - 1]} {then.tm_year:04}"


def near(at: int, beside: int, local: bool, *, seconds: bool = False) -> str:
    """A time of day, with its date if that is another day than ``beside``'s."""
    clock = clock_of(at, local)[: 8 if seconds else 5]
    return clock if day_of(at, local) == day_of(beside, local) else f"{day_of(at, local)} {clock}"


def as_text(line: Line, local: bool, running: bool = False) -> str:
    """The line as it is copied: date, time, text and remarks, on lines of their own."""
    zone = "local" if local else "UTC"
    head = f"{day_of(line.happened_at, local)} {clock_of(line.happened_at, local)} {zone} {mark_of(line)} "
    return head + "\n".join(text for text, _ in rows(line, local, running))
