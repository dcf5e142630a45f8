"""The console while its API server fails: nothing stale looks live, no gap is missing, and it never exits."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from msgspec.structs import replace

from drill.platform import Running, running
from drill.server import ApiServer
from drill.world import POD
from incident.store import Store
from probes.freshness import State
from probes.rows import Endpoint
from tests.pilot.console_harness import Console, opened, options_for
from tui.options import ConsoleOptions
from tui.session import AZURE_SOURCES, LOCAL_SOURCES
from tui.settings import EndpointSettings, ProbeSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

Fault = Callable[[ApiServer], Awaitable[None]]
PROD = "banking-platform-prod"
CLUSTER_PANES = ("pods", "nodes", "events")
BEAT = 0.5
"""Seconds between two signs of life where a server is lost: that is noticed, and the recovered one found, sooner."""

SEEN = 10.0
"""Seconds before a fault in which the server certainly gave a sign of life, and from which on nothing is seen."""

LOST = "connection to the cluster lost"
BACK = r"connection to the cluster lost for \d"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running() as found:
        yield found


@pytest.fixture
def server(platform: Running) -> ApiServer:
    return platform.platform.server


@pytest_asyncio.fixture(loop_scope="module")
async def store(tmp_path: Path) -> Path:
    """A store with an open incident, so that what happens to the console is on a timeline."""
    path = tmp_path / "warroom.db"
    async with await Store.open(path) as store:
        await store.declare(title="Payments failing", author="tech-lead", severity=1)
    return path


@pytest_asyncio.fixture(loop_scope="module")
async def console(platform: Running, server: ApiServer, store: Path) -> AsyncIterator[Console]:
    """A console with every pane live; the server is well again afterwards."""
    async with opened(options_for(platform, store)) as found:
        try:
            yield found
        finally:
            await heal(server)


@asynccontextmanager
async def early(options: ConsoleOptions) -> AsyncIterator[Console]:
    """A console whose panes are there, whatever they have to say."""
    async with opened(options, live=False) as console:
        await console.until(lambda: console.desk.query("#timeline") and console.desk.is_mounted, "the panes")
        yield console


def endpoint_ok(console: Console) -> bool | None:
    """What the one endpoint's row says."""
    (row,) = console.room.feeds.latest["endpoints"].rows.values()
    assert isinstance(row, Endpoint)
    return row.ok


def quicken(console: Console) -> None:
    """Not for who must not lose its server: a machine that stalls lets a beat pass."""
    cluster = console.room.session.cluster
    assert cluster is not None
    cluster.heartbeat.every = cluster.heartbeat.limit = BEAT


async def heal(server: ApiServer) -> None:
    faults = server.faults
    faults.thaw()
    faults.error, faults.delay, faults.throttled, faults.only = None, 0.0, 0, ""
    faults.no_watches = faults.expired_as_status = faults.logged_out = faults.no_metrics = False
    faults.closed.clear()
    await server.accept()


