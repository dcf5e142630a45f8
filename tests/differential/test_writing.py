"""Creating and changing: defaults, replaced and patched objects, dry runs, conflicts, validation."""

from __future__ import annotations

from typing import Any

from tests.differential.pair import pair_of
from tests.differential.side import JSON_PATCH, MERGE, STRATEGIC, Side
from tests.differential.things import config_map, deployment, is_settled, pod
from tests.live.lab import Lab

Json = dict[str, Any]
APPS = "apps/v1"
IS = {"key": "a", "operator": "Is"}
FROM_NAME = {"fieldRef": {"fieldPath": "metadata.name"}}


async def changing(side: Side) -> None:
    maps, a = side.at("configmaps"), side.at("configmaps", "a")
    made = await side.create(maps, config_map("a", {"tier": "web"}, key="1"))
    await side.create(maps, config_map("a"), step="create again")
    await side.create(maps, config_map(""), step="create without a name")
    await side.create(maps, {"metadata": {"generateName": "made-"}, "data": {"a": "b"}})
    for name in ("A", "a_b", "-a", "a-", "a..b", "x" * 254, "a/b", ".", "%"):
        await side.create(maps, config_map(name), step=f"create {name}")
    await side.create(f"{maps}?dryRun=All", config_map("dry", key="1"))
    await side.create(f"{maps}?dryRun=Some", config_map("dry"))
    await side.create(f"{maps}?fieldManager=mine", config_map("managed", key="1"))
    await side.create(f"{maps}?fieldManager={'m' * 129}", config_map("managed-2"))
    await side.get(side.at("configmaps", "dry"))
    # PUT
    given = {key: made[key] for key in ("apiVersion", "kind", "metadata")}
    await side.ask("PUT", a, {**given, "data": {"key": "2"}}, step="PUT with the version read")
    await side.ask("PUT", a, {**given, "data": {"key": "3"}}, step="PUT with an old version")
    await side.ask("PUT", a, config_map("a", {"tier": "db"}, key="4"), step="PUT without a version")
    await side.ask("PUT", a, config_map("a", {"tier": "db"}, key="4"), step="PUT of the same")
    await side.ask("PUT", f"{a}?dryRun=All", config_map("a", key="5"), step="PUT dry")
    await side.ask("PUT", a, {"metadata": {"name": "a", "uid": "00000000-0000-0000-0000-000000000000"}}, step="PUT uid")
    await side.ask("PUT", side.at("configmaps", "none"), config_map("none"), step="PUT of nothing")
    await side.ask("PUT", a, {"metadata": {"name": "a", "labels": {"a b": "c"}}}, step="PUT bad label key")
    await side.ask("PUT", a, {"metadata": {"name": "a", "labels": {"a": "-"}}}, step="PUT bad label")
    await side.ask("PUT", a, {"metadata": {"name": "a", "annotations": {"a b": "c"}}}, step="PUT bad annotation")
    await side.ask("PUT", a, {"metadata": {"name": "a"}, "data": {"a b": "c"}}, step="PUT bad key")
    await side.ask("PUT", a, {"metadata": {"name": "a"}, "data": {"a": 1}}, step="PUT number for a text")
    await side.ask("PUT", a, {"metadata": {"name": "a"}, "data": {"key": "x"}, "immutable": True}, step="PUT immutable")
    await side.patch(a, {"data": {"key": "y"}}, step="of what is immutable")
    await side.patch(a, {"immutable": False}, step="mutable again")
    # merge and JSON patches
    b = side.at("configmaps", "b")
    made = await side.create(maps, config_map("b", {"tier": "web"}, one="1", two="2"))
    await side.patch(b, {"data": {"one": None, "three": "3"}, "metadata": {"labels": {"x": "y"}}})
    await side.patch(b, {"metadata": {"labels": None, "annotations": {"note": "n"}}})
    await side.patch(b, {}, step="nothing to change")
    await side.patch(b, {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"a": "b"}})
    await side.patch(b, {"metadata": {"name": "c"}}, step="another name")
    await side.patch(b, {"metadata": {"namespace": "elsewhere"}}, step="another namespace")
    await side.patch(b, {"kind": "Secret"}, step="another kind")
    await side.patch(b, {"metadata": {"uid": "1"}}, step="another uid")
    await side.patch(b, {"data": None})
    await side.patch(b, {"data": "text"})
    await side.patch(b, [])
    await side.patch(f"{b}?dryRun=All", {"data": {"dry": "yes"}})
    await side.patch(f"{b}?fieldManager=other", {"data": {"of": "other"}})
    await side.patch(f"{b}?force=true", {"data": {"of": "other"}})
    await side.patch(side.at("configmaps", "none"), {"data": {}})
    for operations in (
        [{"op": "test", "path": "/data/of", "value": "other"}, {"op": "add", "path": "/data/x", "value": "1"}],
        [{"op": "test", "path": "/data/of", "value": "mine"}],
        [{"op": "add", "path": "/nothing/x", "value": "1"}],
        [{"op": "move", "from": "/data/x", "path": "/data/y"}],
        [{"op": "copy", "from": "/data/y", "path": "/data/z"}],
        [{"op": "nonsense", "path": "/data/y"}],
        [{"op": "add", "path": "/metadata/labels", "value": {"a~b": "c"}}],
        [{"op": "add", "path": "/metadata/finalizers", "value": ["example.com/one"]}],
        [{"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/two"}],
        [{"op": "add", "path": "/metadata/finalizers/0", "value": "example.com/zero"}],
        [{"op": "add", "path": "/metadata/finalizers/7", "value": "example.com/seven"}],
        [{"op": "remove", "path": "/metadata/finalizers/1"}],
        [{"op": "remove", "path": "/metadata/finalizers"}],
        [{"op": "add", "path": "/data/a~1b", "value": "slash"}],
        [{"op": "replace", "path": "", "value": {}}],
        [{"path": "/data"}],
        "text",
    ):
        await side.patch(b, operations, JSON_PATCH, step=f"JSON patch {operations}")
    await side.patch(b, {"data": {"s": "t"}}, STRATEGIC)
    await side.patch(b, {"data": {"$patch": "replace", "only": "this"}}, STRATEGIC)
    await side.patch(b, {"data": {"$patch": "delete"}}, STRATEGIC)
    await side.patch(b, {"metadata": {"finalizers": ["example.com/a", "example.com/b"]}}, STRATEGIC)
    await side.patch(b, {"metadata": {"finalizers": ["example.com/c"]}}, STRATEGIC)
    await side.patch(b, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}, STRATEGIC)
    await side.patch(b, {"metadata": {"$setElementOrder/finalizers": ["example.com/c", "example.com/b"]}}, STRATEGIC)
    await side.patch(b, {"metadata": {"finalizers": None}}, STRATEGIC)
    await side.get(b)


