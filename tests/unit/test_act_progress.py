"""What is kept of how far an act is."""

from __future__ import annotations

from itertools import count

from runbook.act import Act
from runbook.mitigations.scale import Scale
from tests.unit.act_drafts import plan


def test_a_countdown_is_one_line_and_everything_else_stays() -> None:
    now = count(1.0)
    act = Act(plan(), Scale("scale", "S"), "INC-1", "intent-1", "ada", lambda: next(now), lambda: None)
    told = ("2 of 3 ready", "3 of 3 ready; watching 2 s more", "3 of 3 ready; watching 1 s more", "a new warning: x")
    for text in (*told, *told[1:3]):
        act.tell(text)
    assert [text for _, text in act.progress] == [told[0], *told[2:], told[2]]
