"""Redirect traffic: Istio's maintenance abort for one service, and away with it. The runbook, Phase 3, "Traffic"."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, ClassVar

from probes.errors import Forbidden, NotFound, ProbeError
from probes.objects import to_yaml
from runbook import istio, preflight
from runbook.answers import number_in
from runbook.diffs import hunk
from runbook.errors import Changed, NoPlan
from runbook.istio import HEADER, SUFFIX
from runbook.media import APPLY
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.plan import Aim, Diff, Field, Finding, Json, Level, Need, Outcome, Plan, Recipe, Target, Undo, Verdict
from runbook.rehearsals import COMPUTED, DRY_RUN, difference, rehearsed
from runbook.scene import api_path, target_of
from runbook.selectors import equal_selects
from runbook.stamps import ACT, Stamp, new_act
from runbook.verification import LOOK_EVERY, checks, unwell, watches_health
from runbook.workloads import PLURALS, template_labels

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

KINDS = ("Service", "Pod", *PLURALS)
BY_HEADER, EVERYBODY = "header", "all"
APPLIED, REMOVED = "apply", "remove"  # what a recipe means, whatever is there by then
STATUS, LEAST, MOST = "503", 400, 599
SAMPLE = 100  # pods that are looked at for a sidecar
OUTSIDE = "a caller without an Istio sidecar is not affected"


class Redirect(Mitigation):
    label: ClassVar[str] = "redirect"
    sentence: ClassVar[str] = "Have Istio answer a service's requests with an error, or take that away again"

    def refuses(self, aim: Aim) -> str:
        return "" if aim.kind in KINDS else "not a service, nor one's pods"

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        services, version = await asyncio.gather(_services(scene, aim), istio.served(scene))
        name = choices.get("service") or next(iter(services))
        if name not in services:
            raise NoPlan(f"service/{name} sends no traffic to {aim}")
        namespace, path = aim.namespace, istio.path_of(version, aim.namespace, name)
        items, seen = await _seen(scene, version, namespace)
        found = next((item for item in items if _is_at(item, namespace, name + SUFFIX)), None)
        target = _target(scene, services[name], found)
        wanted = choices.get("act", "")
        if wanted == REMOVED and found is None:
            raise NoPlan(f"{name}{SUFFIX} is not there any more; nothing is left to take away")
        if wanted == APPLIED and found is not None and istio.is_ours(found):
            raise NoPlan(f"{name}{SUFFIX} is there already", "press T on the service to take it away")
        picked = _service_field(services, name)
        if found is not None and istio.is_ours(found):
            return await self._removal(scene, target, path, found, [*seen], picked)
        return await self._application(scene, target, path, version, found, [*seen], picked, items, choices)

    # ------------------------------------------------------------------ the two plans

    async def _application(
        self,
        scene: Scene,
        target: Target,
        path: str,
        version: str,
        found: Json | None,
        seen: list[Finding],
        picked: list[Field],
        items: list[Json],
        choices: Choices,
    ) -> Plan:
        namespace, service = target.namespace, target.name
        default = scene.playbook.default(self.id, "status", STATUS)
        field = Field(id="status", label="status", kind="number", value=STATUS, least=LEAST, most=MOST)
        asked, number, wrong = number_in(field, {"status": default, **choices})
        match = choices.get("match") or scene.playbook.default(self.id, "match", BY_HEADER)
        if match not in (BY_HEADER, EVERYBODY):
            raise NoPlan(f"match is {BY_HEADER} or {EVERYBODY}, not {match!r}")
        status, everybody = number if number is not None else int(STATUS), match == EVERYBODY
        body = istio.maintenance(version, namespace, service, status, everybody=everybody)
        needs = tuple(need for need in self.permissions(namespace) if need.verb != "delete")
        allowed, (diff, refused), mesh = await asyncio.gather(
            preflight.allowed(scene, needs), _rehearsed(scene, path, body, found), _mesh(scene, namespace)
        )
        whom = "every request" if everybody else f"requests with the header {HEADER}: true"
        return Plan(
            id=new_act(),
            mitigation=self.id,
            title=f"Redirect {service}: answer {status} to {whom}",
            verb="Redirect",
            remark=f"inside the mesh: {OUTSIDE}, nor what an ingress gateway lets in by routes of its own",
            target=target,
            commands=(_apply_command(scene, body),),
            diff=diff,
            findings=(
                allowed,
                preflight.fresh(scene, ("workloads",)),
                *wrong,
                *refused,
                *seen,
                *mesh,
                *_rivals(items, namespace, service),
                *([_total(service, status)] if everybody else []),
            ),
            fields=(
                *picked,
                asked,
                Field(
                    id="match",
                    label="requests",
                    kind="choice",
                    value=match,
                    options=((BY_HEADER, f"those with {HEADER}: true"), (EVERYBODY, "all of them")),
                ),
            ),
            choices={"act": APPLIED, "service": service, "status": asked.value, "match": match},
            steps={"act": APPLIED, "path": path, "body": body, "whom": whom, "unwell": list(unwell(scene))},
            needs=needs,
            verified_by=checks(scene, "the VirtualService is there as applied, seen by Istio where it says so"),
            undo=Undo("T again takes it away", _recipe(self.id, target, {"act": REMOVED})),
            blast=f"{whom} to {service}",
            wide=everybody,
        )

    async def _removal(
        self, scene: Scene, target: Target, path: str, found: Json, seen: list[Finding], picked: list[Field]
    ) -> Plan:
        namespace, service = target.namespace, target.name
        name = service + SUFFIX
        needs = tuple(need for need in self.permissions(namespace) if need.verb == "delete")
        gone = hunk(found, None, f"{istio.KIND}/{name}")
        others = istio.hands_on(found)
        text = f"{', '.join(others)} changed it since it was applied; that goes as well"
        abort = istio.abort_of(found)
        back = Undo("it is not what T makes any more, so only the diff above could bring it back")
        if abort is not None:
            match = EVERYBODY if abort.everybody else BY_HEADER
            values = {"act": APPLIED, "status": str(abort.status), "match": match}
            back = Undo("applies it again with the same values", _recipe(self.id, target, values))
        return Plan(
            id=new_act(),
            mitigation=self.id,
            title=f"Take the redirect of {service} away",
            verb="Take away",
            remark=f"applied by act {(found['metadata'].get('annotations') or {}).get(ACT, '')}",
            target=target,
            commands=(shlex.join(["kubectl", "delete", f"{istio.PLURAL}.{istio.GROUP}", name, "-n", namespace]),),
            diff=Diff(hunks=(gone,) if gone else ()),
            findings=(
                await preflight.allowed(scene, needs),
                preflight.fresh(scene, ("workloads",)),
                *seen,
                *([Finding("owner", Level.AMBER, text)] if others else []),
                *preflight.reverted_by(found),
            ),
            fields=tuple(picked),
            choices={"act": REMOVED, "service": service},
            steps={"act": REMOVED, "path": path, "uid": found["metadata"]["uid"], "unwell": list(unwell(scene))},
            needs=needs,
            verified_by=checks(scene, "the VirtualService is gone"),
            undo=back,
            blast=f"requests to {service} reach it again",
        )

    # ------------------------------------------------------------------ the act

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json:
        steps = plan.steps
        if steps["act"] == REMOVED:
            await hands.delete(steps["path"], uid=steps["uid"])
            tell("taken away")
            return {"deleted": steps["uid"]}
        metadata = {**steps["body"]["metadata"], "annotations": hands.stamp.annotations}
        # Without force: a field that somebody else owns by then is theirs, and the server refuses.
        answer = await hands.apply(steps["path"], {**steps["body"], "metadata": metadata})
        tell("accepted by the API server")
        made = answer.get("metadata") or {}
        return {"uid": made.get("uid"), "generation": made.get("generation")}

    async def again(self, scene: Scene, plan: Plan) -> Target:
        target = plan.target
        try:
            service = await scene.fetch("Service", target.namespace, target.name)
        except NotFound as error:
            raise Changed(f"{target} is not there any more; nothing was sent") from error
        return _target(scene, service, await istio.virtual_service(scene, plan.steps["path"]))

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        found = await istio.virtual_service(scene, plan.steps["path"])
        metadata = (found or {}).get("metadata") or {}
        if plan.steps["act"] == REMOVED:
            return metadata.get("uid") != plan.steps["uid"] or bool(metadata.get("deletionTimestamp"))
        return (metadata.get("annotations") or {}).get(ACT) == plan.id

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        while True:
            try:
                found = await istio.virtual_service(scene, plan.steps["path"])
            except ProbeError as error:
                tell(f"cannot look: {error}")
            else:
                judge = _judge_removal if plan.steps["act"] == REMOVED else _judge_application
                verdict, text = judge(plan, found)
                if verdict is not None:
                    return Outcome(verdict=verdict, text=f"{text}; {_health(scene, plan)}")
                tell(text)
            await asyncio.sleep(LOOK_EVERY)

    def permissions(self, namespace: str) -> tuple[Need, ...]:
        verbs = ("create", "patch", "delete")  # a server-side apply that creates needs both of the first
        return tuple(Need(verb, istio.PLURAL, istio.GROUP, namespace=namespace) for verb in verbs)


# ---------------------------------------------------------------------- what is there


async def _services(scene: Scene, aim: Aim) -> dict[str, Json]:
    """The Services that send traffic to what was aimed at, by name. Raises `NoPlan` when there is none."""
    if aim.kind == "Service":
        _, obj = await scene.found(aim, aim.kind, aim.namespace, aim.name)
        return {aim.name: obj}
    (_, obj), items = await asyncio.gather(
        scene.found(aim, aim.kind, aim.namespace, aim.name), scene.items(("v1",), aim.namespace, "services")
    )
    labels = (obj["metadata"].get("labels") or {}) if aim.kind == "Pod" else template_labels(obj)
    found = {
        str(item["metadata"]["name"]): item
        for item in items
        if equal_selects((item.get("spec") or {}).get("selector"), labels)
    }
    if not found:
        how = shlex.join(["kubectl", "get", "services", "-n", aim.namespace, "-o", "wide"])
        raise NoPlan(f"no Service sends traffic to {aim}, so there is none to redirect", how)
    return found


async def _seen(scene: Scene, version: str, namespace: str) -> tuple[list[Json], list[Finding]]:
    try:
        return await istio.virtual_services(scene, version, namespace), []
    except Forbidden as error:
        text = f"whether a redirect is there already is not known: {error}"
        return [], [Finding("routes", Level.AMBER, text, error.hint)]


def _is_at(obj: Json, namespace: str, name: str) -> bool:
    metadata = obj.get("metadata") or {}
    return (metadata.get("namespace"), metadata.get("name")) == (namespace, name)


def _target(scene: Scene, service: Json, found: Json | None) -> Target:
    """The Service is the target; the plan relies on its selector, and on the VirtualService being as it was seen."""
    there = None
    if found is not None:
        metadata = found.get("metadata") or {}
        there = [metadata.get("uid"), metadata.get("annotations"), found.get("spec"), metadata.get("deletionTimestamp")]
    return target_of(scene.cluster, "Service", service, lambda obj: [(obj.get("spec") or {}).get("selector"), there])


def _recipe(mitigation: str, target: Target, choices: dict[str, str]) -> Recipe:
    aim = Aim(kind="Service", namespace=target.namespace, name=target.name, uid=target.uid)
    return Recipe(mitigation=mitigation, aim=aim, choices=choices)


def _service_field(services: dict[str, Json], name: str) -> list[Field]:
    if len(services) == 1:
        return []
    options = tuple((one, one) for one in sorted(services))
    return [Field(id="service", label="service", kind="choice", value=name, options=options)]


def _apply_command(scene: Scene, body: Json) -> str:
    manager = Stamp(scene.incident, "").manager if scene.incident else "warroom"
    apply = shlex.join(["kubectl", "apply", "--server-side", f"--field-manager={manager}", "-f", "-"])
    return f"{apply} <<'EOF'\n{to_yaml(body)}EOF"


# ---------------------------------------------------------------------- what speaks against it


async def _rehearsed(scene: Scene, path: str, body: Json, found: Json | None) -> tuple[Diff, list[Finding]]:
    """What would be there, by the server's dry run if it lets us ask. What is somebody else's is left alone."""
    if found is not None:
        return Diff(), [_not_ours(found)]
    after, findings = await rehearsed(scene.rehearsal.patch(path, body, APPLY))
    change = hunk(None, after or body, f"{istio.KIND}/{body['metadata']['name']}")
    return difference(change, DRY_RUN if after else COMPUTED), findings


async def _mesh(scene: Scene, namespace: str) -> list[Finding]:
    try:
        page = await scene.read(api_path("v1", namespace, "pods"), {"limit": str(SAMPLE)})
    except ProbeError as error:
        return [Finding("mesh", Level.AMBER, f"who is in the mesh is not known: {error}", error.hint)]
    pods = page.get("items") or []
    count = istio.in_the_mesh(pods)
    if count:
        return [Finding("mesh", Level.GREEN, f"{count} of {len(pods)} pods of the namespace are in the mesh")]
    text = f"no pod of {namespace} has an Istio sidecar: only callers that have one will be answered so"
    return [Finding("mesh", Level.AMBER, text, f"kubectl get namespace {namespace} --show-labels")]


def _rivals(items: list[Json], namespace: str, service: str) -> list[Finding]:
    """Sidecars do not merge: https://istio.io/latest/docs/ops/best-practices/traffic-management/#split-virtual-services"""
    found = []
    for rival in istio.rivals(items, namespace, service):
        if rival.gateways:
            text = (
                f"{rival.name} routes {service} at {', '.join(rival.gateways)}: what comes in there is not answered so"
            )
        else:
            text = (
                f"{rival.name} speaks for {service} already: sidecars do not merge two VirtualServices of one host, "
                "the older one wins and this may change nothing"
            )
        found.append(Finding("routes", Level.AMBER, text))
    return found or [Finding("routes", Level.GREEN, f"no other VirtualService speaks for {service}")]


