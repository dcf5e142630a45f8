"""A drill's score through its keys: so far while it goes on, whole when it is resolved, and in what is exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from drill.good import Good, Harmful, Step
from drill.platform import Running, running
from drill.serve import announcement
from incident.entry import Status
from tests.drill.small_scenario import SMALL
from tests.pilot.console_harness import NARROW, Console, opened
from tui.drill_process import DrillProcess
from tui.options import ConsoleOptions
from tui.screens.choose import ChooseScreen
from tui.screens.incident import IncidentScreen
from tui.screens.resolve import ResolveScreen
from tui.screens.score import ScoreScreen
from tui.settings import Settings

PRACTISED = replace(
    SMALL,
    good=Good(
        severity=2,
        mitigate_within=1800,
        path=(
            Step(id="answer", say="Say that you are on it", done="acknowledged"),
            Step(id="back", say="Roll the release back", act=("rollback",)),
            Step(id="over", say="Resolve it", done="resolved"),
        ),
        harmful=(Harmful(act="restart", why="it only crashes again"),),
    ),
)


class HereDrill(DrillProcess):
    """A drill whose platform is in this process: what it announces is what a child would write."""

    def __init__(self, platform: Running) -> None:
        super().__init__(platform.scenario)
        self._platform = platform

    def start(self) -> None:
        """It serves already."""

    async def _first_line(self) -> bytes:
        return announcement(self._platform).encode() + b"\n"


async def scored(console: Console) -> ScoreScreen:
    screen = await console.on(ScoreScreen)
    await console.says(" of 100")
    return screen


async def resolve(console: Console) -> None:
    """Through the card, with whatever is open on the checklist."""
    await console.press("v")
    screen = await console.on(IncidentScreen)
    await console.until(lambda: console.room.commanding.checklists.ready, "the checklists")
    await console.press("home")
    for _ in range(5):
        if screen.card.chosen == "status":
            break
        await console.press("down")
    await console.press("enter")
    await console.on(ChooseScreen)
    await console.typed("RESOLVED\n")
    dialog = await console.on(ResolveScreen)
    await console.until(lambda: dialog.focused is not None, "the focus")
    dialog.query_one("#resolve-yes").focus()
    await console.press("enter")
    await console.until(lambda: shown_status(console) is Status.RESOLVED, "resolved")


def written(directory: Path, extension: str) -> str:
    return next(directory.glob(f"INC-*-DRILL.{extension}")).read_text()


def shown_status(console: Console) -> Status | None:
    incident = console.room.journal.incident
    return incident.status if incident is not None else None


@pytest.mark.asyncio
async def test_a_drill_is_scored_at_its_key_and_when_it_is_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # exports go where the console was started
    async with running(PRACTISED) as platform:
        options = ConsoleOptions(
            Settings(), None, None, (), tmp_path / "warroom.db", None, drill=HereDrill(platform),
            runbook="banking-platform",
        )  # fmt: skip
        async with opened(options) as console:
            await console.until(lambda: console.room.journal.recording, "the drill's incident")
            await console.until(lambda: console.room.response is not None, "the runbook")
            await console.write("I am on it")

            await console.press("r")
            await scored(console)
            assert "DRILL · INC-" in console.text
            assert "the drill declared it itself" in console.line("Detection")
            assert "6/6" in console.line("Response")
            assert "Say that you are on it" in console.text
            assert "Roll the release back" not in console.text  # nobody is told the answer who still looks for it
            assert "shown when the incident is resolved" in console.text
            await console.press("escape")
            await console.home()

            await resolve(console)
            await console.on(ChooseScreen)
            await console.press("escape")
            screen = await scored(console)
            await console.says("Roll the release back")
            assert "small" in console.text
            assert "resolved while it was not well again" in console.line("Mitigation")
            assert "1 of 3 steps" in console.line("Ideal path")

            await console.pilot.resize_terminal(*NARROW)
            await console.until(lambda: not screen.path.display, "one side alone")
            assert "0/12" in console.line("Mitigation")
            await console.press("tab")
            await console.says("not done")
            assert "2 Roll the release back" in console.text
            await console.pilot.resize_terminal(200, 55)

            await console.press("e")
            await console.on(ChooseScreen)
            await console.typed("review and data\n")
            await console.tells("exported to")
    document, review = json.loads(written(tmp_path, "json")), written(tmp_path, "md")
    assert document["score"]["scenario"] == "small"
    assert document["score"]["state"] == "finished"
    assert f"**{document['score']['points']} of 100 points**" in review
    assert "| 2 | Roll the release back | **not done** |" in review
