"""The runbook in force, read once and when it is first asked for: nobody waits for its YAML before the first frame."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbook.playbook import Playbook
    from runbook.response_file import Runbook
    from tui.options import ConsoleOptions


class RunbookReader:
    """Every reader gets the same one."""

    def __init__(self, options: ConsoleOptions) -> None:
        self._options = options
        self._reading: asyncio.Task[Runbook] | None = None

    async def read(self) -> Runbook:
        """Read and checked in a thread. Raises SettingsError, each time, if the file is wrong."""
        if self._reading is None:
            self._reading = asyncio.create_task(asyncio.to_thread(self._options.read_runbook), name="read the runbook")
        return await asyncio.shield(self._reading)

    async def playbook(self) -> Playbook:
        """The part about mitigations. Raises SettingsError."""
        return (await self.read()).playbook

    async def close(self) -> None:
        """Nobody waits for it any more; what the thread still says is not missed."""
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)
