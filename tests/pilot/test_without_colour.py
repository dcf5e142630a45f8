"""Where the focus and the cursor are can be seen without colours, too, in the dialogs of an incident."""

from __future__ import annotations

from pathlib import Path

from drill.platform import running
from tests.drill.small_scenario import SMALL
from tests.pilot.console_harness import NARROW, Console, opened, options_for
from tests.pilot.frames import shown
from tui.screens.choose import ChooseScreen
from tui.screens.declare import DeclareScreen
from tui.screens.incident import IncidentScreen


def inverted(console: Console) -> str:
    """All that is drawn light where everything else is dark."""
    found = []
    for segment in (segment for strip in shown(console.app) for segment in strip):
        style = segment.style
        light = style is not None and style.bgcolor is not None and min(style.bgcolor.get_truecolor()) > 127
        if style is not None and (style.reverse or light):
            found.append(segment.text)
    return " ".join(found)


async def marked(console: Console, part: str) -> None:
    await console.until(lambda: part in inverted(console), f"{part!r} inverted")


async def test_focus_and_cursor_are_inverted(tmp_path: Path) -> None:
    async with running(SMALL) as platform:
        options = options_for(platform, tmp_path / "w.db", runbook="banking-platform", no_color=True)
        async with opened(options, NARROW, live=False) as console:
            await console.until(lambda: console.room.response is not None and console.room.journal.ready, "ready")
            await console.press("I")
            await console.on(DeclareScreen)
            await console.typed("Payments fail")
            await console.press("down", "down", "down")
            await marked(console, "yes")
            await console.press("y", "enter", "enter", "enter")
            await console.home()
            await console.press("v")
            await console.on(IncidentScreen)
            await console.until(lambda: console.room.commanding.checklists.ready, "the checklists")
            await console.press("home", "down", "down")
            await marked(console, "Payments fail")
            await console.press("escape")
            await console.home()
            await console.press("e")
            await console.on(ChooseScreen)
            await console.press("down")
            await marked(console, "bundle")
