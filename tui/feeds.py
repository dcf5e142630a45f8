"""The probes of one cluster, running: each snapshot becomes pending, and one message says "there is news".

The app takes everything pending at once, so a flood of changes costs one repaint and not one for each.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace
from textual.app import App
from textual.message import Message
from textual.worker import Worker

from probes.freshness import Freshness, Snapshot, State

log = logging.getLogger(__name__)


class Probe(Protocol):
    """What every module of `probes` offers."""

    @property
    def name(self) -> str: ...

    def watch(self) -> AsyncIterator[Snapshot[Any]]: ...


class News(Message):
    """Snapshots are pending. Several of these in the queue are one."""

    bubble = False

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, News)


class _Held(Struct):
    """What is known of one source, and what was not yet taken."""

    snapshot: Snapshot[Any]
    changed: frozenset[str] | None
    taken: bool


class Feeds:
    """Runs probes as workers of the app and keeps the newest snapshot of each.

    Versions are counted again here, one for each snapshot *taken*, so that ``changed`` stays true when
    several snapshots of a probe were folded into one.
    """

    def __init__(self, host: App[Any], now: Callable[[], float]) -> None:
        self._host = host
        self._now = now
        self._held: dict[str, _Held] = {}
        self._versions: dict[str, int] = {}
        self._workers: list[Worker[Any]] = []

    def start(self, probes: Sequence[Probe]) -> None:
        """Follow ``probes`` until `stop`. Sources shown before start again as loading."""
        for probe in probes:
            worker: Worker[None] = self._host.run_worker(
                partial(self._follow, probe),  # not begun where the console is left before
                name=f"probe {probe.name}",
                group=f"probe-{probe.name}",
                description=f"follows {probe.name}",
                exclusive=True,
                exit_on_error=False,
            )
            self._workers.append(worker)

    async def stop(self) -> None:
        """Cancel every probe and forget what they showed: nothing of the old cluster outlives the switch."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.cancel()
        for worker in workers:
            await _ended(worker)
        self._held.clear()

    def put(self, snapshot: Snapshot[Any]) -> None:
        """Hold ``snapshot`` as the newest of its source and tell the app."""
        held = self._held.get(snapshot.source)
        if held is None or held.taken:
            changed = snapshot.changed
            if held is not None and changed is not None and snapshot.version != held.snapshot.version + 1:
                changed = None
        elif held.changed is None or snapshot.changed is None or snapshot.version != held.snapshot.version + 1:
            changed = None
        else:
            changed = held.changed | snapshot.changed
        self._held[snapshot.source] = _Held(snapshot, changed, taken=False)
        self._host.post_message(News())

    def take(self) -> list[Snapshot[Any]]:
        """Every snapshot that was not taken before, newest state only."""
        fresh: list[Snapshot[Any]] = []
        for source, held in self._held.items():
            if held.taken:
                continue
            held.taken = True
            version = self._versions[source] = self._versions.get(source, 0) + 1
            fresh.append(replace(held.snapshot, version=version, changed=held.changed))
        return fresh

    @property
    def latest(self) -> Mapping[str, Snapshot[Any]]:
        return {source: held.snapshot for source, held in self._held.items()}

    async def _follow(self, probe: Probe) -> None:
        try:
            async for snapshot in probe.watch():
                nothing = snapshot.freshness.state is State.LOADING and not snapshot.rows
                if not nothing or probe.name in self._held:  # panes are loading until they are told otherwise
                    self.put(snapshot)
        except Exception as error:  # a probe's own defect must not blank the pane or end the console
            log.exception("the %s probe ended", probe.name)
            now = self._now()
            last = self._held.get(probe.name)
            detail = f"the {probe.name} probe failed: {type(error).__name__}; the log file has the details"
            broken = Freshness(State.UNAVAILABLE, now, None, detail, "switch the namespace or restart the console")
            rows = last.snapshot.rows if last else {}
            version = last.snapshot.version + 1 if last else 0
            self.put(Snapshot(probe.name, broken, rows, version, frozenset() if last else None))


async def _ended(worker: Worker[Any]) -> None:
    from textual.worker import WorkerCancelled, WorkerFailed

    try:
        await worker.wait()
    except (WorkerCancelled, WorkerFailed):
        return
