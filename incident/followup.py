"""Reading a follow-up: what is to be done, by whom, until when, how urgent, and whether it is done.

    TODO rotate the keys @ada due 2026-12-01 !high

``@name`` is the owner, ``due`` with a day of the calendar the due date, ``!critical``, ``!high``, ``!medium`` or
``!low`` the priority: each at most once, anywhere, as words of their own. Whatever else there is stays text, and so
does what only resembles one of these (``due 2026-13-45``, ``ada@example.com``). A follow-up is done when its text has
been amended to begin with ``DONE``.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from msgspec import Struct

PRIORITIES = ("critical", "high", "medium", "low")

_OWNER = re.compile(r"(?<!\S)@([\w][\w.\-]*[\w]|\w)(?=[\s,;]|$)")
_DUE = re.compile(r"(?<!\S)(?:due|DUE|Due)[: ]\s?(\d{4}-\d{2}-\d{2})(?=[\s,;.]|$)", re.ASCII)
_PRIORITY = re.compile(rf"(?<!\S)!({'|'.join(PRIORITIES)})(?=[\s,;.]|$)", re.IGNORECASE)
_DONE = re.compile(r"(?:DONE(?=[:\s])|\[[xX]\](?=\s)):?\s+")
_GAP = re.compile(r"[ \t]{2,}")


class FollowUp(Struct, frozen=True, kw_only=True):
    """An action item. ``owner`` and ``priority`` are empty, ``due`` is None, where nobody said."""

    text: str
    owner: str = ""
    due: date | None = None
    priority: str = ""
    done: bool = False

    def overdue(self, now: int) -> bool:
        """Whether it is open, and its day has passed in UTC at ``now`` (ms)."""
        return not self.done and self.due is not None and self.due < datetime.fromtimestamp(now / 1000, UTC).date()


def parse(text: str) -> FollowUp:
    """Read the text of a FOLLOWUP entry, as it stands after its amendments. Never raises."""
    rest, owner, due, priority = text.strip(), "", None, ""
    if done := _DONE.match(rest):
        rest = rest[done.end() :]
    if match := _OWNER.search(rest):
        owner, rest = match.group(1), _without(rest, match)
    for match in _DUE.finditer(rest):
        try:
            due = date.fromisoformat(match.group(1))
        except ValueError:
            continue
        rest = _without(rest, match)
        break
    if match := _PRIORITY.search(rest):
        priority, rest = match.group(1).lower(), _without(rest, match)
    return FollowUp(text=rest.strip() or text.strip(), owner=owner, due=due, priority=priority, done=done is not None)


def _without(text: str, match: re.Match[str]) -> str:
    before, after = text[: match.start()], text[match.end() :]
    return _GAP.sub(
        " ", f"{before.rstrip(' ')} {after.lstrip(' ')}" if before.strip() and after.strip() else before + after
    )
