"""The timeline as a reader sees it: entries in order of time, with amendments, retractions, repeats and outcomes.

Pure and incremental: one entry more on a timeline of 100,000 costs a search and one insertion.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from operator import gt
from typing import overload

from msgspec.structs import replace

from incident.acts import only_looks
from incident.entry import Entry, Kind, Line, Source

_REFERRING = (Kind.AMENDMENT, Kind.RETRACTION, Kind.REPEAT, Kind.OUTCOME)
_ACT = Kind.MITIGATION
_BULK = 64  # from so many new lines on, sorting all is cheaper than inserting each

_Key = tuple[int, int]  # happened_at, seq


class Lines(Sequence[Line]):
    """The lines of a timeline, oldest first. A live view: it grows and changes with the timeline."""

    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> list[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | list[Line]:
        return self._lines[index]

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines)


class Timeline:
    """The lines of one incident. Feed it entries with `add`, in any order and as often as they come."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._keys: list[_Key] = []
        self._lines: list[Line] = []
        self._key_of: dict[str, _Key] = {}  # id of a line → where it is
        self._history: dict[str, list[Entry]] = {}  # id of an entry → amendments and retractions, as written
        self._repeats: dict[str, tuple[int, int]] = {}  # id of an entry → how often it was seen, and when last (ms)
        self._outcomes: dict[str, list[Entry]] = {}  # id of an intent → how it ended, as written
        self._unended: set[str] = set()  # intents that nothing says the outcome of
        self._early: dict[str, list[Entry]] = {}  # what refers to an entry that has not come yet
        self._seen: set[str] = set()
        self._counts = dict.fromkeys(Source, 0)
        self.last_seq = 0  # the highest that was added: where to go on reading
        self.lines: Sequence[Line] = Lines(self._lines)
        self.add(entries)

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def counts(self) -> dict[Source, int]:
        """How many lines each source has written, retracted ones included."""
        return dict(self._counts)

    @property
    def followups(self) -> list[Line]:
        """What was noted as TODO and still stands, oldest first."""
        return [line for line in self._lines if line.entry.kind is Kind.FOLLOWUP and line.retracted is None]

    @property
    def unended(self) -> list[Line]:
        """The acts that nothing says the outcome of: they run, or nobody knows."""
        lines = [self.get(line_id) for line_id in self._unended]
        return [line for line in lines if line is not None]

    def get(self, line_id: str) -> Line | None:
        """The line of an entry, or None if it has none (unknown, or an amendment, retraction, repeat or outcome)."""
        key = self._key_of.get(line_id)
        return None if key is None else self._lines[bisect_left(self._keys, key)]

    def index(self, line_id: str) -> int | None:
        """Where a line is among `lines`, or None."""
        key = self._key_of.get(line_id)
        return None if key is None else bisect_left(self._keys, key)

    def history(self, line_id: str) -> Sequence[Entry]:
        """The amendments and retractions of a line, in the order they were written."""
        return tuple(self._history.get(line_id, ()))

    def outcomes(self, line_id: str) -> Sequence[Entry]:
        """How an act ended, as every entry of it says, in the order they were written; the last one counts."""
        return tuple(self._outcomes.get(line_id, ()))

    def add(self, entries: Iterable[Entry]) -> set[str]:
        """Take in more entries; ones that are known are ignored. Returns the ids of lines that came, changed or went.

        What refers to an entry that has not come yet is a line of its own until it does: nothing is hidden.
        """
        fresh: list[Line] = []
        referring: list[Entry] = []
        for entry in entries:
            if entry.id in self._seen:
                continue
            self._seen.add(entry.id)
            if entry.seq > self.last_seq:
                self.last_seq = entry.seq
            if entry.refers_to is not None and entry.kind in _REFERRING:
                referring.append(entry)
            else:
                fresh.append(_line(entry))
        self._insert(fresh)
        changed = {line.entry.id for line in fresh}
        for line_id in self._early.keys() & changed:
            for entry in self._early.pop(line_id):
                if self._fits(line_id, entry):
                    changed.add(self._remove(entry).id)
                    self._apply(line_id, entry)
        for entry in referring:
            target = entry.refers_to
            assert target is not None
            if target in self._key_of and self._fits(target, entry):
                self._apply(target, entry)
                changed.add(target)
            else:
                self._early.setdefault(target, []).append(entry)
                self._insert([_line(entry)])
                changed.add(entry.id)
        return changed

    def _fits(self, line_id: str, entry: Entry) -> bool:
        """Only acts have outcomes: one of anything else, which no store takes, stays a line of its own."""
        line = self.get(line_id)
        return entry.kind is not Kind.OUTCOME or (line is not None and line.entry.kind is _ACT)

    def filtered(
        self, query: str = "", *, sources: Collection[Source] | None = None, kinds: Collection[Kind] | None = None
    ) -> list[Line]:
        """The lines of these sources and kinds (None: all) that hold every word of ``query``, in whatever case.

        Words are looked for in the text, the outcome, the author and the ID.
        """
        words = query.casefold().split()
        return [
            line
            for line in self._lines
            if (sources is None or line.entry.source in sources)
            and (kinds is None or line.entry.kind in kinds)
            and (not words or _holds(line, words))
        ]

    def _insert(self, fresh: list[Line]) -> None:
        keys = [(line.happened_at, line.entry.seq) for line in fresh]
        self._key_of.update(zip([line.entry.id for line in fresh], keys, strict=True))
        # Asked of the kind first: of 100,000 lines few are acts.
        self._unended.update([line.entry.id for line in fresh if line.entry.kind is _ACT and line.unended])
        for source, count in Counter([line.entry.source for line in fresh]).items():
            self._counts[source] += count
        if len(fresh) < _BULK:
            for key, line in zip(keys, fresh, strict=True):
                at = bisect_left(self._keys, key)
                self._keys.insert(at, key)
                self._lines.insert(at, line)
            return
        # Both lists stay the objects they are, because `lines` is a view of one of them.
        self._keys += keys
        self._lines += fresh
        if any(map(gt, self._keys, islice(self._keys, 1, None))):
            self._keys.sort()
            self._lines.sort(key=_key)

    def _remove(self, entry: Entry) -> Line:
        at = bisect_left(self._keys, self._key_of.pop(entry.id))
        self._counts[entry.source] -= 1
        del self._keys[at]
        return self._lines.pop(at)

    def _apply(self, line_id: str, entry: Entry) -> None:
        """Work the line out anew from all that refers to it, so that it does not matter in which order that came."""
        at = bisect_left(self._keys, self._key_of[line_id])
        line = self._lines[at]
        if entry.kind is Kind.REPEAT:
            count, last_at = self._repeats.get(line_id, (1, 0))
            self._repeats[line_id] = max(count, entry.count), max(last_at, entry.happened_at)
        else:
            written = self._outcomes if entry.kind is Kind.OUTCOME else self._history
            history = written.setdefault(line_id, [])
            history.append(entry)
            history.sort(key=lambda one: one.seq)
        changed = _line(
            line.entry,
            self._history.get(line_id, ()),
            self._repeats.get(line_id),
            self._outcomes.get(line_id, ()),
        )
        if not changed.unended:
            self._unended.discard(line_id)
        if changed.happened_at == line.happened_at:
            self._lines[at] = changed
        else:
            self._remove(line.entry)
            self._insert([changed])


