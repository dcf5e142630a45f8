"""Preserve evidence: everything that can be read about a pod, into a folder here. The runbook, Scenario 4, step 1."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from probes.errors import NotFound
from runbook import evidence_order, preflight
from runbook.errors import Changed, NotSent
from runbook.evidence_capture import Capture
from runbook.evidence_folder import CannotKeep
from runbook.evidence_report import reported
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.plan import Aim, Finding, Json, Level, Need, Outcome, Plan, Target, Undo, Verdict
from runbook.stamps import new_act
from runbook.workloads import PLURALS, is_ready

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

MOST_PODS = 20  # of a workload: the sick ones first

STEP = "evidence"  # in a plan's steps: the order


class Evidence(Mitigation):
    label: ClassVar[str] = "evidence"
    sentence: ClassVar[str] = (
        "Preserve evidence: logs, objects, events and node of a pod, into one folder with a manifest"
    )
    harmless: ClassVar[bool] = True
    looks_only: ClassVar[bool] = True
    stoppable: ClassVar[bool] = True

    def refuses(self, aim: Aim) -> str:
        return "" if aim.kind == "Pod" or aim.kind in PLURALS else "not a pod or a workload"

    def relies_on(self, obj: Json) -> object:
        return None  # whatever became of it is worth keeping; only another object of that name is not

    async def again(self, scene: Scene, plan: Plan) -> Target:
        try:
            return await super().again(scene, plan)
        except Changed as gone:
            if isinstance(gone.__cause__, NotFound):
                return plan.target  # its events, its owner and its node still tell something
            raise

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        target, obj = await scene.found(aim, aim.kind, aim.namespace, aim.name, self.relies_on)
        pods, unknown = ([obj], []) if aim.kind == "Pod" else await preflight.pods_hit(scene, obj, finished=True)
        pods.sort(key=is_ready)
        act = new_act()
        captured, left_out = pods[:MOST_PODS], max(0, len(pods) - MOST_PODS)
        order = evidence_order.order_of(scene, act, aim.namespace, aim.kind, aim.name, captured, left_out)
        readable, disk = await asyncio.gather(
            evidence_order.readable(scene, order), asyncio.to_thread(evidence_order.disk, order)
        )
        above = [f"{aim.owner_kind.lower()}/{aim.owner_name}"] if aim.owner_kind in PLURALS else []
        findings = [readable, disk, *(unknown or _pods(order)), *_vanishing(captured)]
        return Plan(
            id=act,
            mitigation=self.id,
            title=f"Preserve evidence of {target}",
            verb="Capture",
            remark=f"into {order.folder}",
            target=target,
            commands=tuple(map(shlex.join, evidence_order.commands(order, *above))),
            findings=tuple(findings),
            steps={STEP: evidence_order.in_steps(order)},
            needs=evidence_order.reads(aim.namespace),
            verified_by="every file read again and compared with MANIFEST.sha256",
            undo=Undo("nothing in the cluster is changed; what was captured is a folder on this machine"),
            blast="nothing: it only reads",
        )

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json | Outcome:
        order = evidence_order.from_steps(plan.steps[STEP])
        if order.incident != hands.stamp.incident:
            raise Changed(f"the plan is for {order.incident or 'no incident'}; nothing was captured")
        try:
            capture = Capture(scene, order, hands.stamp, tell)
        except CannotKeep as error:
            raise NotSent(f"nothing was captured: {error}") from error
        tell(f"capturing into {order.folder}")
        broken_off = "it failed by a fault of its own"
        try:
            await capture.originals()
            await capture.redact()
            broken_off = ""
        except asyncio.CancelledError:
            broken_off = "it was stopped"
            raise
        finally:
            sealed = await _sealed(capture, broken_off, tell)
        if isinstance(sealed, Outcome):
            return sealed
        return {"folder": order.folder, "manifest_sha256": sealed}

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        return await reported(evidence_order.from_steps(plan.steps[STEP]))

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        # A folder that was never sealed counts: the verdict says what is in it.
        order = evidence_order.from_steps(plan.steps[STEP])
        return await asyncio.to_thread(Path(order.folder).is_dir) if order.here else None

    def permissions(self, namespace: str) -> tuple[Need, ...]:
        return evidence_order.reads(namespace)


async def _sealed(capture: Capture, broken_off: str, tell: Tell) -> str | Outcome:
    folder = capture.order.folder
    try:
        manifest = await capture.seal(broken_off)
    except CannotKeep as error:
        text = f"no manifest could be written: {error}; what was captured is in {folder}, marked as incomplete"
        tell(text)
        return Outcome(verdict=Verdict.FAILED, text=text, evidence={"folder": folder})
    tell(f"sealed {'in part ' if broken_off else ''}with manifest {manifest[:12]}…")
    return manifest


def _pods(order: evidence_order.Order) -> list[Finding]:
    pods = len(order.subjects)
    if not pods:
        return [Finding("pods", Level.AMBER, "it has no pods: there are no logs to capture, only objects and events")]
    if order.left_out:
        text = f"{pods} of {pods + order.left_out} pods are captured, those that are not ready first"
        return [Finding("pods", Level.AMBER, text, "press E on a pod for one that is left out")]
    containers = sum(len(subject.containers) for subject in order.subjects)
    text = f"{containers} container{'' if containers == 1 else 's'} of {pods} pod{'' if pods == 1 else 's'}"
    return [Finding("pods", Level.GREEN, f"{text}, present and previous logs")]


def _vanishing(pods: list[Json]) -> list[Finding]:
    going = sum(bool((pod.get("metadata") or {}).get("deletionTimestamp")) for pod in pods)
    if not going:
        return []
    what = "the pod is" if len(pods) == 1 else f"{going} of {len(pods)} pods are"
    return [Finding("going", Level.GREEN, f"{what} being deleted: what is still there is captured at once")]
