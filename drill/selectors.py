"""Label and field selectors, parsed from a query string and asked of records."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from drill import statuses
from drill.kinds import Kind
from drill.label_requirements import Requirement, parse_labels
from drill.records import Record

Json = dict[str, Any]

Getter = Callable[[Json], str]


def _at(*path: str) -> Getter:
    def get(obj: Json) -> str:
        value: Any = obj
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)

    return get


def _source(event: Json) -> str:
    return (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""


_EVERY_KIND: Final = {"metadata.name": _at("metadata", "name"), "metadata.namespace": _at("metadata", "namespace")}
_BY_KIND: Final[dict[str, dict[str, Getter]]] = {
    "Pod": {
        "spec.nodeName": _at("spec", "nodeName"),
        "spec.restartPolicy": _at("spec", "restartPolicy"),
        "spec.schedulerName": _at("spec", "schedulerName"),
        "spec.serviceAccountName": _at("spec", "serviceAccountName"),
        "spec.hostNetwork": lambda pod: "true" if (pod.get("spec") or {}).get("hostNetwork") else "false",
        "status.phase": _at("status", "phase"),
        "status.podIP": _at("status", "podIP"),
        "status.nominatedNodeName": _at("status", "nominatedNodeName"),
    },
    "Event": {
        **{
            f"{prefix}.{field}": _at("involvedObject", field)
            for prefix in ("involvedObject", "regarding")
            for field in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        },
        "reason": _at("reason"),
        "type": _at("type"),
        "source": _source,
        "reportingComponent": _source,
        "reportingController": _source,
    },
    "Node": {"spec.unschedulable": lambda node: "true" if (node.get("spec") or {}).get("unschedulable") else "false"},
    "Secret": {"type": _at("type")},
    "Namespace": {"status.phase": _at("status", "phase")},
    "ReplicaSet": {"status.replicas": _at("status", "replicas")},
    "Job": {"status.successful": _at("status", "succeeded")},
}


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list or a watch asks for: all label requirements and all field terms must hold."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[tuple[Getter, bool, str], ...] = ()  # (what to look at, whether it must be equal, the value)
    name: str | None = None  # the one name asked for, if any

    @property
    def everything(self) -> bool:
        return not self.labels and not self.fields

    def matches(self, record: Record) -> bool:
        if self.name is not None and record.name != self.name:
            return False
        labels = record.labels
        return all(term.matches(labels) for term in self.labels) and all(
            (get(record.object) == value) is equal for get, equal, value in self.fields
        )


def selection(kind: Kind, labels: str, fields: str) -> Selection:
    """Parse the query parameters labelSelector and fieldSelector for a kind. Raises BadRequest."""
    own = _BY_KIND.get(kind.kind)
    known = {**_EVERY_KIND, **(own or {})}
    terms: list[tuple[Getter, bool, str]] = []
    name: str | None = None
    for term in filter(None, fields.split(",")):
        match = re.fullmatch(r"([^=!]*)(==|!=|=)(.*)", term)
        if match is None:
            raise statuses.bad_request(f"invalid selector: '{fields}'; can't understand '{term}'")
        field, operator, value = match.groups()
        if not field and not value:
            continue  # as a real server, which takes it for no term at all
        getter = known.get(field)
        if getter is None:
            raise _unknown_field(field, special=own is not None or kind.custom)
        if field == "metadata.name" and operator != "!=":
            name = value
        terms.append((getter, operator != "!=", value))
    return Selection(parse_labels(labels), tuple(terms), name)


def _unknown_field(field: str, *, special: bool) -> statuses.ApiError:
    """Kinds with fields of their own say less than those that have the name and the namespace only."""
    if special:
        return statuses.bad_request(f"field label not supported: {field}")
    return statuses.bad_request(f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"')
