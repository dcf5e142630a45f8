"""The SQL databases of the groups: what they are, and how they did in the last hour.

Each look lists the databases of every server and asks for the metrics of each database, all of them in one question.
What changes seldom (usages, replicas, finished operations) is asked every `SELDOM` looks, operations each time while
something is going on. What cannot be had of one database does not cost the others, nor the rest of it: it is said in
`Database.unseen`, and what was known stays.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import ClassVar, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from probes.azure import database_rows as rows
from probes.azure import wire
from probes.azure.account import MONITOR_METRICS, SQL_VERSION, Account
from probes.azure.activity import pause_after
from probes.azure.rows import Database, DatabaseOperation, DatabaseUsage, Metric, Replica
from probes.azure.wire import filter_time
from probes.errors import BadAnswer, CredentialFailed, LoginExpired, NotFound, ProbeError
from probes.freshness import Snapshot
from probes.gathering import Gathering, Part

log = logging.getLogger(__name__)

SELDOM = 5  # looks
AT_ONCE = 6  # questions of one group that are under way together
FORGOTTEN = 15 * 60.0  # seconds after which metrics that cannot be read any more are not shown any more

ItemT = TypeVar("ItemT")


class DatabasesProbe:
    """Rows keyed by resource id in lower case. ``names`` are "server/database"; none: all of the groups' servers."""

    name: ClassVar[str] = "databases"

    def __init__(self, account: Account, names: Sequence[str] = (), interval: float = 60.0) -> None:
        self.account = account
        self.names = frozenset(name.lower() for name in names)
        self.interval = interval

    async def watch(self) -> AsyncGenerator[Snapshot[Database], None]:
        """Yield LOADING, then a snapshot after every look that changed something. Never raises."""
        gathering: Gathering[Database] = Gathering(self.name)
        groups = [_Group(self.account, gathering.part(), group, self.names) for group in self.account.groups]
        absent = gathering.part() if self.names else None
        jobs = [functools.partial(self._follow, group, groups, absent) for group in groups]
        async for snapshot in gathering.snapshots(jobs):
            yield snapshot

    async def _follow(self, group: _Group, groups: Sequence[_Group], absent: Part[Database] | None) -> None:
        failures = 0
        while True:
            pause = self.interval
            try:
                await group.look()
                failures = 0
            except ProbeError as error:
                failures += 1
                pause = pause_after(error, self.interval, failures)
                group.part.failed(error)
                if absent is not None:
                    absent.failed(error)  # whether they are there is not known, so it must not count as seen
            else:
                if absent is not None and all(each.looked for each in groups):
                    self._tell_absent(groups, absent)
            await asyncio.sleep(pause)

    def _tell_absent(self, groups: Sequence[_Group], absent: Part[Database]) -> None:
        """A name in the settings that no group has is not to be passed over."""
        found = {f"{row.server}/{row.name}".lower() for group in groups for row in group.part.rows.values()}
        if missing := sorted(self.names - found):
            where = ", ".join(self.account.groups)
            absent.failed(NotFound(f"no such database in {where}: {', '.join(missing)} (azure.databases)"))
        else:
            absent.live()


class _Known(Struct):
    """What was read of one database, and what could not be."""

    metrics: tuple[Metric, ...] = ()
    metrics_at: float = 0.0
    usages: tuple[DatabaseUsage, ...] = ()
    replicas: tuple[Replica, ...] = ()
    operations: tuple[DatabaseOperation, ...] = ()
    unasked: set[str] = field(default_factory=set)  # metrics that Azure does not have of it
    unseen: dict[str, str] = field(default_factory=dict)


