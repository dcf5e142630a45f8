"""What is being looked at: one cluster, one scope, and the probes that look. Switching replaces all of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from probes.cluster import Cluster, Scope
from probes.commits import CommitsProbe
from probes.endpoints import EndpointsProbe, EndpointTarget
from probes.errors import ConfigError, ProbeError
from probes.events import EventsProbe
from probes.freshness import Freshness, Snapshot, State
from probes.nodes import NodesProbe
from probes.pods import PodsProbe
from probes.releases import ReleasesProbe
from probes.usage import UsageProbe
from probes.workloads import WorkloadsProbe

if TYPE_CHECKING:
    from probes.azure.account import Account
    from tui.feeds import Feeds, Probe
    from tui.settings import Settings

log = logging.getLogger(__name__)

CLUSTER_SOURCES = ("pods", "nodes", "workloads", "events", "usage", "releases")
LOCAL_SOURCES = ("endpoints", "commits")
SOURCES = CLUSTER_SOURCES + LOCAL_SOURCES
AZURE_SOURCES = ("activity", "databases", "alerts")

RETRY_SECONDS = 10.0
"""How often a connection that could not even be configured (a failing credential plugin) is tried again."""

VERSION_AFTER = 0.3
"""Seconds after which the server is asked for its version."""

AZURE_AFTER = 3.0
"""Seconds after which Azure is looked at even if the cluster has not said anything yet."""

ALL = ("*",)


class View(Struct, frozen=True):
    """Where to look. ``namespaces`` empty means the context's own, ``("*",)`` all of them."""

    settings: Settings
    kubeconfig: str | None
    context: str | None
    namespaces: tuple[str, ...]
    drill: bool = False


