"""The whole console at a size of the test's choosing: its keys, its screen as text, and waiting for what it says."""

from __future__ import annotations

import asyncio
import re
import time
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.screen import Screen

from drill.platform import Running
from incident.entry import Line
from tests.pilot.frames import HeardConsole, UnwatchedConsole, frame, shown
from tui.options import ConsoleOptions
from tui.room import ControlRoom
from tui.screens.console import ConsoleScreen
from tui.settings import Settings
from widgets.table import TablePane

WIDE, NARROW = (200, 55), (80, 24)
PATIENCE = 60.0
"""Seconds until a condition is given up, which only a busy machine needs; nothing is ever this late by itself."""

ScreenT = TypeVar("ScreenT", bound=Screen[Any])


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except AssertionError:
        return False


class Console:
    """A console that runs: what it shows, and hands to use it."""

    def __init__(self, app: HeardConsole, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot
        self._waiting = False
        self._look: tuple[object, float, float] | None = None  # the frame, when it was rendered, how long that took
        self._seen: list[str] = []

    @property
    def room(self) -> ControlRoom:
        assert self.app.room is not None
        return self.app.room

    @property
    def desk(self) -> ConsoleScreen:
        return self.room.desk

    def table(self, name: str) -> TablePane[Any]:
        return self.desk.query_one(f"#{name}", TablePane)

    def names(self, pane: str) -> list[str]:
        """The rows of a pane as text, in their order, those that are not scrolled into view included."""
        table = self.table(pane)
        return [table.search_text(row) for _, row in table.viewport.rows.window(0, len(table.viewport.rows))]

    @property
    def lines(self) -> list[str]:
        """The screen, line by line.

        While something is waited for, it is rendered again when there was a frame since the last look and five times
        as long has passed as that took, and once a second in any case. Who looks once sees what is there now.
        """
        began, latest, look = time.monotonic(), frame(self.app), self._look
        if self._waiting and look is not None:
            since = began - look[1]
            if since < 1 and (latest == look[0] or since < 5 * look[2]):
                return self._seen
        self._seen = [strip.text.rstrip() for strip in shown(self.app)]
        self._look = (latest, began, time.monotonic() - began)
        return self._seen

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def line(self, part: str) -> str:
        """The first line of the screen that contains ``part``, which has to be there."""
        lines = self.lines
        found = next((line for line in lines if part in line), None)
        assert found is not None, f"{part!r} is not on the screen\n" + "\n".join(lines)
        return found

    @property
    def told(self) -> list[str]:
        """Every passing message since the console was at rest, also those that are not shown any more."""
        return self.app.heard

    @property
    def timeline(self) -> list[Line]:
        return list(self.room.journal.timeline.lines)

    def entry(self, pattern: str) -> Line | None:
        """The last line of the timeline whose text matches, if there is one."""
        found = [line for line in self.timeline if re.search(pattern, line.text)]
        return found[-1] if found else None

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def typed(self, text: str) -> None:
        """Type without waiting between the keys, as the terminal's driver hands over what is typed fast."""
        driver = self.app._driver
        assert driver is not None
        for character in text:
            key = "enter" if character == "\n" else _character_to_key(character)
            driver.process_message(events.Key(key, character))
        await self.pilot.pause()

    async def write(self, text: str) -> None:
        """A timeline entry through the line at the bottom, saved."""
        await self.press("n")
        await self.typed(text)
        await self.press("enter")
        await self.until(lambda: not self.desk.log_line.value and not self.desk.log_line.saving, f"{text!r} saved")
        await self.press("escape")

    async def point_at(self, text: str) -> None:
        """The timeline's cursor on the entry with this text, and on no other that a probe writes meanwhile."""
        await self.press("6", "slash")
        await self.typed(text)
        await self.press("enter")
        pane = self.desk.timeline
        await self.until(lambda: pane.selected is not None and text in pane.selected.text, f"{text!r} selected")

    async def declare(self, title: str = "Payments failing") -> None:
        """An open incident without a severity, as its screen declares it; tests of that screen press its keys."""
        await self.until(lambda: self.room.journal.ready, "the store open")
        cluster = self.room.session.cluster.context if self.room.session.cluster else ""
        await self.room.journal.declare(title, None, cluster=cluster, namespace=self.room.session.scope_text)
        self.room.arm_by_declaration()
        await self.pilot.pause()

    async def until(self, condition: Callable[[], object], what: str, limit: float = PATIENCE) -> None:
        """Wait for a condition, and say what was on the screen when it did not come.

        A `line` that is not there yet is waited for as well.
        """
        self._waiting, self._look = True, None
        try:
            async with asyncio.timeout(limit):
                while not _holds(condition):  # noqa: ASYNC110  # what is awaited is on a screen, which sets no event
                    await asyncio.sleep(0.02)
        except TimeoutError:
            self._waiting = False
            told = "\n".join(self.told)
            raise AssertionError(f"{what}: not within {limit:g} s\n{told}\n{self.text}") from None
        finally:
            self._waiting = False

    async def says(self, part: str, limit: float = PATIENCE) -> None:
        await self.until(lambda: part in self.text, f"{part!r} on the screen", limit)

    async def tells(self, part: str, limit: float = PATIENCE) -> str:
        """The last passing message with this part, which may have passed: a busy machine is looked at too late."""
        await self.until(lambda: any(part in told for told in self.told), f"{part!r} told", limit)
        return next(told for told in reversed(self.told) if part in told)

    async def notes(self, pattern: str, limit: float = PATIENCE) -> Line:
        """A line of the timeline whose text matches."""
        await self.until(lambda: self.entry(pattern), f"{pattern!r} on the timeline", limit)
        found = self.entry(pattern)
        assert found is not None
        return found

    async def on(self, kind: type[ScreenT]) -> ScreenT:
        """The screen of this kind, once it is in front, with what it puts in its place after its first frame."""
        await self.until(lambda: isinstance(self.app.screen, kind) and self.app.screen.is_mounted, kind.__name__)
        found = self.app.screen
        assert isinstance(found, kind)
        await self.pilot.pause()
        return found

    async def home(self) -> None:
        """Back on the console's own screen."""
        await self.until(lambda: self.app.screen is self.desk, "the console in front")

    async def at_rest(self) -> None:
        """For the next who looks: nothing over the console, nothing filtered, frozen, maximised, typed or told."""
        for _ in range(9):  # a search in what is over it, and a question before it is left, take one each
            if self.app.screen is not self.desk:
                await self.press("escape")
        await self.home()
        self.desk.minimize()
        self.desk.log_line.value = ""
        for table in self.desk.tables:
            if table.frozen_since is not None:
                table.action_freeze()
            table.set_filter("")
            table.viewport.move_to(0)
            table.settle()
        self.desk.timeline.focus()
        await self.press("escape", "end", "1")
        self.app.clear_notifications()
        self.app.heard.clear()

    async def every_pane_live(self) -> None:
        await self.until(lambda: self.app.room is not None and self.app.screen is self.desk, "the console")
        await self.until(lambda: self.desk.vitals.live >= len(self.room.session.sources), "every pane live")

    def check_inert(self) -> None:
        """No character that steers a terminal is on the screen."""
        for line in self.lines:
            for character in line:
                assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), (line, character)


