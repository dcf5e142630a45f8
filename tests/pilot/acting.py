"""Hands for tests that act through the console's own keys, and eyes on what reached the platform."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from textual import events
from textual.keys import _character_to_key
from textual.widgets import Button

from drill.observing import Request
from drill.platform import Running, running
from runbook.playbook import Playbook
from tests.drill.small_scenario import SMALL
from tests.pilot.console_harness import WIDE, Console, opened, options_for
from tui.screens.plan import PlanScreen
from tui.screens.update import UpdateScreen
from widgets.deliberation import CALM, SHOWN

QUICK = Playbook(quiet_for=0.2, verify_within=120.0)
READ = SHOWN + CALM + 0.15
"""Seconds that a careful person takes to read a plan before pressing a key. Not a wait for luck: haste is refused."""


async def looked_at(console: Console, screen: PlanScreen | UpdateScreen) -> None:
    """As a careful person does it: what could be confirmed has been on the screen for a while, and no key was pressed.

    Not a wait for luck: haste is refused.
    """

    def calm() -> bool:
        heard, now = screen.deliberation, time.monotonic()
        return now - heard._shown_at > SHOWN and now - max(heard._pressed, default=0) > CALM

    await console.until(calm, "time to read")


@dataclass
class Person:
    """Who sits at a console and acts by its keys."""

    console: Console

    async def select(self, name: str, pane: str = "pods") -> None:
        """Put the cursor on the first row with this text."""
        table = self.console.table(pane)
        table.focus()
        await self.console.until(lambda: any(name in row for row in self.console.names(pane)), f"{name} in {pane}")
        rows = self.console.names(pane)
        index = next(number for number, row in enumerate(rows) if name in row)
        table.viewport.move_to(index)
        table.settle()
        await self.console.pilot.pause()

    async def plan(self, key: str) -> PlanScreen:
        """Press a key that acts, and wait for its plan."""
        await self.console.press(key)
        return await self.planned()

    async def planned(self) -> PlanScreen:
        screen = await self.console.on(PlanScreen)
        await self.console.until(lambda: screen.plan is not None and screen.deliberation._shown_at < inf, "a plan")
        await self.console.pilot.pause()
        return screen

    async def read(self, screen: PlanScreen) -> None:
        """Read the plan, and acknowledge what has to be."""
        plan = screen.plan
        assert plan is not None
        for _ in range(2 * len(plan.warnings)):  # where one is out of sight, the first press brings it there
            if len(screen._read) < len(plan.warnings):
                await self.console.press("space")
        await looked_at(self.console, screen)

    async def burst(self, text: str) -> None:
        """As a paste without brackets comes: every character at the same instant, however busy the machine is."""
        driver, at = self.console.app._driver, time.monotonic()
        assert driver is not None
        for character in text:
            event = events.Key(_character_to_key(character), character)
            event.time = at
            driver.process_message(event)
        await self.console.pilot.pause()

    async def type_slowly(self, text: str) -> None:
        """As fingers do."""
        for character in text:
            await self.console.typed(character)
            await asyncio.sleep(0.02)

    async def confirm(self, screen: PlanScreen) -> None:
        """Read, acknowledge, type what is asked for, and say yes."""
        plan = screen.plan
        assert plan is not None
        await self.read(screen)
        if plan.phrase:
            await self.console.until(lambda: not screen.query_one("#plan-phrase").disabled, "a place to type the name")
            screen.query_one("#plan-phrase").focus()
            await self.console.pilot.pause()
            await self.type_slowly(plan.phrase)
            await looked_at(self.console, screen)
            await self.console.press("enter")
        else:
            await self.console.press("exclamation_mark")

    async def do(self, key: str) -> None:
        """The whole way from the key to an act under way."""
        screen = await self.plan(key)
        await self.confirm(screen)
        await self.console.home()

    def said(self, screen: PlanScreen) -> str:
        """What the line over the buttons says."""
        return str(screen.query_one("#plan-note").render())

    def may_confirm(self, screen: PlanScreen) -> bool:
        return not screen.query_one("#plan-yes", Button).disabled


@dataclass
class Stage(Person):
    """A console on a platform, and every request that platform got."""

    platform: Running
    requests: list[Request]

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.requests if request.writes]

    def commands(self, text: str) -> str:
        """What a plan's box says, without its line ends: a long command is wrapped."""
        inside = (line.partition("┃")[2].rpartition("┃")[0] for line in text.splitlines())
        found = " ".join(" ".join(inside).split())
        return found.replace(f" --context drill-prod --kubeconfig {self.platform.kubeconfig}", " …")


async def ready(console: Console, *, declared: bool = True) -> None:
    """The console as it is when its keys act: an incident is open unless ``declared`` is False."""
    await console.until(lambda: console.app.room is not None and console.app.screen is console.desk, "console")
    await console.until(lambda: console.room._furnished, "the console's panes")
    await console.until(lambda: console.table("pods").freshness.live, "pods live")
    await console.until(lambda: console.table("nodes").freshness.live, "nodes live")
    await console.until(lambda: console.room.journal.ready, "the store open")
    if declared:
        await console.declare()
    await console.until(lambda: console.room.response is not None, "the runbook read")
    console.room._prepare_acts()  # the console itself would wait some seconds for usage to be live
    await console.until(lambda: console.room.gate is not None, "acts ready")
    await console.until(lambda: console.desk.act_keys, "the keys that act")


@asynccontextmanager
async def stage(
    tmp_path: Path,
    *,
    size: tuple[int, int] = WIDE,
    user: str | None = None,
    declared: bool = True,
    speed: float = 30.0,
    playbook: Playbook = QUICK,
    watched: bool = False,
    **overrides: Any,
) -> AsyncIterator[Stage]:
    """A console on a platform of its own, with an open incident unless ``declared`` is False."""
    async with running(SMALL, speed=speed) as platform:
        requests: list[Request] = []
        platform.platform.server.observers.append(requests.append)
        options = options_for(platform, tmp_path / "warroom.db", context=user, playbook=playbook, **overrides)
        # Usage is polled: where time runs faster than the poll, it is live a while after everything else.
        async with opened(options, size, live=False, watched=watched) as console:
            await ready(console, declared=declared)
            yield Stage(console, platform, requests)
