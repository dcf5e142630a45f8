"""The three patches that change an object without owning it: JSON patch, merge patch, strategic merge patch.

All are pure: they give a new object and share with the old one what they did not touch.
"""

from __future__ import annotations

from typing import Any, Final

from drill import schema
from drill.schema import Path

Json = dict[str, Any]
_DIRECTIVES: Final = ("$patch", "$retainKeys")


class PatchFailed(Exception):
    """The patch is malformed or does not fit the object; the text says how."""


class NoPatch(Exception):
    """The body is no patch of this type at all; the text is what Go's decoder says."""


def go_type(value: Any) -> str:
    """What Go's JSON decoder calls a value."""
    names = ((bool, "bool"), (str, "string"), (dict, "object"), (list, "array"), ((int, float), "number"))
    return next((name for types, name in names if isinstance(value, types)), "null")


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    merged = {**target} if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


# RFC 6902


def json_patch(target: Any, operations: Any) -> Any:
    """Apply JSON patch operations in order. Raises PatchFailed; then nothing has changed."""
    if not isinstance(operations, list):
        raise NoPatch(f"json: cannot unmarshal {go_type(operations)} into Go value of type jsonpatch.Patch")
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise PatchFailed("an operation needs op and path")
        target = _operate(target, operation)
    return target


def _operate(target: Any, operation: Json) -> Any:
    path = _pointer(operation["path"])
    if not path and operation.get("op") != "test":
        raise PatchFailed("the whole object cannot be changed at once")
    match operation.get("op"):
        case "add":
            return _with(target, path, _value(operation), insert=True)
        case "replace":
            _look(target, path)
            return _with(target, path, _value(operation), insert=False)
        case "remove":
            _look(target, path)
            return _without(target, path)
        case "test":
            if _look(target, path) != _value(operation):
                raise PatchFailed(f"testing value {operation['path']} failed")
            return target
        case "move":
            source = _pointer(str(operation.get("from", "")))
            if path[: len(source)] == source and len(path) > len(source):
                raise PatchFailed("a value cannot be moved into itself")
            return _with(_without(target, source), path, _look(target, source), insert=True)
        case "copy":
            return _with(target, path, _look(target, _pointer(str(operation.get("from", "")))), insert=True)
        case other:
            raise PatchFailed(f"unexpected kind: {other}")


def _value(operation: Json) -> Any:
    if "value" not in operation:
        raise PatchFailed("the operation needs a value")
    return operation["value"]


