"""The table of mitigations. Adding one touches its own module and this list."""

from __future__ import annotations

from runbook.mitigation import Mitigation
from runbook.mitigations.restart import Restart

MITIGATIONS: tuple[Mitigation, ...] = (Restart(),)

TABLE: dict[str, Mitigation] = {mitigation.id: mitigation for mitigation in MITIGATIONS}
