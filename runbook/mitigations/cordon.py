"""Cordon a node, uncordon it, or drain it: cordon it and evict what runs there, as far as disruption budgets allow."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from msgspec import to_builtins
from msgspec.structs import replace

from probes.errors import NotFound, ProbeError
from runbook import draining, preflight
from runbook.diffs import hunk
from runbook.draining import counted, named
from runbook.errors import NoPlan
from runbook.evicting import Evictor, eviction_version, undisturbed
from runbook.media import MERGE
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.nodes import (
    PATH,
    OnNode,
    illness,
    is_cordoned,
    place_of,
    pods_on,
    room_elsewhere,
    sorted_out,
)
from runbook.plan import Aim, Diff, Field, Finding, Json, Level, Need, Outcome, Plan, Recipe, Target, Undo, Verdict
from runbook.precondition import patch_unchanged
from runbook.rehearsals import COMPUTED, DRY_RUN, difference, rehearsed
from runbook.stamps import ACT, new_act
from runbook.verification import LOOK_EVERY, checks, unwell
from runbook.workloads import workload_aim

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

CORDON, UNCORDON, DRAIN = "cordon", "uncordon", "drain"
SAYS = {
    CORDON: "cordon: no new pods",
    UNCORDON: "uncordon: new pods again",
    DRAIN: "drain: evict its pods, too",
}
YES, NO = "yes", "no"
LOOKS = 2


class Cordon(Mitigation):
    label: ClassVar[str] = "cordon"
    sentence: ClassVar[str] = "Cordon a node, so that it takes no new pods; uncordon it; or drain it"
    stoppable: ClassVar[bool] = True  # between two evictions

    def refuses(self, aim: Aim) -> str:
        return "" if aim.kind == "Node" else "not a node"

    def relies_on(self, obj: Json) -> object:
        """Only the cordon: labels, annotations and taints of a node change by themselves."""
        return [is_cordoned(obj), (obj.get("metadata") or {}).get("deletionTimestamp")]

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        target, node = await scene.found(aim, "Node", "", aim.name, self.relies_on)
        cordoned = is_cordoned(node)
        offered = (UNCORDON, DRAIN) if cordoned else (CORDON, DRAIN)
        act = choices.get("act") or offered[0]
        if act not in offered:
            already = f"{target} is {'cordoned' if cordoned else 'not cordoned'} already"
            raise NoPlan(already if act in SAYS else f"{act!r} cannot be done to a node")
        pods, room, (after, said), version = await asyncio.gather(
            _pods(scene, aim.name),
            room_elsewhere(scene, aim.name, drain=act == DRAIN),
            rehearsed(scene.rehearsal.patch(_path(aim.name), _body(act))),
            eviction_version(scene),
        )
        change = hunk(node, _changed(node, act) if after is None else after)
        plan = Plan(
            id=new_act(),
            mitigation=self.id,
            title=f"{act.capitalize()} {target}",
            verb=act.capitalize(),
            target=target,
            commands=(),
            diff=difference(change, COMPUTED if after is None else DRY_RUN),
            findings=(preflight.fresh(scene, ("nodes", "pods")), *said, *_alone(scene, node)),
            fields=(
                Field(
                    id="act",
                    label="act",
                    kind="choice",
                    value=act,
                    options=tuple((one, SAYS[one]) for one in offered),
                ),
            ),
            choices={"act": act},
            steps={"act": act, "path": _path(aim.name)},
        )
        there = sorted_out(pods or ())
        if act == DRAIN:
            return await _drain_plan(scene, plan, there, room, cordoned, version, choices, known=pods is not None)
        needs = (Need("patch", "nodes"),)
        running = () if pods is None else (*there.going, *there.leaving)
        return replace(
            plan,
            commands=(shlex.join(["kubectl", act, aim.name]),),
            remark=_remark(node, cordoned),
            findings=(
                await preflight.allowed(scene, needs),
                *plan.findings,
                *([room] if act == CORDON else _unwell(node)),
                _running(pods, there),
            ),
            needs=needs,
            verified_by="spec.unschedulable is as it was asked for",
            undo=_undo(self.id, target, UNCORDON if act == CORDON else CORDON),
            blast="no pod is touched" if act == CORDON else "nothing moves by itself",
            reaches=draining.reaches(running),
        )

    # ------------------------------------------------------------------ the act

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json | Outcome:
        act, node = plan.steps["act"], plan.target.name
        body = _body(act) | {"metadata": {"annotations": hands.stamp.annotations}}
        _, stopped = await undisturbed(
            patch_unchanged(hands, scene, plan.target, plan.steps["path"], body, MERGE, relies_on=self.relies_on)
        )
        if act != DRAIN:
            tell(f"{node} is {act}ed")
            return {"unschedulable": act == CORDON}
        victims = plan.steps["pods"]
        tell(f"{node} is cordoned; {counted(len(victims))} to evict")
        evictor = Evictor(hands, plan.steps["eviction"], [(one[0], one[1], one[2]) for one in victims], tell)
        if stopped:
            evictor.stop()
        await evictor.see_out(scene.playbook.within(self.id))
        tally = evictor.tally
        receipt: Json = to_builtins(tally)
        left = len(victims) - len(tally.evicted) - len(tally.gone)
        if evictor.stopped and left:
            text = f"{node} stays cordoned; {len(tally.evicted)} of {counted(len(victims))} evicted, {left} not"
            return Outcome(verdict=Verdict.CANCELLED, text=text, evidence={"did": receipt})
        return receipt

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        node = await scene.fetch("Node", "", plan.target.name)
        ours = ((node.get("metadata") or {}).get("annotations") or {}).get(ACT) == plan.id
        return ours and is_cordoned(node) == (plan.steps["act"] != UNCORDON)

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        name, wanted = plan.target.name, plan.steps["act"] != UNCORDON
        looks = 0  # in a row that found a drain done: a controller may not have counted yet what just went
        while True:
            try:
                node = await scene.fetch("Node", "", name)
                if is_cordoned(node) != wanted:
                    text = f"somebody {'uncordoned' if wanted else 'cordoned'} {name} meanwhile"
                    return Outcome(verdict=Verdict.FAILED, text=text)
                outcome = await _emptied(scene, plan, tell) if plan.steps["act"] == DRAIN else _said(plan, node)
                looks = looks + 1 if outcome is not None else 0
                if outcome is not None and (looks == LOOKS or plan.steps["act"] != DRAIN):
                    return outcome
            except NotFound:
                return Outcome(verdict=Verdict.UNKNOWN, text=f"{name} is not there any more")
            except ProbeError as error:
                tell(f"cannot look: {error}")
            await asyncio.sleep(LOOK_EVERY)

    def permissions(self, namespace: str) -> tuple[Need, ...]:
        return Need("patch", "nodes"), Need("create", "pods", "", "eviction", namespace)


# ---------------------------------------------------------------------- planning


async def _drain_plan(
    scene: Scene,
    plan: Plan,
    there: OnNode,
    room: Finding,
    cordoned: bool,
    version: str,
    choices: Choices,
    *,
    known: bool,
) -> Plan:
    target, within = plan.target, scene.playbook.within(plan.mitigation)
    going = there.going
    unmanaged, scratch = choices.get("unmanaged", NO) == YES, choices.get("emptydir", NO) == YES
    spaces = draining.reaches(going)
    needs = (Need("patch", "nodes"), *(Need("create", "pods", "", "eviction", space) for space in spaces))
    allowed, budgets, endpoints, standings = await asyncio.gather(
        preflight.allowed(scene, needs),
        draining.budgets(scene, version, going, within),
        draining.endpoints(scene, going),
        draining.standings(scene, going),
    )
    workloads = len(draining.workloads_of(going))
    stays = f"{there.staying} stay" if there.staying else ""
    leaving = f"{counted(len(there.leaving))} already on the way out" if there.leaving else ""
    flags = ["--force"] * unmanaged + ["--delete-emptydir-data"] * scratch
    back = _undo(
        plan.mitigation, target, UNCORDON, "uncordons it; the evicted pods do not come back to it by themselves"
    )
    return replace(
        plan,
        title=f"Drain {target}: evict {counted(len(going))}",
        remark=", ".join(filter(None, (stays, leaving))),
        commands=(
            shlex.join(["kubectl", "drain", target.name, "--ignore-daemonsets", *flags, f"--timeout={within:g}s"]),
        ),
        diff=Diff(hunks=(*plan.diff.hunks, *draining.hunks(going)), source=plan.diff.source),
        findings=(
            allowed,
            *plan.findings,
            *([] if known else [_unseen()]),
            room,
            *draining.consents(there, unmanaged=unmanaged, scratch=scratch),
            *budgets,
            *endpoints,
        ),
        fields=(*plan.fields, *_consents(there, unmanaged=unmanaged, scratch=scratch)),
        choices={**plan.choices, "unmanaged": YES if unmanaged else NO, "emptydir": YES if scratch else NO},
        steps={
            **plan.steps,
            "eviction": version,
            "pods": [[str(pod["metadata"].get(key, "")) for key in ("namespace", "name", "uid")] for pod in going],
            "workloads": standings,
            "unwell": list(unwell(scene)),
        },
        needs=needs,
        verified_by=checks(scene, "the pods are gone", "their workloads have as many ready pods as before"),
        undo=back if not cordoned else Undo("it was cordoned before and stays so; the evicted pods do not come back"),
        blast=f"{counted(len(going))} of {counted(workloads, 'workload')} in {counted(len(spaces), 'namespace')}",
        wide=True,
        reaches=spaces,
    )


def _path(name: str) -> str:
    return PATH + quote(name, safe="")


def _body(act: str) -> Json:
    return {"spec": {"unschedulable": None if act == UNCORDON else True}}  # as kubectl sends it


def _changed(node: Json, act: str) -> Json:
    spec = {key: value for key, value in (node.get("spec") or {}).items() if key != "unschedulable"}
    return {**node, "spec": spec if act == UNCORDON else {**spec, "unschedulable": True}}


def _undo(mitigation: str, target: Target, act: str, words: str = "") -> Undo:
    return Undo(words or f"{act}s it", Recipe(mitigation=mitigation, aim=workload_aim(target), choices={"act": act}))


async def _pods(scene: Scene, node: str) -> list[Json] | None:
    try:
        return await pods_on(scene, node)
    except ProbeError:
        return None


def _running(pods: list[Json] | None, there: OnNode) -> Finding:
    if pods is None:
        return Finding("pods", Level.AMBER, "which pods run there is not known: they cannot be listed everywhere")
    others = f", and {there.staying}" if there.staying else ""
    return Finding("pods", Level.GREEN, f"{counted(len(there.going))} run there and go on{others}")


def _unseen() -> Finding:
    text = "which pods would be evicted is not known: the pods of all namespaces cannot be listed"
    return Finding("pods", Level.RED, text, "kubectl auth can-i list pods --all-namespaces")


def _consents(there: OnNode, *, unmanaged: bool, scratch: bool) -> tuple[Field, ...]:
    found = []
    if there.unmanaged:
        label, hint = "unmanaged pods", f"evict {counted(len(there.unmanaged))} that nothing makes anew"
        found.append(Field(id="unmanaged", label=label, kind="toggle", value=YES if unmanaged else NO, hint=hint))
    if there.scratch:
        label, hint = "emptyDir data", f"lose the data of {counted(len(there.scratch))}"
        found.append(Field(id="emptydir", label=label, kind="toggle", value=YES if scratch else NO, hint=hint))
    return tuple(found)


def _alone(scene: Scene, node: Json) -> list[Finding]:
    """Who else changed its spec; its kubelet and the node controller write the rest all the time."""
    metadata = node.get("metadata") or {}
    entries = [entry for entry in metadata.get("managedFields") or () if "f:spec" in (entry.get("fieldsV1") or {})]
    return preflight.others(scene, {**node, "metadata": {**metadata, "managedFields": entries}})


def _unwell(node: Json) -> list[Finding]:
    sick = illness(node)
    return [Finding("health", Level.AMBER, f"the node is not well: {sick}")] if sick else []


def _remark(node: Json, cordoned: bool) -> str:
    sick = illness(node)
    return ", ".join(filter(None, ("cordoned now" if cordoned else "takes pods now", sick)))


# ---------------------------------------------------------------------- verifying


def _said(plan: Plan, node: Json) -> Outcome:
    name = plan.target.name
    if plan.steps["act"] == CORDON:
        return Outcome(verdict=Verdict.WORKED, text=f"{name} takes no new pods; those that run there go on")
    sick = illness(node)
    tail = f", once it is well ({sick})" if sick else ""
    return Outcome(verdict=Verdict.WORKED, text=f"{name} takes new pods again{tail}; none moves back by itself")


async def _emptied(scene: Scene, plan: Plan, tell: Tell) -> Outcome | None:
    """How a drain stands; None while pods are on their way out or up. It sends nothing, whoever it is that looks."""
    name, victims = plan.target.name, plan.steps["pods"]
    pods = await pods_on(scene, name)
    leaving, left = draining.left_over(victims, pods)
    gone = len(victims) - len(leaving) - len(left)
    done = f"{gone} of {counted(len(victims))} gone"
    if leaving:
        tell(f"{done}, {len(leaving)} stopping: {named([*map(place_of, leaving)])}")
        return None
    planned = {one[2] for one in victims}
    later = [place_of(pod) for pod in sorted_out(pods).going if pod["metadata"].get("uid") not in planned]
    stay = "stays" if len(later) == 1 else "stay"
    came = f"; {counted(len(later))} came after the plan was shown and {stay}: {named(later)}" if later else ""
    if left:
        text = (
            f"{name} is cordoned, {done}, {len(left)} left: {named([*map(place_of, left)])}{came}; "
            "nothing more is evicted until there is a new plan"
        )
        return Outcome(verdict=Verdict.FAILED, text=text)
    waiting = await draining.behind(scene, plan.steps["workloads"])
    waiting += [said for url, said in unwell(scene).items() if url not in plan.steps.get("unwell", ())]
    if waiting:
        tell(f"{done}; not as before: {named(waiting)}")
        return None
    done = f"{done}; their workloads are as ready as before" if victims else "nothing was there to evict"
    text = f"{name} is cordoned, {done}{came}"
    return Outcome(verdict=Verdict.WORKED, text=text)
