"""``warroom import``: an exported incident back into a store, its chain verified first; ids and hashes stay."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from incident.transfer import Imported, import_export, read_export
from tui.cli import OK
from tui.incident_choice import opened
from tui.options import from_arguments
from widgets.plain import plain

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    options = from_arguments(arguments)
    text = read_export(Path(arguments.file).expanduser())
    imported = asyncio.run(_import(options.store, text))
    print(plain(imported.sentence, 2000))
    return OK


async def _import(path: Path, text: str) -> Imported:
    async with opened(path) as store:
        return await import_export(store, text)
