"""One look as JSON and as text: the promised keys, sick first, newest first, and hostile text inert."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from probes.freshness import Freshness, Snapshot, State
from probes.rows import Commit, Endpoint, Event, Health, Node, Owner, Pod, Release, Usage
from tests.unit.test_aims import workload
from tui.columns import Page
from tui.look import Look, first, nothing
from tui.look_json import to_dict, to_json
from tui.look_text import write

NOW = 1_763_900_000.0


def pod(
    name: str, health: Health = Health.HEALTHY, *, status: str = "Running", message: str = "", age: float = 60
) -> Pod:
    return Pod(
        uid=name,
        namespace="bank",
        name=name,
        resource_version="1",
        status=status,
        phase="Running",
        health=health,
        ready=1 if health is Health.HEALTHY else 0,
        total=1,
        restarts=0 if health is Health.HEALTHY else 7,
        restarted_at=NOW - 180,
        unready_since=None,
        node="node-1",
        ip="",
        created_at=NOW - age,
        deleting_since=None,
        owner=Owner("Deployment", "payment-service"),
        app="",
        containers=(),
        message=message,
    )


def node(name: str, health: Health = Health.HEALTHY) -> Node:
    return Node(
        uid=name,
        name=name,
        resource_version="1",
        health=health,
        ready=True,
        status="Ready",
        reason="",
        message="",
        changed_at=None,
        pressures=(),
        taints=(),
        cordoned=False,
        roles=(),
        version="v1.36.2",
        created_at=NOW - 1000,
        cpu_allocatable=4.0,
        memory_allocatable=1000,
        pods_allocatable=110,
    )


def event(name: str, at: float, message: str = "m", kind: str = "Warning") -> Event:
    return Event(
        uid=name,
        namespace="bank",
        name=name,
        type=kind,
        reason="BackOff",
        kind="Pod",
        object_name="p",
        object_uid="u",
        message=message,
        count=3,
        first_at=at - 10,
        last_at=at,
        reporter="kubelet",
    )


def release(name: str, updated: float) -> Release:
    return Release(
        namespace="bank",
        name=name,
        health=Health.HEALTHY,
        revision=3,
        status="deployed",
        updated=updated,
        chart="payment",
        chart_version="1.2.0",
        app_version="1.4.0",
        description="Upgrade complete",
        history=(),
    )


def live(source: str, *rows: Any) -> Snapshot[Any]:
    return Snapshot(source, Freshness(State.LIVE, NOW, NOW), {row.key: row for row in rows})


def seen(*, blind: str = "", **snapshots: Snapshot[Any]) -> Look:
    names = ("pods", "nodes", "usage", "workloads", "events", "releases", "endpoints", "commits")
    found = {name: snapshots.get(name, live(name)) for name in names}
    return Look(
        at=NOW,
        context="aks-prod",
        server="https://127.0.0.1:6443",
        version="v1.36.2",
        namespaces=("bank",),
        problems=(),
        blind=blind,
        **found,
    )


def text_of(look: Look) -> str:
    out = io.StringIO()
    write(look, Page(out))
    return out.getvalue()


def test_the_document_has_every_promised_key_even_when_nothing_was_seen() -> None:
    document = to_dict(seen())

    assert document["cluster"] == {"context": "aks-prod", "server": "https://127.0.0.1:6443", "version": "v1.36.2"}
    assert document["namespace"] == "bank"
    assert document["pods"] == {"total": 0, "ready": 0, "unhealthy": []}
    assert document["nodes"] == {"total": 0, "ready": 0, "items": []}
    for name in ("deployments", "events", "releases", "endpoints", "changes"):
        assert document[name] == []
    assert document["azure"] == {"activity": [], "databases": [], "alerts": []}
    assert {probe["name"] for probe in document["probes"]} >= {"pods", "nodes", "events", "releases", "endpoints"}
    assert {probe["freshness"] for probe in document["probes"]} == {"live"}


def test_unhealthy_pods_come_sick_first_then_newest() -> None:
    pods = live(
        "pods",
        pod("well"),
        pod("old", Health.FAILING, status="CrashLoopBackOff", age=900),
        pod("pending", Health.DEGRADED, status="Pending", age=1),
        pod("new", Health.FAILING, status="CrashLoopBackOff", age=30),
    )

    document = to_dict(seen(pods=pods))

    assert [row["name"] for row in document["pods"]["unhealthy"]] == ["new", "old", "pending"]
    assert (document["pods"]["total"], document["pods"]["ready"]) == (4, 1)
    assert document["pods"]["unhealthy"][0] | {"since": None} == {
        "namespace": "bank",
        "name": "new",
        "reason": "CrashLoopBackOff",
        "restarts": 7,
        "owner": "Deployment/payment-service",
        "ready": "0/1",
        "node": "node-1",
        "since": None,
        "message": "",
    }
    assert document["healthy"] is False


def test_events_releases_and_changes_are_newest_first_with_utc_milliseconds() -> None:
    document = to_dict(
        seen(
            events=live("events", event("a", NOW - 50), event("b", NOW - 1.25), event("c", NOW - 2580)),
            releases=live("releases", release("account", NOW - 9000), release("payment", NOW - 1200)),
            commits=live(
                "commits",
                Commit(commit="1" * 40, author="a", subject="old", at=NOW - 500),
                Commit(commit="2" * 40, author="a", subject="new", at=NOW - 5),
            ),
        )
    )

    assert [row["time"] for row in document["events"]] == [
        "2025-11-23T12:13:18.750Z",
        "2025-11-23T12:12:30.000Z",
        "2025-11-23T11:30:20.000Z",
    ]
    assert [row["name"] for row in document["releases"]] == ["payment", "account"]
    assert document["releases"][0]["chart"] == "payment-1.2.0"
    assert [row["subject"] for row in document["changes"]] == ["new", "old"]


def test_node_usage_is_a_share_of_allocatable_and_null_without_metrics() -> None:
    used = Usage(namespace="", name="a", cpu=3.5, memory=250, at=NOW)

    items = to_dict(seen(nodes=live("nodes", node("a"), node("b")), usage=live("usage", used)))["nodes"]["items"]

    assert [(row["name"], row["cpu_percent"], row["memory_percent"]) for row in items] == [
        ("a", 87.5, 25.0),
        ("b", None, None),
    ]


def test_only_deployments_are_deployments() -> None:
    rows = workload("api"), workload("db", kind="StatefulSet")
    document = to_dict(seen(workloads=live("workloads", *rows)))

    assert [(row["name"], row["desired"], row["ready"], row["updated"]) for row in document["deployments"]] == [
        ("api", 3, 2, 3)
    ]
    assert [(row["kind"], row["name"]) for row in document["workloads"]] == [("StatefulSet", "db")]


def test_a_blind_look_never_calls_anything_healthy() -> None:
    look = seen(blind="cannot list pods", pods=nothing("pods", "cannot list pods"))

    assert to_dict(look)["healthy"] is None
    assert "healthy" not in text_of(look).splitlines()[1]
    assert "PODS   unavailable: cannot list pods" in text_of(look)


def test_a_down_endpoint_or_a_sick_node_alone_is_unhealthy() -> None:
    down = Endpoint(
        name="api",
        url="https://a/health",
        health=Health.FAILING,
        ok=False,
        status=503,
        latency_ms=12.345,
        error="503 where 200 was expected",
        excerpt="",
        tls_expires_at=None,
        checked_at=NOW,
        changed_at=NOW,
        history=(),
    )

    assert not seen(endpoints=live("endpoints", down)).healthy
    assert not seen(nodes=live("nodes", node("a", Health.DEGRADED))).healthy
    assert seen(pods=live("pods", pod("done", Health.DORMANT))).healthy
    assert to_dict(seen(endpoints=live("endpoints", down)))["endpoints"][0]["latency_ms"] == 12.3


def test_the_text_names_the_sick_and_counts_the_rest() -> None:
    said = text_of(seen(pods=live("pods", pod("well"), pod("sick", Health.FAILING, status="CrashLoopBackOff"))))

    assert "✗ unhealthy" in said
    assert "1 of 2 ready" in said
    assert "CrashLoopBackOff" in said
    assert "7 (3m ago)" in said
    assert "well" not in said


def test_columns_line_up_whatever_the_width_of_their_text() -> None:
    out = io.StringIO()
    Page(out).table(("A", ">N", "LAST"), [("", ("長い", "1", "x")), ("", ("ascii", "200", "y"))])
    head, wide, narrow = out.getvalue().splitlines()

    assert head.index("LAST") == narrow.index("y")
    assert wide.index("x") == narrow.index("y") - 2  # two characters of two cells each


def test_no_colour_reaches_what_is_not_a_terminal() -> None:
    assert "\x1b" not in text_of(seen(pods=live("pods", pod("sick", Health.FAILING))))


@given(hostile=st.text(max_size=200))
def test_hostile_text_is_inert_in_text_and_intact_in_json(hostile: str) -> None:
    look = seen(
        pods=live("pods", pod(hostile, Health.FAILING, status=hostile, message=hostile)),
        events=live("events", event("e", NOW, hostile)),
        nodes=nothing("nodes", hostile),
    )

    said, document = text_of(look), to_json(look)

    assert all(character.isprintable() or character == "\n" for character in said)
    assert document.isascii()
    assert json.loads(document)["events"][0]["message"] == hostile


def test_a_megabyte_message_does_not_flood_the_shell() -> None:
    assert len(text_of(seen(events=live("events", event("e", NOW, "A" * 1_000_000))))) < 2000


class Scripted:
    """A probe that says what it was told, and after that nothing more."""

    def __init__(self, *snapshots: Snapshot[Any]) -> None:
        self.snapshots = snapshots
        self.closed = False

    async def watch(self) -> AsyncIterator[Snapshot[Any]]:
        try:
            for snapshot in self.snapshots:
                yield snapshot
            await asyncio.Event().wait()
        finally:
            self.closed = True


LOADING: Snapshot[Any] = Snapshot("pods", Freshness(State.LOADING, NOW))
STALE: Snapshot[Any] = Snapshot("pods", Freshness(State.STALE, NOW, detail="gone"))


async def test_the_first_conclusive_snapshot_counts_and_the_probe_is_closed() -> None:
    probe = Scripted(LOADING, STALE, live("pods", pod("a")))

    found = await first(probe, "pods", 10)

    assert found.freshness.live
    assert probe.closed


async def test_a_probe_that_never_says_anything_is_unavailable_in_time() -> None:
    probe = Scripted(LOADING)

    found = await first(probe, "pods", 0.05)

    assert found.freshness.state is State.UNAVAILABLE
    assert found.freshness.detail == "pods: no answer within 0.05 s"
    assert probe.closed


async def test_what_is_not_enough_is_better_than_nothing_once_patience_is_over() -> None:
    probe = Scripted(live("releases", release("payment", NOW)))

    async with asyncio.timeout(60):
        found = await first(probe, "releases", 60, lambda seen: False, patience=0.05)

    assert found.freshness.live
    assert len(found.rows) == 1
