"""``python -m bench``: measure everything, print one table, write nothing. `bench/README.md` says what it means."""

from __future__ import annotations

import argparse
from importlib import import_module

from bench.figures import HEADER

GROUPS = ("startup", "load", "footprint", "timeline")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the console beside its alternatives.")
    parser.add_argument("--only", choices=GROUPS, action="append", help="only this group; may be repeated")
    parser.add_argument("--quick", action="store_true", help="few repeats: to see that it works, not to quote")
    arguments = parser.parse_args()
    print(HEADER, flush=True)
    held = True
    for group in arguments.only or GROUPS:
        for figure in import_module(f"bench.{group}").figures(quick=arguments.quick):
            print(figure.row(), flush=True)
            held = held and figure.held is not False
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
