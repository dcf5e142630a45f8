"""``warroom verify``: is the timeline still as it was written? Exit status 0, or 1 naming the first broken entry."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from incident.bundle_check import is_bundle, verify_bundle
from incident.verify import Verdict, verify_file
from tui.cli import OK, UNHEALTHY
from tui.incident_choice import chosen, must_exist, opened
from tui.options import from_arguments
from widgets.plain import plain

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    options = from_arguments(arguments)
    file = Path(arguments.target).expanduser()
    # A path is meant when it looks like one, so that a file that is not there is called that.
    if file.is_file() or "/" in arguments.target or file.suffix:
        name, verdict = str(file), verify_bundle(file) if is_bundle(file) else verify_file(file)
    else:
        must_exist(options.store)
        name, verdict = asyncio.run(_verify(options.store, arguments.target))
    entries = "entry" if verdict.entries == 1 else "entries"
    if verdict.ok:
        print(f"{plain(name)}: ok, {verdict.entries} {entries}")
        return OK
    where = f"first broken entry {verdict.broken_id}: " if verdict.broken_id else ""
    print(plain(f"{name}: broken after {verdict.entries} sound {entries}: {where}{verdict.reason}", 2000))
    return UNHEALTHY


async def _verify(path: Path, wanted: str) -> tuple[str, Verdict]:
    async with opened(path, read_only=True) as store:
        incident = await chosen(store, wanted)
        return incident.id, await store.verify(incident.id)
