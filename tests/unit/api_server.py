"""A small API server on loopback for tests of the probes: lists in pages, watches, and every way of refusing.

It answers in the forms that a Kubernetes 1.36 server was recorded with. Tests change its objects and its mood.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from aiohttp import web

from probes.cluster import Cluster
from probes.errors import ProbeError
from probes.freshness import Snapshot, State
from tests.unit.loopback_api import keep

RowT = TypeVar("RowT")

TOKEN = "loopback-token"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    """A ``Status`` body."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def forbidden(verb: str, resource: str, group: str = "", namespace: str = "", user: str = "viewer") -> dict[str, Any]:
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    dotted = f"{resource}.{group}" if group else resource
    return status(
        403,
        "Forbidden",
        f'{dotted} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group "{group}" {where}',
    )


@dataclass
class Watcher:
    path: str
    since: int
    changes: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)


class ApiServer:
    """``requests`` holds "PATH?QUERY" of every request in order. ``refusals`` maps a path to (code, body)."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.authorizations: list[str] = []
        self.accepts: list[str] = []
        self.tokens = {TOKEN}
        self.refusals: dict[str, tuple[int, Any]] = {}
        self.retry_after: str | None = None
        self.answers: dict[str, Answer] = {}
        self.namespaces = {"default", "prod"}
        self.frozen = asyncio.Event()  # set: nothing is answered any more
        self.thaw = asyncio.Event()
        self.close_watches_at_once = False
        self.compacted = 0  # watches from before this get 410
        self.compacted_as_status = False  # 410 as HTTP status instead of an ERROR event
        self.expire_continues = 0  # so many continue tokens are answered 410
        self.watchers: list[Watcher] = []
        self.lists = 0
        self.url = ""
        self._collections: dict[str, dict[str, dict[str, Any]]] = {}
        self._version = 100
        self._uids = itertools.count(1)
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._kept: socket.socket | None = None

    # ------------------------------------------------------------ running

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_port=True).start()
        self._port = self._runner.addresses[0][1]
        self._kept = self._kept or keep(self._port)
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Hang up on everyone and listen no more; `start` comes back on the same port."""
        self.thaw.set()
        self.end_watches()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def end(self) -> None:
        """As `stop`; it does not come back."""
        await self.stop()
        if self._kept is not None:
            self._kept.close()

    def kubeconfig(self, directory: Path, user: dict[str, Any] | None = None, **cluster: Any) -> str:
        path = directory / "kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "current-context": "loop",
                    "contexts": [{"name": "loop", "context": {"cluster": "loop", "user": "me", "namespace": "prod"}}],
                    "clusters": [{"name": "loop", "cluster": {"server": self.url, **cluster}}],
                    "users": [{"name": "me", "user": {"token": TOKEN} if user is None else user}],
                }
            )
        )
        return str(path)

    # ------------------------------------------------------------ objects

    def put(self, path: str, thing: dict[str, Any]) -> dict[str, Any]:
        """Create or change an object of the collection at ``path``; watchers hear of it."""
        self._version += 1
        meta = thing.setdefault("metadata", {})
        meta.setdefault("uid", f"uid-{next(self._uids)}")
        meta["resourceVersion"] = str(self._version)
        collection = self._collections.setdefault(path, {})
        kind = "MODIFIED" if meta["uid"] in collection else "ADDED"
        collection[meta["uid"]] = thing
        self._tell(path, kind, thing)
        return thing

    def delete(self, path: str, uid: str) -> None:
        self._version += 1
        thing = self._collections[path].pop(uid)
        thing["metadata"]["resourceVersion"] = str(self._version)
        self._tell(path, "DELETED", thing)

    def bookmark(self, path: str) -> None:
        self._version += 1
        self._tell(path, "BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": str(self._version)}})

    def forget(self, path: str, uid: str) -> None:
        """Remove an object without telling the watchers, as if it happened while nobody listened."""
        self._version += 1
        del self._collections[path][uid]

    def compact(self) -> None:
        self._version += 1
        self.compacted = self._version

    def send(self, line: bytes) -> None:
        for watcher in self.watchers:
            watcher.changes.put_nowait(line)

    def end_watches(self) -> None:
        for watcher in self.watchers:
            watcher.changes.put_nowait(None)

    def count(self, text: str) -> int:
        return sum(text in request for request in self.requests)

    # ------------------------------------------------------------ answering

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path_qs)
        self.authorizations.append(request.headers.get("Authorization", ""))
        self.accepts.append(request.headers.get("Accept", ""))
        if self.frozen.is_set():
            await self.thaw.wait()
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return web.json_response(status(401, "Unauthorized", "Unauthorized"), status=401)
        path = request.path
        if path in self.refusals:
            code, body = self.refusals[path]
            headers = {"Retry-After": self.retry_after} if self.retry_after else {}
            if isinstance(body, str):
                return web.Response(status=code, text=body, headers=headers)
            return web.json_response(body, status=code, headers=headers)
        if path in self.answers:
            return await self.answers[path](request)
        if path == "/version":
            return web.json_response({"gitVersion": "v1.36.2", "major": "1", "minor": "36"})
        if path.startswith("/api/v1/namespaces/") and path.count("/") == 4:
            name = path.rsplit("/", 1)[1]
            if name in self.namespaces:
                return web.json_response({"kind": "Namespace", "metadata": {"name": name}})
            return web.json_response(status(404, "NotFound", f'namespaces "{name}" not found'), status=404)
        if request.query.get("watch"):
            return await self._watch(request)
        return self._list(request)

    def _list(self, request: web.Request) -> web.Response:
        self.lists += 1
        things = list(self._collections.get(request.path, {}).values())
        begin, token = 0, request.query.get("continue", "")
        if token:
            if self.expire_continues:
                self.expire_continues -= 1
                message = "The provided continue parameter is too old"
                return web.json_response(status(410, "Expired", message), status=410)
            try:
                begin = int(base64.urlsafe_b64decode(token))
            except ValueError:
                message = "invalid continue token: continue key is not valid"
                return web.json_response(status(400, "BadRequest", message), status=400)
        limit = int(request.query.get("limit", "0")) or len(things) or 1
        meta: dict[str, Any] = {"resourceVersion": str(self._version)}
        if begin + limit < len(things):
            meta["continue"] = base64.urlsafe_b64encode(str(begin + limit).encode()).decode()
            meta["remainingItemCount"] = len(things) - begin - limit
        return web.json_response({"kind": "List", "metadata": meta, "items": things[begin : begin + limit]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        since = int(request.query.get("resourceVersion") or 0)
        too_old = status(410, "Expired", f"too old resource version: {since} ({self._version})")
        if since < self.compacted and self.compacted_as_status:
            return web.json_response(too_old, status=410)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if since < self.compacted:
            await response.write(json.dumps({"type": "ERROR", "object": too_old}).encode() + b"\n")
            return response
        if self.close_watches_at_once:
            return response
        watcher = Watcher(request.path, since)
        for thing in self._collections.get(request.path, {}).values():
            if int(thing["metadata"]["resourceVersion"]) > since:
                watcher.changes.put_nowait(json.dumps({"type": "MODIFIED", "object": thing}).encode() + b"\n")
        self.watchers.append(watcher)
        try:
            while (line := await watcher.changes.get()) is not None:
                await response.write(line)
        finally:
            self.watchers.remove(watcher)
        return response

    def _tell(self, path: str, kind: str, thing: dict[str, Any]) -> None:
        line = json.dumps({"type": kind, "object": thing}).encode() + b"\n"
        for watcher in self.watchers:
            if watcher.path == path:
                watcher.changes.put_nowait(line)


@asynccontextmanager
async def api_server() -> AsyncIterator[ApiServer]:
    server = ApiServer()
    await server.start()
    try:
        yield server
    finally:
        await server.end()


@asynccontextmanager
async def connected(server: ApiServer, directory: Path, user: dict[str, Any] | None = None) -> AsyncIterator[Cluster]:
    """A connection whose heart beats fast enough for tests, and waits as long for an answer as ever."""
    cluster = await Cluster.connect(server.kubeconfig(directory, user))
    cluster.heartbeat.every, cluster.heartbeat.limit = 0.1, 30.0
    try:
        yield cluster
    finally:
        await cluster.close()


async def until(condition: Callable[[], bool], limit: float = 60.0) -> None:
    """Come back when the condition holds."""
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110  (what is waited for is the product's state, which has no event)
            await asyncio.sleep(0.005)


async def raised(awaitable: Awaitable[Any]) -> ProbeError:
    """The error that an awaitable must end with."""
    try:
        result = await awaitable
    except ProbeError as error:
        return error
    raise AssertionError(f"nothing was raised, but answered: {result!r}")


async def first_answer(
    snapshots: AsyncGenerator[Snapshot[RowT], None], condition: Callable[[Snapshot[RowT]], bool] | None = None
) -> Snapshot[RowT]:
    """The first snapshot that is not loading and holds to the condition."""
    async with aclosing(snapshots):
        async for snapshot in snapshots:
            if snapshot.freshness.state is not State.LOADING and (condition is None or condition(snapshot)):
                return snapshot
    raise AssertionError("the snapshots ended")


def pod(name: str, namespace: str = "prod", **more: Any) -> dict[str, Any]:
    """A running pod as a server sends it, reduced to what matters."""
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": "2026-11-23T07:37:59Z",
            "labels": {"app.kubernetes.io/name": "payment-service", "pod-template-hash": "755cc495fc"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "payment-service-755cc495fc", "controller": True}],
            **more.pop("metadata", {}),
        },
        "spec": {"nodeName": "aks-1", "containers": [{"name": "app", "image": "bankingacr.example/payment:1"}]},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-23T07:38:00Z"}],
            "containerStatuses": [
                {
                    "name": "app",
                    "ready": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": "2026-11-23T07:38:00Z"}},
                    "lastState": {},
                }
            ],
        },
        **more,
    }
