"""What changes in an object, as lines that a person reads: YAML, without what the server keeps for itself."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from probes.objects import to_yaml
from runbook.plan import Hunk, Json

_NOISE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
CONTEXT = 1  # unchanged lines around a change


def hunk(before: Json | None, after: Json | None, title: str = "") -> Hunk | None:
    """The difference between two states of one object; None on either side for what is not there. None if equal.

    A Secret's values are never shown.
    """
    shown = after or before or {}
    name = title or f"{shown.get('kind', '')}/{(shown.get('metadata') or {}).get('name', '')}"
    lines = difference(_text(before), _text(after)) + _hidden(before, after)
    return Hunk(name, tuple(lines)) if lines else None


def _text(obj: Json | None) -> list[str]:
    return to_yaml(_ordered(readable(obj))).splitlines() if obj else []


def _ordered(value: Any) -> Any:
    """Keys in the order of the alphabet: two servers, or a dry run and a read, order them differently."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def readable(obj: Mapping[str, Any]) -> Json:
    """An object without status and without the bookkeeping in its metadata."""
    copy = {key: value for key, value in obj.items() if key != "status"}
    metadata = copy.get("metadata")
    if isinstance(metadata, dict):
        copy["metadata"] = {key: value for key, value in metadata.items() if key not in _NOISE}
    return copy


def _hidden(before: Json | None, after: Json | None) -> list[str]:
    """That a Secret's values differ, where their size, which is all that is shown, does not tell."""
    lines: list[str] = []
    if not before or not after or after.get("kind") != "Secret":
        return lines
    for part in ("data", "stringData"):
        old, new = before.get(part), after.get(part)
        if not isinstance(old, dict) or not isinstance(new, dict):
            continue
        for key in sorted(old.keys() & new.keys(), key=str):
            if old[key] != new[key] and len(str(old[key])) == len(str(new[key])):
                lines += [f"- {part}.{key}: (one value, not shown)", f"+ {part}.{key}: (another value, not shown)"]
    return lines


def difference(before: list[str], after: list[str]) -> list[str]:
    """Two texts' lines as those of a hunk; none if they are equal."""
    if not before:
        return [f"+ {line}" for line in after]
    if not after:
        return [f"- {line}" for line in before]
    lines = list(difflib.unified_diff(before, after, n=CONTEXT, lineterm=""))[2:]
    return [f"{line[:1]} {line[1:]}" if not line.startswith("@@") else "  …" for line in lines][1:]
