"""The extended watch: for a while after an incident was resolved, what falls ill again is reported on it, and loudly.

It begins anew with every console, from what the store says, so a restart within that time loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from incident.entry import Entry, Incident, Kind, Status
from incident.errors import StoreError
from incident.relapse import (
    ILL,
    WELL,
    Relapse,
    ever_ill,
    identity,
    ill_at,
    over_draft,
    relapse_draft,
    relapses,
    subject_of,
)
from incident.standing import change_of
from incident.timeline import Timeline

if TYPE_CHECKING:
    from probes.transitions import Transition
    from tui.room import ControlRoom

log = logging.getLogger(__name__)

WATCH_FOR = 7200.0
"""Seconds, while the runbook that says it is still being read."""

COARSE = 1.0
"""Seconds that Kubernetes' instants are coarse: what turned right after the resolution seems to have right before."""

TURNS = ("unhealthy", "notready", "down")
"""How the keys end of what counts: a workload unhealthy, a node not ready, an endpoint failing."""


class Watched(Struct, kw_only=True):
    """An incident that was resolved lately. By subject: ``before``, what was ill then; ``own``, what ever was."""

    incident: Incident
    resolved: Entry
    before: set[str]
    own: set[str]
    again: dict[str, tuple[Relapse | None, int]]


class RelapseWatch:
    """Call `read` when another incident is shown or its status changed, `observed` with what the probes saw."""

    def __init__(self, host: ControlRoom) -> None:
        self._host = host
        self._watched: Watched | None = None
        self._reading = asyncio.Lock()
        self._wanted = True  # something changed that is not read yet

    # ------------------------------------------------------------------ which incident

    def changed(self) -> None:
        """Which incident is watched must be found out again."""
        self._wanted = True

    async def read(self) -> None:
        """Find the incident that was resolved last, if that was not too long ago, and what its timeline says."""
        async with self._reading:
            if not self._wanted or not self._host.journal.ready:
                return
            self._wanted = False
            try:
                self._watched = await self._find()
            except StoreError as error:
                log.error("the incident that was resolved last cannot be read: %s", error)
                self._wanted = True

    async def _find(self) -> Watched | None:
        journal, now = self._host.journal, self._host.now() * 1000
        over = [
            one
            for one in await journal.incidents()
            if one.drill is journal.drill and not one.open and one.resolved_at is not None
        ]
        over = [one for one in over if self._lately(one, now) and await journal.is_here(one)]
        incident = max(over, key=lambda one: (one.resolved_at or 0, one.id), default=None)
        if incident is None:
            return None
        changes = await journal.of_kinds(incident.id, (Kind.STATUS,))
        resolved = [entry for entry in changes if _resolves(entry)]
        if not resolved:
            return None
        seen = await journal.of_kinds(incident.id, (Kind.OBSERVATION, Kind.RETRACTION))
        lines = Timeline(seen).lines
        last = resolved[-1]
        return Watched(
            incident=incident,
            resolved=last,
            before=ill_at(lines, last.seq),
            own=ever_ill(lines, last.seq),
            again=relapses(lines, last.seq),
        )

    def _lately(self, incident: Incident, now: float) -> bool:
        return now - (incident.resolved_at or 0) <= self._seconds * 1000

    @property
    def _seconds(self) -> float:
        response = self._host.response
        return response.watch_for if response is not None else WATCH_FOR

    def left(self, now: float) -> float | None:
        """Seconds that the shown incident is still watched; None if it is not."""
        watched, shown = self._watched, self._host.journal.incident
        if watched is None or shown is None or shown.id != watched.incident.id or shown.open:
            return None
        left = (watched.incident.resolved_at or 0) / 1000 + self._seconds - now
        return left if left > 0 else None

    # ------------------------------------------------------------------ what happens to it

    @property
    def standing(self) -> list[Relapse]:
        """What is ill again now, first come first; nothing while another incident is shown, or this one is open."""
        watched, shown = self._watched, self._host.journal.incident
        if watched is None or shown is None or shown.id != watched.incident.id or shown.open:
            return []
        return sorted((one for one, _ in watched.again.values() if one is not None), key=lambda one: one.at)

    async def observed(self, turns: Sequence[Transition]) -> None:
        """What the probes saw change.

        While another incident is open, all of it is on that one's timeline, and counts as a relapse of this one only if
        it was a part of this one: the rest belongs to the other.
        """
        await self.read()
        watched, shown = self._watched, self._host.journal.incident
        if watched is None or (shown is not None and shown.open and shown.id == watched.incident.id):
            return
        another = self._host.journal.recording
        cluster = self._host.session.cluster
        if cluster is None or cluster.context != watched.incident.cluster:
            return
        for turn in turns:
            subject = subject_of(turn.key)
            relapse, count = watched.again.get(subject, (None, 0))
            if turn.level in ("bad", "warn"):
                mine = not another or subject in watched.own
                if relapse is None and mine and turn.key.endswith(TURNS) and self._counts(watched, turn, subject):
                    await self._report(watched, turn, subject, count + 1)
            elif relapse is not None:
                await self._end(watched, turn, subject, count)
            else:
                watched.before.discard(subject)

    def _counts(self, watched: Watched, turn: Transition, subject: str) -> bool:
        after = turn.at - (watched.incident.resolved_at or 0) / 1000
        return subject not in watched.before and -COARSE <= after <= self._seconds

    async def _report(self, watched: Watched, turn: Transition, subject: str, count: int) -> None:
        from probes.turns import plainly
        from runbook.diagnosis.wording import span

        incident = watched.incident
        after = span(max(turn.at - (incident.resolved_at or 0) / 1000, 0.0))
        text = plainly(turn.text)
        draft = relapse_draft(incident, turn.key, int(turn.at * 1000), text, after, dict(turn.evidence))
        watched.again[subject] = Relapse(subject=subject, text=text, at=int(turn.at * 1000)), count
        await self._record(incident, draft, identity(watched.resolved, turn.key, ILL, count))
        self._host.tell(f"RELAPSE {after} after {incident.id} was resolved: {text}", "error", timeout=15)
        self._host.desk.show_banner(self._host.now())

    async def _end(self, watched: Watched, turn: Transition, subject: str, count: int) -> None:
        watched.again[subject] = None, count
        draft = over_draft(turn.key, int(turn.at * 1000), turn.text)
        await self._record(watched.incident, draft, identity(watched.resolved, turn.key, WELL, count))

    async def _record(self, incident: Incident, draft: object, name: str) -> None:
        from incident.entry import Draft

        assert isinstance(draft, Draft)
        try:
            await self._host.journal.record(incident.id, draft, identity=name)
        except StoreError as error:
            log.error("a relapse was not recorded: %s", error)
            self._host.tell(f"not recorded: {draft.text}: {error}", "error", timeout=15)


def _resolves(entry: Entry) -> bool:
    return change_of(entry.evidence).get("status") == Status.RESOLVED


def summary(found: Iterable[Relapse], resolved_at: int) -> str:
    """``payment-service unhealthy 4 min after resolution``, and how many more there are; empty for none."""
    from runbook.diagnosis.wording import span

    known = list(found)
    if not known:
        return ""
    first = known[0]
    more = f" and {len(known) - 1} more" if len(known) > 1 else ""
    text = first.text.partition(", ")[0]
    return f"{text}{more} {span(max((first.at - resolved_at) / 1000, 0.0))} after resolution"
