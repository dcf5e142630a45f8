"""What a review begins with."""

from __future__ import annotations

import pytest

from incident.dossier import dossier
from incident.kept import Kept, Sign
from incident.markdown import review
from tests.unit.incident_entries import BEGAN, incident_with, note


@pytest.mark.parametrize(("sick", "said"), [(2, "2 of 42, at "), (0, "none of 42\n")])
def test_how_many_pods_were_ill_at_once(sick: int, said: str) -> None:
    incident, entries = incident_with([note("sign-ins fail")])
    kept = Kept([Sign(BEGAN, 0, 42), Sign(BEGAN + 1, sick, 42)], [])
    assert f"**Most Pods Unhealthy at Once**: {said}" in review(dossier(incident, entries, kept=kept))
