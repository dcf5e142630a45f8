"""What follows from a write: rollouts and their revisions, scaling, deleting, owners and what they own, logs."""

from __future__ import annotations

from typing import Any

from tests.differential.pair import pair_of
from tests.differential.side import JSON_PATCH, MERGE, STRATEGIC, Side
from tests.differential.things import config_map, deployment, is_settled, pod
from tests.live.lab import Lab

Json = dict[str, Any]
APPS = "apps/v1"
REVISION = "deployment.kubernetes.io/revision"


def _image(tag: str) -> Json:
    return {"spec": {"template": {"spec": {"containers": [{"name": "pay", "image": f"bankingacr.example/pay:{tag}"}]}}}}


async def rolling(side: Side) -> None:
    """Deploy, update, restart, undo: ReplicaSets, their revisions and annotations, pods, conditions."""
    web, sets, pods = side.at("deployments", "web", group=APPS), side.at("replicasets", group=APPS), side.at("pods")
    await side.create(side.at("deployments", group=APPS), deployment("web", replicas=2), told=False)

    async def rolled_out(revision: int) -> Json:
        def done(body: Json) -> bool:
            return is_settled(body) and body["metadata"].get("annotations", {}).get(REVISION) == str(revision)

        body: Json = await side.settled(web, done, step=f"revision {revision}")
        owned = [
            owner["uid"]
            for one in (await side.get(sets, told=False))["items"]
            for owner in one["metadata"]["ownerReferences"]
        ]
        assert set(owned) == {body["metadata"]["uid"]}
        await side.settled(pods, lambda found: len(found["items"]) == 2, told=False)
        await side.get(sets, step=f"sets at revision {revision}")
        return body

    await rolled_out(1)
    await side.get(pods, step="pods at revision 1")
    await side.patch(
        web,
        {**_image("1.1.0"), "metadata": {"annotations": {"kubernetes.io/change-cause": "1.1.0"}}},
        STRATEGIC,
        told=False,
    )
    await rolled_out(2)
    restarted = {
        "spec": {
            "template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-11-25T09:00:00Z"}}}
        }
    }
    await side.patch(web, restarted, STRATEGIC, told=False)
    await rolled_out(3)
    # kubectl rollout undo: the template of the revision before, and its annotations
    found = (await side.get(sets, told=False))["items"]
    second = next(one for one in found if one["metadata"]["annotations"][REVISION] == "2")
    template = {**second["spec"]["template"]}
    template["metadata"] = {**template["metadata"], "labels": {"app": "web"}}
    await side.patch(web, [{"op": "replace", "path": "/spec/template", "value": template}], JSON_PATCH, told=False)
    await rolled_out(4)
    await side.patch(web, {"spec": {"replicas": 0}}, MERGE, told=False)
    await side.settled(web, is_settled, step="scaled to nothing")


async def test_rollouts(lab: Lab) -> None:
    async with pair_of(lab, "roll") as pair:
        await pair.same(rolling)


