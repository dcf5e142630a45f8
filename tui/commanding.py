"""Incident command behind the screens: the checklists of the shown incident, and the watch after it is resolved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from incident.entry import Kind
from tui.checklists import Checklists
from tui.relapse import RelapseWatch
from tui.update_sending import Errands

if TYPE_CHECKING:
    from incident.entry import Incident
    from probes.transitions import Transition
    from runbook.classification import View
    from tui.room import ControlRoom


class Commanding:
    """One for the console."""

    def __init__(self, host: ControlRoom) -> None:
        self._host = host
        self.checklists = Checklists(host)
        self.relapse = RelapseWatch(host)
        self._errands = Errands()

    def hear(self, touched: set[str] | None) -> None:
        """Lines of the timeline changed; None: another incident is shown."""
        self.checklists.hear(touched)
        timeline = self._host.journal.timeline
        lines = [timeline.get(line) for line in touched or ()]
        if touched is None or any(line is not None and line.entry.kind is Kind.STATUS for line in lines):
            self.relapse.changed()
            self._errands.begin(self.relapse.read(), "reads what was resolved")

    async def observed(self, turns: Sequence[Transition]) -> None:
        """What the probes saw change, after it is recorded."""
        await self.relapse.observed(turns)

    def seen(self) -> View:
        """What the probes propose now: services affected, and answers to the decision matrix."""
        from runbook.classification import view
        from runbook.response import Response

        response = self._host.response or Response(name="", severities=())
        return view(self._host.feeds.latest, response, self._host.now())

    def seen_of(self, incident: Incident) -> View | None:
        """The same for an open incident of the cluster that is in view; None for others."""
        cluster = self._host.session.cluster
        return self.seen() if incident.open and cluster is not None and cluster.context == incident.cluster else None

    async def close(self) -> None:
        await self._errands.close()
        await self.checklists.close()
