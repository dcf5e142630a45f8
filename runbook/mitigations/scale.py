"""Scale a workload: ``kubectl scale``. The runbook, Phase 3, "Service Recovery".

It starts at the number there is, so that a key too many changes nothing; going to nothing has words of its own.
"""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace

from probes.errors import ProbeError
from runbook import preflight
from runbook.answers import number_in
from runbook.diffs import hunk
from runbook.media import MERGE
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.plan import Aim, Field, Finding, Json, Level, Need, Outcome, Plan, Recipe, Undo, Verdict
from runbook.precondition import patch_unchanged
from runbook.rehearsals import COMPUTED, DRY_RUN, difference, rehearsed
from runbook.room import room_for
from runbook.stamps import is_ours, new_act
from runbook.verification import all_gone, checks, rollout_of, settled, unwell
from runbook.workloads import (
    PLURALS,
    names_of,
    refuse_no_workload,
    template_labels,
    to_go_first,
    workload_aim,
    workload_of,
    workload_path,
)

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

SCALED = ("Deployment", "StatefulSet")
MOST = 1000  # replicas, unless there are more already
A_LEAP = 5  # times as many pods as now is more often a slip of the finger than a wish


class Scale(Mitigation):
    label: ClassVar[str] = "scale"
    sentence: ClassVar[str] = "Scale a workload: more pods, fewer, or none"

    def refuses(self, aim: Aim) -> str:
        if workload_of(aim)[0] == "DaemonSet":
            return "a DaemonSet has one pod on each node and cannot be scaled"
        return refuse_no_workload(aim)

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        kind, name = workload_of(aim)
        namespace = aim.namespace
        target, obj = await scene.found(aim, kind, namespace, name, self.relies_on)
        now = replicas_of(obj)
        # Never what the runbook file says: the number that is there is the only one that nobody has to think about.
        field = Field(
            id="replicas", label="replicas", kind="number", value=str(now), hint=f"now {now}", most=max(MOST, now)
        )
        field, answer, wrong = number_in(field, choices)
        wanted = now if answer is None else answer
        path = workload_path(kind, namespace, name, "scale")
        needs = (Need("patch", PLURALS[kind], "apps", "scale", namespace),)
        (pods, unknown), allowed, (after, said), scalers, budgets = await asyncio.gather(
            preflight.pods_hit(scene, obj),
            preflight.allowed(scene, needs),
            rehearsed(scene.rehearsal.patch(path, _body(wanted))),
            _autoscaler(scene, kind, namespace, name, wanted),
            _budgets(scene, obj, now - wanted),
        )
        endpoints: list[Finding] = []
        if wanted < now:
            going = names_of(to_go_first(kind, pods)[: now - wanted])
            endpoints = await preflight.endpoints_left(scene, namespace, going)
        counted = replace_replicas(obj, wanted if after is None else int((after.get("spec") or {}).get("replicas", 0)))
        rollout = rollout_of(obj)
        return Plan(
            id=new_act(),
            mitigation=self.id,
            title=f"Scale {target} to {wanted}",
            verb="Scale",
            remark=f"{rollout.ready} of {rollout.wanted} ready now",
            target=target,
            commands=(shlex.join(["kubectl", "scale", str(target), f"--replicas={wanted}", "-n", namespace]),),
            diff=difference(hunk(obj, counted), COMPUTED if after is None else DRY_RUN),
            findings=(
                *wrong,
                *([] if wrong else _change(now, wanted)),
                allowed,
                preflight.fresh(scene, ("pods", "workloads", "events")),
                *said,
                *unknown,
                *scalers,
                *endpoints,
                *budgets,
                *(room_for(scene, obj, pods, wanted) if wanted > now else []),
                *preflight.reverted_by(obj),
                *preflight.others(scene, obj),
            ),
            fields=(field,),
            choices={"replicas": field.value},
            steps={"path": path, "replicas": wanted, "before": now, "unwell": list(unwell(scene))},
            needs=needs,
            verified_by=(
                checks(scene, f"{wanted} of {wanted} ready", "no new warnings") if wanted else "no pod is left"
            ),
            undo=Undo(
                f"scale back to {now}",
                Recipe(mitigation=self.id, aim=workload_aim(target), choices={"replicas": str(now)}),
            ),
            phrase=f"scale {name} to 0" if wanted == 0 and now else "",
            blast=_blast(now, wanted),
            wide=wanted < now and (wanted == 0 or (now - wanted) * 2 > now),
        )

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json:
        body = _body(plan.steps["replicas"])
        answer = await patch_unchanged(hands, scene, plan.target, plan.steps["path"], body, MERGE)
        tell("accepted by the API server")
        return {"replicas": (answer.get("spec") or {}).get("replicas", 0)}

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        target, wanted = plan.target, plan.steps["replicas"]
        workload = (target.kind, target.namespace, target.name)
        if wanted == 0:
            outcome = await all_gone(scene, workload, tell)
        else:
            unwell_before = plan.steps.get("unwell", ())
            outcome = await settled(scene, [workload], tell, unhealthy_before=unwell_before, since=plan.made_at)
        obj = await scene.fetch(target.kind, target.namespace, target.name)
        if replicas_of(obj) != wanted:
            text = f"{_setter(obj) or 'somebody'} set it to {replicas_of(obj)} meanwhile; {outcome.text}"
            return replace(outcome, verdict=Verdict.FAILED, text=text)
        return outcome

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        """The number alone could be somebody else's. Servers before 1.22 do not say who scaled: there it stays open."""
        obj = await scene.fetch(plan.target.kind, plan.target.namespace, plan.target.name)
        now = replicas_of(obj)
        if now == plan.steps["replicas"]:
            return True if is_ours(_setter(obj)) else None
        return False if now == plan.steps["before"] else None

    async def seen(self, scene: Scene, plan: Plan) -> str:
        obj = await scene.fetch(plan.target.kind, plan.target.namespace, plan.target.name)
        now, wanted = replicas_of(obj), plan.steps["replicas"]
        whose = (
            "as asked, but the server does not say that it was this act"
            if now == wanted
            else f"and {wanted} was asked for"
        )
        return f"{plan.target} is at {now} now, {whose}"

    def permissions(self, namespace: str) -> tuple[Need, ...]:
        return tuple(Need("patch", PLURALS[kind], "apps", "scale", namespace) for kind in SCALED)


