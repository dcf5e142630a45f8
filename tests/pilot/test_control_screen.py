"""The organiser's screen, and the console of somebody who joined: one platform, both by their own keys."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from drill.control import Remote
from drill.good import Good, Step
from drill.platform import Running, running
from incident.practice import practice_of
from incident.store import Store
from tests.drill.small_scenario import SMALL
from tests.pilot.console_harness import NARROW, PATIENCE, WIDE
from tests.pilot.console_harness import opened as console_opened
from tests.pilot.frames import shown
from tui.control_app import ControlApp
from tui.drill_joined import JoinedDrill
from tui.drill_process import DrillFailed
from tui.options import ConsoleOptions
from tui.settings import Settings

GOOD = Good(severity=2, path=(Step(id="declare", say="Declare it", done="declared"),))


class Screen:
    """What the organiser sees, and hands to use it."""

    def __init__(self, app: ControlApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def lines(self) -> list[str]:
        return [strip.text.rstrip() for strip in shown(self.app)]

    async def says(self, part: str) -> str:
        """The first line with this part, once there is one."""
        await self.until(lambda: any(part in line for line in self.lines), part)
        return next(line for line in self.lines if part in line)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():  # noqa: ASYNC110  # what is awaited is on a screen, which sets no event
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{what}: not on the screen\n" + "\n".join(self.lines)) from None

    async def write(self, step: str) -> None:
        await self.pilot.press("i")
        self.app.query_one("#line").value = step  # type: ignore[attr-defined]
        await self.pilot.press("enter")


@asynccontextmanager
async def screen(platform: Running, size: tuple[int, int] = WIDE) -> AsyncIterator[Screen]:
    assert platform.control is not None
    app = ControlApp(Remote(platform.control), "olga")
    async with app.run_test(size=size) as pilot:
        found = Screen(app, pilot)
        await found.says("small · SEV 2")
        yield found


async def test_one_key_injects_what_is_under_the_cursor_and_the_screen_keeps_the_record() -> None:
    scenario = replace(SMALL, script=(*SMALL.script, replace(SMALL.script[-1], at="+30m", chart="1.6.0")))
    async with running(scenario, organised=True, people=("anna",)) as platform, screen(platform) as at:
        await at.says("the servers are well")
        coming = re.compile(r" in \d\d:\d\d .*chart=1\.6\.0")
        await at.until(lambda: any(coming.search(line) for line in at.lines), "what comes, and when")
        lines = at.lines
        now = next(n for n, line in enumerate(lines) if "── now ──" in line)
        assert "past" in lines[now - 1]
        assert "chart=1.6.0" in lines[now + 1]

        await at.pilot.press("down", "down", "X")  # pod-fate service=… fate=crash, as it stands
        assert "pod-fate service=payment-service fate=crash" in await at.says("✓ injected at")
        await at.pilot.press("up", "X")  # rollback needs a number: it is asked for in the line, not guessed
        await at.says("rollback needs what is still empty")
        await at.pilot.press("9", "9", "enter")
        await at.says("✗ not injected: to: there is no revision 99 by then")
        assert "to=99" in at.app.query_one("#line").value  # type: ignore[attr-defined]  # nothing typed is lost
        await at.pilot.press("escape")
        await at.write("error status=503 lasts=10m")
        await at.says("going on: error kubernetes")
        await at.pilot.press("W")
        await at.says("the servers are well")
        await at.write("message The press office's phone rings")
        await at.until(lambda: sum(" olga " in line for line in at.lines) == 4, "four on the record")
        assert platform.platform.organiser is not None
        assert [one.step for one in platform.platform.organiser.injected] == [
            "pod-fate service=payment-service fate=crash",
            "error status=503 lasts=10m",
            "well",
            "message The press office's phone rings",
        ]


async def test_a_small_terminal_has_one_pane_at_a_time_and_a_platform_that_ends_is_told() -> None:
    async with running(SMALL, organised=True) as platform, screen(platform, NARROW) as at:
        assert not any("Injected" in line for line in at.lines)
        await at.pilot.press("3")
        await at.says("nothing yet")
        assert not any("Steps" in line for line in at.lines)
        await platform.platform.stop()
        await at.says("the platform has not answered since")
        await at.pilot.press("1")
        await at.says("pod-fate")  # from before, and said to be


async def test_who_joins_has_a_drill_that_is_theirs_to_declare_and_the_others_to_go_on_with(tmp_path: Path) -> None:
    store = tmp_path / "w.db"
    async with running(replace(SMALL, good=GOOD), organised=True, people=("anna",)) as platform:
        directory = platform.kubeconfig.parent
        with pytest.raises(DrillFailed, match=r"carl does not take part in this drill; these do: .*anna"):
            JoinedDrill(directory, "carl").read()
        with pytest.raises(DrillFailed, match="no drill's platform serves from"):
            JoinedDrill(tmp_path).read()
        drill = JoinedDrill(directory, "anna")
        options = ConsoleOptions(Settings(), None, None, (), store, None, drill=drill, undeclared=True)
        async with console_opened(options) as console:
            await console.says("DRILL")
            await console.says("anna · banking-platform-prod")
            assert console.room.journal.incident is None
            assert platform.control is not None
            await asyncio.to_thread(Remote(platform.control).do, "message warning=true text='Calls come in'", "olga")
            await console.says("Organiser")
            assert "Calls come in" in console.line("Organiser")
            await console.declare()
            assert platform.platform.organiser is not None
            assert "anna" in json.dumps(platform.platform.organiser.state()["working"])
    async with kept_in(store) as found:
        (incident,) = await found.incidents()
        practice = practice_of(await found.entries(incident.id))
    assert incident.open
    assert incident.drill
    assert practice is not None
    assert practice.good is not None
    assert (practice.good.severity, practice.platform) == (2, str(directory))


@asynccontextmanager
async def kept_in(path: Path) -> AsyncIterator[Store]:
    found = await Store.open(path)
    yield found
    await found.close()
