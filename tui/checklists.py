"""The checklists of the incident that is shown: how each item stands, what the probes say of it, and ticking it.

Probes tick only while somebody looks at the list, or resolves: an entry for each change that has lasted a moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from incident.checks import By, State, Tick, check_draft, ticks
from incident.entry import Incident, Kind, Status
from incident.errors import StoreError
from incident.identity import named_id
from incident.timeline import Timeline
from tui.journal_changes import Saved
from tui.update_sending import Errands

if TYPE_CHECKING:
    from runbook.checklist import Reading
    from runbook.response import Checklist, Item, When
    from tui.room import ControlRoom

log = logging.getLogger(__name__)

STEADY = 3
"""Looks in a row, one a second, that must agree before a probe ticks an item or opens it again."""

GAP = 5.0
"""Seconds without a look after which the counting begins again."""

PHASES: dict[Status, tuple[When, ...]] = {
    Status.INVESTIGATING: ("respond", "resolve"),
    Status.MITIGATING: ("respond", "resolve"),
    Status.RESOLVED: ("after", "review"),
    Status.REVIEWED: ("review",),
}
"""The lists that an incident's status is about. Only in these do probes tick."""

Key = tuple[str, str]  # the list's id, the item's


class ItemView(Struct, frozen=True, kw_only=True):
    """One item. ``tick`` None: nobody ever ticked it. ``reading`` None: no probe can know."""

    list: str
    item: Item
    tick: Tick | None
    reading: Reading | None

    @property
    def open(self) -> bool:
        return self.tick is None or self.tick.state == "open"

    @property
    def contradicted(self) -> bool:
        """A person says that it is done, and a probe sees that it is not."""
        done = self.tick is not None and self.tick.state == "done"
        return done and self.reading is not None and self.reading.holds is False


class ListView(Struct, frozen=True, kw_only=True):
    """A checklist with the items that this incident has. ``now``: its status is about it."""

    checklist: Checklist
    items: tuple[ItemView, ...]
    now: bool

    @property
    def settled(self) -> int:
        """How many of its items are not open any more."""
        return sum(1 for one in self.items if not one.open)