async def scaling(side: Side) -> None:
    web = side.at("deployments", "web", group=APPS)
    await side.create(side.at("deployments", group=APPS), deployment("web", paused=True), told=False)
    await side.settled(web, is_settled, told=False)
    scale = await side.get(f"{web}/scale")
    await side.patch(f"{web}/scale", {"spec": {"replicas": 1}}, MERGE, told=False)
    await side.settled(web, lambda body: body["status"]["observedGeneration"] == 2, told=False)
    await side.get(f"{web}/scale", step="scaled")
    for name, body in (
        ("stale", {**scale, "spec": {"replicas": 2}}),
        ("negative", {"metadata": {"name": "web"}, "spec": {"replicas": -1}}),
        ("text", {"metadata": {"name": "web"}, "spec": {"replicas": "x"}}),
        ("another uid", {"metadata": {"name": "web", "uid": "1"}, "spec": {"replicas": 2}}),
        ("another name", {"metadata": {"name": "other"}, "spec": {"replicas": 2}}),
        ("no name", {"spec": {"replicas": 2}}),
    ):
        await side.ask("PUT", f"{web}/scale", body, step=f"PUT scale {name}")
    await side.patch(f"{web}/scale", [{"op": "test", "path": "/spec/replicas", "value": 7}], JSON_PATCH)
    await side.patch(f"{web}/scale", [{"op": "replace", "path": "/spec/replicas", "value": -7}], JSON_PATCH)
    await side.patch(f"{web}/scale?dryRun=All", {"spec": {"replicas": 5}}, MERGE, step="dry")
    await side.patch(f"{web}/scale", {"spec": {"replicas": 5}}, "text/plain")
    await side.delete(f"{web}/scale")
    await side.get(side.at("deployments", "none", group=APPS, below="scale"))
    await side.get(f"{web}/status", step="status")
    await side.patch(f"{web}/status", {"spec": {"replicas": 7}}, MERGE, step="a spec through the status")
    for attributes in (
        {
            "verb": "patch",
            "group": "apps",
            "resource": "deployments",
            "namespace": side.namespace,
            "subresource": "scale",
        },
        {"verb": "get", "resource": "secrets", "namespace": side.namespace},
        {"verb": "list", "resource": "pods"},
        {"verb": "*", "group": "*", "resource": "*"},
        {"verb": "get", "resource": "pods", "namespace": side.namespace, "name": "a", "subresource": "log"},
    ):
        for user in ("admin", "viewer", "nobody"):
            review = {"spec": {"resourceAttributes": attributes}}
            await side.create(
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, user=user, step=f"{user} {attributes}"
            )
    path = {"nonResourceAttributes": {"path": "/healthz", "verb": "get"}}
    for spec in ({}, path, {**path, "resourceAttributes": {"verb": "get"}}):
        await side.create(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {"spec": spec}, step=f"may I {spec}"
        )


async def test_scale_and_access_reviews(lab: Lab) -> None:
    async with pair_of(lab, "scale") as pair:
        await pair.same(scaling)


