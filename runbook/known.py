"""The table of mitigations. Adding one touches its own module and this table, and no other file.

It is words: a mitigation's module is imported when somebody wants to act (see `runbook.mitigations`). A runbook file
is checked against it at once; importing the modules for that would take 200 ms.
"""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """One row. ``where`` is ``package.module:Class``, ``fields`` those that the runbook file may give a default for."""

    key: str  # an upper-case letter
    where: str
    fields: tuple[str, ...] = ()


_HERE = "runbook.mitigations"

MITIGATIONS: dict[str, Known] = {
    "restart": Known("R", f"{_HERE}.restart:Restart"),
    "scale": Known("S", f"{_HERE}.scale:Scale"),
    "redirect": Known("T", f"{_HERE}.redirect:Redirect", ("status", "match")),
    "rollback": Known("B", f"{_HERE}.rollback:Rollback"),
    # No field of a cordon: a default in the runbook file could only make it less careful.
    "cordon": Known("C", f"{_HERE}.cordon:Cordon"),
    "rollout-undo": Known("O", f"{_HERE}.rollout_undo:RolloutUndo"),
    "delete-pod": Known("K", f"{_HERE}.delete_pod:DeletePod", ("grace",)),
    "evidence": Known("E", f"{_HERE}.evidence:Evidence"),
    "quarantine": Known("Q", f"{_HERE}.quarantine:Quarantine", ("evidence", "detach")),
    "connectivity": Known("X", f"{_HERE}.connectivity:Connectivity", ("url", "container", "timeout")),
    "restore-database": Known("D", f"{_HERE}.restore_database:RestoreDatabase", ("name",)),
    # No field of a scaling: the size that is there is the only one that nobody has to think about.
    "scale-database": Known("Z", f"{_HERE}.scale_database:ScaleDatabase"),
    "kill-session": Known("W", f"{_HERE}.kill_session:KillSession"),  # whom others Wait for
}
"""By id, in the order of the footer."""

CONSOLE_KEYS: dict[str, str] = {
    "A": "arms the console",
    "G": "goes to the last row of a pane",
    "I": "declares an incident",
    "M": "writes a status update",
    "U": "takes an act back",
}
"""Upper-case keys that the console itself needs on every pane."""

ROWS = ("Pod", "Node", "Deployment", "StatefulSet", "DaemonSet", "Release", "SqlDatabase")
"""The kinds of rows that somebody can aim at."""
