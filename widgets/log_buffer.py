"""The lines of a log that are kept for the view: numbered, searched as they come, bounded and counted."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Protocol

MOST_LINES = 200_000
MOST_CHARACTERS = 64 * 1024 * 1024
_OVERHEAD = 120  # of a line besides its text, in characters' worth of memory


class LogLineLike(Protocol):
    """What the view needs of a log line; `probes.log_lines.LogLine` is one. ``at`` is in seconds."""

    @property
    def at(self) -> float | None: ...
    @property
    def pod(self) -> str: ...
    @property
    def container(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def kind(self) -> str: ...


class LogBuffer:
    """Lines by number, counted from 0 since the log was opened; the oldest are dropped in lots, and counted.

    ``slack`` (1 or 2) multiplies the bounds: while somebody reads, what they read is kept as long as can be.
    """

    def __init__(self, most_lines: int = MOST_LINES, most_characters: int = MOST_CHARACTERS) -> None:
        self.most_lines = most_lines
        self.most_characters = most_characters
        self.dropped = 0
        self.needle = ""
        self.matches: list[int] = []
        self._lines: list[LogLineLike] = []
        self._size = 0

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> LogLineLike:
        return self._lines[number - self.dropped]

    @property
    def end(self) -> int:
        """The number that the next line gets."""
        return self.dropped + len(self._lines)

    @property
    def oldest_at(self) -> float | None:
        """The instant of the oldest line that is kept and has one."""
        return next((line.at for line in self._lines if line.at is not None), None)

    def append(self, batch: Sequence[LogLineLike]) -> None:
        start = self.end
        self._lines.extend(batch)
        self._size += _size(batch)
        if self.needle:
            self.matches.extend(number for number, line in enumerate(batch, start) if self.needle in line.text.lower())

    def trim(self, slack: int = 1) -> int:
        """Drops the oldest lines if there are too many, a sixteenth more than needed; how many were dropped."""
        most_lines, most = self.most_lines * slack, self.most_characters * slack
        if len(self._lines) <= most_lines and self._size <= most:
            return 0
        count, kept = max(len(self._lines) - most_lines + most_lines // 16, 0), self._size
        if kept > most:
            room = most - most // 16
            for index, line in enumerate(self._lines):
                if kept <= room:
                    count = max(count, index)
                    break
                kept -= _size((line,))
        count = min(max(count, 1), len(self._lines) - 1)
        self._size -= _size(self._lines[:count])
        del self._lines[:count]
        self.dropped += count
        del self.matches[: bisect_left(self.matches, self.dropped)]
        return count

    def search(self, needle: str) -> None:
        """Finds the lines that contain ``needle``, upper and lower case alike; an empty one finds none."""
        needle = needle.lower()
        if not needle:
            self.matches = []
        elif self.needle and self.needle in needle:  # only a line that matched before can match a longer needle
            self.matches = [number for number in self.matches if needle in self[number].text.lower()]
        else:
            numbered = enumerate(self._lines, self.dropped)
            self.matches = [number for number, line in numbered if needle in line.text.lower()]
        self.needle = needle

    def match_after(self, number: int) -> int | None:
        """The next match after ``number``, from the first again at the end."""
        if not self.matches:
            return None
        index = bisect_right(self.matches, number)
        return self.matches[index if index < len(self.matches) else 0]

    def match_before(self, number: int) -> int | None:
        """The last match before ``number``, from the last again at the start."""
        return self.matches[bisect_left(self.matches, number) - 1] if self.matches else None

    def rank(self, number: int) -> int | None:
        """Which of the matches ``number`` is, counted from 1; None if it is not one."""
        index = bisect_left(self.matches, number)
        return index + 1 if index < len(self.matches) and self.matches[index] == number else None


def _size(lines: Iterable[LogLineLike]) -> int:
    return sum(len(line.text) + _OVERHEAD for line in lines)
