"""Opening the store from a shell, and finding the incident meant by an ID, a prefix of one, or "latest"."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from incident.errors import Older, StoreError
from incident.recovery import open_or_recover
from incident.store import Store
from tui.sentences import CommandFailed, say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from incident.entry import Incident
    from incident.recorder import Recorder

LATEST = "latest"
HOW_TO_DECLARE = "declare an incident in the console, or with: warroom declare TITLE"


def must_exist(path: Path) -> None:
    """Raises CommandFailed when there is no store to read. Only writing creates one."""
    if not path.exists():
        raise CommandFailed(f"there is no store at {path} yet, so no open incident; {HOW_TO_DECLARE}")


@asynccontextmanager
async def opened(path: Path, *, read_only: bool = False) -> AsyncIterator[Store]:
    """The store at ``path``, closed again afterwards. Raises `StoreError`.

    It is created if need be, unless it is opened to be read: that works on a full disk and on a read-only copy. A store
    of an older version is brought up to date, with a copy beside it; a damaged one that is to be written is set aside
    and recovered. Either is said.
    """
    if read_only:
        store = await _to_read(path)
        try:
            yield store
        finally:
            await store.close()
    else:
        async with recording(path) as recorder:
            yield recorder.store


@asynccontextmanager
async def recording(path: Path) -> AsyncIterator[Recorder]:
    """What writes to the store at ``path``, closed again afterwards. Raises `StoreError`. Otherwise as `opened`."""
    # Looking at every page costs more than a line is worth: the console does, and damage that is met is recovered here.
    recorder, recovery = await open_or_recover(path, thorough=False)
    try:
        if recovery is not None:
            say(recovery.sentence)
        _say_copied(recorder.store)
        yield recorder
    finally:
        await recorder.close()


async def _to_read(path: Path) -> Store:
    try:
        return await Store.open(path, read_only=True)
    except Older as older:
        try:
            store = await Store.open(path)
        except StoreError as error:
            raise older from error
    _say_copied(store)
    return store


def _say_copied(store: Store) -> None:
    if store.copied_to is not None:
        say(f"{store.path} was brought up to date; as it was before, it is kept as {store.copied_to}")


async def chosen(store: Store, wanted: str) -> Incident:
    """The incident called ``wanted``. Raises CommandFailed when there is none, or more than one."""
    incidents = await store.incidents()
    if not incidents:
        raise CommandFailed(f"there are no incidents in this store; {HOW_TO_DECLARE}")
    if wanted.lower() == LATEST:
        return incidents[0]
    matching = [incident for incident in incidents if incident.id.lower().startswith(wanted.lower())]
    exact = [incident for incident in matching if len(incident.id) == len(wanted)]
    match exact or matching:
        case [one]:
            return one
        case []:
            raise CommandFailed(f"no incident is called {wanted}; see: warroom incidents")
        case several:
            names = ", ".join(incident.id for incident in several[:5])
            raise CommandFailed(
                f"{wanted} could be {len(several)} incidents: {names}{', …' if len(several) > 5 else ''}"
            )
