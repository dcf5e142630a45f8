"""The real kubectl against the platform's API server: what a person types, and what is printed."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from drill.kinds import kind
from tests.drill.wire import PROD, SomeMetrics, Wire, a_deployment, serving

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH")
TIMEOUT = 90.0


@dataclass(frozen=True)
class Kubectl:
    """kubectl with a kubeconfig per user; its home is a fresh directory, so that nothing is cached between tests."""

    wire: Wire
    home: Path

    def kubeconfig(self, user: str) -> Path:
        path = self.home / f"{user}.yaml"
        server = self.wire.server
        authority = base64.b64encode(server.ca_pem.encode()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "drill",
            "clusters": [{"name": "drill", "cluster": {"server": server.url, "certificate-authority-data": authority}}],
            "users": [{"name": user, "user": {"token": server.tokens[user]}}],
            "contexts": [{"name": "drill", "context": {"cluster": "drill", "user": user, "namespace": PROD}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    async def start(self, *arguments: str, user: str = "admin") -> asyncio.subprocess.Process:
        assert KUBECTL is not None
        environment = {"HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig(user)), "PATH": os.environ["PATH"]}
        return await asyncio.create_subprocess_exec(
            KUBECTL,
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, user: str = "admin", fails: bool = False) -> str:
        """What it printed: to stdout, or to stderr when it is expected to fail."""
        process = await self.start(*arguments, user=user)
        async with asyncio.timeout(TIMEOUT):
            out, err = await process.communicate()
        assert (process.returncode != 0) is fails, err.decode() + out.decode()
        return (err if fails else out).decode()

    @asynccontextmanager
    async def following(self, *arguments: str) -> AsyncIterator[asyncio.StreamReader]:
        process = await self.start(*arguments)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(TIMEOUT):
                yield process.stdout
        finally:
            process.kill()
            await process.communicate()


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    async with serving(metrics=SomeMetrics()) as wire:
        yield Kubectl(wire, tmp_path)


async def test_get_prints_kubectls_own_columns(kubectl: Kubectl) -> None:
    heads = {
        "pods": ["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
        "nodes": ["NAME", "STATUS", "ROLES", "AGE", "VERSION"],
        "deployments": ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"],
        "events": ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"],
        "namespaces": ["NAME", "STATUS", "AGE"],
        "secrets": ["NAME", "TYPE", "DATA", "AGE"],
    }
    for resource, columns in heads.items():
        head = (await kubectl.run("get", resource)).splitlines()[0]
        assert head.split() == " ".join(columns).split()


async def test_get_of_everything_in_all_namespaces_and_wide(kubectl: Kubectl) -> None:
    everything = await kubectl.run("get", "all", "-A")
    assert "pod/payment-service-a" in everything
    assert "deployment.apps/payment-service   3/3     3            3" in everything
    wide = (await kubectl.run("get", "pods", "-o", "wide")).splitlines()
    assert wide[0].split()[-7:] == ["AGE", "IP", "NODE", "NOMINATED", "NODE", "READINESS", "GATES"]
    assert wide[1].split()[-4:] == ["10.0.0.1", "node-2", "<none>", "<none>"]
    as_yaml = yaml.safe_load(await kubectl.run("get", "pod", "payment-service-a", "-o", "yaml"))
    assert as_yaml["metadata"]["labels"] == {"app": "payment-service"}


async def test_selectors_and_chunks(kubectl: Kubectl) -> None:
    chosen = await kubectl.run("get", "pods", "-l", "app in (account-service)", "-o", "name", "--chunk-size=1")
    assert chosen.split() == ["pod/account-service-a", "pod/account-service-b"]
    on_node = await kubectl.run("get", "pods", "--field-selector", "spec.nodeName=node-2", "-o", "name")
    assert on_node.split() == chosen.split()


async def test_describe_shows_an_objects_events(kubectl: Kubectl) -> None:
    store = kubectl.wire.server.store
    pod = store.get(kind("pods"), PROD, "payment-service-a")
    event = store.list(kind("events"))[0]
    assert pod is not None
    regarding = {**event["involvedObject"], "uid": pod["metadata"]["uid"]}
    store.update(kind("events"), {**event, "involvedObject": regarding})
    text = await kubectl.run("describe", "pod", "payment-service-a")
    assert "Back-off restarting failed container" in text
    deployment = await kubectl.run("describe", "deployment", "payment-service")
    assert "3 desired | 3 updated | 3 total | 3 available | 0 unavailable" in deployment
    assert "Non-terminated Pods:          (5 in total)" in await kubectl.run("describe", "node", "node-1")


async def test_logs_with_tail_and_follow(kubectl: Kubectl) -> None:
    assert await kubectl.run("logs", "payment-service-a", "--tail=1") == "payment-service line 9\n"
    async with kubectl.following("logs", "-f", "payment-service-a", "--tail=1") as lines:
        assert await lines.readline() == b"payment-service line 9\n"
        assert await lines.readline() == b"one more\n"
    refusal = await kubectl.run("logs", "payment-service-a", "-c", "nope", fails=True)
    assert "container nope is not valid for pod payment-service-a" in refusal


async def test_top_prints_the_metrics(kubectl: Kubectl) -> None:
    assert (await kubectl.run("top", "nodes")).splitlines()[1].split() == ["node-1", "5049m", "63%", "6144Mi", "18%"]
    assert (await kubectl.run("top", "pods")).splitlines()[1].split() == ["payment-service-a", "12m", "60Mi"]


async def test_watching_prints_changes(kubectl: Kubectl) -> None:
    async with kubectl.following("get", "pods", "-w") as lines:
        for _ in range(8):
            await lines.readline()
        kubectl.wire.server.store.remove(kind("pods"), PROD, "payment-service-a")
        assert (await lines.readline()).startswith(b"payment-service-a")


async def test_changing_scaling_and_labelling(kubectl: Kubectl) -> None:
    store, deployments = kubectl.wire.server.store, kind("deployments")
    await kubectl.run("scale", "deployment/payment-service", "--replicas=5")
    await kubectl.run("set", "image", "deployment/payment-service", "payment-service=payment-service:2")
    await kubectl.run("annotate", "deployment/payment-service", "note=a")
    await kubectl.run("label", "deployment/payment-service", "tier=back")
    await kubectl.run("patch", "deployment", "payment-service", "--type=json", "-p",
                      '[{"op":"add","path":"/metadata/labels/zone","value":"b"}]')  # fmt: skip
    await kubectl.run("rollout", "restart", "deployment/payment-service")
    changed = store.get(deployments, PROD, "payment-service")
    assert changed is not None
    template = changed["spec"]["template"]
    assert changed["spec"]["replicas"] == 5
    assert template["spec"]["containers"][0]["image"] == "payment-service:2"
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    assert changed["metadata"]["labels"] == {"app": "payment-service", "tier": "back", "zone": "b"}
    await kubectl.run("cordon", "node-1")
    assert "Ready,SchedulingDisabled" in await kubectl.run("get", "nodes")


async def test_apply_with_validation_both_ways(kubectl: Kubectl) -> None:
    manifest = kubectl.home / "web.yaml"
    manifest.write_text(yaml.safe_dump(a_deployment("web")))
    assert await kubectl.run("apply", "-f", str(manifest)) == "deployment.apps/web created\n"
    assert await kubectl.run("apply", "-f", str(manifest)) == "deployment.apps/web unchanged\n"
    assert "serverside-applied" in await kubectl.run("apply", "--server-side", "-f", str(manifest))
    await kubectl.run("scale", "deployment/web", "--replicas=7")
    conflict = await kubectl.run("apply", "--server-side", "-f", str(manifest), "--field-manager=ci", fails=True)
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas' in conflict
    forced = ("apply", "--server-side", "--force-conflicts", "-f", str(manifest), "--field-manager=ci")
    assert "serverside-applied" in await kubectl.run(*forced)
    assert (await kubectl.run("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}")) == "3"
    await kubectl.run("delete", "-f", str(manifest))


async def test_deleting_waits_for_the_object_to_go(kubectl: Kubectl) -> None:
    assert "force deleted" in await kubectl.run("delete", "pod", "payment-service-a", "--grace-period=0", "--force")
    refusal = await kubectl.run("delete", "pod", "payment-service-a", fails=True)
    assert refusal == 'Error from server (NotFound): pods "payment-service-a" not found\n'
    assert "server dry run" in await kubectl.run("delete", "deployment", "payment-service", "--dry-run=server")
    assert "payment-service" in await kubectl.run("get", "deployment", "payment-service")


async def test_rollout_status_tells_that_it_is_done(kubectl: Kubectl) -> None:
    text = await kubectl.run("rollout", "status", "deployment/payment-service", "--timeout=60s")
    assert text == 'deployment "payment-service" successfully rolled out\n'


async def test_users_are_told_what_they_may(kubectl: Kubectl) -> None:
    assert await kubectl.run("auth", "can-i", "patch", "deployments") == "yes\n"
    process = await kubectl.start("auth", "can-i", "patch", "deployments", user="viewer")
    async with asyncio.timeout(TIMEOUT):
        assert (await process.communicate())[0] == b"no\n"
    assert "viewer" in await kubectl.run("auth", "whoami", user="viewer")
    refusal = await kubectl.run("get", "secrets", user="viewer", fails=True)
    assert 'User "viewer" cannot list resource "secrets"' in refusal
    assert "cannot list resource" in await kubectl.run("get", "pods", user="nobody", fails=True)
