"""Delete one pod, with its grace: ``kubectl delete pod``. Never by force: that leaves a process running unseen."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct

from probes.errors import NotFound, ProbeError
from runbook import preflight
from runbook.answers import number_in
from runbook.errors import Changed, Refused
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.plan import Aim, Diff, Field, Finding, Hunk, Json, Level, Need, Outcome, Plan, Undo, Verdict
from runbook.scene import api_path
from runbook.stamps import new_act
from runbook.verification import LOOK_EVERY, rollout_of, settled, stuck_pod, unwell
from runbook.workloads import PLURALS, controller_of, is_ready, pods_of

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

GRACE = 30  # seconds, the API's default
MOST = 3600  # seconds, unless the pod itself has more
MIRROR = "kubernetes.io/config.mirror"  # a static pod, as the API shows it
_GONE = (404, 409)  # of a DELETE with a UID: no such pod, or another one by that name


class Owner(Struct, frozen=True):
    """Who brings a pod back. ``workload`` is the one that it belongs to, if it is one that can be watched."""

    kind: str = ""
    name: str = ""
    workload: Json | None = None

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class DeletePod(Mitigation):
    label: ClassVar[str] = "delete pod"
    sentence: ClassVar[str] = "Delete one pod with its grace period; whoever owns it makes another"

    def refuses(self, aim: Aim) -> str:
        return "" if aim.kind == "Pod" else "not a pod"

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        namespace, name = aim.namespace, aim.name
        target, pod = await scene.found(aim, "Pod", namespace, name, self.relies_on)
        own = _grace_of(pod)
        preset = scene.playbook.default(self.id, "grace", str(max(1, own)))
        field = Field(
            id="grace",
            label="grace period",
            kind="number",
            value=str(max(1, own)),
            hint="seconds",
            least=1,
            most=max(MOST, own),
        )
        field, answer, wrong = number_in(field, {"grace": preset, **choices})
        grace = own if answer is None else answer
        needs = self.permissions(namespace)
        labels = dict((pod.get("metadata") or {}).get("labels") or {})
        (owner, unknown), allowed, endpoints, budgets = await asyncio.gather(
            _owner(scene, pod),
            preflight.allowed(scene, needs),
            preflight.endpoints_left(scene, namespace, [name]),
            preflight.budgets(scene, namespace, labels),
        )
        last = await _last_ready(scene, owner, pod)
        alone = not owner.kind
        command = ["kubectl", "delete", "pod", name, "-n", namespace]
        if grace != own:
            command.append(f"--grace-period={grace}")
        return Plan(
            id=new_act(),
            mitigation=self.id,
            title=f"Delete {target}",
            verb="Delete",
            remark=f"it has {grace} s to end by itself · its logs go with it: E keeps them first",
            target=target,
            commands=(shlex.join(command),),
            diff=Diff(hunks=(_hunk(pod, owner),), source="computed"),
            findings=(
                *wrong,
                allowed,
                preflight.fresh(scene, ("pods", "workloads", "events")),
                *_state(pod, scene.now()),
                *unknown,
                *([] if unknown else [_comes_back(owner)]),
                *last,
                *endpoints,
                *budgets,
            ),
            fields=(field,),
            choices={"grace": field.value},
            steps={
                "path": api_path("v1", namespace, "pods", name),
                "grace": grace,
                "workload": [owner.kind, namespace, owner.name] if owner.workload else None,
                "owner": "" if alone else str(owner),
                "unwell": list(unwell(scene)),
            },
            needs=needs,
            verified_by=f"the pod is gone · {str(owner) + ' ready' if owner.workload else 'nothing to wait for'}",
            undo=Undo("a deleted pod does not come back; what replaces it is another one" if not alone else _LOST),
            blast="1 pod, and nothing replaces it" if alone else "1 pod",
            wide=alone,
        )

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json:
        target = plan.target
        try:
            answer = await hands.delete(plan.steps["path"], uid=target.uid, grace_seconds=plan.steps["grace"])
        except Refused as refusal:
            if refusal.status in _GONE:
                raise Changed(f"{target} is not there any more, or another one by its name; nothing was done") from None
            raise
        tell("accepted by the API server")
        metadata = answer.get("metadata") or {}
        return {"uid": target.uid, "goes at": metadata.get("deletionTimestamp")}

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        since = scene.now()
        await _gone(scene, plan, tell)
        workload = plan.steps.get("workload")
        if workload is None:
            owner = plan.steps.get("owner")
            text = f"it is gone; what comes next is up to {owner}" if owner else "it is gone, and nothing replaces it"
            return Outcome(verdict=Verdict.WORKED, text=text)
        kind, namespace, name = workload
        stuck = await _followed(scene, (kind, namespace, name), plan.target.uid, since, tell)
        if stuck:
            return Outcome(verdict=Verdict.FAILED, text=stuck)
        unwell_before = plan.steps.get("unwell", ())
        return await settled(scene, [(kind, namespace, name)], tell, unhealthy_before=unwell_before, since=since)

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        pod = await _same(scene, plan)
        return pod is None or "deletionTimestamp" in pod["metadata"]

    def permissions(self, namespace: str) -> tuple[Need, ...]:
        return (Need("delete", "pods", namespace=namespace),)


_LOST = "nobody makes this pod again: keep its YAML (E) if it may be needed"


async def _same(scene: Scene, plan: Plan) -> Json | None:
    """The very pod of the plan, None if it is gone, whatever has its name now. Raises `ProbeError`."""
    try:
        pod = await scene.fetch("Pod", plan.target.namespace, plan.target.name)
    except NotFound:
        return None
    return pod if pod["metadata"].get("uid") == plan.target.uid else None


async def _gone(scene: Scene, plan: Plan, tell: Tell) -> None:
    while True:
        try:
            pod = await _same(scene, plan)
        except ProbeError as error:
            tell(f"cannot look: {error}")
        else:
            if pod is None:
                return
            ends = preflight.instant(pod["metadata"].get("deletionTimestamp"))
            left = "" if ends is None else f", {max(0, round(ends - scene.now()))} s of its grace left"
            tell(f"terminating{left}")
        await asyncio.sleep(LOOK_EVERY)


async def _followed(scene: Scene, workload: tuple[str, str, str], uid: str, since: float, tell: Tell) -> str:
    """Wait until another pod is ready for it, counted by the pods themselves: the workload's status lags behind them.

    Returns why that will not be, if it is plain. Raises `NotFound` when the workload is gone.
    """
    while not (stuck := stuck_pod(scene, workload, since)):
        try:
            obj = await scene.fetch(*workload)
            pods = await pods_of(scene, obj)
        except NotFound:
            raise
        except ProbeError as error:
            tell(f"cannot look: {error}")
        else:
            ready = sum(is_ready(pod) and pod["metadata"].get("uid") != uid for pod in pods)
            wanted = rollout_of(obj).wanted
            tell(f"it is gone; {ready} of {wanted} ready")
            if ready >= wanted:
                break
        await asyncio.sleep(LOOK_EVERY)
    return stuck


async def _owner(scene: Scene, pod: Json) -> tuple[Owner, list[Finding]]:
    """The workload of a pod, by way of its ReplicaSet; as far up as may be read."""
    metadata = pod.get("metadata") or {}
    namespace, found = metadata.get("namespace", ""), controller_of(pod)
    if found is None:
        return Owner(), []
    try:
        if found["kind"] == "ReplicaSet":
            above = controller_of(await scene.fetch("ReplicaSet", namespace, found["name"]))
            found = above or found
        if found["kind"] in PLURALS:
            return Owner(found["kind"], found["name"], await scene.fetch(found["kind"], namespace, found["name"])), []
    except NotFound:
        text = f"its owner {found['kind']}/{found['name']} is gone: nothing may replace it"
        return Owner(found["kind"], found["name"]), [Finding("owner", Level.AMBER, text)]
    except ProbeError as error:
        text = f"whether {found['kind']}/{found['name']} replaces it is not known: {error}"
        return Owner(found["kind"], found["name"]), [Finding("owner", Level.AMBER, text, error.hint)]
    return Owner(found["kind"], found["name"]), []


def _comes_back(owner: Owner) -> Finding:
    if not owner.kind:
        return Finding("owner", Level.AMBER, "nobody owns it: it does not come back", "keep its YAML first (E)")
    if owner.kind == "Job":
        text = f"{owner} counts it as a failure and may start another; what it had done is lost"
        return Finding("owner", Level.AMBER, text)
    again = {"StatefulSet": "one of the same name", "DaemonSet": "another one on its node"}
    return Finding("owner", Level.GREEN, f"{owner} makes {again.get(owner.kind, 'another one')}")


async def _last_ready(scene: Scene, owner: Owner, pod: Json) -> list[Finding]:
    """Whether it is the only pod of its workload that is ready."""
    if owner.workload is None or not is_ready(pod):
        return []
    try:
        ready = [one for one in await pods_of(scene, owner.workload) if is_ready(one)]
    except ProbeError as error:
        return [Finding("ready", Level.AMBER, f"how many of {owner} are ready is not known: {error}", error.hint)]
    others = [one for one in ready if one["metadata"].get("uid") != pod["metadata"].get("uid")]
    if not others:
        return [Finding("ready", Level.AMBER, f"it is the last ready pod of {owner}")]
    return [Finding("ready", Level.GREEN, f"{len(others)} others of {owner} are ready")]


def _state(pod: Json, now: float) -> list[Finding]:
    metadata = pod.get("metadata") or {}
    found = []
    if MIRROR in (metadata.get("annotations") or {}):
        text = "a static pod: its kubelet keeps it, and deleting what the API shows of it changes nothing"
        found.append(Finding("static", Level.RED, text, "its file is on the node, in the kubelet's manifests"))
    ends = preflight.instant(metadata.get("deletionTimestamp"))
    if ends is not None:
        when = f"its grace ended {now - ends:.0f} s ago" if now > ends else f"its grace ends in {ends - now:.0f} s"
        advice = "a pod of a dead node goes when its node does, or by force, which this console does not do"
        found.append(Finding("terminating", Level.RED, f"it is being deleted already, {when}", advice))
    return found


def _hunk(pod: Json, owner: Owner) -> Hunk:
    """What the person loses, in the words of ``kubectl get pod -o wide``, and what comes for it."""
    metadata, spec, status = pod.get("metadata") or {}, pod.get("spec") or {}, pod.get("status") or {}
    said: list[Any] = [
        f"- uid: {metadata.get('uid')}",
        f"- node: {spec.get('nodeName') or 'none'}",
        f"- phase: {status.get('phase')}",
        f"- created: {metadata.get('creationTimestamp')}",
    ]
    return Hunk(f"Pod/{metadata.get('name')}", (*said, f"+ another one by {owner}") if owner.kind else tuple(said))


def _grace_of(pod: Json) -> int:
    return int((pod.get("spec") or {}).get("terminationGracePeriodSeconds", GRACE))