class _Group:
    """One resource group's databases."""

    def __init__(self, account: Account, part: Part[Database], group: str, names: frozenset[str]) -> None:
        self.part = part
        self.looked = False
        self._account = account
        self._group = group
        self._names = names
        self._servers: list[str] = []
        self._known: dict[str, _Known] = {}
        self._looks = 0
        self._clock = 0.0  # seconds that Azure's clock is ahead of ours
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def look(self) -> None:
        """One look at all of it. Raises `ProbeError` when nothing of it could be seen."""
        seldom = self._looks % SELDOM == 0
        if seldom or not self._servers:
            self._servers = await self._list_servers()
        listed = await asyncio.gather(*map(self._list_databases, self._servers), return_exceptions=True)
        found: dict[str, tuple[wire.Database, Database]] = {}
        failed: list[ProbeError] = []
        lost: dict[str, Database] = {}
        for server, outcome in zip(self._servers, listed, strict=True):
            if isinstance(outcome, ProbeError):
                failed.append(outcome)
                kept = {key: row for key, row in self.part.rows.items() if row.server == server}
                lost |= {key: replace(row, unseen=(str(outcome),)) for key, row in kept.items()}
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                found |= {row.key: (raw, row) for raw, row in outcome}
        if failed and len(failed) == len(self._servers):
            raise failed[0]
        asked = await asyncio.gather(*(self._ask_about(raw, row, seldom) for raw, row in found.values()))
        if lost_login := next(filter(None, asked), None):
            raise lost_login
        self._known = {key: known for key, known in self._known.items() if key in found or key in lost}
        self._looks += 1
        self.looked = True
        self.part.listed({key: self._row(row) for key, (_, row) in found.items()} | lost, {})
        # One server's trouble is told, and does not make the others stale.
        self.part.live()

    async def _list_servers(self) -> list[str]:
        path = f"{self._account.group_id(self._group)}/providers/Microsoft.Sql/servers"
        servers = await self._items(path, rows.decode_server, f"the SQL servers of {self._group}")
        wanted = {name.partition("/")[0] for name in self._names}
        return [name for server in servers if (name := server.name or "") and (not wanted or name.lower() in wanted)]

    async def _list_databases(self, server: str) -> list[tuple[wire.Database, Database]]:
        path = f"{self._account.group_id(self._group)}/providers/Microsoft.Sql/servers/{quote(server)}/databases"
        databases = await self._items(path, rows.decode_database, f"the databases of {server}")
        return [
            (found, rows.database(found, server, self._group))
            for found in databases
            if found.id
            and not rows.is_system(found)
            and (not self._names or f"{server}/{found.name}".lower() in self._names)
        ]

    async def _ask_about(self, raw: wire.Database, row: Database, seldom: bool) -> ProbeError | None:
        """Ask what is due about one database; returns what is no trouble of this database: a login that ended."""
        known = self._known.setdefault(row.key, _Known())
        busy = rows.changing(raw) or any(each.going_on for each in known.operations)
        questions: list[tuple[rows.Of, Callable[[], Awaitable[None]]]] = [
            ("metrics", functools.partial(self._ask_metrics, row, known))
        ]
        # A database that is not there yet has no usages, and what was not seen is tried again.
        if seldom or "usages" in known.unseen:
            questions.append(("usages", functools.partial(self._ask_usages, row, known)))
        if seldom or "replicas" in known.unseen:
            questions.append(("replicas", functools.partial(self._ask_replicas, row, known)))
        if seldom or busy or "operations" in known.unseen:
            questions.append(("operations", functools.partial(self._ask_operations, row, known)))
        answers = await asyncio.gather(*(self._answer(known, of, question) for of, question in questions))
        return next(filter(None, answers), None)

    async def _answer(self, known: _Known, of: rows.Of, question: Callable[[], Awaitable[None]]) -> ProbeError | None:
        """Ask; what cannot be had is noted, and nothing raised."""
        async with self._gate:
            try:
                await question()
                known.unseen.pop(of, None)
            except (LoginExpired, CredentialFailed) as error:
                return error
            except ProbeError as error:
                known.unseen[of] = f"{of}: {error}" + (f" ({error.hint})" if error.hint else "")
        return None

    async def _ask_metrics(self, row: Database, known: _Known) -> None:
        names = [name for name in rows.metric_names(row) if name not in known.unasked]
        # By the minute before this one: the current one is not complete, and looks like a sudden end of all load.
        until = (time.time() + self._clock) // rows.MINUTE * rows.MINUTE
        query = {
            "api-version": MONITOR_METRICS,
            "metricnames": ",".join(names),
            "aggregation": "average,maximum,total",
            "interval": "PT1M",
            "timespan": f"{filter_time(until - rows.HOUR)}/{filter_time(until)}",
        }
        path = f"{quote(row.resource_id)}/providers/Microsoft.Insights/metrics"
        try:
            reply = await self._account.get(path, query, asked=f"the metrics of {row.name}", service="monitor")
        except BadAnswer as error:
            # "Failed to find metric configuration for …, metric: X, Valid metrics: …": not every tier has each.
            refused = re.search(r"metric: ([\w ]+)", str(error))
            if refused is None or refused[1].strip() not in names:
                raise
            known.unasked.add(refused[1].strip())
            await self._ask_metrics(row, known)
            return
        known.metrics = rows.metrics(_decoded(reply.body, rows.decode_metrics, f"the metrics of {row.name}"))
        known.metrics_at = time.monotonic()

    async def _ask_usages(self, row: Database, known: _Known) -> None:
        usages = await self._items(f"{quote(row.resource_id)}/usages", rows.decode_usage, f"the usages of {row.name}")
        known.usages = tuple(map(rows.usage, usages))

    async def _ask_replicas(self, row: Database, known: _Known) -> None:
        path = f"{quote(row.resource_id)}/replicationLinks"
        links = await self._items(path, rows.decode_link, f"the replicas of {row.name}")
        known.replicas = tuple(map(rows.replica, links))

    async def _ask_operations(self, row: Database, known: _Known) -> None:
        path = f"{quote(row.resource_id)}/operations"
        known.operations = rows.operations(
            await self._items(path, rows.decode_operation, f"the operations of {row.name}")
        )

    async def _items(self, path: str, decoder: msgspec.json.Decoder[ItemT], asked: str) -> list[ItemT]:
        """All items of a list that can be read; one that cannot be is said in the log and left out."""
        found: list[ItemT] = []
        async for page in self._account.pages(path, {"api-version": SQL_VERSION}, asked=asked):
            self._clock = page.at - time.time()
            for item in page.items:
                try:
                    found.append(decoder.decode(item))
                except (msgspec.DecodeError, RecursionError) as error:
                    log.warning("cannot read one of %s: %s", asked, error)
        return found

    def _row(self, row: Database) -> Database:
        known = self._known[row.key]
        old = time.monotonic() - known.metrics_at > FORGOTTEN
        metrics = () if old else known.metrics
        row = replace(
            row,
            metrics=metrics,
            usages=known.usages,
            replicas=known.replicas,
            operations=known.operations,
            near=rows.near(metrics),
            unseen=tuple(known.unseen.values()),
        )
        return replace(row, health=rows.health(row))


def _decoded(body: bytes, decoder: msgspec.json.Decoder[ItemT], asked: str) -> ItemT:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadAnswer(f"Azure's answer to {asked} cannot be read: {error}") from None