def _key(line: Line) -> _Key:
    return line.happened_at, line.entry.seq


def _line(
    entry: Entry,
    history: Sequence[Entry] = (),
    repeats: tuple[int, int] | None = None,
    outcomes: Sequence[Entry] = (),
) -> Line:
    """An entry after its history: the last amendment and the last outcome count, the first retraction stands."""
    if not history and repeats is None and entry.kind is not _ACT:  # nearly all of them
        return Line(entry, entry.text, entry.happened_at, None, None, entry.count, entry.happened_at, entry.level)
    text, happened_at, amended_at, retracted = entry.text, entry.happened_at, None, None
    for change in history:
        if change.kind is Kind.AMENDMENT:
            text, happened_at, amended_at = change.text, change.happened_at, change.recorded_at
        elif retracted is None:
            retracted = change.text
    count, last_at = entry.count, happened_at
    if repeats is not None:
        count, last_at = max(count, repeats[0]), max(last_at, repeats[1])
    line = Line(entry, text, happened_at, amended_at, retracted, count, last_at, entry.level)
    return _ended(line, outcomes) if entry.kind is _ACT else line


def _ended(line: Line, outcomes: Sequence[Entry]) -> Line:
    """An act with how it ended, if that is known. One that was never sent says so itself, below its title."""
    entry = line.entry
    own = entry.ending
    told = [] if own is None else [line.text.partition("\n")[2].strip() or own.verdict or "ended"]
    told += [outcome.text for outcome in outcomes]
    if not told:
        return replace(line, looked=only_looks(entry))
    last = outcomes[-1] if outcomes else entry
    ending = last.ending
    return replace(
        line,
        level=last.level,
        outcome=told[-1],
        ended_at=last.happened_at,
        ended_by=last.author,
        earlier=tuple(told[:-1]),
        sent=None if ending is None else ending.sent,
        looked=ending is not None and ending.looked,
        last_at=max(line.last_at, last.happened_at),
    )


def _holds(line: Line, words: Sequence[str]) -> bool:
    said = (line.text, line.entry.author, line.entry.id, line.retracted, line.outcome, *line.earlier, line.ended_by)
    haystack = "\n".join(part for part in said if part).casefold()
    return all(word in haystack for word in words)
