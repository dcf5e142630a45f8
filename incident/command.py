"""Changing the incident itself: its status, severity, title, roles, facts and times, each by an entry that says so.

The same for who writes to the store and for who keeps entries aside while it cannot be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from incident.entry import MARKS, Draft, Status
from incident.errors import Refused
from incident.instants import EARLIEST, LATEST
from incident.intake import TITLE_LIMIT, line
from incident.standing import facts_draft, role_draft, severity_draft, status_draft, time_draft, title_draft

SERVICES_LIMIT = 500

R = TypeVar("R")


class Command(Generic[R]):
    """What may be said about an incident. Every method raises `Refused` for what makes no sense, with nothing recorded.

    What makes no sense is decided in the transaction that writes (`incident.change_rules`): two consoles may want
    different things at the same moment.
    """

    async def _say(self, incident_id: str, draft: Draft) -> R:
        raise NotImplementedError

    async def set_status(self, incident_id: str, status: Status, author: str, *, text: str = "") -> R:
        """Move the incident to ``status``. Resolving notes when; reopening (to INVESTIGATING) forgets it.

        Raises:
            Refused: it is there already, or cannot go there from where it is (`change_rules.NEXT`).
        """
        return await self._say(incident_id, status_draft(status, author, text))

    async def set_severity(self, incident_id: str, severity: int | None, author: str, *, text: str = "") -> R:
        """Classify the incident, 1 (critical) to 4 (low)."""
        return await self._say(incident_id, severity_draft(severity, author, text))

    async def set_title(self, incident_id: str, title: str, author: str) -> R:
        """Give the incident another title."""
        return await self._say(incident_id, title_draft(line(title, "title", TITLE_LIMIT), author))

    async def set_role(self, incident_id: str, role: str, person: str | None, author: str, *, name: str = "") -> R:
        """``person`` takes the role, from whoever has it; None: leaves it to nobody. ``name`` is what it is called.

        Raises:
            Refused: that person has it already, or nobody has it to leave.
        """
        role = line(role, "role")
        person = None if person is None else line(person, "person's name")
        return await self._say(incident_id, role_draft(role, person, author, name=line(name, "role") if name else ""))

    async def set_facts(
        self,
        incident_id: str,
        author: str,
        *,
        services: Sequence[str] | None = None,
        impact: str | None = None,
        facts: Mapping[str, bool | None] | None = None,
    ) -> R:
        """Say what is affected and how; what is None stays as it is, and so do facts that are not named.

        Raises:
            Refused: a name is empty or too long, there are too many, or nothing is said at all.
        """
        if services is None and impact is None and not facts:
            raise Refused("There is nothing to record: neither services, nor impact, nor an answer.")
        named = None if services is None else service_names(services)
        return await self._say(incident_id, facts_draft(author, services=named, impact=impact, facts=facts))

    async def set_time(self, incident_id: str, mark: str, at: int | None, author: str) -> R:
        """Say when (ms) the incident began, was detected, acknowledged, mitigated or resolved; None: not known.

        Raises:
            Refused: it would come before what it must follow, or lies in the future; the sentence says which.
        """
        if mark not in MARKS:
            raise Refused(f"{mark!r} is not a time of an incident: {', '.join(MARKS)}.")
        if at is not None and not EARLIEST <= at <= LATEST:
            raise Refused(f"The time {mark!r} is not between the years 1970 and 9999. Nothing was recorded.")
        return await self._say(incident_id, time_draft(mark, at, author))


def service_names(services: Sequence[str]) -> list[str]:
    """The names, each one line, each once.

    Raises:
        Refused: one is empty or too long, or there are too many.
    """
    if len(services) > SERVICES_LIMIT:
        raise Refused(f"{len(services)} services are named; at most {SERVICES_LIMIT} are kept. Nothing was recorded.")
    return list(dict.fromkeys(line(name, "name of a service") for name in services))
