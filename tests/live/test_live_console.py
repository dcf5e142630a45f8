"""The console on a real API server: what breaks there is seen, survived, written down, and seen to end."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from incident.entry import Kind, Source
from probes.freshness import State
from probes.rows import Workload
from tests.live.lab import REPOSITORY, Lab
from tests.pilot.console_harness import WIDE, Console, opened
from tui.options import ConsoleOptions
from tui.screens.choose import ChooseScreen
from tui.screens.detail import DetailScreen
from tui.screens.logs import LogsScreen
from tui.settings import Settings
from widgets.detail import DetailView
from widgets.log_view import LogView
from widgets.pod_groups import WorkloadGroup

pytestmark = pytest.mark.asyncio(loop_scope="module")

NODE = "aks-system-00000"
SLOW = 90.0
"""Seconds for what a cluster takes its time for: a rolling update, measurements growing old, a server starting."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(lab: Lab) -> AsyncIterator[str]:
    """A namespace in which payment-service crashes again and again while the others are well."""
    async with lab.namespace("console") as namespace:
        await lab.deploy(namespace, {"payment-service": "crash"})

        async def settled() -> bool:
            return await lab.stands(namespace, "payment-service", "CrashLoopBackOff") and await lab.stands(
                namespace, "api-gateway"
            )

        await lab.until(settled, "payment-service crash-looping")
        yield namespace


def options(lab: Lab, directory: Path, namespace: str, **overrides: Any) -> ConsoleOptions:
    """A person's options: the lab's kubeconfig, its API server as a health endpoint, this repository's commits."""
    settings = directory / "config.toml"
    settings.write_text(
        f"""
        [[endpoints]]
        name = "api-server"
        url = "{lab.server}/readyz"
        ca_file = "{lab.certificate}"
        [probes]
        endpoint_interval = 1.0
        endpoint_timeout = 2.0
        metrics_interval = 5.0
        [git]
        checkout = "{REPOSITORY}"
        """,
        encoding="utf-8",
    )
    fields: dict[str, Any] = {
        "settings": Settings.load(settings),
        "kubeconfig": str(lab.kubeconfig),
        "context": None,
        "namespaces": (namespace,),
        "store": directory / "warroom.db",
        "log_file": None,
    }
    return ConsoleOptions(**(fields | overrides))


@pytest_asyncio.fixture(loop_scope="module")
async def console(lab: Lab, place: str, tmp_path: Path) -> AsyncIterator[Console]:
    async with opened(options(lab, tmp_path, place), WIDE) as found:
        yield found


def states(console: Console) -> dict[str, State]:
    return {source: freshness.state for source, freshness in console.desk.vitals.freshness.items()}


def workload(console: Console, name: str) -> WorkloadGroup | None:
    """A workload's line in the pods pane."""
    pods = console.table("pods")
    lines = (row for _, row in pods.viewport.rows.window(0, len(pods.viewport.rows)))
    return next((row for row in lines if isinstance(row, WorkloadGroup) and row.name == name), None)


def deployment(console: Console) -> Workload:
    """The sick one, as its own source has it: the pods may be ahead of it."""
    workloads = console.room.feeds.latest["workloads"].rows.values()
    (row,) = (row for row in workloads if row.name == "payment-service")
    assert isinstance(row, Workload)
    return row


# ---------------------------------------------------------------- what is seen


async def test_every_pane_is_live_and_what_crashes_is_first(console: Console) -> None:
    def crashing() -> bool:
        """It starts again now and then, for a second and a half, and is the first all the same."""
        assert "payment-service" in console.names("pods")[0]
        return "CrashLoopBackOff" in console.names("pods")[0]

    await console.until(lambda: "payment-service" in console.names("pods")[0], "what crashes first")
    await console.until(crashing, "that it crashes", SLOW)
    assert len(console.names("nodes")) == 3
    assert any("api-server" in name for name in console.names("services"))
    await console.says("8 live · 0 stale")
    console.check_inert()


