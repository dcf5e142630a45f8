"""Keyed rows in order: a change of a few keys among thousands costs a few bisections, not a sort."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from msgspec import Struct

from probes.freshness import Snapshot

RowT = TypeVar("RowT")

Sort = tuple[Any, ...]  # compared position by position with the other rows of the same table

# Above this share of changed rows one sort is cheaper than many insertions.
_BULK = 4


class Placed(Struct, Generic[RowT], frozen=True):
    """A row and what it is ordered by."""

    sort: Sort
    row: RowT


class Rows(Generic[RowT]):
    """Rows by key and by position. Equal sort keys are ordered by key, so that nothing ever jitters."""

    def __init__(self) -> None:
        # The sort and then the key: flat tuples are sorted in half the time of nested ones.
        self._order: list[Sort] = []
        self._placed: dict[str, Placed[RowT]] = {}

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, key: object) -> bool:
        return key in self._placed

    def get(self, key: str) -> RowT | None:
        placed = self._placed.get(key)
        return None if placed is None else placed.row

    def key_at(self, index: int) -> str:
        key: str = self._order[index][-1]
        return key

    def index(self, key: str) -> int | None:
        """Where the row stands now; None if it is not there."""
        placed = self._placed.get(key)
        return None if placed is None else bisect_left(self._order, (*placed.sort, key))

    def window(self, start: int, stop: int) -> list[tuple[str, RowT]]:
        """The rows from ``start`` up to ``stop``, as far as there are any."""
        placed = self._placed
        return [(key, placed[key].row) for *_, key in self._order[start:stop]]

    def update(self, puts: Mapping[str, Placed[RowT]], drops: Iterable[str]) -> None:
        """Puts rows (new or changed) and drops others; a dropped key that is not there is fine."""
        gone = [key for key in drops if key in self._placed]
        if (len(puts) + len(gone)) * _BULK > len(self._placed):
            for key in gone:
                del self._placed[key]
            self._placed.update(puts)
            self._order = sorted((*placed.sort, key) for key, placed in self._placed.items())
            return
        for key in gone:
            self._take_out(key, self._placed.pop(key).sort)
        for key, placed in puts.items():
            before = self._placed.get(key)
            self._placed[key] = placed
            if before is not None:
                if before.sort == placed.sort:
                    continue
                self._take_out(key, before.sort)
            insort(self._order, (*placed.sort, key))

    def replace(self, rows: Mapping[str, Placed[RowT]]) -> None:
        """Forgets everything and takes these."""
        self._placed = dict(rows)
        self._order = sorted((*placed.sort, key) for key, placed in rows.items())

    def keep(self, admits: Callable[[str, RowT], bool]) -> None:
        """Forgets the rows that are not admitted; the others stay in their order, without a sort."""
        placed = self._placed
        self._order = [each for each in self._order if admits(each[-1], placed[each[-1]].row)]
        self._placed = {each[-1]: placed[each[-1]] for each in self._order}

    def _take_out(self, key: str, sort: Sort) -> None:
        del self._order[bisect_left(self._order, (*sort, key))]


def difference(before: Snapshot[Any] | None, after: Snapshot[Any]) -> frozenset[str] | set[str]:
    """The keys whose row is not the same in both snapshots.

    Uses what the probe said changed when no snapshot was missed in between; otherwise compares identities, which
    is enough: rows are frozen and an unchanged row is the same object, and a few thousand comparisons are cheap.
    """
    if before is None:
        return after.rows.keys() | set()
    if after.changed is not None and after.version == before.version + 1:
        return after.changed
    if after.rows is before.rows:
        return frozenset()
    old = before.rows
    changed = {key for key, row in after.rows.items() if old.get(key) is not row}
    changed.update(key for key in old if key not in after.rows)
    return changed
