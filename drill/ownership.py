"""Who set which field: metadata.managedFields as sets of paths, which server-side apply compares.

A path is a tuple of FieldsV1 elements: ``f:spec``, ``k:{"name":"web"}``, ``v:"finalizer"``, and ``.`` for the thing
itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from drill import schema
from drill.kinds import Kind

Json = dict[str, Any]
Element = tuple[str, ...]  # a path in FieldsV1 elements
Fields = dict[Element, Any]  # path → value of the leaf (the whole value for what is atomic)

# The server's own fields belong to nobody.
_UNOWNED: Final = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
    }
)


class Duplicate(Exception):
    """An applied configuration has two items of the same key; the argument is the item's path."""


def fields(kind: Kind, obj: Json, *, applied: bool) -> Fields:
    """All fields of an object that somebody can own.

    ``applied``: as an applied configuration, in which a map belongs to nobody, only its entries do.
    """
    found: Fields = {}
    for key, value in obj.items():
        if key in ("kind", "apiVersion") or (key == "status" and not value):
            continue
        if key == "metadata":
            for name, entry in value.items():
                if name not in _UNOWNED:
                    _collect(kind, entry, ("f:metadata", f"f:{name}"), ("metadata", name), found, applied)
        else:
            _collect(kind, value, (f"f:{key}",), (key,), found, applied)
    return found


def _has_owner(kind: Kind, path: schema.Path, applied: bool) -> bool:
    """Whether a map belongs to somebody itself, beside its entries."""
    if path[0] == "metadata":
        return not applied
    return kind.custom or (not applied and not schema.is_always_there(path))


def _collect(kind: Kind, value: Any, at: Element, path: schema.Path, found: Fields, applied: bool) -> None:
    if isinstance(value, dict) and value and not schema.is_atomic(path):
        if _has_owner(kind, path, applied):
            found[(*at, ".")] = None
        for key, inner in value.items():
            _collect(kind, inner, (*at, f"f:{key}"), (*path, key), found, applied)
        return
    if isinstance(value, list) and (not kind.custom or path[0] == "metadata"):
        if schema.is_set(path):
            if not applied and value:
                found[(*at, ".")] = None
            for item in value:
                found[(*at, "v:" + json.dumps(item, separators=(",", ":")))] = item
            return
        keys = schema.list_keys(kind.kind, path)
        if keys is not None and all(isinstance(item, dict) for item in value):
            if not applied and value and not schema.is_required_list(path):
                found[(*at, ".")] = None
            for item in value:
                identity = dict(zip(keys, schema.key_of(item, keys), strict=True))
                this = (*at, "k:" + json.dumps(identity, separators=(",", ":"), sort_keys=True))
                if applied and (*this, ".") in found:
                    raise Duplicate(this)
                found[(*this, ".")] = None
                for key, inner in item.items():
                    _collect(kind, inner, (*this, f"f:{key}"), (*path, key), found, applied)
            return
    found[at] = value


def to_v1(paths: Iterable[Element]) -> Json:
    """Paths as the tree of FieldsV1, sorted."""
    tree: Json = {}
    for path in sorted(paths):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
    return tree


def from_v1(tree: Json) -> set[Element]:
    """The paths of a FieldsV1 tree."""
    return set(_leaves(tree, ()))


def _leaves(tree: Json, at: Element) -> Iterator[Element]:
    for element, below in tree.items():
        if below:
            yield from _leaves(below, (*at, element))
        else:
            yield (*at, element)


def entry(kind: Kind, manager: str, operation: str, now: str, paths: Iterable[Element], subresource: str = "") -> Json:
    """One entry of managedFields."""
    made: Json = {
        "manager": manager,
        "operation": operation,
        "apiVersion": kind.api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_v1(paths),
    }
    if subresource:
        made["subresource"] = subresource
    return made


def track(kind: Kind, old: Json | None, new: Json, manager: str, now: str, subresource: str = "") -> None:
    """Record in ``new``, which is changed in place, that ``manager`` set what differs from ``old``.

    The fields leave their former owners; what is gone from the object is owned by nobody.
    """
    before = fields(kind, old, applied=False) if old is not None else {}
    after = fields(kind, new, applied=False)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    gone = before.keys() - after.keys()
    entries: list[Json] = []
    mine: set[Element] = set(changed)
    for had in (old or {}).get("metadata", {}).get("managedFields") or []:
        paths = from_v1(had.get("fieldsV1") or {})
        if (had.get("manager"), had.get("operation"), had.get("subresource", "")) == (manager, "Update", subresource):
            mine |= paths - gone
            continue
        kept = paths - gone - changed
        if kept == paths:
            entries.append(had)
        elif kept:
            entries.append({**had, "fieldsV1": to_v1(kept)})
    if mine:
        entries.append(entry(kind, manager, "Update", now, mine, subresource))
    if entries:
        new["metadata"] = {**new["metadata"], "managedFields": entries}
    else:
        new["metadata"] = {key: value for key, value in new["metadata"].items() if key != "managedFields"}
