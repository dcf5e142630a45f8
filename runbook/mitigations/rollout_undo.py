"""Undo a rollout without Helm: ``kubectl rollout undo --to-revision``, back to a template that the cluster still keeps.

What is sent is what kubectl sends
(https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollback.go), on condition that nobody changed
the workload meanwhile.
"""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace

from probes.errors import ProbeError
from runbook import preflight
from runbook.diffs import hunk
from runbook.errors import NoPlan, NotSent
from runbook.media import JSON_PATCH, STRATEGIC
from runbook.mitigation import Choices, Tell
from runbook.plan import Aim, Field, Finding, Json, Level, Need, Outcome, Plan, Recipe, Undo, Verdict
from runbook.precondition import json_patch_unchanged, patch_unchanged
from runbook.rehearsals import COMPUTED, DRY_RUN, difference, rehearsed
from runbook.replacing import Replacement, Replacing, replacement_of
from runbook.revisions import KEPT, Revision, images_of, revision_again, revisions_of
from runbook.stamps import ACT, INCIDENT, new_act
from runbook.verification import checks, settled, unwell
from runbook.workloads import PLURALS, workload_aim, workload_of, workload_path

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene


class RolloutUndo(Replacing):
    label: ClassVar[str] = "undo rollout"
    sentence: ClassVar[str] = "Undo a rollout without Helm: back to an earlier revision of a workload's pods"

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        kind, name = workload_of(aim)
        namespace = aim.namespace
        target, obj = await scene.found(aim, kind, namespace, name, self.relies_on)
        path = workload_path(kind, namespace, name)
        needs = (
            Need("patch", PLURALS[kind], "apps", namespace=namespace),
            Need("list", _keepers(kind), "apps", namespace=namespace),
            Need("get", _keepers(kind), "apps", namespace=namespace),
        )
        allowing = asyncio.create_task(preflight.allowed(scene, needs))
        try:
            current, field, chosen = await _choice(scene, obj, choices)
            (after, said), going = await asyncio.gather(
                rehearsed(scene.rehearsal.patch(path, _body(obj, chosen), _media(kind))),
                replacement_of(scene, obj),
            )
        finally:
            allowed = await allowing
        wanted = going.rollout.wanted
        command = ["kubectl", "rollout", "undo", str(target), f"--to-revision={chosen.number}", "-n", namespace]
        return Plan(
            id=new_act(),
            mitigation=self.id,
            title=f"Undo the rollout of {target}: back to revision {chosen.number}",
            verb="Undo rollout",
            remark=going.remark,
            target=target,
            commands=(shlex.join(command),),
            diff=difference(
                hunk(obj, _computed(obj, chosen) if after is None else after), COMPUTED if after is None else DRY_RUN
            ),
            findings=(
                allowed,
                preflight.fresh(scene, self.SEEN_BY),
                *said,
                *_owned_by_helm(obj),
                *_waits_for_broken(obj, going),
                *going.findings,
            ),
            fields=(field,),
            choices={"revision": field.value},
            steps={
                "path": path,
                "revision": chosen.number,
                "kept": {"path": chosen.path, "uid": chosen.uid, "digest": chosen.digest},
                "images": list(chosen.images),
                "unwell": list(unwell(scene)),
            },
            needs=needs,
            verified_by=checks(scene, f"{wanted} of {wanted} ready on {_images(chosen)}", "no new warnings"),
            undo=_undo(self.id, workload_aim(target), current),
            blast=going.blast,
            wide=going.wide,
        )

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json:
        target, steps = plan.target, plan.steps
        kept = steps["kept"]
        try:  # read again, and not kept in the plan: a template may hold what should not be on the timeline
            revision = await revision_again(scene, target.namespace, kept["path"], kept["uid"], kept["digest"])
        except ProbeError as error:
            why = f"nothing was sent: revision {steps['revision']} cannot be read: {error}"
            raise NotSent(why, error.hint) from error
        stamp = hands.stamp.annotations
        if target.kind == "Deployment":
            answer = await json_patch_unchanged(
                hands, scene, target, steps["path"], lambda obj: _operations(obj, revision, stamp)
            )
        else:
            body = {**_template_patch(revision), "metadata": {"annotations": stamp}}
            answer = await patch_unchanged(hands, scene, target, steps["path"], body, STRATEGIC)
        tell("accepted by the API server")
        return {"generation": (answer.get("metadata") or {}).get("generation")}

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        target = plan.target
        outcome = await settled(
            scene,
            [(target.kind, target.namespace, target.name)],
            tell,
            unhealthy_before=plan.steps.get("unwell", ()),
            since=scene.now(),  # and not the plan's instant: until now, it was the other rollout that made pods
        )
        obj = await scene.fetch(target.kind, target.namespace, target.name)
        runs = images_of((obj.get("spec") or {}).get("template") or {})
        if list(runs) != plan.steps["images"]:
            text = f"somebody changed it meanwhile: it runs {', '.join(map(_short, runs))}; {outcome.text}"
            return replace(outcome, verdict=Verdict.FAILED, text=text)
        return outcome

    def permissions(self, namespace: str) -> tuple[Need, ...]:
        return (
            *(Need("patch", plural, "apps", namespace=namespace) for plural in PLURALS.values()),
            *(
                Need(verb, keepers, "apps", namespace=namespace)
                for keepers in ("replicasets", "controllerrevisions")
                for verb in ("get", "list")
            ),
        )


