"""``warroom import``: an exported incident or a bundle back into a store, verified first; ids and hashes stay."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from incident.bundle_check import BundleError, incident_json, is_bundle
from incident.transfer import Imported, import_export, read_export
from tui.cli import OK
from tui.incident_choice import opened
from tui.options import from_arguments
from tui.sentences import CommandFailed
from widgets.plain import plain

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    options = from_arguments(arguments)
    text = _text(Path(arguments.file).expanduser())
    imported = asyncio.run(_import(options.store, text))
    print(plain(imported.sentence, 2000))
    return OK


def _text(file: Path) -> str:
    """The record in a file: the export itself, or the one in a bundle, every file of which is checked first."""
    if not (file.is_file() and is_bundle(file)):
        return read_export(file)
    try:
        return incident_json(file)
    except BundleError as error:
        raise CommandFailed(f"{error} Nothing was imported.") from error


async def _import(path: Path, text: str) -> Imported:
    async with opened(path) as store:
        return await import_export(store, text)