async def test_changing_a_config_map(lab: Lab) -> None:
    async with pair_of(lab, "change") as pair:
        await pair.same(changing)


def _containers(*containers: Json, **more: Any) -> Json:
    return {"spec": {"template": {"spec": {"containers": [*containers], **more}}}}


async def strategic(side: Side) -> None:
    """Keyed lists and directives, as kubectl set, edit and apply send them."""
    path = side.at("deployments", "web", group=APPS)
    await side.create(side.at("deployments", group=APPS), deployment("web", paused=True))
    await side.settled(path, is_settled)
    env = [{"name": "POOL", "value": "9"}, {"name": "NEW", "value": "1"}]
    side_car = {"name": "side", "image": "side:1", "ports": [{"containerPort": 80}, {"containerPort": 81, "name": "x"}]}
    volumes = [{"name": "v", "emptyDir": {}}, {"name": "c", "configMap": {"name": "settings"}}]
    for patch in (
        _containers({"name": "pay", "image": "bankingacr.example/pay:2"}),
        _containers({"name": "pay", "env": env}),
        _containers(side_car),
        _containers({"name": "side", "ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 82}]}),
        _containers({"name": "side", "ports": [{"containerPort": 81, "$patch": "delete"}]}),
        _containers({"name": "pay", "env": [{"name": "POOL", "$patch": "delete"}]}),
        _containers({"name": "pay", "env": [{"name": "FROM", "valueFrom": FROM_NAME}]}),
        _containers({"name": "pay", "command": ["a", "b"], "args": ["c"]}),
        _containers({"name": "pay", "command": ["z"], "args": None}),
        {"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "side"}, {"name": "pay"}],
                                        "containers": [{"name": "pay", "tty": True}]}}}},
        {"spec": {"template": {"spec": {"volumes": volumes}}}},
        {"spec": {"template": {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"],
                                                     "emptyDir": None, "hostPath": {"path": "/srv"}}]}}}},
        {"spec": {"template": {"spec": {"volumes": [{"name": "v", "$patch": "delete"}]}}}},
        _containers({"name": "pay", "volumeMounts": [{"name": "c", "mountPath": "/c"}]}),
        _containers({"name": "pay", "readinessProbe": {"httpGet": {"path": "/health", "port": 80}}}),
        _containers({"name": "pay", "resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}),
        {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}},
        {"spec": {"template": {"metadata": {"labels": {"version": "2"}}}}},
        {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
        {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}},
        {"spec": {"template": {"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}}}},
        {"spec": {"template": {"spec": {"tolerations": [{"key": "b", "operator": "Exists"}]}}}},
        {"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}, "imagePullSecrets": [{"name": "pull"}]}}}},
        {"spec": {"template": {"spec": {"nodeSelector": {"zone": "a"}, "imagePullSecrets": [{"name": "other"}]}}}},
        {"spec": {"template": {"spec": {"nodeSelector": {"$patch": "replace", "only": "this"}}}}},
        {"spec": {"template": {"spec": {"containers": [{"$patch": "replace"}, {"name": "pay", "image": "p:1"}]}}}},
        _containers({"image": "nameless"}),
        _containers({"name": "pay", "image": None}),
        {"spec": {"template": {"spec": {"containers": None}}}},
        {"spec": {"replicas": "two"}},
        {"spec": {"replicas": -1}},
        {"spec": {"replicas": None}},
        {"spec": {"selector": {"matchLabels": {"app": "other"}}}},
        {"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}},
        {"status": {"replicas": 9}},
        {"spec": {"progressDeadlineSeconds": 3, "minReadySeconds": 5}},
        {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}},
        {"spec": {"strategy": {"rollingUpdate": {"maxSurge": "x"}}}},
        {"spec": {"strategy": {"type": "Sideways"}}},
    ):  # fmt: skip
        await side.patch(path, patch, STRATEGIC, step=f"patch {patch}")
    await side.patch(path, {"spec": {"template": {"spec": {"containers": [{"name": "x"}]}}}}, MERGE)
    await side.patch(path, _containers({"name": "x", "image": "x:1"}), MERGE, step="a merge patch replaces the list")
    await side.patch(
        path, _containers({"name": "x", "image": "x"}, dnsPolicy="Default"), MERGE, step="and its defaults"
    )
    await side.patch(f"{path}?dryRun=All", {"spec": {"template": {"spec": {"hostNetwork": True}}}}, STRATEGIC)


async def test_strategic_merge_patches_of_a_deployment(lab: Lab) -> None:
    async with pair_of(lab, "strategic") as pair:
        await pair.same(strategic)


async def validating(side: Side) -> None:
    pods, deployments = side.at("pods"), side.at("deployments", group=APPS)
    container = {"name": "pay", "image": "pay:1"}
    specs: list[Json] = [
        {"containers": []},
        {"containers": [{"name": "pay"}]},
        {"containers": [{"image": "pay:1"}]},
        {"containers": [{"name": "Pay_", "image": "pay:1"}]},
        {"containers": [container, container]},
        {"containers": [{**container, "ports": [{"containerPort": 99999}]}]},
        {"containers": [{**container, "ports": [{"name": "a"}]}]},
        {"containers": [{**container, "env": [{"value": "x"}]}]},
        {"containers": [{**container, "imagePullPolicy": "Sometimes"}]},
        {"containers": [{**container, "resources": {"limits": {"cpu": "lots"}}}]},
        {"containers": [{**container, "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}]},
        {"containers": [{**container, "volumeMounts": [{"name": "none", "mountPath": "/x"}]}]},
        {"containers": [container], "restartPolicy": "Sometimes"},
        {"containers": [container], "terminationGracePeriodSeconds": -1},
        {"containers": [container], "dnsPolicy": "Nonsense"},
        {"containers": [container], "volumes": [{"name": "v"}, {"name": "v", "emptyDir": {}}]},
        {"containers": [container], "nodeName": "Not A Node"},
        {"containers": [container], "serviceAccountName": "none-such"},
    ]
    for spec in specs:
        obj = {
            "metadata": {"name": "p"},
            "spec": {"schedulerName": "nobody", "automountServiceAccountToken": False, **spec},
        }
        await side.create(pods, obj, step=f"a pod with {spec}")
    await side.create(pods, {"metadata": {"name": "p"}}, step="a pod without a spec")
    await side.create(pods, pod("p"))
    await side.patch(
        f"{pods}/p", {"spec": {"containers": [{"name": "pay", "image": "pay:2"}]}}, STRATEGIC, step="image"
    )
    await side.patch(f"{pods}/p", {"spec": {"restartPolicy": "Never"}}, step="what is fixed of a pod")
    await side.patch(f"{pods}/p", {"spec": {"activeDeadlineSeconds": 60}})
    await side.patch(f"{pods}/p", {"metadata": {"labels": {"quarantine": "yes"}}})
    await side.patch(f"{pods}/p/status", {"status": {"phase": "Running", "message": "by hand"}})
    await side.patch(f"{pods}/p", {"status": {"phase": "Failed"}}, step="a status through the front door")
    good = deployment("web")
    template = good["spec"]["template"]
    never = {**template["spec"], "restartPolicy": "Never"}
    for name, change in (
        ("no spec", {"spec": None}),
        ("empty spec", {"spec": {}}),
        ("no selector", {"spec": {**good["spec"], "selector": None}}),
        ("empty selector", {"spec": {**good["spec"], "selector": {}}}),
        ("another selector", {"spec": {**good["spec"], "selector": {"matchLabels": {"app": "other"}}}}),
        ("bad selector", {"spec": {**good["spec"], "selector": {"matchExpressions": [IS]}}}),
        ("negative", {"spec": {**good["spec"], "replicas": -3}}),
        ("a text for a number", {"spec": {**good["spec"], "replicas": "3"}}),
        ("never restarts", {"spec": {**good["spec"], "template": {**template, "spec": never}}}),
        ("no containers", {"spec": {**good["spec"], "template": {**template, "spec": {}}}}),
        ("no image", {"spec": {**good["spec"], "template": {**template, "spec": {"containers": [{"name": "a"}]}}}}),
        ("no labels", {"spec": {**good["spec"], "template": {"spec": template["spec"]}}}),
        ("bad name", {"metadata": {"name": "Web"}}),
    ):  # fmt: skip
        await side.create(deployments, {**good, **change}, step=f"a Deployment with {name}")
    services = side.at("services")
    offered: list[Json] = [
        {},
        {"ports": []},
        {"ports": [{"port": 0}]},
        {"ports": [{"port": 80}, {"port": 81}]},
        {"type": "Odd", "ports": [{"port": 1}]},
        {"ports": [{"port": 80, "protocol": "ICMP"}]},
        {"ports": [{"port": 80, "targetPort": "Not Valid"}]},
    ]
    for ports in offered:
        await side.create(services, {"metadata": {"name": "s"}, "spec": ports}, step=f"a Service with {ports}")
    await side.create(services, {"metadata": {"name": "1s"}, "spec": {"ports": [{"port": 80}]}}, step="a Service 1s")
    made = await side.create(
        services, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}}
    )
    await side.patch(f"{services}/s", {"spec": {"clusterIP": "10.96.0.250"}}, step="another address")
    await side.patch(
        f"{services}/s", {"spec": {"ports": [{"port": 80, "targetPort": "http"}, {"port": 81, "name": "b"}]}}
    )
    await side.patch(f"{services}/s", {"spec": {"ports": [{"port": 81, "name": "b"}]}}, STRATEGIC)
    await side.ask(
        "PUT", f"{services}/s", {**made, "spec": {**made["spec"], "selector": {"a": "c"}}}, step="stale Service"
    )
    secrets = side.at("secrets")
    await side.create(secrets, {"metadata": {"name": "s"}, "stringData": {"a": "b"}, "data": {"c": "ZA=="}})
    await side.create(
        secrets, {"metadata": {"name": "t"}, "data": {"c": "not base 64!"}}, step="a Secret not in base64"
    )
    await side.patch(f"{secrets}/s", {"type": "other"}, step="another type of Secret")


async def test_validation(lab: Lab) -> None:
    async with pair_of(lab, "valid") as pair:
        await pair.same(validating)


async def traffic(side: Side) -> None:
    """What quarantines and redirects are made of: a NetworkPolicy, a VirtualService."""
    policies = side.at("networkpolicies", group="networking.k8s.io/v1")
    policy = {
        "metadata": {"name": "quarantine"},
        "spec": {"podSelector": {"matchLabels": {"quarantine": "yes"}}, "policyTypes": ["Ingress", "Egress"]},
    }
    await side.create(policies, policy)
    await side.create(policies, policy, step="the policy again")
    await side.patch(
        f"{policies}/quarantine", {"spec": {"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 80}]}]}}
    )
    await side.create(policies, {"metadata": {"name": "bare"}, "spec": {"podSelector": {}}})
    await side.create(policies, {"metadata": {"name": "out"}, "spec": {"podSelector": {}, "egress": [{}]}})
    await side.create(policies, {"metadata": {"name": "bad"}, "spec": {"podSelector": {}, "policyTypes": ["Sideways"]}})
    await side.create(policies, {"metadata": {"name": "bad"}, "spec": {"podSelector": {"matchLabels": {"a b": "c"}}}})
    await side.create(policies, {"metadata": {"name": "bad"}, "spec": {}}, step="a policy without a selector")
    await side.get(policies)
    await side.delete(f"{policies}/bare")
    routes = side.at("virtualservices", group="networking.istio.io/v1beta1")
    route: Json = {
        "apiVersion": "networking.istio.io/v1beta1",
        "kind": "VirtualService",
        "metadata": {"name": "web"},
        "spec": {"hosts": ["web"], "http": [{"route": [{"destination": {"host": "web"}, "weight": 100}]}]},
    }
    await side.create(routes, route)
    await side.create(routes, route, step="the route again")
    await side.patch(f"{routes}/web", {"spec": {"http": [{"fault": {"abort": {"httpStatus": 503}}}]}})
    await side.patch(f"{routes}/web", {"spec": {"http": []}}, STRATEGIC)
    await side.patch(f"{routes}/web", [{"op": "add", "path": "/spec/hosts/-", "value": "other"}], JSON_PATCH)
    await side.apply(f"{routes}/web", {**route, "spec": {"hosts": ["mine"]}}, "warroom")
    await side.apply(f"{routes}/web", {**route, "spec": {"hosts": ["mine"]}}, "warroom", force=True)
    await side.apply(f"{routes}/other", {**route, "metadata": {"name": "other"}}, "warroom")
    await side.ask("PUT", f"{routes}/other", {**route, "metadata": {"name": "other"}}, step="PUT without a version")
    await side.create(routes, {"metadata": {"name": "x"}}, step="a route without a kind")
    await side.create(routes, {**route, "metadata": {"name": "Bad Name"}}, step="a route with a bad name")
    await side.get(routes)
    await side.get(f"{routes}?fieldSelector=spec.hosts%3Dx")
    await side.get(f"{routes}/none")
    await side.delete(f"{routes}/other")


async def test_traffic_rules(lab: Lab) -> None:
    async with pair_of(lab, "traffic") as pair:
        await pair.same(traffic)
