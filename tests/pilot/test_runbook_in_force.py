"""Which runbook a console has in force, and what becomes of one that cannot be used."""

from __future__ import annotations

from pathlib import Path

from drill.platform import running
from tests.drill.small_scenario import SMALL
from tests.pilot.console_harness import opened, options_for


async def test_the_runbook_is_read_beside_the_panes_and_the_neutral_one_stands_in(tmp_path: Path) -> None:
    async with running(SMALL) as platform:
        async with opened(options_for(platform, tmp_path / "a.db"), live=False) as console:
            await console.until(lambda: console.room.response, "the runbook read")
            assert console.room.response is not None
            assert console.room.response.name == "Neutral runbook"
        async with opened(options_for(platform, tmp_path / "b.db", runbook="banking-platform")) as console:
            await console.until(lambda: console.room.response, "the runbook read")
            assert console.room.response is not None
            assert console.room.response.name.startswith("Banking platform")
            await console.until(lambda: console.room.gate, "acts made ready")
            assert console.room.gate is not None
            assert "cluster-info" in console.room.gate.playbook.commands
        gone = str(tmp_path / "gone.yaml")
        async with opened(options_for(platform, tmp_path / "c.db", runbook=gone), live=False) as console:
            await console.until(lambda: console.room.refusal, "the refusal")
            assert console.room.refusal == f"{gone}: cannot be read: No such file or directory"