def _not_ours(found: Json) -> Finding:
    name = found["metadata"]["name"]
    who = ", ".join(istio.hands_on(found)) or "somebody else"
    text = f"{istio.KIND} {name} is there already, made by {who} and not by this console"
    return Finding("routes", Level.RED, text, "look at it, and delete or rename it first if it may go")


def _total(service: str, status: int) -> Finding:
    text = f"every request to {service} in the mesh is answered {status}, health checks that pass a sidecar too"
    return Finding("traffic", Level.AMBER, text)


# ---------------------------------------------------------------------- whether it helped


def _judge_application(plan: Plan, found: Json | None) -> tuple[Verdict | None, str]:
    body = plan.steps["body"]
    name, service = body["metadata"]["name"], plan.target.name
    metadata = (found or {}).get("metadata") or {}
    if found is None or metadata.get("deletionTimestamp"):
        return Verdict.FAILED, f"{name} was applied and is gone: somebody took it away"
    if (metadata.get("annotations") or {}).get(ACT) != plan.id or not istio.holds(found.get("spec"), body["spec"]):
        return Verdict.FAILED, f"{name} is not as it was applied: somebody changed it"
    if istio.unseen(found):
        return None, istio.unseen(found)
    said = istio.complaints(found)
    if said:
        return Verdict.FAILED, f"{name} is applied, and Istio says against it: {', '.join(said)}"
    status = body["spec"]["http"][0]["fault"]["abort"]["httpStatus"]
    return Verdict.WORKED, f"applied: {service} answers {status} to {plan.steps['whom']} in the mesh; {OUTSIDE}"


def _judge_removal(plan: Plan, found: Json | None) -> tuple[Verdict | None, str]:
    service = plan.target.name
    if found is None or found["metadata"].get("uid") != plan.steps["uid"]:
        tail = "" if found is None else ", but somebody made another one since"
        return Verdict.WORKED, f"taken away: requests reach {service} again{tail}"
    if found["metadata"].get("deletionTimestamp"):
        return None, f"waiting for its finalizers: {', '.join(found['metadata'].get('finalizers') or ())}"
    return Verdict.FAILED, f"{service}{SUFFIX} is still there"


def _health(scene: Scene, plan: Plan) -> str:
    """What the health endpoints say now. It does not decide: an abort is meant to be seen."""
    before = plan.steps.get("unwell", ())
    said = [f"{words}{', as before' if url in before else ''}" for url, words in unwell(scene).items()]
    if said:
        return f"health: {'; '.join(said)}"
    return "no health endpoint is unwell" if watches_health(scene) else "no health endpoint is watched"