class Checklists:
    """`hear` when the timeline changed, `look` once a second while somebody sees the lists."""

    def __init__(self, host: ControlRoom) -> None:
        self._host = host
        self._incident = ""  # that the ticks are of
        self._ticks: dict[Key, Tick] = {}
        self._scenarios: set[str] = set()  # that fitted or were followed since the incident is shown
        self._steady: dict[Key, tuple[bool, int]] = {}
        self._looked_at = 0.0
        self._writing: set[Key] = set()
        self._reading = asyncio.Lock()
        self._errands = Errands()

    # ------------------------------------------------------------------ what is known

    def hear(self, touched: set[str] | None) -> None:
        """Lines of the timeline changed; None: another incident is shown."""
        timeline = self._host.journal.timeline
        lines = [timeline.get(line) for line in touched or ()]
        if touched is None or any(line is not None and line.entry.kind is Kind.CHECK for line in lines):
            self._errands.begin(self.read(), "reads the checklists")

    async def read(self) -> None:
        """Have the ticks of the incident that is shown, as the store has them."""
        incident = self._host.journal.incident
        if incident is None:
            return
        async with self._reading:
            try:
                entries = await self._host.journal.of_kinds(incident.id, (Kind.CHECK, Kind.RETRACTION))
            except StoreError as error:
                log.error("the checklists cannot be read: %s", error)
                return
            if self._incident != incident.id:
                self._incident = incident.id
                self._scenarios.clear()
                self._steady.clear()
            self._ticks = ticks(Timeline(entries).lines)

    @property
    def ready(self) -> bool:
        """Whether the ticks of the incident that is shown are known, and the runbook is."""
        incident = self._host.journal.incident
        return incident is not None and incident.id == self._incident and self._host.response is not None

    def lists(self) -> list[ListView]:
        """Every checklist that has items for this incident, those of its status first."""
        from runbook.checklist import items

        incident, response = self._host.journal.incident, self._host.response
        if incident is None or response is None or not self.ready:
            return []
        self._scenarios |= self._fitting
        found = []
        for checklist in response.checklists:
            wanted = items(checklist, incident.severity, self._scenarios)
            known = [item for item in checklist.items if item in wanted or (checklist.id, item.id) in self._ticks]
            if known:
                now = checklist.when in PHASES[incident.status]
                views = tuple(self._view(incident, checklist, item, now) for item in known)
                found.append(ListView(checklist=checklist, items=views, now=now))
        return sorted(found, key=lambda one: not one.now)

    @property
    def _fitting(self) -> set[str]:
        """The scenario that fits best now, and every one whose guide somebody has taken steps of, whatever fits."""
        diagnosis, response = self._host.diagnosing.latest, self._host.response
        fits = {fit.id for fit in diagnosis.fits[:1]} if diagnosis is not None else set()
        known = {scenario.id for scenario in response.scenarios} if response is not None else set()
        return fits | (known & {guide for guide, _ in self._ticks})

    def _view(self, incident: Incident, checklist: Checklist, item: Item, now: bool) -> ItemView:
        tick = self._ticks.get((checklist.id, item.id))
        reading = self._read_signal(incident, item) if now else None
        return ItemView(list=checklist.id, item=item, tick=tick, reading=reading)

    def _read_signal(self, incident: Incident, item: Item) -> Reading | None:
        from runbook.checklist import Reading, read

        response, cluster = self._host.response, self._host.session.cluster
        if item.signal is None or response is None:
            return None
        if cluster is None or cluster.context != incident.cluster:
            return Reading(holds=None, evidence="another cluster is in view")
        return read(item.signal, self._host.feeds.latest, response, self._host.now(), incident.services)

    def open_items(self, when: When = "resolve") -> list[ItemView]:
        """What is still open in the lists of this kind."""
        return [one for found in self.lists() if found.checklist.when == when for one in found.items if one.open]

    # ------------------------------------------------------------------ ticking

    def look(self) -> None:
        """A second has passed, and somebody sees the lists: what has lasted is recorded."""
        now = self._host.now()
        if not 0 <= now - self._looked_at <= GAP:
            self._steady.clear()  # nobody looked meanwhile: it may have come and gone
        self._looked_at = now
        for one in self._ticked_by_probes():
            assert one.reading is not None
            key, holds = (one.list, one.item.id), one.reading.holds
            if holds is None:
                self._steady.pop(key, None)
                continue
            before, count = self._steady.get(key, (holds, 0))
            count = count + 1 if before is holds else 1
            self._steady[key] = holds, count
            if count >= STEADY and self._news(one) and key not in self._writing:
                self._writing.add(key)
                self._errands.begin(self._probe_ticks(one), f"ticks {one.item.id}")

    async def settle(self) -> None:
        """Somebody resolves: what holds right now is ticked right now."""
        await self.read()
        for one in self._ticked_by_probes():
            if self._news(one) and one.reading is not None and one.reading.holds is not None:
                await self._probe_ticks(one)

    def _ticked_by_probes(self) -> Iterable[ItemView]:
        incident = self._host.journal.incident
        if incident is None or incident.drill is not self._host.journal.drill:
            return []
        return [one for found in self.lists() if found.now for one in found.items if one.reading is not None]

    @staticmethod
    def _news(one: ItemView) -> bool:
        """Whether a probe has something to say: what a person said about an item stands."""
        assert one.reading is not None
        if one.tick is None:
            return one.reading.holds is True
        if one.tick.by == "person":
            return False
        return one.reading.holds is (one.tick.state != "done") and one.reading.holds is not None

    async def _probe_ticks(self, one: ItemView) -> None:
        assert one.reading is not None
        incident = self._host.journal.incident
        key = one.list, one.item.id
        if incident is None or incident.id != self._incident:
            self._writing.discard(key)
            return
        state: State = "done" if one.reading.holds else "open"
        draft = check_draft(
            one.list, one.item.id, state, "probe", text=one.item.text, by="probe", note=one.reading.evidence
        )
        # Two consoles that look at the same list find out the same, after the same tick.
        last = one.tick.entry if one.tick is not None else incident.id
        name = named_id(incident.declared_at, f"{last} {one.list} {one.item.id} {state}")
        try:
            await self._host.journal.record(incident.id, draft, identity=name)
        except StoreError as error:
            log.error("a probe's tick was not recorded: %s", error)
        finally:
            self._writing.discard(key)
        await self.read()

    async def set(self, one: ItemView, state: State, note: str = "", by: By = "person") -> Saved:
        """A person ticks an item, opens it again, or says that it is not needed."""
        journal = self._host.journal
        saved = await journal.write(
            check_draft(one.list, one.item.id, state, journal.author, text=one.item.text, by=by, note=note)
        )
        await self.read()
        return saved

    async def close(self) -> None:
        await self._errands.close()


def told_open(found: Sequence[ItemView]) -> str:
    """``3 items of the resolution checklist were open: A; B; C``; empty for none."""
    if not found:
        return ""
    names = "; ".join(one.item.text for one in found)
    verb = "1 item was" if len(found) == 1 else f"{len(found)} items were"
    return f"{verb} open on the resolution checklist: {names}"
