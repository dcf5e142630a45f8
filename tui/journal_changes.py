"""Changing the incident that is shown: its status, severity, title, roles, facts and times, as the console does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from incident.entry import Entry, Status
    from incident.recorder import Recorded, Recorder


class Saved(Struct, frozen=True):
    """What became of one entry. ``trouble`` is empty when it is in the store; ``kept`` when it is kept aside for it."""

    entry: Entry | None
    trouble: str = ""
    kept: bool = False

    @property
    def ok(self) -> bool:
        return not self.trouble


class JournalChanges:
    """The journal's part that changes the incident itself. A refusal is the answer's ``trouble``; nothing is raised."""

    author: str

    async def _change(self, work: Callable[[Recorder, str], Awaitable[Recorded]]) -> Saved:
        raise NotImplementedError

    async def set_status(self, status: Status, *, text: str = "") -> Saved:
        """Move the shown incident (`Recorder.set_status`)."""
        return await self._change(
            lambda recorder, incident: recorder.set_status(incident, status, self.author, text=text)
        )

    async def set_severity(self, severity: int | None, *, text: str = "") -> Saved:
        return await self._change(
            lambda recorder, incident: recorder.set_severity(incident, severity, self.author, text=text)
        )

    async def set_title(self, title: str) -> Saved:
        return await self._change(lambda recorder, incident: recorder.set_title(incident, title, self.author))

    async def set_role(self, role: str, person: str | None, *, name: str = "") -> Saved:
        """``person`` takes the role, from whoever has it; None: leaves it to nobody (`Recorder.set_role`)."""
        return await self._change(
            lambda recorder, incident: recorder.set_role(incident, role, person, self.author, name=name)
        )

    async def set_facts(
        self,
        *,
        services: Sequence[str] | None = None,
        impact: str | None = None,
        facts: Mapping[str, bool | None] | None = None,
    ) -> Saved:
        """Say what is affected and how; what is None stays as it is (`Recorder.set_facts`)."""
        return await self._change(
            lambda recorder, incident: recorder.set_facts(
                incident, self.author, services=services, impact=impact, facts=facts
            )
        )

    async def set_time(self, mark: str, at: int | None) -> Saved:
        """Say when (ms) something of `entry.MARKS` was; None: not known (`Recorder.set_time`)."""
        return await self._change(lambda recorder, incident: recorder.set_time(incident, mark, at, self.author))
