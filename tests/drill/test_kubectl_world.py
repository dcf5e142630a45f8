"""The real kubectl on a whole platform, its controllers, scheduler and kubelets included: an operator's day."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from drill.platform import Running, running
from tests.drill.small_scenario import SMALL

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH")
TIMEOUT = 60.0
ACCOUNTS = "deployment/account-service"


@dataclass(frozen=True)
class Shell:
    """kubectl in the platform's own kubeconfig, with a home of its own."""

    platform: Running
    home: Path

    async def __call__(self, line: str, *more: str, code: int = 0, editor: str = "false") -> str:
        """What it printed, both streams, when it ended with this exit status."""
        assert KUBECTL is not None
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *line.split(),
            *more,
            env={
                "HOME": str(self.home),
                "KUBECONFIG": str(self.platform.kubeconfig),
                "PATH": os.environ["PATH"],
                "KUBE_EDITOR": editor,
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(TIMEOUT):
            out, _ = await process.communicate()
        assert process.returncode == code, (line, out.decode())
        return out.decode()


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Shell]:
    async with running(SMALL, speed=30.0, directory=tmp_path) as platform:
        yield Shell(platform, tmp_path)


async def test_a_rollout_is_followed_paused_undone_and_told(kubectl: Shell) -> None:
    done = 'deployment "account-service" successfully rolled out'
    assert done in await kubectl(f"rollout status {ACCOUNTS} --timeout=60s")
    image = "account-service=bankingacr.azurecr.io/account-service:1.2.0"
    assert "image updated" in await kubectl(f"set image {ACCOUNTS} {image}")
    assert "annotated" in await kubectl(f"annotate {ACCOUNTS} kubernetes.io/change-cause=1.2.0")
    assert done in await kubectl(f"rollout status {ACCOUNTS} --timeout=60s")
    assert "restarted" in await kubectl(f"rollout restart {ACCOUNTS}")
    assert done in await kubectl(f"rollout status {ACCOUNTS} --timeout=60s")
    history = (await kubectl(f"rollout history {ACCOUNTS}")).splitlines()
    assert history[1].split() == ["REVISION", "CHANGE-CAUSE"]
    *_, second_last, last = [line.split() for line in history if line[:1].isdigit()]
    assert (int(second_last[0]) + 1, last[1]) == (int(last[0]), "1.2.0")
    assert "account-service:1.2.0" in await kubectl(f"rollout history {ACCOUNTS} --revision={last[0]}")
    assert "rolled back" in await kubectl(f"rollout undo {ACCOUNTS} --to-revision=1")
    assert done in await kubectl(f"rollout status {ACCOUNTS} --timeout=60s")
    told = "-o jsonpath={.spec.template.spec.containers[0].image}"
    assert await kubectl(f"get {ACCOUNTS} {told}") == "bankingacr.azurecr.io/account-service:1.0.0"
    assert "paused" in await kubectl(f"rollout pause {ACCOUNTS}")
    assert "can't restart paused deployment" in await kubectl(f"rollout restart {ACCOUNTS}", code=1)
    assert "resumed" in await kubectl(f"rollout resume {ACCOUNTS}")
    assert "scaled" in await kubectl(f"scale {ACCOUNTS} --replicas=5 --current-replicas=3")
    assert (
        "expected replicas to be 9"
        in (await kubectl(f"scale {ACCOUNTS} --replicas=1 --current-replicas=9", code=1)).lower()
    )
    assert "condition met" in await kubectl(f"wait {ACCOUNTS} --for=jsonpath={{.status.readyReplicas}}=5 --timeout=60s")
    events = await kubectl(f"events --for {ACCOUNTS}")
    assert "Scaled up replica set" in events
    text = await kubectl(f"describe {ACCOUNTS}")
    assert "NewReplicaSetAvailable" in text
    assert "Scaled up replica set" in text


