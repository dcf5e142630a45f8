"""The banking platform's runbook file says everything that the runbook of its people says, section by section."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runbook.known import MITIGATIONS
from runbook.playbook_file import SHIPPED
from runbook.response import Phase, Response, Scenario, Step
from runbook.response_file import load_response
from tests.unit.runbook_pages import Statement, plain, statements

PAGE = Path(__file__).with_name("incident-response-runbook.md")
SEED = Path(__file__).parents[3] / "shared" / "seed" / "incident-response-runbook.md"

Home = Callable[[Response], Any]


def _section(phase: int, title: str) -> Home:
    return lambda response: [section for section in response.phases[phase].sections if section.title == title]


def _checklist(name: str) -> Home:
    return lambda response: [each for each in response.checklists if each.id == name]


def _extra(title: str) -> Home:
    return lambda response: [extra for extra in response.extras if extra.title == title]


def _role(name: str) -> Home:
    return lambda response: [role for role in response.roles if role.name == name]


# Where the file has what stands below a heading; the innermost heading that is named here decides.
HOMES: dict[str, Home] = {
    "Incident Response Runbook": lambda response: response.name,
    "Overview": _extra("Overview"),
    "Severity 1 (Critical) - Business Impacting": lambda response: response.severity(1),
    "Severity 2 (High) - Service Degraded": lambda response: response.severity(2),
    "Severity 3 (Medium) - Minor Impact": lambda response: response.severity(3),
    "Severity 4 (Low) - Minimal Impact": lambda response: response.severity(4),
    "Incident Commander (IC)": _role("Incident Commander"),
    "Technical Lead": _role("Technical Lead"),
    "Communications Lead": _role("Communications Lead"),
    "Database Administrator": _role("Database Administrator"),
    "Security Specialist": _role("Security Specialist"),
    "Network Engineer": _role("Network Engineer"),
    "Phase 1: Detection and Initial Response (0-5 minutes)": lambda response: response.phases[0],
    "Decision Matrix": lambda response: response.matrix,
    "Phase 2: Investigation and Diagnosis (5-15 minutes)": lambda response: response.phases[1],
    "Investigation Framework": lambda response: response.framework,
    "Phase 3: Mitigation and Resolution (15+ minutes)": lambda response: response.phases[2],
    "Resolution Verification Checklist": _checklist("resolution"),
    "Phase 4: Communication (Ongoing)": lambda response: (response.phases[3], response.severities),
    "External Communications": lambda response: (
        _section(3, "External Communications")(response),
        _checklist("external-communications")(response),
    ),
    "Scenario 1: Complete Service Outage": lambda response: response.scenarios[0],
    "Scenario 2: Payment Processing Failures": lambda response: response.scenarios[1],
    "Scenario 3: Database Performance Degradation": lambda response: response.scenarios[2],
    "Scenario 4: Security Incident": lambda response: response.scenarios[3],
    "Post-Incident Activities": lambda response: response.phases[4],
    "Immediate Post-Resolution (0-2 hours)": _section(4, "Immediate Post-Resolution (0-2 hours)"),
    "Mandatory Review Items": _checklist("review"),
    "Follow-up Actions (1-4 weeks)": _section(4, "Follow-up Actions (1-4 weeks)"),
    "Required Tools Access": _extra("Required Tools Access"),
    "Emergency Access Procedures": _extra("Emergency Access Procedures"),
    "Incident Response Automation": _extra("Incident Response Automation"),
    "Quality Metrics": _extra("Quality Metrics"),
    "Continuous Improvement": _extra("Continuous Improvement"),
}

# Deliberately not there word for word, and where what they say is instead.
STRUCTURE = {
    # headings that only group what stands below them: parts of the file
    "Incident Classification": "severities, matrix",
    "Severity Levels": "severities",
    "Incident Response Team": "roles",
    "Core Response Team": "roles, core",
    "Extended Response Team": "roles, core: no",
    "Incident Response Process": "phases",
    "Decision Matrix": "matrix",
    "Investigation Framework": "framework",
    "Common Incident Scenarios": "scenarios",
    "Incident Response Tools": "extras",
    "Success Metrics": "severities and extras",
    "Response Time Targets": "severities: detect_within, respond_within, resolve_within",
    "Review Template": "templates: review",
    "Incident Commander (IC)": "roles: name and short",
    # labels before a list or a value: keys of the file
    "Definition": "severities: definition",
    "Examples": "severities: examples",
    "Response Time": "severities: response",
    "Notification": "severities: notify",
    "Role": "roles: does",
    "Responsibilities": "roles: responsibilities",
    "Primary": "roles: primary",
    "Backup": "roles: backup",
    "Availability": "roles: availability",
    "Symptoms": "scenarios: symptoms",
    "Likely Causes": "scenarios: causes",
    "Impact": "scenarios: impact",
}
ELSEWHERE = re.compile(
    # Numbers and names of severities, phases and scenarios (`test_headings_with_numbers_…`).
    r"(Phase \d|Scenario \d|Severity \d)\b.*"
    # The frequency of updates is of each severity (`test_updates_are_due_…`).
    r"|Severity \d: .*"
)
LANGUAGES = ("mermaid", "plain", "markdown", "cells")  # each has a test of its own below


@cache
def response() -> Response:
    return load_response(SHIPPED / "banking-platform.yaml")


def page() -> list[Statement]:
    return list(statements(PAGE.read_text(encoding="utf-8")))


def texts(value: Any) -> Iterator[str]:
    """Every text of a part of the response, its lines each on their own."""
    if isinstance(value, str):
        yield plain(value)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


def home_of(statement: Statement) -> Home | None:
    named = [heading_words(heading) for heading in statement.under]
    return next((HOMES[heading] for heading in reversed(named) if heading in HOMES), None)


def heading_words(heading: str) -> str:
    return re.sub(r"^[^A-Za-z]+", "", heading)


def test_the_copy_of_the_runbook_is_the_one_that_was_given() -> None:
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) == 566
    if SEED.exists():
        assert PAGE.read_bytes() == SEED.read_bytes()


@pytest.mark.parametrize("heading", sorted({each.under[-1] for each in page() if each.under}), ids=heading_words)
def test_every_statement_below_a_heading_is_in_its_part_of_the_file(heading: str) -> None:
    missing = []
    for statement in page():
        words = heading_words(statement.text)
        if statement.under[-1:] != (heading,) or statement.kind in LANGUAGES:
            continue
        if words in STRUCTURE or ELSEWHERE.fullmatch(statement.text):
            continue
        home = home_of(statement)
        there = texts(msgspec.to_builtins(home(response()))) if home is not None else ()
        if not any(plain(statement.text) in text for text in there):
            missing.append(f"line {statement.line}: {statement.text}")
    assert missing == []


def test_nothing_is_excused_that_the_runbook_does_not_say() -> None:
    said = {heading_words(statement.text) for statement in page()}
    assert set(STRUCTURE) | set(HOMES) <= said


# ---------------------------------------------------------------------- what is more than words


def below(heading: str, kind: str) -> list[str]:
    return [each.text for each in page() if each.kind == kind and heading_words(each.under[-1]) == heading]


def cells(heading: str) -> list[list[str]]:
    """The lines of a table below a heading, without its head."""
    rows = [[cell.strip() for cell in line.split("|")] for line in below(heading, "cells")]
    return [row for row in rows[1:] if not row[0].startswith("--")]


def test_headings_with_numbers_are_the_severities_phases_and_scenarios_in_their_order() -> None:
    headings = [statement.text for statement in page() if statement.kind == "heading"]
    severities = [f"Severity {one.level} ({one.name}) - {one.headline}" for one in response().severities]
    assert [heading for heading in headings if heading.startswith("Severity ")][1:] == severities
    phases = [f"Phase {number}: {one.title} ({one.window})" for number, one in enumerate(response().phases[:4], 1)]
    assert [heading for heading in headings if heading.startswith("Phase ")] == phases
    scenarios = [f"Scenario {one.number}: {one.title}" for one in response().scenarios]
    assert [heading for heading in headings if heading.startswith("Scenario ")] == scenarios


def test_the_decision_matrix_asks_what_its_words_say() -> None:
    rows = below("Decision Matrix", "plain")
    assert [row.words for row in response().matrix] == rows
    words = {
        ("service_down", True): "Service Down",
        ("customer_impact", True): "Customer Impact",
        ("customer_impact", False): "No Customer Impact",
        ("degraded", True): "Performance Degradation",
        ("complaints", True): "Customer Complaints",
        ("complaints", False): "No Complaints",
    }
    for row in response().matrix:
        asked = " + ".join(words[fact, answer] for fact, answer in row.when.items())
        assert row.words == f"{asked} = Severity {row.severity}"


def test_the_investigation_framework_has_the_nodes_and_ways_of_the_flowchart() -> None:
    lines = below("Investigation Framework", "mermaid")[1:]
    names: dict[str, str] = {}
    drawn = set()
    node = r"(\w)(?:[\[{]([^\]}]+)[\]}])?"
    for line in lines:
        match = re.fullmatch(rf"{node} -->(?:\|(\w+)\|)? {node}", line)
        assert match is not None, line
        start, start_text, way, end, end_text = match.groups()
        names |= {name: text for name, text in ((start, start_text), (end, end_text)) if text}
        drawn.add((names[start], (way or "next").lower(), names[end]))
    by_id = {question.id: question for question in response().framework}
    ours = {
        (question.text, way, by_id[other].text)
        for question in response().framework
        for way, other in (("yes", question.yes), ("no", question.no), ("next", question.next))
        if other
    }
    assert ours == drawn
    assert response().framework[0].text == "Incident Detected"
    assert all(bool(question.asks) == question.text.endswith("?") for question in response().framework)


def test_the_notification_matrix_tells_the_same_parties_at_the_same_severities() -> None:
    head = [cell.strip() for cell in below("External Communications", "cells")[0].split("|")]
    marks = {"✅": "yes", "❌": "no", "⚠️": "judge"}
    table = {
        (party, int(row[0])): marks[cell]
        for row in cells("External Communications")
        for party, cell in zip(head[1:], row[1:], strict=True)
    }
    ours = {(party.name, level): answer for party in response().parties for level, answer in party.notified.items()}
    assert ours == table


UNITS = {"min": 60, "hour": 3600, "hours": 3600, "week": 604_800}


def test_response_time_targets_are_those_of_the_table() -> None:
    for row in cells("Response Time Targets"):
        targets = []
        for cell in row[1:]:
            number, unit = cell.removeprefix("<").split()
            targets.append(int(number) * UNITS[unit])
        level = response().severity(int(row[0]))
        assert level is not None
        assert [level.detect_within, level.respond_within, level.resolve_within] == targets


def test_updates_are_due_as_often_as_the_runbook_says() -> None:
    said = dict(re.findall(r"^- Severity (\d): (.*?) *$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert {str(level.level): level.updates for level in response().severities} == said
    assert [level.update_every for level in response().severities] == [900, 1800, 3600, 86_400]


def test_the_status_update_has_the_lines_of_the_template() -> None:
    wanted = below("Internal Communications", "plain")
    lines = response().templates["status-update"].splitlines()
    assert len(wanted) == 7
    for number, line in enumerate(wanted):
        fixed, _, _ = line.partition("[")
        assert lines[number].startswith(fixed), line


def test_the_review_has_the_lines_of_the_template() -> None:
    wanted = [line.replace("[INCIDENT-ID]", "{{ incident_id }}") for line in below("Review Template", "markdown")]
    lines = [line.strip() for line in response().templates["review"].splitlines() if line.strip()]
    assert lines == wanted


# ---------------------------------------------------------------------- what the console can do with it


def steps(response: Response) -> dict[str, Step]:
    parts: list[Phase | Scenario] = [*response.phases, *response.scenarios]
    return {f"{part.id}/{step.id}": step for part in parts for section in part.sections for step in section.steps}


def test_every_command_that_a_mitigation_carries_out_starts_it() -> None:
    carried_out = {
        "kubectl rollout restart": "restart",
        "kubectl scale": "scale",
        "kubectl apply -f - <<EOF": "redirect",
        "helm rollback": "rollback",
        "kubectl label pod <suspicious-pod> quarantine=true": "quarantine",
        "> incident-logs.txt": "evidence",
    }
    for command, mitigation in carried_out.items():
        found = [step for step in steps(response()).values() if command in step.code]
        assert [step.mitigation for step in found] == [mitigation], command
        assert mitigation in MITIGATIONS


def test_every_investigation_step_is_taken_by_looking() -> None:
    reads = ("kubectl get", "kubectl logs", "kubectl top", "kubectl cluster-info", "curl", "az sql db show", "helm h")
    for name, step in steps(response()).items():
        if step.language == "bash" and any(command in step.code for command in reads) and not step.mitigation:
            assert step.look is not None, name
        if step.language == "sql":
            assert step.look is not None, name
            assert step.look.what == "sql", name


def test_the_security_scenario_and_the_worst_severity_call_for_authorities() -> None:
    security = next(scenario for scenario in response().scenarios if scenario.security)
    items = {item.id: item for checklist in response().checklists for item in checklist.items}
    for name in ("financial-regulators", "data-protection", "law-enforcement"):
        assert items[name].scenarios == (security.id,)
    assert items["financial-regulators"].severities == (1,)


@pytest.mark.parametrize(
    ("heading", "checklist", "phase"),
    [
        ("External Communications", "external-communications", 3),
        ("Immediate Post-Resolution (0-2 hours)", "post-resolution", 4),
    ],
)
def test_who_is_told_and_what_is_done_afterwards_is_a_step_and_an_item_to_tick(
    heading: str, checklist: str, phase: int
) -> None:
    items = list(texts(msgspec.to_builtins(_checklist(checklist)(response()))))
    guide = list(texts(msgspec.to_builtins(_section(phase, heading)(response()))))
    done = [each for each in page() if each.kind == "text" and heading_words(each.under[-1]) == heading]
    for statement in done:
        assert any(plain(statement.text) in text for text in guide), statement.text
    headers = {"Verification and Monitoring", "Stakeholder Notification", "Initial Documentation"}
    for statement in done:
        assert statement.text in headers or any(plain(statement.text) in text for text in items), statement.text


def test_the_commander_is_known_by_the_short_name_of_the_runbook() -> None:
    commander = response().roles[0]
    assert (commander.name, commander.short) == ("Incident Commander", "IC")
    assert [role.id for role in response().roles if role.core] == ["ic", "technical-lead", "communications", "scribe"]
    assert [role.availability for role in response().roles if not role.core] == below_labels("Availability")


def below_labels(label: str) -> list[str]:
    """What stands after a label, wherever it is."""
    found = re.findall(rf"^\*\*{label}\*\*: (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [text.strip() for text in found]


def test_what_a_probe_can_know_is_ticked_by_it() -> None:
    (resolution,) = [checklist for checklist in response().checklists if checklist.when == "resolve"]
    signals = {item.text: item.signal for item in resolution.items}
    assert signals["All services responding to health checks"] == "endpoints-healthy"
    assert signals["Error rates returned to normal levels"] == "errors-gone"
    assert signals["No data corruption detected"] is None
    assert response().errors_gone_for == 600


def test_no_channel_is_used_before_its_secrets_are_in_the_environment() -> None:
    assert all(channel.env for channel in response().channels)
    assert {channel.kind for channel in response().channels} >= {"slack", "teams", "pagerduty", "email", "statuspage"}
