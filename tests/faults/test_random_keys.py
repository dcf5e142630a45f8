"""A cat on the keyboard of an armed production console: whatever opens, nothing is ever sent.

``WARROOM_RANDOM_KEYS=60`` lets 200 keys a second come for a minute. Without it nothing runs: a busy machine cannot keep
that rate.
"""

from __future__ import annotations

import asyncio
import os
import random
import string
import time
from pathlib import Path

import pytest
from textual import events
from textual.keys import _character_to_key

from incident.entry import Kind
from tests.pilot.acting import stage

RATE = 200
SECONDS = float(os.environ.get("WARROOM_RANDOM_KEYS", "0"))
NAMED = ("enter", "escape", "tab", "space", "up", "down", "left", "right", "backspace", "home")
# What acts and what confirms comes far more often than chance would have it. ctrl+q, which only leaves, does not come.
LIKELY = "RSTBCOKEQXUA!" * 3


def key(chance: random.Random) -> events.Key:
    if chance.random() < 0.25:
        return events.Key(chance.choice(NAMED), None)
    character = chance.choice(string.ascii_letters + string.digits + string.punctuation + LIKELY)
    return events.Key(_character_to_key(character), character)


@pytest.mark.skipif(not SECONDS, reason="WARROOM_RANDOM_KEYS does not say for how many seconds")
@pytest.mark.timeout(SECONDS * 4 + 120)
@pytest.mark.parametrize("seed", [1])
async def test_two_hundred_random_keys_a_second_send_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.chdir(tmp_path)  # exports land where the console runs
    chance = random.Random(seed)  # noqa: S311
    async with stage(tmp_path, speed=1.0, watched=True) as at:
        console = at.console
        driver = console.app._driver
        assert driver is not None
        assert console.room.gate is not None
        console.room.gate.arm(3600)
        began, sent = time.monotonic(), 0
        while time.monotonic() - began < SECONDS:
            due = int((time.monotonic() - began) * RATE)
            for _ in range(min(due - sent, RATE)):
                driver.process_message(key(chance))
                sent += 1
            await asyncio.sleep(0.005)
        await console.until(lambda: not console.app._message_queue.qsize(), "every key heard", limit=SECONDS * 2 + 60)
        await console.pilot.pause()

        assert sent > SECONDS * RATE * 0.5
        assert at.writes == []
        assert console.room.gates.acts == []
        carried = [line for line in console.timeline if line.entry.kind is Kind.MITIGATION and line.outcome is None]
        assert carried == []
        assert console.app.is_running
