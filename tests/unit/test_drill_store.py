"""The object store: versions, concurrency, deletion, history, snapshots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drill.kinds import Kind, kind
from drill.records import Change
from drill.statuses import ApiError
from drill.store import EVERYTHING, ObjectStore

Json = dict[str, Any]
PODS, NODES, EVENTS = kind("pods"), kind("nodes"), kind("events")
DEPLOYMENTS, SECRETS, NAMESPACES = kind("deployments"), kind("secrets"), kind("namespaces")


def a_pod(name: str = "web", namespace: str = "prod", **spec: Any) -> Json:
    return {"metadata": {"name": name, "namespace": namespace, "labels": {"app": "web"}}, "spec": spec}


def a_deployment(replicas: int = 3) -> Json:
    return {"metadata": {"name": "web", "namespace": "prod"}, "spec": {"replicas": replicas}}


def refused(error: pytest.ExceptionInfo[ApiError]) -> tuple[int, str]:
    return error.value.code, error.value.reason


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore(clock=lambda: 1_700_000_000.0)


def test_a_created_object_gets_what_a_server_gives_it(store: ObjectStore) -> None:
    made = store.create(DEPLOYMENTS, a_deployment())
    metadata = made["metadata"]
    assert (made["kind"], made["apiVersion"]) == ("Deployment", "apps/v1")
    assert metadata["resourceVersion"] == str(store.version)
    assert metadata["generation"] == 1
    assert metadata["creationTimestamp"] == "2023-11-14T22:13:20Z"
    assert len(metadata["uid"]) == 36


def test_creation_can_be_backdated(store: ObjectStore) -> None:
    made = store.create(PODS, a_pod(), now=1_600_000_000.9)
    assert made["metadata"]["creationTimestamp"] == "2020-09-13T12:26:40Z"


def test_a_generate_name_gets_five_characters(store: ObjectStore) -> None:
    made = store.create(PODS, {"metadata": {"generateName": "web-", "namespace": "prod"}})
    name = made["metadata"]["name"]
    assert name.startswith("web-")
    assert len(name) == len("web-") + 5
    assert not set(name[4:]) & set("aeiouy013")


def test_the_same_name_twice_is_refused(store: ObjectStore) -> None:
    store.create(PODS, a_pod())
    with pytest.raises(ApiError, match='pods "web" already exists') as error:
        store.create(PODS, a_pod())
    assert refused(error) == (409, "AlreadyExists")


def test_lists_are_in_the_order_of_namespace_and_name(store: ObjectStore) -> None:
    for namespace, name in (("b", "z"), ("a", "y"), ("b", "a"), ("a", "x")):
        store.create(PODS, a_pod(name, namespace))
    store.remove(PODS, "a", "y")
    listed = [(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in store.list(PODS)]
    assert listed == [("a", "x"), ("b", "a"), ("b", "z")]
    assert [pod["metadata"]["name"] for pod in store.list(PODS, "b")] == ["a", "z"]
    assert store.list(PODS, "nowhere") == []


def test_a_change_of_the_spec_grows_the_generation_and_one_of_the_status_does_not(store: ObjectStore) -> None:
    made = store.create(DEPLOYMENTS, a_deployment())
    reported = store.update(DEPLOYMENTS, {**made, "status": {"replicas": 3}}, subresource="status")
    assert reported["metadata"]["generation"] == 1
    scaled = store.update(DEPLOYMENTS, {**reported, "spec": {"replicas": 5}})
    assert scaled["metadata"]["generation"] == 2
    assert scaled["status"] == {"replicas": 3}


def test_an_update_leaves_the_status_and_a_status_update_leaves_the_spec(store: ObjectStore) -> None:
    made = store.create(DEPLOYMENTS, a_deployment())
    after = store.update(DEPLOYMENTS, {**made, "spec": {"replicas": 1}, "status": {"replicas": 9}})
    assert "status" not in after
    after = store.update(
        DEPLOYMENTS, {**after, "spec": {"replicas": 7}, "status": {"replicas": 9}}, subresource="status"
    )
    assert (after["spec"], after["status"]) == ({"replicas": 1}, {"replicas": 9})
    both = {"spec": {"replicas": 2}, "status": {"replicas": 2}}
    after = store.update(DEPLOYMENTS, {**after, **both}, subresource=EVERYTHING)
    assert (after["spec"], after["status"]) == ({"replicas": 2}, {"replicas": 2})


def test_an_update_that_changes_nothing_writes_nothing(store: ObjectStore) -> None:
    made = store.create(DEPLOYMENTS, a_deployment())
    version = store.version
    assert store.update(DEPLOYMENTS, {**made, "spec": {"replicas": 3}}) is made
    assert store.version == version


def test_a_stale_resource_version_is_a_conflict(store: ObjectStore) -> None:
    made = store.create(DEPLOYMENTS, a_deployment())
    store.update(DEPLOYMENTS, {**made, "spec": {"replicas": 4}})
    with pytest.raises(ApiError, match="the object has been modified") as error:
        store.update(DEPLOYMENTS, {**made, "spec": {"replicas": 5}})
    assert refused(error) == (409, "Conflict")


def test_an_update_without_a_resource_version_always_wins(store: ObjectStore) -> None:
    store.create(DEPLOYMENTS, a_deployment())
    assert store.update(DEPLOYMENTS, a_deployment(8))["spec"] == {"replicas": 8}


def test_another_uid_is_a_conflict(store: ObjectStore) -> None:
    made = store.create(DEPLOYMENTS, a_deployment())
    with pytest.raises(ApiError, match="UID in precondition: another") as error:
        store.update(DEPLOYMENTS, {**made, "metadata": {**made["metadata"], "uid": "another"}})
    assert refused(error) == (409, "Conflict")
    with pytest.raises(ApiError, match="UID in precondition"):
        store.delete(DEPLOYMENTS, "prod", "web", uid="another")


def test_what_is_not_there_cannot_be_updated_or_deleted(store: ObjectStore) -> None:
    acts: list[Callable[[], Json]] = [
        lambda: store.update(DEPLOYMENTS, a_deployment()),
        lambda: store.delete(DEPLOYMENTS, "prod", "web"),
        lambda: store.remove(DEPLOYMENTS, "prod", "web"),
    ]
    for act in acts:
        with pytest.raises(ApiError, match=r'deployments\.apps "web" not found') as error:
            act()
        assert refused(error) == (404, "NotFound")


def test_a_pod_on_a_node_is_marked_and_goes_when_the_kubelet_says_so(store: ObjectStore) -> None:
    store.create(PODS, a_pod(nodeName="node-1", terminationGracePeriodSeconds=10))
    marked = store.delete(PODS, "prod", "web")
    assert marked["metadata"]["deletionTimestamp"] == "2023-11-14T22:13:30Z"
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 10
    assert store.delete(PODS, "prod", "web") is marked  # a second delete does not restart the clock
    store.remove(PODS, "prod", "web")
    assert store.get(PODS, "prod", "web") is None


def test_a_pod_without_a_node_or_without_grace_goes_at_once(store: ObjectStore) -> None:
    store.create(PODS, a_pod("unscheduled"))
    store.create(PODS, a_pod("forced", nodeName="node-1"))
    store.delete(PODS, "prod", "unscheduled")
    store.delete(PODS, "prod", "forced", grace_seconds=0)
    assert store.list(PODS) == []


def test_finalizers_are_waited_for(store: ObjectStore) -> None:
    obj = a_deployment()
    obj["metadata"]["finalizers"] = ["example.com/hold"]
    store.create(DEPLOYMENTS, obj)
    marked = store.delete(DEPLOYMENTS, "prod", "web")
    assert marked["metadata"]["deletionTimestamp"]
    assert store.get(DEPLOYMENTS, "prod", "web") is marked
    store.update(DEPLOYMENTS, {**marked, "metadata": {**marked["metadata"], "finalizers": []}})
    assert store.get(DEPLOYMENTS, "prod", "web") is None


def test_a_namespace_takes_everything_in_it_along(store: ObjectStore) -> None:
    for name in ("prod", "test"):
        store.create(NAMESPACES, {"metadata": {"name": name}})
        store.create(PODS, a_pod(namespace=name))
        store.create(SECRETS, {"metadata": {"name": "s", "namespace": name}})
    store.create(NODES, {"metadata": {"name": "prod"}})
    store.delete(NAMESPACES, None, "prod")
    assert [pod["metadata"]["namespace"] for pod in store.list(PODS)] == ["test"]
    assert len(store.list(SECRETS)) == 1
    assert len(store.list(NODES)) == 1


def test_subscribers_see_every_write_in_order_also_those_that_they_cause(store: ObjectStore) -> None:
    seen: list[tuple[str, str]] = []

    def controller(change_type: str, of: Kind, obj: Json, old: Json | None) -> None:
        if of is DEPLOYMENTS and change_type == "ADDED":
            store.create(PODS, a_pod())

    def observer(change_type: str, of: Kind, obj: Json, old: Json | None) -> None:
        seen.append((change_type, of.kind))
        assert (old is None) is (change_type == "ADDED")

    store.subscribe(controller)
    unsubscribe = store.subscribe(observer)
    store.create(DEPLOYMENTS, a_deployment())
    store.remove(PODS, "prod", "web")
    assert seen == [("ADDED", "Deployment"), ("ADDED", "Pod"), ("DELETED", "Pod")]
    unsubscribe()
    store.remove(DEPLOYMENTS, "prod", "web")
    assert len(seen) == 3


def test_watchers_get_the_changes_of_their_kind(store: ObjectStore) -> None:
    seen: list[Change] = []
    unwatch = store.watch(PODS, seen.append)
    store.create(PODS, a_pod())
    store.create(DEPLOYMENTS, a_deployment())
    last = store.remove(PODS, "prod", "web")
    unwatch()
    store.create(PODS, a_pod())
    assert [(change.type, change.version) for change in seen] == [("ADDED", 2), ("DELETED", 4)]
    assert last["metadata"]["resourceVersion"] == "4"


def test_history_begins_after_the_version_asked_for(store: ObjectStore) -> None:
    store.create(PODS, a_pod("a"))
    version = store.version
    store.create(PODS, a_pod("b"))
    store.create(PODS, a_pod("c"))
    assert [change.record.name for change in store.since(PODS, version)] == ["b", "c"]
    assert store.since(PODS, store.version) == []


def test_history_is_bounded_and_what_is_forgotten_is_gone() -> None:
    store = ObjectStore(history=3)
    for number in range(6):
        store.create(PODS, a_pod(f"p{number}"))
    assert [change.record.name for change in store.since(PODS, store.version - 3)] == ["p3", "p4", "p5"]
    with pytest.raises(ApiError, match=r"too old resource version: 3 \(4\)") as error:
        store.since(PODS, 3)
    assert refused(error) == (410, "Expired")


def test_compaction_forgets_history_and_snapshots_of_every_kind(store: ObjectStore) -> None:
    store.create(PODS, a_pod())
    version = store.version
    store.keep(PODS, None, version, store.records(PODS))
    store.create(PODS, a_pod("another"))
    store.compact()
    with pytest.raises(ApiError) as error:
        store.since(PODS, version)
    assert refused(error) == (410, "Expired")
    with pytest.raises(ApiError):
        store.since(EVENTS, version)  # a kind that nobody had touched before
    with pytest.raises(ApiError, match="continue parameter is too old"):
        store.snapshot(PODS, None, version)
    assert store.since(PODS, store.version) == []


def test_a_snapshot_stays_what_it_was(store: ObjectStore) -> None:
    made = store.create(PODS, a_pod())
    version = store.version
    store.keep(PODS, "prod", version, store.records(PODS, "prod"))
    store.update(PODS, {**made, "status": {"phase": "Running"}}, subresource="status")
    store.remove(PODS, "prod", "web")
    assert [record.object for record in store.snapshot(PODS, "prod", version)] == [made]


def test_both_event_apis_are_the_same_objects(store: ObjectStore) -> None:
    new = kind("events", "events.k8s.io")
    store.create(EVENTS, {"metadata": {"name": "e", "namespace": "prod"}, "reason": "Killing"})
    assert store.list(new) == store.list(EVENTS)
    assert store.get(new, "prod", "e") is not None


def test_an_object_is_encoded_once(store: ObjectStore) -> None:
    store.create(PODS, a_pod())
    record = store.record(PODS, "prod", "web")
    assert record is not None
    assert record.encoded is record.encoded
    assert record.encoded.startswith(b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web",')


def test_a_manager_owns_what_it_set(store: ObjectStore) -> None:
    made = store.create(DEPLOYMENTS, a_deployment(), manager="helm")
    scaled = store.update(DEPLOYMENTS, {**made, "spec": {"replicas": 9}}, manager="kubectl", through="scale")
    owners = {
        (entry["manager"], entry.get("subresource")): entry["fieldsV1"] for entry in scaled["metadata"]["managedFields"]
    }
    assert owners == {("kubectl", "scale"): {"f:spec": {"f:replicas": {}}}}
