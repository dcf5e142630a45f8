"""The releases probe against an API on loopback that holds Helm's Secrets, metadata and all."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from probes.cluster import Scope
from probes.errors import NotFound
from probes.freshness import Snapshot, State
from probes.releases import METADATA, METADATA_LIST, ReleasesProbe, fetch_release, health_of
from probes.rows import Health, Release
from tests.unit.loopback_api import connected, refusal, serving


class Helm:
    """The Secrets of one namespace as an API server shows them; every change is a watch event."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}
        self.version = 100
        self.listed: list[str] = []
        self.fetched: list[str] = []
        self.watched: list[str] = []
        self.may_list = self.may_get = True
        self.watching = asyncio.Event()
        self._watchers: list[asyncio.Queue[dict[str, Any]]] = []

    def put(
        self, number: int, status: str, *, chart: str = "1.4.0", name: str = "prod", data: str | None = None
    ) -> None:
        self.version += 1
        release = {
            "name": name,
            "version": number,
            "info": {
                "status": status,
                "last_deployed": f"2026-11-23T14:{number:02}:31Z",
                "description": "Upgrade complete",
            },
            "chart": {"metadata": {"name": "banking-platform", "version": chart, "appVersion": "2026.47"}},
            "manifest": "---\nkind: Service\n",
        }
        packed = b64encode(b64encode(gzip.compress(json.dumps(release).encode()))).decode()
        secret = f"sh.helm.release.v1.{name}.v{number}"
        is_new = secret not in self.secrets
        self.secrets[secret] = {
            "kind": "Secret",
            "metadata": {
                "name": secret,
                "namespace": "bank",
                "uid": f"uid-{name}-{number}",
                "resourceVersion": str(self.version),
                "creationTimestamp": "2026-11-23T07:37:59Z",
                "labels": {
                    "owner": "helm",
                    "name": name,
                    "status": status,
                    "version": str(number),
                    "modifiedAt": "1795442000",
                },
            },
            "data": {"release": data if data is not None else packed},
        }
        event = {"type": "ADDED" if is_new else "MODIFIED", "object": self._metadata(secret)}
        for watcher in self._watchers:
            watcher.put_nowait(event)

    def _metadata(self, secret: str) -> dict[str, Any]:
        return {"kind": "PartialObjectMetadata", "metadata": self.secrets[secret]["metadata"]}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.36.2"})
        if request.path == "/api/v1/namespaces/bank":
            return web.json_response({"metadata": {"name": "bank"}})
        name = request.path.removeprefix("/api/v1/namespaces/bank/secrets").removeprefix("/")
        verb = "get" if name else "watch" if "watch" in request.query else "list"
        if not (self.may_get if name else self.may_list):
            message = f'secrets is forbidden: User "viewer" cannot {verb} resource "secrets" in API group ""'
            return refusal(403, "Forbidden", message + ' in the namespace "bank"')
        if name:
            self.fetched.append(name)
            if name not in self.secrets:
                return refusal(404, "NotFound", f'secrets "{name}" not found')
            return web.json_response(self.secrets[name])
        if verb == "watch":
            return await self._watch(request)
        self.listed.append(request.headers["Accept"])
        wanted = request.query["labelSelector"].partition(",name=")[2]
        items = [
            self._metadata(secret)
            for secret, held in self.secrets.items()
            if not wanted or held["metadata"]["labels"].get("name") == wanted
        ]
        return web.json_response({"metadata": {"resourceVersion": str(self.version)}, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self.watched.append(request.headers["Accept"])
        events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._watchers.append(events)
        self.watching.set()
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(json.dumps(await events.get()).encode() + b"\n")
        finally:
            self._watchers.remove(events)


class Looking:
    """A probe that is being watched; `until` waits for a snapshot of some kind."""

    def __init__(self, probe: ReleasesProbe, snapshots: AsyncIterator[Snapshot[Release]]) -> None:
        self.probe = probe
        self._snapshots = snapshots

    async def until(self, wanted: Callable[[Snapshot[Release]], bool]) -> Snapshot[Release]:
        async for snapshot in self._snapshots:
            if wanted(snapshot):
                return snapshot
        raise AssertionError("the probe ended")


@asynccontextmanager
async def looking(helm: Helm, directory: Path) -> AsyncIterator[Looking]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(60))
        port = await stack.enter_async_context(serving(helm.answer))
        cluster = await stack.enter_async_context(connected(port, directory))
        probe = ReleasesProbe(cluster, Scope(("bank",)))
        snapshots = await stack.enter_async_context(aclosing(probe.watch()))
        yield Looking(probe, snapshots)


def decoded(snapshot: Snapshot[Release]) -> bool:
    return bool(snapshot.rows) and all(release.chart_version for release in snapshot.rows.values())


async def test_a_release_shows_its_newest_revision_and_its_history(tmp_path: Path) -> None:
    helm = Helm()
    helm.put(11, "superseded", chart="1.4.0")
    helm.put(12, "deployed", chart="1.5.0")
    async with looking(helm, tmp_path) as look:
        snapshot = await look.until(decoded)
    release = snapshot.rows["bank/prod"]
    assert snapshot.freshness.state is State.LIVE
    assert (release.revision, release.status, release.health) == (12, "deployed", Health.HEALTHY)
    assert (release.chart, release.chart_version, release.app_version) == ("banking-platform", "1.5.0", "2026.47")
    assert [(each.number, each.chart_version) for each in release.history] == [(12, "1.5.0"), (11, "1.4.0")]
    assert release.updated == pytest.approx(1795443151.0)


async def test_lists_and_watches_ask_for_metadata_only_each_in_its_words(tmp_path: Path) -> None:
    helm = Helm()
    helm.put(1, "deployed")
    async with looking(helm, tmp_path) as look:
        await look.until(decoded)
        await helm.watching.wait()
    assert set(helm.listed) == {METADATA_LIST}
    assert set(helm.watched) == {METADATA}


async def test_what_the_labels_tell_is_there_before_any_secret_was_fetched(tmp_path: Path) -> None:
    helm = Helm()
    helm.put(3, "failed")
    helm.may_get = False
    async with looking(helm, tmp_path) as look:
        snapshot = await look.until(lambda snapshot: bool(snapshot.rows) and bool(snapshot.freshness.detail))
    release = snapshot.rows["bank/prod"]
    assert (release.revision, release.health, release.chart_version) == (3, Health.FAILING, "")
    assert release.updated == 1795442000.0
    assert snapshot.freshness.state is State.LIVE
    assert snapshot.freshness.detail == (
        "charts are not shown: cannot get secrets in namespace bank: forbidden for viewer"
    )


async def test_only_the_newest_revisions_are_fetched_and_each_once(tmp_path: Path) -> None:
    helm = Helm()
    for number in range(1, 11):
        helm.put(number, "superseded" if number < 10 else "deployed")
    async with looking(helm, tmp_path) as look:
        await look.until(decoded)
        helm.put(1, "superseded", name="other")
        await look.until(lambda snapshot: len(snapshot.rows) == 2 and decoded(snapshot))
    assert sorted(helm.fetched) == sorted(
        [f"sh.helm.release.v1.prod.v{number}" for number in (10, 9, 8)] + ["sh.helm.release.v1.other.v1"]
    )


async def test_an_upgrade_is_seen_as_pending_and_then_as_deployed(tmp_path: Path) -> None:
    helm = Helm()
    helm.put(11, "deployed", chart="1.4.0")
    async with looking(helm, tmp_path) as look:
        await look.until(decoded)
        await helm.watching.wait()
        helm.put(12, "pending-upgrade", chart="1.5.0")
        pending = await look.until(lambda snapshot: snapshot.rows["bank/prod"].revision == 12)
        assert pending.rows["bank/prod"].health is Health.DEGRADED
        assert pending.changed == frozenset({"bank/prod"})
        helm.put(11, "superseded", chart="1.4.0")
        helm.put(12, "deployed", chart="1.5.0")
        done = await look.until(lambda snapshot: snapshot.rows["bank/prod"].status == "deployed" and decoded(snapshot))
    assert [each.status for each in done.rows["bank/prod"].history] == ["deployed", "superseded"]


async def test_no_release_at_all_is_live_and_empty(tmp_path: Path) -> None:
    async with looking(Helm(), tmp_path) as look:
        snapshot = await look.until(lambda snapshot: snapshot.freshness.state is not State.LOADING)
    assert (snapshot.freshness.state, len(snapshot.rows)) == (State.LIVE, 0)


async def test_a_refused_list_names_what_was_refused(tmp_path: Path) -> None:
    helm = Helm()
    helm.may_list = False
    async with looking(helm, tmp_path) as look:
        snapshot = await look.until(lambda snapshot: snapshot.freshness.state is not State.LOADING)
    assert snapshot.freshness.state is State.FORBIDDEN
    assert snapshot.freshness.detail == "cannot list secrets in namespace bank: forbidden for viewer"


async def test_a_damaged_secret_keeps_its_row_and_says_what_is_wrong(tmp_path: Path) -> None:
    helm = Helm()
    helm.put(1, "deployed", data="%%%")
    async with looking(helm, tmp_path) as look:
        snapshot = await look.until(
            lambda snapshot: bool(snapshot.rows) and snapshot.rows["bank/prod"].description != ""
        )
    release = snapshot.rows["bank/prod"]
    assert (release.status, release.chart) == ("deployed", "")
    assert release.description == "the release is damaged: not base64 over base64"
    assert helm.fetched == ["sh.helm.release.v1.prod.v1"]


async def test_secrets_with_nonsense_labels_are_left_out_or_read_by_their_name(tmp_path: Path) -> None:
    helm = Helm()
    helm.put(7, "deployed")
    helm.put(8, "deployed", name="odd")
    helm.secrets["sh.helm.release.v1.prod.v7"]["metadata"]["labels"] = {"owner": "helm", "version": "²"}
    helm.secrets["sh.helm.release.v1.odd.v8"]["metadata"] |= {"name": "odd", "labels": {"owner": "helm"}}
    async with looking(helm, tmp_path) as look:
        snapshot = await look.until(lambda snapshot: bool(snapshot.rows))
    assert [(release.name, release.revision) for release in snapshot.rows.values()] == [("prod", 7)]


async def test_the_whole_history_is_decoded_on_demand(tmp_path: Path) -> None:
    helm = Helm()
    for number in range(1, 8):
        helm.put(number, "superseded", chart=f"1.{number}.0")
    helm.put(8, "deployed", data="%%%")
    helm.put(1, "deployed", name="other")
    async with asyncio.timeout(60), serving(helm.answer) as port, connected(port, tmp_path) as cluster:
        probe = ReleasesProbe(cluster, Scope(("bank",)))
        history = await probe.history("bank", "prod")
        with pytest.raises(NotFound, match="no Helm release ghost in namespace bank"):
            await probe.history("bank", "ghost")
        stored = await fetch_release(cluster, "bank", "sh.helm.release.v1.prod.v7", manifest=True)
    assert [each.number for each in history] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert history[1].chart_version == "1.7.0"
    assert "damaged" in history[0].description
    assert stored.manifest == "---\nkind: Service\n"


async def test_a_server_that_goes_away_leaves_the_rows_as_stale(tmp_path: Path) -> None:
    helm = Helm()
    helm.put(1, "deployed")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(60))
        server = AsyncExitStack()
        port = await server.enter_async_context(serving(helm.answer))
        cluster = await stack.enter_async_context(connected(port, tmp_path))
        snapshots = await stack.enter_async_context(aclosing(ReleasesProbe(cluster, Scope(("bank",))).watch()))
        look = Looking(ReleasesProbe(cluster, Scope()), snapshots)
        await look.until(decoded)
        gone = time.time()
        await server.aclose()
        snapshot = await look.until(lambda snapshot: snapshot.freshness.state is State.STALE)
    assert list(snapshot.rows) == ["bank/prod"]
    assert snapshot.freshness.since >= gone - 1


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("deployed", Health.HEALTHY),
        ("failed", Health.FAILING),
        ("pending-rollback", Health.DEGRADED),
        ("uninstalling", Health.DEGRADED),
        ("superseded", Health.DORMANT),
        ("uninstalled", Health.DORMANT),
        ("what-helm-5-says", Health.DEGRADED),
    ],
)
def test_helms_words_have_a_health(status: str, health: Health) -> None:
    assert health_of(status) is health
