"""``warroom declare``: begins an incident from a shell. It prints the new incident's ID and nothing else on stdout."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.cli import OK
from tui.incident_choice import opened
from tui.options import from_arguments
from tui.sentences import say

if TYPE_CHECKING:
    import argparse

    from incident.entry import Incident
    from tui.options import ConsoleOptions


def run(arguments: argparse.Namespace) -> int:
    incident = asyncio.run(_declare(from_arguments(arguments), arguments))
    print(incident.id)
    return OK


async def _declare(options: ConsoleOptions, arguments: argparse.Namespace) -> Incident:
    async with opened(options.store) as store:
        already = await store.current()
        incident = await store.declare(
            title=" ".join(arguments.title),
            author=arguments.author or options.settings.author,
            severity=arguments.severity,
            drill=arguments.drill,
            cluster=options.context or "",
            namespace=", ".join(options.namespaces),
            services=[name for given in arguments.service or () for name in given.split(",") if name.strip()],
            impact=arguments.impact or "",
        )
    if already is not None:
        # Two open incidents can be right; writing to the wrong one by accident is not.
        say(f"{already.id} is open too: {already.title}; name the one you mean with --incident")
    return incident