async def test_the_detail_of_a_crashing_pod_is_its_raw_object_with_its_events(console: Console) -> None:
    pods = console.table("pods")

    def waits() -> bool:
        return "CrashLoopBackOff" in pods.search_text(pods.selected_row)

    await console.press("1", "home", "down")
    # The lab's kubelet says how a container ended only until it starts it again, for a second and a half.
    await console.until(waits, "the pod waiting after a crash", SLOW)
    await console.press("enter")
    view = (await console.on(DetailScreen)).query_one(DetailView)
    await console.until(lambda: "kind: Pod" in view.copy_text(), "the raw object")
    event = "Back-off restarting failed container payment-service"
    await console.until(lambda: event in view.copy_text(), "its events")

    text = view.copy_text()
    assert "image: bankingacr.example/payment-service:1.5.0-crash" in text
    assert "exitCode: 1" in text
    assert "managedFields" not in text


async def test_the_logs_of_a_crashing_pod_are_followed_and_the_run_before_can_be_read(console: Console) -> None:
    await console.press("1", "home", "down", "l")
    view = (await console.on(LogsScreen)).query_one(LogView)
    await console.until(lambda: view.line_count > 100, "what was logged before")
    before = view.line_count
    await console.until(lambda: view.line_count > before, "a line more")
    await console.press("slash")
    await console.typed("BankingAccountsDb")
    await console.press("enter")
    await console.says("Connection to BankingAccountsDb timed out")
    await console.press("escape")
    console.check_inert()

    await console.press("b")
    await console.until(lambda: view.previous and view.line_count > 100, "the run before")
    await console.says("PREVIOUS RUN")


async def test_the_logs_of_a_workload_are_those_of_all_its_pods(console: Console) -> None:
    await console.press("1", "slash")
    await console.typed("api-gateway")
    await console.press("enter", "home", "l")
    view = (await console.on(LogsScreen)).query_one(LogView)

    await console.until(lambda: len(view._sources) == 2, "lines of both pods")
    await console.says("Request finished HTTP/1.1 GET /api/api-gateway/")
    console.check_inert()


async def test_a_pinned_pod_is_on_the_timeline_with_the_object_that_the_server_held(
    lab: Lab, place: str, console: Console
) -> None:
    await console.declare()
    await console.press("1", "home", "down", "p")
    line = await console.notes(r"^pod payment-service-\S+: ")

    assert (line.entry.kind, line.entry.source) == (Kind.PIN, Source.PERSON)
    evidence = await console.room.journal.evidence(line.entry.id)
    assert evidence is not None
    held = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in await lab.pods(place)}
    pinned = evidence["object"]["metadata"]
    assert held[pinned["name"]] == pinned["uid"]


# ---------------------------------------------------------------- what breaks


async def test_a_node_that_fails_and_recovers_is_a_row_and_two_entries(lab: Lab, console: Console) -> None:
    await console.declare()
    async with lab.fault("node-down-0"):
        await console.until(lambda: f"{NODE} NotReady" in console.names("nodes")[0], "the node NotReady, and first")
        await console.says("KubeletNotReady")
        await console.notes(rf"^{NODE} NotReady\b")
    await console.until(lambda: "NotReady" not in console.names("nodes")[0], "the node Ready again")
    line = await console.notes(rf"^{NODE} Ready again\b")

    assert line.entry.source is Source.PROBE


@pytest.mark.parametrize("fault", ["api-down", "api-frozen"])
async def test_a_server_that_is_gone_makes_everything_stale_and_the_gap_is_written_down(
    lab: Lab, console: Console, fault: str
) -> None:
    await console.declare()
    pods = console.table("pods")

    def age() -> int:
        """Seconds; from two minutes on it is counted otherwise."""
        found = re.search(r"STALE (?:(\d+) s)?", pods.subtitle_text)
        return int(found[1] or 120) if found else -1

    async with lab.fault(fault):
        await console.until(lambda: age() > 0, "the pods stale, with their age", SLOW)
        seen, before = age(), console.names("pods")
        await console.until(lambda: age() > seen, "the age counting")
        assert "live" not in pods.subtitle_text
        assert console.names("pods") == before != []
        await console.says("payment-service")
        cluster = ("pods", "nodes", "workloads", "events", "releases")
        await console.until(
            lambda: all(states(console)[name] is State.STALE for name in cluster), "the rest stale", SLOW
        )
        await console.notes(r"^connection to the cluster lost(?! for)")
        await console.notes(r"^api-server ")

    await console.until(lambda: states(console) == dict.fromkeys(states(console), State.LIVE), "all live again", SLOW)
    gap = await console.notes(r"^connection to the cluster lost for \d+ (s|min)")
    evidence = await console.room.journal.evidence(gap.entry.id)
    assert evidence is not None
    assert evidence["blind_until"] - evidence["blind_from"] >= seen
    await console.until(lambda: "live" in pods.subtitle_text, "the pods live")


