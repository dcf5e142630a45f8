"""metav1.LabelSelector as objects carry it: matchLabels and matchExpressions. Query strings are the server's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a LabelSelector matches; a missing one matches nothing, an empty one everything."""
    if selector is None:
        return False
    labels = labels or {}
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    if not contains(labels, wanted):
        return False
    return all(_expression(expression, labels) for expression in selector.get("matchExpressions") or ())


def contains(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether all the wanted labels are there: the selector of a Service."""
    return wanted.items() <= labels.items()


def _expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator = expression["key"], expression["operator"]
    values = expression.get("values") or ()
    match operator:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(f"unknown operator {operator!r} in a label selector")
