"""What makes a run repeatable, and quick: the same examples, bytecode that is kept, the longest files first.

Hypothesis tries the same examples in every run, so that a failure is one of the change at hand. ``WARROOM_EXAMPLES``
(see `tests.breadth`) asks for more, and then for others each time.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tui.collector import YOUNG

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("more", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("suite", settings.get_profile("more"), derandomize=True, max_examples=40)
settings.load_profile("more" if "WARROOM_EXAMPLES" in os.environ else "suite")

# The tests' modules with pytest's asserts take three times as long to compile as to import. Every worker needs all of
# them at every start, so they are kept in __pycache__, also where PYTHONDONTWRITEBYTECODE is set.
sys.dont_write_bytecode = False

TESTS = Path(__file__).parent
LONGEST = ("faults", "drill", "pilot", "unit")
"""Directories in the order in which their files are begun: those of the first take longest for each test."""
LIVE = "live"
WHOLE = ("test_play_", "test_one_incident", "test_plan_", "test_console_")
"""How the names of files begin in which a person sits at a whole console for minutes: these come before all others."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Where no bytecode is kept yet, each worker of a whole run compiles its share first and finds the others' then."""
    worker, config = os.environ.get("PYTEST_XDIST_WORKER", ""), session.config
    if not worker or config.args != config.getini("testpaths"):
        return
    share, workers = int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    for path in sorted(TESTS.glob("*/test_*.py"))[share::workers]:
        with suppress(Exception):  # its collection will say what is wrong with it
            importlib.import_module(f"tests.{path.parent.name}.{path.stem}")


def pytest_collection_finish() -> None:
    """What was imported stays: walking through it in every collection of garbage takes up to a sixth of a run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A long file that is begun last keeps one worker busy while the others have nothing to do.

    Files that need the lab take turns and mostly wait for it: they are begun one by one among all the others.
    """
    sizes = Counter(item.path for item in items)

    def turn(path: Path) -> tuple[int, int, int, str]:
        whole = next((at for at, name in enumerate(WHOLE) if path.name.startswith(name)), len(WHOLE))
        place = LONGEST.index(path.parent.name) if path.parent.name in LONGEST else -1
        return whole, place, -sizes[path], str(path)

    live = sorted((path for path in sizes if path.parent.name == LIVE), key=turn)
    order = sorted(sizes.keys() - live, key=turn)
    for number, path in enumerate(live):
        order.insert((number + 1) * len(order) // (len(live) + 1), path)
    begun = {path: at for at, path in enumerate(order)}
    items.sort(key=lambda item: begun[item.path])
