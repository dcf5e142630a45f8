"""Server-side apply: merge a configuration by ownership, take away what its manager gave up, and tell conflicts."""

from __future__ import annotations

import json
from typing import Any, Final

from drill import ownership, schema, statuses
from drill.kinds import Kind
from drill.ownership import Element, Fields

Json = dict[str, Any]
_ABSENT: Final = object()


def apply(
    kind: Kind, live: Json | None, config: Json, *, manager: str, force: bool, now: str, subresource: str = ""
) -> Json:
    """The object after ``manager`` applied ``config``, with its managedFields.

    Raises Conflict naming every field that another manager owns with another value, unless ``force``.
    """
    try:
        wanted = ownership.fields(kind, config, applied=True)
    except ownership.Duplicate as error:
        *place, item = error.args[0]
        where, key = _dotted(tuple(place)), _dotted((item,))
        named = f"{config['metadata'].get('namespace', '')}/{config['metadata']['name']}"
        raise statuses.unexpected(
            f"failed to create typed patch object ({named}; {kind.api_version}, Kind={kind.kind}): {where}: "
            f"duplicate entries for key {key}"
        ) from None
    if live is None:
        created = {**config, "metadata": {**config["metadata"]}}
        created["metadata"]["managedFields"] = [ownership.entry(kind, manager, "Apply", now, wanted, subresource)]
        return created
    current = ownership.fields(kind, live, applied=False)
    managed: list[Json] = live["metadata"].get("managedFields") or []
    others = [entry for entry in managed if not _is_ours(entry, manager, subresource)]
    mine_before: set[Element] = set()
    for entry in managed:
        if _is_ours(entry, manager, subresource):
            mine_before |= ownership.from_v1(entry.get("fieldsV1") or {})
    differing = {path for path, value in wanted.items() if path[-1] != "." and current.get(path, _ABSENT) != value}
    _refuse_conflicts(others, differing, wanted, force=force)
    merged: Json = _merge(kind, live, config, ())
    kept_by_others: set[Element] = set()
    entries: list[Json] = []
    for entry in others:
        paths = ownership.from_v1(entry.get("fieldsV1") or {})
        left = paths - differing
        kept_by_others |= left
        if left == paths:
            entries.append(entry)
        elif left:
            entries.append({**entry, "fieldsV1": ownership.to_v1(left)})
    for path in sorted(mine_before - wanted.keys() - kept_by_others):
        merged = _remove(kind, merged, path, kept_by_others)
    before = next((e for e in managed if _is_ours(e, manager, subresource)), None)
    fields_v1 = ownership.to_v1(wanted)
    unchanged = before is not None and before.get("fieldsV1") == fields_v1 and not differing
    ours = before if unchanged else ownership.entry(kind, manager, "Apply", now, wanted, subresource)
    merged["metadata"] = {**merged["metadata"], "managedFields": [*([ours] if wanted else []), *entries]}
    return merged


def _is_ours(entry: Json, manager: str, subresource: str) -> bool:
    return (
        entry.get("manager") == manager
        and entry.get("operation") == "Apply"
        and entry.get("subresource", "") == subresource
    )


def _refuse_conflicts(others: list[Json], differing: set[Element], wanted: Fields, *, force: bool) -> None:
    if force:
        return
    conflicts: list[tuple[str, str]] = []
    for entry in others:
        paths = sorted(ownership.from_v1(entry.get("fieldsV1") or {}) & differing)
        conflicts += [(_worded(entry), _dotted(path)) for path in paths]
    if conflicts:
        raise statuses.apply_conflict(conflicts)


def _worded(entry: Json) -> str:
    name = f'"{entry["manager"]}"'
    if entry.get("subresource"):
        name += f' with subresource "{entry["subresource"]}"'
    return f"{name} using {entry['apiVersion']}" if entry.get("operation") == "Update" else name


def _dotted(path: Element) -> str:
    """``.spec.template.spec.containers[name="web"].image``."""
    text = ""
    for element in path:
        if element.startswith("f:"):
            text += f".{element[2:]}"
        elif element.startswith("k:"):
            inner = element[2:].strip("{}").replace('":', "=").replace(',"', ",").removeprefix('"')
            text += f"[{inner}]"
        elif element.startswith("v:"):
            text += f"[={element[2:]}]"
    return text


def _merge(kind: Kind, live: Any, config: Any, path: schema.Path) -> Any:
    if isinstance(config, dict) and isinstance(live, dict) and not schema.is_atomic(path):
        merged = {**live}
        for key, value in config.items():
            merged[key] = _merge(kind, live[key], value, (*path, key)) if key in live else value
        return merged
    if isinstance(config, list) and isinstance(live, list) and (not kind.custom or path[:1] == ("metadata",)):
        if schema.is_set(path):
            return [*live, *(item for item in config if item not in live)]
        keys = schema.list_keys(kind.kind, path)
        if keys is not None:
            items = [*live]
            places = {schema.key_of(item, keys): at for at, item in enumerate(live)}
            for item in config:
                at = places.get(schema.key_of(item, keys))
                if at is None:
                    items.append(item)
                else:
                    items[at] = _merge(kind, live[at], item, path)
            return items
    return config


def _remove(kind: Kind, target: Any, path: Element, kept: set[Element]) -> Any:
    """``target`` without the field; a keyed item goes with its ``.`` if nobody else owns anything of it."""
    element, rest = path[0], path[1:]
    if element == ".":
        return target
    if element.startswith("f:") and isinstance(target, dict):
        key = element[2:]
        if key not in target:
            return target
        if rest and rest != (".",):
            below = _remove(kind, target[key], rest, {p[1:] for p in kept if p[0] == element and len(p) > 1})
            emptied = below in ({}, []) and target[key] not in ({}, [])
            if emptied and not any(p[0] == element for p in kept):
                return {name: value for name, value in target.items() if name != key}
            return {**target, key: below}
        if any(p[0] == element and len(p) > 1 for p in kept) or rest == (".",):
            return target
        return {name: value for name, value in target.items() if name != key}
    if element.startswith("v:") and isinstance(target, list):
        return [item for item in target if json.dumps(item, separators=(",", ":")) != element[2:]]
    if element.startswith("k:") and isinstance(target, list):
        identity: Json = json.loads(element[2:])
        keys = tuple(identity)
        values = tuple(identity.values())
        result: list[Any] = []
        for item in target:
            if schema.key_of(item, keys) != values:
                result.append(item)
            elif rest == (".",):
                if any(p[0] == element for p in kept):
                    result.append(item)
            else:
                result.append(_remove(kind, item, rest, {p[1:] for p in kept if p[0] == element and len(p) > 1}))
        return result
    return target