async def test_manifests_are_compared_applied_edited_and_patched(kubectl: Shell) -> None:
    manifest = kubectl.home / "web.yaml"
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "labels": {"app": "web"}},
        "data": {"pool": "5"},
    }
    manifest.write_text(yaml.safe_dump(document))
    assert '+  pool: "5"' in await kubectl(f"diff -f {manifest}", code=1)
    assert "created" in await kubectl(f"apply -f {manifest}")
    assert await kubectl(f"diff -f {manifest}") == ""
    manifest.write_text(yaml.safe_dump({**document, "data": {"pool": "9"}}))
    difference = await kubectl(f"diff -f {manifest}", code=1)
    assert '-  pool: "5"' in difference
    assert '+  pool: "9"' in difference
    assert "(server dry run)" in await kubectl(f"apply -f {manifest} --dry-run=server")
    assert "configured" in await kubectl(f"apply -f {manifest}")
    assert "serverside-applied" in await kubectl(f"apply --server-side --force-conflicts -f {manifest}")
    assert "replaced" in await kubectl(f"replace -f {manifest}")
    assert "edited" in await kubectl("edit configmap settings", editor="sed -i /pool/s/9/7/")
    assert await kubectl("get configmap settings -o jsonpath={.data.pool}") == "7"
    assert "is invalid" in await kubectl("patch configmap settings -p", '{"data": {"a b": "c"}}', code=1)
    assert "patched" in await kubectl("patch configmap settings --type=merge -p", '{"data": {"pool": null, "k": "v"}}')
    assert "labeled" in await kubectl("label configmap settings app=api --overwrite tier-")
    assert await kubectl("get configmap -l app=api -o name") == "configmap/settings\n"
    assert "already has a value" in await kubectl("label configmap settings app=web", code=1)
    assert "created" in await kubectl("create secret generic keys --from-literal=a=b")
    assert "already exists" in await kubectl("create secret generic keys --from-literal=a=b", code=1)
    assert "deleted" in await kubectl("delete configmap,secret settings keys --ignore-not-found")
    assert "No resources found" in await kubectl("get configmap -l app=api")


async def test_a_node_is_cordoned_drained_and_given_back(kubectl: Shell) -> None:
    node = (
        await kubectl("get pods -l app.kubernetes.io/name=account-service -o jsonpath={.items[0].spec.nodeName}")
    ).strip()
    node = node or "aks-system-00000"
    assert "cordoned" in await kubectl(f"cordon {node}")
    assert "already cordoned" in await kubectl(f"cordon {node}")
    refusal = await kubectl(f"drain {node}", code=1)
    assert "cannot delete DaemonSet-managed Pods" in refusal
    drained = await kubectl(f"drain {node} --ignore-daemonsets --delete-emptydir-data --timeout=60s")
    assert f"node/{node} drained" in drained
    left = await kubectl(f"get pods -A --no-headers --field-selector spec.nodeName={node},status.phase=Running -o name")
    assert all(name.startswith("pod/kube-proxy") for name in left.split())
    assert "uncordoned" in await kubectl(f"uncordon {node}")
    assert "tainted" in await kubectl(f"taint node {node} repair=yes:NoSchedule")
    assert "repair=yes:NoSchedule" in await kubectl(f"describe node {node}")
    assert "untainted" in await kubectl(f"taint node {node} repair-")
    assert (await kubectl("top nodes")).splitlines()[0].split()[:2] == ["NAME", "CPU(cores)"]
    assert "account-service" in await kubectl("top pods --containers")


async def test_it_explains_itself_and_tells_what_went_wrong(kubectl: Shell) -> None:
    resources = await kubectl("api-resources --verbs=list -o name")
    assert {"pods", "deployments.apps", "virtualservices.networking.istio.io"} <= set(resources.split())
    assert "networking.istio.io/v1" in (await kubectl("api-versions")).split()
    assert "Server Version: v1.34" in await kubectl("version")
    allowed = await kubectl("auth can-i --list")
    assert "*.*" in allowed
    assert await kubectl("auth can-i get secrets --context=viewer", code=1) == "no\n"
    assert "is running at" in await kubectl("cluster-info")
    pod = (await kubectl("get pods -l app.kubernetes.io/name=payment-service -o name")).split()[0]
    restarts = await kubectl(f"get {pod} -o jsonpath={{.status.containerStatuses[0].restartCount}}")
    assert int(restarts) > 1
    assert (await kubectl(f"logs {pod} --previous --tail=5")).strip()
    described = await kubectl(f"describe {pod}")
    assert "Back-off restarting failed container" in described
    assert "Exit Code:" in described
    assert "BackOff" in await kubectl("get events --field-selector reason=BackOff")
    assert (await kubectl("logs deployment/account-service --tail=3 --all-containers")).strip()
    deleted = await kubectl(f"delete {pod}", "--wait=false")
    assert "deleted" in deleted
    assert "NotFound" in await kubectl("get pod none-such", code=1)
    assert "error: the server doesn't have a resource type" in await kubectl("get nonsense", code=1)
