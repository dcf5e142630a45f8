"""``warroom``: opens the console, unless there is nothing to look at or nobody to look."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tui import collector
from tui.cli import FAILED
from tui.options import from_arguments

if TYPE_CHECKING:
    import argparse


FRAMES = "120"
"""Paints a second, at most. A key pressed just after news was painted waits for the next one: with Textual's 60 up to
17 ms, which doubled the 95th percentile on a busy cluster. Nothing is painted more often than it changes."""


def run(arguments: argparse.Namespace) -> int:
    if not has_terminal():
        print("warroom: a console needs a terminal; without one, try: warroom status", file=sys.stderr)
        return FAILED
    before_textual()
    options = from_arguments(arguments)
    from tui.app import run_console

    return run_console(options)


def before_textual() -> None:
    """What has to be decided before Textual is imported."""
    collector.hold()
    os.environ.setdefault("TEXTUAL_FPS", FRAMES)
    if sys.__stderr__ is None or not sys.__stderr__.isatty():
        # Textual paints on stderr. With 2>FILE that is no screen: the talk goes there, the console on the terminal.
        sys.__stderr__ = os.fdopen(os.dup(1), "w", encoding="utf-8", closefd=False)  # type: ignore[misc]


def has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
