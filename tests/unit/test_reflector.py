"""The reflector against a server on loopback that refuses, forgets, freezes and hangs up."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from probes import answers
from probes.cluster import Cluster, Scope
from probes.errors import Gone
from probes.freshness import Freshness, Snapshot, State
from probes.gathering import Gathering, combine
from probes.pods import PODS
from probes.reflector import Pace, reflect
from probes.rows import Pod
from tests.unit.api_server import ApiServer, api_server, connected, forbidden, pod, until

PODS_PATH = "/api/v1/namespaces/prod/pods"
FAST = Pace(first_retry=0.02, last_retry=0.1, slow_retry=0.1, short=0.05)
IN_PROD = Scope(("prod",))


class Feed:
    """Follows a probe and remembers what came."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot[Pod]] = []

    @property
    def last(self) -> Snapshot[Pod]:
        return self.snapshots[-1]

    @property
    def state(self) -> State | None:
        return self.snapshots[-1].freshness.state if self.snapshots else None

    @property
    def names(self) -> set[str]:
        return {row.name for row in self.last.rows.values()} if self.snapshots else set()

    async def live_with(self, *names: str) -> None:
        await until(lambda: self.state is State.LIVE and self.names == set(names))


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as running:
        yield running


@pytest.fixture
async def cluster(server: ApiServer, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with connected(server, tmp_path) as connection:
        yield connection


@asynccontextmanager
async def following(cluster: Cluster, scope: Scope = IN_PROD, pace: Pace = FAST) -> AsyncIterator[Feed]:
    feed = Feed()

    async def follow() -> None:
        async with aclosing(reflect("pods", cluster, scope, [(PODS,)], pace=pace)) as snapshots:
            async for snapshot in snapshots:
                feed.snapshots.append(snapshot)

    task = asyncio.create_task(follow())
    try:
        yield feed
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_it_begins_with_loading_and_an_empty_namespace_is_live(cluster: Cluster) -> None:
    async with following(cluster) as feed:
        await feed.live_with()
        assert feed.snapshots[0].freshness.state is State.LOADING
        assert feed.snapshots[0].changed is None


async def test_a_list_is_read_in_pages_and_all_of_it_arrives_at_once(server: ApiServer, cluster: Cluster) -> None:
    for number in range(7):
        server.put(PODS_PATH, pod(f"pod-{number}"))
    async with following(cluster, pace=Pace(page=3)) as feed:
        await feed.live_with(*(f"pod-{number}" for number in range(7)))
        assert {len(snapshot.rows) for snapshot in feed.snapshots} == {0, 7}
    assert server.count("limit=3") == 3
    assert server.count("continue=") == 2


async def test_changes_arrive_with_the_keys_they_concern(server: ApiServer, cluster: Cluster) -> None:
    first = server.put(PODS_PATH, pod("first"))
    async with following(cluster) as feed:
        await feed.live_with("first")
        await until(lambda: bool(server.watchers))
        second = server.put(PODS_PATH, pod("second"))
        await feed.live_with("first", "second")
        assert feed.last.changed == frozenset({second["metadata"]["uid"]})
        server.delete(PODS_PATH, first["metadata"]["uid"])
        await feed.live_with("second")
        assert feed.last.changed == frozenset({first["metadata"]["uid"]})


async def test_versions_grow_and_a_burst_becomes_few_snapshots(server: ApiServer, cluster: Cluster) -> None:
    async with following(cluster) as feed:
        await feed.live_with()
        await until(lambda: bool(server.watchers))
        before = len(feed.snapshots)
        for number in range(500):
            server.put(PODS_PATH, pod(f"pod-{number}"))
        await until(lambda: len(feed.names) == 500)
        assert len(feed.snapshots) - before <= 100  # at most one each tenth of a second, however long it takes
        versions = [snapshot.version for snapshot in feed.snapshots]
        assert versions == list(range(versions[0], versions[0] + len(versions)))
        told = frozenset[str]().union(*(snapshot.changed or () for snapshot in feed.snapshots[before:]))
        assert told == feed.last.rows.keys()


async def test_a_snapshot_never_changes_after_it_was_handed_over(server: ApiServer, cluster: Cluster) -> None:
    thing = server.put(PODS_PATH, pod("only"))
    async with following(cluster) as feed:
        await feed.live_with("only")
        held = feed.last
        await until(lambda: bool(server.watchers))
        server.delete(PODS_PATH, thing["metadata"]["uid"])
        await feed.live_with()
        assert len(held.rows) == 1


async def test_a_watch_goes_on_from_the_bookmark(server: ApiServer, cluster: Cluster) -> None:
    async with following(cluster) as feed:
        await feed.live_with()
        await until(lambda: bool(server.watchers))
        server.bookmark(PODS_PATH)
        server.bookmark(PODS_PATH)
        server.end_watches()
        await until(lambda: server.count("watch=1") == 2)
        assert server.count("resourceVersion=102") == 1
        assert server.lists == 1
    assert server.count("allowWatchBookmarks=true") == server.count("timeoutSeconds=") == 2


@pytest.mark.parametrize("as_status", [False, True], ids=["ERROR event", "HTTP status"])
async def test_an_expired_version_is_listed_again_in_both_its_forms(
    server: ApiServer, cluster: Cluster, as_status: bool
) -> None:
    gone = server.put(PODS_PATH, pod("deleted-meanwhile"))
    server.put(PODS_PATH, pod("stays"))
    server.compacted_as_status = as_status
    async with following(cluster) as feed:
        await feed.live_with("deleted-meanwhile", "stays")
        await until(lambda: bool(server.watchers))
        server.forget(PODS_PATH, gone["metadata"]["uid"])
        server.compact()
        server.end_watches()
        await feed.live_with("stays")
        assert feed.last.changed == frozenset({gone["metadata"]["uid"]})
        assert State.STALE not in {snapshot.freshness.state for snapshot in feed.snapshots}
    assert server.lists == 2


async def test_an_expired_continue_token_starts_the_list_over_in_one_piece(server: ApiServer, cluster: Cluster) -> None:
    for number in range(5):
        server.put(PODS_PATH, pod(f"pod-{number}"))
    server.expire_continues = 1
    async with following(cluster, pace=Pace(page=2, first_retry=0.01)) as feed:
        await feed.live_with(*(f"pod-{number}" for number in range(5)))
    assert PODS_PATH in server.requests


async def test_a_server_that_closes_every_watch_at_once_is_not_hammered(server: ApiServer, cluster: Cluster) -> None:
    server.close_watches_at_once = True
    async with following(cluster, pace=Pace(first_retry=0.1, last_retry=0.4)) as feed:
        await until(lambda: feed.state is State.STALE)
        assert "ends every watch of pods at once" in feed.last.freshness.detail
        began, before = time.monotonic(), server.count("watch=1")
        await until(lambda: server.count("watch=1") >= before + 3)
        assert time.monotonic() - began > 2 * 0.4 * 0.6 * 0.9  # the first may have been due already
        server.close_watches_at_once = False
        await until(lambda: feed.state is State.LIVE)


async def test_a_server_that_dies_makes_rows_stale_and_comes_back_by_itself(
    server: ApiServer, cluster: Cluster
) -> None:
    kept = server.put(PODS_PATH, pod("kept"))
    async with following(cluster) as feed:
        await feed.live_with("kept")
        await until(lambda: bool(server.watchers))
        await server.stop()
        await until(lambda: feed.state is State.STALE)
        assert feed.names == {"kept"}
        assert feed.last.freshness.confirmed is not None
        since = feed.last.freshness.since
        await until(lambda: "connection refused" in feed.last.freshness.detail)
        assert feed.last.freshness.since == since
        server.forget(PODS_PATH, kept["metadata"]["uid"])
        server.put(PODS_PATH, pod("new"))
        server.compact()
        server.thaw.clear()
        await server.start()
        await feed.live_with("new")
        assert feed.last.freshness.detail == ""


async def test_a_frozen_server_is_noticed_although_the_watch_stays_open(server: ApiServer, cluster: Cluster) -> None:
    server.put(PODS_PATH, pod("kept"))
    async with following(cluster) as feed:
        await feed.live_with("kept")
        await until(lambda: bool(server.watchers))
        cluster.heartbeat.limit = 0.3
        server.frozen.set()
        await until(lambda: feed.state is State.STALE)
        assert "does not answer" in feed.last.freshness.detail
        assert feed.names == {"kept"}
        server.frozen.clear()
        server.thaw.set()
        await feed.live_with("kept")


async def test_a_quiet_watch_is_confirmed_without_new_rows(server: ApiServer, cluster: Cluster) -> None:
    server.put(PODS_PATH, pod("quiet"))
    gathering: Gathering[Pod] = Gathering("pods", confirm=0.05)
    part = gathering.part()
    part.listed({}, {})
    part.live()

    async def confirm() -> None:
        while True:
            await asyncio.sleep(0.06)
            part.confirmed(time.time())

    async with aclosing(gathering.snapshots([confirm])) as snapshots:
        first = await anext(snapshots)
        second = await anext(snapshots)
    assert first.freshness.confirmed is not None
    assert second.freshness.confirmed is not None
    assert second.freshness.confirmed > first.freshness.confirmed
    assert second.changed == frozenset()
    assert second.rows is first.rows


async def test_a_watch_without_bytes_is_opened_again_without_alarm(server: ApiServer, cluster: Cluster) -> None:
    server.put(PODS_PATH, pod("quiet"))
    pace = Pace(first_retry=0.01, idle=0.4, short=0.1)
    async with following(cluster, pace=pace) as feed:
        await until(lambda: cluster.heartbeat.confirmed is not None)
        cluster.heartbeat.every = 60.0  # so that its word holds, however slow the machine is
        await until(lambda: server.count("watch=1") >= 3)
        assert {snapshot.freshness.state for snapshot in feed.snapshots} == {State.LOADING, State.LIVE}
    assert server.lists == 1


async def test_first_contact_that_fails_is_unavailable_and_keeps_trying(server: ApiServer, cluster: Cluster) -> None:
    await server.stop()
    async with following(cluster) as feed:
        await until(lambda: feed.state is State.UNAVAILABLE)
        assert "connection refused" in feed.last.freshness.detail
        server.thaw.clear()
        await server.start()
        await feed.live_with()


async def test_a_refusal_names_verb_resource_and_place_and_heals(server: ApiServer, cluster: Cluster) -> None:
    server.refusals["/api/v1/pods"] = (403, forbidden("list", "pods"))
    async with following(cluster, Scope()) as feed:
        await until(lambda: feed.state is State.FORBIDDEN)
        assert feed.last.freshness.detail == "cannot list pods at the cluster scope: forbidden for viewer"
        assert feed.last.freshness.hint == "kubectl auth can-i list pods --all-namespaces"
        server.refusals.clear()
        await until(lambda: feed.state is State.LIVE)


async def test_a_namespace_that_does_not_exist_is_said_and_may_come(server: ApiServer, cluster: Cluster) -> None:
    async with following(cluster, Scope(("prodd",))) as feed:
        await until(lambda: feed.state is State.UNAVAILABLE)
        assert feed.last.freshness.detail == 'namespace "prodd" does not exist'
        server.namespaces.add("prodd")
        await until(lambda: feed.state is State.LIVE)


async def test_who_may_not_read_namespaces_sees_an_empty_list_as_empty(server: ApiServer, cluster: Cluster) -> None:
    server.refusals["/api/v1/namespaces/prod"] = (403, forbidden("get", "namespaces"))
    async with following(cluster) as feed:
        await feed.live_with()


async def test_several_namespaces_become_one_snapshot_and_a_refused_one_is_told(
    server: ApiServer, cluster: Cluster
) -> None:
    server.put(PODS_PATH, pod("here"))
    server.put("/api/v1/namespaces/default/pods", pod("there", "default"))
    server.refusals["/api/v1/namespaces/closed/pods"] = (403, forbidden("list", "pods", namespace="closed"))
    async with following(cluster, Scope(("prod", "default", "closed"))) as feed:
        await feed.live_with("here", "there")
        assert feed.last.freshness.detail == "cannot list pods in namespace closed: forbidden for viewer"


async def test_one_unreadable_object_spoils_only_itself_and_is_counted(server: ApiServer, cluster: Cluster) -> None:
    server.put(PODS_PATH, pod("good"))
    server.put(PODS_PATH, pod("odd", spec={"containers": "nonsense"}))
    async with following(cluster) as feed:
        await feed.live_with("good")
        assert feed.last.freshness.detail == "1 could not be read: odd"
        await until(lambda: bool(server.watchers))
        server.put(PODS_PATH, pod("odder", status={"phase": 7}))
        await until(lambda: feed.last.freshness.detail.startswith("2 could not be read"))


async def test_a_garbled_watch_line_leads_to_a_fresh_list(server: ApiServer, cluster: Cluster) -> None:
    async with following(cluster) as feed:
        await feed.live_with()
        await until(lambda: bool(server.watchers))
        server.send(b'{"type": "ADDED", "obj\n')
        server.put(PODS_PATH, pod("after"))
        await feed.live_with("after")
    assert server.lists == 2


async def test_an_error_in_a_watch_other_than_expiry_is_told(server: ApiServer, cluster: Cluster) -> None:
    async with following(cluster, pace=Pace(first_retry=0.3)) as feed:
        await feed.live_with()
        await until(lambda: bool(server.watchers))
        body = {"kind": "Status", "status": "Failure", "message": "etcd is ill", "reason": "InternalError", "code": 500}
        server.send(json.dumps({"type": "ERROR", "object": body}).encode() + b"\n")
        await until(lambda: any("etcd is ill" in s.freshness.detail for s in feed.snapshots))
        await feed.live_with()


async def test_retry_after_is_respected(server: ApiServer, cluster: Cluster) -> None:
    server.refusals[PODS_PATH] = (429, {"kind": "Status", "message": "too many requests", "code": 429})
    server.retry_after = "1"
    began = time.monotonic()
    async with following(cluster) as feed:
        await until(lambda: feed.state is State.UNAVAILABLE)
        server.refusals.clear()
        await until(lambda: feed.state is State.LIVE)
        assert time.monotonic() - began > 0.99


async def test_a_pod_that_stays_pending_gets_worse_without_a_word_from_the_server(
    server: ApiServer, cluster: Cluster
) -> None:
    async with following(cluster) as feed:
        await feed.live_with()
        await until(lambda: bool(server.watchers))
        uid, health = "", ""
        while health != "HEALTHY":  # on a slow machine a pod may be late before it is seen: then another
            created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 28.5))
            thing = pod("slow", metadata={"creationTimestamp": created}, status={"phase": "Pending"})
            uid = server.put(PODS_PATH, thing)["metadata"]["uid"]
            await until(lambda uid=uid: uid in feed.last.rows)  # type: ignore[misc]
            health = feed.last.rows[uid].health.name
        asked = len(server.requests)
        await until(lambda: feed.last.rows[uid].health.name == "DEGRADED")
        assert feed.last.changed == frozenset({uid})
    assert all("watch" in request or request == "/version" for request in server.requests[asked:])


