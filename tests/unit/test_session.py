"""A session looks at one cluster, retries what it cannot reach, and leaves nothing of the old one behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from probes.freshness import State
from tests.unit.loopback_api import refusal, serving
from tests.unit.test_feeds import Listener
from tui import session as sessions
from tui.feeds import Feeds
from tui.session import CLUSTER_SOURCES, Session, View
from tui.settings import Settings


async def handler(request: web.Request) -> web.StreamResponse:
    if request.path == "/version":
        return web.json_response({"gitVersion": "v1.34.2", "major": "1", "minor": "34"})
    return refusal(403, "Forbidden", f"{request.path} is forbidden")


def kubeconfig(directory: Path, port: int, **namespaces: str) -> Path:
    """A kubeconfig with a context for each keyword, and the namespace that is its value."""
    file = directory / "kubeconfig"
    contexts = [
        {"name": name, "context": {"cluster": "c", "user": "lead", "namespace": namespace}}
        for name, namespace in namespaces.items()
    ]
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": next(iter(namespaces)),
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "lead", "user": {"token": "t"}}],
                "contexts": contexts,
            }
        )
    )
    return file


@asynccontextmanager
async def looking() -> AsyncIterator[tuple[Session, Feeds]]:
    app = Listener()
    async with app.run_test():
        feeds = Feeds(app, lambda: 42.0)
        session = Session(feeds, lambda: 42.0, lambda: None)
        try:
            yield session, feeds
        finally:
            await session.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # a connection's progress sets no event
            await asyncio.sleep(0.005)


async def test_the_contexts_namespace_is_looked_at_unless_another_was_asked_for(tmp_path: Path) -> None:
    async with serving(handler) as port, looking() as (session, _):
        file = str(kubeconfig(tmp_path, port, prod="bank", test="bank-test"))
        await session.look_at(View(Settings(), file, None, ()))
        assert session.scope_text == "…"
        await until(lambda: session.version)
        assert (session.namespaces, session.scope_text, session.version) == (("bank",), "bank", "v1.34.2")

        await session.look_in(("*",))
        assert (session.namespaces, session.scope_text) == ((), "all namespaces")
        await session.look_at(View(Settings(), file, "test", ()))
        await until(lambda: session.cluster)
        assert session.namespaces == ("bank-test",)


async def test_a_source_that_refuses_says_so_by_name(tmp_path: Path) -> None:
    async with serving(handler) as port, looking() as (session, feeds):
        await session.look_at(View(Settings(), str(kubeconfig(tmp_path, port, prod="bank")), None, ()))
        await until(lambda: feeds.latest.get("pods") and feeds.latest["pods"].freshness.state is State.FORBIDDEN)

        assert "pods" in feeds.latest["pods"].freshness.detail
        assert "bank" in feeds.latest["pods"].freshness.detail


async def test_leaving_closes_the_connection_and_forgets_what_was_seen(tmp_path: Path) -> None:
    async with serving(handler) as port, looking() as (session, feeds):
        await session.look_at(View(Settings(), str(kubeconfig(tmp_path, port, prod="bank")), None, ()))
        await until(lambda: session.version)
        await session.close()

        assert (session.cluster, session.version, dict(feeds.latest)) == (None, "", {})


async def test_many_switches_at_once_end_at_the_last(tmp_path: Path) -> None:
    async with serving(handler) as port, looking() as (session, _):
        view = View(Settings(), str(kubeconfig(tmp_path, port, prod="bank")), None, ())
        await asyncio.gather(*(session.look_at(view) for _ in range(5)), session.look_at(view))
        await session.look_in(("last",))
        await until(lambda: session.version)

        assert session.namespaces == ("last",)


async def test_a_broken_kubeconfig_makes_every_cluster_pane_say_why(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("contexts: [")
    async with looking() as (session, feeds):
        await session.look_at(View(Settings(), str(file), None, ()))
        await until(lambda: set(CLUSTER_SOURCES) <= feeds.latest.keys())

        for source in CLUSTER_SOURCES:
            freshness = feeds.latest[source].freshness
            assert freshness.state is State.UNAVAILABLE
            assert str(file) in freshness.detail
    assert sessions.RETRY_SECONDS > 0
