"""Acts as the gate puts them on the timeline, for the tests of what becomes of them there."""

from __future__ import annotations

from typing import Any

from incident.entry import Draft
from runbook.plan import Aim, Diff, Hunk, Outcome, Plan, Recipe, Target, Undo, Verdict
from runbook.record import intent_draft, outcome_draft, unsent_draft

COMMAND = "kubectl scale deployment/payment-service -n prod --replicas=5"
TITLE = "Scale deployment/payment-service from 3 to 5"
BACK = Undo(
    "scale it back to 3",
    Recipe(
        mitigation="scale",
        aim=Aim(kind="Deployment", namespace="prod", name="payment-service"),
        choices={"replicas": "3"},
    ),
)


def plan(act: str = "a1", **fields: Any) -> Plan:
    """A plan to scale the payment service."""
    target = Target(
        context="aks-prod", server="https://aks", kind="Deployment", namespace="prod", name="payment-service",
        uid="u-1", resource_version="7",
    )  # fmt: skip
    known: dict[str, Any] = {
        "id": act,
        "mitigation": "scale",
        "title": TITLE,
        "verb": "Scale",
        "target": target,
        "commands": (COMMAND,),
        "diff": Diff(hunks=(Hunk("Deployment/payment-service", ("- replicas: 3", "+ replicas: 5")),)),
        "steps": {"path": "/apis/apps/v1/namespaces/prod/deployments/payment-service", "replicas": 5},
        "undo": BACK,
    }
    return Plan(**(known | fields))


def intent(act: str = "a1", *, by: str = "tech-lead", **fields: Any) -> Draft:
    """What is on disk before anything is sent."""
    return intent_draft(plan(act, **fields), by, [])


def outcome(
    of: str,
    verdict: Verdict = Verdict.WORKED,
    text: str = "5 of 5 ready",
    *,
    by: str = "tech-lead",
    seconds: float = 12.0,
    sent: bool | None = True,
    **found: Any,
) -> Draft:
    """How the intent ended."""
    ended = Outcome(verdict=verdict, text=text, sent=sent, evidence=found)
    return outcome_draft(of, plan(), ended, by, seconds, ["3 of 5 ready", "5 of 5 ready"])


def unsent(verdict: Verdict = Verdict.REFUSED, why: str = "blocked: allowed: may not patch deployments") -> Draft:
    """A plan that was looked at and not carried out."""
    return unsent_draft(plan("a9"), verdict, why, "tech-lead")
