"""One look at everything the panes show, without a console: every probe until its first conclusive snapshot."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from probes.errors import ProbeError
from probes.freshness import Freshness, Snapshot, State
from probes.rows import Commit, Endpoint, Event, Health, Node, Pod, Release, Usage, Workload
from tui.azure_look import azure_look
from tui.sentences import with_hint

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine

    from probes.azure.rows import Activity, Database, FiredAlert
    from probes.cluster import Cluster
    from probes.endpoints import EndpointTarget
    from tui.options import ConsoleOptions
    from tui.settings import Settings

log = logging.getLogger(__name__)

RowT = TypeVar("RowT")

LIMIT = 10.0  # seconds for each source; they are asked at the same time
CHARTS = 3.0  # seconds for the releases' charts, once it is known which releases there are
CONCLUSIVE = (State.LIVE, State.FORBIDDEN, State.UNAVAILABLE)


class Probe(Protocol[RowT]):
    """What every module of `probes` offers."""

    def watch(self) -> AsyncIterator[Snapshot[RowT]]: ...


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that was seen. ``namespaces`` empty means all. ``problems`` are sentences: why something was not seen.

    ``blind`` is why there is no telling whether the platform is healthy, or empty when there is.
    """

    at: float
    context: str
    server: str
    version: str
    namespaces: tuple[str, ...]
    pods: Snapshot[Pod]
    nodes: Snapshot[Node]
    usage: Snapshot[Usage]
    workloads: Snapshot[Workload]
    events: Snapshot[Event]
    releases: Snapshot[Release]
    endpoints: Snapshot[Endpoint]
    commits: Snapshot[Commit]
    problems: tuple[str, ...]
    blind: str = ""
    activity: Snapshot[Activity] | None = None  # these three: None where the settings name no Azure
    databases: Snapshot[Database] | None = None
    alerts: Snapshot[FiredAlert] | None = None

    @property
    def snapshots(self) -> tuple[Snapshot[Any], ...]:
        """All of them, in the order of the report."""
        return (
            self.pods,
            self.nodes,
            self.usage,
            self.workloads,
            self.events,
            self.releases,
            self.endpoints,
            self.commits,
            *self.azure,
        )

    @property
    def azure(self) -> tuple[Snapshot[Any], ...]:
        """What was seen of Azure; empty where it is not looked at."""
        return tuple(each for each in (self.activity, self.databases, self.alerts) if each is not None)

    @property
    def healthy(self) -> bool:
        """Whether nothing that was seen is failing or degraded."""
        judged = (self.pods, self.nodes, self.workloads, self.releases, self.endpoints, self.databases, self.alerts)
        return not any(
            row.health < Health.HEALTHY for snapshot in judged if snapshot is not None for row in snapshot.rows.values()
        )


async def look(options: ConsoleOptions, limit: float = LIMIT) -> Look:
    """Look once, at most ``limit`` seconds for each source. Raises `ProbeError` when there is no cluster to ask."""
    from probes.cluster import Cluster

    cluster = await Cluster.connect(options.kubeconfig, options.context)
    try:
        return await look_at(cluster, options, limit)
    finally:
        await cluster.close()


async def look_at(cluster: Cluster, options: ConsoleOptions, limit: float = LIMIT) -> Look:
    """`look` through a connection that stays open. What cannot be seen is in the look, not raised."""
    from probes.cluster import Scope
    from probes.events import EventsProbe
    from probes.nodes import NodesProbe
    from probes.pods import PodsProbe
    from probes.releases import ReleasesProbe
    from probes.usage import UsageProbe
    from probes.workloads import WorkloadsProbe

    settings = options.settings
    namespaces = options.scope(cluster.namespace)
    scope = Scope(namespaces)
    async with asyncio.TaskGroup() as tasks:

        def ask(work: Coroutine[Any, Any, RowT]) -> asyncio.Task[RowT]:
            return tasks.create_task(work)

        version = ask(_version(cluster, limit))
        pods = ask(first(PodsProbe(cluster, scope), "pods", limit))
        nodes = ask(first(NodesProbe(cluster), "nodes", limit))
        usage = ask(first(UsageProbe(cluster, scope), "usage", limit))
        workloads = ask(first(WorkloadsProbe(cluster, scope), "workloads", limit))
        events = ask(first(EventsProbe(cluster, scope), "events", limit))
        releases = ask(first(ReleasesProbe(cluster, scope), "releases", limit, _charts_known, CHARTS))
        endpoints = ask(_endpoints(settings, limit))
        commits = ask(_commits(settings, limit))
        azure = ask(azure_look(settings.azure, limit))
    activity, databases, alerts = azure.result() or (None, None, None)
    seen = Look(
        at=time.time(),
        context=cluster.context,
        server=cluster.server,
        version=version.result(),
        namespaces=namespaces,
        pods=pods.result(),
        nodes=nodes.result(),
        usage=usage.result(),
        workloads=workloads.result(),
        events=events.result(),
        releases=releases.result(),
        endpoints=endpoints.result(),
        commits=commits.result(),
        problems=(),
        activity=activity,
        databases=databases,
        alerts=alerts,
    )
    return _judged(seen, settings)


