"""The probes themselves on a real API server: across its restart, on Helm's Secrets, and on the logs it relays."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pytest
import pytest_asyncio

from drill import helm
from probes.cluster import Cluster, Scope
from probes.events import EventsProbe
from probes.freshness import Snapshot, State
from probes.logs import LogLine, LogSource, read_once
from probes.objects import fetch, to_yaml
from probes.pods import PodsProbe
from probes.releases import METADATA_LIST, ReleasesProbe, fetch_release
from probes.workloads import WorkloadsProbe
from tests.live.lab import Lab

pytestmark = pytest.mark.asyncio(loop_scope="module")

RowT = TypeVar("RowT")

PATIENCE = 120.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(lab: Lab) -> AsyncIterator[str]:
    async with lab.namespace("probes") as namespace:
        await lab.deploy(namespace, {"payment-service": "crash", "transaction-service": "nopull"})

        async def settled() -> bool:
            return await lab.stands(namespace, "payment-service", "CrashLoopBackOff") and await lab.stands(
                namespace, "api-gateway"
            )

        await lab.until(settled, "payment-service crash-looping")
        yield namespace


@asynccontextmanager
async def connected(lab: Lab, context: str = "admin") -> AsyncIterator[Cluster]:
    cluster = await Cluster.connect(str(lab.kubeconfig), context)
    try:
        yield cluster
    finally:
        await cluster.close()


@dataclass
class Watched(Generic[RowT]):
    """What a probe has said so far."""

    snapshots: list[Snapshot[RowT]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def last(self) -> Snapshot[RowT]:
        return self.snapshots[-1]

    @property
    def state(self) -> State | None:
        return self.last.freshness.state if self.snapshots else None

    async def until(self, condition: Callable[[Snapshot[RowT]], object], what: str) -> Snapshot[RowT]:
        try:
            async with asyncio.timeout(PATIENCE):
                while not (self.snapshots and condition(self.last)):
                    self.came.clear()
                    await self.came.wait()
        except TimeoutError:
            raise AssertionError(f"{what}: not within {PATIENCE:g} s, but {self.snapshots[-1:]}") from None
        return self.last


@asynccontextmanager
async def watching(snapshots: AsyncGenerator[Snapshot[RowT], None]) -> AsyncIterator[Watched[RowT]]:
    watched: Watched[RowT] = Watched()

    async def follow() -> None:
        async with aclosing(snapshots):
            async for snapshot in snapshots:
                watched.snapshots.append(snapshot)
                watched.came.set()

    task = asyncio.create_task(follow())
    try:
        yield watched
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def live(snapshot: Snapshot[Any]) -> bool:
    return snapshot.freshness.live


async def test_watches_survive_a_restart_of_the_server_and_hold_every_object_once(lab: Lab, place: str) -> None:
    scope = Scope((place,))
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(connected(lab))
        pods = await stack.enter_async_context(watching(PodsProbe(cluster, scope).watch()))
        workloads = await stack.enter_async_context(watching(WorkloadsProbe(cluster, scope).watch()))
        events = await stack.enter_async_context(watching(EventsProbe(cluster, scope).watch()))
        for watched in (pods, workloads, events):
            await watched.until(live, "live")
        before = {row.name for row in pods.last.rows.values()}

        async with lab.fault("api-down"):
            for watched in (pods, workloads, events):
                await watched.until(lambda snapshot: snapshot.freshness.state is State.STALE, "stale")
            assert {row.name for row in pods.last.rows.values()} == before
            await pods.until(lambda snapshot: "connection refused" in snapshot.freshness.detail, "the reason told")
        for watched in (pods, workloads, events):
            await watched.until(live, "live again")

        await lab.scale(place, "account-service", 3)
        await workloads.until(
            lambda snapshot: {row.name: row.desired for row in snapshot.rows.values()}["account-service"] == 3,
            "a change after the restart",
        )
        await pods.until(
            lambda snapshot: sum(row.name.startswith("account-service") for row in snapshot.rows.values()) == 3,
            "the third pod",
        )

        async def same() -> bool:
            held = {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in await lab.pods(place)}
            return held == {uid: row.name for uid, row in pods.last.rows.items()}

        await lab.until(same, "exactly the pods that the server holds")
        assert max(Counter(row.name for row in pods.last.rows.values()).values()) == 1
        assert len(workloads.last.rows) == 5
        said = Counter((row.object_uid, row.reason, row.message) for row in events.last.rows.values())
        assert max(said.values()) == 1
        versions = [snapshot.version for snapshot in pods.snapshots]
        assert versions == sorted(set(versions))


def a_release(namespace: str, revision: int, status: str, app_version: str) -> dict[str, Any]:
    """A revision's Secret as Helm writes it."""
    now = time.time()
    chart = helm.chart_of("banking-platform", f"2.{revision}.0", app_version, values={}, templates={})
    return helm.secret(
        helm.release(
            name="banking",
            namespace=namespace,
            revision=revision,
            chart=chart,
            config={},
            manifest="kind: ConfigMap\n",
            status=status,
            description="Upgrade complete" if revision > 1 else "Install complete",
            first_deployed=now,
            last_deployed=now,
        ),
        now,
    )


