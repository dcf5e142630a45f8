"""The connection: requests, refusals, streams and time limits, against servers on loopback."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from aiohttp import web

from probes.access import can_i
from probes.cluster import Scope
from probes.errors import BadAnswer, Forbidden, NotFound, Unreachable
from tests.unit.api_server import TOKEN, ApiServer, api_server, connected, forbidden, raised, status


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        yield running


# ---------------------------------------------------------------- requests


async def test_connecting_sends_nothing(server: ApiServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as cluster:
        assert (cluster.context, cluster.user, cluster.namespace) == ("loop", "me", "prod")
        assert cluster.server == server.url
    assert server.requests == []


async def test_the_version_is_asked_with_the_token(server: ApiServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as cluster:
        assert await cluster.version() == "v1.36.2"
    assert server.authorizations == [f"Bearer {TOKEN}"]


async def test_refusals_become_errors_that_say_what_happened(server: ApiServer, tmp_path: Path) -> None:
    server.refusals = {
        "/f": (403, forbidden("list", "secrets", namespace="prod")),
        "/g": (403, status(403, "Forbidden", 'forbidden: User "me" cannot get path "/g"')),
        "/n": (404, status(404, "NotFound", 'pods "x" not found')),
        "/p": (404, "404 page not found\n"),
        "/b": (400, status(400, "BadRequest", "invalid continue token")),
        "/h": (502, "<html><body><h1>Bad Gateway</h1></body></html>"),
        "/r": (429, status(429, "TooManyRequests", "slow down")),
    }
    server.retry_after = "7"
    async with connected(server, tmp_path) as cluster:
        error = await raised(cluster.get("/f"))
        assert isinstance(error, Forbidden)
        assert str(error) == "cannot list secrets in namespace prod: forbidden for viewer"
        assert error.hint == "kubectl auth can-i list secrets -n prod"
        assert str(await raised(cluster.get("/g"))) == "cannot get /g: forbidden for me"
        error = await raised(cluster.get("/n"))
        assert isinstance(error, NotFound)
        assert str(error) == 'pods "x" not found'
        assert str(await raised(cluster.get("/p"))) == "404 page not found"
        error = await raised(cluster.get("/b"))
        assert isinstance(error, BadAnswer)
        assert error.status == 400
        error = await raised(cluster.get("/h"))
        assert isinstance(error, Unreachable)
        assert str(error) == "the server cannot answer now (502): Bad Gateway"
        error = await raised(cluster.get("/r"))
        assert error.retry_after == 7.0


async def test_a_get_has_a_hard_limit(server: ApiServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as cluster:
        server.frozen.set()
        error = await raised(cluster.get("/version", timeout=0.2))
        assert isinstance(error, Unreachable)
        assert "does not answer" in str(error)


async def test_a_body_that_stops_halfway_has_a_hard_limit_too(server: ApiServer, tmp_path: Path) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"items": [')
        await server.thaw.wait()
        return response

    server.answers["/half"] = half
    async with connected(server, tmp_path) as cluster:
        assert isinstance(await raised(cluster.get("/half", timeout=0.2)), Unreachable)


async def test_a_server_that_is_not_there_is_refused_in_plain_words(server: ApiServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as cluster:
        await server.stop()
        error = await raised(cluster.version())
        assert str(error) == f"cannot connect to {server.url}: connection refused"


async def test_something_else_than_kubernetes_is_noticed(server: ApiServer, tmp_path: Path) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>It works!</html>")

    server.answers["/version"] = page
    async with connected(server, tmp_path) as cluster:
        assert isinstance(await raised(cluster.version()), BadAnswer)


@pytest.mark.parametrize("size", [20, 100_000, 3_000_000])
async def test_an_answer_in_gzip_is_what_it_was_before(server: ApiServer, tmp_path: Path, size: int) -> None:
    body = bytes(i * i % 251 for i in range(size))

    async def packed(request: web.Request) -> web.Response:
        assert "gzip" in request.headers["Accept-Encoding"]
        return web.Response(body=gzip.compress(body, 1), headers={"Content-Encoding": "gzip"})

    server.answers["/g"] = packed
    async with connected(server, tmp_path) as cluster:
        assert await cluster.get("/g") == body


@pytest.mark.parametrize("size", [20, 100_000])
async def test_what_says_that_it_is_gzip_and_is_not_is_told(server: ApiServer, tmp_path: Path, size: int) -> None:
    async def broken(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * size, headers={"Content-Encoding": "gzip"})

    server.answers["/g"] = broken
    async with connected(server, tmp_path) as cluster:
        assert "a body that is not gzip" in str(await raised(cluster.get("/g")))


async def test_redirects_are_not_followed_with_the_credential(server: ApiServer, tmp_path: Path) -> None:
    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound("/elsewhere")

    server.answers["/moved"] = away
    async with connected(server, tmp_path) as cluster:
        assert isinstance(await raised(cluster.get("/moved")), BadAnswer)
    assert "/elsewhere" not in server.requests


async def test_a_closed_connection_says_so(server: ApiServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as cluster:
        await cluster.close()
        assert isinstance(await raised(cluster.version()), Unreachable)


async def test_access_reviews_are_read(server: ApiServer, tmp_path: Path) -> None:
    async def review(request: web.Request) -> web.Response:
        asked = (await request.json())["spec"]["resourceAttributes"]
        allowed = asked == {"verb": "patch", "resource": "deployments", "group": "apps", "namespace": "prod"}
        return web.json_response({"status": {"allowed": allowed, "reason": "RBAC"}}, status=201)

    server.answers["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"] = review
    async with connected(server, tmp_path) as cluster:
        assert await can_i(cluster, "patch", "deployments", "apps", "prod")
        assert await can_i(cluster, "delete", "pods") == (False, "RBAC")


def test_a_scope_without_names_means_everything() -> None:
    assert str(Scope()) == "all namespaces"
    assert str(Scope(("a", "b"))) == "a, b"


# ---------------------------------------------------------------- streams


async def test_lines_are_split_wherever_the_chunks_end(server: ApiServer, tmp_path: Path) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in (b"one\ntw", b"o\n", b"", b"\nthree\nfo", b"ur"):
            if chunk:
                await response.write(chunk)
                await asyncio.sleep(0.01)
        return response

    server.answers["/s"] = stream
    async with connected(server, tmp_path) as cluster:
        lines = [line async for line in cluster.lines("/s", idle_timeout=60)]
    assert lines == [b"one", b"two", b"", b"three", b"four"]


async def test_a_silent_stream_ends_in_an_error(server: ApiServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as cluster:
        lines = cluster.lines("/api/v1/pods", {"watch": "1"}, idle_timeout=0.2)
        assert isinstance(await raised(anext(lines)), Unreachable)


async def test_a_line_of_several_megabytes_fits_and_an_endless_one_does_not(server: ApiServer, tmp_path: Path) -> None:
    async def long(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * 5 * 2**20 + b"\n")
        while True:
            await response.write(b"y" * 2**20)

    server.answers["/long"] = long
    async with connected(server, tmp_path) as cluster, aclosing(cluster.lines("/long", idle_timeout=60)) as lines:
        assert len(await anext(lines)) == 5 * 2**20
        with pytest.raises(BadAnswer, match="longer than 8 MiB"):
            await anext(lines)


async def test_hanging_up_reaches_the_server(server: ApiServer, tmp_path: Path) -> None:
    async with connected(server, tmp_path) as cluster:
        opened = asyncio.Event()
        lines = cluster.lines("/api/v1/pods", {"watch": "1"}, idle_timeout=60, opened=opened.set)
        waiting = asyncio.ensure_future(anext(lines))
        await asyncio.wait_for(opened.wait(), 60)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await lines.aclose()


# ---------------------------------------------------------------- imports


def run_python(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_probes_brings_in_neither_aiohttp_nor_kubernetes() -> None:
    script = (
        "import sys, probes.pods, probes.nodes, probes.workloads, probes.events, probes.usage, probes.access\n"
        "print([name for name in ('aiohttp', 'kubernetes', 'yaml', 'textual') if name in sys.modules])"
    )
    assert run_python(script) == "[]"


def test_the_lean_import_leaves_the_real_packages_importable() -> None:
    script = (
        "import sys\n"
        "from probes import lean_kubernetes\n"
        "lean = lean_kubernetes.load()\n"
        "assert 'kubernetes' not in sys.modules and 'kubernetes.aio.client.api.core_v1_api' not in sys.modules\n"
        "import kubernetes.aio\n"
        "assert kubernetes.aio.client.Configuration is lean.Configuration\n"
        "print(kubernetes.aio.client.CoreV1Api.__name__, lean_kubernetes.load() == lean)"
    )
    assert run_python(script) == "CoreV1Api True"
