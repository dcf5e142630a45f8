"""A drill's score through its keys: so far while it goes on, whole when it is resolved, and in what is exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from drill.good import Good, Harmful, Step
from drill.platform import running
from tests.drill.small_scenario import SMALL
from tests.pilot.commanding import resolve, scored
from tests.pilot.console_harness import NARROW, opened
from tests.pilot.playing import HereDrill
from tui.options import ConsoleOptions
from tui.screens.choose import ChooseScreen
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


def written(directory: Path, extension: str) -> str:
    return next(directory.glob(f"INC-*-DRILL.{extension}")).read_text()


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
            await console.says("Say that you are on it")
            assert "the drill declared it itself" in console.line("Detection")
            assert "6/6" in console.line("Response")
            assert "Roll the release back" not in console.text  # nobody is told the answer who still looks for it
            assert "shown when the incident is resolved" in console.text
            await console.press("escape")
            await console.home()

            await resolve(console)
            await console.press("escape")
            screen = await scored(console)
            await console.says("Roll the release back")
            await console.says("small")
            await console.until(lambda: "1 of 3 steps" in console.line("Ideal path"), "the whole score")
            assert "resolved while it was not well again" in console.line("Mitigation")

            await console.pilot.resize_terminal(*NARROW)
            await console.until(lambda: not screen.path.display, "one side alone")
            await console.until(lambda: "0/12" in console.line("Mitigation"), "its points")
            await console.press("tab")
            await console.says("not done")
            await console.says("2 Roll the release back")
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
