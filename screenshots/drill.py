"""A drill's start, its middle and its score card: the security incident, played right."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from screenshots.camera import WIDE, save, until
from tests.pilot.commanding import scored
from tests.pilot.playing import Drill, practising
from tui.screens.score import ScoreScreen

SCENARIO = "security-incident"
SPEED = 4.0  # the pictures show a quarter of an hour of the platform, and nobody waits for that


async def played() -> None:
    with tempfile.TemporaryDirectory(prefix="warroom-") as home:
        os.environ["XDG_STATE_HOME"] = home  # where evidence goes is on the timeline
        async with practising(Path(home), SCENARIO, speed=SPEED, size=WIDE, watched=True, author="tech-lead") as drill:
            console = drill.console
            await console.every_pane_live()
            await console.until(lambda: any("UnusualConnection" in row for row in console.names("events")), "an alarm")
            save(console.app, "drill-start")
            await drill.declare("Security alerts, customers cannot sign in", severity=1)
            await drill.take("technical-lead")
            await drill.tell()
            pod = await contained(drill)
            await drill.tell_customers()
            await drill.well()
            await console.press("3")
            await drill.select(pod, "events")
            save(console.app, "drill-middle")
            await drill.tick("external-communications", "data-protection", "law-enforcement")
            await drill.tick("resolution")
            await drill.resolve("contained: the pod is cut off, the credential is revoked")
            await console.press("r")
            await scored(console)
            await until(lambda: isinstance(console.app.screen, ScoreScreen), "the score")
            save(console.app, "drill-score")


async def contained(drill: Drill) -> str:
    """Evidence first, then no traffic; the row in the events' pane that the alarm is about."""
    row = next(name for name in drill.console.names("events") if "UnusualConnection" in name)
    await drill.keep_evidence(row, "events")
    await drill.quarantine(row, "events")
    return row
