"""Restart, as somebody at the desk gets it."""

from __future__ import annotations

from runbook.plan import Verdict
from tests.drill.mitigation_desk import PROD
from tests.drill.small_scenario import village


async def test_a_restart_replaces_every_pod_and_says_that_it_worked() -> None:
    async with village() as at:
        before = {pod["metadata"]["uid"] for pod in at.pods("account-service")}
        plan, outcome = await at.carried_out("restart", at.aim("Deployment", "account-service"))
        assert outcome.verdict is Verdict.WORKED, outcome.text
        assert plan.commands == (f"kubectl rollout restart deployment/account-service -n {PROD}",)
        assert not before & {pod["metadata"]["uid"] for pod in at.pods("account-service")}
        assert len(at.writes) == 1
