"""The two sides: an embedded platform for each test, and the lab that ``WARROOM_LAB_DIR`` names (see tests/live)."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import need_the_lab, the_lab
from tests.live.lab import Lab

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    need_the_lab(items, HERE)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The lab, shared with the other files that only compare."""
    with the_lab(fcntl.LOCK_SH) as found:
        yield found
