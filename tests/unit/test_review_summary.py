"""What a review says at a glance: how many were ill, when what was done, and how it ended."""

from __future__ import annotations

import pytest

from incident.dossier import dossier
from incident.kept import Kept, Sign
from incident.markdown import review
from incident.practice import LEFT
from runbook.plan import Verdict
from tests.unit.drills import Drill
from tests.unit.incident_entries import BEGAN, incident_with, note


@pytest.mark.parametrize(("sick", "said"), [(2, "2 of 42, at "), (0, "none of 42\n")])
def test_how_many_pods_were_ill_at_once(sick: int, said: str) -> None:
    incident, entries = incident_with([note("sign-ins fail")])
    kept = Kept([Sign(BEGAN, 0, 42), Sign(BEGAN + 1, sick, 42)], [])
    assert f"**Most Pods Unhealthy at Once**: {said}" in review(dossier(incident, entries, kept=kept))


def test_a_drill_that_was_left_was_neither_mitigated_nor_resolved() -> None:
    steps = {step.mark.name: step for step in Drill().note(4).resolved(6, LEFT).dossier.steps}
    assert steps["acknowledged"].took is not None
    assert (steps["mitigated"].mark.at, steps["resolved"].mark.at) == (None, None)
    assert Drill().note(4).resolved(6).dossier.steps[-1].took is not None


def test_of_an_act_that_was_left_to_itself_nobody_knows_whether_it_worked() -> None:
    found = Drill().act(5, "restart", "Deployment/payment-service", verdict=Verdict.UNKNOWN).score()
    assert [deed.verdict for deed in found.others] == ["not known"]
