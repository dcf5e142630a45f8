"""Recording that never loses an entry: into the store, or aside until the store works again, in order, once.

`Store` says what is wrong; this is what the console writes through, because a person in an incident types on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from incident.command import Command
from incident.entry import ACTS, Draft, Entry, Kind, Source
from incident.errors import NoSuchIncident, Refused, StoreFault
from incident.folding import Fold, Waiting
from incident.instants import now_ms
from incident.intake import take_in
from incident.ledger import Stamp
from incident.spill import Spill, Spilled
from incident.store import BUSY_TIMEOUT, Store

log = logging.getLogger(__name__)


class Recorded(Struct, frozen=True, kw_only=True):
    """What became of a draft.

    ``id``      the entry's, also of one that was spilled: others may refer to it. Empty if it only counts for now.
    ``entry``   as it is on disk; None if it was spilled, or is a repeat that only counts for now.
    ``spilled`` it is not in the store yet, but kept.
    ``error``   why, and what to do: to be shown loudly. Empty if all is well.
    ``kept_in`` the file that keeps it; None if it is in the store, or only in memory.
    """

    id: str = ""
    entry: Entry | None = None
    spilled: bool = False
    error: str = ""
    kept_in: Path | None = None

    @property
    def durable(self) -> bool:
        """Whether it survives this process: it is in the store, or in a file."""
        return self.entry is not None or self.kept_in is not None


class Recorder(Command[Recorded]):
    """Writes to a store through its faults. Only `Refused` is raised: then there is nothing that could be kept."""

    def __init__(self, store: Store, directories: Sequence[Path] | None = None) -> None:
        self.store = store
        self._spill = Spill(store.path, directories)
        self._aside = Waiting()  # folds observations while the store cannot
        self._lock = asyncio.Lock()  # entries reach the store in the order in which they were recorded

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Callable[[], int] = now_ms,
        busy_timeout: float = BUSY_TIMEOUT,
        directories: Sequence[Path] | None = None,
    ) -> Self:
        """Open the store and write what earlier processes had to keep aside.

        Raises:
            StoreFault: the store cannot be opened at all.
        """
        recorder = cls(await Store.open(path, clock=clock, busy_timeout=busy_timeout), directories)
        if await asyncio.to_thread(recorder._spill.recover):
            await recorder.flush()
        return recorder

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pending(self) -> Sequence[Spilled]:
        """What is kept aside and not in the store, in order."""
        return tuple(self._spill.pending)

    async def record(
        self, incident_id: str, draft: Draft, *, durably: bool = False, identity: str | None = None
    ) -> Recorded:
        """Record a draft, durably if anything allows it.

        ``identity``: the entry's ID (`incident.identity.named_id`) where several consoles may record the same thing:
        only the first of them writes an entry, the others get that one.

        ``durably``: in the store or in a file, or not at all. What only memory could hold is let go, and
        `Recorded.durable` is False: then what the draft announces must not happen.

        Raises:
            Refused: the draft makes no sense; the person must change it.
        """
        draft = take_in(draft)
        stamp = Stamp.at(self.store.clock()) if identity is None else Stamp(identity, self.store.clock())
        async with self._lock:
            try:
                await self._replay()
                return Recorded(id=stamp.id, entry=await self.store.append_stamped(incident_id, draft, stamp))
            except StoreFault as fault:
                return await self._keep(incident_id, draft, stamp, fault, durably=durably)

    async def observe(self, incident_id: str, draft: Draft) -> Recorded:
        """Record what a probe saw, folded (`Store.observe`), also while the store cannot be written.

        Raises:
            Refused: the draft makes no sense.
        """
        draft = take_in(replace(draft, source=Source.PROBE, kind=Kind.OBSERVATION))
        stamp = Stamp.at(self.store.clock())
        async with self._lock:
            if self._spill.pending and draft.fold and self._aside.absorb(incident_id, draft, stamp.recorded_at):
                return Recorded()
            try:
                await self._replay()
                entry = await self.store.observe_stamped(incident_id, draft, stamp)
                return Recorded(id="" if entry is None else entry.id, entry=entry)
            except StoreFault as fault:
                if draft.fold is not None:
                    self._fold_aside(incident_id, draft, stamp)
                return await self._keep(incident_id, draft, stamp, fault)

    async def amend(
        self, incident_id: str, entry_id: str, *, author: str, text: str | None = None, happened_at: int | None = None
    ) -> Recorded:
        """`Store.amend`, kept aside if need be."""
        draft = Draft(kind=Kind.AMENDMENT, text=text or "", author=author, happened_at=happened_at, refers_to=entry_id)
        return await self.record(incident_id, draft)

    async def retract(self, incident_id: str, entry_id: str, *, author: str, reason: str) -> Recorded:
        """`Store.retract`, kept aside if need be."""
        draft = Draft(kind=Kind.RETRACTION, text=reason, author=author, refers_to=entry_id)
        return await self.record(incident_id, draft)

    async def _say(self, incident_id: str, draft: Draft) -> Recorded:
        return await self.record(incident_id, draft)

    async def acts(self, incident_id: str) -> list[Entry]:
        """`of_kinds` of intents and outcomes (see `incident.acts`)."""
        return await self.of_kinds(incident_id, ACTS)

    async def of_kinds(self, incident_id: str, kinds: Collection[Kind]) -> list[Entry]:
        """`Store.of_kinds`, and after them those that are kept aside, which have no hashes yet.

        Raises:
            StoreFault: the store cannot be read.
        """
        pending = self.pending  # taken before reading, so that what is replayed meanwhile is not missed
        stored = await self.store.of_kinds(incident_id, kinds)
        known = {entry.id for entry in stored}
        last = stored[-1].seq if stored else 0
        aside = [one for one in pending if one.incident == incident_id and one.draft.kind in kinds]
        return [*stored, *(one.entry(last + n) for n, one in enumerate(aside, 1) if one.id not in known)]

    async def flush(self) -> int:
        """Try to bring everything that waits into the store; to be called about twice a minute.

        Returns how many entries are still kept aside.
        """
        async with self._lock:
            try:
                await self._replay()
                await self.store.flush_folds()
            except StoreFault as fault:
                log.warning("%d entries stay aside: %s", len(self._spill.pending), fault)
            return len(self._spill.pending)

    async def close(self) -> None:
        """Try once more, then close. What still waits stays in its file for the next process."""
        await self.flush()
        await asyncio.to_thread(self._spill.release)
        await self.store.close()

    async def _replay(self) -> None:
        """Write what was kept aside, in order. What is in the store already is not written twice."""
        if not self._spill.pending:
            return
        homeless = set()
        for one in self._spill.pending:
            try:
                await self._write(one)
            except NoSuchIncident as error:
                log.error("a spilled entry stays in its file: %s", error)
                homeless.add(one.id)
        await asyncio.to_thread(self._spill.settle, homeless)
        aside, self._aside = self._aside, Waiting()
        for incident_id, draft in aside.due():
            await self.store.observe(incident_id, replace(draft, refers_to=None))

    async def _write(self, one: Spilled) -> None:
        stamp = Stamp(one.id, one.recorded_at)
        try:
            if one.draft.kind is Kind.OBSERVATION:
                await self.store.observe_stamped(one.incident, one.draft, stamp, may_wait=False)
            else:
                await self.store.append_stamped(one.incident, one.draft, stamp)
        except NoSuchIncident:
            raise
        except Refused as refusal:
            # Refused only now, with nobody there to correct it: what was meant still belongs on the record.
            text = f"{one.draft.text} ({one.draft.kind} of {one.draft.refers_to} could not be applied: {refusal})"
            note = replace(one.draft, kind=Kind.NOTE, text=text, refers_to=None)
            await self.store.append_stamped(one.incident, note, stamp)

    async def _keep(
        self, incident_id: str, draft: Draft, stamp: Stamp, fault: StoreFault, *, durably: bool = False
    ) -> Recorded:
        one = Spilled(id=stamp.id, incident=incident_id, recorded_at=stamp.recorded_at, draft=draft)
        kept_in = await asyncio.to_thread(self._spill.keep, one)
        if kept_in is None and durably:
            self._spill.forget(one)
            log.error("%s No file could keep the entry either; it is let go.", fault)
            return Recorded(id=stamp.id, error=f"{fault} No file could keep the entry either.")
        kept = f"The entry is kept in {kept_in}." if kept_in else "The entry is kept only in memory: do not close this."
        log.error("%s %s", fault, kept)
        return Recorded(id=stamp.id, spilled=True, error=f"{fault} {kept}", kept_in=kept_in)

    def _fold_aside(self, incident_id: str, draft: Draft, stamp: Stamp) -> None:
        assert draft.fold is not None
        happened_at = stamp.recorded_at if draft.happened_at is None else draft.happened_at
        fold = Fold(
            first=stamp.id, level=draft.level, count=draft.count, last_at=happened_at, written_at=stamp.recorded_at
        )
        self._aside.written(incident_id, draft.fold, fold, self._aside.get(incident_id, draft.fold))
