"""Two drills of one seed are the same to whoever asks their API, whenever they begin; those of two seeds are not."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from drill import helm
from drill.clock import parse_instant
from drill.platform import Platform
from tests.drill.wire import PROD, Wire

Json = dict[str, Any]
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
LISTS = (
    "/api/v1/nodes",
    f"/api/v1/namespaces/{PROD}/pods",
    f"/api/v1/namespaces/{PROD}/services",
    f"/api/v1/namespaces/{PROD}/endpoints",
    f"/apis/apps/v1/namespaces/{PROD}/replicasets",
    "/apis/metrics.k8s.io/v1beta1/nodes",
    f"/apis/metrics.k8s.io/v1beta1/namespaces/{PROD}/pods",
)


def told(found: Any, start: float) -> Any:
    """The same with each instant as what it is since the start, in milliseconds."""
    if isinstance(found, dict):
        return {key: told(value, start) for key, value in found.items()}
    if isinstance(found, list):
        return [told(value, start) for value in found]
    if isinstance(found, str):
        return STAMP.sub(lambda at: f"{(parse_instant(at[0]) - int(start)) * 1000:.0f}", found)
    return found


async def drill(scenario: str, seed: int, start: float, directory: Path) -> Mapping[str, Any]:
    """What a platform tells about itself that begins at ``start`` and whose clock stands still."""
    platform = Platform(scenario, seed=seed, source=lambda: start, directory=directory)
    try:
        running = await platform.start()
        context = ssl.create_default_context(cadata=platform.server.ca_pem)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            wire = Wire(platform.server, session)
            found: dict[str, Any] = {path: (await wire.get(path)).body["items"] for path in LISTS}
            events: list[Json] = (await wire.get("/api/v1/events")).body["items"]
            for event in events:  # named after the instant on the wall, as everywhere
                event["metadata"]["name"] = event["metadata"]["name"].rpartition(".")[0]
            found["events"] = events
            secrets: list[Json] = (await wire.get(f"/api/v1/namespaces/{PROD}/secrets")).body["items"]
            found["releases"] = [
                [helm.decode(one["data"]["release"]), one["metadata"]["labels"]["status"], one["metadata"]["uid"]]
                for one in secrets
                if one["type"] == helm.SECRET_TYPE
            ]
            names = [pod["metadata"]["name"] for pod in found[LISTS[1]]]
            found["logs"] = {
                name: (await wire.get(f"{LISTS[1]}/{name}/log?timestamps=true&sinceSeconds=780")).body
                for name in names
                if name.startswith(("account-service-", "identity-service-"))
            }
        checkout = running.kubeconfig.parent / "banking-platform"
        git = await asyncio.create_subprocess_exec(
            "git", "-C", str(checkout), "log", "--format=%aI %an %s%n%b", "--stat", stdout=asyncio.subprocess.PIPE
        )
        found["commits"] = (await git.communicate())[0].decode()
    finally:
        await platform.stop()
    return {key: told(value, start) for key, value in found.items()}


async def test_one_seed_is_one_drill_to_whoever_asks_whenever_it_begins(tmp_path: Path) -> None:
    for scenario in ("service-outage-database", "security-incident"):
        first = await drill(scenario, 3, 1_764_000_000.1, tmp_path)
        again = await drill(scenario, 3, 1_765_123_456.9, tmp_path)
        for what in first:
            assert first[what] == again[what], (scenario, what)
    other = await drill(scenario, 4, 1_764_000_000.1, tmp_path)
    assert [what for what in first if first[what] == other[what]] == ["/apis/metrics.k8s.io/v1beta1/nodes"]
