"""A scenario as a checklist: what each step can do here, how it stands, and its code with what is known filled in."""

from __future__ import annotations

import pytest

from incident.checks import check_draft, histories, ticks
from incident.entry import Line
from incident.timeline import Timeline
from runbook.guide import Filling, aims_at, filled, guide, guides, of_service, unpreserved
from tests.unit.diagnosis_world import banking
from tests.unit.incident_entries import entry


def checked(*said: tuple[str, str, str, str]) -> list[Line]:
    """(list, item, state, note), in the order they were written."""
    entries = []
    for seq, (list_id, item, state, note) in enumerate(said, 1):
        draft = check_draft(list_id, item, state, "ada", text=item, note=note)  # type: ignore[arg-type]
        entries.append(entry(seq, draft))
    return list(Timeline(entries).lines)


def test_every_scenario_and_every_phase_is_a_guide() -> None:
    found = guides(banking())

    assert [(each.name, each.title) for each in found] == [
        ("Scenario 1", "Complete Service Outage"),
        ("Scenario 2", "Payment Processing Failures"),
        ("Scenario 3", "Database Performance Degradation"),
        ("Scenario 4", "Security Incident"),
        ("Phase 1", "Detection and Initial Response"),
        ("Phase 2", "Investigation and Diagnosis"),
        ("Phase 3", "Mitigation and Resolution"),
        ("Phase 4", "Communication"),
        ("Phase 5", "Post-Incident Activities"),
    ]
    assert guide(banking(), "nothing") is None
    assert found[0].lead[0] == ("Symptoms", "All API endpoints returning 5xx errors")
    assert found[5].lead == (("When", "5-15 minutes"),)


def test_each_step_says_what_it_can_do_here() -> None:
    found = guide(banking(), "payment-failures")
    assert found is not None
    assert [(step.id, step.way, step.mitigation) for step in found.steps] == [
        ("payment-health", "logs", ""),
        ("payment-gateway", "plan", "connectivity"),
        ("payment-tables", "look", ""),
        ("restart-payments", "plan", "restart"),
        ("status-pages", "hand", ""),
        ("payment-queue", "hand", ""),
        ("manual-payments", "hand", ""),
    ]
    health, restart = found.steps[0], found.step("restart-payments")
    assert restart is not None
    assert aims_at(found, health) == ("payment-service",)
    assert aims_at(found, restart) == ("*payment*",)
    assert of_service("payment-service", aims_at(found, restart))
    assert not of_service("card-service", aims_at(found, restart))


def test_a_step_stands_as_it_was_ticked_last_and_keeps_all_that_was_said() -> None:
    lines = checked(
        ("payment-failures", "payment-health", "done", "37 errors"),
        ("payment-failures", "payment-health", "done", "asked the team"),
        ("payment-failures", "status-pages", "done", ""),
        ("payment-failures", "status-pages", "open", ""),
        ("service-outage", "critical-pods", "done", ""),
    )
    found = guide(banking(), "payment-failures", histories(lines))
    assert found is not None

    assert [step.id for step in found.steps if step.state != "open"] == ["payment-health"]
    assert (found.done, len(found.steps)) == (1, 7)
    assert [tick.note for tick in found.steps[0].ticks] == ["37 errors", "asked the team"]
    assert ticks(lines)["payment-failures", "status-pages"].state == "open"


def test_containment_before_evidence_is_told_until_the_evidence_is_there() -> None:
    early = guide(banking(), "security-incident")
    assert early is not None
    containment = early.step("containment")
    assert containment is not None
    assert unpreserved(early, containment) == "Preserve Evidence: capture logs immediately"
    assert unpreserved(early, early.steps[0]) == ""

    lines = checked(("security-incident", "preserve-evidence", "done", ""))
    later = guide(banking(), "security-incident", histories(lines))
    assert later is not None
    assert unpreserved(later, containment) == ""


KNOWN = Filling(
    workload="card-service",
    chosen="card-service-x",
    pods=(("payment-service-a", "payment-service"), ("card-service-x", "card-service")),
    revision=11,
)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("kubectl exec -it <payment-pod> -n p", "kubectl exec -it payment-service-a -n p"),
        ("kubectl rollout restart deployment/<service-name>", "kubectl rollout restart deployment/card-service"),
        ("name: <service>-maintenance", "name: card-service-maintenance"),
        ("helm rollback bank <previous-version> -n p", "helm rollback bank 11 -n p"),
        ("kubectl logs <suspicious-pod>", "kubectl logs card-service-x"),
        ("kubectl logs <pod-name>", "kubectl logs card-service-x"),
        ("kubectl logs <ledger-pod>", "kubectl logs <ledger-pod>"),
        ("kubectl apply -f - <<EOF\n<what>\nEOF", "kubectl apply -f - <<EOF\n<what>\nEOF"),
        ("SELECT 1 WHERE a <> 0 AND b < c", "SELECT 1 WHERE a <> 0 AND b < c"),
    ],
)
def test_what_the_code_leaves_open_is_filled_with_what_is_known(code: str, said: str) -> None:
    assert filled(code, KNOWN) == said


def test_nothing_is_filled_in_that_is_not_known_or_no_name() -> None:
    for code in ("x <payment-pod>", "x <suspicious-pod>", "x <service-name>", "x <previous-version>"):
        assert filled(code, Filling()) == code
        assert filled(code, Filling(workload="a; rm -rf /", chosen="$(id)", pods=(("`id`", "payment"),))) == code
