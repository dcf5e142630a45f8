"""How a workload replaces its pods when its template changes, and what of that stands in the way of doing so."""

from __future__ import annotations

from runbook.plan import Finding, Json, Level


def strategy_of(workload: Json) -> Json:
    """A Deployment's ``strategy``, or the ``updateStrategy`` of the others."""
    spec = workload.get("spec") or {}
    return dict(spec.get("strategy" if workload.get("kind") == "Deployment" else "updateStrategy") or {})


def at_once(workload: Json) -> bool:
    """Whether all of its pods go before the first new one comes."""
    return strategy_of(workload).get("type") == "Recreate"


def obstacles(workload: Json) -> list[Finding]:
    """Paused, or told to replace nothing by itself."""
    if workload.get("kind") == "Deployment" and (workload.get("spec") or {}).get("paused"):
        text = "the deployment is paused: nothing will happen until it is resumed"
        metadata = workload["metadata"]
        cure = f"kubectl rollout resume deployment/{metadata['name']} -n {metadata['namespace']}"
        return [Finding("paused", Level.RED, text, cure)]
    if strategy_of(workload).get("type") == "OnDelete":
        return [Finding("strategy", Level.AMBER, "its update strategy is OnDelete: pods must be deleted by hand")]
    return []
