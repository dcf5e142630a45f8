"""A gate on the lab's API server, and what a person does with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from probes.cluster import Cluster
from runbook.gate import Gate
from runbook.mitigations import TABLE
from runbook.plan import Aim, Outcome, Plan
from runbook.playbook import Playbook
from tests.drill.mitigation_desk import Book, agreed
from tests.live.lab import Lab

PATIENCE = 270.0
"""Seconds until a verdict is given up."""


class Desk:
    """Plans, confirms, and waits for the verdict."""

    def __init__(self, cluster: Cluster) -> None:
        self.gate = Gate(
            cluster,
            Book([]),
            TABLE,
            Playbook(quiet_for=0.0, verify_within=240.0),
            latest=dict,
            production=lambda _: False,
        )

    async def carried_out(self, mitigation: str, aim: Aim, **choices: str) -> tuple[Plan, Outcome]:
        plan = await self.gate.plan(mitigation, aim, choices)
        return plan, await self.confirmed(plan)

    async def confirmed(self, plan: Plan) -> Outcome:
        act = await self.gate.carry_out(plan, agreed(plan))
        async with asyncio.timeout(PATIENCE):
            return await act.done()

    async def undone(self, plan: Plan) -> tuple[Plan, Outcome]:
        recipe = plan.undo.recipe
        assert recipe is not None
        return await self.carried_out(recipe.mitigation, recipe.aim, **recipe.choices)


@asynccontextmanager
async def desk(lab: Lab, context: str = "admin") -> AsyncIterator[Desk]:
    at = Desk(await Cluster.connect(str(lab.kubeconfig), context))
    try:
        yield at
    finally:
        await at.gate.close()
