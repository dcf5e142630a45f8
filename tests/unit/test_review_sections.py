"""What a review says of guides, checklists, updates for others than the team, and plans that were never carried out."""

from __future__ import annotations

from msgspec.structs import replace

from incident.checks import check_draft
from incident.dossier import dossier
from incident.entry import Draft, Kind
from incident.html_review import to_html
from incident.markdown import review
from incident.standard import NEUTRAL
from incident.told import AUDIENCE, CUSTOMERS, PAGER
from incident.updates import update_draft
from tests.unit.incident_entries import incident_with

STANDARD = replace(NEUTRAL, checklists={"payment-failures": "Scenario 2: Payments"})
LEFT = {"act": {"plan": {"title": "Roll back"}}, "outcome": {"verdict": "cancelled", "sent": False}}


def pages(*drafts: Draft) -> tuple[str, str]:
    """The review of an incident with these entries: as Markdown and as HTML."""
    found = dossier(*incident_with(drafts), STANDARD)
    return review(found), to_html(found)


def test_a_guide_is_called_by_its_title_and_one_that_is_not_known_readably() -> None:
    for page in pages(
        check_draft("payment-failures", "logs", "done", "ada", text="Read the logs"),
        check_draft("gone-since", "old", "done", "ada", text="An old step"),
    ):
        assert "Scenario 2: Payments" in page
        assert "Gone since" in page


def test_what_was_ticked_in_the_console_is_ticked_in_the_review() -> None:
    tick = check_draft("review", "root-cause", "done", "ada", text="Root cause analysis completed")
    markdown, html = pages(tick)
    assert "- [x] Root cause analysis completed\n- [ ] Timeline accuracy verified" in markdown
    assert "<li>☑ Root cause analysis completed</li><li>☐ Timeline accuracy verified</li>" in html


def test_an_update_says_whom_it_was_for() -> None:
    for audience, words in ((CUSTOMERS, "by ada, for customers."), (PAGER, "by ada, to the pager."), ("", "by ada.")):
        fields = {AUDIENCE: audience} if audience else {}
        for page in pages(update_draft("We know.", "ada", next_due=None, channels=[], fields=fields)):
            assert words in page


def test_a_plan_that_was_left_is_told_and_is_nobodys_evidence() -> None:
    left = Draft(text="Roll back", author="ada", kind=Kind.MITIGATION, evidence=LEFT)
    pinned = Draft(text="pinned", author="ada", kind=Kind.PIN, evidence={"object": "x"})
    for page in pages(left, pinned):
        assert "Roll back" in page
        assert "E1" in page
        assert "E2" not in page
