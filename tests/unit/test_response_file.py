"""The response part of the runbook file: what it says, its templates, and what stands in for what it leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incident.entry import Incident
from incident.templates import UPDATE_FIELDS, render
from runbook.playbook import Playbook
from runbook.response_file import NEUTRAL, load, load_response
from tests.unit.small_runbook import SMALL, line_of, refusal, written
from tests.unit.test_start import run_python

# ---------------------------------------------------------------------- what it says


def test_a_small_runbook_says_what_is_in_it(tmp_path: Path) -> None:
    response = load_response(written(tmp_path, SMALL))

    bad, less_bad = response.severities
    assert (bad.level, bad.name, bad.update_every, bad.resolve_within, bad.detect_within) == (1, "Bad", 900, 7200, None)
    assert (less_bad.update_every, less_bad.first_update_within) == (3600, 300)
    assert (response.matrix[0].when, response.matrix[0].severity) == ({"service_down": True}, 1)
    assert response.parties[0].notified == {1: "yes", 2: "judge"}
    assert (response.channels[0].env, response.channels[0].parties) == ({"url": "SHOP_SLACK_URL"}, ("boss",))
    look, restart = response.phases[0].sections[0].steps
    assert look.look is not None
    assert (look.look.what, look.language, restart.mitigation, restart.language) == ("pods", "bash", "restart", "")
    basket = response.scenarios[0]
    assert (basket.number, basket.fits, basket.services, basket.security) == (
        1,
        {"pods-crashing": 3},
        ("basket-*",),
        False,
    )
    logs, ask = basket.sections[0].steps
    assert logs.look is not None
    assert (logs.look.of, ask.id, ask.text) == ("basket", "ask", "Ask somebody")
    pods, tell = response.checklists[0].items
    assert (pods.signal, pods.severities, pods.scenarios, tell.signal) == ("pods-ready", (1,), ("basket",), None)
    assert [node.id for node in response.framework] == ["begin", "answers", "fine", "broken"]
    assert response.services == {"basket-*": True, "*": False}
    assert (response.errors_gone_for, response.watch_for) == (300, 3600)
    assert response.extras[0].lines == ("The boss has none",)
    assert response.templates["status-update"] == "{{ incident_id }} is {{ status }}\n{{ impact }}"


def test_a_step_may_start_a_command_of_the_files_own(tmp_path: Path) -> None:
    command = "commands:\n  flush: {key: F, label: flush, sentence: Flush, argv: [true-flush]}\n"
    text = SMALL.replace("mitigation: restart", "mitigation: flush")
    step = load_response(written(tmp_path, text + command)).phases[0].sections[0].steps[1]
    assert step.mitigation == "flush"
    assert "there is no mitigation flush" in refusal(tmp_path, text)


def test_templates_that_a_file_does_not_bring_are_the_neutral_ones(tmp_path: Path) -> None:
    templates, neutral = load_response(written(tmp_path, SMALL)).templates, load_response(NEUTRAL).templates
    assert templates["review"] == neutral["review"]
    assert templates["status-update"] != neutral["status-update"]


def test_a_file_without_a_response_leaves_it_to_the_neutral_runbook(tmp_path: Path) -> None:
    runbook = load(written(tmp_path, "acts: {quiet_for: 1}\n"))
    assert (runbook.own, runbook.response, runbook.playbook.quiet_for) == (False, load_response(NEUTRAL), 1)
    assert load(written(tmp_path, SMALL)).own


def test_the_neutral_runbook_suits_any_cluster() -> None:
    runbook = load(NEUTRAL, compiled=True)
    assert runbook.playbook == Playbook()  # that is why a console without a runbook need not read it to act
    assert [severity.level for severity in runbook.response.severities] == [1, 2, 3, 4]
    assert runbook.response.channels == ()
    assert {checklist.when for checklist in runbook.response.checklists} == {"respond", "resolve", "after", "review"}
    text = NEUTRAL.read_text(encoding="utf-8").casefold()
    assert not [word for word in ("bank", "payment", "azure", "account", "transaction") if word in text]


@pytest.mark.parametrize("name", ["neutral", "banking-platform"])
def test_the_templates_that_ship_are_filled_with_what_there_is(name: str) -> None:
    response = load_response(NEUTRAL.with_name(f"{name}.yaml"), compiled=True)
    values: dict[str, Any] = dict.fromkeys(UPDATE_FIELDS, "")
    values |= {"services": [], "since": [], "incident_id": "INC-20261123-1402-ab3f", "status": "INVESTIGATING"}
    known = values | {"services": ["payment-service"], "since": ["rolled back"], "eta": "15:00", "next_update": "14:35"}
    for template in ("status-update", "customer-update", "review"):
        assert render(response.templates[template], values, template)
        assert render(response.templates[template], known, template)
    text = render(response.templates["status-update"], known)
    assert "INCIDENT UPDATE - INC-20261123-1402-ab3f" in text
    assert "- rolled back" in text
    assert "Next Update: 14:35" in text


def test_severities_are_those_that_an_incident_can_have(tmp_path: Path) -> None:
    assert "severity" in Incident.__annotations__  # 1 to 4, see incident/schema.py
    text = SMALL.replace("  2: {name", "  5: {name")
    said = "expected the number of a severity, from 1 (critical) to 4 (low)"
    assert refusal(tmp_path, text) == f"{line_of('  2: {name')}: severities.5: {said}"


def test_reading_a_runbook_imports_no_template_engine() -> None:
    script = (
        "import sys\nfrom runbook.response_file import NEUTRAL, load\nload(NEUTRAL)\n"
        "print(*(name for name in ('jinja2', 'apprise', 'textual') if name in sys.modules))"
    )
    assert run_python(script) == ""


# ---------------------------------------------------------------------- templates


@pytest.mark.parametrize(
    ("body", "offset", "words"),
    [
        ("{{ incident_id }}\n{{ status", 2, "end of template"),
        ("{{ incident_id }}\n\n{{ incidnt }}", 3, "there is no incidnt; there are: incident_id, title"),
        ("{% for x in since %}", 1, "end of template"),
        ("{{ impact | shout }}", 1, "No filter named 'shout'"),
        ("{% include '/etc/passwd' %}", 1, ""),
    ],
)
def test_a_template_that_cannot_be_filled_is_named_with_its_line(
    tmp_path: Path, body: str, offset: int, words: str
) -> None:
    old = "    {{ incident_id }} is {{ status }}\n    {{ impact }}\n"
    text = SMALL.replace(old, "".join(f"    {line}\n" for line in body.split("\n")))
    if not words:
        load(written(tmp_path, text), compiled=True)  # it can be read, and has nothing to include from
        with pytest.raises(Exception, match="no loader"):
            render(body, {})
        return
    said = refusal(tmp_path, text, compiled=True)
    line, key, rest = said.split(": ", 2)
    assert int(line) in (line_of(old) + offset - 1, line_of(old))
    assert key == "templates.status-update"
    assert rest.startswith("this template cannot be used: ")
    assert words in rest
