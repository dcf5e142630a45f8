"""Istio as a redirect meets it: which API version is served, the maintenance abort, who else claims the same host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from probes.errors import Forbidden, NotFound
from runbook.errors import NoPlan
from runbook.plan import Json
from runbook.scene import api_path
from runbook.stamps import ACT
from runbook.stamps import is_ours as is_our_manager

if TYPE_CHECKING:
    from runbook.scene import Scene

GROUP = "networking.istio.io"
KIND, PLURAL = "VirtualService", "virtualservices"
VERSIONS = ("v1", "v1beta1", "v1alpha3")  # the same objects; the newest that is served is used
SUFFIX = "-maintenance"
HEADER = "maintenance"  # of the requests that the runbook's abort is about

_HOW_TO_SEE = f"kubectl api-resources --api-group={GROUP}"


async def served(scene: Scene) -> str:
    """The API version to speak, like ``networking.istio.io/v1``. Raises `NoPlan` where there is no Istio."""
    try:
        group = await scene.read(f"/apis/{GROUP}")
    except NotFound as error:
        text = f"no Istio here: the server does not serve {GROUP}, so nothing would act on a VirtualService"
        raise NoPlan(text, _HOW_TO_SEE) from error
    there = {str(version.get("version")) for version in group.get("versions") or ()}
    for version in VERSIONS:
        if version in there:
            return f"{GROUP}/{version}"
    raise NoPlan(f"{GROUP} is served as {', '.join(sorted(there))}, which is not known here", _HOW_TO_SEE)


async def virtual_services(scene: Scene, version: str, namespace: str) -> list[Json]:
    """Those of the cluster; of the namespace alone where only that may be read. Raises `NoPlan`, `ProbeError`."""
    try:
        try:
            return await scene.items((version,), "", PLURAL)
        except Forbidden:
            return await scene.items((version,), namespace, PLURAL)
    except NotFound as error:
        raise NoPlan(f"no Istio here: {version} has no {PLURAL}", _HOW_TO_SEE) from error


async def virtual_service(scene: Scene, path: str) -> Json | None:
    """The one at that path, None if it is not there. Raises `ProbeError`."""
    try:
        return await scene.read(path)
    except NotFound:
        return None


def path_of(version: str, namespace: str, service: str) -> str:
    """Where a service's maintenance abort is."""
    return api_path(version, namespace, PLURAL, service + SUFFIX)


def maintenance(version: str, namespace: str, service: str, status: int, *, everybody: bool) -> Json:
    """The runbook's abort, with the routes beside it that Istio wants.

    Its admission refuses a rule without a route ("HTTP route, redirect or direct_response is required"), and once a
    host has rules, a request that none of them matches is answered 404: so the others get a route of their own.
    https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPFaultInjection-Abort
    """
    route = [{"destination": {"host": service}}]
    rule: Json = {"fault": {"abort": {"percentage": {"value": 100}, "httpStatus": status}}, "route": route}
    by_header: Json = {"match": [{"headers": {HEADER: {"exact": "true"}}}], **rule}
    return {
        "apiVersion": version,
        "kind": KIND,
        "metadata": {"name": service + SUFFIX, "namespace": namespace},
        "spec": {"hosts": [service], "http": [rule] if everybody else [by_header, {"route": route}]},
    }


class Abort(Struct, frozen=True):
    """What a maintenance abort does: the status it answers, and whether to everybody or by the header."""

    status: int
    everybody: bool


def abort_of(found: Json) -> Abort | None:
    """What ``found`` does, if it is one that `maintenance` makes; None if it is anything else."""
    metadata, rules = found.get("metadata") or {}, (found.get("spec") or {}).get("http")
    first = rules[0] if isinstance(rules, list) and rules and isinstance(rules[0], dict) else {}
    status = ((first.get("fault") or {}).get("abort") or {}).get("httpStatus")
    if not isinstance(status, int):
        return None
    service = str(metadata.get("name", "")).removesuffix(SUFFIX)
    for everybody in (False, True):
        made = maintenance("", str(metadata.get("namespace", "")), service, status, everybody=everybody)
        if holds(found.get("spec"), made["spec"]):
            return Abort(status, everybody)
    return None


def holds(there: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there; the server may have added what it fills in itself."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(holds(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(there, list)
            and len(there) == len(wanted)
            and all(holds(one, other) for one, other in zip(there, wanted, strict=True))
        )
    return bool(there == wanted)


def is_ours(found: Json) -> bool:
    """Whether an act of ours made it: it has the annotation, and one of our field managers."""
    metadata = found.get("metadata") or {}
    managers = [str(entry.get("manager") or "") for entry in metadata.get("managedFields") or ()]
    marked = bool((metadata.get("annotations") or {}).get(ACT))
    return marked and (not managers or any(map(is_our_manager, managers)))


def hands_on(found: Json) -> list[str]:
    """The field managers beside ours that set something of its spec."""
    names = [
        str(entry.get("manager") or "")
        for entry in (found.get("metadata") or {}).get("managedFields") or ()
        if "f:spec" in (entry.get("fieldsV1") or {})
    ]
    return sorted({name for name in names if not is_our_manager(name)})


class Rival(Struct, frozen=True):
    """Another VirtualService for the same host. ``gateways`` are those it is for; empty: it is for the mesh."""

    name: str  # namespace/name
    gateways: tuple[str, ...]


def rivals(items: Iterable[Json], namespace: str, service: str) -> list[Rival]:
    """Who else speaks for a service's host. A short name means the service of the VirtualService's own namespace."""
    full = f"{service}.{namespace}"
    anywhere = {full, f"{full}.svc", f"{full}.svc.cluster.local"}
    found = []
    for item in items:
        metadata, spec = item.get("metadata") or {}, item.get("spec") or {}
        where, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
        if (where, name) == (namespace, service + SUFFIX):
            continue
        names = anywhere | ({service} if where == namespace else set())
        if names & {str(host) for host in spec.get("hosts") or ()}:
            gateways = tuple(str(gateway) for gateway in spec.get("gateways") or ())
            found.append(Rival(f"{where}/{name}", () if "mesh" in gateways else gateways))
    return found


def in_the_mesh(pods: Sequence[Json]) -> int:
    """How many of these pods have a sidecar, or are redirected by an ambient mesh."""
    return sum(map(_meshed, pods))


def _meshed(pod: Json) -> bool:
    spec, annotations = pod.get("spec") or {}, (pod.get("metadata") or {}).get("annotations") or {}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return annotations.get("ambient.istio.io/redirection") == "enabled" or any(
        container.get("name") == "istio-proxy" for container in containers
    )


def unseen(found: Json) -> str:
    """Why Istio has not taken it up yet, by its status; empty if it has, or keeps no status (the default)."""
    status = found.get("status") or {}
    observed = status.get("observedGeneration")
    if observed is None:
        return ""
    try:
        behind = int(observed) < int((found.get("metadata") or {}).get("generation") or 0)
    except (TypeError, ValueError):
        return ""
    return "Istio has not seen it yet" if behind else ""


def complaints(found: Json) -> list[str]:
    """What Istio's analysis says against it (``status.validationMessages`` above the level of information)."""
    said = []
    for message in (found.get("status") or {}).get("validationMessages") or ():
        if message.get("level") not in ("INFO", 3, None):
            kind = message.get("type") or {}
            said.append(f"{kind.get('name') or kind.get('code') or 'a validation message'}")
    return said
