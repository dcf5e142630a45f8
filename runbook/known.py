"""What a runbook file may speak of: the mitigations there are, their keys and fields. A test holds it to their table.

It exists so that the file can be checked before a console's first frame, which would wait 200 ms for the table itself.
"""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """``fields`` are those for which the file may give a default."""

    key: str
    fields: tuple[str, ...] = ()


MITIGATIONS: dict[str, Known] = {
    "restart": Known("R"),
    "scale": Known("S"),
    "rollback": Known("B"),
    "rollout-undo": Known("O"),
    "redirect": Known("T", ("status", "match")),
    "quarantine": Known("Q", ("evidence", "detach")),
    "evidence": Known("E"),
    "delete-pod": Known("K", ("grace",)),
    "cordon": Known("C"),
    "connectivity": Known("X", ("url", "container", "timeout")),
}

CONSOLE_KEYS: dict[str, str] = {
    "A": "arms the console",
    "I": "declares an incident",
    "U": "takes an act back",
}
"""Upper-case keys that the console itself needs on every pane."""

ROWS = ("Pod", "Node", "Deployment", "StatefulSet", "DaemonSet", "Release")
"""The kinds of rows that somebody can aim at."""
