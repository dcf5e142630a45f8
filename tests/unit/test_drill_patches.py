"""JSON patch, merge patch, strategic merge patch, server-side apply and field ownership."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from drill import apply, ownership, patches
from drill.kinds import kind
from drill.patches import PatchFailed
from drill.statuses import ApiError

Json = dict[str, Any]
DEPLOYMENTS, SERVICES, ROUTES = kind("deployments"), kind("services"), kind("virtualservices")
NOW = "2026-11-23T07:38:40Z"


# RFC 7386, appendix A
@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_follows_its_rfc(target: Any, patch: Any, expected: Any) -> None:
    before = copy.deepcopy(target)
    assert patches.merge(target, patch) == expected
    assert target == before


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/b", "value": 1}], {"a": [1, 2], "o": {"x/y": 1}, "b": 1}),
        ([{"op": "add", "path": "/a/1", "value": 9}], {"a": [1, 9, 2], "o": {"x/y": 1}}),
        ([{"op": "add", "path": "/a/-", "value": 9}], {"a": [1, 2, 9], "o": {"x/y": 1}}),
        ([{"op": "replace", "path": "/a/0", "value": 9}], {"a": [9, 2], "o": {"x/y": 1}}),
        ([{"op": "remove", "path": "/o/x~1y"}], {"a": [1, 2], "o": {}}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2], "o": {"x/y": 1}}),
        ([{"op": "move", "from": "/a", "path": "/o/a"}], {"o": {"x/y": 1, "a": [1, 2]}}),
        ([{"op": "copy", "from": "/a/0", "path": "/n"}], {"a": [1, 2], "o": {"x/y": 1}, "n": 1}),
        ([{"op": "test", "path": "/a/1", "value": 2}], {"a": [1, 2], "o": {"x/y": 1}}),
    ],
)
def test_json_patch_operations(operations: list[Json], expected: Json) -> None:
    target = {"a": [1, 2], "o": {"x/y": 1}}
    assert patches.json_patch(target, operations) == expected
    assert target == {"a": [1, 2], "o": {"x/y": 1}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/missing"},
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "add", "path": "/l/7", "value": 1},
        {"op": "add", "path": "/l/01", "value": 1},
        {"op": "add", "path": "no-slash", "value": 1},
        {"op": "add", "path": "/a"},
        {"op": "move", "from": "/o", "path": "/o/x"},
        {"op": "frobnicate", "path": "/a"},
        {"path": 7},
    ],
)
def test_a_json_patch_that_does_not_fit_fails(operation: Json) -> None:
    with pytest.raises(PatchFailed):
        patches.json_patch({"a": 1, "l": [1], "o": {}}, [operation])


def a_template(**container: Any) -> Json:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:1", **container}]}}}}


def containers(obj: Json) -> list[Json]:
    found: list[Json] = obj["spec"]["template"]["spec"]["containers"]
    return found


def test_strategic_merge_changes_one_container_by_name() -> None:
    target = a_template(env=[{"name": "A", "value": "1"}])
    containers(target).append({"name": "sidecar", "image": "proxy:1"})
    merged = patches.strategic("Deployment", target, a_template(image="web:2", env=[{"name": "B", "value": "2"}]))
    assert [c["image"] for c in containers(merged)] == ["web:2", "proxy:1"]
    # What is new goes first, as a real server puts it.
    assert containers(merged)[0]["env"] == [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]


def test_strategic_merge_obeys_its_directives() -> None:
    target = {"metadata": {"finalizers": ["a", "b"], "labels": {"x": "1"}}, **a_template()}
    merged = patches.strategic(
        "Deployment",
        target,
        {
            "metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "labels": {"$patch": "replace", "y": "2"}},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "$patch": "delete"}]}}},
        },
    )
    assert merged["metadata"] == {"finalizers": ["b"], "labels": {"y": "2"}}
    assert containers(merged) == []


def test_strategic_merge_keeps_the_order_that_the_author_saw() -> None:
    target = a_template(env=[{"name": "B", "value": "2"}, {"name": "A", "value": "1"}])
    patch = a_template(**{"$setElementOrder/env": [{"name": "A"}, {"name": "B"}], "env": [{"name": "A", "value": "9"}]})
    merged = patches.strategic("Deployment", target, patch)
    assert [entry["name"] for entry in containers(merged)[0]["env"]] == ["A", "B"]


def test_strategic_merge_retains_only_the_keys_it_names() -> None:
    target = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert patches.strategic("Deployment", target, patch)["spec"]["strategy"] == {"type": "Recreate"}


def test_lists_without_a_key_are_replaced() -> None:
    target = {"spec": {"tolerations": [{"key": "a"}], "ports": [{"port": 80, "name": "http"}]}}
    patch: Json = {"spec": {"tolerations": [{"key": "b"}], "ports": [{"port": 443}]}}
    assert patches.strategic("Service", target, patch)["spec"] == {
        "tolerations": [{"key": "b"}],
        "ports": [{"port": 443}, {"port": 80, "name": "http"}],
    }


def test_an_item_without_its_key_is_refused() -> None:
    with pytest.raises(PatchFailed, match="does not contain declared merge key: name"):
        patches.strategic(
            "Deployment", a_template(), {"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}
        )


# Ownership


def owned(obj: Json, manager: str) -> Json:
    trees: list[Json] = [e["fieldsV1"] for e in obj["metadata"]["managedFields"] if e["manager"] == manager]
    return trees[0] if trees else {}


def a_deployment(manager: str | None = "helm") -> Json:
    obj: Json = {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "web", "namespace": "prod", "labels": {"app": "web"}},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, **a_template()["spec"]},
    }
    if manager:
        ownership.track(DEPLOYMENTS, None, obj, manager, NOW)
    return obj


def test_a_creator_owns_every_field_in_the_recorded_form() -> None:
    tree = owned(a_deployment(), "helm")
    assert tree["f:metadata"] == {"f:labels": {".": {}, "f:app": {}}}
    assert tree["f:spec"] == {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}, "f:name": {}}}},
        },
    }


def test_a_field_that_another_manager_changes_becomes_his() -> None:
    old = a_deployment()
    new = {**old, "spec": {**old["spec"], "replicas": 5}}
    ownership.track(DEPLOYMENTS, old, new, "kubectl", NOW)
    assert owned(new, "kubectl") == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owned(new, "helm")["f:spec"]


# Server-side apply


def a_config(**spec: Any) -> Json:
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "web", "namespace": "prod"},
        "spec": spec,
    }


def do_apply(live: Json | None, config: Json, *, manager: str = "warroom", force: bool = False) -> Json:
    return apply.apply(DEPLOYMENTS, live, config, manager=manager, force=force, now=NOW)


def test_applying_what_nobody_has_creates_it_owned() -> None:
    made = do_apply(None, a_config(replicas=2))
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "warroom",
            "operation": "Apply",
            "apiVersion": "apps/v1",
            "time": NOW,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }
    ]


def test_another_managers_field_with_another_value_is_a_conflict() -> None:
    with pytest.raises(ApiError) as error:
        do_apply(a_deployment(), a_config(replicas=5))
    assert error.value.code == 409
    assert error.value.message == 'Apply failed with 1 conflict: conflict with "helm" using apps/v1: .spec.replicas'
    assert error.value.details == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "helm" using apps/v1',
                "field": ".spec.replicas",
            }
        ]
    }


def test_conflicts_name_items_by_their_keys() -> None:
    with pytest.raises(ApiError, match=r'\.spec\.template\.spec\.containers\[name="web"\]\.image'):
        do_apply(a_deployment(), a_config(**a_template(image="web:2")["spec"]))


def test_force_takes_the_field_over() -> None:
    after = do_apply(a_deployment(), a_config(replicas=5), force=True)
    assert after["spec"]["replicas"] == 5
    assert owned(after, "warroom") == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owned(after, "helm")["f:spec"]


def test_the_same_value_is_owned_together() -> None:
    after = do_apply(a_deployment(), a_config(replicas=3))
    assert "f:replicas" in owned(after, "helm")["f:spec"]
    assert "f:replicas" in owned(after, "warroom")["f:spec"]


def test_what_a_manager_gives_up_goes_unless_somebody_else_has_it() -> None:
    first = do_apply(a_deployment(), a_config(replicas=3, paused=True, **a_template(env=[{"name": "X"}])["spec"]))
    assert first["spec"]["paused"] is True
    second = do_apply(first, a_config())
    assert "paused" not in second["spec"]
    assert second["spec"]["replicas"] == 3
    assert containers(second) == [{"name": "web", "image": "web:1"}]


def test_an_item_that_only_its_manager_had_goes_with_it() -> None:
    extra = {"spec": {"template": {"spec": {"containers": [{"name": "sidecar", "image": "proxy:1"}]}}}}
    first = do_apply(a_deployment(), a_config(**extra["spec"]))
    assert [c["name"] for c in containers(first)] == ["web", "sidecar"]
    second = do_apply(first, a_config())
    assert [c["name"] for c in containers(second)] == ["web"]


def test_applying_the_same_again_changes_nothing() -> None:
    first = do_apply(a_deployment(), a_config(replicas=3))
    assert apply.apply(DEPLOYMENTS, first, a_config(replicas=3), manager="warroom", force=False, now="later") == first


def test_a_custom_resource_has_atomic_lists_as_recorded() -> None:
    route = {
        "kind": "VirtualService",
        "apiVersion": "networking.istio.io/v1",
        "metadata": {"name": "r", "namespace": "prod"},
        "spec": {"hosts": ["payment-service"], "http": [{"match": []}]},
    }
    made = apply.apply(ROUTES, None, route, manager="warroom", force=True, now=NOW)
    assert owned(made, "warroom") == {"f:spec": {".": {}, "f:hosts": {}, "f:http": {}}}