def _pointer(text: str) -> list[str]:
    if not text:
        return []
    if not text.startswith("/"):
        raise PatchFailed(f"the path {text!r} does not begin with /")
    return [step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/")]


def _index(values: list[Any], step: str, *, beyond: bool) -> int:
    if step == "-" and beyond:
        return len(values)
    if not step.isdigit() or (step != "0" and step.startswith("0")):
        raise PatchFailed(f"{step!r} is not an index")
    if int(step) >= len(values) + beyond:
        raise PatchFailed(f"the index {step} is out of bounds")
    return int(step)


def _look(target: Any, path: list[str]) -> Any:
    for step in path:
        if isinstance(target, dict) and step in target:
            target = target[step]
        elif isinstance(target, list):
            target = target[_index(target, step, beyond=False)]
        else:
            raise PatchFailed(f"there is nothing at {step!r}")
    return target


def _with(target: Any, path: list[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(target, dict):
        if rest and step not in target:
            raise PatchFailed(f"there is nothing at {step!r}")
        return {**target, step: _with(target[step], rest, value, insert=insert) if rest else value}
    if isinstance(target, list):
        at = _index(target, step, beyond=insert and not rest)
        if rest:
            return [*target[:at], _with(target[at], rest, value, insert=insert), *target[at + 1 :]]
        return [*target[:at], value, *target[at if insert else at + 1 :]]
    raise PatchFailed(f"{step!r} is not within an object or a list")


def _without(target: Any, path: list[str]) -> Any:
    if not path:
        raise PatchFailed("the whole object cannot be removed")
    step, rest = path[0], path[1:]
    if isinstance(target, list):
        at = _index(target, step, beyond=False)
        return [*target[:at], *([_without(target[at], rest)] if rest else []), *target[at + 1 :]]
    if not isinstance(target, dict) or step not in target:
        raise PatchFailed(f"there is nothing at {step!r}")
    if rest:
        return {**target, step: _without(target[step], rest)}
    return {key: value for key, value in target.items() if key != step}


# Strategic merge


def strategic(kind: str, target: Any, patch: Json, path: Path = ()) -> Any:
    """Merge as kubectl's own patches do: keyed lists item by item, directives obeyed. Raises PatchFailed."""
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key not in _DIRECTIVES}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchFailed(f"Unknown patch type: {directive}")
    merged = {**target} if isinstance(target, dict) else {}
    retained = patch.get("$retainKeys")
    if retained is not None and schema.retains_keys(path):
        merged = {key: value for key, value in merged.items() if key in retained}
    for key, value in patch.items():
        if key in _DIRECTIVES or key.startswith("$setElementOrder/"):
            continue
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            merged[name] = [item for item in merged.get(name) or [] if item not in value]
        elif value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = strategic(kind, merged.get(key), value, (*path, key))
        elif isinstance(value, list):
            merged[key] = _merged_list(kind, merged.get(key) or [], value, (*path, key))
        else:
            merged[key] = value
    for key, order in patch.items():
        if key.startswith("$setElementOrder/"):
            name = key.partition("/")[2]
            if isinstance(merged.get(name), list) and isinstance(order, list):
                had = target.get(name) if isinstance(target, dict) else None
                merged[name] = _ordered(kind, merged[name], order, had or [], (*path, name))
    return merged


def _merged_list(kind: str, target: list[Any], patch: list[Any], path: Path) -> list[Any]:
    keys = schema.list_keys(kind, path)
    if keys is None:
        if schema.is_set(path):
            merged = [*target, *(item for item in patch if item not in target)]
            return _ordered(kind, merged, patch, target, path)
        return [item for item in patch if not _is_replace(item)]
    key = keys[0]  # strategic merge knows one key per list
    if any(_is_replace(item) for item in patch):
        return [item for item in patch if not _is_replace(item)]
    merged = [*target]
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise PatchFailed(f"map: {_as_go(item)} does not contain declared merge key: {key}")
        at = next((i for i, had in enumerate(merged) if had.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(strategic(kind, {}, item, path))
        else:
            merged[at] = strategic(kind, merged[at], item, path)
    return _ordered(kind, merged, patch, target, path)


def _as_go(value: Any) -> str:
    """A value as Go prints it: ``map[image:web]``."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_as_go(inner)}" for key, inner in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_as_go(one) for one in value) + "]"
    return "true" if value is True else "false" if value is False else "<nil>" if value is None else str(value)


def _is_replace(item: Any) -> bool:
    return isinstance(item, dict) and item.get("$patch") == "replace" and len(item) == 1


def _ordered(kind: str, items: list[Any], order: list[Any], live: list[Any], path: Path) -> list[Any]:
    """Items that the patch names in its order, the others in theirs; where the two meet, the live order decides.

    What is new goes before what the patch does not know: apimachinery's strategicpatch, mergeSortedSlice.
    """
    keys = schema.list_keys(kind, path)

    def identity(item: Any) -> Any:
        return item.get(keys[0]) if keys is not None and isinstance(item, dict) else item

    named, was = [identity(one) for one in order], [identity(one) for one in live]
    known = sorted((one for one in items if identity(one) in named), key=lambda one: named.index(identity(one)))
    rest = [one for one in items if identity(one) not in named]
    merged: list[Any] = []
    while rest and known:
        left, right = identity(rest[0]), identity(known[0])
        before = left in was and right in was and was.index(left) < was.index(right)
        merged.append(rest.pop(0) if before else known.pop(0))
    return [*merged, *rest, *known]