def replicas_of(workload: Json) -> int:
    """How many pods its spec asks for; the API's default is one."""
    return int((workload.get("spec") or {}).get("replicas", 1))


def replace_replicas(workload: Json, replicas: int) -> Json:
    return {**workload, "spec": {**(workload.get("spec") or {}), "replicas": replicas}}


def _body(replicas: int) -> Json:
    return {"spec": {"replicas": replicas}}


def _setter(workload: Json) -> str:
    """Whose number the replicas are, as the managedFields say; empty when they do not say it."""
    for entry in (workload.get("metadata") or {}).get("managedFields") or ():
        owned: Any = (entry.get("fieldsV1") or {}).get("f:spec")
        if isinstance(owned, dict) and "f:replicas" in owned:
            return str(entry.get("manager") or "")
    return ""


def _change(now: int, wanted: int) -> list[Finding]:
    if wanted == now:
        return [Finding("replicas", Level.RED, f"nothing changes: it is {now} already", "choose another number")]
    if wanted == 0:
        return [Finding("replicas", Level.AMBER, "nobody will serve: every pod goes and none comes back by itself")]
    if now and wanted >= A_LEAP * now and wanted - now > A_LEAP:
        return [Finding("replicas", Level.AMBER, f"{wanted} is {wanted // now} times what it is now ({now})")]
    return []


def _blast(now: int, wanted: int) -> str:
    if wanted == 0 and now:
        return f"every pod goes: {now} → 0"
    more = f"{wanted - now} more" if wanted > now else f"{now - wanted} fewer"
    return f"{more}: {now} → {wanted}" if wanted != now else "nothing"


async def _budgets(scene: Scene, workload: Json, fewer: int) -> list[Finding]:
    if fewer <= 0:
        return []
    namespace = (workload.get("metadata") or {}).get("namespace", "")
    return await preflight.budgets(scene, namespace, template_labels(workload), fewer)


async def _autoscaler(scene: Scene, kind: str, namespace: str, name: str, wanted: int) -> list[Finding]:
    """An autoscaler has the last word on the number, except that it lets go of a workload that stands at 0."""
    try:
        found = await preflight.autoscaler(scene, kind, namespace, name)
    except ProbeError as error:
        return [
            Finding("autoscaler", Level.AMBER, f"whether an autoscaler scales it is not known: {error}", error.hint)
        ]
    if found is None:
        return []
    spec, hpa = found.get("spec") or {}, (found.get("metadata") or {}).get("name", "")
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", "?")
    who = f"HorizontalPodAutoscaler {hpa} ({least} to {most})"
    if wanted == 0:
        return [Finding("autoscaler", Level.AMBER, f"{who} lets go of it at 0 and will not bring it back")]
    text = f"{who} decides the number and will put it back: {wanted} does not last"
    return [Finding("autoscaler", Level.AMBER, text, f"change minReplicas and maxReplicas of hpa/{hpa} instead")]
