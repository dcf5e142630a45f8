"""Live tests need a lab that runs: a real Kubernetes API server whose faults can be switched on and off.

``WARROOM_LAB_DIR`` names its directory. Its faults concern everybody who looks at it, so the live tests of all workers
take turns, a file at a time.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.lab import Lab

LIMIT = 400.0
"""Seconds for one test, not counting how long it waited for its turn."""

TURN = 1800.0
"""Seconds that a file of tests waits for its turn at most."""

HERE = Path(__file__).parent


def why_not() -> str:
    """Why the live tests cannot run, or an empty string."""
    named = os.environ.get("WARROOM_LAB_DIR")
    if not named:
        return "WARROOM_LAB_DIR does not name the directory of a running lab"
    if not (Path(named) / "kubeconfig").is_file() or not (Path(named) / "faults").is_dir():
        return f"WARROOM_LAB_DIR={named} has no kubeconfig and faults/ of a running lab"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    need_the_lab(items, HERE)


def need_the_lab(items: list[pytest.Item], directory: Path) -> None:
    """Marks the tests of a directory; without a lab they are skipped, and say why."""
    missing = why_not()
    for item in items:
        if directory not in item.path.parents:
            continue
        item.add_marker(pytest.mark.live)
        item.add_marker(pytest.mark.timeout(LIMIT, func_only=True))
        if missing:
            item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The lab, to itself for as long as this file's tests run, with no fault before them and none after."""
    with the_lab(fcntl.LOCK_EX) as found:
        yield found


@contextmanager
def the_lab(share: int) -> Iterator[Lab]:
    """The lab: alone with ``LOCK_EX``, or with ``LOCK_SH`` among others who switch no faults on either."""
    directory = Path(os.environ["WARROOM_LAB_DIR"])
    found = Lab.found_in(directory)
    with (directory / "live-tests.lock").open("w", encoding="utf-8") as lock:
        _take(lock.fileno(), share)
        faults = found.faults()
        assert not faults, (
            f"somebody left faults on: rm {' '.join(str(directory / 'faults' / name) for name in faults)}"
        )
        yield found
        for name in found.faults():
            (directory / "faults" / name).unlink()


def _take(descriptor: int, share: int) -> None:
    until = time.monotonic() + TURN
    while True:
        try:
            fcntl.flock(descriptor, share | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            assert time.monotonic() < until, f"other tests had the lab for more than {TURN:g} s"
            time.sleep(0.25)
