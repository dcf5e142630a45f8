"""``warroom incidents``: the incidents in the store, newest first."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from incident.instants import rfc3339
from incident.verify import exported_incident
from tui.cli import OK
from tui.columns import Page
from tui.incident_choice import opened
from tui.left_drills import settled, unfinished
from tui.options import from_arguments
from tui.sentences import say

if TYPE_CHECKING:
    import argparse

    from incident.entry import Incident
    from tui.options import ConsoleOptions

UNFINISHED = "UNFINISHED"


def run(arguments: argparse.Namespace) -> int:
    options = from_arguments(arguments)
    incidents, left = asyncio.run(_incidents(options)) if options.store.exists() else ([], set())
    if arguments.json:
        print(json.dumps([_exported(incident, left) for incident in incidents], indent=2))
    elif incidents:
        Page(no_color=options.no_color).table(
            ("ID", "SEVERITY", "STATUS", "DECLARED", "RESOLVED", "DRILL", "TITLE"),
            (("warn" if incident.open else "", _cells(incident, left)) for incident in incidents),
        )
    else:
        say(f"no incidents in {options.store}")
    return OK


async def _incidents(options: ConsoleOptions) -> tuple[list[Incident], set[str]]:
    """All of them, and the IDs of the drills that nobody saw through."""
    await settled(options.store, options.settings.author)
    async with opened(options.store, read_only=True) as store:
        found = await store.incidents()
        return found, await unfinished(store, found)


def _exported(incident: Incident, left: set[str]) -> dict[str, Any]:
    return exported_incident(incident) | ({"unfinished": incident.id in left} if incident.drill else {})


def _cells(incident: Incident, left: set[str]) -> tuple[str, ...]:
    return (
        incident.id,
        "–" if incident.severity is None else f"SEV {incident.severity}",
        UNFINISHED if incident.id in left else incident.status.value,
        rfc3339(incident.declared_at),
        "–" if incident.resolved_at is None or incident.id in left else rfc3339(incident.resolved_at),
        "drill" if incident.drill else "–",
        incident.title,
    )