async def test_helms_releases_are_listed_without_their_payload_and_followed_and_decoded(lab: Lab) -> None:
    async with lab.namespace("helm") as namespace, connected(lab) as cluster:
        secrets = f"/api/v1/namespaces/{namespace}/secrets"
        async with watching(ReleasesProbe(cluster, Scope((namespace,))).watch()) as releases:
            await releases.until(lambda snapshot: live(snapshot) and not snapshot.rows, "live without a release")

            first = a_release(namespace, 1, helm.DEPLOYED, "1.4.0")
            await lab.call("POST", secrets, first)
            await lab.call("POST", secrets, {"metadata": {"name": "unrelated"}, "data": {"password": "c2VjcmV0"}})
            seen = await releases.until(
                lambda snapshot: [row.app_version for row in snapshot.rows.values()] == ["1.4.0"], "the release decoded"
            )
            (row,) = seen.rows.values()
            assert (row.name, row.revision, row.status) == ("banking", 1, "deployed")
            assert (row.chart, row.chart_version, row.description) == ("banking-platform", "2.1.0", "Install complete")

            await lab.call("POST", secrets, a_release(namespace, 2, helm.DEPLOYED, "1.5.0-crash"))
            superseded = helm.with_status(first, helm.SUPERSEDED, time.time())
            await lab.call("PUT", f"{secrets}/{helm.secret_name('banking', 1)}", superseded)
            seen = await releases.until(
                lambda snapshot: (
                    [
                        [(revision.number, revision.status, revision.app_version) for revision in row.history]
                        for row in snapshot.rows.values()
                    ]
                    == [[(2, "deployed", "1.5.0-crash"), (1, "superseded", "1.4.0")]]
                ),
                "the upgrade",
            )

        stored = await fetch_release(cluster, namespace, helm.secret_name("banking", 2), manifest=True)
        assert stored.manifest == "kind: ConfigMap\n"
        assert "data" not in await fetch(cluster, "Secret", namespace, "unrelated")
        answered = json.loads(await cluster.get(secrets, {"labelSelector": "owner=helm"}, accept=METADATA_LIST))
        assert answered["kind"] == "PartialObjectMetadataList"
        assert [item.keys() & {"data", "type"} for item in answered["items"]] == [set(), set()]


async def test_logs_are_relayed_with_their_times_followed_and_read_from_the_run_before(lab: Lab, place: str) -> None:
    names = [pod["metadata"]["name"] for pod in await lab.pods(place)]
    targets = [(name, "payment-service") for name in names if name.startswith("payment-service")]
    seen: list[LogLine] = []
    async with connected(lab) as cluster:
        async with asyncio.timeout(PATIENCE):
            batches = LogSource(cluster, place, tuple(targets), tail=50).follow()
            async with aclosing(batches):
                async for batch in batches:
                    seen += batch
                    # The pretend kubelets have 200 lines to begin with and then write two a second.
                    if {line.pod for line in seen if "payment-service[203]" in line.text} == {
                        name for name, _ in targets
                    }:
                        break
        previous = await read_once(cluster, place, targets[:1], previous=True, tail=20)

    assert all(line.at is not None for line in seen if line.kind == "log")
    assert {line.kind for line in seen} == {"log"}, [line.text for line in seen if line.kind != "log"]
    assert any("Connection to BankingAccountsDb timed out" in line.text for line in seen)
    assert [line.kind for line in previous] == ["log"] * 20


async def test_an_object_is_fetched_as_it_is_stored(lab: Lab, place: str) -> None:
    async with connected(lab) as cluster:
        found = await fetch(cluster, "Deployment", place, "payment-service", managed_fields=False)

    assert found["spec"]["template"]["spec"]["containers"][0]["image"].endswith("payment-service:1.5.0-crash")
    assert "managedFields" not in found["metadata"]
    assert "kind: Deployment" in to_yaml(found)


async def test_who_may_see_nothing_is_told_of_every_kind_what_was_refused(lab: Lab, place: str) -> None:
    scope = Scope((place,))
    async with connected(lab, "nobody") as cluster:
        watches: list[AsyncGenerator[Snapshot[Any], None]] = [
            PodsProbe(cluster, scope).watch(),
            EventsProbe(cluster, scope).watch(),
            ReleasesProbe(cluster, scope).watch(),
        ]
        for watch in watches:
            async with watching(watch) as watched:
                seen = await watched.until(lambda snapshot: snapshot.freshness.state is State.FORBIDDEN, "refused")
            assert f"in namespace {place}: forbidden for nobody" in seen.freshness.detail
            assert not seen.rows
