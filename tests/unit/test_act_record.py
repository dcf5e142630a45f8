"""What of an act is on the timeline is enough to follow it on after a crash, and holds no secret."""

from __future__ import annotations

from typing import Any

import pytest

from incident.intake import take_in
from runbook.plan import Plan
from runbook.record import intent_of
from tests.unit.act_drafts import intent, plan

SELECTOR = {"matchLabels": {"app": "login", "auth": "yes", "session-token": "v2"}}


def read_back(**steps: Any) -> Plan:
    """The plan of an intent that went through the store's intake, which redacts."""
    found = intent_of(take_in(intent(steps=steps)).evidence)
    assert found is not None
    return found.plan


def test_labels_that_are_called_like_secrets_are_still_there_after_a_crash() -> None:
    steps = {"replacement": {"selector": SELECTOR, "pods": 3}, "pods": [["prod", "login-1", "u"]], "policy": None}
    assert read_back(**steps).steps == steps
    assert read_back().steps == {}
    assert read_back(pairs=[["a", {"pairs": 1}]]).steps == {"pairs": [["a", {"pairs": 1}]]}


def test_what_looks_like_a_secret_is_redacted_in_the_steps_too() -> None:
    argv = ["mysql", "--password", "hunter2", "--token=abc", "Authorization: Bearer abcdef0123456789"]
    assert read_back(argv=argv, note={"url": "https://me:hunter2@db"}).steps == {
        "argv": ["mysql", "--password", "«redacted»", "--token=«redacted»", "Authorization: «redacted»"],
        "note": {"url": "https://me:«redacted»@db"},
    }


@pytest.mark.parametrize("steps", [{"pairs": 5}, {"pairs": [1]}, {"pairs": [["a"]]}, {"pairs": [[["a"], 1]]}, 7, None])
def test_an_intent_that_was_damaged_is_none(steps: Any) -> None:
    evidence = take_in(intent()).evidence
    assert evidence is not None
    evidence["act"]["plan"]["steps"] = steps
    assert intent_of(evidence) is None


def test_an_intent_of_an_earlier_version_is_understood() -> None:
    evidence = take_in(intent()).evidence
    assert evidence is not None
    evidence["act"]["plan"]["steps"] = {"path": "/api", "body": {"metadata": {"labels": {"a": "b"}}}}
    found = intent_of(evidence)
    assert found is not None
    assert found.plan == plan(steps={"path": "/api", "body": {"metadata": {"labels": {"a": "b"}}}})
