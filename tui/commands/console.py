"""``warroom``: opens the console, unless there is nothing to look at or nobody to look."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tui import collector
from tui.cli import FAILED
from tui.options import from_arguments

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    if not has_terminal():
        print("warroom: a console needs a terminal; without one, try: warroom status", file=sys.stderr)
        return FAILED
    collector.hold()
    options = from_arguments(arguments)
    from tui.app import run_console

    return run_console(options)


def has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
