"""Evidence and quarantine on a real API server, compared with what kubectl and raw requests find before and after."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runbook.evidence_folder import check_folder
from runbook.plan import Aim, Level, Plan, Verdict
from tests.drill.mitigation_desk import INCIDENT, PERSON, finding
from tests.live.gate_on_lab import desk
from tests.live.lab import Lab

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
SICK, WELL = "payment-service", "account-service"
REPLICAS = 2
DENY_ALL = {"podSelector": {"matchLabels": {"quarantine": "true"}}, "policyTypes": ["Ingress", "Egress"]}
OURS = ("warroom/act", "warroom/incident")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(lab: Lab) -> AsyncIterator[str]:
    async with lab.namespace("containment") as namespace:
        await lab.deploy(namespace, {SICK: "crash"}, replicas=REPLICAS)

        async def settled() -> bool:
            events = await lab.items(f"/api/v1/namespaces/{namespace}/events?fieldSelector=reason%3DBackOff")
            told = {event["involvedObject"]["name"] for event in events}
            crashed = len(told) == REPLICAS and await lab.stands(namespace, SICK, "CrashLoopBackOff")
            return crashed and await lab.stands(namespace, WELL)

        await lab.until(settled, f"{SICK} crash-looping beside {WELL}")
        yield namespace


async def pods_of(lab: Lab, namespace: str, service: str) -> list[Json]:
    found = [pod for pod in await lab.pods(namespace) if pod["metadata"]["name"].startswith(service)]
    return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))


async def addresses(lab: Lab, namespace: str, service: str) -> set[str]:
    """The pods behind a service, as its Endpoints have them."""
    found = await lab.call("GET", f"/api/v1/namespaces/{namespace}/endpoints/{service}")
    return {one["targetRef"]["name"] for part in found.get("subsets") or () for one in part.get("addresses") or ()}


async def policies(lab: Lab, namespace: str) -> list[Json]:
    return await lab.items(f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies")


async def pod_now(lab: Lab, namespace: str, name: str) -> Json:
    return await lab.call("GET", f"/api/v1/namespaces/{namespace}/pods/{name}")


def aim_at(pod: Json) -> Aim:
    metadata = pod["metadata"]
    return Aim(kind="Pod", namespace=metadata["namespace"], name=metadata["name"], uid=metadata["uid"])


def folder_of(plan: Plan) -> Path:
    return Path(plan.steps["evidence"]["folder"])


def read(folder: Path, name: str) -> Json:
    found: Json = json.loads((folder / "original" / name).read_text())
    return found


async def test_evidence_of_a_crash_looping_pod_is_what_kubectl_shows(lab: Lab, place: str) -> None:
    pod = (await pods_of(lab, place, SICK))[0]
    name = pod["metadata"]["name"]
    async with desk(lab) as at:
        plan, outcome = await at.carried_out("evidence", aim_at(pod))
    folder = folder_of(plan)
    assert outcome.verdict is Verdict.WORKED, outcome.text
    assert check_folder(folder).wrong == ()
    assert json.loads((folder / "index.json").read_text())["by"] == PERSON
    kept = read(folder, f"pods/{name}/pod.json")
    assert (kept["metadata"]["uid"], kept["spec"]) == (pod["metadata"]["uid"], pod["spec"])
    owner = pod["metadata"]["ownerReferences"][0]["name"]
    assert read(folder, f"owners/replicaset-{owner}.json")["metadata"]["uid"]
    assert read(folder, f"owners/deployment-{SICK}.json")["spec"]["replicas"] == REPLICAS
    assert read(folder, f"nodes/{pod['spec']['nodeName']}.json")["kind"] == "Node"
    assert {one["metadata"]["name"] for one in read(folder, "services.json")["items"]} == {SICK}
    reasons = {event["reason"] for event in read(folder, f"pods/{name}/events.json")["items"]}
    assert "BackOff" in reasons
    kinds = {event["involvedObject"]["kind"] for event in read(folder, f"pods/{name}/events.json")["items"]}
    assert kinds == {"Pod"}
    for log in (f"{SICK}.log", f"{SICK}.previous.log"):
        lines = (folder / f"original/pods/{name}/logs/{log}").read_text().splitlines()
        assert len(lines) == 200
        # The lab's kubelet stamps a line when it is asked for it, so only what was said can be compared.
        shown = await lab.kubectl("logs", name, "-n", place, *(["--previous"] if "previous" in log else []))
        assert [line.partition(" ")[2] for line in lines] == shown.splitlines()
        assert all(line.startswith("20") for line in lines)


async def test_a_viewer_of_the_lab_captures_evidence_and_cannot_quarantine(lab: Lab, place: str) -> None:
    pod = (await pods_of(lab, place, WELL))[0]
    async with desk(lab, "viewer") as at:
        _, outcome = await at.carried_out("evidence", aim_at(pod))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        plan = await at.gate.plan("quarantine", aim_at(pod), {"detach": "yes"})
    assert finding(plan, "allowed", Level.RED).text.startswith(f"viewer may not patch pods in namespace {place}")
    assert await policies(lab, place) == []


async def test_a_quarantine_holds_the_pod_and_its_release_leaves_no_trace_but_our_stamp(lab: Lab, place: str) -> None:
    pod = (await pods_of(lab, place, WELL))[0]
    name = pod["metadata"]["name"]
    async with desk(lab) as at:
        plan, outcome = await at.carried_out("quarantine", aim_at(pod))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert plan.diff.source == "server dry run"
        (policy,) = await policies(lab, place)
        held = await pod_now(lab, place, name)
        assert policy["spec"] == DENY_ALL
        assert policy["metadata"]["annotations"] == {"warroom/act": plan.id, "warroom/incident": INCIDENT}
        assert held["metadata"]["labels"] == {**pod["metadata"]["labels"], "quarantine": "true"}
        assert held["metadata"]["uid"] == pod["metadata"]["uid"]
        managers = {entry["manager"] for obj in (policy, held) for entry in obj["metadata"]["managedFields"]}
        assert f"warroom-{INCIDENT}" in managers
        listed = await lab.table("get", "pods", "-n", place, "-l", "quarantine=true")
        assert [row[0] for row in listed] == [name], "kubectl sees whom the policy is about"
        assert check_folder(folder_of(plan)).sealed
        before = read(folder_of(plan), f"pods/{name}/pod.json")
        assert "quarantine" not in before["metadata"]["labels"]

        _, outcome = await at.undone(plan)
        assert outcome.verdict is Verdict.WORKED, outcome.text
    released = await pod_now(lab, place, name)
    assert await policies(lab, place) == []
    assert (released["metadata"]["labels"], released["spec"]) == (pod["metadata"]["labels"], pod["spec"])
    assert set(released["metadata"].get("annotations") or {}) <= set(OURS)


async def test_a_detached_pod_is_replaced_and_comes_back_when_it_is_released(lab: Lab, place: str) -> None:
    pod = (await pods_of(lab, place, WELL))[0]
    name = pod["metadata"]["name"]
    await lab.until(lambda: _serves(lab, place, name), f"{name} in its service")
    async with desk(lab) as at:
        plan, outcome = await at.carried_out("quarantine", aim_at(pod), detach="yes")
        assert outcome.verdict is Verdict.WORKED, outcome.text
        detached = await pod_now(lab, place, name)
        assert "ownerReferences" not in detached["metadata"]
        assert "pod-template-hash" not in detached["metadata"]["labels"]
        assert name not in await addresses(lab, place, WELL)
        assert len(await pods_of(lab, place, WELL)) == REPLICAS + 1
        await lab.until(lambda: _wanted(lab, place, REPLICAS), "the deployment whole without it")

        # So that its ReplicaSet, which would have one too many, has room for it.
        await lab.scale(place, WELL, REPLICAS + 2)
        await lab.until(lambda: _wanted(lab, place, REPLICAS + 2), "room for the pod that comes back")
        _, outcome = await at.undone(plan)
        assert outcome.verdict is Verdict.WORKED, outcome.text
    assert await policies(lab, place) == []
    await lab.until(lambda: _gone_or_serving(lab, place, pod), f"{name} back, or removed as one too many")


async def _serves(lab: Lab, namespace: str, name: str) -> bool:
    return name in await addresses(lab, namespace, WELL)


async def _wanted(lab: Lab, namespace: str, replicas: int) -> bool:
    found = await lab.call("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/{WELL}")
    return bool(found["status"].get("readyReplicas") == replicas)


async def _gone_or_serving(lab: Lab, namespace: str, pod: Json) -> bool:
    name = pod["metadata"]["name"]
    there = {one["metadata"]["name"]: one for one in await pods_of(lab, namespace, WELL)}
    if name not in there:
        return len(there) == REPLICAS + 2
    labels: dict[str, str] = there[name]["metadata"]["labels"]
    return labels == pod["metadata"]["labels"] and await _serves(lab, namespace, name)