async def first(
    probe: Probe[RowT],
    source: str,
    limit: float,
    enough: Callable[[Snapshot[RowT]], bool] = lambda snapshot: True,
    patience: float | None = None,
) -> Snapshot[RowT]:
    """The first snapshot that says how things are and is ``enough``, or the last one after ``limit`` seconds.

    ``patience`` is how many seconds longer to wait for enough once there is something to say.
    """
    last: Snapshot[RowT] | None = None
    try:
        # Every watch() is an async generator; closing it hangs up its connections before the loop ends.
        watch = cast("AsyncGenerator[Snapshot[RowT], None]", probe.watch())
        async with asyncio.timeout(limit) as timer, aclosing(watch) as snapshots:
            async for snapshot in snapshots:
                conclusive = snapshot.freshness.state in CONCLUSIVE
                if conclusive and enough(snapshot):
                    return snapshot
                if conclusive and patience is not None:
                    timer.reschedule(min(timer.when() or math.inf, asyncio.get_running_loop().time() + patience))
                    patience = None
                last = snapshot
    except TimeoutError:
        log.warning("%s: not everything within %g s", source, limit)
    if last is not None and last.freshness.state is not State.LOADING:
        return last
    return nothing(source, f"{source}: no answer within {limit:g} s")


def nothing(source: str, detail: str, hint: str = "") -> Snapshot[Any]:
    """The snapshot of a source that cannot be had."""
    return Snapshot(source, Freshness(State.UNAVAILABLE, time.time(), detail=detail, hint=hint))


async def _version(cluster: Cluster, limit: float) -> str:
    try:
        async with asyncio.timeout(limit):
            return await cluster.version()
    except (ProbeError, TimeoutError) as error:
        # Whatever is wrong, the pods' probe says it too, and better.
        log.warning("no server version: %s", error)
        return ""


async def _endpoints(settings: Settings, limit: float) -> Snapshot[Endpoint]:
    from probes.endpoints import EndpointsProbe

    asked = settings.probes
    probe = EndpointsProbe(endpoint_targets(settings), asked.endpoint_interval, asked.endpoint_timeout)
    return await first(probe, "endpoints", limit, lambda seen: all(row.ok is not None for row in seen.rows.values()))


def endpoint_targets(settings: Settings) -> tuple[EndpointTarget, ...]:
    """The configured endpoints as their probe wants them, headers read from the environment."""
    from probes.endpoints import EndpointTarget

    return tuple(
        EndpointTarget(
            name=endpoint.name,
            url=endpoint.url,
            expect_status=endpoint.expect_status,
            headers=endpoint.resolved_headers(),
            ca_file=endpoint.ca_file,
        )
        for endpoint in settings.endpoints
    )


def _charts_known(seen: Snapshot[Release]) -> bool:
    """The probe tells which releases there are before it has fetched what they are made of."""
    return all(release.chart for release in seen.rows.values())


async def _commits(settings: Settings, limit: float) -> Snapshot[Commit]:
    from probes.commits import CommitsProbe

    checkout = Path(settings.git.checkout) if settings.git.checkout else None
    return await first(CommitsProbe(checkout, settings.git.since), "commits", limit)


def _judged(seen: Look, settings: Settings) -> Look:
    """Add why something was not seen, each reason once: one dead server is not eight problems."""
    configured = {"endpoints": bool(settings.endpoints), "commits": bool(settings.git.checkout)}
    problems = dict.fromkeys(
        with_hint(snapshot.freshness.detail, snapshot.freshness.hint)
        for snapshot in seen.snapshots
        if not snapshot.freshness.live and configured.get(snapshot.source, True)
    )
    problems.update(dict.fromkeys(settings.missing_variables()))
    blind = ""
    if not seen.pods.freshness.live:
        blind = with_hint(seen.pods.freshness.detail, seen.pods.freshness.hint)
        problems.pop(blind, None)
    return replace(seen, problems=tuple(problems), blind=blind)
