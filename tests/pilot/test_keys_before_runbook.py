"""Keys pressed in the first second, while the runbook is still being read."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from drill.platform import running
from runbook import playbook_file
from tests.pilot.console_harness import opened, options_for
from tui.screens.choose import ChooseScreen


@pytest.mark.asyncio
async def test_keys_pressed_again_and_again_before_the_runbook_is_read_open_one_screen(tmp_path: Path) -> None:
    runbook = tmp_path / "runbook.yaml"
    os.mkfifo(runbook)  # it is not read before this test writes it
    content = playbook_file.find("banking-platform").read_bytes()
    async with running() as platform, opened(options_for(platform, tmp_path / "w.db", runbook=str(runbook))) as console:
        try:
            await console.declare()
            await console.press("g", "g", "M", "M")
            assert console.app.screen is console.desk
        finally:
            await asyncio.to_thread(runbook.write_bytes, content)
        await console.on(ChooseScreen)
        await console.press("escape")
        await console.home()
