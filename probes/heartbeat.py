"""One cheap request every few seconds while watches are quiet, so that a frozen server is noticed.

A silent watch looks the same whether nothing happens or nobody is there. Shared by everything that watches one cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from probes.errors import ProbeError, Unreachable

if TYPE_CHECKING:
    from probes.cluster import Cluster

EVERY = 4.0  # seconds of silence before a beat
LIMIT = 4.0  # seconds a beat may take
PATH = "/version"  # readable by every authenticated user, answered from memory


class Heartbeat:
    """Beats while it is `attended`. ``confirmed`` is the epoch instant of the last proof of life, None before."""

    def __init__(self, cluster: Cluster, *, every: float = EVERY, limit: float = LIMIT) -> None:
        self.every = every
        self.limit = limit
        self.confirmed: float | None = None
        self._cluster = cluster
        self._listeners: set[asyncio.Queue[ProbeError | None]] = set()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def attended(self) -> Iterator[asyncio.Queue[ProbeError | None]]:
        """A queue that receives None for every proof of life and the error for every failed beat (oldest dropped)."""
        queue: asyncio.Queue[ProbeError | None] = asyncio.Queue(maxsize=1)
        self._listeners.add(queue)
        if self._task is None:
            self._task = asyncio.create_task(self._beat(), name="heartbeat")
        try:
            yield queue
        finally:
            self._listeners.discard(queue)
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.every)
            outcome: ProbeError | None = None
            if time.monotonic() - self._cluster.heard_at > self.every:
                try:
                    await self._cluster.get(PATH, timeout=self.limit)
                except Unreachable as error:
                    outcome = error
                except ProbeError:
                    outcome = None  # a refusal is an answer: somebody is there
            if outcome is None:
                self.confirmed = time.time()
            for queue in self._listeners:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(outcome)
