"""What a command of the runbook file may have put in: ``{context}``, ``{namespace}`` …, each within one argument.

Other braces are left alone: kubectl's jsonpath is full of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PLACEHOLDERS = ("context", "namespace", "kind", "name", "kubeconfig")

_BRACED = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)\}")
_OF_JSONPATH = ("end",)  # {range …}{end}


def names_in(part: str) -> list[str]:
    """The names in braces in one argument, known or not."""
    return [name for name in _BRACED.findall(part) if name not in _OF_JSONPATH]


def used_in(argv: Iterable[str]) -> set[str]:
    return {name for part in argv for name in names_in(part)}


def put_in(part: str, values: Mapping[str, str]) -> str:
    """One argument with the values in their places. Once: a value that holds braces stays what it is."""
    return _BRACED.sub(lambda match: values.get(match[1], match[0]), part)
