"""What a test's keys wait for: whoever is on the screen has heard them, however slow the machine is.

Textual's pilot gives up after half a minute, also because of a widget that has left the screen in the meantime.
Nothing is animated, either: a scroll ends where it would have ended, and a fifth of what a drill by its keys takes were
frames on the way there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from textual import constants, pilot
from textual.message_pump import MessagePump

PATIENCE = 120.0
"""Seconds until a screen is given up."""


async def _heard(pumps: Iterable[MessagePump], failed: asyncio.Event) -> None:
    """Until each has come to what is put behind everything that it was sent, or has left, or the app has failed."""
    everyone = asyncio.Event()

    def heard(pump: MessagePump) -> None:
        missing.discard(pump)
        if not missing:
            everyone.set()

    missing = {pump for pump in pumps if pump.call_later(heard, pump)}
    while missing and not failed.is_set():
        for pump in [pump for pump in missing if pump._closing or pump._closed]:
            heard(pump)
        try:
            await asyncio.wait_for(everyone.wait(), 0.05)
        except TimeoutError:
            continue


async def _wait_for_screen(self: pilot.Pilot[Any], timeout: float = PATIENCE) -> bool:
    failed: asyncio.Event = self.app._exception_event
    if not self.app._screen_stack:
        return False
    try:
        async with asyncio.timeout(timeout):
            await _heard([self.app, *self.app.screen.walk_children(with_self=True)], failed)
    except TimeoutError:
        raise pilot.WaitForScreenTimeout("not all of the screen has processed what it was sent") from None
    return not failed.is_set()


pilot.Pilot._wait_for_screen = _wait_for_screen  # type: ignore[method-assign]
constants.TEXTUAL_ANIMATIONS = "none"  # type: ignore[misc]
