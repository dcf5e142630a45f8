"""The forms in which an object is sent (itself, its other API version, metadata only), and what Accept asks for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from drill import statuses
from drill.kinds import Kind
from drill.records import Change, Record, encode

Json = dict[str, Any]


class Form(Enum):
    """What the client wants to see."""

    OBJECT = "object"
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"


@dataclass(frozen=True, slots=True)
class Accept:
    """The outcome of content negotiation; ``version`` is that of meta.k8s.io for the transformed forms."""

    form: Form
    version: str = "v1"
    aggregated: bool = False  # discovery in one answer (apidiscovery.k8s.io)


_ACCEPTED: Final = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
_JSON: Final = ("application/json", "*/*")
_PRODUCED: Final = (*_JSON, "application/yaml", "application/vnd.kubernetes.protobuf")


def negotiate(header: str | None, *, transformable: bool = True) -> Accept:
    """The first form in an Accept header that the server can make. Raises NotAcceptable (406)."""
    if not header:
        return Accept(Form.OBJECT)
    if not any(part.partition(";")[0].strip() in _PRODUCED for part in header.split(",")):
        raise statuses.not_produced()  # the router's words, who looks at whole media types only
    for part in header.split(","):
        media, *rest = (piece.strip() for piece in part.split(";"))
        if media not in _JSON:
            continue
        parameters = dict(piece.split("=", 1) for piece in rest if "=" in piece)
        wanted = parameters.get("as", "")
        if not wanted:
            return Accept(Form.OBJECT)
        if parameters.get("g") == "apidiscovery.k8s.io" and wanted == "APIGroupDiscoveryList":
            if parameters.get("v") in ("v2", "v2beta1"):
                return Accept(Form.OBJECT, parameters["v"], aggregated=True)
        elif transformable and parameters.get("g") == "meta.k8s.io" and parameters.get("v") in ("v1", "v1beta1"):
            if wanted == "Table":
                return Accept(Form.TABLE, parameters["v"])
            if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList"):
                return Accept(Form.METADATA, parameters["v"])
    raise statuses.not_acceptable(_ACCEPTED)


def converted(record: Record, kind: Kind) -> Json:
    """The record's object as that kind shows it."""
    if kind is record.kind:
        return record.object
    view: Json | None = record.views.get(kind)
    if view is None:
        view = to_events_k8s_io(record.object) if kind.group == "events.k8s.io" else record.object
        view = record.views[kind] = {**view, "kind": kind.kind, "apiVersion": kind.api_version}
    return view


def whole(record: Record, kind: Kind) -> bytes:
    """JSON of the object, with kind and apiVersion first."""
    if kind is record.kind:
        return record.encoded
    key = (kind, "json")
    encoded: bytes | None = record.views.get(key)
    if encoded is None:
        encoded = record.views[key] = encode(converted(record, kind))
    return encoded


def prefix(kind: Kind) -> bytes:
    return f'{{"kind":"{kind.kind}","apiVersion":"{kind.api_version}",'.encode()


def item(record: Record, kind: Kind, skip: int) -> bytes:
    """JSON of the object in a list: built-in kinds leave kind and apiVersion to the list (``skip`` = len(prefix))."""
    encoded = whole(record, kind)
    return encoded if kind.custom else b"{" + encoded[skip:]


def metadata_only(record: Record, kind: Kind, version: str) -> bytes:
    """JSON of the PartialObjectMetadata."""
    key = ("metadata", version)
    encoded: bytes | None = record.views.get(key)
    if encoded is None:
        encoded = record.views[key] = encode(partial(record, version))
    return encoded


def partial(record: Record, version: str = "v1") -> Json:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": record.metadata,
    }


def watch_line(change_type: str, encoded: bytes) -> bytes:
    return b'{"type":"' + change_type.encode() + b'","object":' + encoded + b"}\n"


def change_line(change: Change, kind: Kind, accept: Accept) -> bytes:
    """The line of a watch for a change, made once for all watchers of the same form (not for tables)."""
    key = (kind, accept.form, accept.version)
    line = change.lines.get(key)
    if line is None:
        record = change.record
        encoded = metadata_only(record, kind, accept.version) if accept.form is Form.METADATA else whole(record, kind)
        line = change.lines[key] = watch_line(change.type, encoded)
    return line


_EVENT_FIELDS: Final = (  # core name, events.k8s.io name, in the order of events.k8s.io
    ("eventTime", "eventTime"),
    ("series", "series"),
    ("reportingComponent", "reportingController"),
    ("reportingInstance", "reportingInstance"),
    ("action", "action"),
    ("reason", "reason"),
    ("involvedObject", "regarding"),
    ("related", "related"),
    ("message", "note"),
    ("type", "type"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
)
_EVENT_NULLS: Final = ("eventTime", "deprecatedFirstTimestamp", "deprecatedLastTimestamp")


def to_events_k8s_io(event: Json) -> Json:
    """A core Event as events.k8s.io/v1 shows it."""
    shown: Json = {"kind": "Event", "apiVersion": "events.k8s.io/v1", "metadata": event["metadata"]}
    for core, new in _EVENT_FIELDS:
        if event.get(core) not in (None, "") or new in _EVENT_NULLS:
            shown[new] = event.get(core)
    shown.setdefault("deprecatedSource", {})
    return shown


def to_core_event(event: Json) -> Json:
    """An events.k8s.io/v1 Event as core v1, the form that is stored."""
    kept: Json = {"kind": "Event", "apiVersion": "v1", "metadata": event.get("metadata") or {}}
    for core, new in _EVENT_FIELDS:
        if new in event:
            kept[core] = event[new]
    return complete_event(kept)


def complete_event(event: Json) -> Json:
    """A core Event with the fields that a server always writes."""
    return {
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "eventTime": None,
        "reportingComponent": "",
        "reportingInstance": "",
        **event,
    }