class Session:
    """Connects to the view's cluster and runs the probes into the feeds, until told to look elsewhere."""

    def __init__(self, feeds: Feeds, now: Callable[[], float], connected: Callable[[], None]) -> None:
        self._feeds = feeds
        self._now = now
        self._connected = connected
        self._switching = asyncio.Lock()
        self._connecting: asyncio.Task[None] | None = None
        self._asking = asyncio.Event()
        self.view: View | None = None
        self.cluster: Cluster | None = None
        self.version = ""
        self.azure: Account | None = None  # the way to Azure, once it is looked at; kept over switches of the cluster
        self._azure_starting: asyncio.Task[None] | None = None
        self._azure_looking = False

    @property
    def sources(self) -> tuple[str, ...]:
        """What is looked at: Azure's once its probes were started, after the cluster's, where the settings name one."""
        return SOURCES + AZURE_SOURCES if self._azure_looking else SOURCES

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces in view; empty means all."""
        if self.view is None or self.view.namespaces == ALL:
            return ()
        if self.view.namespaces:
            return self.view.namespaces
        return (self.cluster.namespace,) if self.cluster else ()

    @property
    def scope_text(self) -> str:
        """The namespaces as a person reads them."""
        if self.view is not None and self.view.namespaces == ALL:
            return "all namespaces"
        return ", ".join(self.namespaces) or "…"

    async def look_at(self, view: View) -> None:
        """Leave whatever was in view and look at ``view``. Returns at once: connecting goes on behind it."""
        async with self._switching:
            await self._leave()
            self.view = view
            self._connecting = asyncio.create_task(self._connect(view), name="connect")
            if view.settings.azure.configured:
                self._azure_starting = asyncio.create_task(self._look_at_azure(view), name="look at Azure")

    async def asking(self, limit: float) -> None:
        """Wait until the first cluster is being asked, at most ``limit`` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._asking.wait()

    async def look_in(self, namespaces: tuple[str, ...]) -> None:
        """The same cluster, other namespaces."""
        if self.view is not None:
            await self.look_at(replace(self.view, namespaces=namespaces))

    async def close(self) -> None:
        async with self._switching:
            await self._leave()
            if self.azure is not None:
                await self.azure.close()
                self.azure = None

    def account(self, settings: Settings) -> Account:
        """The way to Azure, with the one login of this console. Asks nothing."""
        from tui.azure_probes import account_of

        self.azure = self.azure or account_of(settings.azure)
        return self.azure

    async def _leave(self) -> None:
        begun = [task for task in (self._connecting, self._azure_starting) if task is not None]
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        self._connecting = self._azure_starting = None
        self._azure_looking = False
        await self._feeds.stop()
        if self.cluster is not None:
            await self.cluster.close()
        self.cluster, self.version = None, ""

    async def _connect(self, view: View) -> None:
        self._feeds.start(_local_probes(view.settings))
        since = self._now()
        while True:
            try:
                await self._reach(view)
                return
            except ConfigError as error:
                # A file on disk is wrong. It can be mended while the console is open, so look again.
                self._unavailable(error, since)
            except ProbeError as error:
                self._unavailable(error, since)
            except Exception as error:
                log.exception("cannot connect")
                self._unavailable(ProbeError(f"cannot connect: {error}", "the log file has the details"), since)
            await asyncio.sleep(RETRY_SECONDS)

    async def _reach(self, view: View) -> None:
        cluster = await Cluster.connect(view.kubeconfig, view.context)
        self.cluster = cluster
        scope = Scope(self.namespaces)
        self._feeds.start(_cluster_probes(cluster, scope, view.settings))
        self._asking.set()
        self._connected()
        # The rows come first, and one of their lists will have left a connection.
        await asyncio.sleep(VERSION_AFTER)
        while not self.version:
            try:
                self.version = await cluster.version()
                self._connected()
            except ProbeError as error:
                log.info("no version yet: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _look_at_azure(self, view: View) -> None:
        """Azure's probes, when the cluster's have had their say: what they import would be in the way of those."""
        since = self._now()
        until = time.monotonic() + AZURE_AFTER
        while time.monotonic() < until:  # feeds have no event for a source's first word
            if set(CLUSTER_SOURCES) <= self._feeds.latest.keys():
                break
            await asyncio.sleep(VERSION_AFTER)
        settings = view.settings.azure
        try:
            azure = await asyncio.to_thread(import_module, "tui.azure_probes")
            probes = azure.probes_of(self.account(view.settings), settings)
        except Exception as error:  # a defect of what looks at Azure must not be one of the console
            log.exception("Azure cannot be looked at")
            detail = f"Azure cannot be looked at: {type(error).__name__}; the log file has the details"
            freshness = Freshness(State.UNAVAILABLE, since, None, detail)
            for source in AZURE_SOURCES:
                self._feeds.put(Snapshot(source, freshness))
            return
        self._azure_looking = True
        self._feeds.start(probes)

    def _unavailable(self, error: ProbeError, since: float) -> None:
        log.warning("%s", error)
        freshness = Freshness(State.UNAVAILABLE, since, None, str(error), error.hint)
        for source in CLUSTER_SOURCES:
            self._feeds.put(Snapshot(source, freshness))


def _local_probes(settings: Settings) -> list[Probe]:
    targets = [
        EndpointTarget(
            name=endpoint.name,
            url=endpoint.url,
            expect_status=endpoint.expect_status,
            headers=endpoint.headers,
            ca_file=endpoint.ca_file or None,
        )
        for endpoint in settings.endpoints
    ]
    checkout = Path(settings.git.checkout) if settings.git.checkout else None
    return [
        EndpointsProbe(targets, settings.probes.endpoint_interval, settings.probes.endpoint_timeout),
        CommitsProbe(checkout, settings.git.since),
    ]


def _cluster_probes(cluster: Cluster, scope: Scope, settings: Settings) -> list[Probe]:
    return [
        PodsProbe(cluster, scope),
        NodesProbe(cluster),
        WorkloadsProbe(cluster, scope),
        EventsProbe(cluster, scope),
        ReleasesProbe(cluster, scope),
        UsageProbe(cluster, scope, settings.probes.metrics_interval),
    ]