class HealthEndpoint:
    """An endpoint on loopback that can die and come back on its port, which nobody else gets meanwhile."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None
        self._reserved = self._bound(0)
        self._port = self._reserved.getsockname()[1]

    @staticmethod
    def _bound(port: int) -> socket.socket:
        found = socket.socket()
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(("127.0.0.1", port))
        return found

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/health"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/health", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.SockSite(self._runner, self._bound(self._port)).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def close(self) -> None:
        self._reserved.close()

    async def _answer(self, request: web.Request) -> web.Response:
        return web.Response(text="Healthy")


@asynccontextmanager
async def health_endpoint() -> AsyncIterator[HealthEndpoint]:
    endpoint = HealthEndpoint()
    await endpoint.start()
    try:
        yield endpoint
    finally:
        await endpoint.stop()
        endpoint.close()


def subtitle(console: Console, pane: str) -> str:
    return console.table(pane).subtitle_text


def all_stale(console: Console) -> bool:
    return all(subtitle(console, pane).startswith("STALE") for pane in CLUSTER_PANES)


def all_live(console: Console) -> bool:
    return all(subtitle(console, pane).startswith("live") for pane in CLUSTER_PANES)


def rows(console: Console) -> dict[str, set[str]]:
    """What every table shows, by its key."""
    shown: dict[str, set[str]] = {}
    for table in console.desk.tables:
        rows = table.viewport.rows
        shown[str(table.id)] = {key for key, _ in rows.window(0, len(rows))}
    return shown


def age(console: Console, pane: str) -> str:
    """How old a pane that is stale says it is."""
    return subtitle(console, pane).partition(" · ")[0]


async def check_stale(console: Console) -> None:
    """Every pane of the cluster says so, in its class and in its words; its rows stay, and its age counts on."""
    await console.until(lambda: all_stale(console), "every pane of the cluster stale")
    before, young = rows(console), age(console, "pods")
    for pane in CLUSTER_PANES:
        assert console.table(pane).has_class("-stale"), pane
        assert console.names(pane), pane
    await console.until(lambda: re.search(r"· [1-9]\d* stale", console.text), "the banner counts them")
    await console.until(lambda: all_stale(console) and age(console, "pods") != young, "the age counting on")
    for pane in CLUSTER_PANES:
        assert rows(console)[pane] == before[pane], pane
    assert console.app.is_running
    assert console.app.return_code is None


async def check_live(console: Console) -> None:
    await console.until(lambda: all_live(console), "every pane of the cluster live again")
    for pane in CLUSTER_PANES:
        assert not console.table(pane).has_class("-stale"), pane
    await console.until(lambda: "0 stale" in console.text, "the banner says that nothing is stale")


async def refuse(server: ApiServer) -> None:
    await server.refuse()


async def freeze(server: ApiServer) -> None:
    server.faults.freeze()


async def drop(server: ApiServer) -> None:
    server.drop_connections()


async def drain(server: ApiServer) -> None:
    server.end_watches()


async def expire(server: ApiServer) -> None:
    server.expire_watches()


async def expire_as_status(server: ApiServer) -> None:
    server.faults.expired_as_status = True
    server.expire_watches()


async def throttle(server: ApiServer) -> None:
    server.faults.throttled = 4
    server.end_watches()


async def slow_down(server: ApiServer) -> None:
    server.faults.delay = 0.6
    server.end_watches()


def happen(platform: Running, message: str) -> None:
    """An event in the cluster, as a kubelet would tell it."""
    plane = platform.platform.plane
    pod = plane.world.store.list(POD, PROD)[0]
    plane.world.events.say(POD, pod, "Tested", message, warning=True)


def happened(console: Console, message: str) -> bool:
    return any(message in name for name in console.names("events"))


@pytest.mark.parametrize("fault", [refuse, freeze], ids=["refused", "frozen"])
async def test_a_lost_server_makes_panes_stale_and_a_gap_on_the_timeline_until_it_is_back(
    console: Console, server: ApiServer, fault: Fault
) -> None:
    quicken(console)
    began = time.time()
    await fault(server)
    await check_stale(console)
    lost = await console.notes(f"^{LOST}")
    assert lost.entry.level == "bad"
    assert "nothing is seen since" in lost.text

    await heal(server)
    await check_live(console)
    back = await console.notes(BACK)
    assert "nothing was seen from" in back.text
    evidence = await console.room.journal.evidence(back.entry.id)
    assert evidence is not None
    assert 0 < evidence["blind_until"] - evidence["blind_from"] < time.time() - began + SEEN


async def test_a_server_that_answers_500_is_stale_in_every_pane_and_followed_again_once_it_works(
    console: Console, server: ApiServer, platform: Running
) -> None:
    quicken(console)
    server.faults.error = 500
    server.drop_connections()
    await check_stale(console)
    await console.until(lambda: "500" in subtitle(console, "pods"), "why, once it was asked again")

    server.faults.error = None
    happen(platform, "after the 500s")
    await check_live(console)
    await console.until(lambda: happened(console, "after the 500s"), "what happened meanwhile")


@pytest.mark.parametrize(
    "fault",
    [drop, drain, expire, expire_as_status, throttle, slow_down],
    ids=["dropped", "drained", "expired-as-event", "expired-as-status", "throttled", "slow"],
)
async def test_a_watch_that_ends_is_opened_anew_and_misses_nothing(
    console: Console, server: ApiServer, platform: Running, fault: Fault
) -> None:
    before = rows(console)
    message = f"during {fault.__name__}"
    await fault(server)
    happen(platform, message)
    assert console.table("pods").viewport.rows
    await console.until(lambda: happened(console, message), "what happened meanwhile")
    await check_live(console)
    assert rows(console)["nodes"] == before["nodes"]
    assert console.entry(LOST) is None, "a watch that is opened anew is no loss"


async def test_a_refused_credential_says_what_to_renew_until_it_is_accepted(
    console: Console, server: ApiServer
) -> None:
    quicken(console)
    server.faults.logged_out = True
    server.drop_connections()
    await check_stale(console)
    await console.until(lambda: "401" in subtitle(console, "pods"), "why, once it was asked again")
    await console.until(lambda: "renew the credential of user 'admin'" in subtitle(console, "pods"), "what to do")

    server.faults.logged_out = False
    await check_live(console)


async def test_a_namespace_that_is_closed_hides_neither_the_others_nor_itself(
    platform: Running, server: ApiServer, store: Path
) -> None:
    server.faults.closed.add("kube-system")
    try:
        async with early(options_for(platform, store, namespaces=(PROD, "kube-system"))) as console:
            await console.until(lambda: console.names("pods"), "the pods that may be seen")
            await console.until(lambda: "kube-system" in subtitle(console, "pods"), "the refusal")
            assert "forbidden" in subtitle(console, "pods").lower()
            assert all("kube-system" not in name for name in console.names("pods"))

            server.faults.closed.add(PROD)
            server.expire_watches()
            pods = console.table("pods")
            await console.until(lambda: pods.freshness.state is State.FORBIDDEN, "nothing may be seen any more")
            await console.until(lambda: "FORBIDDEN" in subtitle(console, "pods"), "that it may not")
            assert pods.has_class("-stale")
    finally:
        await heal(server)


async def test_a_user_who_may_do_nothing_sees_refusals_and_no_empty_pane_that_looks_healthy(
    platform: Running, store: Path
) -> None:
    async with early(options_for(platform, store, context="nobody")) as console:
        await console.until(
            lambda: all("FORBIDDEN" in subtitle(console, pane) for pane in CLUSTER_PANES), "every pane refused"
        )
        for pane in CLUSTER_PANES:
            assert console.table(pane).freshness.state is State.FORBIDDEN
            assert console.table(pane).has_class("-stale")
        await console.says("cannot list pods")
        assert "healthy" not in console.text.replace("unhealthy", "")
        assert console.entry(LOST) is None, "a refusal is an answer: there is a connection"


async def test_without_metrics_the_nodes_are_there_and_say_that_their_usage_is_not(
    platform: Running, server: ApiServer, store: Path
) -> None:
    server.faults.no_metrics = True
    try:
        async with early(options_for(platform, store)) as console:
            await console.until(lambda: subtitle(console, "nodes").startswith("live"), "the nodes live")
            await console.until(lambda: "metrics UNAVAILABLE" in subtitle(console, "nodes"), "the missing metrics told")
            assert console.names("nodes")
            assert not console.table("nodes").has_class("-stale")
    finally:
        await heal(server)


async def test_an_unreachable_server_leaves_the_console_open_with_a_sentence_until_it_is_there(
    platform: Running, server: ApiServer, store: Path
) -> None:
    await server.refuse()
    try:
        async with early(options_for(platform, store)) as console:
            await console.says("UNAVAILABLE")
            await console.says("connection refused")
            assert console.desk.vitals.live <= len(LOCAL_SOURCES + AZURE_SOURCES)
            quicken(console)
            await heal(server)
            await check_live(console)
    finally:
        await heal(server)


async def test_an_endpoint_that_dies_is_told_and_noticed_when_it_returns(platform: Running, store: Path) -> None:
    async with health_endpoint() as endpoint:
        options = options_for(platform, store)
        settings = replace(
            options.settings,
            endpoints=(EndpointSettings(url=endpoint.url, name="zephyr"),),
            probes=ProbeSettings(endpoint_interval=0.2, endpoint_timeout=5.0),
        )
        async with opened(replace(options, settings=settings)) as console:
            await console.until(lambda: endpoint_ok(console) is True, "the endpoint well")
            await endpoint.stop()
            await console.until(lambda: endpoint_ok(console) is False, "the endpoint down")
            await console.says("✗ zephyr")
            down = await console.notes(r"^zephyr 200 → ")
            assert down.entry.level == "bad"
            await endpoint.start()
            await console.until(lambda: endpoint_ok(console) is True, "the endpoint well again")
            up = await console.notes(r"^zephyr .* → 200")
            assert up.entry.level == "good"
