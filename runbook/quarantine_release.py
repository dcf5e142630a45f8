"""Out of quarantine: the label goes, detached labels come back, and so does the traffic. How a quarantine is undone."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from probes.errors import NotFound, ProbeError
from runbook import preflight
from runbook import quarantine_findings as findings
from runbook.diffs import hunk
from runbook.errors import NotSent, Refused
from runbook.media import MERGE
from runbook.plan import Aim, Diff, Field, Finding, Json, Level, Need, Outcome, Plan, Recipe, Target, Undo, Verdict
from runbook.precondition import patch_unchanged
from runbook.quarantine_place import Place, look_around, names, overwrite, patched
from runbook.quarantine_policy import (
    LABEL,
    PLURAL,
    POLICY,
    SELECTOR,
    act_of,
    is_labelled,
    labels_of,
    policy_now,
    policy_path,
)
from runbook.rehearsals import COMPUTED, DRY_RUN, rehearsed
from runbook.scene import api_path
from runbook.stamps import new_act

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.mitigation import Tell
    from runbook.scene import Scene

KEPT = "warroom/quarantine-labels"  # annotation: the labels that were moved, as JSON
MODE = "release"  # of a plan's steps

_GONE = 404


async def release_plan(scene: Scene, mitigation: str, aim: Aim, target: Target, pod: Json, field: Field) -> Plan:
    """What letting the pod go again comes to."""
    namespace, name = target.namespace, target.name
    place = await look_around(scene, namespace, pod)
    kept = kept_labels(pod)
    body = _body(kept)
    path = api_path("v1", namespace, "pods", name)
    policy, fate = _fate(place)
    needs = [Need("patch", "pods", namespace=namespace)]
    if policy:
        needs.append(Need("delete", PLURAL, "networking.k8s.io", namespace=namespace))
    allowed, (after, refused) = await asyncio.gather(
        preflight.allowed(scene, needs), rehearsed(scene.rehearsal.patch(path, body, MERGE))
    )
    found = [allowed, preflight.fresh(scene, ("pods",)), *_nothing(place, policy), fate]
    found += [*findings.coming_back(place.owner, kept), *refused, *preflight.others(scene, pod)]
    hunks = [hunk(pod, after or patched(pod, body))]
    if policy:
        assert isinstance(place.policy, dict)
        hunks.append(hunk(place.policy, None, f"NetworkPolicy/{POLICY}"))
    again = {"detach": "yes"} if kept else {}
    return Plan(
        id=new_act(),
        mitigation=mitigation,
        title=f"Release {target} from quarantine",
        verb="Release",
        remark="traffic to and from it flows again",
        target=target,
        commands=_commands(namespace, name, kept, overwrite(place.labels, kept), bool(policy)),
        diff=Diff(hunks=tuple(filter(None, hunks)), source=DRY_RUN if after else COMPUTED),
        findings=tuple(found),
        fields=(field,),
        choices={field.id: field.value},
        steps={"mode": MODE, "path": path, "body": body, "policy": policy},
        needs=tuple(needs),
        verified_by=f"the label is gone{' · the policy is gone' if policy else ''}",
        undo=Undo("put it in quarantine again", Recipe(mitigation=mitigation, aim=aim, choices=again)),
        blast="1 pod",
    )


async def release(hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json | Outcome:
    """The label first: a policy that nobody is labelled for does no harm. Raises as writes do."""
    target, steps = plan.target, plan.steps
    body = {**steps["body"]}
    annotations = {**(body["metadata"].get("annotations") or {}), **hands.stamp.annotations}
    body["metadata"] = {**body["metadata"], "annotations": annotations}
    await patch_unchanged(hands, scene, target, steps["path"], body, MERGE)
    tell(f"{target} is not labelled {SELECTOR} any more")
    if not steps["policy"]:
        return {"label": "removed", "policy": "kept"}
    try:
        others = await labelled(scene, target.namespace)
        if others:
            tell(f"NetworkPolicy {POLICY} stays: {findings.some(others)} came into quarantine meanwhile")
            return {"label": "removed", "policy": "kept"}
        await hands.delete(policy_path(target.namespace), uid=steps["policy"])
    except (Refused, NotSent, ProbeError) as error:
        if not (isinstance(error, Refused) and error.status == _GONE):
            text = f"half done: {target} is released, but NetworkPolicy {POLICY} is still there: {error}"
            return Outcome(verdict=Verdict.FAILED, text=text)
    tell(f"NetworkPolicy {POLICY} deleted")
    return {"label": "removed", "policy": "deleted"}


async def verify_release(scene: Scene, plan: Plan) -> Outcome:
    target = plan.target
    try:
        pod = await scene.fetch("Pod", target.namespace, target.name)
    except NotFound:
        text = "released, and gone since: its owner may have had one pod too many"
        return Outcome(verdict=Verdict.WORKED, text=text)
    if is_labelled(pod):
        return Outcome(verdict=Verdict.FAILED, text=f"{target} is still labelled {SELECTOR}")
    missing = [key for key in _restored(plan) if key not in labels_of(pod)]
    if missing:
        return Outcome(
            verdict=Verdict.FAILED, text=f"{target} is released, without its labels {findings.some(missing)}"
        )
    if plan.steps["policy"]:
        policy = await policy_now(scene, target.namespace)
        if policy is not None and not await labelled(scene, target.namespace):
            text = f"{target} is released, but NetworkPolicy {POLICY} is still there, though nobody has the label"
            return Outcome(verdict=Verdict.FAILED, text=text)
        stays = "stays for others" if policy is not None else "is gone"
        return Outcome(verdict=Verdict.WORKED, text=f"{target} is released, and NetworkPolicy {POLICY} {stays}")
    return Outcome(verdict=Verdict.WORKED, text=f"{target} is released; NetworkPolicy {POLICY} was not touched")


async def release_took_effect(scene: Scene, plan: Plan) -> bool | None:
    try:
        pod = await scene.fetch("Pod", plan.target.namespace, plan.target.name)
    except NotFound:
        return None
    return act_of(pod) == plan.id and not is_labelled(pod)


async def labelled(scene: Scene, namespace: str) -> list[str]:
    """The pods in quarantine. Raises `ProbeError`."""
    return names(await scene.items(("v1",), namespace, "pods", SELECTOR))


def kept_labels(pod: Json) -> dict[str, str]:
    """The labels that a quarantine moved away; none if the annotation is not what we write."""
    text = ((pod.get("metadata") or {}).get("annotations") or {}).get(KEPT)
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, str])
    except (msgspec.DecodeError, TypeError):
        return {}


def _body(kept: Mapping[str, str]) -> Json:
    return {"metadata": {"labels": {**kept, LABEL: None}, "annotations": {KEPT: None}}}


def _restored(plan: Plan) -> list[str]:
    labels: dict[str, Any] = plan.steps["body"]["metadata"]["labels"]
    return [key for key, value in labels.items() if value is not None]


def _fate(place: Place) -> tuple[str, Finding]:
    """The policy's UID if it is to be deleted, and what becomes of it in words."""
    policy, others = place.policy, place.quarantined
    if isinstance(policy, ProbeError):
        return "", Finding("policy", Level.AMBER, f"NetworkPolicy {POLICY} stays: it cannot be read: {policy}")
    if policy is None:
        return "", Finding("policy", Level.GREEN, f"there is no NetworkPolicy {POLICY}")
    if isinstance(others, ProbeError):
        text = f"NetworkPolicy {POLICY} stays: who else is in quarantine is not known: {others}"
        return "", Finding("policy", Level.AMBER, text)
    if others:
        text = f"NetworkPolicy {POLICY} stays: {findings.some(others)} {'is' if len(others) == 1 else 'are'} held by it"
        return "", Finding("policy", Level.GREEN, text)
    if not act_of(policy):
        text = f"NetworkPolicy {POLICY} stays: it was not made by this console"
        return "", Finding("policy", Level.GREEN, text)
    uid = str((policy.get("metadata") or {}).get("uid", ""))
    return uid, Finding(
        "policy", Level.GREEN, f"NetworkPolicy {POLICY} goes: it is ours, and nobody else has the label"
    )


def _nothing(place: Place, policy: str) -> list[Finding]:
    if is_labelled(place.pod) or kept_labels(place.pod) or policy:
        return []
    return [Finding("quarantined", Level.RED, "it is not in quarantine", "there is nothing to release")]


def _commands(
    namespace: str, name: str, kept: Mapping[str, str], overwriting: tuple[str, ...], policy: bool
) -> tuple[str, ...]:
    inside = ("-n", namespace)
    labels = [f"{key}={value}" for key, value in kept.items()]
    found = [["kubectl", "label", "pod", name, *inside, *overwriting, f"{LABEL}-", *labels]]
    if kept:
        found.append(["kubectl", "annotate", "pod", name, *inside, f"{KEPT}-"])
    if policy:
        found.append(["kubectl", "delete", "networkpolicy", POLICY, *inside])
    return tuple(map(shlex.join, found))
