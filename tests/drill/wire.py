"""A raw HTTP client for the platform's API server, and a small cluster to ask about; no Kubernetes library between."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from drill.kinds import kind
from drill.podlogs import LogOptions, LogProvider
from drill.reads import MetricsProvider
from drill.server import ApiServer
from drill.store import ObjectStore

Json = dict[str, Any]
PROD = "banking-platform-prod"
PODS = f"/api/v1/namespaces/{PROD}/pods"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{PROD}/deployments/payment-service"


@dataclass(frozen=True)
class Answer:
    """Status, headers and decoded body (text if it is not JSON)."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def refusal(self) -> tuple[int, str]:
        return self.status, self.body["reason"]


class Wire:
    """Speaks to one server as one user after another."""

    def __init__(self, server: ApiServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    def headers(self, user: str | None, **more: str) -> dict[str, str]:
        token = {"Authorization": f"Bearer {self.server.tokens.get(user, 'wrong')}"} if user else {}
        return {**token, **{name.replace("_", "-"): value for name, value in more.items()}}

    async def ask(
        self, method: str, path: str, body: object = None, *, user: str | None = "admin", **headers: str
    ) -> Answer:
        if body is not None:
            headers.setdefault("Content_Type", "application/json")
        data = None if body is None else msgspec.json.encode(body)
        sent = self.headers(user, **headers)
        async with self.session.request(method, self.server.url + path, data=data, headers=sent) as response:
            raw = await response.read()
            decoded = msgspec.json.decode(raw) if "json" in response.content_type else raw.decode()
            return Answer(response.status, dict(response.headers), decoded)

    async def get(self, path: str, *, user: str | None = "admin", **headers: str) -> Answer:
        return await self.ask("GET", path, user=user, **headers)

    @asynccontextmanager
    async def watch(self, path: str, *, user: str = "admin", **headers: str) -> AsyncIterator[AsyncIterator[Json]]:
        """The events of a watch, as they come."""
        async with self.session.get(self.server.url + path, headers=self.headers(user, **headers)) as response:
            assert response.status == 200

            async def events() -> AsyncIterator[Json]:
                buffer = b""
                async for chunk in response.content.iter_any():
                    *lines, buffer = (buffer + chunk).split(b"\n")
                    for line in lines:
                        yield msgspec.json.decode(line)

            yield events()


async def next_event(events: AsyncIterator[Json]) -> Json:
    async with asyncio.timeout(60):
        return await anext(events)


async def until_end(events: AsyncIterator[Json]) -> list[Json]:
    async with asyncio.timeout(60):
        return [event async for event in events]


class SomeLogs:
    """Ten lines per container; following adds one more and then waits for ever."""

    def __init__(self) -> None:
        self.asked: list[LogOptions] = []

    async def __call__(self, pod: Json, options: LogOptions) -> AsyncIterator[bytes]:
        self.asked.append(options)
        stamp = "2026-11-23T07:38:40.458282000Z " if options.timestamps else ""
        lines = [f"{stamp}{options.container} line {number}\n".encode() for number in range(10)]
        yield b"".join(lines if options.tail is None else lines[len(lines) - min(options.tail, 10) :])
        if options.follow:
            yield b"one more\n"
            await asyncio.Event().wait()


class SomeMetrics:
    """One node and one pod."""

    def nodes(self) -> list[Json]:
        usage = {"cpu": "5049m", "memory": "6Gi"}
        return [{"metadata": {"name": "node-1"}, "timestamp": "2026-11-23T07:38:38Z", "window": "15s", "usage": usage}]

    def pods(self, namespace: str | None) -> list[Json]:
        containers = [{"name": "payment-service", "usage": {"cpu": "12m", "memory": "60Mi"}}]
        metadata = {"name": "payment-service-a", "namespace": PROD}
        pod = {"metadata": metadata, "timestamp": "2026-11-23T07:38:38Z", "window": "15s", "containers": containers}
        return [pod] if namespace in (None, PROD) else []


def a_pod(name: str, *, app: str = "payment-service", node: str = "node-1") -> Json:
    return {
        "metadata": {"name": name, "namespace": PROD, "labels": {"app": app}},
        "spec": {"nodeName": node, "containers": [{"name": app, "image": f"{app}:1"}]},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.1",
            "containerStatuses": [
                {"name": app, "ready": True, "restartCount": 0, "state": {"running": {"startedAt": None}}}
            ],
        },
    }


def a_deployment(name: str = "payment-service", replicas: int = 3) -> Json:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": PROD, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": name, "image": f"{name}:1"}]},
            },
        },
    }


def a_cluster() -> ObjectStore:
    """Two namespaces, a node, five pods of payment-service, two of account-service, a deployment, secrets, an event."""
    store = ObjectStore()
    for namespace in ("default", PROD):
        store.create(kind("namespaces"), {"metadata": {"name": namespace}, "status": {"phase": "Active"}})
    ready = [{"type": "Ready", "status": "True"}]
    store.create(
        kind("nodes"),
        {
            "metadata": {"name": "node-1"},
            "spec": {},
            "status": {"conditions": ready, "capacity": {"cpu": "8"}, "allocatable": {"cpu": "8", "memory": "32Gi"}},
        },
    )
    for letter in "abcde":
        store.create(kind("pods"), a_pod(f"payment-service-{letter}"))
    for letter in "ab":
        store.create(kind("pods"), a_pod(f"account-service-{letter}", app="account-service", node="node-2"))
    status = {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}
    store.create(kind("deployments"), {**a_deployment(), "status": status}, manager="helm")
    for revision in (1, 2):
        labels = {"owner": "helm", "name": "web", "version": str(revision)}
        metadata = {"name": f"sh.helm.release.v1.web.v{revision}", "namespace": PROD, "labels": labels}
        store.create(
            kind("secrets"), {"metadata": metadata, "type": "helm.sh/release.v1", "data": {"release": "SDRzSQ=="}}
        )
    store.create(
        kind("events"),
        {
            "metadata": {"name": "payment-service-a.1", "namespace": PROD},
            "involvedObject": {"kind": "Pod", "namespace": PROD, "name": "payment-service-a", "uid": "u"},
            "reason": "BackOff",
            "message": "Back-off restarting failed container",
            "source": {"component": "kubelet", "host": "node-1"},
            "firstTimestamp": "2026-11-23T07:37:59Z",
            "lastTimestamp": "2026-11-23T07:38:59Z",
            "count": 7,
            "type": "Warning",
            "eventTime": None,
            "reportingComponent": "kubelet",
            "reportingInstance": "node-1",
        },
    )
    return store


@asynccontextmanager
async def serving(
    store: ObjectStore | None = None,
    *,
    logs: LogProvider | None = None,
    metrics: MetricsProvider | None = None,
    bookmark_every: float = 8.0,
) -> AsyncIterator[Wire]:
    """A server on loopback and a client for it."""
    server = ApiServer(
        store or a_cluster(),
        logs=logs or SomeLogs(),
        metrics=metrics,
        bookmark_every=bookmark_every,
    )
    await server.start()
    context = ssl.create_default_context(cadata=server.ca_pem)
    connector = aiohttp.TCPConnector(ssl=context)
    timeout = aiohttp.ClientTimeout(total=90)
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            yield Wire(server, session)
    finally:
        await server.stop()
