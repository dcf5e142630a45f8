"""The store of incidents: append-only, hash-chained, durable. Several processes may have it open at once.

An entry is on disk when `append` returns. Nothing is ever changed or deleted: see `amend` and `retract`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from msgspec.structs import replace

from incident import ledger
from incident.adoption import adopt
from incident.command import Command, service_names
from incident.database import Database
from incident.entry import ACTS, Draft, Entry, Incident, Kind, Source
from incident.errors import Locked, NoSuchEntry, NoSuchIncident, StoreFault, Unusable
from incident.folding import Waiting, fold_of
from incident.instants import now_ms
from incident.intake import TITLE_LIMIT, line, take_in
from incident.ledger import Stamp
from incident.rows import (
    SELECT_ENTRY,
    SELECT_INCIDENT,
    SELECT_LIGHT,
    SELECT_STANDING,
    Row,
    body_of,
    entries_of,
    evidence_of,
    incident_of,
    light_entries_of,
)
from incident.standing import declaration_draft
from incident.verify import Verdict, Walk, walk_all

log = logging.getLogger(__name__)

BUSY_TIMEOUT = 3.0  # seconds to wait for another process's transaction before saying that the store is locked
PAGE = 10_000  # entries per read: an append of another task gets its turn in between


class Store(Command[Entry]):
    """An open store. Use `Store.open`. Every method raises only `StoreError`\\ s (`incident.errors`)."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        self._waiting = Waiting()
        self._folding = asyncio.Lock()
        self._grown = asyncio.Event()  # set, and replaced, whenever this process appends
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Callable[[], int] = now_ms,
        busy_timeout: float = BUSY_TIMEOUT,
        read_only: bool = False,
    ) -> Store:
        """Open or create the store at ``path`` and migrate it. ``clock`` gives milliseconds since the epoch.

        ``read_only`` never writes, not even to create or migrate: also a store on a full or read-only disk can be read.

        Raises:
            StoreFault: the file cannot be created, opened or understood; the message says what to do.
        """
        opening = Database.open_to_read if read_only else Database.open
        return cls(await opening(path, busy_timeout=busy_timeout), clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def path(self) -> Path:
        """Where the store is, absolute."""
        return self._database.path

    @property
    def copied_to(self) -> Path | None:
        """Where the store is kept as it was, if opening it brought it up to date."""
        return self._database.copied_to

    @property
    def clock(self) -> Callable[[], int]:
        """What the store takes the time from, in milliseconds since the epoch."""
        return self._clock

    async def close(self) -> None:
        """Write the repeats that still wait, then close. Ends every `changes` iterator."""
        if self._closed:
            return
        try:
            await self.flush_folds()
        except StoreFault as error:
            log.warning("the last repeats of observations were not counted: %s", error)
        finally:
            self._closed = True
            self._wake()
            await self._database.close()

    # Incidents

    async def declare(
        self,
        *,
        title: str,
        author: str,
        severity: int | None = None,
        drill: bool = False,
        cluster: str = "",
        namespace: str = "",
        happened_at: int | None = None,
        services: Sequence[str] = (),
        impact: str = "",
        facts: Mapping[str, bool] | None = None,
        kept: Mapping[str, Any] | None = None,
    ) -> Incident:
        """Begin an incident. Its first entry is the declaration, with ``kept`` in its evidence.

        Raises:
            Refused: the title is empty, the severity is not 1 to 4, or a service has no name.
        """
        draft = declaration_draft(
            title=line(title, "title", TITLE_LIMIT),
            author=author,
            severity=severity,
            drill=drill,
            cluster=cluster,
            namespace=namespace,
            happened_at=happened_at,
            services=service_names(services),
            impact=impact,
            facts=facts,
            kept=kept,
        )
        draft = take_in(draft)
        stamp = Stamp.at(self._clock())
        incident = await self._database.write(lambda connection: ledger.declare(connection, draft, stamp))
        self._wake()
        return incident

    async def incident(self, incident_id: str) -> Incident:
        """The incident as it stands.

        Raises:
            NoSuchIncident: the store has none of that ID.
        """
        return (await self._incident_and_head(incident_id))[0]

    async def incidents(self) -> list[Incident]:
        """All of them, newest first."""
        rows = await self._fetch(SELECT_INCIDENT + "ORDER BY declared_at DESC, id DESC")
        return [incident_of(row) for row in rows]

    async def current(self, *, drill: bool | None = None) -> Incident | None:
        """The open incident: a real one before a drill, then the newest; None if all are over.

        ``drill`` True or False looks only at drills, or only at real ones.
        """
        candidates = [
            incident
            for incident in await self.incidents()
            if incident.open and (drill is None or incident.drill is drill)
        ]
        return min(candidates, key=lambda incident: incident.drill, default=None)  # stable: newest first stays

    async def latest(self) -> Incident | None:
        """The newest incident, open or not."""
        rows = await self._fetch(SELECT_INCIDENT + "ORDER BY declared_at DESC, id DESC LIMIT 1")
        return incident_of(rows[0]) if rows else None

    # Writing

    async def append(self, incident_id: str, draft: Draft) -> Entry:
        """Record a draft. It is on disk when this returns.

        Raises:
            Refused: the draft makes no sense (too long, refers to nothing); there is nothing to keep.
            StoreFault: the store cannot write now; `incident.recorder` keeps the draft elsewhere.
        """
        return await self.append_stamped(incident_id, take_in(draft), Stamp.at(self._clock()))

    async def _say(self, incident_id: str, draft: Draft) -> Entry:
        return await self.append(incident_id, draft)

    async def append_stamped(self, incident_id: str, draft: Draft, stamp: Stamp) -> Entry:
        """`append` of a draft that was taken in already, under a name chosen before: a second try cannot double it."""
        entry = await self._database.write(lambda connection: ledger.append(connection, incident_id, draft, stamp))
        self._wake()
        return entry

    async def adopt(self, incident: Incident, entries: Sequence[Entry]) -> int:
        """Take over a chain that was written elsewhere and verified (`incident.adoption`). Returns how much was new.

        Raises:
            Refused: the incident is here and its chain goes another way.
        """
        added = await self._database.write(lambda connection: adopt(connection, incident, entries))
        self._wake()
        return added

    async def amend(
        self, incident_id: str, entry_id: str, *, author: str, text: str | None = None, happened_at: int | None = None
    ) -> Entry:
        """Correct an entry's text, its time (ms), or both, by a new entry; the old one stays.

        Raises:
            NoSuchEntry: the incident has no such entry, or it is itself an amendment, retraction or repeat.
        """
        draft = Draft(kind=Kind.AMENDMENT, text=text or "", author=author, happened_at=happened_at, refers_to=entry_id)
        return await self.append(incident_id, draft)

    async def retract(self, incident_id: str, entry_id: str, *, author: str, reason: str) -> Entry:
        """Say that an entry no longer stands, and why, by a new entry; the old one stays.

        Raises:
            NoSuchEntry: as for `amend`. Refused: there is no reason, or the entry changed the incident itself.
        """
        draft = Draft(kind=Kind.RETRACTION, text=reason, author=author, refers_to=entry_id)
        return await self.append(incident_id, draft)

    async def observe(self, incident_id: str, draft: Draft) -> Entry | None:
        """Record what a probe saw, folded by ``draft.fold``: news is an OBSERVATION, more of it a REPEAT with a count.

        At most one entry per key is written in `folding.PACE`; None means that this one was counted and waits
        (`flush_folds`). A change of level, or `folding.WINDOW` of quiet, makes it news again. That something is well
        again never waits: times are worked out of it.
        """
        draft = replace(draft, source=Source.PROBE, kind=Kind.OBSERVATION)
        stamp = Stamp.at(self._clock())
        return await self.observe_stamped(incident_id, take_in(draft), stamp)

    async def observe_stamped(
        self, incident_id: str, draft: Draft, stamp: Stamp, *, may_wait: bool = True
    ) -> Entry | None:
        """`observe` of a draft that was taken in already, under a name chosen before."""
        key = draft.fold
        if key is None:
            return await self.append_stamped(incident_id, draft, stamp)
        may_wait = may_wait and draft.level != "good"
        async with self._folding:
            if may_wait and self._waiting.absorb(incident_id, draft, stamp.recorded_at):
                return None
            waited = self._waiting.get(incident_id, key)
            fold, entries = await self._database.write(
                lambda connection: ledger.observe(connection, incident_id, draft, stamp, waited, may_wait=may_wait)
            )
            self._waiting.written(incident_id, key, fold, waited if entries else None)
            if not entries:  # another console, or this one before its restart, wrote it moments ago
                self._waiting.absorb(incident_id, draft, stamp.recorded_at)
                return None
        self._wake()
        return entries[-1]

    async def flush_folds(self) -> list[Entry]:
        """Write the repeats that wait. To be called about twice a minute, so that counts on the screen stay true."""
        written = []
        async with self._folding:
            for incident_id, waited in self._waiting.due():
                work = partial(ledger.repeat, incident=incident_id, waited=waited, stamp=Stamp.at(self._clock()))
                entry = await self._database.write(work)
                self._waiting.written(incident_id, waited.fold or "", fold_of(entry), waited)
                written.append(entry)
        if written:
            self._wake()
        return written

    # Reading

    async def entries(
        self, incident_id: str, *, after_seq: int = 0, limit: int | None = None, evidence: bool = True
    ) -> list[Entry]:
        """Entries in the order of the chain. Without ``evidence`` it stays on disk, which opens a long timeline fast.

        Those without evidence have no hashes either: they are there to be read, not to be checked or written.

        Raises:
            NoSuchIncident: the store has none of that ID.
        """
        found: list[Entry] = []
        sql = (SELECT_ENTRY if evidence else SELECT_LIGHT) + "WHERE incident = ? AND seq > ? ORDER BY seq LIMIT ?"
        while limit is None or len(found) < limit:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            bound = (incident_id, found[-1].seq if found else after_seq, size)
            page = await self._database.run(partial(_page, sql=sql, bound=bound, light=not evidence))
            found += page
            if len(page) < size:
                break
        if not found:
            await self.incident(incident_id)
        return found

    async def acts(self, incident_id: str) -> list[Entry]:
        """Intents and outcomes of an incident with their evidence, in the order of the chain (see `incident.acts`)."""
        return await self.of_kinds(incident_id, ACTS)

    async def of_kinds(self, incident_id: str, kinds: Collection[Kind]) -> list[Entry]:
        """The entries of these kinds with their evidence, in the order of the chain."""
        sql = SELECT_ENTRY + f"WHERE incident = ? AND kind IN ({', '.join('?' * len(kinds))}) ORDER BY seq"
        return entries_of(await self._fetch(sql, (incident_id, *map(str, kinds))))

    async def evidence(self, entry_id: str) -> dict[str, Any] | None:
        """The evidence of one entry, or None if it has none.

        Raises:
            NoSuchEntry: the store has none of that ID.
        """
        rows = await self._fetch("SELECT evidence FROM entry WHERE id = ?", (entry_id,))
        if not rows:
            raise NoSuchEntry(f"There is no entry {entry_id} in the store.")
        (text,) = rows[0]
        return None if text is None else evidence_of(text)

    async def changes(
        self, incident_id: str, *, after_seq: int = 0, poll: float = 0.25
    ) -> AsyncGenerator[list[Entry], None]:
        """New entries as they come: this process's at once, other processes' within ``poll`` seconds.

        Runs until the store is closed. Other processes are noticed by ``PRAGMA data_version``, which reads no table.
        """
        try:
            while not self._closed:
                # Both are taken before reading, so that what comes while we read is not missed.
                grown, version = self._grown, await self._data_version()
                entries = await self.entries(incident_id, after_seq=after_seq)
                if entries:
                    after_seq = entries[-1].seq
                    yield entries
                    continue
                while not (grown.is_set() or self._closed) and await self._data_version() == version:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(grown.wait(), poll)
        except Unusable:
            if not self._closed:  # closed between two reads is how this is meant to end
                raise

    async def verify(self, incident_id: str) -> Verdict:
        """Check the whole chain of an incident, and that its row says what its entries say.

        Raises:
            NoSuchIncident: the store has none of that ID.
        """
        incident, head_seq, head_hash, last_seq = await self._incident_and_head(incident_id)
        walk = Walk(incident_id)
        sql = SELECT_ENTRY + "WHERE incident = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT 1000"

        def page(connection: sqlite3.Connection) -> bool:
            rows = connection.execute(sql, (incident_id, walk.count, last_seq)).fetchall()
            return bool(rows) and walk_all(walk, map(body_of, rows))

        while await self._database.run(page):
            pass
        return walk.verdict(incident, head_seq, head_hash)

    # Within

    async def _incident_and_head(self, incident_id: str) -> tuple[Incident, int, str, int]:
        """The incident, number and hash of the recorded end of its chain, and the highest number there is."""
        rows = await self._fetch(SELECT_STANDING, (incident_id,))
        if not rows:
            raise NoSuchIncident(
                f"There is no incident {incident_id} in {self.path}. `warroom incidents` lists those there are."
            )
        *row, head_seq, head_hash, last_seq = rows[0]
        return incident_of(tuple(row)), head_seq, head_hash, last_seq or 0

    async def _fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return await self._database.run(lambda connection: connection.execute(sql, parameters).fetchall())

    async def _data_version(self) -> int:
        with contextlib.suppress(Locked):
            return int((await self._fetch("PRAGMA data_version"))[0][0])
        return -1

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()


def _page(connection: sqlite3.Connection, sql: str, bound: tuple[Any, ...], light: bool) -> list[Entry]:
    rows = connection.execute(sql, bound)
    return light_entries_of(rows, bound[0]) if light else entries_of(rows)
