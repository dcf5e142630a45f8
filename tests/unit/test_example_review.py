"""The example in docs is what the program writes today of the scenario payment-release."""

from __future__ import annotations

from incident.fills import read
from incident.html_review import to_html
from tests.example_review import PAGE, page, told


def test_the_example_in_docs_is_what_is_written_today() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make it anew: python -m tests.example_review"


def test_it_is_a_drill_whose_times_and_severity_are_judged_by_the_platforms_runbook() -> None:
    found, text = told(), page()

    assert text.startswith("# Post-Incident Review: INC-20261123-1406-7kq2 (DRILL)")
    assert "| Detected | 2026-11-23 14:06:00 | 00:19:20 from first symptom | MISSED (under 00:05:00) |" in text
    assert "| Mitigated | 2026-11-23 14:14:01 | 00:08:01 from detected |  | what was down was well again |" in text
    assert "| load test the settlement worker with 2 pools | tomasz | 2026-12-11 | medium |" in text
    assert "Resolution Verification Checklist" in text
    assert not read(text.encode()).touched
    assert "DRILL. This was an exercise" in to_html(found)
