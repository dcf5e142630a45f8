"""``warroom export``: an incident as a review, as data, or as both with its evidence, to stdout or into a file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from incident.export import BUNDLE, EXTENSIONS
from tui.cli import OK
from tui.export_files import KEEPS_FILLS, filled_in, gathered, write, write_private
from tui.incident_choice import chosen, must_exist, opened
from tui.left_drills import settled
from tui.measure import standard_of
from tui.options import from_arguments
from tui.sentences import CommandFailed, say

if TYPE_CHECKING:
    import argparse

    from incident.entry import Entry, Incident
    from incident.fills import Fills

_SUFFIXES = {f".{extension}": form for form, extension in EXTENSIONS.items()} | {
    ".markdown": "markdown",
    ".htm": "html",
}


def run(arguments: argparse.Namespace) -> int:
    options = from_arguments(arguments)
    target = None if arguments.output in (None, "-") else Path(arguments.output).expanduser()
    form = arguments.format or _SUFFIXES.get(target.suffix.lower() if target else "", "markdown")
    if form == BUNDLE and target is None and sys.stdout.isatty():
        raise CommandFailed("a bundle is a zip: name a file with -o FILE.zip, or pipe it somewhere")
    must_exist(options.store)
    standard = standard_of(options)
    asyncio.run(settled(options.store, options.settings.author))
    incident, entries = asyncio.run(_read(options.store, arguments.incident))
    if incident.drill:
        standard = standard_of(options, drill=True)
    filled = _filled(arguments, target, form, incident)
    found = gathered(incident, entries, options.store, standard, filled)

    def put(file: IO[bytes]) -> None:
        write(found, form, file, originals=arguments.originals)

    if target is None:
        put(sys.stdout.buffer)
    else:
        kept = form == KEEPS_FILLS and bool(filled.incident)
        write_private(target, put, overwrite=arguments.force or kept)
        say(f"{incident.id} is in {target}{', with what people wrote there' if kept else ''}")
    for trouble in found.kept.unreadable:
        say(f"not in it: {trouble}")
    return OK


def _filled(arguments: argparse.Namespace, target: Path | None, form: str, incident: Incident) -> Fills:
    """What people wrote: in the review that is named, in the one written again, or in the one beside the file."""
    from incident.fills import Fills

    if arguments.review is not None:
        review = Path(arguments.review).expanduser()
        if not review.exists():
            raise CommandFailed(f"there is no review at {review}")
        return filled_in(review, incident, force=False)
    if target is None:
        return Fills()
    if form == KEEPS_FILLS:
        return filled_in(target, incident, force=arguments.force)
    beside = target.with_suffix(".md")
    return filled_in(beside, incident) if beside.exists() and form != "json" else Fills()


async def _read(path: Path, wanted: str) -> tuple[Incident, list[Entry]]:
    async with opened(path, read_only=True) as store:
        incident = await chosen(store, wanted)
        while True:
            entries = await store.entries(incident.id)
            # A console may be writing: the incident must be the one that these entries make.
            before, incident = incident, await store.incident(incident.id)
            if incident == before:
                return incident, entries
