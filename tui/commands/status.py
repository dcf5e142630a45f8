"""``warroom status``: one look at everything the panes show. Exit status 0 healthy, 1 unhealthy, 2 could not look."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.cli import FAILED, OK, UNHEALTHY
from tui.look import LIMIT, look
from tui.options import from_arguments
from tui.sentences import say

if TYPE_CHECKING:
    import argparse

    from tui.options import ConsoleOptions


def run(arguments: argparse.Namespace) -> int:
    return show(from_arguments(arguments), as_json=arguments.json, limit=arguments.timeout)


def show(options: ConsoleOptions, *, as_json: bool = False, limit: float = LIMIT) -> int:
    """Look, write it to stdout, say on stderr what could not be seen. Raises `ProbeError` without a cluster to ask."""
    seen = asyncio.run(look(options, limit))
    if as_json:
        from tui.look_json import to_json

        print(to_json(seen))
    elif not seen.blind:
        from tui.columns import Page
        from tui.look_text import write

        write(seen, Page(no_color=options.no_color))
    if seen.blind:
        say(seen.blind)
    for problem in seen.problems:
        say(problem)
    if seen.blind:
        return FAILED
    return OK if seen.healthy else UNHEALTHY
