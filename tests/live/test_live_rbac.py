"""The RBAC manifests on a real API server: who is bound to them may do what every mitigation needs, and no more."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import yaml

from probes.access import can_i
from probes.cluster import Cluster
from runbook.mitigations import TABLE
from runbook.plan import Need
from tests.live.lab import Lab

RBAC = Path(__file__).parents[2] / "docs" / "rbac"
API = "/apis/rbac.authorization.k8s.io/v1"
USER = "nobody"  # who has nothing of their own


@asynccontextmanager
async def bound(lab: Lab, *files: str) -> AsyncIterator[Cluster]:
    """The user with every role of these manifests, in the whole cluster, for the length of a block."""
    mark = uuid.uuid4().hex[:8]
    made: list[str] = []
    cluster = await Cluster.connect(str(lab.kubeconfig), USER)
    try:
        for file in files:
            for role in yaml.safe_load_all((RBAC / file).read_text()):
                name = f"{role['metadata']['name']}-{mark}"
                role["metadata"]["name"] = name
                await lab.call("POST", f"{API}/clusterroles", role)
                made.append(f"{API}/clusterroles/{name}")
                binding = {
                    "apiVersion": "rbac.authorization.k8s.io/v1",
                    "kind": "ClusterRoleBinding",
                    "metadata": {"name": name},
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
                    "subjects": [{"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"}],
                }
                await lab.call("POST", f"{API}/clusterrolebindings", binding)
                made.append(f"{API}/clusterrolebindings/{name}")
        yield cluster
    finally:
        await cluster.close()
        for path in reversed(made):
            await lab.call("DELETE", path)


async def allowed(cluster: Cluster, need: Need) -> bool:
    return bool(await can_i(cluster, need.verb, need.resource, need.group, need.namespace, need.subresource))


def needs() -> list[Need]:
    return list(dict.fromkeys(need for each in TABLE.values() for need in each.permissions("default")))


async def test_the_responder_may_do_what_every_mitigation_needs(lab: Lab) -> None:
    async with bound(lab, "viewer.yaml", "responder.yaml") as cluster:
        missing = needs()

        async def settled() -> bool:
            """The roles come into force one by one."""
            while missing and await allowed(cluster, missing[0]):
                del missing[0]
            return not missing

        with suppress(AssertionError):
            await lab.until(settled, "everything allowed")
        assert [str(need) for need in missing] == []


async def test_the_viewer_may_do_nothing_that_changes_anything(lab: Lab) -> None:
    async with bound(lab, "viewer.yaml") as cluster:

        async def settled() -> bool:
            return await allowed(cluster, Need("list", "pods"))

        await lab.until(settled, "the role in force")
        writes = [need for need in needs() if need.verb not in ("get", "list", "watch")]

        assert [str(need) for need in writes if await allowed(cluster, need)] == []
        assert not await allowed(cluster, Need("get", "pods", subresource="exec", namespace="default"))