async def test_metrics_that_stop_are_told_while_a_rollout_is_followed_to_its_end(
    lab: Lab, place: str, console: Console
) -> None:
    await console.declare()
    await console.notes(r"^payment-service .*unhealthy", SLOW)  # only what was told to be ill can be told to be well
    async with lab.fault("no-metrics"):
        await lab.set_image(place, "payment-service", "1.5.1")
        await console.until(
            lambda: (group := workload(console, "payment-service")) is not None and group.ready == group.wanted == 2,
            "the new pods ready and the old ones gone",
            SLOW,
        )
        await console.until(lambda: not [name for name in console.names("pods") if "Crash" in name], "no crash left")
        await console.until(lambda: deployment(console).condition == "complete", "the rollout complete")
        assert deployment(console).images == ("bankingacr.example/payment-service:1.5.1",)
        await console.notes(r"^payment-service recovered, 2 of 2 ready", SLOW)

        await lab.scale(place, "notification-service", 0)
        await console.notes(r"^notification-service is scaled to 0")
        await console.until(lambda: workload(console, "notification-service") is None, "its pods gone")

        for name in ("nodes", "pods"):
            await console.until(
                lambda name=name: "metrics STALE" in console.table(name).subtitle_text,  # type: ignore[misc]
                f"stale metrics told by the {name} pane",
                SLOW,
            )
        assert console.desk.vitals.freshness["usage"].detail.startswith("the metrics server has measured nothing since")
        assert console.table("pods").freshness.live
    await console.until(lambda: states(console)["usage"] is State.LIVE, "measured again", SLOW)


# ---------------------------------------------------------------- where there is nothing, or no right to look


async def test_a_namespace_that_does_not_exist_is_told_and_left_for_one_that_does(
    lab: Lab, place: str, tmp_path: Path
) -> None:
    async with opened(options(lab, tmp_path, "no-such-place"), live=False) as console:
        await console.says('namespace "no-such-place" does not exist')
        await console.until(lambda: states(console).get("pods") is State.UNAVAILABLE, "the pods unavailable")
        await console.until(lambda: console.names("pods") == [], "no pods")

        await console.press("s")
        await console.on(ChooseScreen)
        await console.typed(f"{place}\n")
        await console.home()
        await console.until(lambda: workload(console, "payment-service"), "the pods of the other namespace")
        await console.until(lambda: "does not exist" not in console.text, "the refusal gone")


async def test_what_a_viewer_may_not_see_is_forbidden_and_everything_else_live(
    lab: Lab, place: str, tmp_path: Path
) -> None:
    async with opened(options(lab, tmp_path, place, context="viewer"), live=False) as console:
        await console.until(lambda: states(console).get("releases") is State.FORBIDDEN, "the releases forbidden")
        await console.says("cannot list secrets")
        await console.until(lambda: console.desk.vitals.live == 7, "everything else live")

        await console.press("c")
        await console.on(ChooseScreen)
        await console.typed("nobody\n")
        await console.home()
        forbidden = ("pods", "nodes", "workloads", "events", "usage", "releases")
        await console.until(
            partial(_all, console, forbidden, State.FORBIDDEN), "nothing of the cluster may be seen by nobody"
        )
        await console.says("⊘ FORBIDDEN")
        await console.until(lambda: console.names("pods") == [], "no pods")


def _all(console: Console, sources: tuple[str, ...], state: State) -> bool:
    return all(states(console).get(source) is state for source in sources)
