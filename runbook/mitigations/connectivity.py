"""Check from a pod whether a host answers: ``kubectl exec POD -- curl -v URL``. The runbook, Scenario 2, step 2."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from incident.intake import visible
from runbook import preflight
from runbook.answers import chosen_in, number_in
from runbook.check_url import fault_in, host_of
from runbook.containers import Container, containers_of, default_container
from runbook.curl_words import WRITE_OUT, found_by
from runbook.errors import NoPlan, NotSent, Refused
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.plan import Aim, Field, Finding, Json, Level, Need, Outcome, Plan, Target, Undo, Verdict
from runbook.scene import api_path, target_of
from runbook.stamps import new_act
from runbook.workloads import names_of, pods_of, workload_of

if TYPE_CHECKING:
    from runbook.exec_stream import Ran
    from runbook.hands import Hands
    from runbook.scene import Scene

URL = "https://external-payment-gateway.com/health"  # the runbook's own example
SECONDS = "10"
MOST_SECONDS = 120
GRACE = 3.0  # seconds that we wait longer than curl is told to


class Connectivity(Mitigation):
    label: ClassVar[str] = "check from pod"
    sentence: ClassVar[str] = "Check from inside a pod whether a host answers: curl -v, its output goes to the timeline"
    looks_only: ClassVar[bool] = True
    stoppable: ClassVar[bool] = True

    def refuses(self, aim: Aim) -> str:
        return "" if aim.kind == "Pod" or workload_of(aim)[0] else "neither a pod nor a workload"

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        target, pod, remark = await _pod(scene, aim)
        answers = {**scene.playbook.of(self.id).defaults, **choices}
        found = containers_of(pod)
        url = Field(id="url", label="URL", kind="text", value=answers.get("url", URL).strip(), hint="http or https")
        seconds, limit, wrong = number_in(
            Field(
                id="timeout",
                label="time limit",
                kind="number",
                value=SECONDS,
                hint="seconds",
                least=1,
                most=MOST_SECONDS,
            ),
            answers,
        )
        which, missing = _which(pod, found, answers, asked="container" in choices)
        container = next((each for each in found if each.name == which.value), None)
        argv = _curl(url.value, limit or int(SECONDS))
        named = ["-c", which.value] if len(found) > 1 else []
        needs = self.permissions(target.namespace)
        allowed = await preflight.allowed(scene, needs)
        fault = fault_in(url.value)
        return Plan(
            id=new_act(),
            mitigation=self.id,
            title=f"Check {host_of(url.value)} from {target}",
            verb="Check",
            remark=remark,
            target=target,
            commands=(shlex.join(["kubectl", "exec", target.name, "-n", target.namespace, *named, "--", *argv]),),
            findings=(
                *([Finding("url", Level.RED, fault, "type another URL")] if fault else []),
                *wrong,
                allowed,
                preflight.fresh(scene, ("pods",)),
                *missing,
                *_runs(pod, container),
            ),
            fields=(url, *([which] if len(found) > 1 else []), seconds),
            choices={"url": url.value, "container": which.value, "timeout": seconds.value},
            steps={
                "path": api_path("v1", target.namespace, "pods", target.name),
                "container": which.value,
                "argv": argv,
                "host": host_of(url.value),
                "seconds": limit or 0,
            },
            needs=needs,
            verified_by="curl's exit code and the HTTP status that it got",
            undo=Undo("there is nothing to take back: it only asked"),
            blast="one GET from inside one pod",
        )

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        steps = plan.steps
        limit = steps["seconds"] + GRACE
        container = steps["container"]
        tell(f"opening a stream to container {container}")
        try:
            ran = await hands.exec(
                steps["path"],
                steps["argv"],
                container=container,
                limit=limit,
                heard=_progress(tell, steps),
            )
        except (Refused, NotSent) as error:  # in the act's own words: the check could not run
            text = f"the check could not run: {error}" + (f" ({error.hint})" if error.hint else "")
            return Outcome(verdict=Verdict.FAILED, text=text, sent=False)
        found = found_by(ran, host=steps["host"], container=container, limit=limit)
        text = f"{found.text}; {_without_curl(plan)}" if found.no_curl else found.text
        return Outcome(verdict=found.verdict, text=visible(text), evidence={"check": _evidence(plan, ran)})

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        return Outcome(verdict=Verdict.UNKNOWN, text="nobody heard what the check found; run it again")

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        """A curl leaves no trace in the cluster."""
        return None

    def permissions(self, namespace: str) -> tuple[Need, ...]:
        # To open a stream with a WebSocket is a GET, which servers before 1.35 call "get"; kubectl's SPDY is "create".
        return tuple(Need(verb, "pods", subresource="exec", namespace=namespace) for verb in ("create", "get"))


async def _pod(scene: Scene, aim: Aim) -> tuple[Target, Json, str]:
    """The pod to ask from, and a word on why that one: the row's own, or the best of a workload's."""
    if aim.kind == "Pod":
        target, pod = await scene.found(aim, "Pod", aim.namespace, aim.name)
        return target, pod, ""
    kind, name = workload_of(aim)
    _, workload = await scene.found(aim, kind, aim.namespace, name)
    pods = await pods_of(scene, workload)
    if not pods:
        raise NoPlan(f"{kind.lower()}/{name} has no pod to check from", "scale it up, or choose a pod of another one")
    running = [pod for pod in pods if _fitness(pod)[0]]
    pod = min(pods, key=lambda each: (*(not good for good in _fitness(each)), names_of([each])[0]))
    if running:
        remark = f"from one of its {len(running)} running pods" if len(running) > 1 else "from its only running pod"
    else:
        remark = f"none of its {len(pods)} pods runs"
    return target_of(scene.cluster, "Pod", pod), pod, remark


def _fitness(pod: Json) -> tuple[bool, bool, bool]:
    """Whether its container runs, whether that is ready, whether the pod stays."""
    name = default_container(pod)
    found = next((each for each in containers_of(pod) if each.name == name), None)
    if found is None:
        return False, False, False
    return found.running, found.ready, not (pod.get("metadata") or {}).get("deletionTimestamp")


def _which(pod: Json, found: list[Container], answers: Choices, *, asked: bool) -> tuple[Field, list[Finding]]:
    """The container to run in: the answer, or what the runbook file says if the pod has it, or the pod's default."""
    value = answers.get("container", "")
    names = [each.name for each in found]
    if value not in names and not asked:
        value = default_container(pod)
    field = Field(
        id="container",
        label="container",
        kind="choice",
        value=value,
        options=tuple((each.name, f"{each.name} · {each.words}") for each in found),
    )
    return chosen_in(field)


