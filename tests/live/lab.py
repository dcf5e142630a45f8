"""A running lab as the live tests use it: raw requests, the runbook's services, faults that end, kubectl's words.

It speaks HTTPS with the kubeconfig's token, because kubectl may not be installed where these tests run.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from probes.wire import instant

Json = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
"""Seconds until the lab is given up; it shares the machine with everything else that is tested."""

NODES = "/apis/metrics.k8s.io/v1beta1/nodes"
FRESH = 20.0
"""Seconds within which the pretend kubelets, which measure every 5 s, have measured if nothing keeps them."""

BANKING = (
    "no banking.py: name the script that prints the runbook's services in WARROOM_LAB_BANKING, "
    "or have it in ../shared/lab beside this repository"
)


class Refused(Exception):
    """The API server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True)
class Lab:
    """The lab that runs in ``directory``. Everything written is written as its administrator."""

    directory: Path
    server: str
    tokens: Mapping[str, str]

    @classmethod
    def found_in(cls, directory: Path) -> Lab:
        config = yaml.safe_load((directory / "kubeconfig").read_text(encoding="utf-8"))
        tokens = {user["name"]: user["user"]["token"] for user in config["users"]}
        return cls(directory, config["clusters"][0]["cluster"]["server"], tokens)

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def certificate(self) -> Path:
        """The API server's own certificate, which signed itself."""
        return self.directory / "certs" / "apiserver.crt"

    # ------------------------------------------------------------------ requests

    async def call(
        self, method: str, path: str, body: Json | None = None, *, media: str = "application/json", limit: float = 60.0
    ) -> Json:
        """One request, its answer as JSON. Raises `Refused`, and OSError or TimeoutError when nobody answers."""
        headers = {"Authorization": f"Bearer {self.tokens['admin']}", "Content-Type": media}
        data = None if body is None else json.dumps(body).encode()
        timeout = aiohttp.ClientTimeout(total=limit)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, self.server + path, headers=headers, data=data, ssl=False) as response,
        ):
            text = await response.text()
            if response.status >= 400:
                raise Refused(response.status, text[:300])
            answer: Json = json.loads(text) if text.startswith("{") else {"text": text}
            return answer

    async def items(self, path: str) -> list[Json]:
        found: list[Json] = (await self.call("GET", path))["items"]
        return found

    async def pods(self, namespace: str) -> list[Json]:
        return await self.items(f"/api/v1/namespaces/{namespace}/pods")

    async def merge(self, path: str, body: Json) -> Json:
        return await self.call("PATCH", path, body, media="application/merge-patch+json")

    async def set_image(self, namespace: str, name: str, tag: str) -> None:
        """A rolling update of a service's deployment, as ``kubectl set image`` begins it."""
        image = f"bankingacr.example/{name}:{tag}"
        body = {"spec": {"template": {"spec": {"containers": [{"name": name, "image": image}]}}}}
        media = "application/strategic-merge-patch+json"
        await self.call("PATCH", f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}", body, media=media)

    async def scale(self, namespace: str, name: str, replicas: int) -> None:
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"
        await self.merge(path, {"spec": {"replicas": replicas}})

    async def until(self, condition: Callable[[], Awaitable[object]], what: str, limit: float = PATIENCE) -> None:
        """Wait for something to be so in the cluster. A server that does not answer has not made it so yet."""
        last = ""
        try:
            async with asyncio.timeout(limit):
                while True:
                    try:
                        if await condition():
                            return
                    except (Refused, OSError, TimeoutError, aiohttp.ClientError) as error:
                        last = f" ({error!r})"
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"{what}: not within {limit:g} s{last}") from None

    # ------------------------------------------------------------------ the runbook's services

    @asynccontextmanager
    async def namespace(self, purpose: str) -> AsyncIterator[str]:
        """A namespace of the test's own, deleted with everything in it afterwards."""
        name = f"live-{purpose}-{uuid.uuid4().hex[:6]}"
        await self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        try:
            yield name
        finally:
            await self.call("DELETE", f"/api/v1/namespaces/{name}")

    async def deploy(self, namespace: str, fates: Mapping[str, str], *, replicas: int = 2) -> None:
        """The runbook's five services, the named ones with that fate: crash, oom, nopull, unready or slow."""
        arguments = ["--namespace", namespace, "--replicas", str(replicas)]
        for name, fate in fates.items():
            arguments += ["--bad", f"{name}={fate}"]
        printed = await _output(sys.executable, str(banking()), *arguments)
        for thing in json.loads(printed)["items"]:
            if thing["kind"] == "Namespace":
                continue
            prefix = f"/apis/{thing['apiVersion']}" if "/" in thing["apiVersion"] else f"/api/{thing['apiVersion']}"
            await self.call("POST", f"{prefix}/namespaces/{namespace}/{thing['kind'].lower()}s", thing)

    async def stands(self, namespace: str, name: str, *reasons: str) -> bool:
        """Whether every pod of a service waits for one of these reasons or, without reasons, is ready."""
        pods = [pod for pod in await self.pods(namespace) if pod["metadata"]["name"].startswith(name)]
        statuses = [status for pod in pods for status in pod["status"].get("containerStatuses") or [{}]]
        if not reasons:
            return bool(statuses) and all(status.get("ready") for status in statuses)
        words = [status.get("state", {}).get("waiting", {}).get("reason") for status in statuses]
        return bool(words) and all(word in reasons for word in words)

    # ------------------------------------------------------------------ faults

    @asynccontextmanager
    async def fault(self, name: str) -> AsyncIterator[None]:
        """A fault while the block runs. Afterwards the lab is well again, whatever became of the block."""
        switch = self.directory / "faults" / name
        switch.touch()
        try:
            yield
        finally:
            switch.unlink(missing_ok=True)
            await self.until(self.well, f"the lab well again after {name}")

    def faults(self) -> list[str]:
        return sorted(switch.name for switch in (self.directory / "faults").iterdir())

    async def well(self) -> bool:
        """The API server is ready, every node too, and what they use is being measured."""
        await self.call("GET", "/readyz", limit=3)
        nodes = await self.items("/api/v1/nodes")
        ready = all(
            condition["status"] == "True"
            for node in nodes
            for condition in node["status"]["conditions"]
            if condition["type"] == "Ready"
        )
        measured = [instant(item["timestamp"]) or 0.0 for item in await self.items(NODES)]
        return bool(nodes) and ready and bool(measured) and time.time() - min(measured) < FRESH

    # ------------------------------------------------------------------ what kubectl says

    async def kubectl(self, *arguments: str) -> str:
        """What kubectl prints. Skips the test where there is none."""
        program = shutil.which("kubectl")
        if program is None:
            pytest.skip("no kubectl on PATH to compare with")
        return await _output(program, "--kubeconfig", str(self.kubeconfig), *arguments)

    async def table(self, *arguments: str) -> list[list[str]]:
        """The words of kubectl's table, line by line, without its heading."""
        return [line.split() for line in (await self.kubectl(*arguments, "--no-headers")).splitlines()]


def banking() -> Path:
    """The script that prints the runbook's services. Skips the test where there is none."""
    named = os.environ.get("WARROOM_LAB_BANKING")
    script = Path(named) if named else REPOSITORY.parent / "shared" / "lab" / "banking.py"
    if not script.is_file():
        pytest.skip(BANKING)
    return script


async def _output(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert process.returncode == 0, (command, err.decode())
    return out.decode()
