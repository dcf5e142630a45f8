"""Server-side apply: ownership, conflicts, force, giving up, and what other writers do to it."""

from __future__ import annotations

from typing import Any

from tests.differential.pair import pair_of
from tests.differential.side import APPLY, MERGE, STRATEGIC, Side
from tests.differential.things import config_map, deployment, is_settled
from tests.live.lab import Lab

Json = dict[str, Any]


async def applying(side: Side) -> None:
    a = side.at("configmaps", "a")
    await side.apply(a, config_map("a", {"l": "1"}, one="1", two="2"))
    await side.apply(a, config_map("a", {"l": "1"}, one="1", two="2"))
    await side.apply(a, config_map("a", one="1"))
    await side.apply(a, config_map("a", one="other"), "two")
    await side.apply(a, config_map("a", one="1", three="3"), "two")
    await side.apply(a, config_map("a", one="other"), "two", force=True)
    await side.apply(a, config_map("a", one="1"))
    await side.apply(a, config_map("a", one="1"), force=True, query="&dryRun=All")
    await side.apply(a, config_map("a"))
    await side.patch(f"{a}?fieldManager=editor", {"data": {"four": "4", "one": "edited"}})
    await side.apply(a, config_map("a", four="mine", one="mine"), "two")
    await side.apply(a, config_map("a", four="4"), "two")
    await side.apply(a, config_map("a"), "two")
    await side.get(a)
    await side.patch(a, config_map("a"), APPLY, step="apply without a manager")
    await side.apply(a, config_map("b"), "one")
    await side.apply(a, {"data": {}}, "one")
    await side.apply(a, {**config_map("a"), "kind": "Secret"}, "one")
    await side.apply(a, {**config_map("a"), "metadata": {"name": "a", "managedFields": [{}]}}, "one")
    await side.apply(a, {**config_map("a"), "metadata": {"name": "a", "uid": "1"}}, "one")
    await side.apply(side.at("configmaps", "n"), {**config_map("n"), "metadata": {"name": "n", "uid": "1"}}, "one")
    version = (await side.get(a))["metadata"]["resourceVersion"]
    await side.patch(a, {"data": {"moved": "on"}}, MERGE)
    await side.apply(a, {**config_map("a"), "metadata": {"name": "a", "resourceVersion": version}}, "one")
    yaml = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {from: yaml}\n"
    await side.ask("PATCH", f"{a}?fieldManager=one", yaml, media=APPLY, step="apply YAML")
    await side.ask("PATCH", f"{a}?fieldManager=one", b"a: [", media=APPLY, step="bad YAML")
    await side.apply("/api/v1/namespaces/none-such/configmaps/a", config_map("a"), "one")


async def test_apply_of_a_config_map(lab: Lab) -> None:
    async with pair_of(lab, "apply") as pair:
        await pair.same(applying)


async def applying_deployments(side: Side) -> None:
    web = side.at("deployments", "web", group="apps/v1")
    config = deployment("web", paused=True)
    await side.apply(web, config, "ci")
    await side.settled(web, is_settled)
    scaled: Json = {"spec": {"replicas": 3}}
    await side.patch(f"{web}?fieldManager=hpa", scaled, MERGE)
    await side.settled(web, lambda body: body["spec"]["replicas"] == 3, told=False)
    await side.apply(web, config, "ci")
    container = {"name": "pay", "image": "bankingacr.example/pay:9"}
    await side.patch(
        f"{web}?fieldManager=person", {"spec": {"template": {"spec": {"containers": [container]}}}}, STRATEGIC
    )
    await side.apply(web, config, "ci")
    without = deployment("web", paused=True)
    del without["spec"]["replicas"]
    await side.apply(web, without, "other")
    await side.apply(web, without, "ci", force=True)
    more = deployment("web", paused=True)
    more["spec"]["template"]["spec"]["containers"][0] |= {
        "env": [{"name": "POOL", "value": "7"}, {"name": "X", "value": "y"}],
        "ports": [{"containerPort": 80}, {"containerPort": 81, "protocol": "UDP"}],
    }
    more["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "side:1"})
    await side.apply(web, more, "ci", force=True)
    await side.apply(web, without, "ci", force=True)
    await side.apply(web, {**config, "spec": {**config["spec"], "replicas": -1}}, "ci", force=True)
    double = deployment("web", paused=True)
    double["spec"]["template"]["spec"]["containers"] *= 2
    await side.apply(web, double, "ci", force=True)
    await side.apply(side.at("deployments", "new", group="apps/v1"), {**deployment("new"), "spec": {}}, "ci")
    await side.get(web)


async def test_apply_of_a_deployment(lab: Lab) -> None:
    async with pair_of(lab, "applied") as pair:
        await pair.same(applying_deployments)
