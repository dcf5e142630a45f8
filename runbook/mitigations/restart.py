"""Restart a workload: ``kubectl rollout restart``. The runbook, Phase 3, "Service Recovery"."""

from __future__ import annotations

import asyncio
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from runbook import preflight
from runbook.diffs import hunk
from runbook.errors import NotSent, Refused, Uncertain
from runbook.media import MERGE, STRATEGIC
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.plan import Aim, Diff, Json, Need, Outcome, Plan, Undo
from runbook.precondition import patch_unchanged
from runbook.stamps import ACT, new_act
from runbook.strategies import at_once, obstacles
from runbook.verification import rollout_of, settled, unwell
from runbook.workloads import (
    PLURALS,
    names_of,
    refuse_no_workload,
    template_labels,
    workload_of,
    workload_path,
)

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"  # kubectl's own, so that its history reads the same


class Restart(Mitigation):
    label: ClassVar[str] = "restart"
    sentence: ClassVar[str] = "Restart a workload: its pods are replaced as its update strategy says"

    def refuses(self, aim: Aim) -> str:
        return refuse_no_workload(aim)

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        kind, name = workload_of(aim)
        namespace = aim.namespace
        target, obj = await scene.found(aim, kind, namespace, name, self.relies_on)
        rollout = rollout_of(obj)
        at = datetime.fromtimestamp(scene.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        act = new_act()
        path = workload_path(kind, namespace, name)
        needs = self.permissions(namespace)
        (pods, unknown), allowed, rehearsed, budgets = await asyncio.gather(
            preflight.pods_hit(scene, obj),
            preflight.allowed(scene, [need for need in needs if need.resource == PLURALS[kind]]),
            _rehearsed(scene, path, at, obj),
            preflight.budgets(scene, namespace, template_labels(obj)),
        )
        all_go = at_once(obj)
        endpoints = await preflight.endpoints_left(scene, namespace, names_of(pods), at_once=all_go)
        findings = [
            allowed,
            preflight.fresh(scene, ("pods", "workloads", "events")),
            *unknown,
            *endpoints,
            *budgets,
            *obstacles(obj),
            *preflight.reverted_by(obj),
            *preflight.others(scene, obj),
        ]
        return Plan(
            id=act,
            mitigation=self.id,
            title=f"Restart {target}",
            verb="Restart",
            remark=f"{rollout.ready} of {rollout.wanted} ready now",
            target=target,
            commands=(shlex.join(["kubectl", "rollout", "restart", str(target), "-n", namespace]),),
            diff=rehearsed,
            findings=tuple(findings),
            steps={"path": path, "at": at, "unwell": list(unwell(scene))},
            needs=needs,
            verified_by=f"{rollout.wanted} of {rollout.wanted} new pods ready · no new warnings · health endpoints",
            undo=Undo("a restart cannot be taken back; the pods run what they ran before"),
            blast=f"{_counted(len(pods))}, {'all at once' if all_go else 'one after another'}",
            wide=all_go and rollout.ready > 0,
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

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        target = plan.target
        obj = await scene.fetch(target.kind, target.namespace, target.name)
        return ((obj.get("metadata") or {}).get("annotations") or {}).get(ACT) == plan.id

    def permissions(self, namespace: str) -> tuple[Need, ...]:
        return tuple(Need("patch", plural, "apps", namespace=namespace) for plural in PLURALS.values())


def _counted(pods: int) -> str:
    return "1 pod" if pods == 1 else f"{pods} pods"


def _body(at: str) -> Json:
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}}


async def _rehearsed(scene: Scene, path: str, at: str, obj: Json) -> Diff:
    """What the server says would change; worked out here when it does not let us ask."""
    try:
        after = await scene.rehearsal.patch(path, _body(at), STRATEGIC)
        source = "server dry run"
    except (NotSent, Refused, Uncertain):
        template = (obj.get("spec") or {}).get("template") or {}
        metadata = template.get("metadata") or {}
        annotations = {**(metadata.get("annotations") or {}), RESTARTED_AT: at}
        template = {**template, "metadata": {**metadata, "annotations": annotations}}
        after = {**obj, "spec": {**(obj.get("spec") or {}), "template": template}}
        source = "computed"
    found = hunk(obj, after)
    return Diff(hunks=(found,) if found else (), source=source)