def options_for(platform: Running, store: Path, *, context: str | None = None, **overrides: Any) -> ConsoleOptions:
    """The options as ``warroom --config …`` makes them for a running platform."""
    settings = Settings.load(platform.config)
    fields: dict[str, Any] = {
        "settings": settings,
        "kubeconfig": str(platform.kubeconfig),
        "context": context or settings.cluster.context,
        "namespaces": settings.cluster.namespaces,
        "store": store,
        "log_file": None,
    }
    return ConsoleOptions(**(fields | overrides))


@asynccontextmanager
async def opened(
    options: ConsoleOptions, size: tuple[int, int] = WIDE, *, live: bool = True, watched: bool = False
) -> AsyncIterator[Console]:
    """A console with these options; with ``live``, once every pane has something true to show.

    With ``watched`` every frame is rendered; otherwise those that the test looks at, and the last.
    """
    app = HeardConsole(options) if watched else UnwatchedConsole(options)
    async with app.run_test(size=size, notifications=True) as pilot:
        console = Console(app, pilot)
        await console.until(
            lambda: app.room is not None and (app.screen is app.room.desk or app.room.refusal), "a screen"
        )
        if live:
            await console.every_pane_live()
            await console.until(lambda: console.room.journal.ready, "the store open")
        yield console
        if app.is_running and app._screen_stack:
            shown(app)
