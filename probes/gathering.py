"""Puts what several reflectors see into one stream of snapshots: coalesced, versioned, with one freshness for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Generic, TypeVar

from probes.errors import Forbidden, NotFound, ProbeError
from probes.freshness import Freshness, Snapshot, State

RowT = TypeVar("RowT")

SETTLE = 0.1  # seconds; at most one snapshot in that time
CONFIRM = 3.5  # seconds between snapshots that only say "still true"

Overdue = Callable[[RowT], tuple[float, RowT] | None]


class Part(Generic[RowT]):
    """One reflector's share of the rows, and how that reflector stands. Everything it reports ends up in a snapshot."""

    def __init__(self, whole: Gathering[RowT], overdue: Overdue[RowT] | None) -> None:
        self.rows: dict[str, RowT] = {}
        self.freshness = Freshness(State.LOADING, since=time.time())
        self.unreadable: dict[str, str] = {}  # key → who, of objects that could not be understood
        self._whole = whole
        self._overdue = overdue
        self._due: dict[str, tuple[float, RowT]] = {}

    def listed(self, rows: dict[str, RowT], unreadable: dict[str, str]) -> None:
        """A complete list came: exactly these rows are there."""
        old = self.rows
        changed = [key for key, row in rows.items() if key not in old or old[key] != row]
        changed += [key for key in old if key not in rows]
        self.rows, self.unreadable = rows, unreadable
        self._due = {}
        if self._overdue is not None:
            for key, row in rows.items():
                self._schedule(key, row)
        self._whole.touch(changed)

    def put(self, key: str, row: RowT) -> None:
        self.rows[key] = row
        self.unreadable.pop(key, None)
        self._schedule(key, row)
        self._whole.touch((key,))

    def drop(self, key: str) -> None:
        self.unreadable.pop(key, None)
        self._due.pop(key, None)
        if self.rows.pop(key, None) is not None:
            self._whole.touch((key,))

    def spoil(self, key: str, who: str) -> None:
        """An object changed into something that cannot be understood."""
        self.drop(key)
        self.unreadable[key] = who
        self._whole.touch(())

    def live(self) -> None:
        """What is held is what is, as of now."""
        now = time.time()
        if self.freshness.live:
            self.confirmed(now)
        else:
            self.freshness = Freshness(State.LIVE, since=now, confirmed=now)
            self._whole.touch(())

    def confirmed(self, at: float) -> None:
        """The server has just proved that it is there while this part is live."""
        if self.freshness.live:
            self.freshness = Freshness(State.LIVE, since=self.freshness.since, confirmed=at)
            self._whole.confirmed()

    def failed(self, error: ProbeError) -> None:
        """It cannot look (any more). Rows stay."""
        before = self.freshness
        if isinstance(error, Forbidden):
            state = State.FORBIDDEN
        elif before.confirmed is not None and not isinstance(error, NotFound):
            state = State.STALE
        else:
            state = State.UNAVAILABLE
        since = before.since if before.state is state else time.time()
        after = Freshness(state, since=since, confirmed=before.confirmed, detail=str(error), hint=error.hint)
        if after != before:
            self.freshness = after
            self._whole.touch(())

    def next_due(self) -> float | None:
        return min((at for at, _ in self._due.values()), default=None)

    def age(self, now: float) -> None:
        """Put the rows that got worse by themselves."""
        for key, (at, row) in list(self._due.items()):
            if at <= now:
                self.put(key, row)

    def _schedule(self, key: str, row: RowT) -> None:
        due = self._overdue(row) if self._overdue is not None else None
        if due is not None:
            self._due[key] = due
        else:
            self._due.pop(key, None)


