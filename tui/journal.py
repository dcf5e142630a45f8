"""The incident on the screen: its entries in memory, its store on disk, and what the probes saw meanwhile.

Everything that reaches the timeline from the console goes through here, so there is one place that knows
whether it was written, spilled, or is still only seen.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from incident.entry import Draft, Entry, Incident, Kind, Status
from incident.errors import NoSuchIncident, StoreError, StoreFault, Unusable
from incident.instants import SteadyClock
from incident.practice import LEFT, Practice, sealed
from incident.timeline import Timeline
from tui.journal_changes import JournalChanges, Saved
from tui.journal_opening import recorder_for
from tui.left_drills import end_left
from tui.observation import drafted
from tui.own_drill import begun_here, here

if TYPE_CHECKING:
    from incident.recorder import Recorded, Recorder
    from incident.store import Store
    from probes.transitions import Transition

__all__ = ["Journal", "Saved"]

log = logging.getLogger(__name__)

STANDBY_WINDOW = 60 * 60 * 1000
"""Milliseconds of observations that are kept without an incident, to begin the timeline of the next one."""

STANDBY_LIMIT = 500

MEET_EVERY = 0.5
"""Seconds between two looks at the store for an incident declared elsewhere, while none is open."""

READ_AGAIN = 1.0
"""Seconds until a store that could not be read is tried again."""


class Journal(JournalChanges):
    """One store, and the incident of it that is shown.

    ``changed`` is awaited with the ids of the lines that changed, or None when another incident is shown.
    """

    def __init__(
        self,
        path: Path,
        author: str,
        *,
        drill: bool,
        shared: bool = False,
        clock: Callable[[], int],
        changed: Callable[[set[str] | None], Awaitable[None]],
    ) -> None:
        self.path = path
        self.author = author
        self.incident: Incident | None = None
        self.timeline = Timeline()
        self.trouble = ""  # why entries do not reach the store; empty while all is well
        self.notice = ""  # what became of the store when it was opened, if that must be known
        self._standing_trouble = ""  # what stays true however well entries reach the store now
        self.met = ""  # an incident that was declared elsewhere and is shown now; whoever tells it empties it
        self._drill = drill
        self._shared = shared  # others practise on the same platform, also once this console is left
        self.practice: Practice | None = None  # what this drill is scored against, once its platform serves
        self._clock = SteadyClock(clock)
        self.changed = changed
        self._recorder: Recorder | None = None
        self._is_open = False
        self._reaching: asyncio.Task[Incident | None] | None = None
        self._seen: int = 0
        self._declaring = False  # what another look finds meanwhile is ours
        self._known: set[str] | None = None  # the incidents that were there when none was open here
        self._standby: deque[Draft] = deque(maxlen=STANDBY_LIMIT)
        self._shown = asyncio.Event()

    def begin(self) -> None:
        """Begin to open the store, which takes a dozen short waits: while modules are imported they cost nothing."""
        self._reaching = asyncio.create_task(self._reach(), name="reach the store")

    async def open(self) -> None:
        """Open the store, unless `begin` did, and show its open incident, or the last one; of a drill its platform's.

        A drill and the real thing never mix. A damaged store is set aside and what can be read is recovered; one that
        cannot be opened is left as it is, and entries go to a rescue store meanwhile. `notice` says the one, `trouble`
        the other.

        Raises:
            StoreError: not even a rescue store can be written; its sentence says why and what was not lost.
        """
        incident = await (self._reaching or self._reach())
        if self.practice is not None:
            incident = await begun_here(self._opened(), await self.incidents(), self.practice)
        if incident is not None:
            await self.show(incident)
        self._is_open = True

    async def _reach(self) -> Incident | None:
        self._recorder, self._standing_trouble, self.notice = await recorder_for(self.path, self._clock)
        self.trouble = self._standing_trouble
        store = self._recorder.store
        if self._drill:
            await end_left(store, self.author)
        found = await store.incidents()
        self._known = {each.id for each in found}
        last = next((each for each in found if each.drill == self._drill), None)
        return await store.current(drill=self._drill) or last or await store.latest()

    async def close(self) -> None:
        """Close the store. A drill's incident ends with its platform, so that no later entry finds it open."""
        if self._reaching is not None:  # left before it was open: what was opened is closed
            await asyncio.gather(self._reaching, return_exceptions=True)
        if self._recorder is None:
            return
        if self._drill and self.recording and not self._shared:
            assert self.incident is not None
            try:
                await self._recorder.set_status(self.incident.id, Status.RESOLVED, self.author, text=LEFT)
            except StoreError as error:  # another console has resolved it, and this one has not heard of it yet
                log.info("%s", error)
        await self._recorder.close()

    @property
    def drill(self) -> bool:
        """Whether this console is a drill's."""
        return self._drill

    @property
    def ready(self) -> bool:
        """Whether the store is open and its incident, if there is one, is shown."""
        return self._is_open

    @property
    def aside(self) -> int:
        """How many entries are kept aside until the store takes them."""
        return len(self._recorder.pending) if self._recorder is not None else 0

    @property
    def recording(self) -> bool:
        """Whether entries go to an open incident right now; a drill's observations never go to a real one's."""
        incident = self.incident
        return self._recorder is not None and incident is not None and incident.open and incident.drill == self._drill

    async def is_here(self, incident: Incident) -> bool:
        """Whether it may be of what this console looks at: a drill's is of one platform."""
        return incident.drill is self._drill and await here(self._opened(), incident, self.practice)

    async def all_entries(self) -> list[Entry]:
        """The shown incident's whole chain with its evidence, as an export needs it."""
        assert self.incident is not None
        return await self._opened().entries(self.incident.id)

    async def evidence(self, entry_id: str) -> dict[str, Any] | None:
        return await self._opened().evidence(entry_id)

    async def flush(self) -> None:
        """Write what waits: counts of folded entries, and what was kept aside. To be called about twice a minute."""
        if self._recorder is not None:
            aside = await self._recorder.flush()
            if not aside:
                self.trouble = self._standing_trouble

    async def incidents(self) -> list[Incident]:
        return await self._opened().incidents()

    async def show(self, incident: Incident) -> None:
        """Show another incident of this store. One that is open gets what the probes saw while none was shown."""
        records = incident.open and incident.drill == self._drill
        if records:
            await self._end_standby(incident.id)
        # Evidence stays on disk until somebody asks: a long timeline opens fast.
        entries = await self._opened().entries(incident.id, evidence=False)
        self.timeline = Timeline(entries)
        self.incident = incident
        self._seen = entries[-1].seq if entries else 0
        if records:
            await self._end_standby(incident.id)  # what was seen while the timeline was read
        self._shown.set()
        await self.changed(None)

    async def declare(
        self,
        title: str,
        severity: int | None,
        *,
        cluster: str,
        namespace: str,
        services: Sequence[str] = (),
        impact: str = "",
        facts: Mapping[str, bool] | None = None,
        declared_itself: bool = False,
    ) -> Incident:
        """Begin an incident; what the probes saw in the last hour becomes the start of its timeline.

        ``declared_itself``: a drill does it, and not who practises.
        """
        practised = None if self.practice is None else replace(self.practice, declared=declared_itself)
        self._declaring = True
        try:
            incident = await self._opened().declare(
                title=title,
                author=self.author,
                severity=severity,
                drill=self._drill,
                cluster=cluster,
                namespace=namespace,
                services=services,
                impact=impact,
                facts=facts,
                kept=None if practised is None else sealed(practised),
            )
            await self.show(incident)
        finally:
            self._declaring = False
        return incident

    async def _end_standby(self, incident_id: str) -> None:
        """Record what waits, and what is seen while that is being written."""
        assert self._recorder is not None
        since = self._clock() - STANDBY_WINDOW
        while self._standby:
            draft = self._standby.popleft()
            if draft.happened_at is None or draft.happened_at >= since:
                await self._recorder.observe(incident_id, draft)

    async def follow(self) -> None:
        """Bring in what this and other processes append or declare, for as long as the console is open."""
        meeting = asyncio.create_task(self._meet(), name="incidents declared elsewhere")
        try:
            await self._follow_shown()
        finally:
            meeting.cancel()
            await asyncio.gather(meeting, return_exceptions=True)

    async def _meet(self) -> None:
        """Show an incident that another process declares (``warroom declare``) while none is open here."""
        while True:
            try:
                if self.recording:
                    self._known = None  # what is declared meanwhile is not sprung on who resolves the shown one
                else:
                    await self._look_for_another()
            except StoreError as error:  # what follows the timeline says so on the screen
                log.error("the incidents cannot be read: %s", error)
            await asyncio.sleep(MEET_EVERY)

    async def _look_for_another(self) -> None:
        found = await self._opened().incidents()
        if self._known is None:
            self._known = {incident.id for incident in found}
        new = [each for each in found if each.open and each.drill == self._drill and each.id not in self._known]
        if new and not await here(self._opened(), new[0], self.practice):
            self._known.add(new[0].id)  # another drill's, on this machine
        elif new and not (self.recording or self._declaring):
            self.met = f"{new[0].id} was declared elsewhere: {new[0].title}"
            await self.show(new[0])

    async def _follow_shown(self) -> None:
        while True:
            await self._shown.wait()
            self._shown.clear()
            try:
                await self._follow_one()
            except StoreFault as fault:
                log.error("the timeline cannot be read: %s", fault)
                self.trouble = f"the timeline cannot be read: {fault}"
                self._shown.set()
                await asyncio.sleep(READ_AGAIN)

    async def _follow_one(self) -> None:
        assert self.incident is not None
        stream = self._opened().changes(self.incident.id, after_seq=self._seen)
        step: asyncio.Task[list[Entry]] | None = None
        switched = asyncio.create_task(self._shown.wait())
        try:
            while True:
                step = asyncio.create_task(anext(stream))
                await asyncio.wait({step, switched}, return_when=asyncio.FIRST_COMPLETED)
                if switched.done():
                    return
                await self._take(step.result())
        finally:
            switched.cancel()
            if step is not None:
                step.cancel()
                await asyncio.gather(step, return_exceptions=True)
            await stream.aclose()

    async def _take(self, entries: Sequence[Entry]) -> None:
        new = [entry for entry in entries if entry.seq > self._seen]
        if not new:
            return
        self._seen = new[-1].seq
        touched = self.timeline.add(new)
        if any(entry.kind is Kind.STATUS for entry in new):
            await self._refresh_incident()
        await self.changed(touched)

    async def _refresh_incident(self) -> None:
        shown = self.incident
        if shown is None:
            return
        try:
            now = await self._opened().incident(shown.id)
        except NoSuchIncident as error:  # what is shown stays; who writes to it is told
            log.error("%s", error)
            return
        if self.incident is not None and self.incident.id == now.id:  # another may be shown by now
            self.incident = now

    # ------------------------------------------------------------------ writing

    async def write(self, draft: Draft) -> Saved:
        """Record what a person wrote or pinned. Durable when the answer is ``ok``; kept aside when it is not."""
        return await self._record(lambda recorder, incident: recorder.record(incident, draft))

    async def amend(self, entry_id: str, text: str | None, happened_at: int | None) -> Saved:
        return await self._record(
            lambda recorder, incident: recorder.amend(
                incident, entry_id, author=self.author, text=text, happened_at=happened_at
            )
        )

    async def retract(self, entry_id: str, reason: str) -> Saved:
        return await self._record(
            lambda recorder, incident: recorder.retract(incident, entry_id, author=self.author, reason=reason)
        )

    async def observe(self, transitions: Sequence[Transition]) -> None:
        """Record what the probes saw: on the open incident, or in the standby that begins the next one."""
        for transition in transitions:
            draft = drafted(transition, self._clock.ahead())
            if self.recording:
                await self._record(partial(_observe, draft=draft))
            else:
                self._standby.append(draft)

    async def record(
        self, incident_id: str, draft: Draft, *, durably: bool = False, identity: str | None = None
    ) -> Recorded:
        """Record on this incident, whichever is shown (`Recorder.record`).

        Raises:
            StoreError: the draft was refused, or the store is not open.
        """
        if self._recorder is None:
            raise Unusable(self.trouble or "The timeline's store is not open.")
        recorded = await self._recorder.record(incident_id, draft, durably=durably, identity=identity)
        self.trouble = recorded.error or self._standing_trouble
        return recorded

    async def acts(self, incident_id: str) -> list[Entry]:
        """The acts of an incident with their evidence, also those that are kept aside (`Recorder.acts`)."""
        return await self._recorder.acts(incident_id) if self._recorder is not None else []

    async def of_kinds(self, incident_id: str, kinds: Collection[Kind]) -> list[Entry]:
        """An incident's entries of these kinds with their evidence, also those that are kept aside."""
        return await self._recorder.of_kinds(incident_id, kinds) if self._recorder is not None else []

    async def _change(self, work: Callable[[Recorder, str], Awaitable[Recorded]]) -> Saved:
        """Record a change of the incident itself, and have it in `incident` when this returns."""
        saved = await self._record(work)
        if saved.ok:
            try:
                await self._refresh_incident()
            except StoreFault as fault:  # it is written; following it reads it again
                log.warning("the incident cannot be read: %s", fault)
        return saved

    async def _record(self, work: Callable[[Recorder, str], Awaitable[Recorded]]) -> Saved:
        if self._recorder is None or self.incident is None:
            return Saved(None, "no incident is shown: declare one first")
        try:
            recorded = await work(self._recorder, self.incident.id)
        except StoreError as error:
            return Saved(None, str(error))
        self.trouble = recorded.error or self._standing_trouble
        return Saved(recorded.entry, recorded.error, kept=recorded.spilled)

    def _opened(self) -> Store:
        if self._recorder is None:
            raise RuntimeError("the store is not open yet")
        return self._recorder.store


async def _observe(recorder: Recorder, incident: str, draft: Draft) -> Recorded:
    return await recorder.observe(incident, draft)
