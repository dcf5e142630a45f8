"""Restart a workload: ``kubectl rollout restart``. The runbook, Phase 3, "Service Recovery"."""

from __future__ import annotations

import asyncio
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from runbook import preflight
from runbook.diffs import hunk
from runbook.media import MERGE, STRATEGIC
from runbook.mitigation import Choices, Tell
from runbook.plan import Aim, Json, Need, Outcome, Plan, Undo
from runbook.precondition import patch_unchanged
from runbook.rehearsals import COMPUTED, DRY_RUN, difference, rehearsed
from runbook.replacing import Replacing, replacement_of
from runbook.stamps import new_act
from runbook.verification import checks, settled, unwell
from runbook.workloads import PLURALS, workload_of, workload_path

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"  # kubectl's own, so that its history reads the same


class Restart(Replacing):
    label: ClassVar[str] = "restart"
    sentence: ClassVar[str] = "Restart a workload: its pods are replaced as its update strategy says"

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        kind, name = workload_of(aim)
        namespace = aim.namespace
        target, obj = await scene.found(aim, kind, namespace, name, self.relies_on)
        at = datetime.fromtimestamp(scene.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        path = workload_path(kind, namespace, name)
        needs = self.permissions(namespace)
        allowed, (after, said), going = await asyncio.gather(
            preflight.allowed(scene, [need for need in needs if need.resource == PLURALS[kind]]),
            rehearsed(scene.rehearsal.patch(path, _body(at), STRATEGIC)),
            replacement_of(scene, obj),
        )
        wanted = going.rollout.wanted
        return Plan(
            id=new_act(),
            mitigation=self.id,
            title=f"Restart {target}",
            verb="Restart",
            remark=going.remark,
            target=target,
            commands=(shlex.join(["kubectl", "rollout", "restart", str(target), "-n", namespace]),),
            diff=difference(
                hunk(obj, _computed(obj, at) if after is None else after), COMPUTED if after is None else DRY_RUN
            ),
            findings=(allowed, preflight.fresh(scene, self.SEEN_BY), *said, *going.findings),
            steps={"path": path, "at": at, "unwell": list(unwell(scene))},
            needs=needs,
            verified_by=checks(scene, f"{wanted} of {wanted} new pods ready", "no new warnings"),
            undo=Undo("a restart cannot be taken back; the pods run what they ran before"),
            blast=going.blast,
            wide=going.wide,
        )

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json:
        body = _body(plan.steps["at"])
        body["metadata"] = {"annotations": hands.stamp.annotations}
        answer = await patch_unchanged(hands, scene, plan.target, plan.steps["path"], body, MERGE)
        tell("accepted by the API server")
        return {"generation": (answer.get("metadata") or {}).get("generation")}

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        target = plan.target
        workload = (target.kind, target.namespace, target.name)
        unwell_before = plan.steps.get("unwell", ())
        return await settled(scene, [workload], tell, unhealthy_before=unwell_before, since=plan.made_at)

    def permissions(self, namespace: str) -> tuple[Need, ...]:
        return tuple(Need("patch", plural, "apps", namespace=namespace) for plural in PLURALS.values())


def _body(at: str) -> Json:
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}}


def _computed(workload: Json, at: str) -> Json:
    """What it comes to, where the server does not let us ask."""
    template = (workload.get("spec") or {}).get("template") or {}
    metadata = template.get("metadata") or {}
    annotations = {**(metadata.get("annotations") or {}), RESTARTED_AT: at}
    template = {**template, "metadata": {**metadata, "annotations": annotations}}
    return {**workload, "spec": {**(workload.get("spec") or {}), "template": template}}
