"""``warroom export``: an incident as Markdown for people or as JSON for programs, to stdout or into a new file."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from incident.export import FORMATS
from tui.cli import OK
from tui.incident_choice import chosen, must_exist, opened
from tui.options import from_arguments
from tui.sentences import CommandFailed, say

if TYPE_CHECKING:
    import argparse

    from incident.entry import Entry, Incident

_SUFFIXES = {".json": "json", ".md": "markdown", ".markdown": "markdown"}


def run(arguments: argparse.Namespace) -> int:
    options = from_arguments(arguments)
    target = None if arguments.output in (None, "-") else Path(arguments.output).expanduser()
    must_exist(options.store)
    incident, entries = asyncio.run(_read(options.store, arguments.incident))
    form = arguments.format or _SUFFIXES.get(target.suffix.lower() if target else "", "markdown")
    _, render = FORMATS[form]
    text = render(incident, entries)
    if not text.endswith("\n"):
        text += "\n"
    if target is None:
        sys.stdout.write(text)
    else:
        write_private(target, text, overwrite=arguments.force)
        say(f"{incident.id} is in {target}")
    return OK


async def _read(path: Path, wanted: str) -> tuple[Incident, list[Entry]]:
    async with opened(path, read_only=True) as store:
        incident = await chosen(store, wanted)
        while True:
            entries = await store.entries(incident.id)
            # A console may be writing: the incident must be the one that these entries make.
            before, incident = incident, await store.incident(incident.id)
            if incident == before:
                return incident, entries


def write_private(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a file only its owner can read (0600), whole or not at all. Raises CommandFailed, OSError."""
    writing = path.with_name(f".{path.name}.{os.getpid()}.part") if overwrite else path
    try:
        descriptor = os.open(writing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise CommandFailed(f"{path} exists already: choose another file, or overwrite it with --force") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            writing.replace(path)
    except BaseException:
        writing.unlink(missing_ok=True)
        raise
