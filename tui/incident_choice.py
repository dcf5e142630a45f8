"""Opening the store from a shell, and finding the incident meant by an ID, a prefix of one, or "latest"."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from incident.store import Store
from tui.sentences import CommandFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from incident.entry import Incident

LATEST = "latest"
HOW_TO_DECLARE = "declare an incident in the console, or with: warroom declare TITLE"


def must_exist(path: Path) -> None:
    """Raises CommandFailed when there is no store to read. Only writing creates one."""
    if not path.exists():
        raise CommandFailed(f"there is no store at {path} yet, so no open incident; {HOW_TO_DECLARE}")


@asynccontextmanager
async def opened(path: Path, *, read_only: bool = False) -> AsyncIterator[Store]:
    """The store at ``path``, closed again afterwards. Raises `StoreError`.

    It is created if need be, unless it is opened to be read: that works on a full disk and on a read-only copy.
    """
    store = await Store.open(path, read_only=read_only)
    try:
        yield store
    finally:
        await store.close()


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
