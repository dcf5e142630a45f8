"""The platform's API server as a client sees it: lists, pages, selectors, forms, writes and refusals."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from drill.kinds import kind
from tests.drill.wire import DEPLOYMENT, PODS, PROD, SomeMetrics, Wire, a_deployment, serving

Json = dict[str, Any]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with serving(metrics=SomeMetrics()) as opened:
        yield opened


def names(answer_body: Json) -> list[str]:
    return [item["metadata"]["name"] for item in answer_body["items"]]


# Who may ask


async def test_health_and_version_need_no_login(wire: Wire) -> None:
    for path in ("/readyz", "/livez", "/healthz"):
        answer = await wire.get(path, user=None)
        assert (answer.status, answer.body) == (200, "ok")
    version = await wire.get("/version", user=None)
    assert version.body["gitVersion"].startswith("v1.34.")
    assert (version.body["major"], version.body["minor"]) == ("1", "34")


async def test_a_wrong_token_is_unauthorized_in_the_recorded_shape(wire: Wire) -> None:
    answer = await wire.get("/api/v1/pods", user="somebody else")
    assert answer.status == 401
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }


async def test_refusals_name_user_verb_resource_and_place(wire: Wire) -> None:
    anonymous = await wire.get("/api/v1/pods", user=None)
    assert anonymous.body["message"] == (
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope'
    )
    secrets = await wire.get(f"/api/v1/namespaces/{PROD}/secrets", user="viewer")
    assert (secrets.status, secrets.body["details"]) == (403, {"kind": "secrets"})
    patched = await wire.ask("PATCH", DEPLOYMENT, {}, user="viewer", Content_Type=STRATEGIC)
    assert patched.body["message"] == (
        'deployments.apps "payment-service" is forbidden: User "viewer" cannot patch resource "deployments" in API '
        f'group "apps" in the namespace "{PROD}"'
    )
    assert patched.body["details"] == {"name": "payment-service", "group": "apps", "kind": "deployments"}
    assert (await wire.get(PODS, user="nobody")).status == 403
    assert (await wire.get(PODS, user="viewer")).status == 200


async def test_a_closed_namespace_is_forbidden_to_everybody(wire: Wire) -> None:
    wire.server.faults.closed.add(PROD)
    assert (await wire.get(PODS)).refusal == (403, "Forbidden")
    assert (await wire.get("/api/v1/namespaces/default/pods")).status == 200


@pytest.mark.parametrize(("user", "allowed"), [("admin", True), ("viewer", False), ("nobody", False)])
async def test_everybody_may_ask_what_he_may(wire: Wire, user: str, allowed: bool) -> None:
    attributes = {"namespace": PROD, "verb": "patch", "group": "apps", "resource": "deployments", "name": "web"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await wire.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, user=user)
    assert (answer.status, answer.body["status"]) == (201, {"allowed": allowed})
    assert answer.body["spec"] == review["spec"]


async def test_another_host_header_is_refused(wire: Wire) -> None:
    answer = await wire.get("/version", Host="attacker.example")
    assert answer.status == 421


# Discovery


async def test_discovery_tells_groups_and_resources(wire: Wire) -> None:
    groups = {group["name"] for group in (await wire.get("/apis")).body["groups"]}
    assert {"apps", "batch", "events.k8s.io", "metrics.k8s.io", "networking.istio.io"} <= groups
    core = (await wire.get("/api/v1")).body
    assert (core["kind"], core["groupVersion"]) == ("APIResourceList", "v1")
    pods = next(resource for resource in core["resources"] if resource["name"] == "pods")
    assert pods["shortNames"] == ["po"]
    assert "watch" in pods["verbs"]
    assert "pods/log" in {resource["name"] for resource in core["resources"]}
    assert (await wire.get("/apis/apps")).body["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}


async def test_discovery_comes_aggregated_when_asked_for(wire: Wire) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    answer = await wire.get("/apis", Accept=accept)
    assert answer.headers["Content-Type"] == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    assert answer.body["kind"] == "APIGroupDiscoveryList"
    apps = next(group for group in answer.body["items"] if group["metadata"]["name"] == "apps")
    assert {resource["resource"] for resource in apps["versions"][0]["resources"]} >= {"deployments", "replicasets"}


async def test_a_large_answer_comes_in_gzip_to_whoever_takes_it_and_a_small_one_as_it_is(wire: Wire) -> None:
    maps = f"/api/v1/namespaces/{PROD}/configmaps"
    small = await wire.get(PODS, Accept_Encoding="gzip")
    assert "Content-Encoding" not in small.headers
    large = {"metadata": {"name": "large"}, "data": {"text": "payment " * 20_000}}
    assert (await wire.ask("POST", maps, large)).status == 201
    for path in (maps, f"{maps}/large"):
        packed = await wire.get(path, Accept_Encoding="deflate, gzip")
        plain = await wire.get(path, Accept_Encoding="identity")
        assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", "Accept-Encoding")
        assert "Content-Encoding" not in plain.headers
        assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 10
        assert packed.body == plain.body


async def test_what_is_not_there_is_plain_text(wire: Wire) -> None:
    answer = await wire.get("/apis/nothing.example/v1/things")
    assert (answer.status, answer.body) == (404, "404 page not found\n")
    assert answer.headers["Content-Type"].startswith("text/plain")


async def test_without_a_metrics_server_the_group_is_not_there() -> None:
    async with serving() as wire:
        assert "metrics.k8s.io" not in {group["name"] for group in (await wire.get("/apis")).body["groups"]}
        assert (await wire.get("/apis/metrics.k8s.io/v1beta1/nodes")).body == "404 page not found\n"


async def test_a_metrics_server_that_is_down_is_503(wire: Wire) -> None:
    wire.server.faults.no_metrics = True
    answer = await wire.get("/apis/metrics.k8s.io/v1beta1/nodes")
    assert answer.refusal == (503, "ServiceUnavailable")
    assert answer.body["message"] == "the server is currently unable to handle the request"


async def test_metrics_come_from_their_provider(wire: Wire) -> None:
    nodes = (await wire.get("/apis/metrics.k8s.io/v1beta1/nodes")).body
    assert nodes["kind"] == "NodeMetricsList"
    assert nodes["items"][0]["kind"] == "NodeMetrics"
    assert nodes["items"][0]["usage"] == {"cpu": "5049m", "memory": "6Gi"}
    pod = (await wire.get(f"/apis/metrics.k8s.io/v1beta1/namespaces/{PROD}/pods/payment-service-a")).body
    assert pod["containers"][0]["usage"]["cpu"] == "12m"
    assert (await wire.get("/apis/metrics.k8s.io/v1beta1/nodes/none")).refusal == (404, "NotFound")


# Reading


async def test_a_list_has_items_without_kind_and_an_object_has_it(wire: Wire) -> None:
    listed = (await wire.get(PODS)).body
    assert (listed["kind"], listed["apiVersion"]) == ("PodList", "v1")
    assert "kind" not in listed["items"][0]
    one = (await wire.get(f"{PODS}/payment-service-a")).body
    assert list(one)[:3] == ["kind", "apiVersion", "metadata"]
    assert listed["metadata"] == {"resourceVersion": str(wire.server.store.version)}


async def test_pages_are_of_one_instant_whatever_happens_meanwhile(wire: Wire) -> None:
    first = (await wire.get(f"{PODS}?limit=3")).body
    assert first["metadata"]["remainingItemCount"] == 4
    version = first["metadata"]["resourceVersion"]
    store = wire.server.store
    store.remove(kind("pods"), PROD, "payment-service-b")
    store.create(kind("pods"), {"metadata": {"name": "payment-service-bb", "namespace": PROD}})
    found, token = names(first), first["metadata"]["continue"]
    while token:
        page = (await wire.get(f"{PODS}?limit=3&continue={token}")).body
        assert page["metadata"]["resourceVersion"] == version
        found += names(page)
        token = page["metadata"].get("continue", "")
    assert found == [
        *("account-service-a", "account-service-b"),
        *(f"payment-service-{letter}" for letter in "abcde"),
    ]


async def test_pages_go_through_all_namespaces(wire: Wire) -> None:
    wire.server.store.create(kind("pods"), {"metadata": {"name": "zzz", "namespace": "default"}})
    found: list[str] = []
    token = ""
    while True:
        page = (await wire.get(f"/api/v1/pods?limit=1&continue={token}")).body
        found += names(page)
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert found == names((await wire.get("/api/v1/pods")).body)
    assert len(found) == 8


async def test_pages_of_a_selection_do_not_count_what_remains(wire: Wire) -> None:
    page = (await wire.get(f"{PODS}?limit=2&labelSelector=app%3Dpayment-service")).body
    assert names(page) == ["payment-service-a", "payment-service-b"]
    assert "remainingItemCount" not in page["metadata"]
    token = page["metadata"]["continue"]
    rest = (await wire.get(f"{PODS}?limit=9&labelSelector=app%3Dpayment-service&continue={token}")).body
    assert names(rest) == ["payment-service-c", "payment-service-d", "payment-service-e"]
    assert "continue" not in rest["metadata"]


async def test_a_continue_token_has_the_recorded_form(wire: Wire) -> None:
    token = (await wire.get(f"{PODS}?limit=1")).body["metadata"]["continue"]
    decoded = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    assert decoded == {"v": "meta.k8s.io/v1", "rv": wire.server.store.version, "start": "account-service-a\u0000"}


async def test_a_bad_continue_token_is_refused_as_recorded(wire: Wire) -> None:
    answer = await wire.get(f"{PODS}?limit=2&continue=abc")
    assert answer.status == 400
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": (
            "invalid continue token: continue key is not valid: invalid character 'i' looking for beginning of value"
        ),
        "reason": "BadRequest",
        "code": 400,
    }


async def test_an_old_continue_token_is_gone(wire: Wire) -> None:
    token = (await wire.get(f"{PODS}?limit=1")).body["metadata"]["continue"]
    wire.server.store.compact()
    assert (await wire.get(f"{PODS}?limit=1&continue={token}")).refusal == (410, "Expired")


async def test_a_version_of_the_future_is_too_large(wire: Wire) -> None:
    answer = await wire.get(f"{PODS}?resourceVersion=999999")
    assert answer.refusal == (504, "Timeout")
    assert answer.body["message"].startswith("Too large resource version: 999999, current: ")


async def test_selectors_of_labels_and_fields(wire: Wire) -> None:
    by_label = await wire.get(f"{PODS}?labelSelector=app+in+(account-service),!canary")
    assert names(by_label.body) == ["account-service-a", "account-service-b"]
    by_field = await wire.get(f"{PODS}?fieldSelector=spec.nodeName%3Dnode-2,status.phase%3DRunning")
    assert names(by_field.body) == ["account-service-a", "account-service-b"]
    by_name = await wire.get(f"{PODS}?fieldSelector=metadata.name%3Dpayment-service-c")
    assert names(by_name.body) == ["payment-service-c"]
    assert (await wire.get(f"{PODS}?fieldSelector=spec.color%3Dred")).refusal == (400, "BadRequest")
    assert (await wire.get(f"{PODS}?labelSelector=%3D")).refusal == (400, "BadRequest")


async def test_metadata_only_lists_leave_the_secrets_out(wire: Wire) -> None:
    answer = await wire.get(f"/api/v1/namespaces/{PROD}/secrets?labelSelector=owner%3Dhelm", Accept=METADATA)
    assert (answer.body["kind"], answer.body["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    item = answer.body["items"][0]
    assert item["kind"] == "PartialObjectMetadata"
    assert set(item) == {"kind", "apiVersion", "metadata"}
    assert item["metadata"]["labels"]["version"] == "1"


async def test_tables_are_what_kubectl_prints(wire: Wire) -> None:
    table = (await wire.get(PODS, Accept=TABLE)).body
    assert [column["name"] for column in table["columnDefinitions"] if column["priority"] == 0] == [
        *("Name", "Ready", "Status", "Restarts", "Age")
    ]
    row = table["rows"][0]
    assert row["cells"][:4] == ["account-service-a", "1/1", "Running", "0"]
    assert row["cells"][5:7] == ["10.0.0.1", "node-2"]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert "spec" in (await wire.get(f"{PODS}?includeObject=Object", Accept=TABLE)).body["rows"][0]["object"]
    assert (await wire.get(f"{PODS}?includeObject=None", Accept=TABLE)).body["rows"][0]["object"] is None


async def test_a_form_that_nobody_can_make_is_not_acceptable(wire: Wire) -> None:
    answer = await wire.get(PODS, Accept="image/png")
    assert answer.refusal == (406, "NotAcceptable")


async def test_the_two_event_apis_show_the_same_event_in_their_own_words(wire: Wire) -> None:
    core = (await wire.get(f"/api/v1/namespaces/{PROD}/events")).body["items"][0]
    new = (await wire.get(f"/apis/events.k8s.io/v1/namespaces/{PROD}/events")).body["items"][0]
    assert new["metadata"] == core["metadata"]
    assert (new["note"], new["regarding"]) == (core["message"], core["involvedObject"])
    assert new["deprecatedCount"] == core["count"] == 7
    assert new["deprecatedLastTimestamp"] == core["lastTimestamp"]
    assert new["deprecatedSource"] == core["source"]
    assert new["reportingController"] == "kubelet"
    assert new["eventTime"] is None


async def test_an_event_written_in_the_new_api_is_read_in_the_old_one(wire: Wire) -> None:
    event = {
        "metadata": {"generateName": "e."},
        "eventTime": "2026-11-23T07:37:59.352367Z",
        "reportingController": "scheduler",
        "reportingInstance": "scheduler-0",
        "action": "Binding",
        "reason": "Scheduled",
        "regarding": {"kind": "Pod", "name": "web"},
        "note": "assigned",
        "type": "Normal",
        "series": {"count": 4, "lastObservedTime": "2026-11-23T07:39:00.000000Z"},
    }
    made = await wire.ask("POST", f"/apis/events.k8s.io/v1/namespaces/{PROD}/events", event)
    assert (made.status, made.body["note"]) == (201, "assigned")
    core = (await wire.get(f"/api/v1/namespaces/{PROD}/events/{made.body['metadata']['name']}")).body
    assert (core["message"], core["involvedObject"]["name"], core["series"]["count"]) == ("assigned", "web", 4)
    assert core["firstTimestamp"] is None


# Logs


async def test_logs_are_plain_text_with_the_options_that_were_asked_for(wire: Wire) -> None:
    answer = await wire.get(f"{PODS}/payment-service-a/log?tailLines=2&timestamps=true")
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.body == (
        "2026-11-23T07:38:40.458282000Z payment-service line 8\n2026-11-23T07:38:40.458282000Z payment-service line 9\n"
    )
    assert (await wire.get(f"{PODS}/payment-service-a/log?limitBytes=7")).body == "payment"


async def test_logs_of_no_such_container_are_refused_as_recorded(wire: Wire) -> None:
    answer = await wire.get(f"{PODS}/payment-service-a/log?container=nope")
    assert answer.refusal == (400, "BadRequest")
    assert answer.body["message"] == "container nope is not valid for pod payment-service-a"
    assert (await wire.get(f"{PODS}/nobody/log")).refusal == (404, "NotFound")


async def test_following_a_log_goes_on(wire: Wire) -> None:
    url = f"{wire.server.url}{PODS}/payment-service-a/log?follow=true&tailLines=1"
    async with asyncio.timeout(60), wire.session.get(url, headers=wire.headers("admin")) as response:
        assert await response.content.readline() == b"payment-service line 9\n"
        assert await response.content.readline() == b"one more\n"


# Writing


async def test_creating_needs_a_namespace_a_name_and_what_the_kind_needs(wire: Wire) -> None:
    collection = f"/apis/apps/v1/namespaces/{PROD}/deployments"
    made = await wire.ask("POST", f"{collection}?fieldManager=test", a_deployment("web"))
    assert made.status == 201
    assert made.body["spec"]["strategy"]["type"] == "RollingUpdate"
    assert made.body["metadata"]["managedFields"][0]["manager"] == "test"
    again = await wire.ask("POST", collection, a_deployment("web"))
    assert again.refusal == (409, "AlreadyExists")
    assert again.body["message"] == 'deployments.apps "web" already exists'
    elsewhere = await wire.ask(
        "POST", collection.replace(PROD, "nowhere"), {**a_deployment(), "metadata": {"name": "x"}}
    )
    assert (elsewhere.status, elsewhere.body["message"]) == (404, 'namespaces "nowhere" not found')
    nameless = await wire.ask("POST", collection, {**a_deployment(), "metadata": {}})
    assert nameless.refusal == (422, "Invalid")
    empty = await wire.ask("POST", collection, {"metadata": {"name": "x"}, "spec": {}})
    assert empty.refusal == (422, "Invalid")
    other = await wire.ask("POST", collection, {**a_deployment("web"), "kind": "Pod"})
    assert other.refusal == (400, "BadRequest")


async def test_a_dry_run_answers_and_does_nothing(wire: Wire) -> None:
    before = wire.server.store.version
    made = await wire.ask("POST", f"/apis/apps/v1/namespaces/{PROD}/deployments?dryRun=All", a_deployment("web"))
    assert made.status == 201
    patched = await wire.ask("PATCH", f"{DEPLOYMENT}?dryRun=All", {"spec": {"replicas": 9}}, Content_Type=MERGE)
    assert patched.body["spec"]["replicas"] == 9
    scaled = await wire.ask("PATCH", f"{DEPLOYMENT}/scale?dryRun=All", {"spec": {"replicas": 9}}, Content_Type=MERGE)
    assert scaled.body["spec"]["replicas"] == 9
    deleted = await wire.ask("DELETE", f"{PODS}/payment-service-a?dryRun=All")
    assert deleted.status == 200
    in_body = await wire.ask("DELETE", f"{PODS}/payment-service-a", {"kind": "DeleteOptions", "dryRun": ["All"]})
    assert in_body.status == 200
    assert wire.server.store.version == before


async def test_a_restart_is_a_strategic_merge_patch(wire: Wire) -> None:
    annotation = {"kubectl.kubernetes.io/restartedAt": "2026-11-23T07:40:00Z"}
    patch = {"spec": {"template": {"metadata": {"annotations": annotation}}}}
    answer = await wire.ask("PATCH", f"{DEPLOYMENT}?fieldManager=warroom", patch, Content_Type=STRATEGIC)
    assert answer.status == 200
    assert answer.body["metadata"]["generation"] == 2
    assert answer.body["spec"]["template"]["metadata"]["annotations"] == annotation
    mine = next(entry for entry in answer.body["metadata"]["managedFields"] if entry["manager"] == "warroom")
    assert mine["fieldsV1"]["f:spec"]["f:template"]["f:metadata"]["f:annotations"] == {
        ".": {},
        "f:kubectl.kubernetes.io/restartedAt": {},
    }


async def test_json_patch_tests_before_it_changes(wire: Wire) -> None:
    operations = [
        {"op": "test", "path": "/spec/replicas", "value": 3},
        {"op": "replace", "path": "/spec/replicas", "value": 4},
    ]
    media = "application/json-patch+json"
    assert (await wire.ask("PATCH", DEPLOYMENT, operations, Content_Type=media)).body["spec"]["replicas"] == 4
    assert (await wire.ask("PATCH", DEPLOYMENT, operations, Content_Type=media)).refusal == (422, "Invalid")


async def test_a_stale_version_is_a_conflict_and_another_uid_is_invalid(wire: Wire) -> None:
    stale = await wire.ask("PATCH", DEPLOYMENT, {"metadata": {"resourceVersion": "5"}}, Content_Type=MERGE)
    assert stale.refusal == (409, "Conflict")
    assert stale.body["message"] == (
        'Operation cannot be fulfilled on deployments.apps "payment-service": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    uid = "00000000-0000-0000-0000-000000000000"
    wrong = await wire.ask("PATCH", DEPLOYMENT, {"metadata": {"uid": uid}}, Content_Type=MERGE)
    assert wrong.refusal == (422, "Invalid")
    assert wrong.body["message"] == (
        f'Deployment.apps "payment-service" is invalid: metadata.uid: Invalid value: "{uid}": field is immutable'
    )


async def test_a_patch_of_an_unknown_type_is_unsupported(wire: Wire) -> None:
    answer = await wire.ask("PATCH", DEPLOYMENT, {}, Content_Type="application/json")
    assert answer.status == 415
    assert answer.body["message"] == "415: Unsupported Media Type"
    assert answer.body["details"] == {}


async def test_a_replace_needs_the_current_version(wire: Wire) -> None:
    current = (await wire.get(DEPLOYMENT)).body
    current["spec"]["replicas"] = 6
    assert (await wire.ask("PUT", DEPLOYMENT, current)).body["spec"]["replicas"] == 6
    assert (await wire.ask("PUT", DEPLOYMENT, current)).refusal == (409, "Conflict")
    assert (await wire.ask("PUT", DEPLOYMENT.replace("payment", "no"), a_deployment("no-service"))).status == 404


async def test_scale_reads_changes_and_refuses(wire: Wire) -> None:
    path = f"{DEPLOYMENT}/scale"
    scale = (await wire.get(path)).body
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (scale["spec"], scale["status"]) == ({"replicas": 3}, {"replicas": 3, "selector": "app=payment-service"})
    changed = await wire.ask("PATCH", path, {"spec": {"replicas": 5}}, Content_Type=MERGE)
    assert changed.body["spec"] == {"replicas": 5}
    assert (await wire.get(DEPLOYMENT)).body["spec"]["replicas"] == 5
    negative = await wire.ask("PATCH", path, {"spec": {"replicas": -1}}, Content_Type=MERGE)
    assert negative.status == 422
    assert negative.body["message"] == (
        'Scale.autoscaling "payment-service" is invalid: spec.replicas: Invalid value: -1: '
        "must be greater than or equal to 0"
    )
    scale["spec"]["replicas"] = 1
    assert (await wire.ask("PUT", path, scale)).refusal == (409, "Conflict")


async def test_status_is_a_subresource_of_its_own(wire: Wire) -> None:
    patch = {"status": {"readyReplicas": 1}, "spec": {"replicas": 77}}
    answer = await wire.ask("PATCH", f"{DEPLOYMENT}/status", patch, Content_Type=MERGE)
    assert answer.body["status"]["readyReplicas"] == 1
    assert answer.body["spec"]["replicas"] == 3


async def test_server_side_apply_creates_then_owns_then_conflicts(wire: Wire) -> None:
    path = f"/apis/networking.istio.io/v1/namespaces/{PROD}/virtualservices/maintenance"
    route = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "maintenance", "namespace": PROD},
        "spec": {"hosts": ["payment-service"], "http": []},
    }
    made = await wire.ask("PATCH", f"{path}?fieldManager=warroom&force=true", route, Content_Type=APPLY)
    assert made.status == 201
    assert made.body["metadata"]["managedFields"][0]["operation"] == "Apply"
    again = await wire.ask("PATCH", f"{path}?fieldManager=warroom", route, Content_Type=APPLY)
    assert (again.status, again.body["metadata"]["resourceVersion"]) == (200, made.body["metadata"]["resourceVersion"])
    other = {**route, "spec": {"hosts": ["another"]}}
    clash = await wire.ask("PATCH", f"{path}?fieldManager=kubectl", other, Content_Type=APPLY)
    assert clash.refusal == (409, "Conflict")
    assert clash.body["message"] == 'Apply failed with 1 conflict: conflict with "warroom": .spec.hosts'
    beta = (await wire.get(path.replace("/v1/", "/v1beta1/"))).body
    assert (beta["apiVersion"], beta["spec"]) == ("networking.istio.io/v1beta1", route["spec"])
    nobody = await wire.ask("PATCH", path, route, Content_Type=APPLY)
    assert nobody.refusal == (422, "Invalid")


async def test_deleting_a_pod_marks_it_and_a_deployment_is_gone(wire: Wire) -> None:
    pod = await wire.ask("DELETE", f"{PODS}/payment-service-a")
    assert pod.body["metadata"]["deletionGracePeriodSeconds"] == 30
    gone = await wire.ask("DELETE", DEPLOYMENT)
    assert gone.body["status"] == "Success"
    assert gone.body["details"]["kind"] == "deployments"
    assert (await wire.get(DEPLOYMENT)).refusal == (404, "NotFound")


async def test_deletes_have_preconditions(wire: Wire) -> None:
    uid = (await wire.get(f"{PODS}/payment-service-a")).body["metadata"]["uid"]
    wrong = await wire.ask("DELETE", f"{PODS}/payment-service-a", {"preconditions": {"uid": "another"}})
    assert wrong.refusal == (409, "Conflict")
    right = await wire.ask(
        "DELETE", f"{PODS}/payment-service-a", {"preconditions": {"uid": uid}, "gracePeriodSeconds": 0}
    )
    assert right.status == 200
    assert (await wire.get(f"{PODS}/payment-service-a")).status == 404


async def test_a_collection_is_deleted_by_selector(wire: Wire) -> None:
    answer = await wire.ask("DELETE", f"{PODS}?labelSelector=app%3Daccount-service&gracePeriodSeconds=0")
    assert names(answer.body) == ["account-service-a", "account-service-b"]
    assert len(names((await wire.get(PODS)).body)) == 5


async def test_an_eviction_asks_the_disruption_budget(wire: Wire) -> None:
    budget = {
        "metadata": {"name": "keep", "namespace": PROD},
        "spec": {"selector": {"matchLabels": {"app": "payment-service"}}},
        "status": {"observedGeneration": 1, "disruptionsAllowed": 0, "desiredHealthy": 5, "currentHealthy": 4},
    }
    wire.server.store.create(kind("poddisruptionbudgets"), budget)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "payment-service-a"}}
    refused = await wire.ask("POST", f"{PODS}/payment-service-a/eviction", eviction)
    assert refused.refusal == (429, "TooManyRequests")
    assert refused.body["details"]["causes"][0]["reason"] == "DisruptionBudget"
    evicted = await wire.ask("POST", f"{PODS}/account-service-a/eviction", eviction)
    assert evicted.status == 201
    assert (await wire.get(f"{PODS}/account-service-a")).body["metadata"]["deletionTimestamp"]


async def test_methods_that_do_not_exist_are_told(wire: Wire) -> None:
    assert (await wire.ask("POST", f"{PODS}/payment-service-a", {})).refusal == (405, "MethodNotAllowed")
    assert (await wire.ask("DELETE", "/apis/metrics.k8s.io/v1beta1/nodes")).refusal == (405, "MethodNotAllowed")
    assert (await wire.get(f"{DEPLOYMENT}/nonsense")).refusal == (404, "NotFound")


async def test_a_body_that_is_no_object_is_a_bad_request(wire: Wire) -> None:
    assert (await wire.ask("POST", PODS, [])).refusal == (400, "BadRequest")
    assert (await wire.ask("PATCH", DEPLOYMENT, 7, Content_Type=MERGE)).refusal == (422, "Invalid")


# When things go wrong


async def test_errors_and_throttling_can_be_switched_on(wire: Wire) -> None:
    faults = wire.server.faults
    faults.throttled = 1
    throttled = await wire.get(PODS)
    assert (throttled.status, throttled.headers["Retry-After"]) == (429, "1")
    assert (await wire.get(PODS)).status == 200
    faults.error = 500
    assert (await wire.get(PODS)).refusal == (500, "InternalError")
    faults.only = "/secrets"
    assert (await wire.get(PODS)).status == 200
    faults.error, faults.logged_out = None, True
    assert (await wire.get(PODS)).status == 401


async def test_a_frozen_server_accepts_and_does_not_answer_until_it_thaws(wire: Wire) -> None:
    wire.server.faults.freeze()
    asking = asyncio.create_task(wire.get(PODS))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asking), 0.1)
    wire.server.faults.thaw()
    async with asyncio.timeout(60):
        assert (await asking).status == 200


async def test_a_server_can_go_away_and_come_back_on_the_same_port(wire: Wire) -> None:
    url = wire.server.url
    await wire.server.refuse()
    with pytest.raises(aiohttp.ClientConnectionError):
        await wire.get(PODS)
    await wire.server.accept()
    assert wire.server.url == url
    assert (await wire.get(PODS)).status == 200