async def deleting(side: Side) -> None:
    maps, pods = side.at("configmaps"), side.at("pods")
    a = await side.create(maps, config_map("a", {"x": "1"}))
    await side.delete(f"{maps}/a", {"preconditions": {"uid": "1"}}, step="another uid")
    await side.delete(f"{maps}/a", {"preconditions": {"resourceVersion": "1"}}, step="another version")
    await side.delete(f"{maps}/a?dryRun=All", step="dry")
    await side.delete(f"{maps}/a", {"dryRun": ["All"]}, step="dry by its options")
    await side.delete(f"{maps}/a", {"dryRun": ["Some"]}, step="dry, nearly")
    await side.delete(f"{maps}/a", {"propagationPolicy": "Sideways"}, step="a bad policy")
    await side.delete(f"{maps}/a", {"gracePeriodSeconds": -5}, step="a bad grace")
    await side.delete(f"{maps}/a?gracePeriodSeconds=x", step="no number")
    await side.delete(f"{maps}/a", {"propagationPolicy": "Orphan", "orphanDependents": True}, step="both")
    await side.delete(f"{maps}/a", {"preconditions": {"uid": a["metadata"]["uid"]}}, step="the right one")
    await side.delete(f"{maps}/a", step="again")
    # finalizers
    held = {**config_map("held"), "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    await side.create(maps, held)
    await side.delete(f"{maps}/held")
    await side.delete(f"{maps}/held", step="again, while it is held")
    await side.patch(f"{maps}/held", {"data": {"still": "here"}})
    await side.patch(
        f"{maps}/held", {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}, step="another finalizer"
    )
    await side.create(maps, held, step="create it while it goes")
    await side.patch(f"{maps}/held", {"metadata": {"finalizers": None}})
    await side.get(f"{maps}/held")
    # pods
    await side.create(pods, pod("p"))
    await side.delete(f"{pods}/p", {"gracePeriodSeconds": 30}, step="a pod on no node")
    await side.get(f"{pods}/p")
    await side.create(f"{pods}/none/eviction", {"metadata": {"name": "none"}})
    await side.create(pods, pod("q"))
    await side.create(
        f"{pods}/q/eviction", {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": "q"}}
    )
    # a collection
    for name in ("b", "c", "d"):
        await side.create(maps, config_map(name, {"x": "1" if name != "d" else "2"}), told=False)
    await side.delete(f"{maps}?labelSelector=x%3D1")
    await side.get(f"{maps}?labelSelector=x")
    await side.delete(side.at("configmaps", "none"))
    await side.delete(f"{maps}?labelSelector=(")


async def test_deleting(lab: Lab) -> None:
    async with pair_of(lab, "delete") as pair:
        await pair.same(deleting)


async def ending(side: Side) -> None:
    """Pods that run: how long they may take to end, and budgets that keep them."""
    pods = side.at("pods")
    await side.create(side.at("deployments", group=APPS), deployment("web", replicas=2), told=False)
    await side.settled(side.at("deployments", "web", group=APPS), is_settled, told=False)
    running = await side.get(f"{pods}?labelSelector=app%3Dweb", told=False)
    first, second = (one["metadata"]["name"] for one in running["items"])
    version = (await side.get("/apis/policy", told=False))["preferredVersion"]["groupVersion"]
    budgets = side.at("poddisruptionbudgets", group=version)
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    await side.create(budgets, {"metadata": {"name": "web"}, "spec": spec}, step="a budget")
    await side.settled(
        f"{budgets}/web", lambda body: body.get("status", {}).get("currentHealthy") == 2, step="a budget of two"
    )
    eviction = {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": first}}
    await side.create(f"{pods}/{first}/eviction", eviction, step="a budget allows no eviction")
    await side.patch(f"{budgets}/web", {"spec": {"minAvailable": 0}}, told=False)
    await side.settled(
        f"{budgets}/web", lambda body: body["status"]["disruptionsAllowed"] == 2, step="a budget of none"
    )
    dry = {**eviction, "deleteOptions": {"dryRun": ["All"]}}
    await side.create(f"{pods}/{first}/eviction", dry, step="a rehearsed eviction")
    await side.create(f"{pods}/{first}/eviction", eviction, step="an eviction")
    for grace in (None, 17):
        options = {} if grace is None else {"gracePeriodSeconds": grace}
        body = await side.delete(f"{pods}/{second}", {**options, "dryRun": ["All"]}, told=False)
        side.tell(f"grace {grace}", body["metadata"].get("deletionGracePeriodSeconds"))
    await side.delete(f"{pods}/{second}", {"gracePeriodSeconds": 0}, told=False)
    await side.settled(f"{pods}/{second}", lambda body: body.get("code") == 404, told=False)


async def test_ends_of_pods(lab: Lab) -> None:
    async with pair_of(lab, "end") as pair:
        await pair.same(ending)


async def collecting(side: Side) -> None:
    """Owners and what they own: background, foreground, orphans."""
    maps, sets, pods = side.at("configmaps"), side.at("replicasets", group=APPS), side.at("pods")
    owner = await side.create(maps, config_map("owner"), told=False)
    other = await side.create(maps, config_map("other"), told=False)

    def owned(name: str, *owners: Json, blocks: bool = False) -> Json:
        made = config_map(name)
        block = {"blockOwnerDeletion": True} if blocks else {}
        made["metadata"]["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "ConfigMap", **{key: one["metadata"][key] for key in ("name", "uid")}, **block}
            for one in owners
        ]
        return made

    async def gone(path: str) -> None:
        await side.settled(path, lambda body: body.get("code") == 404)

    await side.create(maps, owned("child", owner))
    await side.create(maps, owned("grandchild", await side.get(f"{maps}/child", told=False)))
    await side.create(maps, owned("shared", owner, other))
    await side.delete(f"{maps}/owner", step="in the background")
    await gone(f"{maps}/child")
    await gone(f"{maps}/grandchild")
    await side.settled(f"{maps}/shared", lambda body: len(body["metadata"]["ownerReferences"]) == 1)
    await side.create(maps, owned("kept", other))
    await side.delete(f"{maps}/other", {"propagationPolicy": "Orphan"}, step="orphaning")
    await gone(f"{maps}/other")
    await side.settled(f"{maps}/kept", lambda body: "ownerReferences" not in body["metadata"])
    third = await side.create(maps, config_map("third"), told=False)
    await side.create(maps, owned("last", third, blocks=True))
    await side.delete(f"{maps}/third", {"propagationPolicy": "Foreground"}, step="in the foreground")
    await gone(f"{maps}/last")
    await gone(f"{maps}/third")
    # a Deployment takes its sets and pods along, or leaves them
    for name, policy in (("web", "Background"), ("api", "Foreground"), ("job", "Orphan")):
        path = side.at("deployments", name, group=APPS)
        await side.create(side.at("deployments", group=APPS), deployment(name, replicas=1), told=False)
        await side.settled(path, is_settled, told=False)
        await side.delete(path, {"propagationPolicy": policy}, told=False)
        await gone(path)
        if policy == "Orphan":
            kept = await side.get(f"{sets}?labelSelector=app%3D{name}", step="orphaned sets")
            assert "ownerReferences" not in kept["items"][0]["metadata"]
        else:
            await side.settled(f"{sets}?labelSelector=app%3D{name}", lambda body: not body["items"])
            await side.settled(f"{pods}?labelSelector=app%3D{name}", lambda body: not body["items"])


async def test_garbage_collection(lab: Lab) -> None:
    async with pair_of(lab, "garbage") as pair:
        await pair.same(collecting)


async def reading_logs(side: Side) -> None:
    pods = side.at("pods")
    one, two, first = ({"name": name, "image": f"{name}:1"} for name in ("one", "two", "first"))
    await side.create(pods, pod("waiting"), told=False)
    await side.create(pods, pod("pair", containers=[one, two], initContainers=[first]), told=False)
    for path in ("waiting/log", "pair/log", "pair/log?container=none", "pair/log?container=first", "none/log",
                 "waiting/log?tailLines=-2", "waiting/log?tailLines=x", "waiting/log?sinceSeconds=0",
                 "waiting/log?limitBytes=0", "waiting/log?sinceTime=yesterday",
                 "waiting/log?sinceSeconds=5&sinceTime=2026-11-25T09:00:00Z",
                 "waiting/log?previous=true", "waiting/log?container=Bad_Name"):  # fmt: skip
        await side.get(f"{pods}/{path}")
    await side.ask("POST", f"{pods}/waiting/log", {})
    await side.get(f"{pods}/waiting/log", user="nobody", step="nobody's log")
    await side.ask("POST", f"{pods}/waiting/exec?command=ls", user="viewer", step="viewer's exec")
    # What comes from a kubelet is not compared: the lab's are pretended.
    running = deployment("web", replicas=1)
    await side.create(side.at("deployments", group=APPS), running, told=False)
    await side.settled(side.at("deployments", "web", group=APPS), is_settled, told=False)
    name = (await side.get(f"{pods}?labelSelector=app%3Dweb", told=False))["items"][0]["metadata"]["name"]
    text = await side.settled(f"{pods}/{name}/log?tailLines=1&timestamps=true", lambda lines: lines, told=False)
    side.tell("a line of a log", [len(text.splitlines()), text.split()[0]])


async def test_logs(lab: Lab) -> None:
    async with pair_of(lab, "logs") as pair:
        await pair.same(reading_logs)
