"""Quarantine a pod: its evidence, a NetworkPolicy that denies all, the label. The runbook, Scenario 4, step 2."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, ClassVar

from probes.errors import NotFound, ProbeError
from runbook import evidence_order
from runbook.errors import NoPlan, NotSent, Refused
from runbook.evidence_capture import Capture
from runbook.evidence_folder import CannotKeep
from runbook.evidence_report import reported
from runbook.media import MERGE
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.plan import Aim, Field, Json, Need, Outcome, Plan, Verdict
from runbook.precondition import patch_unchanged
from runbook.quarantine_place import owned, services_with
from runbook.quarantine_plan import DETACH, EVIDENCE, quarantine_plan
from runbook.quarantine_policy import (
    PLURAL,
    POLICY,
    SELECTOR,
    act_of,
    denies_all,
    ensure_policy,
    is_labelled,
    labels_of,
    policy_now,
)
from runbook.quarantine_release import MODE, release, release_plan, release_took_effect, verify_release
from runbook.verification import LOOK_EVERY
from runbook.workloads import is_ready

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

log = logging.getLogger(__name__)

EVIDENCE_WITHIN = 60.0  # seconds; what is suspicious must not stay connected because its log is long


class Quarantine(Mitigation):
    label: ClassVar[str] = "quarantine"
    sentence: ClassVar[str] = "Quarantine a pod: evidence first, then a network policy that denies all to and from it"

    def refuses(self, aim: Aim) -> str:
        return "" if aim.kind == "Pod" else "not a pod"

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        try:
            target, pod = await scene.found(aim, "Pod", aim.namespace, aim.name, self.relies_on)
        except NoPlan as error:
            if choices.get(MODE) == "yes":
                raise NoPlan(
                    str(error), f"kubectl get networkpolicy {POLICY} -n {aim.namespace}: it may be left"
                ) from error
            raise
        if choices.get(MODE) == "yes":
            return await release_plan(scene, self.id, aim, target, pod, _toggle(MODE, "release it", "yes", ""))
        fields = tuple(self._fields(scene, pod, choices))
        return await quarantine_plan(scene, self.id, aim, target, pod, fields)

    def _fields(self, scene: Scene, pod: Json, choices: Choices) -> list[Field]:
        def chosen(name: str, otherwise: str) -> str:
            return "yes" if choices.get(name, scene.playbook.default(self.id, name, otherwise)) == "yes" else "no"

        found = [
            _toggle(
                EVIDENCE, "evidence first", chosen(EVIDENCE, "yes"), "all that E captures, before anything changes"
            ),
            _toggle(DETACH, "detach", chosen(DETACH, "no"), "out of its services, so that a replacement starts"),
        ]
        if is_labelled(pod):
            found.append(_toggle(MODE, "release it", "no", "out of quarantine instead"))
        return found

    # ------------------------------------------------------------------ acting

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json | Outcome:
        if plan.steps["mode"] == MODE:
            return await release(hands, scene, plan, tell)
        capture = await self._evidence(hands, scene, plan, tell)
        try:
            return await self._contain(hands, scene, plan, tell)
        finally:
            if capture is not None:
                await _finish(*capture, tell)

    async def _evidence(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> tuple[Capture, str] | None:
        """What can be had in time, and why it was cut short. Whatever fails here is told and stops nothing."""
        if plan.steps["evidence"] is None:
            return None
        order = evidence_order.from_steps(plan.steps["evidence"])
        try:
            capture = Capture(scene, order, hands.stamp, tell)
        except CannotKeep as error:
            tell(f"no evidence could be captured: {error}; the quarantine goes on")
            return None
        cut = ""
        try:
            async with asyncio.timeout(EVIDENCE_WITHIN):
                await capture.originals()
        except TimeoutError:
            cut = f"it was cut short after {EVIDENCE_WITHIN:g} s, so that the quarantine need not wait"
            tell(f"evidence: {cut}")
        except Exception as error:  # a fault of ours in reading must not keep a pod connected
            log.exception("evidence for act %s failed", plan.id)
            cut = f"it failed by a fault of its own ({type(error).__name__})"
            tell(f"evidence: {cut}; the quarantine goes on")
        return capture, cut

    async def _contain(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json | Outcome:
        target = plan.target
        created = await ensure_policy(hands, scene, target.namespace, tell)
        metadata = plan.steps["body"]["metadata"]
        annotations = {**(metadata.get("annotations") or {}), **hands.stamp.annotations}
        body = {"metadata": {**metadata, "annotations": annotations}}
        try:
            await patch_unchanged(hands, scene, target, plan.steps["path"], body, MERGE)
        except (Refused, NotSent) as error:
            if not created:
                raise
            text = f"half done: NetworkPolicy {POLICY} was created, but {target} was not labelled, so it is not held"
            return Outcome(verdict=Verdict.FAILED, text=f"{text}: {error}")
        moved = plan.steps["moved"]
        tell(f"{target} is labelled {SELECTOR}{', and detached' if moved else ''}")
        return {"policy": "created" if created else "was there", "label": "set", "moved": moved}

    # ------------------------------------------------------------------ looking

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        if plan.steps["mode"] == MODE:
            return await verify_release(scene, plan)
        outcome = await self._held(scene, plan, tell)
        if plan.steps["evidence"] is None:
            return outcome
        evidence = await reported(evidence_order.from_steps(plan.steps["evidence"]))
        good = evidence.verdict is Verdict.WORKED
        text = f"{outcome.text}; evidence{'' if good else ' is lacking'}: {evidence.text}"
        return Outcome(verdict=outcome.verdict, text=text, evidence={**outcome.evidence, "evidence": evidence.evidence})

    async def _held(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        """Label and policy at once; what others do about it is waited for."""
        target = plan.target
        while True:
            try:
                failed = await _not_held(scene, plan)
                waiting = [] if failed else await _waited_for(scene, plan)
            except ProbeError as error:
                tell(f"cannot look: {error}")
            else:
                if failed:
                    return Outcome(verdict=Verdict.FAILED, text=failed)
                if not waiting:
                    break
                tell(f"waiting: {'; '.join(waiting)}")
            await asyncio.sleep(LOOK_EVERY)
        parts = [f"{target} is labelled {SELECTOR}, and NetworkPolicy {POLICY} denies all to and from it"]
        if services := plan.steps["services"]:
            parts.append(f"out of {', '.join(services)}")
        if replacement := plan.steps["replacement"]:
            parts.append(f"{replacement['owner']} has its {replacement['pods']} pods without it")
        return Outcome(verdict=Verdict.WORKED, text="; ".join(parts))

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        if plan.steps["mode"] == MODE:
            return await release_took_effect(scene, plan)
        policy = await policy_now(scene, plan.target.namespace)
        created = policy is not None and act_of(policy) == plan.id
        try:
            pod = await scene.fetch("Pod", plan.target.namespace, plan.target.name)
        except NotFound:
            return True if created else None
        return created or (is_labelled(pod) and act_of(pod) == plan.id)

    def permissions(self, namespace: str) -> tuple[Need, ...]:
        return (
            Need("patch", "pods", namespace=namespace),
            Need("create", PLURAL, "networking.k8s.io", namespace=namespace),
            Need("delete", PLURAL, "networking.k8s.io", namespace=namespace),
            *evidence_order.reads(namespace),
        )


async def _not_held(scene: Scene, plan: Plan) -> str:
    """Which half of the quarantine is not there, in words; empty if both are. Raises `ProbeError`."""
    target = plan.target
    policy = await policy_now(scene, target.namespace)
    there = policy is not None and denies_all(policy)
    try:
        pod = await scene.fetch("Pod", target.namespace, target.name)
    except NotFound:
        return f"{target} is gone{f'; NetworkPolicy {POLICY} is there' if there else ''}"
    if (pod.get("metadata") or {}).get("uid") != target.uid:
        return f"{target} is another pod now, which is not in quarantine by this act"
    held = is_labelled(pod)
    if held and there:
        left = [key for key in plan.steps["moved"] if key in labels_of(pod)]
        return (
            f"{target} is in quarantine, but not detached: {', '.join(left)} {'is' if len(left) == 1 else 'are'} back"
            if left
            else ""
        )
    if there:
        return f"NetworkPolicy {POLICY} is there, but {target} is not labelled {SELECTOR}: it is not held"
    what = "is not there" if policy is None else "does not deny all"
    return f"{target} is {'' if held else 'not '}labelled {SELECTOR}, and NetworkPolicy {POLICY} {what}: it is not held"


async def _waited_for(scene: Scene, plan: Plan) -> list[str]:
    """What a detached pod's services and owner have yet to do. Raises `ProbeError`."""
    steps, namespace, name = plan.steps, plan.target.namespace, plan.target.name
    waiting = []
    if steps["services"]:
        still = sorted(await services_with(scene, namespace, name) & set(steps["services"]))
        if still:
            waiting.append(f"still an endpoint of {', '.join(still)}")
    if replacement := steps["replacement"]:
        others = await owned(scene, namespace, replacement["selector"], replacement["uid"])
        others = [pod for pod in others if (pod.get("metadata") or {}).get("uid") != plan.target.uid]
        ready = sum(map(is_ready, others))
        if len(others) < replacement["pods"]:
            waiting.append(f"{replacement['owner']} has {len(others)} of {replacement['pods']} pods")
        elif ready < replacement["ready"]:
            waiting.append(f"{ready} of {replacement['ready']} ready in {replacement['owner']}")
    return waiting


async def _finish(capture: Capture, cut: str, tell: Tell) -> None:
    """Redacted copies and the seal: they can wait until the pod is held."""
    try:
        await capture.redact()
        await capture.seal(cut)
    except CannotKeep as error:
        tell(f"the evidence in {capture.order.folder} has no manifest: {error}")


def _toggle(name: str, label: str, value: str, hint: str) -> Field:
    return Field(id=name, label=label, kind="toggle", value=value, hint=hint)
