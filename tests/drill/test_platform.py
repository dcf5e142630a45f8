"""The embedded platform as a whole: what it says when it starts, what it serves, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from msgspec.structs import replace

from drill import pods, statuses
from drill.deployments import REVISION
from drill.helm import DEPLOYED, FAILED, SUPERSEDED, decode
from drill.kinds import kind as kind_named
from drill.platform import Platform, running
from drill.podlogs import LogOptions
from drill.scenario import load, names, seconds
from drill.world import DEPLOYMENT, NODE, POD, REPLICA_SET, SECRET
from tests.drill.small_scenario import SMALL, SMALL_FILE
from tui.settings import Settings

Json = dict[str, Any]
PROD = "banking-platform-prod"
NAME = "app.kubernetes.io/name"
EVENT = kind_named("Event", "")


async def until(platform: Platform, condition: Callable[[], bool], seconds: float = 90.0) -> None:
    """Looks after every change of the store."""
    changed = asyncio.Event()
    unsubscribe = platform.store.subscribe(lambda *_: changed.set())
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                changed.clear()
                await changed.wait()
    finally:
        unsubscribe()


def files(directory: Path) -> list[Path]:
    return [*directory.iterdir()]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def pods_of(platform: Platform, service: str) -> list[Json]:
    return [pod for pod in platform.store.list(POD, PROD) if pods.labels(pod).get(NAME) == service]


def deployment(platform: Platform, name: str) -> Json:
    found = platform.store.get(DEPLOYMENT, PROD, name)
    assert found is not None
    return found


def set_image(platform: Platform, name: str, image: str) -> None:
    found = deployment(platform, name)
    template = found["spec"]["template"]
    container = {**template["spec"]["containers"][0], "image": image}
    changed = {**template, "spec": {**template["spec"], "containers": [container]}}
    platform.store.update(DEPLOYMENT, {**found, "spec": {**found["spec"], "template": changed}})


# The scenario, as it is at the first look


@pytest.fixture(scope="module")
def platform() -> Platform:
    """The scenario, on a clock that stands. Tests only look at this one."""
    return Platform()


def test_the_payment_release_looks_at_once_as_if_it_had_been_going_on_for_twenty_minutes(platform: Platform) -> None:
    everything = platform.store.list(POD, PROD)
    assert len(everything) == 41
    sick = sorted(pods.labels(pod)[NAME] for pod in everything if not pods.is_ready(pod))
    assert sick == ["payment-service"] * 3 + ["transaction-service"]
    for pod in pods_of(platform, "payment-service"):
        assert 1150 < platform.clock.now - platform.clock.world(pod["metadata"]["creationTimestamp"]) <= 1200
        status = pod["status"]["containerStatuses"][0]
        assert 6 <= status["restartCount"] <= 9
        assert "CrashLoopBackOff" in json.dumps(status["state"]) or "running" in status["state"]
    sizes = {
        found["metadata"]["annotations"][REVISION]: found["spec"]["replicas"]
        for found in platform.store.list(REPLICA_SET, PROD)
        if pods.labels(found)[NAME] == "payment-service"
    }
    assert sizes == {"1": 0, "2": 0, "3": 0, "4": 0, "5": 3}
    hot = platform.store.get(NODE, None, "aks-system-00001")
    batch = platform.store.get(NODE, None, "aks-batch-00000")
    assert hot is not None
    assert batch is not None
    assert pods.is_true(hot, "MemoryPressure")
    assert batch["spec"]["unschedulable"] is True


def test_its_release_has_twelve_revisions_of_which_one_is_deployed(platform: Platform) -> None:
    history = {}
    for secret in platform.store.list(SECRET, PROD):
        release = decode(secret["data"]["release"])
        assert secret["metadata"]["labels"]["status"] == release["info"]["status"]
        history[release["version"]] = release

    assert sorted(history) == [*range(1, 13)]
    assert {number: history[number]["info"]["status"] for number in (5, 11, 12)} == {
        5: FAILED,
        11: SUPERSEDED,
        12: DEPLOYED,
    }
    assert [release["info"]["status"] for release in history.values()].count(DEPLOYED) == 1
    assert history[6]["info"]["description"] == "Rollback to 4"
    assert (history[11]["chart"]["metadata"]["version"], history[12]["chart"]["metadata"]["version"]) == (
        "1.4.0",
        "1.5.0",
    )
    images = [
        obj["spec"]["template"]["spec"]["containers"][0]["image"]
        for obj in yaml.safe_load_all(history[12]["manifest"])
        if obj["metadata"]["name"] == "payment-service" and obj["kind"] == "Deployment"
    ]
    assert images == ["bankingacr.azurecr.io/payment-service:1.5.0"]


def test_its_events_are_those_of_the_last_hour_with_counts(platform: Platform) -> None:
    events = platform.store.list(EVENT)
    reasons = {event["reason"] for event in events}
    assert {"BackOff", "Unhealthy", "ScalingReplicaSet", "Pulled", "Started", "EvictionThresholdMet"} <= reasons
    assert all(platform.clock.now - platform.clock.world(event["lastTimestamp"]) <= 3600 for event in events)
    assert max(event["count"] for event in events if event["reason"] == "BackOff") > 80


def test_a_rollback_heals_it_and_the_health_endpoint_follows() -> None:
    platform = Platform()
    assert platform.health.report()["unhealthy"] == ["payments"]

    set_image(platform, "payment-service", "bankingacr.azurecr.io/payment-service:1.4.0")
    platform.clock.advance(platform.clock.now + 60)

    assert all(pods.is_ready(pod) for pod in pods_of(platform, "payment-service"))
    assert all(pods.is_ready(pod) for pod in platform.store.list(POD, PROD))
    said = [event for event in platform.store.list(EVENT) if event["reason"] == "UpstreamUnavailable"]
    platform.clock.advance(platform.clock.now + 300)
    assert said == [event for event in platform.store.list(EVENT) if event["reason"] == "UpstreamUnavailable"]
    assert platform.health.report() == {
        "status": "Healthy",
        "unhealthy": [],
        "entries": {
            check: {"status": "Healthy"}
            for check in ("payments", "accounts", "transactions", "gateway", "notifications")
        },
    }


def test_a_restart_does_not_heal_it() -> None:
    platform = Platform()
    found = deployment(platform, "payment-service")
    template = found["spec"]["template"]
    stamped = {**template["metadata"], "annotations": {"kubectl.kubernetes.io/restartedAt": platform.clock.stamp()}}
    changed = {**template, "metadata": stamped}
    platform.store.update(DEPLOYMENT, {**found, "spec": {**found["spec"], "template": changed}})
    platform.clock.advance(platform.clock.now + 300)
    assert not any(pods.is_ready(pod) for pod in pods_of(platform, "payment-service"))
    assert len(pods_of(platform, "payment-service")) == 3


# Metrics and logs


def test_metrics_show_the_hot_node_and_leave_out_what_does_not_run(platform: Platform) -> None:
    metrics = platform.metrics

    nodes = {item["metadata"]["name"]: item["usage"] for item in metrics.nodes()}
    cores = {name: int(usage["cpu"].removesuffix("n")) / 1e9 for name, usage in nodes.items()}
    assert max(cores, key=lambda name: cores[name]) == "aks-system-00001"
    assert 6.6 < cores["aks-system-00001"] <= 8
    measured = {item["metadata"]["name"] for item in metrics.pods(PROD)}
    waiting = {
        pod["metadata"]["name"]
        for pod in platform.store.list(POD, PROD)
        if "running" not in pod["status"]["containerStatuses"][0]["state"]
    }
    assert measured == {pod["metadata"]["name"] for pod in platform.store.list(POD, PROD)} - waiting


async def read(platform: Platform, pod: Json, **options: Any) -> str:
    container = pod["spec"]["containers"][0]["name"]
    logs = platform.logs
    return b"".join([chunk async for chunk in logs(pod, LogOptions(container, **options))]).decode()


async def test_a_crashed_pods_log_ends_in_the_pool_timeout_and_so_does_the_previous_one(platform: Platform) -> None:
    pod = pods_of(platform, "payment-service")[0]
    for previous in (False, True):
        text = await read(platform, pod, previous=previous)
        assert "Starting payment-service 1.5.0" in text
        assert "The timeout period elapsed prior to obtaining a connection from the pool" in text.replace("\n", " ")
        assert text.rstrip().endswith("Program.cs:line 23")


async def test_a_log_says_the_same_twice_and_its_tail_is_its_end(platform: Platform) -> None:
    pod = pods_of(platform, "account-service")[0]
    whole = await read(platform, pod, timestamps=True)
    assert whole == await read(platform, pod, timestamps=True)
    assert len(whole.splitlines()) > 1000
    assert (await read(platform, pod, timestamps=True, tail=7)).splitlines() == whole.splitlines()[-7:]
    assert await read(platform, pod, tail=0) == ""
    recent = await read(platform, pod, timestamps=True, since=platform.store.clock() - 60)
    assert 30 < len(recent.splitlines()) < 120
    assert whole.endswith(recent)


async def test_the_gateways_log_complains_about_payments_only_while_they_were_down() -> None:
    platform = Platform()
    set_image(platform, "payment-service", "bankingacr.azurecr.io/payment-service:1.4.0")
    platform.clock.advance(platform.clock.now + 600)
    text = await read(platform, pods_of(platform, "api-gateway")[0], timestamps=True)
    complaints = [line for line in text.splitlines() if "no healthy upstream payment-service" in line]
    assert complaints
    assert complaints[-1] < platform.clock.stamp(platform.clock.now - 540)


async def test_a_container_that_never_ran_before_has_no_previous_log(platform: Platform) -> None:
    with pytest.raises(statuses.ApiError, match="previous terminated container"):
        await read(platform, pods_of(platform, "account-service")[0], previous=True)


async def test_a_followed_log_goes_on_and_ends_with_its_container() -> None:
    async with running(speed=30.0) as told:
        platform = told.platform
        pod = pods_of(platform, "api-gateway")[0]
        async with asyncio.timeout(90):
            lines = aiter(platform.logs(pod, LogOptions("api-gateway", follow=True, tail=1)))
            assert (await anext(lines)).count(b"\n") == 1
            assert b"Yarp.ReverseProxy" in await anext(lines)
            platform.store.delete(POD, PROD, pod["metadata"]["name"])
            async for _ in lines:
                pass
        assert platform.store.get(POD, PROD, pod["metadata"]["name"]) is None


# Running


async def test_its_files_are_private_complete_read_by_the_console_and_gone_afterwards(tmp_path: Path) -> None:
    async with running(directory=tmp_path) as told:
        (directory,) = files(tmp_path)
        assert mode(directory) == 0o700
        assert mode(told.kubeconfig) == 0o600
        config = json.loads(told.kubeconfig.read_text())
        assert config["current-context"] == "drill-prod"
        assert [context["name"] for context in config["contexts"]] == ["drill-prod", "viewer", "nobody"]
        settings = tomllib.loads(told.config.read_text())
        assert settings["cluster"]["namespaces"] == [PROD]
        assert "timeline" not in settings
        assert (told.title, told.severity) == ("Payments failing for web and app", 2)
        read = await asyncio.to_thread(Settings.load, told.config)
        assert read.cluster.context == "drill-prod"
        assert [endpoint.url for endpoint in read.endpoints] == [told.urls["api"], told.urls["login"]]
    assert files(tmp_path) == []


async def test_its_checkout_is_a_repository_with_the_scenarios_commits(tmp_path: Path) -> None:
    scenario = load("payment-release")
    async with running(replace(SMALL, commits=scenario.commits), directory=tmp_path) as told:
        checkout = tomllib.loads(told.config.read_text())["git"]["checkout"]
        git = await asyncio.create_subprocess_exec(
            *("git", "-C", checkout, "log", "--format=%s", "--since=2 hours ago"), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await git.communicate()
        subjects = output.decode().splitlines()
    assert "payments: raise pool timeout" in subjects
    assert len(subjects) == sum(seconds(commit.at) > -7200 for commit in scenario.commits)


async def test_the_health_endpoints_answer_over_http_and_turn_when_the_release_is_rolled_back() -> None:
    async with running(speed=20.0) as told, aiohttp.ClientSession() as session:

        async def status(name: str) -> int:
            async with session.get(told.urls[name]) as answer:
                assert answer.content_type == "application/json"
                return answer.status

        assert await status("api") == 503
        assert await status("login") == 200
        set_image(told.platform, "payment-service", "bankingacr.azurecr.io/payment-service:1.4.0")
        await until(told.platform, lambda: told.platform.health.report()["status"] != "Unhealthy")
        assert await status("api") == 200


def test_a_big_cluster_has_exactly_what_was_asked_for_and_changes_as_fast_as_was_asked() -> None:
    platform = Platform(pods=600, nodes=40, events=900, churn=200.0)
    store = platform.store
    assert len(store.list(POD)) == 600
    assert len(store.list(NODE)) == 40
    assert len(store.list(EVENT)) >= 900
    before = store.version
    platform.churn.start()
    platform.clock.advance(platform.clock.now + 2)
    assert 380 <= platform.churn.changes <= 400
    assert store.version - before >= platform.churn.changes
    assert len(store.list(POD)) == 600


async def test_a_pod_of_a_big_cluster_is_replaced_like_any_other() -> None:
    async with running(pods=100, churn=100.0, speed=20.0) as told:
        store = told.platform.store
        assert tomllib.loads(told.config.read_text())["cluster"]["namespaces"] == ["*"]
        await until(told.platform, lambda: told.platform.churn.changes > 10)
        namespace, name = told.platform.fleet.pods[0]
        store.delete(POD, namespace, name)
        there = len(told.platform.fleet.pods)
        await until(told.platform, lambda: store.get(POD, namespace, name) is None)
        await until(told.platform, lambda: sum(pods.is_ready(pod) for pod in store.list(POD, namespace)) == there)
        assert len(store.list(POD)) == 100


async def test_a_platform_that_is_stopped_twice_or_never_started_leaves_nothing(tmp_path: Path) -> None:
    platform = Platform(SMALL, directory=tmp_path)
    await platform.stop()
    await platform.start()
    await platform.stop()
    await platform.stop()
    assert files(tmp_path) == []


# As a program


@asynccontextmanager
async def served(temporary: Path, *arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Json]]:
    """``python -m drill.serve`` and the first line that it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "drill.serve", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(100):
            yield process, json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_the_program_says_where_it_is_and_leaves_nothing_when_it_is_told_to_stop(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with served(tmp_path, "--scenario", str(SMALL_FILE)) as (process, told):
        assert set(told) >= {"kubeconfig", "config", "urls", "incident", "scenario", "good", "control"}
        assert told["incident"] == {"title": "Payments failing", "severity": 2}
        assert mode(Path(told["kubeconfig"])) == 0o600
        process.send_signal(number)
        output, errors = await process.communicate()
        assert (process.returncode, output) == (0, b"")
        assert errors.startswith(b"The drill's platform serves.")
        assert b"Traceback" not in errors
    assert files(tmp_path) == []


async def test_the_program_ends_with_its_parent(tmp_path: Path) -> None:
    async with served(tmp_path, "--with-parent", "--scenario", str(SMALL_FILE)) as (process, _):
        assert process.stdin is not None
        process.stdin.close()
        assert await process.wait() == 0
    assert files(tmp_path) == []


async def test_the_program_names_the_scenarios_when_it_does_not_know_one(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "drill.serve", "--scenario", "nothing"), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert f"there is no scenario 'nothing'; there are: {', '.join(names())}" in errors.decode()
    assert b"Traceback" not in errors


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="listening sockets are read from /proc")
async def test_the_program_listens_on_loopback_only(tmp_path: Path) -> None:
    async with served(tmp_path) as (process, told):
        addresses = listening(process.pid)
        control = controlled_at(told["control"])
        process.terminate()
        await process.wait()
    assert len(addresses) == 6
    every = (*told["urls"].values(), control)
    assert addresses == {f"0100007F:{int(url.split(':')[2].partition('/')[0]):04X}" for url in every}


def controlled_at(where: str) -> str:
    url: str = json.loads(Path(where).read_text())["url"]
    return url


def listening(pid: int) -> set[str]:
    """The local addresses, as in /proc/net/tcp, of a process's listening sockets; of IPv6 too."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            inodes.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1])
    return found
