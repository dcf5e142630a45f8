"""Preserving evidence, as somebody at the desk gets it: a folder to show to others, and an untouched cluster."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from incident.redact import REDACTED
from probes.errors import Forbidden
from runbook.errors import Changed
from runbook.evidence_folder import INCOMPLETE, check_folder
from runbook.evidence_report import verdict_on
from runbook.mitigations import TABLE
from runbook.mitigations.evidence import MOST_PODS
from runbook.plan import Aim, Level, Plan, Verdict
from tests.drill.mitigation_desk import INCIDENT, PERSON, PROD, SLOW, Desk, finding, told, until
from tests.drill.small_scenario import village


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def first(at: Desk, workload: str) -> str:
    return str(at.pods(workload)[0]["metadata"]["name"])


def folder_of(plan: Plan) -> Path:
    return Path(plan.steps["evidence"]["folder"])


def index_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "index.json").read_text())
    return found


def originals(folder: Path) -> set[str]:
    above = folder / "original"
    return {path.relative_to(above).as_posix() for path in above.rglob("*") if path.is_file()}


async def test_everything_about_a_pod_is_in_one_folder_and_the_verdict_says_where() -> None:
    async with village(speed=SLOW) as at:  # a container that has begun this very moment has said nothing yet
        name = first(at, "payment-service")
        pod = at.get("pods", name)
        plan, outcome = await at.carried_out("evidence", at.aim("Pod", name))
        folder, owner = folder_of(plan), pod["metadata"]["ownerReferences"][0]["name"]
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert outcome.text.endswith(f"as in the manifest; in {folder}")
        assert f"{len(originals(folder))} files" in outcome.text
        assert originals(folder) >= {
            f"pods/{name}/pod.json",
            f"pods/{name}/pod.yaml",
            f"pods/{name}/events.json",
            f"pods/{name}/logs/payment-service.log",
            f"pods/{name}/logs/payment-service.previous.log",
            f"owners/replicaset-{owner}.yaml",
            f"owners/replicaset-{owner}.events.json",
            "owners/deployment-payment-service.json",
            "owners/deployment-payment-service.events.json",
            f"nodes/{pod['spec']['nodeName']}.yaml",
            f"nodes/{pod['spec']['nodeName']}.events.json",
            "services.json",
            "networkpolicies.json",
        }
        assert json.loads((folder / f"original/pods/{name}/pod.json").read_text())["metadata"]["uid"] == plan.target.uid
        events = json.loads((folder / f"original/pods/{name}/events.json").read_text())["items"]
        assert {event["involvedObject"]["name"] for event in events} == {name}
        log = (folder / f"original/pods/{name}/logs/payment-service.log").read_text().splitlines()
        assert log
        assert all(line[:4] == "2026" or line[4] == "-" for line in log), "every line has its time"


async def test_the_index_says_who_captured_what_from_where_and_when() -> None:
    async with village() as at:
        plan, outcome = await at.carried_out("evidence", at.aim("Pod", first(at, "account-service")))
        index = index_of(folder_of(plan))
        assert (index["incident"], index["by"], index["act"]) == (INCIDENT, PERSON, plan.id)
        assert index["cluster"]["server"] == plan.target.server
        assert index["began_at"].endswith("Z")
        assert index["complete"] is True
        assert folder_of(plan).parent.name == INCIDENT
        (log,) = [one for one in index["files"] if one["what"].startswith("log of")]
        assert log["source"].startswith(f"GET /api/v1/namespaces/{PROD}/pods/")
        assert (log["container"], log["role"], log["previous"]) == ("account-service", "app", False)
        assert outcome.evidence["manifest_sha256"] == check_folder(folder_of(plan)).manifest, "also on the timeline"


async def test_the_manifest_is_one_that_sha256sum_checks() -> None:
    program = shutil.which("sha256sum")
    if program is None:
        pytest.skip("no sha256sum")
    async with village() as at:
        plan, _ = await at.carried_out("evidence", at.aim("Pod", first(at, "account-service")))
    command = [program, "--strict", "-c", "MANIFEST.sha256"]
    process = await asyncio.create_subprocess_exec(*command, cwd=folder_of(plan), stdout=asyncio.subprocess.PIPE)
    checked, _ = await process.communicate()
    assert process.returncode == 0
    there = {path for path in folder_of(plan).rglob("*") if path.is_file()}
    assert len(checked.splitlines()) == len(there) - 1, "everything but the manifest itself"
    assert not (folder_of(plan) / INCOMPLETE).exists()


async def test_it_changes_nothing_and_works_where_nothing_may_be_changed() -> None:
    async with village(read_only=True, armed=False) as at:
        plan, outcome = await at.carried_out("evidence", at.aim("Pod", first(at, "payment-service")))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert plan.phrase == "", "one key is enough for what harms nobody"
        assert (at.writes, at.rehearsals) == ([], [])


async def test_a_viewer_captures_what_a_viewer_may_read() -> None:
    async with village(user="viewer") as at:
        plan, outcome = await at.carried_out("evidence", at.aim("Pod", first(at, "payment-service")))
        assert finding(plan, "readable").level is Level.GREEN
        assert outcome.verdict is Verdict.WORKED, outcome.text


async def test_who_may_read_nothing_is_told_so_instead_of_a_plan() -> None:
    async with village(user="nobody") as at:
        with pytest.raises(Forbidden, match="cannot get pods"):
            await at.plan("evidence", at.aim("Pod", first(at, "payment-service")))


async def test_from_a_workload_all_its_pods_are_captured_the_sick_ones_first() -> None:
    async with village() as at:
        plan, outcome = await at.carried_out("evidence", at.aim("Deployment", "account-service"))
        logs = {path for path in originals(folder_of(plan)) if path.endswith("account-service.log")}
        assert logs == {
            f"pods/{pod['metadata']['name']}/logs/account-service.log" for pod in at.pods("account-service")
        }
        assert outcome.verdict is Verdict.WORKED, outcome.text


async def test_a_big_workload_is_captured_in_part_and_that_is_said_before_and_after() -> None:
    async with village() as at:
        at.change("deployments", "account-service", replicas=MOST_PODS + 2)
        await until(lambda: len(at.pods("account-service")) == MOST_PODS + 2, "all pods there")
        plan, outcome = await at.carried_out("evidence", at.aim("Deployment", "account-service"))
        warned = finding(plan, "pods", Level.AMBER)
        assert warned.text == f"{MOST_PODS} of {MOST_PODS + 2} pods are captured, those that are not ready first"
        assert "2 more pods were not captured" in outcome.text
        assert len(index_of(folder_of(plan))["pods"]) == MOST_PODS


async def test_the_equivalent_commands_are_those_that_a_person_would_type_and_are_there_at_once() -> None:
    async with village() as at:
        name = first(at, "payment-service")
        pod = at.get("pods", name)
        plan = await at.plan("evidence", at.aim("Pod", name))
        owner = pod["metadata"]["ownerReferences"][0]["name"]
        assert told(plan) == (
            f"kubectl logs {name} -n {PROD} --all-containers --timestamps",
            f"kubectl logs {name} -n {PROD} --all-containers --timestamps --previous --ignore-errors",
            f"kubectl get pod {name} -n {PROD} -o yaml",
            f"kubectl get events -n {PROD} --field-selector involvedObject.name={name}",
            f"kubectl get replicaset/{owner} -n {PROD} -o yaml",
            f"kubectl get deployment/payment-service -n {PROD} -o yaml",
            f"kubectl get node {pod['spec']['nodeName']} -o yaml",
            f"kubectl get networkpolicies,services -n {PROD} -o yaml",
        )
        before = len(at.requests)
        await at.plan("evidence", at.aim("Pod", name))
        assert len(at.requests) - before < 15, "few questions, all asked at once"


async def test_a_secret_in_a_pod_is_in_the_original_and_not_in_the_copy() -> None:
    async with village() as at:
        name = first(at, "session-cache")
        pod = at.get("pods", name)
        (container,) = pod["spec"]["containers"]
        secret = {**container, "env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}
        at.put("pods", {**pod, "spec": {**pod["spec"], "containers": [secret]}})
        plan, _ = await at.carried_out("evidence", at.aim("Pod", name))
        for form in ("json", "yaml"):
            original = (folder_of(plan) / f"original/pods/{name}/pod.{form}").read_text()
            copy = (folder_of(plan) / f"redacted/pods/{name}/pod.{form}").read_text()
            assert "hunter2" in original
            assert "hunter2" not in copy
            assert REDACTED in copy


async def test_a_pod_that_went_after_the_plan_still_leaves_its_events_and_owners() -> None:
    async with village() as at:
        name = first(at, "payment-service")
        plan = await at.plan("evidence", at.aim("Pod", name))
        at.drop("pods", name)
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.FAILED
        assert f"missing: pod {name}, log of {name}/payment-service" in outcome.text
        assert f'(it is not there: pods "{name}" not found)' in outcome.text
        assert f"pods/{name}/events.json" in originals(folder_of(plan))
        assert "owners/deployment-payment-service.json" in originals(folder_of(plan))
        assert check_folder(folder_of(plan)).sealed


async def test_another_pod_of_that_name_is_not_captured_in_its_place() -> None:
    async with village() as at:
        name = first(at, "session-cache")
        plan = await at.plan("evidence", at.aim("Pod", name))
        at.recreate("pods", name)
        with pytest.raises(Changed, match="deleted and created again"):
            await at.confirm(plan)
        assert not folder_of(plan).exists()


async def test_a_pod_that_is_changing_all_the_time_is_captured_all_the_same() -> None:
    async with village() as at:
        name = first(at, "account-service")
        plan = await at.plan("evidence", at.aim("Pod", name))
        pod = at.get("pods", name)
        at.put("pods", {**pod, "metadata": {**pod["metadata"], "labels": {"suspicious": "yes"}}})
        outcome = await at.ended(await at.confirm(plan))
        assert outcome.verdict is Verdict.WORKED, outcome.text


async def test_evidence_that_was_tampered_with_or_that_a_dying_console_left_is_told_for_what_it_is() -> None:
    async with village() as at:
        plan, _ = await at.carried_out("evidence", at.aim("Pod", first(at, "account-service")))
    folder = folder_of(plan)
    left = Path(shutil.copytree(folder, folder.with_name("left")))
    (folder / "original/services.json").write_text("{}")
    (folder / "original/planted.log").write_text("nothing happened")
    found = verdict_on(folder, check_folder(folder))
    assert found.verdict is Verdict.FAILED
    assert "original/services.json is not what was captured" in found.text
    assert "original/planted.log is not in the manifest" in found.text

    (left / "MANIFEST.sha256").unlink()
    (left / INCOMPLETE).touch()
    found = verdict_on(left, check_folder(left))
    assert found.verdict is Verdict.FAILED
    assert found.text.startswith("it was broken off: ")
    assert str(left) in found.text


def test_the_key_is_for_pods_and_workloads() -> None:
    evidence = TABLE["evidence"]
    assert evidence.refuses(Aim(kind="Pod")) == evidence.refuses(Aim(kind="StatefulSet")) == ""
    assert evidence.refuses(Aim(kind="Node")) == "not a pod or a workload"
