"""One raw object, fetched when somebody opens a row, and its YAML as kubectl would print it.

Nothing here is kept: the panes live on the small rows, and this is the full truth behind one of them.
"""

from __future__ import annotations

import binascii
import functools
from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from probes import wire
from probes.errors import BadAnswer, ConfigError
from probes.rows import Event

if TYPE_CHECKING:
    from probes.cluster import Cluster

# kind → (API prefix, resource, in a namespace?)
KINDS: Mapping[str, tuple[str, str, bool]] = {
    "Pod": ("/api/v1", "pods", True),
    "Node": ("/api/v1", "nodes", False),
    "Namespace": ("/api/v1", "namespaces", False),
    "Service": ("/api/v1", "services", True),
    "ConfigMap": ("/api/v1", "configmaps", True),
    "Secret": ("/api/v1", "secrets", True),
    "Event": ("/api/v1", "events", True),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims", True),
    "ReplicationController": ("/api/v1", "replicationcontrollers", True),
    "Deployment": ("/apis/apps/v1", "deployments", True),
    "StatefulSet": ("/apis/apps/v1", "statefulsets", True),
    "DaemonSet": ("/apis/apps/v1", "daemonsets", True),
    "ReplicaSet": ("/apis/apps/v1", "replicasets", True),
    "Job": ("/apis/batch/v1", "jobs", True),
    "CronJob": ("/apis/batch/v1", "cronjobs", True),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers", True),
}

METADATA_ONLY = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_FIRST_KEYS = ("apiVersion", "kind", "metadata", "spec")
_MOST_EVENTS = "200"


async def fetch(
    cluster: Cluster, kind: str, namespace: str, name: str, *, managed_fields: bool = True, timeout: float = 10.0
) -> dict[str, Any]:
    """The object as the server has it now, as plain JSON.

    Of a Secret only the metadata is asked for, so that its values never leave the server.
    ``namespace`` does not matter for kinds that live in none. Raises the `ProbeError` tree; `NotFound` when it is gone.
    """
    path, accept = object_path(kind, namespace, name), "application/json"
    if kind == "Secret":
        accept = METADATA_ONLY
    body = await cluster.get(path, accept=accept, timeout=timeout)
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(f"{kind} {name}: the answer is not a JSON object") from error
    return found if managed_fields else without_managed_fields(found)


def object_path(kind: str, namespace: str, name: str) -> str:
    """The API path of an object. Raises `ConfigError` for a kind that is not in `KINDS`."""
    if kind not in KINDS:
        raise ConfigError(f"no way to fetch a {kind}", f"known are {', '.join(sorted(KINDS))}")
    prefix, resource, namespaced = KINDS[kind]
    within = f"/namespaces/{quote(namespace, safe='')}" if namespaced else ""
    return f"{prefix}{within}/{resource}/{quote(name, safe='')}"


def without_managed_fields(found: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without ``metadata.managedFields``, which says who wrote what and hides everything else."""
    copy = dict(found)
    metadata = copy.get("metadata")
    if isinstance(metadata, dict):
        copy["metadata"] = {key: value for key, value in metadata.items() if key != "managedFields"}
    return copy


def to_yaml(found: Mapping[str, Any], managed_fields: bool = False) -> str:
    """YAML with kubectl's order of keys; a Secret's values become ``(N bytes, not shown)``.

    Control characters come out escaped; other text is as the object holds it and is for the widget to make inert.
    """
    shown = dict(found) if managed_fields else without_managed_fields(found)
    if shown.get("kind") == "Secret":
        _hide_values(shown)
    ordered = {key: shown.pop(key) for key in _FIRST_KEYS if key in shown}
    status = {"status": shown.pop("status")} if "status" in shown else {}
    yaml, dumper = _yaml()
    text: str = yaml.dump(
        ordered | shown | status,
        Dumper=dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=2**31 - 1,  # a long message stays one line: the pane wraps, and a search finds it
    )
    return text


def _hide_values(secret: dict[str, Any]) -> None:
    for field in ("data", "stringData"):
        values = secret.get(field)
        if isinstance(values, dict):
            secret[field] = {key: f"({_size(field, value)} bytes, not shown)" for key, value in values.items()}
    metadata = secret.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(annotations, dict) and _LAST_APPLIED in annotations:
        # kubectl apply keeps the whole Secret in here once more.
        size = len(str(annotations[_LAST_APPLIED]).encode(errors="replace"))
        hidden = annotations | {_LAST_APPLIED: f"({size} bytes, not shown)"}
        secret["metadata"] = {**secret["metadata"], "annotations": hidden}


def _size(field: str, value: object) -> int:
    text = str(value).encode(errors="replace")
    if field != "data":
        return len(text)
    try:
        return len(b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return len(text)


@functools.cache
def _yaml() -> tuple[Any, Any]:
    """The yaml module, and a dumper that writes text of several lines as a block; imported on first use."""
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        def ignore_aliases(self, data: object) -> bool:
            return True  # an object from JSON has no shared parts that a reader should hear of

    def represent_text(dumper: Any, text: str) -> Any:
        style = "|" if "\n" in text and text.isascii() else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent_text)
    return yaml, Dumper


# Events of one object


class _EventList(Struct):
    items: list[wire.CoreEvent] | None = None


async def events_of(cluster: Cluster, namespace: str, uid: str, *, timeout: float = 10.0) -> tuple[Event, ...]:
    """The events that regard one object, newest first: what ``kubectl describe`` ends with.

    Events of what lives in no namespace (a node) are in ``default``; pass that. Raises the `ProbeError` tree.
    """
    path = f"/api/v1/namespaces/{quote(namespace or 'default', safe='')}/events"
    query = {"fieldSelector": f"involvedObject.uid={uid}", "limit": _MOST_EVENTS}
    body = await cluster.get(path, query, timeout=timeout)
    try:
        found = msgspec.json.decode(body, type=_EventList)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("the answer is not a list of events") from error
    rows = [_event(item) for item in found.items or ()]
    return tuple(sorted(rows, key=lambda row: row.last_at, reverse=True))


def _event(item: wire.CoreEvent) -> Event:
    regards = item.involved_object or wire.Regarding()
    created = wire.instant(item.metadata.creation_timestamp) or 0.0
    first = wire.instant(item.first_timestamp) or wire.instant(item.event_time) or created
    last = wire.instant(item.series.last_observed_time) if item.series else None
    return Event(
        uid=item.metadata.uid,
        namespace=item.metadata.namespace,
        name=item.metadata.name,
        type=item.type or "",
        reason=item.reason or "",
        kind=regards.kind or "",
        object_name=regards.name or "",
        object_uid=regards.uid or "",
        message=item.message or "",
        count=(item.series.count if item.series else None) or item.count or 1,
        first_at=first,
        last_at=last or wire.instant(item.last_timestamp) or first,
        reporter=item.reporting_component or (item.source.component if item.source else "") or "",
    )
