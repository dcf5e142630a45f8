"""Usage of nodes and pods: measured, missing, refused, standing still, and coming back."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from probes.cluster import Cluster, Scope
from probes.freshness import State
from probes.usage import UsageProbe
from tests.unit.api_server import ApiServer, api_server, connected, first_answer, forbidden

IN_PROD = Scope(("prod",))
METRICS = "/apis/metrics.k8s.io/v1beta1"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        yield running


@pytest.fixture
async def cluster(server: ApiServer, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with connected(server, tmp_path) as connection:
        yield connection


def measured(name: str, seconds_ago: float = 2.0, **more: Any) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))
    return {"metadata": {"name": name}, "timestamp": at, "window": "15s", **more}


def put_metrics(server: ApiServer, seconds_ago: float = 2.0) -> None:
    server.put(f"{METRICS}/nodes", measured("aks-1", seconds_ago, usage={"cpu": "5049m", "memory": "6Gi"}))
    containers = [{"usage": {"cpu": "250m", "memory": "100Mi"}}, {"usage": {"cpu": "155n", "memory": "1Ki"}}]
    metrics = measured("p", seconds_ago, containers=containers)
    metrics["metadata"]["namespace"] = "prod"
    server.put(f"{METRICS}/namespaces/prod/pods", metrics)


async def test_usage_of_nodes_and_pods_is_summed_in_cores_and_bytes(server: ApiServer, cluster: Cluster) -> None:
    put_metrics(server)
    snapshot = await first_answer(UsageProbe(cluster, IN_PROD).watch())
    assert snapshot.freshness.state is State.LIVE
    assert (snapshot.rows["aks-1"].cpu, snapshot.rows["aks-1"].memory) == (5.049, 6 * 2**30)
    assert snapshot.rows["prod/p"].cpu == pytest.approx(0.250000155)
    assert snapshot.rows["prod/p"].memory == 100 * 2**20 + 1024


async def test_no_metrics_server_is_said_in_these_words(server: ApiServer, cluster: Cluster) -> None:
    for path in ("nodes", "namespaces/prod/pods"):
        server.refusals[f"{METRICS}/{path}"] = (404, "404 page not found\n")
    freshness = (await first_answer(UsageProbe(cluster, IN_PROD).watch())).freshness
    assert freshness.state is State.UNAVAILABLE
    assert freshness.detail == "no metrics server: metrics.k8s.io is not served by this cluster"


async def test_a_metrics_server_that_is_registered_but_gone_is_told_apart(server: ApiServer, cluster: Cluster) -> None:
    for path in ("nodes", "namespaces/prod/pods"):
        server.refusals[f"{METRICS}/{path}"] = (503, "service unavailable\n")
    freshness = (await first_answer(UsageProbe(cluster, IN_PROD).watch())).freshness
    assert freshness.state is State.UNAVAILABLE
    assert "the metrics server behind metrics.k8s.io does not answer" in freshness.detail
    assert freshness.hint == "kubectl get apiservice v1beta1.metrics.k8s.io"


async def test_measurements_that_stand_still_are_stale(server: ApiServer, cluster: Cluster) -> None:
    put_metrics(server, seconds_ago=300)
    snapshot = await first_answer(UsageProbe(cluster, IN_PROD).watch())
    assert snapshot.freshness.state is State.STALE
    assert snapshot.freshness.detail.startswith("the metrics server has measured nothing since ")
    assert snapshot.freshness.confirmed == pytest.approx(time.time() - 300, abs=10)
    assert len(snapshot.rows) == 2


async def test_forbidden_metrics_are_forbidden_not_missing(server: ApiServer, cluster: Cluster) -> None:
    put_metrics(server)
    server.refusals[f"{METRICS}/nodes"] = (403, forbidden("list", "nodes", "metrics.k8s.io"))
    snapshot = await first_answer(UsageProbe(cluster, IN_PROD).watch())
    assert snapshot.freshness.state is State.LIVE
    assert snapshot.freshness.detail == "cannot list nodes.metrics.k8s.io at the cluster scope: forbidden for viewer"
    assert set(snapshot.rows) == {"prod/p"}


async def test_a_dead_server_makes_usage_stale_and_it_recovers(server: ApiServer, cluster: Cluster) -> None:
    put_metrics(server)
    async with aclosing(UsageProbe(cluster, IN_PROD, interval=0.05).watch()) as snapshots:
        seen: list[State] = []
        async for snapshot in snapshots:
            state = snapshot.freshness.state
            if not seen or seen[-1] is not state:
                seen.append(state)
            if state is State.LIVE and len(seen) == 2:
                await server.stop()
            if state is State.STALE and server.thaw.is_set():  # stopped, and not started again yet
                assert set(snapshot.rows) == {"aks-1", "prod/p"}
                server.thaw.clear()
                await server.start()
            if len(seen) == 4:
                break
    assert seen == [State.LOADING, State.LIVE, State.STALE, State.LIVE]


async def test_metrics_that_are_no_list_are_not_believed(server: ApiServer, cluster: Cluster) -> None:
    async def nonsense(request: web.Request) -> web.Response:
        return web.Response(text="[]")

    server.answers[f"{METRICS}/nodes"] = server.answers[f"{METRICS}/pods"] = nonsense
    freshness = (await first_answer(UsageProbe(cluster, Scope()).watch())).freshness
    assert freshness.state is State.UNAVAILABLE
    assert "does not answer a list" in freshness.detail
