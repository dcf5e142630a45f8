"""The head of a plan: what it does, and why it is shown."""

from __future__ import annotations

from tests.unit.act_drafts import plan
from tui.screens.plan_body import heading


def test_a_note_that_warns_is_as_loud_as_a_warning() -> None:
    quiet, loud = (heading(plan(), note)[1].text for note in ("takes back: it", "! the warnings name pod/another"))
    assert "warning" not in str(quiet.spans)
    assert "warning" in str(loud.spans)
