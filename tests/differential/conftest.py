"""The two sides: an embedded platform for each test, and the lab that ``WARROOM_LAB_DIR`` names (see tests/live)."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import LIMIT, the_lab, why_not
from tests.live.lab import Lab

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = why_not()
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.live)
        item.add_marker(pytest.mark.timeout(LIMIT, func_only=True))
        if missing:
            item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The lab, shared with the other files that only compare."""
    with the_lab(fcntl.LOCK_SH) as found:
        yield found
