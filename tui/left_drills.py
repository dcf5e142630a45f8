"""Drills whose console was killed: their incidents end as left, once their platform is gone.

A console that is left ends its drill's incident itself. One that is killed cannot, and nobody would ever resolve it.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from incident.entry import Kind, Status
from incident.errors import StoreError
from incident.practice import LEFT, practice_of, was_left

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incident.entry import Incident
    from incident.store import Store

log = logging.getLogger(__name__)


async def end_left(store: Store, author: str) -> list[Incident]:
    """End every open drill that has no platform any more; returns them as they were. Another may do it meanwhile."""
    ended = []
    for incident in await left_open(store, await store.incidents()):
        try:
            await store.set_status(incident.id, Status.RESOLVED, author, text=LEFT)
        except StoreError as error:
            log.info("%s is not ended: %s", incident.id, error)
        else:
            ended.append(incident)
    return ended


async def left_open(store: Store, incidents: Sequence[Incident]) -> list[Incident]:
    """The open drills of these whose platform was on this machine and is gone."""
    found = []
    for incident in incidents:
        if incident.drill and incident.open:
            practice = practice_of(await store.of_kinds(incident.id, (Kind.DECLARED,)))
            if practice is not None and practice.platform and _gone(practice.platform):
                found.append(incident)
    return found


async def unfinished(store: Store, incidents: Sequence[Incident]) -> set[str]:
    """The IDs of the drills of these that were left before anybody resolved their incident."""
    return {
        incident.id
        for incident in incidents
        if incident.drill and not incident.open and was_left(await store.of_kinds(incident.id, (Kind.STATUS,)))
    }


async def settled(path: Path, author: str) -> None:
    """`end_left` for a command that only reads: the store is written only where there is something to end."""
    from tui.incident_choice import opened

    try:
        async with opened(path, read_only=True) as store:
            left = await left_open(store, await store.incidents())
        if left:
            async with opened(path) as store:
                await end_left(store, author)
    except StoreError as error:  # a disk that is full, or no longer ours: it is read as it is
        log.info("drills that were left are not ended: %s", error)


def _gone(platform: str) -> bool:
    from drill.private_directory import abandoned

    return abandoned(Path(platform))
