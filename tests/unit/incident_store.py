"""Stores for the tests of the incident room: a fresh one per test, with a clock that the test sets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from incident.store import Store

NOW = 1_795_442_760_000  # 2026-11-23T14:06:00.000Z


class Clock:
    """A clock that a test sets. Every look at it takes a millisecond."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        self.now += 1
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "warroom.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with await Store.open(path, clock=Clock()) as opened:
        yield opened


async def declared(store: Store, title: str = "Payments failing", *, drill: bool = False) -> str:
    return (await store.declare(title=title, author="tech-lead", severity=2, drill=drill)).id
