"""A small API server with one pod to capture, and a gate in front of it; its logs are whatever a test makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from runbook.act import Act
from runbook.gate import Gate
from runbook.mitigations import TABLE
from runbook.plan import Aim, Outcome, Plan
from runbook.playbook import Playbook
from tests.drill.mitigation_desk import Book, agreed
from tests.unit.loopback_api import connected, refusal, serving

Json = dict[str, Any]
Log = Callable[[web.Request], Awaitable[web.StreamResponse]]

POD, NODE = "ledger-0", "node-1"
PODS = "/api/v1/namespaces/bank/pods"
AIM = Aim(kind="Pod", namespace="bank", name=POD, uid="pod-1")


@dataclass
class Bank:
    """``logs`` by container; one that is not there has no log (400), ``gone`` takes the pod away (404)."""

    logs: dict[str, Log] = field(default_factory=dict)
    containers: tuple[str, ...] = ("ledger",)
    spec: Json = field(default_factory=dict)
    uid: str = "pod-1"
    gone: bool = False
    forbidden: tuple[str, ...] = ()  # path endings
    padding: int = 0  # bytes of an annotation of the pod

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path.endswith(self.forbidden) and self.forbidden:
            return refusal(403, "Forbidden", "not for you")
        if path == f"{PODS}/{POD}":
            return self._gone() if self.gone else web.json_response(self.pod())
        if path == f"{PODS}/{POD}/log":
            return await self._log(request)
        if path == f"/api/v1/nodes/{NODE}":
            return web.json_response({"kind": "Node", "metadata": {"name": NODE, "uid": "node-uid"}})
        if path.endswith(("/events", "/services", "/networkpolicies")):
            return web.json_response({"kind": "List", "items": []})
        return refusal(404, "NotFound", "no such thing")

    def pod(self) -> Json:
        containers = [{"name": name, "image": "bank/ledger:1"} for name in self.containers]
        metadata: Json = {"name": POD, "namespace": "bank", "uid": self.uid, "resourceVersion": "7"}
        if self.padding:
            metadata["annotations"] = {"padding": "x" * self.padding}
        spec = {"nodeName": NODE, "containers": containers, **self.spec}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    async def _log(self, request: web.Request) -> web.StreamResponse:
        container = request.query["container"]
        if self.gone:
            return self._gone()
        if request.query.get("previous") or container not in self.logs:
            text = f'previous terminated container "{container}" in pod "{POD}" not found'
            return refusal(400, "BadRequest", text)
        return await self.logs[container](request)

    @staticmethod
    def _gone() -> web.Response:
        return refusal(404, "NotFound", f'pods "{POD}" not found')


def lines(text: bytes, times: int = 1, *, then: Callable[[web.StreamResponse], Awaitable[None]] | None = None) -> Log:
    """A log that is this text so many times. ``then`` happens before it ends."""

    async def log(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(times):
            await response.write(text)
        if then is not None:
            await then(response)
        return response

    return log


def hang_up(response: web.StreamResponse) -> None:
    """Break the connection in the middle of the answer."""
    transport = response._req.transport if response._req is not None else None
    assert transport is not None
    transport.abort()


@dataclass
class Capturing:
    """A gate that can capture, and nothing else."""

    gate: Gate

    async def begun(self, aim: Aim = AIM) -> tuple[Plan, Act]:
        plan = await self.gate.plan("evidence", aim)
        return plan, await self.gate.carry_out(plan, agreed(plan))

    async def captured(self, aim: Aim = AIM) -> tuple[Path, Outcome]:
        """The folder, and the verdict."""
        plan, act = await self.begun(aim)
        async with asyncio.timeout(90):
            outcome = await act.done()
        return folder_of(plan), outcome


def folder_of(plan: Plan) -> Path:
    return Path(plan.steps["evidence"]["folder"])


@asynccontextmanager
async def capturing(port: int, directory: Path) -> AsyncIterator[Capturing]:
    """A gate on the server at that port. ``XDG_STATE_HOME`` says where the evidence goes."""
    async with connected(port, directory) as cluster:
        gate = Gate(cluster, Book([]), TABLE, Playbook(), latest=dict, production=lambda namespace: True)
        try:
            yield Capturing(gate)
        finally:
            await gate.close()


@asynccontextmanager
async def bank_capturing(bank: Bank, directory: Path) -> AsyncIterator[Capturing]:
    """`capturing`, on a bank of the test's own."""
    async with serving(bank.answer) as port, capturing(port, directory) as at:
        yield at
