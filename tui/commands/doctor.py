"""``warroom doctor``: what the console needs, whether it is there, and what to do about what is missing."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

from tui.check import Check, Level
from tui.cli import OK, UNHEALTHY
from tui.columns import CELL, Page
from tui.diagnosis import examine
from tui.look import LIMIT
from tui.look_json import timestamp
from tui.options import from_arguments
from tui.toml_table import SettingsError

if TYPE_CHECKING:
    import argparse

_COLORS = {Level.OK: "", Level.WARN: "warn", Level.MISSING: "bad"}
_MARKS = {Level.OK: "✓", Level.WARN: "!", Level.MISSING: "✗"}


def run(arguments: argparse.Namespace) -> int:
    try:
        options = from_arguments(arguments)
    except SettingsError as error:
        # Nothing else can be checked: every other check depends on what the settings say.
        checks = [Check("settings", Level.MISSING, str(error), "correct the file, or choose another with --config")]
    else:
        checks = asyncio.run(examine(options, LIMIT))
    missing = any(check.level is Level.MISSING for check in checks)
    if arguments.json:
        said = {"time": timestamp(time.time()), "ok": not missing, "checks": [check.as_dict() for check in checks]}
        print(json.dumps(said, indent=2))
    else:
        page = Page(no_color=arguments.no_color)
        page.table(
            ("", "CHECK", "", "FOUND", "WHAT TO DO"),
            (
                (_COLORS[check.level], (_MARKS[check.level], check.name, check.level.value, check.found, check.advice))
                for check in checks
            ),
        )
        for check in checks:
            if check.level is not Level.OK and len(check.found) > CELL:  # the table has its beginning
                page.line("")
                page.line(f"{check.name}: {check.found}", _COLORS[check.level])
    return UNHEALTHY if missing else OK
