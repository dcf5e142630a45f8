"""Open the console on the embedded platform, use it by its keys, and save what is on the screen as SVG."""

from __future__ import annotations

import asyncio

from textual.pilot import Pilot
from textual.widgets import Input

from screenshots import drill, story
from screenshots.camera import NARROW, WIDE, console, save, until, write
from tui.app import WarroomApp
from tui.screens.detail import DetailScreen
from tui.screens.help import HelpScreen
from tui.screens.logs import LogsScreen
from tui.screens.plan import PlanScreen
from widgets.detail import DetailView
from widgets.log_view import LogView


async def wide() -> None:
    async with console(WIDE) as (app, pilot):
        await write(pilot, "-12m support: customers see failed payments since about two")
        await pilot.press("1", "down", "p")
        await write(pilot, "Pool timeout in the logs, same stack in all three pods")
        await write(pilot, "TODO alert on pool exhaustion before it takes pods down")
        await pilot.press("n", *"customers report duplicate charges? asking support")
        save(app, "console")
        await pilot.press("escape", "1", "down", "l")
        await until(lambda: isinstance(app.screen, LogsScreen), "logs")
        view = app.screen.query_one(LogView)
        await until(lambda: view.line_count > 10, "log lines")
        await pilot.press("slash", *"timeout", "enter")
        save(app, "logs")
        await pilot.press("escape", "escape", "enter")
        await until(lambda: isinstance(app.screen, DetailScreen), "the detail")
        await until(lambda: app.screen.query_one(DetailView).line_count > 60, "the raw object")
        save(app, "detail")
        await pilot.press("escape", "question_mark")
        await until(lambda: isinstance(app.screen, HelpScreen), "the help")
        save(app, "help")
        await pilot.press("escape")
        await story.what_is_wrong(app, pilot)
        await acts(app, pilot)
        await story.told_and_resolved(app, pilot)


async def plan(app: WarroomApp, pilot: Pilot[None], key: str) -> PlanScreen:
    """The plan behind a key, for the row at the top of the pods."""
    room = app.room
    assert room is not None
    await until(lambda: bool(room.desk.act_keys), "the keys that act")
    await pilot.press("1", "home", key)
    await until(lambda: isinstance(app.screen, PlanScreen) and app.screen.plan is not None, "the plan")
    assert isinstance(app.screen, PlanScreen)
    await pilot.pause()
    return app.screen


async def acts(app: WarroomApp, pilot: Pilot[None]) -> None:
    screen = await plan(app, pilot, "B")
    name = screen.plan.phrase if screen.plan else ""
    await asyncio.sleep(1)  # nothing is confirmed before it could be read
    field = screen.query_one("#plan-phrase", Input)
    for _ in range(6):  # a press brings a warning in sight or acknowledges it; the last one leads to the field
        if field.disabled:
            await pilot.press("space")
    if not field.has_focus:
        await pilot.press("tab")
    await until(lambda: field.has_focus, "the place to type the name")
    for letter in name[:-4]:
        await pilot.press(letter)
        await asyncio.sleep(0.02)  # as fingers do: what comes all at once does not count
    save(app, "plan")
    for letter in name[-4:]:
        await pilot.press(letter)
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)
    await pilot.press("enter")
    room = app.room
    assert room is not None
    await until(lambda: bool(room.gates.acts) and len(room.gates.acts[0].progress) > 3, "the act's progress")
    await until(lambda: app.screen is room.desk, "the console")
    await until(lambda: any("recovered" in line.text for line in room.journal.timeline.lines), "the recovery")
    await pilot.press("1")
    save(app, "act")


async def narrow() -> None:
    async with console(NARROW) as (app, pilot):
        save(app, "console-80x24")
        await pilot.press("6")
        save(app, "timeline-80x24")
        await plan(app, pilot, "R")
        save(app, "plan-80x24")


async def themes() -> None:
    for theme in ("warroom-light", "warroom-high-contrast"):
        async with console(WIDE, theme) as (app, _):
            save(app, f"console-{theme.removeprefix('warroom-')}")


async def declared() -> None:
    async with console(WIDE, undeclared=True) as (app, pilot):
        await story.declaring(app, pilot)


async def main() -> None:
    await declared()
    await wide()
    await narrow()
    await themes()
    await drill.played()


if __name__ == "__main__":
    asyncio.run(main())