async def test_leaving_the_snapshots_ends_every_request(server: ApiServer, cluster: Cluster) -> None:
    async with following(cluster, Scope(("prod", "default"))) as feed:
        await until(lambda: len(server.watchers) == 2 and feed.state is State.LIVE)
    await until(lambda: server.watchers == [] or all(w.changes.empty() for w in server.watchers))
    assert {task.get_name() for task in asyncio.all_tasks()}.isdisjoint({"watch pods prod", "watch pods default"})


def test_one_part_gone_makes_the_whole_stale_and_loading_wins_over_live() -> None:
    live, loading = Freshness(State.LIVE, 1.0, 5.0), Freshness(State.LOADING, 0.0)
    stale = Freshness(State.STALE, 2.0, 2.0, "hung up")
    assert combine([live, stale]).state is State.STALE
    assert combine([live, stale]).detail == "hung up"
    assert combine([live, loading]).state is State.LOADING
    assert combine([live, Freshness(State.FORBIDDEN, 0.0, detail="cannot list x")]).state is State.LIVE
    assert combine([live, Freshness(State.LIVE, 3.0, 4.0)]).confirmed == 4.0


def test_the_recorded_refusals_are_understood() -> None:
    expired = answers.error_for(410, answers.Status(message="too old resource version: 2 (979)", reason="Expired"))
    assert isinstance(expired, Gone)
    assert str(expired) == "too old resource version: 2 (979)"
