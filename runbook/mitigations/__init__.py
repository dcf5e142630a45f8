"""The table of mitigations. Adding one touches its own module and this list."""

from __future__ import annotations

from runbook.mitigation import Mitigation
from runbook.mitigations.restart import Restart
from runbook.mitigations.scale import Scale

MITIGATIONS: tuple[Mitigation, ...] = (Restart(), Scale())

TABLE: dict[str, Mitigation] = {mitigation.id: mitigation for mitigation in MITIGATIONS}
