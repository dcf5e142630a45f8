"""``python -m bench``: measure everything, print one table, write nothing. `bench/README.md` says what it means."""

from __future__ import annotations

import argparse
import compileall
from importlib import import_module
from pathlib import Path

from bench.figures import HEADER

ROOMS = ("tui", "widgets", "probes", "incident", "runbook", "drill", "bench")
GROUPS = ("startup", "load", "footprint", "timeline", "acts", "azure", "scale")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the console beside its alternatives.")
    parser.add_argument("--only", choices=GROUPS, action="append", help="only this group; may be repeated")
    parser.add_argument("--quick", action="store_true", help="few repeats: to see that it works, not to quote")
    arguments = parser.parse_args()
    for room in ROOMS:
        # As pip does when it installs: where Python is told to write no bytecode, every start would compile the source.
        compileall.compile_dir(Path(__file__).parents[1] / room, quiet=1)
    print(HEADER, flush=True)
    held = True
    for group in arguments.only or GROUPS:
        for figure in import_module(f"bench.{group}").figures(quick=arguments.quick):
            print(figure.row(), flush=True)
            held = held and figure.held is not False
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
