"""One look at the embedded platform through the real program: status, and a drill without a terminal."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.drill.shell import document, fresh_user, platform, warroom
from tests.drill.small_scenario import SMALL_FILE
from tui.drill_process import DrillFailed, DrillProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENTED = {
    "cluster": {"context", "server", "version"},
    "pods": {"total", "ready", "unhealthy"},
    "nodes": {"total", "ready", "items"},
    "azure": {"activity", "databases"},
}
ROWS = {
    "deployments": {"namespace", "name", "desired", "ready", "updated"},
    "events": {"time", "type", "reason", "object", "message", "count"},
    "releases": {"name", "namespace", "revision", "status", "chart", "app_version", "updated"},
    "endpoints": {"url", "ok", "status", "latency_ms"},
    "changes": {"time", "commit", "author", "subject"},
    "probes": {"name", "freshness", "detail"},
}


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    return fresh_user(tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def where() -> AsyncIterator[tuple[str, ...]]:
    """A platform that is only looked at."""
    async with platform() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen(where: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of one look at it."""
    done = await warroom(fresh_user(tmp_path_factory.mktemp("seen")), "status", "--json", *where)
    assert done.status == 1, done.err
    return document(done)


async def test_the_scenario_is_unhealthy_and_the_document_keeps_its_promised_keys(seen: dict[str, Any]) -> None:
    for name, keys in DOCUMENTED.items():
        assert keys <= seen[name].keys()
    for name, keys in ROWS.items():
        assert seen[name], f"the scenario has {name}"
        assert all(keys <= row.keys() for row in seen[name])
    assert seen["pods"]["unhealthy"][0]["owner"] == "Deployment/payment-service"
    assert {probe["freshness"] for probe in seen["probes"]} == {"live"}
    for name, key in (("events", "time"), ("releases", "updated"), ("changes", "time")):
        times = [row[key] for row in seen[name]]
        assert times == sorted(times, reverse=True)
        assert all(len(at) == len("2026-11-23T14:02:05.120Z") and at.endswith("Z") for at in times)


async def test_the_table_names_the_sick_and_their_release(user: dict[str, str], where: tuple[str, ...]) -> None:
    done = await warroom(user, "status", *where)

    assert done.status == 1, done.err
    assert "✗ unhealthy" in done.out
    assert "CrashLoopBackOff" in done.out
    for heading in ("PODS", "NODES", "WORKLOADS", "ENDPOINTS", "RELEASES", "COMMITS", "EVENTS"):
        assert f"\n{heading} " in done.out
    assert "\x1b" not in done.out


async def test_a_namespace_that_does_not_exist_is_not_healthy_but_exit_2(
    user: dict[str, str], where: tuple[str, ...]
) -> None:
    done = await warroom(user, "status", "-n", "no-such-place", *where)

    assert (done.status, done.out) == (2, "")
    assert "no-such-place" in done.err
    assert "does not exist" in done.err


async def test_all_namespaces_see_more_than_one(
    user: dict[str, str], where: tuple[str, ...], seen: dict[str, Any]
) -> None:
    everything = document(await warroom(user, "-A", "status", "--json", *where))

    assert everything["namespace"] == "*"
    assert everything["pods"]["total"] > seen["pods"]["total"] > 0


async def test_a_platform_that_went_away_is_exit_2_and_one_sentence(user: dict[str, str]) -> None:
    with DrillProcess(str(SMALL_FILE)) as process:
        ready = await process.ready()
        kept = ready.kubeconfig.read_text(encoding="utf-8")
    file = Path(user["HOME"]) / "kubeconfig"
    file.write_text(kept, encoding="utf-8")

    done = await warroom(user, "status", "--kubeconfig", str(file))

    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1, done.err


async def test_a_drill_without_a_terminal_prints_its_status_once_and_exits_0(user: dict[str, str]) -> None:
    done = await warroom(user, "drill", str(SMALL_FILE))

    assert done.status == 0, done.err
    assert "payment-service" in done.out
    assert "a console needs a terminal" in done.err


async def test_an_unknown_scenario_is_told_with_the_one_that_was_meant(user: dict[str, str]) -> None:
    done = await warroom(user, "drill", "payment-relase")

    assert (done.status, done.out) == (2, "")
    assert "did you mean payment-release?" in done.err


async def test_the_scenarios_are_listed_with_a_sentence_each(user: dict[str, str]) -> None:
    done = await warroom(user, "drill", "--list")

    assert (done.status, done.err) == (0, "")
    told = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert told.keys() >= {"database-degradation", "payment-release"}
    assert all(told.values())


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_serve_says_where_it_is_and_runs_until_it_is_stopped(user: dict[str, str], stop: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tui.cli",
        "drill",
        "--serve",
        str(SMALL_FILE),
        env=user,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(90):
            where = json.loads(await process.stdout.readline())
        looked = await warroom(user, "status", "--kubeconfig", where["kubeconfig"], "--config", where["config"])
        process.send_signal(stop)
        async with asyncio.timeout(60):
            _, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert looked.status == 1, looked.err
    assert {"kubeconfig", "config", "urls"} <= where.keys()
    assert b"Traceback" not in err
    assert process.returncode == 0


async def test_the_platform_ends_with_the_process_that_started_it() -> None:
    process = DrillProcess(str(SMALL_FILE))
    process.start()
    ready = await process.ready()

    await asyncio.to_thread(process.stop)

    assert not ready.kubeconfig.exists()


async def test_waiting_for_the_platform_can_be_given_up_at_once() -> None:
    with DrillProcess(str(SMALL_FILE)) as process:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):  # at once: after a moment, it may be ready
                await process.ready()

        assert (await process.ready()).severity == 2


async def test_a_platform_that_cannot_start_is_told_with_its_last_words() -> None:
    with DrillProcess("no-such-scenario") as process, pytest.raises(DrillFailed, match="no-such-scenario"):
        await process.ready(limit=60)
