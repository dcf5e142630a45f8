"""What the shell commands say of a real cluster, line by line beside kubectl, and what those learn who may not look."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from probes.pod_status import SETTLING
from probes.wire import instant
from runbook.known import MITIGATIONS
from tests.drill.shell import fresh_user, warroom
from tests.live.lab import Lab
from tests.warm_program import Done

pytestmark = pytest.mark.asyncio(loop_scope="module")

FATES = {
    "payment-service": "crash",
    "account-service": "oom",
    "transaction-service": "nopull",
    "notification-service": "unready",
    "api-gateway": "slow",
}
PULLS = ("ErrImagePull", "ImagePullBackOff")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(lab: Lab) -> AsyncIterator[str]:
    """A namespace in which every service has met its fate."""
    async with lab.namespace("status") as namespace:
        await lab.deploy(namespace, FATES)

        async def settled() -> bool:
            pods = await lab.pods(namespace)
            youngest = max(instant(pod["metadata"]["creationTimestamp"]) or 0.0 for pod in pods)
            return (
                await lab.stands(namespace, "payment-service", "CrashLoopBackOff")
                and await lab.stands(namespace, "account-service", "CrashLoopBackOff")
                and await lab.stands(namespace, "transaction-service", *PULLS)
                and await lab.stands(namespace, "api-gateway")
                and time.time() - youngest > SETTLING  # until then a pod may be unready without being sick
            )

        await lab.until(settled, "every fate met")
        yield namespace


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    return fresh_user(tmp_path)


def document(done: Done) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.out)
    return found


async def hold_still(lab: Lab, namespace: str) -> None:
    """Wait until what was on its way has arrived, once the kubelets are frozen."""
    seen: list[list[str]] = []

    async def still() -> bool:
        seen.append([pod["metadata"]["resourceVersion"] for pod in await lab.pods(namespace)])
        return len(seen) > 4 and all(versions == seen[-1] for versions in seen[-4:])

    await lab.until(still, "the pods hold still")


def counted(printed: str) -> Counter[tuple[str, str, str]]:
    """kubectl's events: how often what was said of whom."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for event in json.loads(printed)["items"]:
        regards = f"{event['involvedObject']['kind']}/{event['involvedObject']['name']}"
        counts[regards, event["reason"], event["message"]] += event.get("count") or 1
    return counts


async def test_status_says_of_pods_nodes_and_deployments_what_kubectl_says(
    lab: Lab, place: str, user: dict[str, str]
) -> None:
    async with lab.fault("freeze-kubelets"):
        await hold_still(lab, place)
        pods = {row[0]: tuple(row[1:4]) for row in await lab.table("-n", place, "get", "pods")}
        nodes = {row[0]: (row[1], row[4]) for row in await lab.table("get", "nodes")}
        deployments = {row[0]: (row[1], row[2]) for row in await lab.table("-n", place, "get", "deployments")}
        done = await warroom(user, "-n", place, "--kubeconfig", str(lab.kubeconfig), "status", "--json")
        table = await warroom(user, "-n", place, "--kubeconfig", str(lab.kubeconfig), "status")

    seen = document(done)
    assert (done.status, table.status, seen["healthy"]) == (1, 1, False), done.err
    sick = {name: said for name, said in pods.items() if said[0] == "0/1"}
    assert {
        row["name"]: (row["ready"], row["reason"], str(row["restarts"])) for row in seen["pods"]["unhealthy"]
    } == sick
    assert (seen["pods"]["total"], seen["pods"]["ready"]) == (len(pods), len(pods) - len(sick)) == (10, 2)
    assert {row["name"]: (row["status"], row["version"]) for row in seen["nodes"]["items"]} == nodes
    assert {
        row["name"]: (f"{row['ready']}/{row['desired']}", str(row["updated"])) for row in seen["deployments"]
    } == deployments

    lines = {words[2]: tuple(words[3:6]) for words in map(str.split, table.out.splitlines()) if len(words) > 5}
    assert {name: lines.get(name) for name in sick} == sick


async def test_status_has_the_restarts_and_owners_that_the_api_server_holds(
    lab: Lab, place: str, user: dict[str, str]
) -> None:
    async with lab.fault("freeze-kubelets"):
        await hold_still(lab, place)
        held = {pod["metadata"]["name"]: pod for pod in await lab.pods(place)}
        done = await warroom(user, "-n", place, "--kubeconfig", str(lab.kubeconfig), "status", "--json")

    for row in document(done)["pods"]["unhealthy"]:
        pod = held[row["name"]]
        assert row["restarts"] == sum(status["restartCount"] for status in pod["status"]["containerStatuses"])
        assert row["owner"] == f"Deployment/{pod['metadata']['labels']['app.kubernetes.io/name']}"
        assert row["node"] == pod["spec"]["nodeName"]


