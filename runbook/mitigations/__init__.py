"""The table of mitigations. Adding one touches its own module and this list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook.mitigation import Mitigation
from runbook.mitigations.command import commands_of
from runbook.mitigations.connectivity import Connectivity
from runbook.mitigations.cordon import Cordon
from runbook.mitigations.delete_pod import DeletePod
from runbook.mitigations.evidence import Evidence
from runbook.mitigations.quarantine import Quarantine
from runbook.mitigations.redirect import Redirect
from runbook.mitigations.restart import Restart
from runbook.mitigations.rollback import Rollback
from runbook.mitigations.rollout_undo import RolloutUndo
from runbook.mitigations.scale import Scale

if TYPE_CHECKING:
    from runbook.playbook import Playbook

MITIGATIONS: tuple[Mitigation, ...] = (
    Restart(),
    Scale(),
    Redirect(),
    Rollback(),
    Cordon(),
    RolloutUndo(),
    DeletePod(),
    Evidence(),
    Quarantine(),
    Connectivity(),
)

TABLE: dict[str, Mitigation] = {mitigation.id: mitigation for mitigation in MITIGATIONS}


def table_of(playbook: Playbook) -> dict[str, Mitigation]:
    """The table with the commands that the runbook file adds, which its loader has kept apart from these."""
    return TABLE | {command.id: command for command in commands_of(playbook)}
