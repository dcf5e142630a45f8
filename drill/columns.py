"""What a printer of kubectl's tables is made of: column definitions, and a function from an object to its cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from drill import durations
from drill.records import encode

Json = dict[str, Any]
Cell = str | int | bool | Callable[[float], str]
Cells = list[Cell]
NONE: Final = "<none>"
_TYPES: Final = {"Created At": "date"}
UNSET: Final = "<unset>"


@dataclass(frozen=True)
class Columns:
    """The columns of one kind (``wide`` ones are shown by `-o wide` only; a name with ``~`` in front is wide, too),
    and the cells of an object. Names and order are those of kubernetes/pkg/printers/internalversion."""

    names: tuple[str, ...]
    cells: Callable[[Json], Cells]
    wide: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()  # the names of the columns whose declared type is a number
    definitions: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        columns: list[Json] = []
        for name in (*self.names, *(f"~{name}" for name in self.wide)):
            shown = name.removeprefix("~")
            columns.append(
                {
                    "name": shown,
                    "type": "integer" if shown in self.integers else _TYPES.get(shown, "string"),
                    "format": "name" if shown == "Name" else "",
                    "description": "",
                    "priority": 1 if name.startswith("~") else 0,
                }
            )
        object.__setattr__(self, "definitions", encode(columns))


@dataclass(frozen=True, slots=True)
class Since:
    """A cell that is an age: how long ago ``at`` was."""

    at: float

    def __call__(self, now: float) -> str:
        return durations.human(now - self.at)


def since(timestamp: str | None) -> Cell:
    at = durations.instant(timestamp)
    return durations.UNKNOWN if at is None else Since(at)


def age(obj: Json) -> Cell:
    return since(obj["metadata"].get("creationTimestamp"))


def pairs(labels: Json | None) -> str:
    """``a=b,c=d`` sorted, or <none>."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def label_selector(selector: Json | None) -> str:
    """metav1.FormatLabelSelector."""
    if selector is None:
        return NONE
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        key, values = expression["key"], ",".join(sorted(expression.get("values") or ()))
        match expression["operator"]:
            case "In":
                terms.append(f"{key} in ({values})")
            case "NotIn":
                terms.append(f"{key} notin ({values})")
            case "Exists":
                terms.append(key)
            case _:
                terms.append(f"!{key}")
    return ",".join(terms) or NONE


def template(spec: Json) -> tuple[str, str]:
    """(names, images) of the containers of a pod template, joined by commas."""
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or []
    return (
        ",".join(container.get("name", "") for container in containers),
        ",".join(container.get("image", "") for container in containers),
    )