class Gathering(Generic[RowT]):
    """The parts of one probe. `snapshots` runs the reflectors for as long as it is iterated."""

    def __init__(self, source: str, *, settle: float = SETTLE, confirm: float = CONFIRM) -> None:
        self.source = source
        self.settle = settle
        self.confirm = confirm
        self.parts: list[Part[RowT]] = []
        self._dirty = asyncio.Event()
        self._changed: set[str] = set()
        self._flushed_at = float("-inf")
        self._version = 0
        self._rows: Mapping[str, RowT] = MappingProxyType({})
        self._loading = True

    def part(self, overdue: Overdue[RowT] | None = None) -> Part[RowT]:
        part = Part(self, overdue)
        self.parts.append(part)
        return part

    def touch(self, keys: Sequence[str]) -> None:
        self._changed.update(keys)
        self._dirty.set()

    def confirmed(self) -> None:
        if time.monotonic() - self._flushed_at >= self.confirm:
            self._dirty.set()

    async def snapshots(self, jobs: Sequence[Callable[[], Awaitable[None]]]) -> AsyncGenerator[Snapshot[RowT], None]:
        """Run the jobs (they report to the parts) and yield what comes of it; a job's bug is raised here."""
        tasks = [asyncio.ensure_future(job()) for job in jobs]
        for task in tasks:
            task.add_done_callback(lambda _: self._dirty.set())
        try:
            yield self._snapshot()
            while True:
                await self._wait()
                for task in tasks:
                    if task.done():
                        task.result()
                yield self._snapshot()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self) -> None:
        while not self._dirty.is_set():
            due = min((at for at in (part.next_due() for part in self.parts) if at is not None), default=None)
            try:
                async with asyncio.timeout(None if due is None else max(due - time.time(), 0.01)):
                    await self._dirty.wait()
            except TimeoutError:
                now = time.time()
                for part in self.parts:
                    part.age(now)
        # The first change after a quiet time goes out at once; what follows it waits and goes together.
        settle = 0.01 if self._loading else self.settle  # nobody waits longer than needed for the first rows
        early = self._flushed_at + settle - time.monotonic()
        if early > 0:
            await asyncio.sleep(early)

    def _snapshot(self) -> Snapshot[RowT]:
        self._dirty.clear()
        self._flushed_at = time.monotonic()
        changed: frozenset[str] | None = frozenset(self._changed)
        if self._changed:
            self._changed.clear()
            rows: dict[str, RowT] = {}
            for part in self.parts:
                rows.update(part.rows)
            self._rows = MappingProxyType(rows)
        self._version += 1
        freshness = combine(
            [part.freshness for part in self.parts],
            [who for part in self.parts for who in part.unreadable.values()],
        )
        if self._loading:
            changed = None  # until and including the first that is not loading
        self._loading = freshness.state is State.LOADING
        return Snapshot(self.source, freshness, self._rows, self._version, changed)


# The first that any part is in decides; a part that is refused does not hide what the others see.
_PRECEDENCE = (State.STALE, State.LOADING, State.LIVE, State.FORBIDDEN, State.UNAVAILABLE)


def combine(parts: Sequence[Freshness], unreadable: Sequence[str] = ()) -> Freshness:
    """One freshness for several sources. What some of them cannot see is told in ``detail``."""
    state = next(state for state in _PRECEDENCE if any(part.state is state for part in parts))
    same = [part for part in parts if part.state is state]
    # One lost connection is told once, a refusal for every part that it concerns.
    gone = [part for part in parts if part.state is State.STALE][:1]
    troubled = [*gone, *(part for part in parts if part.detail and part.state is not State.STALE)]
    told = list(dict.fromkeys(part.detail for part in troubled))
    if unreadable:
        some = ", ".join(unreadable[:3]) + (", …" if len(unreadable) > 3 else "")
        told.append(f"{len(unreadable)} could not be read: {some}")
    confirmed = [part.confirmed for part in same if part.confirmed is not None]
    return Freshness(
        state,
        since=max(part.since for part in same) if state is State.LIVE else min(part.since for part in same),
        confirmed=min(confirmed) if confirmed else None,
        detail="; ".join(told),
        hint=next((part.hint for part in troubled if part.hint), ""),
    )
