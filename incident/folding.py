"""Folding: a crash loop is one line with a count. Decides whether an observation becomes an entry, a repeat or waits.

Pure: the rules look at the newest entry of a fold key, wherever it was read from, so that they hold across restarts
and between two consoles on one store.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from incident.entry import Draft, Entry, Kind

WINDOW = 15 * 60_000  # ms; an observation after this much quiet is news again
PACE = 30_000  # ms between two entries for one key: what is seen more often only counts


class Fold(Struct, frozen=True, kw_only=True, gc=False):
    """How an observation stands: its entry, how often it was seen, and when last."""

    first: str  # id of the OBSERVATION
    level: str
    count: int
    last_at: int  # ms, when it was last seen
    written_at: int  # ms, when that was last put on the timeline


def fold_of(newest: Entry) -> Fold:
    """What the newest entry of a fold key says."""
    return Fold(
        first=newest.refers_to if newest.kind is Kind.REPEAT and newest.refers_to else newest.id,
        level=newest.level,
        count=newest.count,
        last_at=newest.happened_at,
        written_at=newest.recorded_at,
    )


def continues(fold: Fold, draft: Draft, happened_at: int) -> bool:
    """Whether the draft is the same thing once more, and not a recovery, a relapse or news after a quiet time."""
    return draft.level == fold.level and happened_at - fold.last_at <= WINDOW


def may_wait(fold: Fold, now: int) -> bool:
    """Whether a repeat can stay in memory for now, because the last one was put down moments ago."""
    return 0 <= now - fold.written_at < PACE


def decide(fold: Fold | None, draft: Draft, happened_at: int) -> Draft:
    """What to append for an observation, given how its key stands in the store.

    ``draft.count`` is how often it was seen since then; ``happened_at`` (ms) when last.
    """
    if fold is None or not continues(fold, draft, happened_at):
        return replace(draft, kind=Kind.OBSERVATION, refers_to=None, happened_at=happened_at)
    return repeat(replace(draft, refers_to=fold.first, happened_at=max(happened_at, fold.last_at)), fold.count)


def repeat(draft: Draft, count: int) -> Draft:
    """One more REPEAT of ``draft.refers_to``, which was seen ``count`` times before and ``draft.count`` times since."""
    return replace(draft, kind=Kind.REPEAT, count=count + draft.count, evidence=None)


class Waiting:
    """Repeats that were seen and not written yet. A crash loses at most `PACE` of counting, and never a first sight."""

    def __init__(self) -> None:
        self._folds: dict[tuple[str, str], Fold] = {}
        self._drafts: dict[tuple[str, str], Draft] = {}

    def absorb(self, incident: str, draft: Draft, now: int) -> bool:
        """Keep a repeat for later. False: it is news, or it is time to write it together with what waits."""
        assert draft.fold is not None
        key = (incident, draft.fold)
        fold = self._folds.get(key)
        happened_at = now if draft.happened_at is None else draft.happened_at
        if fold is None or not continues(fold, draft, happened_at) or not may_wait(fold, now):
            return False
        last_at = max(fold.last_at, happened_at)
        waiting = self._drafts.get(key)
        count = draft.count + (waiting.count if waiting else 0)
        self._drafts[key] = replace(draft, count=count, happened_at=last_at, refers_to=fold.first, evidence=None)
        self._folds[key] = replace(fold, last_at=last_at)
        return True

    def get(self, incident: str, key: str) -> Draft | None:
        """The repeats of one key that wait, as one draft that refers to its observation."""
        return self._drafts.get((incident, key))

    def due(self) -> list[tuple[str, Draft]]:
        """(incident, draft) of everything that waits."""
        return [(incident, draft) for (incident, _), draft in self._drafts.items()]

    def written(self, incident: str, key: str, fold: Fold, waited: Draft | None = None) -> None:
        """How the key stands now that ``waited`` is in the store, with whatever came after it."""
        self._folds[(incident, key)] = fold
        left = self._drafts.get((incident, key))
        if left is None or waited is None:
            return
        # More may have been absorbed while the store was writing.
        if left.count > waited.count:
            self._drafts[(incident, key)] = replace(left, count=left.count - waited.count)
        else:
            del self._drafts[(incident, key)]
