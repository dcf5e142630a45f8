"""The API server dies exactly between an act's intent and its answer: what became of it is found out by looking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from probes.cluster import Cluster
from runbook.act import Act, Phase
from runbook.plan import Aim, Outcome, Verdict
from tests.drill.mitigation_desk import Book, agreed, until
from tests.live.gate_on_lab import PATIENCE, Desk
from tests.live.go_between import GoBetween, When, standing_between
from tests.live.lab import Lab, Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAME = "account-service"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(lab: Lab) -> AsyncIterator[str]:
    async with lab.namespace("answer") as namespace:
        await lab.deploy(namespace, {})
        await lab.until(lambda: lab.stands(namespace, NAME), "its pods ready")
        yield namespace


async def deployment(lab: Lab, place: str) -> dict[str, Any]:
    return await lab.call("GET", f"/apis/apps/v1/namespaces/{place}/deployments/{NAME}")


async def report_what_went_unheard(lab: Lab, place: str) -> None:
    """Say again, like real kubelets, that a scheduled pod runs.

    The lab's kubelets say it once: what a dead server does not hear leaves the pod Pending for ever.
    """
    for pod in await lab.pods(place):
        status = pod["status"]
        if status.get("phase") != "Pending" or status.get("containerStatuses") or "nodeName" not in pod["spec"]:
            continue
        running = {
            "ready": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": pod["metadata"]["creationTimestamp"]}},
        }
        started = [
            {"name": it["name"], "image": it["image"], "imageID": "", **running} for it in pod["spec"]["containers"]
        ]
        true = [{"type": kind, "status": "True"} for kind in ("Initialized", "Ready", "ContainersReady")]
        path = f"/api/v1/namespaces/{place}/pods/{pod['metadata']['name']}/status"
        body = {"status": {"phase": "Running", "conditions": true, "containerStatuses": started}}
        await lab.call("PATCH", path, body, media="application/strategic-merge-patch+json")


@asynccontextmanager
async def kubelets_that_repeat_themselves(lab: Lab, place: str) -> AsyncIterator[None]:
    async def repeat() -> None:
        while True:
            with suppress(Refused, OSError, aiohttp.ClientError):  # a server that has just started; a pod that went
                await report_what_went_unheard(lab, place)
            await asyncio.sleep(1)

    repeating = asyncio.create_task(repeat())
    try:
        yield
    finally:
        repeating.cancel()
        with suppress(asyncio.CancelledError):
            await repeating


async def lost(lab: Lab, at: Desk, place: str, between: GoBetween) -> tuple[Act, Outcome]:
    """Restart, have the server die over it, look meanwhile, and let it come back."""
    plan = await at.gate.plan("restart", Aim(kind="Deployment", namespace=place, name=NAME))
    act = await at.gate.carry_out(plan, agreed(plan))
    async with asyncio.timeout(PATIENCE):
        await between.died.wait()
    await until(lambda: act.latest.startswith("cannot look yet"), "it looks, and cannot")
    assert (act.phase, act.outcome) == (Phase.LOOKING, None)
    book = at.gate._book
    assert isinstance(book, Book)
    assert book.outcomes == []  # nothing is assumed
    await between.revive()
    async with kubelets_that_repeat_themselves(lab, place), asyncio.timeout(PATIENCE):
        return act, await act.done()


@pytest.mark.parametrize("when", ["before it heard", "before it answered"])
async def test_what_the_server_took_with_it_is_found_out_and_never_sent_twice(
    lab: Lab, place: str, tmp_path: Path, when: When
) -> None:
    before = await deployment(lab, place)
    async with standing_between(lab, tmp_path, when) as (between, kubeconfig):
        at = Desk(await Cluster.connect(str(kubeconfig), "admin"))
        act, outcome = await lost(lab, at, place, between)
        await at.gate.close()
        assert len(between.writes) == 1
    said = [text for _, text in act.progress]
    after = await deployment(lab, place)
    assert "it may have been carried out" in said[0]
    if when == "before it heard":
        assert (outcome.verdict, outcome.sent) == (Verdict.FAILED, False)
        assert "the cluster shows no trace of it" in outcome.text
        assert after["spec"] == before["spec"]
    else:
        assert "it was carried out: the cluster shows it" in said
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert outcome.sent
        assert after["metadata"]["annotations"]["warroom/act"] == act.plan.id
