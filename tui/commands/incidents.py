"""``warroom incidents``: the incidents in the store, newest first."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from incident.instants import rfc3339
from incident.verify import exported_incident
from tui.cli import OK
from tui.columns import Page
from tui.incident_choice import opened
from tui.options import from_arguments
from tui.sentences import say

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from incident.entry import Incident


def run(arguments: argparse.Namespace) -> int:
    options = from_arguments(arguments)
    incidents = asyncio.run(_incidents(options.store)) if options.store.exists() else []
    if arguments.json:
        print(json.dumps([exported_incident(incident) for incident in incidents], indent=2))
    elif incidents:
        Page(no_color=options.no_color).table(
            ("ID", "SEVERITY", "STATUS", "DECLARED", "RESOLVED", "DRILL", "TITLE"),
            (("warn" if incident.open else "", _cells(incident)) for incident in incidents),
        )
    else:
        say(f"no incidents in {options.store}")
    return OK


async def _incidents(path: Path) -> list[Incident]:
    async with opened(path, read_only=True) as store:
        return await store.incidents()


def _cells(incident: Incident) -> tuple[str, ...]:
    return (
        incident.id,
        "–" if incident.severity is None else f"SEV {incident.severity}",
        incident.status.value,
        rfc3339(incident.declared_at),
        "–" if incident.resolved_at is None else rfc3339(incident.resolved_at),
        "drill" if incident.drill else "–",
        incident.title,
    )
