"""A console on the embedded platform, and saving what is on its screen as SVG."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from tui.app import WarroomApp
from tui.drill_process import DrillProcess
from tui.options import DRILL_RUNBOOK, ConsoleOptions
from tui.screens.console import ConsoleScreen
from tui.settings import Settings, TimelineSettings

HERE = Path(__file__).parent
WIDE, NARROW = (200, 55), (80, 24)
LIMIT = 60.0


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until ``condition`` holds; the pictures must not depend on luck."""
    try:
        async with asyncio.timeout(LIMIT):
            while not condition():  # noqa: ASYNC110  # looks at a screen, which has no event to wait for
                await asyncio.sleep(0.05)
    except TimeoutError:
        sys.exit(f"no picture: {what} did not happen within {LIMIT:g} s")


@asynccontextmanager
async def console(
    size: tuple[int, int], theme: str = "warroom", *, undeclared: bool = False
) -> AsyncIterator[tuple[WarroomApp, Pilot[None]]]:
    """The console on a fresh drill, once every pane is live and the timeline has begun, if its incident is declared."""
    with tempfile.TemporaryDirectory() as home, DrillProcess("payment-release") as drill:
        settings = Settings(timeline=TimelineSettings(author="tech-lead"))
        store = Path(home) / "warroom.db"
        options = ConsoleOptions(
            settings, None, None, (), store, None, drill=drill, runbook=DRILL_RUNBOOK, undeclared=undeclared
        )
        app = WarroomApp(options)
        async with app.run_test(size=size, notifications=True) as pilot:
            app.theme = theme
            await until(lambda: app.room is not None and app.screen is app.room.desk, "the console")
            assert app.room is not None
            room, desk = app.room, app.room.desk
            await until(lambda: desk.vitals.live >= len(room.session.sources), "every pane live")
            await until(lambda: undeclared or len(room.journal.timeline.lines) >= 5, "the timeline's beginning")
            await asyncio.sleep(3)  # a latency or two for the sparklines
            yield app, pilot


def save(app: WarroomApp, name: str) -> None:
    """Write the picture. Textual's links to a web font are left out: a reader's own monospace font will do."""
    picture = re.sub(r"@font-face \{.*?\}", "", app.export_screenshot(), flags=re.DOTALL)
    path = HERE / f"{name}.svg"
    path.write_text(picture)
    print(path)


async def write(pilot: Pilot[None], line: str) -> None:
    """One line on the timeline, typed."""
    await pilot.press("n")
    desk = pilot.app.screen
    assert isinstance(desk, ConsoleScreen)
    await pilot.press(*line)
    await pilot.press("enter")
    await until(lambda: not desk.log_line.value, f"{line!r} saved")
    await pilot.press("escape")
