"""Watches on the platform's API server: where they begin, what they show, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import aiohttp
import pytest

from drill.kinds import kind
from tests.drill.wire import PODS, PROD, Wire, a_pod, next_event, serving, until_end

Json = dict[str, Any]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
KIND = kind("pods")


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with serving() as opened:
        yield opened


def shown(event: Json) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"]


def label(wire: Wire, name: str, app: str) -> Json:
    pod = wire.server.store.get(KIND, PROD, name)
    assert pod is not None
    return wire.server.store.update(KIND, {**pod, "metadata": {**pod["metadata"], "labels": {"app": app}}})


async def test_a_watch_from_a_version_shows_what_came_after_it(wire: Wire) -> None:
    store = wire.server.store
    version = store.version
    store.create(KIND, a_pod("new"))
    async with wire.watch(f"{PODS}?watch=1&resourceVersion={version}") as events:
        assert shown(await next_event(events)) == ("ADDED", "new")
        label(wire, "new", "x")
        assert shown(await next_event(events)) == ("MODIFIED", "new")
        store.remove(KIND, PROD, "new")
        last = await next_event(events)
        assert shown(last) == ("DELETED", "new")
        assert last["object"]["metadata"]["resourceVersion"] == str(store.version)
        assert last["object"]["kind"] == "Pod"


async def test_a_watch_from_nowhere_begins_with_everything(wire: Wire) -> None:
    async with wire.watch(f"{PODS}?watch=true") as events:
        assert [shown(await next_event(events)) for _ in range(2)] == [
            ("ADDED", "account-service-a"),
            ("ADDED", "account-service-b"),
        ]


async def test_a_watch_keeps_to_its_namespace(wire: Wire) -> None:
    store = wire.server.store
    async with wire.watch(f"/api/v1/namespaces/default/pods?watch=1&resourceVersion={store.version}") as events:
        store.create(KIND, a_pod("elsewhere"))
        store.create(KIND, {"metadata": {"name": "here", "namespace": "default"}})
        assert shown(await next_event(events)) == ("ADDED", "here")


async def test_an_object_enters_and_leaves_a_selection(wire: Wire) -> None:
    version = wire.server.store.version
    async with wire.watch(f"{PODS}?watch=1&resourceVersion={version}&labelSelector=app%3Dx") as events:
        entered = label(wire, "payment-service-a", "x")
        assert shown(await next_event(events)) == ("ADDED", "payment-service-a")
        label(wire, "payment-service-b", "y")
        left = label(wire, "payment-service-a", "y")
        event = await next_event(events)
        assert shown(event) == ("DELETED", "payment-service-a")
        assert event["object"]["metadata"]["labels"] == {"app": "x"}
        assert event["object"]["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]
        assert entered["metadata"]["resourceVersion"] != left["metadata"]["resourceVersion"]


async def test_a_watch_ends_at_its_time_with_a_bookmark(wire: Wire) -> None:
    version = wire.server.store.version
    query = f"watch=1&resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds=1"
    async with wire.watch(f"{PODS}?{query}") as events:
        wire.server.store.create(kind("secrets"), {"metadata": {"name": "s", "namespace": PROD}})
        (bookmark,) = await until_end(events)
    assert bookmark == {
        "type": "BOOKMARK",
        "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {"resourceVersion": str(version + 1)}},
    }


async def test_a_watch_without_bookmarks_just_ends(wire: Wire) -> None:
    async with wire.watch(f"{PODS}?watch=1&resourceVersion={wire.server.store.version}&timeoutSeconds=1") as events:
        assert await until_end(events) == []


async def test_a_watch_ends_in_time_even_if_it_is_never_quiet(wire: Wire) -> None:
    store = wire.server.store
    began = store.version

    async def churn() -> None:
        for number in count():
            label(wire, "payment-service-a", f"x{number}")
            await asyncio.sleep(0.001)

    churning = asyncio.create_task(churn())
    async with wire.watch(f"{PODS}?watch=1&resourceVersion={began}&timeoutSeconds=1") as events:
        assert {shown(event) for event in await until_end(events)} == {("MODIFIED", "payment-service-a")}
    churning.cancel()
    with pytest.raises(asyncio.CancelledError):  # until now it went on
        await churning


async def test_bookmarks_come_while_nothing_happens() -> None:
    async with serving(bookmark_every=0.05) as wire:
        version = wire.server.store.version
        async with wire.watch(f"{PODS}?watch=1&resourceVersion={version}&allowWatchBookmarks=1") as events:
            assert (await next_event(events))["type"] == "BOOKMARK"
            assert (await next_event(events))["type"] == "BOOKMARK"


async def test_initial_events_are_streamed_and_their_end_is_marked(wire: Wire) -> None:
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1"
    async with wire.watch(f"{PODS}?{query}") as events:
        received = await until_end(events)
    assert [event["type"] for event in received[:8]] == ["ADDED"] * 7 + ["BOOKMARK"]
    assert received[7]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    wrong = await wire.get(f"{PODS}?watch=1&sendInitialEvents=true")
    assert wrong.refusal == (422, "Invalid")


async def test_too_old_a_version_is_an_error_event_as_recorded(wire: Wire) -> None:
    store = wire.server.store
    store.compact()
    async with wire.watch(f"{PODS}?watch=1&resourceVersion=2") as events:
        assert await until_end(events) == [
            {
                "type": "ERROR",
                "object": {
                    "kind": "Status",
                    "apiVersion": "v1",
                    "metadata": {},
                    "status": "Failure",
                    "message": f"too old resource version: 2 ({store.version})",
                    "reason": "Expired",
                    "code": 410,
                },
            }
        ]


async def test_too_old_a_version_can_be_an_http_status_as_well(wire: Wire) -> None:
    wire.server.store.compact()
    wire.server.faults.expired_as_status = True
    assert (await wire.get(f"{PODS}?watch=1&resourceVersion=2")).refusal == (410, "Expired")


async def test_open_watches_can_be_expired(wire: Wire) -> None:
    async with wire.watch(f"{PODS}?watch=1&resourceVersion={wire.server.store.version}") as events:
        wire.server.expire_watches()
        (error,) = await until_end(events)
    assert (error["type"], error["object"]["code"]) == ("ERROR", 410)
    assert wire.server.watching == 0


async def test_open_watches_can_be_cut(wire: Wire) -> None:
    async with wire.watch(f"{PODS}?watch=1&resourceVersion={wire.server.store.version}") as events:
        wire.server.drop_connections()
        with pytest.raises(aiohttp.ClientError):
            await until_end(events)


async def test_watches_can_be_refused_a_life(wire: Wire) -> None:
    wire.server.faults.no_watches = True
    async with wire.watch(f"{PODS}?watch=1&resourceVersion={wire.server.store.version}") as events:
        assert await until_end(events) == []


async def test_a_frozen_watch_is_silent_and_forgets_nothing(wire: Wire) -> None:
    store = wire.server.store
    async with wire.watch(f"{PODS}?watch=1&resourceVersion={store.version}") as events:
        wire.server.faults.freeze()
        store.create(KIND, a_pod("meanwhile"))
        waiting = asyncio.ensure_future(anext(events))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.1)
        wire.server.faults.thaw()
        async with asyncio.timeout(60):
            assert shown(await waiting) == ("ADDED", "meanwhile")


async def test_a_reader_that_leaves_is_noticed(wire: Wire) -> None:
    async with wire.watch(f"{PODS}?watch=1&resourceVersion={wire.server.store.version}"):
        assert wire.server.watching == 1
    async with asyncio.timeout(60):
        while wire.server.watching:  # noqa: ASYNC110 - a condition, and nobody signals it
            await asyncio.sleep(0.01)


async def test_metadata_is_watched_without_the_rest(wire: Wire) -> None:
    secrets, version = kind("secrets"), wire.server.store.version
    path = f"/api/v1/namespaces/{PROD}/secrets?watch=1&resourceVersion={version}&labelSelector=owner%3Dhelm"
    async with wire.watch(path, Accept=METADATA) as events:
        metadata = {"name": "v3", "namespace": PROD, "labels": {"owner": "helm"}}
        wire.server.store.create(secrets, {"metadata": metadata, "data": {"release": "x"}})
        event = await next_event(events)
    assert event["object"]["kind"] == "PartialObjectMetadata"
    assert set(event["object"]) == {"kind", "apiVersion", "metadata"}


async def test_tables_are_watched_with_their_columns_once(wire: Wire) -> None:
    store = wire.server.store
    async with wire.watch(f"{PODS}?watch=1&resourceVersion={store.version}", Accept=TABLE) as events:
        store.create(KIND, a_pod("one"))
        store.create(KIND, a_pod("two"))
        first, second = await next_event(events), await next_event(events)
    assert first["object"]["kind"] == "Table"
    assert first["object"]["columnDefinitions"][0]["name"] == "Name"
    assert second["object"]["columnDefinitions"] is None
    assert [event["object"]["rows"][0]["cells"][0] for event in (first, second)] == ["one", "two"]


async def test_tables_are_the_same_for_all_who_watch_and_each_has_its_columns_once(wire: Wire) -> None:
    store = wire.server.store
    path = f"{PODS}?watch=1&resourceVersion={store.version}"
    async with wire.watch(path, Accept=TABLE) as one, wire.watch(f"{path}&includeObject=Object", Accept=TABLE) as whole:
        store.create(KIND, a_pod("first"))
        async with wire.watch(path, Accept=TABLE) as late:
            store.create(KIND, a_pod("second"))
            store.remove(KIND, PROD, "second")
            seen = [[await next_event(events) for _ in range(3)] for events in (one, whole, late)]
    for events in seen:
        rows = [event["object"]["rows"][0] for event in events]
        told = [(event["type"], row["cells"][0]) for event, row in zip(events, rows, strict=True)]
        assert told == [("ADDED", "first"), ("ADDED", "second"), ("DELETED", "second")]
        assert [event["object"]["columnDefinitions"] is None for event in events] == [False, True, True]
    assert ["spec" in events[1]["object"]["rows"][0]["object"] for events in seen] == [False, True, False]


async def test_both_event_apis_are_watched(wire: Wire) -> None:
    store = wire.server.store
    path = f"/apis/events.k8s.io/v1/namespaces/{PROD}/events?watch=1&resourceVersion={store.version}"
    async with wire.watch(path) as events:
        metadata = {"name": "e", "namespace": PROD}
        store.create(kind("events"), {"metadata": metadata, "message": "hello", "type": "Normal"})
        event = await next_event(events)
    assert (event["object"]["apiVersion"], event["object"]["note"]) == ("events.k8s.io/v1", "hello")
