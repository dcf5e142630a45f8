"""The investigation framework as a graph: the runbook's own where the file has none, and the path the answers take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runbook.diagnosis.findings import Answer
from runbook.response import Question

FRAMEWORK: tuple[Question, ...] = (
    Question(id="incident-detected", text="Incident detected", next="service-responding"),
    Question(
        id="service-responding",
        text="Service responding?",
        asks="service-responding",
        no="check-infrastructure",
        yes="check-performance",
        pane="services",
    ),
    Question(id="check-infrastructure", text="Check infrastructure", next="pods-running", pane="nodes"),
    Question(
        id="pods-running",
        text="Pods running?",
        asks="pods-running",
        no="check-cluster",
        yes="check-logs",
        pane="pods",
    ),
    Question(id="check-cluster", text="Check cluster health", pane="nodes"),
    Question(id="check-logs", text="Check service logs", pane="pods"),
    Question(id="check-performance", text="Check performance metrics", next="errors-in-logs", pane="services"),
    Question(
        id="errors-in-logs",
        text="Errors in logs?",
        asks="errors-in-logs",
        yes="analyze-errors",
        no="check-dependencies",
        pane="events",
    ),
    Question(id="analyze-errors", text="Analyze error patterns", pane="events"),
    Question(id="check-dependencies", text="Check dependencies", pane="databases"),
)
"""The flowchart of the incident response runbook, Phase 2, "Investigation Framework"; it suits any cluster."""


def way(framework: Sequence[Question], answers: Mapping[str, Answer]) -> tuple[str, ...]:
    """The ids from the first node on, as far as the answers lead: to a leaf, or to a question that is not known.

    A framework that leads back to where it was ends there.
    """
    nodes = {node.id: node for node in framework}
    path: list[str] = []
    here = framework[0].id if framework else ""
    while here in nodes and here not in path:
        path.append(here)
        node = nodes[here]
        if not node.asks:
            here = node.next
        else:
            answer = answers.get(node.asks, "unknown")
            here = node.yes if answer == "yes" else node.no if answer == "no" else ""
    return tuple(path)
