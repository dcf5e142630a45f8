"""What restarting a workload and undoing its rollout have in common: all of its pods are replaced."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from runbook import preflight
from runbook.mitigation import Mitigation
from runbook.plan import Aim, Finding, Json, Plan
from runbook.stamps import ACT
from runbook.strategies import at_once, obstacles
from runbook.verification import Rollout, rollout_of
from runbook.workloads import names_of, refuse_no_workload, template_labels

if TYPE_CHECKING:
    from runbook.scene import Scene


class Replacement(Struct, frozen=True):
    """Which pods go, as far as that can be read, and what speaks against it."""

    pods: list[Json]
    rollout: Rollout  # as it stands before
    all_go: bool  # at the same time
    findings: list[Finding]

    @property
    def remark(self) -> str:
        return f"{self.rollout.ready} of {self.rollout.wanted} ready now"

    @property
    def blast(self) -> str:
        pods = "1 pod" if len(self.pods) == 1 else f"{len(self.pods)} pods"
        return f"{pods}, {'all at once' if self.all_go else 'one after another'}"

    @property
    def wide(self) -> bool:
        return self.all_go and self.rollout.ready > 0


async def replacement_of(scene: Scene, workload: Json) -> Replacement:
    """What replacing all pods of this Deployment, StatefulSet or DaemonSet hits. Only reads."""
    namespace, all_go = str((workload.get("metadata") or {}).get("namespace") or ""), at_once(workload)
    (pods, unknown), budgets = await asyncio.gather(
        preflight.pods_hit(scene, workload), preflight.budgets(scene, namespace, template_labels(workload))
    )
    endpoints = await preflight.endpoints_left(scene, namespace, names_of(pods), at_once=all_go)
    findings = [
        *unknown,
        *endpoints,
        *budgets,
        *obstacles(workload),
        *preflight.reverted_by(workload),
        *preflight.others(scene, workload),
    ]
    return Replacement(pods, rollout_of(workload), all_go, findings)


class Replacing(Mitigation):
    """Its act stamps the workload with its id in the same request, so that whether it took effect can be seen there."""

    SEEN_BY: ClassVar[tuple[str, ...]] = ("pods", "workloads", "events")
    """The sources that have to be fresh for its plan."""

    def refuses(self, aim: Aim) -> str:
        return refuse_no_workload(aim)

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        target = plan.target
        obj = await scene.fetch(target.kind, target.namespace, target.name)
        return ((obj.get("metadata") or {}).get("annotations") or {}).get(ACT) == plan.id
