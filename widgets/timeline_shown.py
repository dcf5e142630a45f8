"""Which lines of a timeline are shown: one choice of source, one search, and where a given line is among them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from incident.entry import Kind, Line, Source


class Lines(Protocol):
    """What is needed of `incident.timeline.Timeline`: its lines, sorted by `Line.happened_at`."""

    @property
    def lines(self) -> Sequence[Line]: ...


class Choice(NamedTuple):
    """One way to look at the timeline: everything, or only some lines."""

    name: str
    keep: Callable[[Line], bool]


CHOICES = (
    Choice("all", lambda line: True),
    Choice("people", lambda line: line.entry.source is Source.PERSON),
    Choice("probes", lambda line: line.entry.source is Source.PROBE),
    Choice("mitigations", lambda line: line.entry.source is Source.MITIGATION),
    Choice("updates", lambda line: line.entry.source is Source.UPDATE),
    Choice("follow-ups", lambda line: line.entry.kind is Kind.FOLLOWUP),
    Choice("pins", lambda line: line.entry.kind is Kind.PIN),
)


def _said(line: Line) -> tuple[str, ...]:
    """What a search looks through."""
    return (line.text, line.entry.author, line.outcome or "", line.ended_by, *line.earlier)


class Shown:
    """The lines of ``timeline`` that pass ``choice`` and contain ``needle``; all of them cost nothing extra."""

    def __init__(self, timeline: Lines | None = None) -> None:
        self.timeline = timeline
        self.choice = CHOICES[0]
        self.needle = ""
        self.lines: Sequence[Line] = ()
        self.select()

    @property
    def all(self) -> Sequence[Line]:
        return self.timeline.lines if self.timeline else ()

    def step(self, by: int) -> None:
        """The next choice, or another."""
        self.choice = CHOICES[(CHOICES.index(self.choice) + by) % len(CHOICES)]
        self.select()

    def select(self) -> None:
        """Asks every line again."""
        lines = self.all
        if self.choice is not CHOICES[0]:
            lines = [line for line in lines if self.choice.keep(line)]
        if needle := self.needle.casefold():
            lines = [line for line in lines if any(needle in said.casefold() for said in _said(line))]
        self.lines = lines

    def place(self, line: Line) -> int:
        """Where the line would be by its time."""
        return bisect_left(self.lines, line.happened_at, key=lambda other: other.happened_at)

    def find(self, line: Line) -> int | None:
        """Where the line is now, by its id; ``line`` may be an older reading of it."""
        for index in range(self.place(line), len(self.lines)):
            if self.lines[index].id == line.id:
                return index
            if self.lines[index].happened_at > line.happened_at:
                break
        # Its time was amended, so it is somewhere else.
        return next((index for index, other in enumerate(self.lines) if other.id == line.id), None)
