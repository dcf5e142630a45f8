"""What Istio does to requests in an ambient mesh: a VirtualService that answers for a service instead of it.

Only the abort of all requests is known, by the waypoint in front of services whose pods are in the mesh; rules that
match some requests by a header are nobody's here. Of several VirtualServices for a host the oldest wins.
https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPFaultInjection-Abort
"""

from __future__ import annotations

from typing import Any, Final

from drill import pods
from drill.kinds import kind
from drill.store import ObjectStore
from drill.world import POD

Json = dict[str, Any]

IN_MESH: Final = {"ambient.istio.io/redirection": "enabled"}
"""How the node agent marks a pod whose traffic goes through the mesh."""
ABORTED: Final = "fault filter abort"
_VIRTUAL_SERVICE: Final = kind("virtualservices", "networking.istio.io")
_NAME: Final = "app.kubernetes.io/name"


def aborted(store: ObjectStore, namespace: str, service: str) -> int | None:
    """The status with which every request to a service is answered instead of it; None if they reach it."""
    routes = [one for one in store.list(_VIRTUAL_SERVICE, namespace) if _speaks_for(one["spec"], namespace, service)]
    if not routes or not _in_mesh(store, namespace, service):
        return None
    oldest = min(routes, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]))
    for rule in oldest["spec"].get("http") or ():
        if rule.get("match"):
            continue
        abort = (rule.get("fault") or {}).get("abort") or {}
        whole = (abort.get("percentage") or {}).get("value") == 100
        return int(abort["httpStatus"]) if whole and abort.get("httpStatus") else None
    return None


def _speaks_for(spec: Json, namespace: str, service: str) -> bool:
    names = {service, f"{service}.{namespace}.svc.cluster.local"}
    return bool(names & {*(spec.get("hosts") or ())}) and "mesh" in (spec.get("gateways") or ["mesh"])


def _in_mesh(store: ObjectStore, namespace: str, service: str) -> bool:
    mine = [pod for pod in store.list(POD, namespace) if pods.labels(pod).get(_NAME) == service]
    return any(IN_MESH.items() <= pods.notes(pod).items() for pod in mine)
