"""Reads: one object, lists, pages, selectors, tables, metadata only; and what is refused."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.differential.pair import pair_of
from tests.differential.side import Side
from tests.differential.things import config_map, deployment, is_settled, pod
from tests.live.lab import Lab

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
ONE_METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"


async def reading(side: Side) -> None:
    maps, pods = side.at("configmaps"), side.at("pods")
    for name, labels in (("a", {"tier": "web"}), ("b", {"tier": "db", "canary": ""}), ("c", {"zone": "x"}), ("d", {})):
        await side.create(maps, config_map(name, labels, key=name))
    for name in ("p", "q"):
        await side.create(pods, pod(name))
    await side.get(f"{maps}/a")
    await side.get(f"{maps}/none")
    await side.get(f"{maps}/a", Accept=ONE_METADATA)
    await side.get(f"{maps}/a", Accept=TABLE)
    ours = f"{maps}?labelSelector="
    for selector in (
        "tier", "!tier,zone", "tier=web", "tier==web", "tier!=web,canary", "tier in (web,db)", "tier notin (web),zone",
        "zone=", "tier in ()", "tier in (web", "=x", "tier=web,", ",tier", "a b", "tier>5", "tier gt 5", "-x=1",
        "tier=we b", "tier=-web", "tier in (web db)", "(", "a/b/c=1", "tier=web=db", "tier!", "!", "tier=!web",
        "x" * 70,
    ):  # fmt: skip
        await side.get(ours + _quoted(selector))
    fields = f"{maps}?fieldSelector="
    for selector in (
        "metadata.name=a", "metadata.name==a", "metadata.name!=a,metadata.name!=kube-root-ca.crt", "metadata.name",
        "data.key=a", "metadata.namespace=elsewhere", "metadata.name=", "=", "metadata.name=a,", "metadata.uid=1",
        "metadata.name=a,metadata.name=b", "metadata.name=none",
    ):  # fmt: skip
        await side.get(fields + _quoted(selector))
    for selector in ("status.phase=Pending", "status.phase!=Pending", "spec.nodeName=", "spec.containers=x",
                     "spec.schedulerName=nobody", "spec.restartPolicy=Always", "spec.serviceAccountName=default",
                     "metadata.name=p,status.phase=Pending", "status.podIP="):  # fmt: skip
        await side.get(f"{pods}?fieldSelector={_quoted(selector)}", Accept=METADATA)
    await side.get(pods, Accept=TABLE)
    await side.get(f"{pods}?includeObject=None", Accept=TABLE)
    await side.get(f"{pods}?includeObject=Object&limit=1", Accept=TABLE)
    await side.get(f"{pods}?includeObject=Nonsense", Accept=TABLE)
    await side.get(pods, Accept=METADATA)
    await side.get(f"/api/v1/pods?fieldSelector=metadata.namespace={side.namespace}")


async def test_reads(lab: Lab) -> None:
    async with pair_of(lab, "read") as pair:
        await pair.same(reading)


async def paging(side: Side) -> None:
    maps = side.at("configmaps")
    for name in "abcdefg":
        await side.create(maps, config_map(name, {"page": "yes"}), told=False)
    first = await side.get(f"{maps}?limit=3", step="page 1")
    token = first["metadata"]["continue"]
    await side.create(maps, config_map("bb"), told=False)
    second = await side.get(f"{maps}?limit=3&continue={token}", step="page 2")
    await side.get(f"{maps}?limit=3&continue={second['metadata']['continue']}", step="page 3")
    await side.get(f"{maps}?continue={token}", step="the rest at once")
    chosen = await side.get(f"{maps}?limit=2&labelSelector=page%3Dyes", step="chosen page 1")
    await side.get(
        f"{maps}?limit=2&labelSelector=page%3Dyes&continue={chosen['metadata']['continue']}", step="chosen page 2"
    )
    await side.get(f"{maps}?limit=2&labelSelector=page%3Dno")
    await side.get(f"{maps}?limit=3&continue={token}&resourceVersion=1", step="a token and a version")
    await side.get(f"{maps}?limit=3&continue=nonsense")
    await side.get(f"{maps}?limit=3&continue=bm9uc2Vuc2U")
    await side.get(f"{maps}?limit=-1")
    await side.get(f"{maps}?limit=x")
    await side.get(f"{maps}?limit=0&resourceVersion=0", step="in any order, from the cache")
    version = first["metadata"]["resourceVersion"]
    await side.get(f"{maps}?resourceVersion={version}&limit=2", step="exactly, because it is limited")
    await side.get(f"{maps}?resourceVersion={version}&resourceVersionMatch=Exact", step="exactly")
    await side.get(
        f"{maps}?resourceVersion={version}&resourceVersionMatch=NotOlderThan", step="in any order, not older"
    )
    await side.get(f"{maps}?resourceVersionMatch=Exact")
    await side.get(f"{maps}?resourceVersion=0&resourceVersionMatch=Exact")
    await side.get(f"{maps}?resourceVersion=1&resourceVersionMatch=Nonsense")
    await side.get(f"{maps}?resourceVersion=x")
    side.forget()
    await side.get(f"{maps}?timeoutSeconds=x")


async def too_old(side: Side) -> None:
    maps = side.at("configmaps")
    await side.create(maps, config_map("a"), told=False)
    side.forget()
    await side.get(f"{maps}?resourceVersion=1&resourceVersionMatch=Exact")
    await side.watched(f"{maps}?watch=1&timeoutSeconds=30&resourceVersion=1", lambda event: True)


async def test_pages(lab: Lab) -> None:
    async with pair_of(lab, "page") as pair:
        await pair.same(paging)


async def test_what_is_too_old(lab: Lab) -> None:
    async with pair_of(lab, "old") as pair:
        maps = pair.lab.at("configmaps")
        oldest = await pair.lab.get(f"{maps}?resourceVersion=1&resourceVersionMatch=Exact", told=False)
        if oldest["kind"] != "Status":
            pytest.skip("the lab is younger than five minutes: it still knows all that ever was")
        await pair.same(too_old)


async def refusals(side: Side) -> None:
    maps, pods, name = side.at("configmaps"), side.at("pods"), side.at("configmaps", "a")
    await side.create(maps, config_map("a"))
    for user in ("", "wrong", "viewer", "nobody"):
        await side.ask("GET", pods, user=user, step=f"{user} lists")
        await side.ask("GET", side.at("secrets"), user=user, step=f"{user} lists secrets")
        await side.ask("DELETE", name, user=user, step=f"{user} deletes")
        await side.ask("PATCH", side.at("deployments", "x", group="apps/v1", below="scale"), {}, user=user,
                       media="application/merge-patch+json", step=f"{user} scales")  # fmt: skip
        await side.ask("GET", "/api/v1/secrets", user=user, step=f"{user} everybody's secrets", told=user != "admin")
        await side.ask("GET", "/apis/apps/v1", user=user, step=f"{user} discovers")
        await side.ask("GET", "/version/", user=user, step=f"{user} version", told=False)
    for path in ("/api/v1/nothings", "/apis/none.example/v1/things", "/apis/apps/v2/deployments", "/api/v2", "/nothing",
                 "/apis/none.example", "/apis/apps/v9", f"{name}/status", f"{name}/scale", f"{pods}/a/nothing",
                 f"{maps}/a/b/c", "/api/v1/namespaces/none-such/pods", "/api/v1/namespaces/none-such/pods/a",
                 ):  # fmt: skip
        await side.get(path)
    for method, path in (("POST", name), ("PUT", maps), ("PATCH", maps), ("POST", "/api/v1/nodes/x"), ("PUT", "/api"),
                         ("DELETE", "/api/v1"), ("PATCH", f"{pods}/a/log"), ("GET", f"{pods}/a/eviction"),
                         ("GET", f"{pods}/a/binding"), ("OPTIONS", maps), ("DELETE", f"{pods}/a/status"),
                         ("POST", f"{side.at('deployments', 'x', group='apps/v1')}/scale"),
                         ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")):  # fmt: skip
        await side.ask(method, path, {})
    for accept in ("text/html", "application/xml", "application/json;as=Nonsense;v=v1;g=meta.k8s.io", "text/html,*/*",
                   "application/json;as=Table;v=v7;g=meta.k8s.io", "application/*", "image/png, application/json;q=0.5",
                   "application/json;as=Table;v=v1;g=other.k8s.io,application/json"):  # fmt: skip
        await side.get(maps, Accept=accept)
        await side.get(name, Accept=accept)
    for media in ("text/plain", "application/xml", "application/json-patch+json", ""):
        await side.ask("POST", maps, config_map(f"m-{len(media)}"), media=media, step=f"POST as {media}")
        await side.ask("PATCH", name, {"data": {"m": media}}, media=media, step=f"PATCH as {media}")
    await side.ask("PATCH", name, {}, media="application/json")
    await side.create(maps, {**config_map("x"), "kind": "Secret"})
    await side.create(maps, {**config_map("x"), "apiVersion": "v2"})
    await side.create(maps, {**config_map("x"), "apiVersion": "", "kind": ""})
    await side.create(maps, {"metadata": {"name": "y", "namespace": "elsewhere"}})
    await side.create("/api/v1/namespaces/none-such/configmaps", config_map("x"))
    await side.ask("POST", maps, b"{nonsense")
    await side.ask("POST", maps, b"[]")
    await side.ask("POST", maps, b"")
    await side.ask("POST", maps, b"a: [", media="application/yaml")
    await side.ask("PUT", name, {"metadata": {"name": "b"}})
    await side.ask("PUT", name, {})


async def test_refusals(lab: Lab) -> None:
    async with pair_of(lab, "refuse") as pair:
        await pair.same(refusals)


async def discovering(side: Side) -> None:
    """Of each group what both serve: a real server has more resources, and the lab older versions."""
    await side.get("/apis/apps")
    await side.get("/apis/networking.istio.io")
    served = ("", "apps/v1", "batch/v1", "networking.k8s.io/v1", "coordination.k8s.io/v1", "storage.k8s.io/v1",
              "networking.istio.io/v1beta1", "rbac.authorization.k8s.io/v1", "scheduling.k8s.io/v1",
              "authorization.k8s.io/v1")  # fmt: skip
    both = ("configmaps", "secrets", "pods", "pods/log", "pods/exec", "pods/eviction", "pods/binding", "pods/status",
            "services", "endpoints", "events", "nodes", "namespaces", "serviceaccounts", "deployments", "replicasets",
            "deployments/scale", "deployments/status", "statefulsets", "daemonsets", "controllerrevisions", "jobs",
            "networkpolicies", "ingresses", "leases", "virtualservices", "roles", "rolebindings", "clusterroles",
            "storageclasses", "priorityclasses", "selfsubjectaccessreviews", "persistentvolumeclaims",
            "limitranges",
            "replicationcontrollers", "replicationcontrollers/scale", "resourcequotas",
            "persistentvolumes")  # fmt: skip
    for version in served:
        found = await side.get(f"/apis/{version}" if version else "/api/v1", told=False)
        for resource in found["resources"]:
            if resource["name"] in both:
                side.tell(f"resource {version} {resource['name']}", {**resource, "verbs": sorted(resource["verbs"])})


async def test_discovery(lab: Lab) -> None:
    async with pair_of(lab, "discover") as pair:
        await pair.same(discovering)


async def tables(side: Side) -> None:
    """What kubectl prints, of kinds that no controller moves."""
    await side.create(side.at("deployments", group="apps/v1"), deployment("web"))
    await side.create(side.at("secrets"), {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    await side.create(side.at("services"), {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})
    for path in (side.at("services"), side.at("secrets", "s"), side.at("configmaps"), side.at("events"),
                 side.at("networkpolicies", group="networking.k8s.io/v1"), side.at("jobs", group="batch/v1"),
                 side.at("replicasets", group="apps/v1", ), side.at("statefulsets", group="apps/v1"),
                 side.at("daemonsets", group="apps/v1"), side.at("deployments", group="apps/v1"),
                 side.at("persistentvolumeclaims"), side.at("endpoints"), side.at("serviceaccounts"),
                 side.at("ingresses", group="networking.k8s.io/v1"), "/api/v1/nodes?limit=1",
                 side.at("controllerrevisions", group="apps/v1"), side.at("leases", group="coordination.k8s.io/v1"),
                 side.at("roles", group="rbac.authorization.k8s.io/v1"), side.at("resourcequotas"),
                 side.at("rolebindings", group="rbac.authorization.k8s.io/v1"), side.at("limitranges"),
                 "/apis/storage.k8s.io/v1/storageclasses", "/api/v1/persistentvolumes",
                 "/apis/rbac.authorization.k8s.io/v1/clusterroles?limit=1",
                 "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings?limit=1",
                 "/apis/scheduling.k8s.io/v1/priorityclasses?limit=1",
                 f"/api/v1/namespaces/{side.namespace}"):  # fmt: skip
        body = await side.get(path, Accept=TABLE, told=False)
        side.tell(f"columns of {path.rpartition(chr(47) + side.namespace)[2]}", body.get("columnDefinitions", body))


async def cells(side: Side) -> None:
    """The rows of what somebody made."""
    web = side.at("deployments", "web", group="apps/v1")
    await side.create(side.at("deployments", group="apps/v1"), deployment("web"), told=False)
    ports = [{"port": 80, "name": "http"}, {"port": 53, "name": "dns", "protocol": "UDP"}]
    service = {"metadata": {"name": "web"}, "spec": {"ports": ports, "selector": {"app": "web"}}}
    await side.create(side.at("services"), service, told=False)
    await side.create(side.at("secrets"), {"metadata": {"name": "s"}, "stringData": {"a": "b"}}, told=False)
    policy = {"metadata": {"name": "deny"}, "spec": {"podSelector": {"matchLabels": {"app": "web"}}}}
    policies = side.at("networkpolicies", group="networking.k8s.io/v1")
    await side.create(policies, policy, told=False)
    await side.settled(web, is_settled, told=False)
    for path in (web, side.at("services", "web"), side.at("secrets", "s"), f"{policies}/deny", side.at("configmaps"),
                 side.at("replicasets", group="apps/v1"), f"/api/v1/namespaces/{side.namespace}"):  # fmt: skip
        body = await side.get(path, Accept=TABLE, told=False)
        rows = [{"cells": row["cells"], "metadata": row["object"]["metadata"]} for row in body["rows"]]
        side.tell(f"cells of {path.rpartition(side.namespace)[2]}", rows)


async def test_tables(lab: Lab) -> None:
    async with pair_of(lab, "table") as pair:
        await pair.same(tables)
        await pair.same(cells)


def _quoted(text: str) -> str:
    return quote(text)
