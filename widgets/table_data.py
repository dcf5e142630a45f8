"""What a table holds, without a widget: its sources, frozen or flowing, its rows in order, its filter and its cursor.

`widgets.table.TablePane` draws this. A pane overrides the few methods under "what a pane says".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from probes.freshness import Freshness, Snapshot, State
from widgets.columns import Cell, Column
from widgets.plain import plain
from widgets.table_rows import Placed, Rows, Sort, difference
from widgets.table_standing import remark
from widgets.table_view import Filter, Viewport

RowT = TypeVar("RowT")

_NEVER = Freshness(State.LOADING, since=0.0)
FILTER_LIMIT = 100  # characters


class TableData(Generic[RowT]):
    """Rows of one or more sources. ``where`` ("in namespace payments") completes the sentence of an empty pane."""

    NAME: ClassVar[str] = "Table"
    ORDER: ClassVar[str] = "sick first"
    SOURCES: ClassVar[tuple[str, ...]] = ()  # the first decides how fresh the pane is
    ROW_SOURCES: ClassVar[tuple[str, ...]] = ()  # those that rows are made from
    REMARKED: ClassVar[Mapping[str, str]] = {}  # source → what to call it when it is not live
    COLUMNS: ClassVar[tuple[Column, ...]] = ()

    def __init__(self, where: str = "") -> None:
        self.where = where
        self.now = 0.0  # what the pane believes the time to be: that of the last tick or snapshot
        self.viewport = Viewport[RowT](Rows())
        self._snapshots: dict[str, Snapshot[Any]] = {}
        self._held: dict[str, Snapshot[Any]] = {}
        self._held_keys: set[str] = set()
        self._frozen_since: float | None = None
        self._placed: dict[str, Placed[RowT]] = {}
        self._row_filter = Filter()
        self._texts: dict[str, tuple[RowT, str]] = {}

    # -- what a pane says ----------------------------------------------------------------------------------------

    def columns(self) -> tuple[Column, ...]:
        """The columns as of now; asked again whenever rows or the width change."""
        return self.COLUMNS

    def merge(self, source: str, snapshot: Snapshot[Any], changed: Iterable[str]) -> None:
        """Works the changed keys of one source into the rows, by `put`. By default a row is the source's row."""
        puts: dict[str, Placed[RowT]] = {}
        drops: list[str] = []
        for key in changed:
            row = snapshot.rows.get(key)
            if row is None:
                drops.append(key)
            else:
                puts[key] = Placed(self.order_of(row), row)
        self.put(puts, drops)

    def order_of(self, row: RowT) -> Sort:
        """What the row is ordered by; of the same shape for every row of the pane."""
        raise NotImplementedError

    def cells(self, row: RowT, now: float) -> tuple[Cell, ...]:
        """The row's cells, one per column."""
        raise NotImplementedError

    def varying(self, row: RowT, now: float) -> object:
        """All that the row's cells show and that is not in the row: ages, another source's figures.

        In any comparable form; the row is drawn again when it differs.
        """
        return None

    def admits_all(self) -> bool:
        """Whether `admits` need not be asked: ten thousand rows are taken as they are where nothing is filtered."""
        return not self._row_filter and type(self).admits is TableData.admits

    def source_of(self, row: RowT) -> str:
        """The source whose freshness is the row's."""
        return self.SOURCES[0]

    def admits(self, key: str, row: RowT) -> bool:
        """Whether the row is shown now; by default if the filter lets its text through."""
        return not self._row_filter or self._row_filter.admits(self.text_of(key, row))

    def search_text(self, row: RowT) -> str:
        """What a filter looks in: by default everything the row's cells say."""
        return "  ".join(f"{cell.text} {cell.tail}" for cell in self.cells(row, self.now))

    def summary(self) -> str:
        """What stands after the pane's name: ``4 of 41 unhealthy``."""
        return ""

    def remarks(self) -> tuple[str, ...]:
        """More for the lower border, the most important first. By default the sources of `REMARKED` not live."""
        told = (remark(called, self.freshness_of(source), self.now) for source, called in self.REMARKED.items())
        return tuple(filter(None, told))

    def empty_sentence(self) -> str:
        """What is said when the source is live and there is nothing."""
        return " ".join(filter(None, (f"no {self.what}", self.where)))

    @property
    def what(self) -> str:
        return self.NAME.lower()

    # -- what there is -------------------------------------------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot[Any] | None:
        """The first source's snapshot as it is shown."""
        return self.snapshot_of(self.SOURCES[0])

    def snapshot_of(self, source: str) -> Snapshot[Any] | None:
        return self._snapshots.get(source)

    def freshness_of(self, source: str) -> Freshness:
        """The newest standing of a source; a frozen pane still knows that its source died."""
        snapshot = self._held.get(source) or self._snapshots.get(source)
        return _NEVER if snapshot is None else snapshot.freshness

    @property
    def freshness(self) -> Freshness:
        return self.freshness_of(self.SOURCES[0])

    @property
    def selected_key(self) -> str | None:
        return self.viewport.key

    @property
    def selected_row(self) -> RowT | None:
        return self.viewport.row

    @property
    def counts(self) -> tuple[int, int]:
        """(rows shown, rows there are)."""
        return len(self.viewport.rows), len(self._placed)

    @property
    def filter_text(self) -> str:
        return self._row_filter.text

    @property
    def frozen_since(self) -> float | None:
        return self._frozen_since

    @property
    def waiting(self) -> int:
        """How many rows have changed behind a frozen pane."""
        return len(self._held_keys)

    def row_of(self, key: str) -> RowT | None:
        placed = self._placed.get(key)
        return None if placed is None else placed.row

    def row_text(self) -> str:
        """The selected row as one line of text, to be copied; empty if there is none."""
        row = self.viewport.row
        if row is None:
            return ""
        texts = (f"{cell.text}  {cell.tail}".strip() for cell in self.cells(row, self.now) if cell.bar is None)
        return "  ".join(filter(None, texts))

    # -- how it changes ------------------------------------------------------------------------------------------

    def accept(self, snapshot: Snapshot[Any]) -> None:
        """Takes a snapshot of one of the pane's `SOURCES`, or holds it back while the pane is frozen."""
        source = snapshot.source
        if source not in self.SOURCES:
            raise ValueError(f"{type(self).__name__} shows {', '.join(self.SOURCES)}, not {source}")
        if self._frozen_since is None:
            self._work_in(snapshot)
        else:
            self._held_keys.update(difference(self._held.get(source) or self._snapshots.get(source), snapshot))
            self._held[source] = snapshot

    def hold(self, now: float) -> None:
        """Freezes: rows stay as they are until `release`."""
        self._frozen_since = now

    def release(self) -> None:
        """Thaws: everything held back is worked in."""
        self._frozen_since = None
        held, self._held = self._held, {}
        self._held_keys.clear()
        for snapshot in held.values():
            self._work_in(snapshot)

    def filter_by(self, text: str) -> None:
        """Lets through only rows that contain the words of ``text`` and none of its ``!words``."""
        self._row_filter = Filter(plain(text, FILTER_LIMIT))
        self.reselect()

    def put(self, puts: Mapping[str, Placed[RowT]], drops: Iterable[str] = ()) -> None:
        """Adds or changes rows, and drops others."""
        gone = set(drops)
        for key in gone:
            self._placed.pop(key, None)
            self._texts.pop(key, None)
        self._placed.update(puts)
        if self.admits_all():
            admitted = puts
        else:
            admitted = {key: placed for key, placed in puts.items() if self.admits(key, placed.row)}
            gone.update(puts.keys() - admitted.keys())
        self.viewport.rows.update(admitted, gone)
        self.viewport.settle()

    def reselect(self) -> None:
        """Asks `admits` again for every row: the filter or what is unfolded has changed."""
        rows = {key: placed for key, placed in self._placed.items() if self.admits(key, placed.row)}
        self.viewport.rows.replace(rows)
        self.viewport.settle()

    def text_of(self, key: str, row: RowT) -> str:
        """The row's case-folded search text, worked out once per row."""
        known = self._texts.get(key)
        if known is None or known[0] is not row:
            known = self._texts[key] = (row, self.search_text(row).casefold())
        return known[1]

    def _work_in(self, snapshot: Snapshot[Any]) -> None:
        before = self._snapshots.get(snapshot.source)
        self._snapshots[snapshot.source] = snapshot
        changed = difference(before, snapshot)
        if changed:
            self.merge(snapshot.source, snapshot, changed)
