"""The HTTP health endpoints, each asked by a task of its own, so that a slow one delays no other.

How one check is made is in `probes.http_check`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from types import MappingProxyType
from typing import ClassVar

from msgspec import Struct, field

from probes.freshness import Freshness, Snapshot, State
from probes.http_check import Checker, EndpointTarget, Outcome
from probes.lookup import Lookups
from probes.rows import Endpoint, Health

__all__ = ["EndpointTarget", "EndpointsProbe"]

log = logging.getLogger(__name__)

HISTORY = 30 * 60.0  # seconds
SAMPLES = 120  # at most, so one for every 15 s
CERTIFICATE_WARNING = 7 * 86400.0  # seconds before its end from which a certificate counts as degraded
COALESCE = 0.1  # seconds in which results are gathered into one snapshot


class EndpointsProbe:
    """Asks every target every `interval` seconds, each within `timeout` seconds.

    Two targets with one URL are told apart by a fragment (``#2``), which is never sent.
    """

    name: ClassVar[str] = "endpoints"

    def __init__(self, targets: Sequence[EndpointTarget], interval: float = 5.0, timeout: float = 5.0) -> None:
        self._interval = interval
        self._timeout = timeout
        self._targets: dict[str, EndpointTarget] = {}
        for target in targets:
            url, again = target.public_url, 1
            while url in self._targets:
                again += 1
                url = f"{target.public_url}#{again}"
            self._targets[url] = target

    async def _none_configured(self, started: float) -> AsyncGenerator[Snapshot[Endpoint], None]:
        """Nothing is wrong and nothing is seen: live, without rows, saying which setting would change that."""
        version = 0
        while True:
            version += 1
            freshness = Freshness(
                State.LIVE,
                started,
                time.time(),
                detail="no endpoints configured",
                hint='name them in the settings: [[endpoints]] url = "https://…/health"',
            )
            yield Snapshot(self.name, freshness, version=version, changed=None if version == 1 else frozenset())
            await asyncio.sleep(self._interval)

    async def watch(self) -> AsyncGenerator[Snapshot[Endpoint], None]:
        """Yield LOADING with unchecked rows, then a snapshot for every burst of finished checks. Never raises."""
        started = time.time()
        if not self._targets:
            async for snapshot in self._none_configured(started):
                yield snapshot
        records = {url: Record(url, target) for url, target in self._targets.items()}
        yield Snapshot(self.name, Freshness(State.LOADING, started), _rows(records), version=1)
        fresh: set[str] = set()
        arrived = asyncio.Event()
        lookups = Lookups()
        tasks = [
            asyncio.create_task(self._keep_asking(record, lookups, fresh, arrived), name=f"endpoint {record.url}")
            for record in records.values()
        ]
        try:
            version, live_since = 1, 0.0
            while True:
                await _first_of(arrived, tasks)
                if version > 1:  # the first answer is told at once
                    await asyncio.sleep(COALESCE)
                arrived.clear()
                changed = frozenset(fresh)
                fresh.clear()
                version += 1
                now = time.time()
                live_since = live_since or now
                yield Snapshot(self.name, Freshness(State.LIVE, live_since, now), _rows(records), version, changed)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_asking(self, record: Record, lookups: Lookups, fresh: set[str], arrived: asyncio.Event) -> None:
        checker = Checker(record.target, lookups, self._timeout)
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + self._interval
            record.note(await checker.check())
            fresh.add(record.url)
            arrived.set()
            # A check as slow as the interval still leaves the endpoint a moment to breathe.
            await asyncio.sleep(max(due - clock(), min(self._interval, 1.0)))


class Record(Struct):
    """What is remembered of one endpoint between its checks."""

    url: str
    target: EndpointTarget
    last: Outcome | None = None
    ok: bool | None = None
    changed_at: float | None = None
    tls_expires_at: float | None = None
    samples: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES))

    def note(self, outcome: Outcome) -> None:
        ok = not outcome.error
        if self.ok is not None and ok != self.ok:
            self.changed_at = outcome.at
            log.info("endpoint %s is %s", self.url, "up" if ok else f"down: {outcome.error}")
        self.ok = ok
        self.last = outcome
        # A refused connection says nothing about the certificate: what was known of it stays.
        self.tls_expires_at = outcome.tls_expires_at or self.tls_expires_at
        self._sample(outcome)

    def _sample(self, outcome: Outcome) -> None:
        """Keep the worst of each 15 s, so that one failure in a quiet minute stays visible."""
        latency = -1.0 if outcome.error or outcome.latency_ms is None else outcome.latency_ms
        width = HISTORY / SAMPLES
        if self.samples and self.samples[-1][0] // width == outcome.at // width:
            before = self.samples.pop()[1]
            latency = -1.0 if min(before, latency) < 0 else max(before, latency)
        self.samples.append((outcome.at, latency))
        while self.samples[0][0] < outcome.at - HISTORY:
            self.samples.popleft()

    def row(self) -> Endpoint:
        last = self.last or Outcome(0.0)
        return Endpoint(
            name=self.target.name,
            url=self.url,
            health=self._health(last.at),
            ok=self.ok,
            status=last.status,
            latency_ms=last.latency_ms,
            error=last.error,
            excerpt=last.excerpt,
            tls_expires_at=self.tls_expires_at,
            checked_at=last.at if self.last else None,
            changed_at=self.changed_at,
            history=tuple(self.samples),
        )

    def _health(self, now: float) -> Health:
        if self.ok is None:
            return Health.DORMANT  # unchecked must not look healthy
        if not self.ok:
            return Health.FAILING
        expiring = self.tls_expires_at is not None and self.tls_expires_at - now < CERTIFICATE_WARNING
        return Health.DEGRADED if expiring else Health.HEALTHY


def _rows(records: dict[str, Record]) -> MappingProxyType[str, Endpoint]:
    return MappingProxyType({url: record.row() for url, record in records.items()})


async def _first_of(arrived: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for results; a task that died of a mistake of ours is raised here instead of looking like silence."""
    waiting = asyncio.create_task(arrived.wait())
    try:
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    for task in tasks:
        if task.done():
            task.result()
