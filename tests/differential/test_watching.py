"""Watches: what comes, in which form, from where, and how it ends."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.differential.pair import pair_of
from tests.differential.side import PATIENCE, Side
from tests.differential.things import config_map, is_last
from tests.live.lab import Lab

Json = dict[str, Any]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"


async def watching(side: Side) -> None:
    maps = side.at("configmaps")
    await side.create(maps, config_map("before", {"w": "1"}), told=False)
    version = (await side.get(maps, step="the list"))["metadata"]["resourceVersion"]
    await side.create(maps, config_map("a", {"w": "1"}, k="1"), told=False)
    await side.patch(f"{maps}/a", {"data": {"k": "2"}}, told=False)
    await side.patch(f"{maps}/a", {"metadata": {"labels": {"w": "2"}}}, told=False)
    await side.patch(f"{maps}/a", {"metadata": {"labels": {"w": "1"}}}, told=False)
    await side.patch(f"{maps}/a", {}, told=False)
    await side.create(f"{maps}?dryRun=All", config_map("dry", {"w": "1"}), told=False)
    await side.delete(f"{maps}/a", told=False)
    await side.create(maps, config_map("last", {"w": "1"}), told=False)
    since = f"{maps}?watch=1&timeoutSeconds=30&resourceVersion={version}"
    await side.watched(since, is_last)
    await side.watched(f"{since}&labelSelector=w%3D1", is_last)
    await side.watched(f"{since}&labelSelector=w%3D2%2Cw", lambda event: event["type"] == "DELETED")
    await side.watched(f"{since}&fieldSelector=metadata.name%3Dlast", is_last)
    await side.watched(since, is_last, Accept=METADATA)
    await side.watched(since, is_last, Accept=TABLE)
    await side.get(f"{maps}/last?watch=true", step="one object is not watched")
    await side.watched(f"{maps}?watch=1&timeoutSeconds=30&fieldSelector=metadata.name%3Dlast", is_last)
    await side.watched(f"{maps}?watch=1&timeoutSeconds=1&resourceVersion={version}&fieldSelector=metadata.name%3Dnone")
    side.forget()
    await side.get(f"{maps}?watch=1&timeoutSeconds=x")
    for query in ("resourceVersion=x", "resourceVersion=1&labelSelector=(",
                  "fieldSelector=nonsense%3Dx", "resourceVersionMatch=Exact&resourceVersion=1",
                  "resourceVersion=-1"):  # fmt: skip
        await side.get(f"{maps}?watch=1&timeoutSeconds=1&{query}")
    await side.get(f"{maps}?watch=1&timeoutSeconds=1", user="nobody")
    await side.get(f"{maps}?watch=1&timeoutSeconds=1", Accept="text/html")
    await side.get(f"{maps}/none?watch=1&timeoutSeconds=1")


async def bookmarks(side: Side) -> None:
    """A bookmark says that others' objects have changed; a real server sends the last two seconds before the end."""
    maps = side.at("configmaps")
    version = (await side.get(maps, told=False))["metadata"]["resourceVersion"]
    await side.create(maps, config_map("news", {"w": "3"}), told=False)
    await side.create(maps, config_map("others"), told=False)
    query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds=4&labelSelector=w%3D3&resourceVersion={version}"
    async with asyncio.timeout(PATIENCE), side.watch(f"{maps}?{query}", Accept=METADATA) as events:
        side.tell("news", await anext(events))
        side.tell("a bookmark", await anext(events))


async def test_watches(lab: Lab) -> None:
    async with pair_of(lab, "watch") as pair:
        await pair.same(watching)
        await pair.same(bookmarks)