def _runs(pod: Json, container: Container | None) -> list[Finding]:
    found = []
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        found.append(Finding("pod", Level.AMBER, "this pod is being deleted and may be gone any moment"))
    if container is None:
        return found
    if not container.running:
        advice = "choose a pod that runs, or one of another workload: they share the network"
        text = f"container {container.name} does not run: {container.words}"
        return [*found, Finding("container", Level.RED, text, advice)]
    return [*found, Finding("container", Level.GREEN, f"container {container.name}: {container.words}")]


def _curl(url: str, seconds: int) -> list[str]:
    return ["curl", "-v", "-sS", "--max-time", str(seconds), "-w", WRITE_OUT, url]


def _without_curl(plan: Plan) -> str:
    """What helps where the image has none."""
    target, container = plan.target, plan.steps["container"]
    debug = ["kubectl", "debug", "-it", target.name, "-n", target.namespace, "--image=curlimages/curl"]
    return f"choose another container, or: {shlex.join([*debug, f'--target={container}', '--', *plan.steps['argv']])}"


def _progress(tell: Tell, steps: Json) -> Callable[[bytes], None]:
    """Tells how far curl is, by the notes that it makes about itself (``*   Trying 10.0.0.12:80...``)."""

    def heard(piece: bytes) -> None:
        if not piece:
            tell(f"curl asks {steps['host']}, for at most {steps['seconds']} s")
        for line in piece.decode("utf-8", "replace").splitlines():
            if line.startswith("*"):
                tell(" ".join(line[1:].split())[:200])

    return heard


def _evidence(plan: Plan, ran: Ran) -> Json:
    return {
        "pod": plan.target.name,
        "container": plan.steps["container"],
        "command": plan.steps["argv"],
        "exit": ran.code,
        "seconds": round(ran.seconds, 3),
        "output": visible(ran.output),
        "left_out": ran.left_out,
        **({"error": ran.error} if ran.error else {}),
    }
