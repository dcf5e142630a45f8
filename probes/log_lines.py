"""Lines of container logs: parsed, cut where they are monstrous, merged by time, and told apart from replays.

Pure. How they are fetched and followed is in `probes.logs`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from probes.errors import BadAnswer, ProbeError

MOST_TEXT = 64 * 1024  # characters in one LogLine; a longer line becomes several, visibly
CONTINUES, CONTINUED = " ⋯ (line continues)", "(continued) ⋯ "


class LogLine(Struct, frozen=True, gc=False):
    """One line. ``kind`` is ``log``; ``gap`` where continuity broke or was mended; ``notice`` about the container."""

    at: float | None
    pod: str
    container: str
    text: str
    kind: Literal["log", "gap", "notice"] = "log"


def parse(raw: bytes) -> tuple[float | None, str]:
    """Take off what ``timestamps=true`` put in front. None for a line without one (the kubelet's own words)."""
    stamp, space, text = raw.partition(b" ")
    at = _instant(stamp)
    if at is None:
        text = raw
    elif not space:
        text = b""
    return at, text.removesuffix(b"\r").decode("utf-8", errors="replace")


def pieces(text: str) -> Iterator[str]:
    """The text, in parts of at most `MOST_TEXT` characters that say that they belong together."""
    if len(text) <= MOST_TEXT:
        yield text
        return
    for start in range(0, len(text), MOST_TEXT):
        part = text[start : start + MOST_TEXT]
        yield (CONTINUED if start else "") + part + (CONTINUES if start + MOST_TEXT < len(text) else "")


def merged(streams: Iterable[Iterable[LogLine]]) -> list[LogLine]:
    """Several containers' lines by time. Within one container the order stays, even where its stamps run back."""
    keyed: list[tuple[float, LogLine]] = []
    for stream in streams:
        latest = float("-inf")
        for line in stream:
            latest = max(latest, line.at or latest)
            keyed.append((latest, line))
    keyed.sort(key=lambda pair: pair[0])  # stable
    return [line for _, line in keyed]


class Seen:
    """What of one container's log was handed on already, as far back as a reconnect replays.

    ``sinceTime`` reaches the kubelet in whole seconds, so a reconnect replays at least the last second. The lines of
    that window are remembered as they were, counted, because a program can write one line many times in an instant.
    """

    SLACK = 1  # seconds; stdout and stderr are stamped by two readers and can cross by a little

    def __init__(self) -> None:
        self.first: float | None = None
        self.newest: float | None = None
        self._seconds: dict[int, Counter[int]] = {}

    def note(self, raw: bytes, at: float) -> None:
        second = int(at)
        if self.first is None:
            self.first = at
        if self.newest is None or at > self.newest:
            if self.newest is None or second > int(self.newest):
                self._seconds = {key: seen for key, seen in self._seconds.items() if key >= second - self.SLACK}
            self.newest = at
        self._seconds.setdefault(second, Counter())[hash(raw)] += 1

    def skip_to(self, at: float) -> None:
        """Give up what came before this instant, because it cannot be read."""
        self.newest, self.first = at, at
        self._seconds = {}

    @property
    def since(self) -> str | None:
        """The ``sinceTime`` from which a new stream misses nothing; None when nothing was seen yet."""
        if self.newest is None:
            return None
        return datetime.fromtimestamp(int(self.newest) - self.SLACK, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def replay(self) -> Replay:
        """A filter for the lines of one new stream that starts at `since`."""
        return Replay(self.first, {second: Counter(seen) for second, seen in self._seconds.items()})


class Replay:
    """Tells the lines that a new stream repeats. ``matched`` once one was: then the streams join without a gap."""

    def __init__(self, first: float | None, expected: dict[int, Counter[int]]) -> None:
        self._first = first
        self._expected = expected
        self.matched = False

    def repeats(self, raw: bytes, at: float) -> bool:
        if self._first is not None and at < self._first:
            return True  # before the tail that was asked for
        seen = self._expected.get(int(at))
        if seen is None or seen[hash(raw)] <= 0:
            return False
        seen[hash(raw)] -= 1
        self.matched = True
        return True


_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def _instant(stamp: bytes) -> float | None:
    if len(stamp) > 40 or not _STAMP.fullmatch(stamp):
        return None
    try:
        return datetime.fromisoformat(stamp.decode()).timestamp()
    except ValueError:
        return None


_WAITING = re.compile(r'container ".*?" in pod ".*?" is waiting to start: (.*)')
_NO_PREVIOUS = re.compile(r'previous terminated container ".*?" in pod ".*?" not found')
_NO_CONTAINER = re.compile(r"container (\S+) is not valid for pod (\S+)")


def waiting_reason(error: ProbeError) -> str | None:
    """Why a container has no log yet (``ContainerCreating``), or None when the refusal is another one."""
    found = _WAITING.search(str(error)) if isinstance(error, BadAnswer) and error.status == 400 else None
    return found[1] if found else None


def in_words(error: ProbeError) -> str:
    """A refusal as a notice. The kubelet's three usual ones get shorter words; anything else speaks for itself."""
    text = str(error)
    if reason := waiting_reason(error):
        return f"waiting to start: {reason}"
    if _NO_PREVIOUS.search(text):
        return "there is no previous run: the container was not restarted, or its old log is gone"
    if found := _NO_CONTAINER.search(text):
        return f"no such container: {found[1]} in pod {found[2]}"
    return text
