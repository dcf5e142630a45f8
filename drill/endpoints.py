"""Endpoints and EndpointSlices: where a Service's traffic can go, out of the pods that are ready."""

from __future__ import annotations

from typing import Any

from drill import pods
from drill.kinds import Kind
from drill.label_selector import contains
from drill.owners import owner_reference
from drill.replicasets import counts_differently
from drill.world import ENDPOINT_SLICE, ENDPOINTS, POD, SERVICE, WorkQueue, World

Json = dict[str, Any]
Key = tuple[str, str]


class EndpointsController:
    """Keeps one Endpoints and one EndpointSlice per Service with a selector."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: WorkQueue[Key] = WorkQueue(world.clock, self._reconcile)

    def observe_service(self, change: str, kind: Kind, service: Json, old: Json | None) -> None:
        self._queue.add((service["metadata"]["namespace"], service["metadata"]["name"]))

    def observe_pod(self, change: str, kind: Kind, pod: Json, old: Json | None) -> None:
        if change == "MODIFIED" and old is not None and not counts_differently(pod, old):
            return
        namespace = pod["metadata"]["namespace"]
        for service in self._world.store.list(SERVICE, namespace):
            selector = service["spec"].get("selector")
            if selector and (
                contains(pods.labels(pod), selector) or (old is not None and contains(pods.labels(old), selector))
            ):
                self._queue.add((namespace, service["metadata"]["name"]))

    def _reconcile(self, key: Key) -> None:
        world = self._world
        service = world.store.get(SERVICE, *key)
        if service is None:
            if world.store.get(ENDPOINTS, *key) is not None:
                world.store.delete(ENDPOINTS, *key)
            return
        selector = service["spec"].get("selector")
        if not selector:
            return
        targets = [
            pod
            for pod in world.store.list(POD, key[0])
            if contains(pods.labels(pod), selector) and (pod.get("status") or {}).get("podIP") and pods.is_active(pod)
        ]
        targets.sort(key=lambda pod: str(pod["status"]["podIP"]))
        self._put(ENDPOINTS, service, key[1], {"subsets": _subsets(service, targets)})
        self._put(
            ENDPOINT_SLICE,
            service,
            f"{key[1]}-{_slice_suffix(service)}",
            {
                "addressType": "IPv4",
                "ports": [{"name": "", "protocol": "TCP", "port": port} for port in _ports(service)],
                "endpoints": [_endpoint(pod) for pod in targets],
            },
        )

    def _put(self, kind: Kind, service: Json, name: str, content: Json) -> None:
        world, meta = self._world, service["metadata"]
        before = world.store.get(kind, meta["namespace"], name)
        if before is not None:
            world.store.update(kind, {**before, **content})
            return
        labels = {**(meta.get("labels") or {})}
        owners = []
        if kind is ENDPOINT_SLICE:
            managed_by = "endpointslice-controller.k8s.io"
            labels |= {"kubernetes.io/service-name": meta["name"], "endpointslice.kubernetes.io/managed-by": managed_by}
            owners = [owner_reference(SERVICE, service)]
        metadata = {"name": name, "namespace": meta["namespace"], "labels": labels, "ownerReferences": owners}
        world.create(kind, {"metadata": metadata, **content})


def _ports(service: Json) -> list[int]:
    found = (port.get("targetPort", port["port"]) for port in service["spec"].get("ports") or ())
    return [port for port in found if isinstance(port, int)]


def _slice_suffix(service: Json) -> str:
    """Five characters that stay the same for one Service."""
    return str(service["metadata"]["uid"]).replace("-", "")[:5]


def _address(pod: Json) -> Json:
    meta = pod["metadata"]
    reference = {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName"), "targetRef": reference}


def _subsets(service: Json, targets: list[Json]) -> list[Json]:
    if not targets:
        return []
    subset: Json = {}
    ready = [_address(pod) for pod in targets if pods.is_ready(pod)]
    unready = [_address(pod) for pod in targets if not pods.is_ready(pod)]
    if ready:
        subset["addresses"] = ready
    if unready:
        subset["notReadyAddresses"] = unready
    subset["ports"] = [{"port": port, "protocol": "TCP"} for port in _ports(service)]
    return [subset]


def _endpoint(pod: Json) -> Json:
    address, ready = _address(pod), pods.is_ready(pod)
    return {
        "addresses": [address["ip"]],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "nodeName": address["nodeName"],
        "targetRef": address["targetRef"],
    }
