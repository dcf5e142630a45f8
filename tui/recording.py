"""What the probes see change becomes lines of the timeline: worked out after it was shown, written as it was seen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probes.freshness import Snapshot
    from probes.transitions import Transition, Watcher
    from tui.room import ControlRoom

log = logging.getLogger(__name__)


class Recording:
    """One for the console. The machinery is imported with the first snapshot that is worked in."""

    def __init__(self, host: ControlRoom) -> None:
        self._host = host
        self._watcher: Watcher | None = None
        self._unseen: list[tuple[Snapshot[Any], float]] = []  # shown, and not yet looked at by the watcher
        self._observed: asyncio.Queue[Sequence[Transition]] = asyncio.Queue()

    def see(self, snapshot: Snapshot[Any], at: float) -> None:
        """A snapshot that was shown at this instant; `work_in` takes it."""
        self._unseen.append((snapshot, at))

    def work_in(self) -> None:
        """Look at what was shown since."""
        from probes.transitions import Watcher

        unseen, self._unseen = self._unseen, []
        for snapshot, at in unseen:
            self._watcher = self._watcher or Watcher()
            self._note(self._watcher.observe(snapshot, at))

    def tick(self, now: float) -> None:
        """What becomes certain by time alone: a recovery that lasted, a connection that is really lost."""
        if self._watcher is not None:
            self._note(self._watcher.tick(now))

    def forget(self) -> None:
        """Another cluster or namespace is looked at: what the old one said next would be no change of it."""
        self._watcher, self._unseen = None, []

    async def write(self) -> None:
        """For ever: one writer, so that what the probes saw is written in the order it was seen."""
        host = self._host
        while True:
            transitions = await self._observed.get()
            try:
                await host.journal.observe(transitions)
                await host.commanding.observed(transitions)
            except Exception as error:
                log.exception("what the probes saw was not recorded")
                host.journal.trouble = f"what the probes saw was not recorded: {error}"

    def _note(self, seen: Sequence[Transition]) -> None:
        if seen:
            self._observed.put_nowait(seen)