async def test_status_has_the_events_that_kubectl_has_and_counts_them_alike(
    lab: Lab, place: str, user: dict[str, str]
) -> None:
    async with lab.fault("freeze-kubelets"):
        await hold_still(lab, place)
        before = counted(await lab.kubectl("-n", place, "get", "events", "-o", "json"))
        done = await warroom(user, "-n", place, "--kubeconfig", str(lab.kubeconfig), "status", "--json")
        after = counted(await lab.kubectl("-n", place, "get", "events", "-o", "json"))

    seen = {(row["object"], row["reason"], row["message"]): row["count"] for row in document(done)["events"]}
    assert before.keys() <= seen.keys() <= after.keys()
    for key, count in seen.items():
        # Probes that fail go on failing while the statuses are held still.
        assert before[key] <= count <= after[key], key
    assert {"BackOff", "Failed", "Unhealthy", "SuccessfulCreate", "Scheduled"} <= {reason for _, reason, _ in seen}


async def test_a_viewer_sees_all_but_the_releases_and_is_told_why(lab: Lab, place: str, user: dict[str, str]) -> None:
    where = ("-n", place, "--kubeconfig", str(lab.kubeconfig), "--context", "viewer")
    done = await warroom(user, *where, "status", "--json")

    seen = document(done)
    standing = {probe["name"]: probe["freshness"] for probe in seen["probes"]}
    assert done.status == 1
    assert seen["pods"]["total"] == 10
    assert standing == dict.fromkeys(standing, "live") | {"releases": "forbidden"}
    refusal = f"cannot list secrets in namespace {place}: forbidden for viewer"
    assert done.err == f"warroom: {refusal} — kubectl auth can-i list secrets -n {place}\n"


async def test_nobody_gets_a_sentence_for_each_refusal_and_no_report(
    lab: Lab, place: str, user: dict[str, str]
) -> None:
    where = ("-n", place, "--kubeconfig", str(lab.kubeconfig), "--context", "nobody")
    done = await warroom(user, *where, "status")

    assert (done.status, done.out) == (2, "")
    first, *rest = done.err.splitlines()
    assert first.startswith(f"warroom: cannot list pods in namespace {place}: forbidden for nobody")
    assert all(re.match(r"warroom: cannot list .+: forbidden for nobody", line) for line in rest)
    assert len({*rest, first}) == len(rest) + 1


@pytest.mark.parametrize(
    ("context", "status", "missing", "warned"),
    [
        ("admin", 0, set[str](), set[str]()),
        ("viewer", 0, set[str](), {"releases"}),
        ("nobody", 1, {"pods", "workloads", "events"}, {"nodes", "usage", "releases", "logs"}),
    ],
)
async def test_doctor_tells_everybody_what_they_may_not_do(
    lab: Lab, place: str, user: dict[str, str], context: str, status: int, missing: set[str], warned: set[str]
) -> None:
    where = ("-n", place, "--kubeconfig", str(lab.kubeconfig), "--context", context)
    done = await warroom(user, *where, "doctor", "--json")

    seen = document(done)
    assert (done.status, seen["ok"]) == (status, status == 0), done.out
    every = {check["name"]: check for check in seen["checks"]}
    tools = {"git", "kubectl", "helm"}  # what is installed here says nothing about the cluster
    told = {name: check for name, check in every.items() if name not in tools | set(MITIGATIONS)}
    assert {name for name, check in told.items() if check["level"] == "missing"} == missing
    assert {name for name, check in told.items() if check["level"] == "warn"} == warned
    for name in missing | warned:
        assert f"forbidden for {context}" in told[name]["found"] or "not allowed to" in told[name]["found"]
        assert told[name]["advice"]
    assert lab.server in told["cluster"]["found"]
    for name in ("restart", "scale", "cordon", "rollout-undo", "delete-pod", "quarantine", "connectivity"):
        assert every[name]["level"] == ("ok" if context == "admin" else "warn")
        assert (f"in namespace {place}" in every[name]["found"]) == (context != "admin")
    assert every["evidence"]["level"] == ("warn" if context == "nobody" else "ok")
    assert set(MITIGATIONS) - {"restore-database", "scale-database", "kill-session"} <= set(every)


async def test_a_namespace_that_does_not_exist_is_said_to_be_none(lab: Lab, user: dict[str, str]) -> None:
    done = await warroom(user, "-n", "no-such-place", "--kubeconfig", str(lab.kubeconfig), "status")

    assert (done.status, done.out) == (2, "")
    assert 'namespace "no-such-place" does not exist' in done.err


async def test_a_credential_that_expired_is_told_with_what_to_do(
    lab: Lab, user: dict[str, str], tmp_path: Path
) -> None:
    expired = tmp_path / "kubeconfig"
    expired.write_text(lab.kubeconfig.read_text(encoding="utf-8").replace("admin-token", "expired"), encoding="utf-8")
    done = await warroom(user, "--kubeconfig", str(expired), "status")

    assert (done.status, done.out) == (2, "")
    assert "the server does not accept the credential (401)" in done.err
    assert done.err.count(f"renew the credential of user 'admin' in {expired}") == 1
