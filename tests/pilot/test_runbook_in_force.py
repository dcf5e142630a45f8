"""Which runbook a console has in force, and what becomes of one that cannot be used."""

from __future__ import annotations

from pathlib import Path

from textual.command import CommandPalette

from drill.platform import running
from tests.drill.small_scenario import SMALL
from tests.pilot.console_harness import opened, options_for
from tui.screens.choose import ChooseScreen


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


async def test_a_key_for_the_runbook_is_answered_before_anything_is_live(tmp_path: Path) -> None:
    """Rows come first at a start; who asks for a guide meanwhile gets it, also where the cluster says nothing."""
    async with running(SMALL) as platform:
        platform.platform.server.faults.freeze()
        try:
            options = options_for(platform, tmp_path / "a.db", runbook="banking-platform")
            async with opened(options, live=False) as console:
                await console.press("g")
                await console.on(ChooseScreen)
                await console.says("Phase 3  Mitigation and Resolution")
                assert console.desk.vitals.live < len(console.room.session.sources)
        finally:
            platform.platform.server.faults.thaw()


async def test_brackets_in_what_a_runbook_says_are_no_markup_in_the_palette(tmp_path: Path) -> None:
    runbook = tmp_path / "runbook.yaml"
    runbook.write_text(
        "commands:\n"
        "  zap:\n"
        "    key: V\n"
        "    label: zap [/] it\n"
        "    sentence: Look at [all] of [/b] it\n"
        "    argv: [echo, hello]\n"
    )
    async with (
        running(SMALL) as platform,
        opened(options_for(platform, tmp_path / "d.db", runbook=str(runbook)), live=False) as console,
    ):
        await console.until(lambda: console.app.room is not None and console.room.gate, "acts made ready")
        await console.press("ctrl+p")
        await console.on(CommandPalette)
        await console.typed("zap")
        await console.says("zap [/] it  (V)")
        await console.says("Look at [all] of [/b] it")
        await console.press(*["backspace"] * 3)
        await console.typed("theme ansi-dark")
        await console.says("[console] theme in the settings keeps it")