def _keepers(kind: str) -> str:
    return "replicasets" if kind == "Deployment" else "controllerrevisions"


async def _choice(scene: Scene, workload: Json, choices: Choices) -> tuple[Revision | None, Field, Revision]:
    """(the revision that it runs, the field to choose another, the one that is chosen)."""
    try:
        revisions = await revisions_of(scene, workload)
    except ProbeError as error:
        raise NoPlan(f"its revisions are not known: {error}", error.hint) from error
    current = next((one for one in revisions if one.current), None)
    others = [one for one in revisions if not one.current]
    if not others:
        raise NoPlan("no earlier revision is kept: there is nothing to go back to", "see its revisionHistoryLimit")
    numbers = {str(one.number): one for one in others}
    wanted = choices.get("revision", str(others[0].number))
    if wanted not in numbers:
        raise NoPlan(f"revision {wanted[:20]} is not kept; there are {', '.join(numbers)}")
    field = Field(
        id="revision",
        label="revision",
        kind="choice",
        value=wanted,
        options=tuple((number, _described(one, current, scene.now())) for number, one in numbers.items()),
        hint=f"now {current.number}: {_images(current)}" if current else "",
    )
    return current, field, numbers[wanted]


def _described(revision: Revision, current: Revision | None, now: float) -> str:
    """``4 · payment-service:1.4.0 · first made 3 d ago · helm upgrade``."""
    same = " (as now)" if current is not None and current.images == revision.images else ""
    made = f"first made {_ago(now - revision.made_at)}" if revision.made_at is not None else ""
    return " · ".join(filter(None, (str(revision.number), _images(revision) + same, made, revision.cause[:80])))


def _images(revision: Revision) -> str:
    return ", ".join(map(_short, revision.images))


def _short(image: str) -> str:
    """An image without its registry: ``payment-service:1.4.0``; of a digest the beginning."""
    name, at, digest = image.rpartition("/")[2].partition("@")
    return f"{name}{at}{digest[:19]}"


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"


def _media(kind: str) -> str:
    return JSON_PATCH if kind == "Deployment" else STRATEGIC


def _body(workload: Json, revision: Revision) -> Json | list[Json]:
    """What is rehearsed: the act without its stamp."""
    if workload.get("kind") != "Deployment":
        return _template_patch(revision)
    had = (workload.get("metadata") or {}).get("annotations") or {}
    return _operations(workload, revision, {key: had[key] for key in (INCIDENT, ACT) if key in had})


def _operations(workload: Json, revision: Revision, stamp: dict[str, str]) -> list[Json]:
    """What kubectl does to a Deployment, with our stamp on it. ``add`` replaces what is there, too."""
    had = (workload.get("metadata") or {}).get("annotations") or {}
    annotations = {key: had[key] for key in KEPT if key in had} | revision.annotations | stamp
    return [
        {"op": "replace", "path": "/spec/template", "value": revision.template},
        {"op": "add", "path": "/metadata/annotations", "value": annotations},
    ]


def _template_patch(revision: Revision) -> Json:
    """What kubectl sends to a StatefulSet or DaemonSet, and what its ControllerRevision holds."""
    return {"spec": {"template": {**revision.template, "$patch": "replace"}}}


def _computed(workload: Json, revision: Revision) -> Json:
    return {**workload, "spec": {**(workload.get("spec") or {}), "template": revision.template}}


def _undo(mitigation: str, aim: Aim, current: Revision | None) -> Undo:
    if current is None:
        return Undo("what it runs now is in no revision, so it would have to be rolled out anew")
    recipe = Recipe(mitigation=mitigation, aim=aim, choices={"revision": str(current.number)})
    return Undo(f"go forward again to revision {current.number}", recipe)


def _owned_by_helm(workload: Json) -> list[Finding]:
    metadata = workload.get("metadata") or {}
    release = (metadata.get("annotations") or {}).get("meta.helm.sh/release-name", "")
    labelled = (metadata.get("labels") or {}).get("app.kubernetes.io/managed-by") == "Helm"
    if not release and not labelled:
        return []
    named = f" (release {release})" if release else ""
    text = f"Helm owns it{named}: the next helm upgrade will bring back what its chart says"
    return [Finding("helm", Level.AMBER, text, "B rolls the release back instead")]


def _waits_for_broken(workload: Json, going: Replacement) -> list[Finding]:
    """An ordered StatefulSet waits for a broken pod for ever, even when the template is good again.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
    """
    spec = workload.get("spec") or {}
    if workload.get("kind") != "StatefulSet" or spec.get("podManagementPolicy") == "Parallel":
        return []
    if going.rollout.ready >= min(len(going.pods), going.rollout.wanted):
        return []
    text = "it waits for pods that are not ready instead of replacing them"
    return [Finding("ordered", Level.AMBER, text, "delete the broken pod afterwards (K)")]
