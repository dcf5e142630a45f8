"""Which drills of a store belong to the platform that this console looks at: one store has those of every drill.

What is shown, met and watched for a relapse is of one platform: another drill's pods are nobody's relapse here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from incident.entry import Kind
from incident.practice import practice_of

if TYPE_CHECKING:
    from incident.entry import Incident
    from incident.practice import Practice
    from incident.store import Store


async def here(store: Store, incident: Incident, practice: Practice | None) -> bool:
    """Whether a drill's incident may be of the platform of ``practice``; one that does not say which, may.

    Raises:
        StoreFault: the store cannot be read.
    """
    return practice is None or await _platform(store, incident) in ("", _path(practice))


async def begun_here(store: Store, incidents: list[Incident], practice: Practice) -> Incident | None:
    """The incident that a drill's console shows first: an open one of its platform, else the last one that was."""
    of_here = [one for one in incidents if one.drill and await here(store, one, practice)]
    is_open = next((one for one in of_here if one.open), None)
    if is_open is not None:
        return is_open
    for one in of_here:
        if await _platform(store, one):
            return one
    return None


async def _platform(store: Store, incident: Incident) -> str:
    return _path(practice_of(await store.of_kinds(incident.id, (Kind.DECLARED,))))


def _path(practice: Practice | None) -> str:
    return os.path.realpath(practice.platform) if practice is not None and practice.platform else ""
