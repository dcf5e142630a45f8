"""Label and field selectors, parsed from a query string and asked of records."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from drill import statuses
from drill.kinds import Kind
from drill.records import Record

Json = dict[str, Any]

_TOKEN: Final = re.compile(r"\s*(==|!=|=|!|\(|\)|,|[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?|\S)")
_WORD: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term: ``operator`` is in, notin, exists or absent; equality is a set of one value."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case "in":
                return labels.get(self.key) in self.values
            case "notin":
                return labels.get(self.key) not in self.values
            case "exists":
                return self.key in labels
            case _:
                return self.key not in labels


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """``app=web,tier!=db,zone in (a,b),canary,!legacy`` as requirements that all must hold.

    Raises BadRequest for a selector that a real server refuses, too.
    """
    tokens = [match.group(1) for match in _TOKEN.finditer(text)]
    requirements: list[Requirement] = []
    position = 0
    while position < len(tokens):
        requirement, position = _requirement(tokens, position, text)
        requirements.append(requirement)
        if position < len(tokens):
            if tokens[position] != "," or position + 1 == len(tokens):
                raise _unparsable(text, tokens[position])
            position += 1
    return tuple(requirements)


def _unparsable(text: str, found: str) -> statuses.ApiError:
    return statuses.bad_request(f"unable to parse requirement: found '{found}', in selector '{text}'")


def _requirement(tokens: list[str], at: int, text: str) -> tuple[Requirement, int]:
    padded = [*tokens[at:], "", ""]
    if padded[0] == "!" and _WORD.match(padded[1]):
        return Requirement(padded[1], "absent"), at + 2
    key, operator = padded[0], padded[1]
    if not _WORD.match(key):
        raise _unparsable(text, key)
    if operator in ("", ","):
        return Requirement(key, "exists"), at + 1
    if operator in ("=", "==", "!="):
        value, used = (padded[2], 3) if _WORD.match(padded[2]) else ("", 2)
        return Requirement(key, "notin" if operator == "!=" else "in", frozenset((value,))), at + used
    if operator in ("in", "notin") and padded[2] == "(":
        end = padded.index(")", 3) if ")" in padded[3:] else -1
        inner = padded[3:end] if end > 0 else []
        values = [word for word in inner if word != ","]
        if not values or not all(_WORD.match(word) for word in values):
            raise _unparsable(text, padded[3])
        return Requirement(key, operator, frozenset(values)), at + end + 1
    raise _unparsable(text, operator)


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
    known = {**_EVERY_KIND, **_BY_KIND.get(kind.kind, {})}
    terms: list[tuple[Getter, bool, str]] = []
    name: str | None = None
    for term in filter(None, (part.strip() for part in fields.split(","))):
        match = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", term)
        if match is None:
            raise statuses.bad_request(f"invalid selector: '{fields}'; can't understand '{term}'")
        field, operator, value = match.groups()
        getter = known.get(field)
        if getter is None:
            raise statuses.bad_request(
                f'Unable to find "{kind.group}/{kind.version}, Resource={kind.plural}" that match label selector '
                f'"{labels}", field selector "{fields}": field label not supported: {field}'
            )
        if field == "metadata.name" and operator != "!=":
            name = value
        terms.append((getter, operator != "!=", value))
    return Selection(parse_labels(labels) if labels.strip() else (), tuple(terms), name)
