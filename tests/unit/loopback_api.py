"""A Kubernetes-like API on loopback for one test: handlers by path, and a `Cluster` connected through a kubeconfig."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from probes.cluster import Cluster

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusal(code: int, reason: str, message: str) -> web.Response:
    """A Status body as the API server sends it."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    return web.json_response(status | {"code": code}, status=code)


@asynccontextmanager
async def serving(handler: Handler, *, port: int = 0) -> AsyncIterator[int]:
    """Serve every GET with `handler`; yields the port."""
    application = web.Application()
    application.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_port=True).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def keep(port: int) -> socket.socket:
    """As long as this is open nobody else gets the port, also while nobody listens there: who comes is refused."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(("127.0.0.1", port))
    return holder


@asynccontextmanager
async def connected(port: int, directory: Path) -> AsyncIterator[Cluster]:
    """A cluster that talks to that port as user ``lead``, closed at the end."""
    kubeconfig: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "prod",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "lead", "user": {"token": "t"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "lead", "namespace": "bank"}}],
    }
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    cluster = await Cluster.connect(str(path))
    try:
        yield cluster
    finally:
        await cluster.close()
