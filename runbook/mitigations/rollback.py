"""Roll a Helm release back: ``helm rollback``. The runbook, Phase 3, "Rollback Procedures".

The real helm does it, in a session of its own: hooks, merges and waiting are its business, and killing it would leave
the release pending. So it is started once, never killed, and followed: by its Secret, by the pods, by what it says.
"""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace

from probes.errors import Forbidden, NotFound, ProbeError
from runbook import helm_permissions, preflight, release_findings
from runbook.errors import NoPlan
from runbook.helm import NAME, NoHelm, Version, find, is_release_name
from runbook.manifests import Comparison, Document, Ident, Unreadable, compare, documents
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.plan import Aim, Diff, Field, Finding, Json, Level, Need, Outcome, Plan, Recipe, Target, Undo
from runbook.release_acts import became, begin, follow, judged, named_on, ours
from runbook.releases import (
    KIND,
    History,
    Revision,
    age,
    read_history,
    release_again,
    spoken,
    target_of_release,
)
from runbook.stamps import new_act
from runbook.verification import checks, rollout_of, settled, unwell
from runbook.workloads import PLURALS, refuse_no_workload, workload_of

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

FEW = 8  # workloads that are all watched where the manifests say that none of them changes
IN_THREAD = 64 * 1024  # characters of manifests from which comparing them would be felt
SOURCE = "stored manifests"


class Rollback(Mitigation):
    label: ClassVar[str] = "roll back"
    sentence: ClassVar[str] = "Roll a Helm release back to an earlier revision, the last that succeeded first"
    detached: ClassVar[bool] = True
    patience: ClassVar[float] = 600.0  # helm waits as long as a verdict may take, and once more for hooks

    @property
    def programs(self) -> tuple[str, ...]:
        return (NAME,)

    def refuses(self, aim: Aim) -> str:
        return "" if aim.kind == KIND else refuse_no_workload(aim)

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        asking = asyncio.create_task(_version(scene))
        try:
            namespace, name = await _release_of(scene, aim)
            wanted = choices.get("revision", "")
            try:
                history = await read_history(scene, namespace, name, _number(wanted))
            except NotFound as error:
                raise NoPlan(str(error), error.hint) from error
            except Forbidden as error:
                return await _blind(self.id, scene, namespace, name, error, await asking)
            row = aim.revision if aim.kind == KIND else 0
            chosen, field, said = _choice(history, row, wanted, scene.now())
            return await _whole(self.id, scene, history, chosen, row, field, said, choices, await asking)
        finally:
            await asyncio.gather(asking, return_exceptions=True)

    async def again(self, scene: Scene, plan: Plan) -> Target:
        target = await release_again(scene, plan.target, plan.steps["from"])  # it has the better word for it
        await release_findings.check_unchanged(scene, plan.steps.get("live", ()))
        return target

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json | Outcome:
        job = await begin(hands, scene, plan)
        tell(f"{plan.steps['helm']} runs")
        await follow(scene, plan, job, tell)
        receipt: Json = {"status": job.status, "said": job.said()}
        receipt["named"] = await named_on(hands, scene, plan, tell)
        if job.status:  # its own word is proof enough
            return await became(scene, plan, job, receipt)
        return receipt

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        job = scene.jobs.of(plan.id)
        if job.running:  # begun by a console that is no more
            await follow(scene, plan, job, tell)
        verdict = await judged(scene, plan, job, tell)
        if verdict is not None:
            return verdict
        workloads = [(str(kind), str(where), str(name)) for kind, where, name in plan.steps["workloads"]]
        steps = plan.steps
        return await settled(scene, workloads, tell, unhealthy_before=steps.get("unwell", ()), since=plan.made_at)

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        """Helm runs, or a revision came of it. One of somebody else's that looks the same counts as ours."""
        return scene.jobs.of(plan.id).running or await ours(scene, plan) is not None

    def permissions(self, namespace: str) -> tuple[Need, ...]:
        return helm_permissions.usual(namespace)


# ---------------------------------------------------------------- what is meant


async def _release_of(scene: Scene, aim: Aim) -> tuple[str, str]:
    """(namespace, name) of the release that a row means. Raises `NoPlan`, `ProbeError`."""
    if aim.kind == KIND:
        namespace, name = aim.namespace, aim.name
    else:
        kind, workload = workload_of(aim)
        namespace, name = aim.namespace, aim.release
        try:
            _, obj = await scene.found(aim, kind, aim.namespace, workload)
        except ProbeError:
            if not aim.release:
                raise
        else:
            marks = (obj.get("metadata") or {}).get("annotations") or {}
            name = marks.get("meta.helm.sh/release-name") or ""
            namespace = marks.get("meta.helm.sh/release-namespace") or aim.namespace
            if not name:
                raise NoPlan(f"{kind.lower()}/{workload} is of no Helm release", "O undoes its rollout without Helm")
    if not is_release_name(name):
        raise NoPlan(f"{name[:60]!r} is no name that Helm would give a release")
    return namespace, name


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _choice(history: History, row: int, wanted: str, now: float) -> tuple[Revision, Field, list[Finding]]:
    """The revision to go back to, the field with all of them, and what is wrong with the answer. Raises `NoPlan`."""
    current = history.current
    first = history.offered(row or current.number)
    first = first or history.offered(current.number)
    if first is None:
        hint = "if it never worked, uninstall it; if only a workload is sick, R restarts and O undoes its rollout"
        raise NoPlan(f"{history.name} has no revision before {current.number} to go back to", hint)
    chosen, said = first, []
    if wanted:
        found = history.find(_number(wanted))
        if found is None or found.number == current.number:
            text = f"{wanted[:20]!r} is no revision that {history.name} can go back to"
            said.append(Finding("revision", Level.RED, text, "choose another"))
        else:
            chosen = found
    others = [one for one in history.revisions if one.number not in (first.number, current.number)]
    options = tuple((str(one.number), spoken(one, now)) for one in (first, *others))
    return (
        chosen,
        Field(id="revision", label="to revision", kind="choice", value=str(chosen.number), options=options),
        said,
    )


# ---------------------------------------------------------------- the plan


async def _whole(
    mitigation: str,
    scene: Scene,
    history: History,
    chosen: Revision,
    row: int,
    field: Field,
    said: list[Finding],
    choices: Choices,
    helm: Version | NoHelm,
) -> Plan:
    current, namespace, name = history.current, history.namespace, history.name
    comparison, after, unclear = await _compared(current, chosen, namespace)
    major = helm.major if isinstance(helm, Version) else 4
    server_side = major >= 4 and chosen.release is not None and chosen.release.apply_method == "ssa"
    needs = helm_permissions.rollback(
        namespace,
        comparison,
        revisions=len(history.revisions),
        major=major,
        server_side=server_side,
        hooks=(chosen.release.hooks if chosen.release else None) or (),
    )
    everything = (*comparison.touched, *comparison.deleted, *comparison.relabelled, *comparison.unchanged)
    allowed, standing, live = await asyncio.gather(
        preflight.allowed(scene, needs),
        release_findings.standing(scene, history),
        release_findings.live_workloads(scene, everything),
    )
    fields, taken, conflicts = [field], choices.get("force") == "yes", []
    if server_side:
        suspects = (*comparison.changed, *release_findings.suspects(live))
        conflicts = await release_findings.conflicts(scene, name, namespace, after, suspects)
        if conflicts:
            fields.append(_force(taken))
    argv = scene.helm.rollback(
        name,
        chosen.number,
        namespace,
        timeout=scene.playbook.within(mitigation),
        context="" if scene.cluster.context == "in-cluster" else scene.cluster.context,
        kubeconfig=scene.cluster.kubeconfig,
        force_conflicts=bool(conflicts) and taken,
    )
    watched = _watched(comparison)
    wanted = [rollout_of(obj).wanted for ident in watched if (obj := live.get(ident)) is not None]
    undone = [one for one in history.revisions if one.number > chosen.number]
    findings = (
        allowed,
        preflight.fresh(scene, ("releases", "pods", "workloads", "events")),
        *_helm(helm),
        _with_helm(standing, helm),
        *said,
        *release_findings.choice(history, chosen, row),
        *unclear,
        *release_findings.capacity(live, comparison.touched, comparison.deleted),
        *release_findings.hooks(undone, chosen),
        *_conflicting(conflicts, taken),
        *([] if conflicts else release_findings.hand_made(live, after)),
        *release_findings.reverted(live),
        *release_findings.others(scene, live),
    )
    return Plan(
        id=new_act(),
        mitigation=mitigation,
        title=f"Roll back {name} from revision {current.number}{_flaw(current)} to revision {chosen.number}",
        verb="Roll back",
        remark=_remark(history, chosen, field, scene.now()),
        target=target_of_release(scene, namespace, name, current.stored),
        commands=(_command(scene, argv),),
        diff=Diff(hunks=comparison.hunks, unchanged=len(comparison.unchanged), source=SOURCE),
        findings=findings,
        fields=tuple(fields),
        choices={one.id: one.value for one in fields},
        steps={
            "from": current.number,
            "to": chosen.number,
            "argv": argv,
            "helm": str(helm),
            "workloads": [[ident.kind, ident.namespace, ident.name] for ident in watched],
            "live": release_findings.fingerprints(live),
            "unwell": list(unwell(scene)),
        },
        needs=needs,
        verified_by=checks(scene, "helm: deployed", _ready(wanted), "no new warnings"),
        undo=Undo(
            f"roll forward to revision {current.number} again",
            Recipe(
                mitigation=mitigation,
                aim=Aim(kind=KIND, namespace=namespace, name=name),
                choices={"revision": str(current.number)},
            ),
        ),
        blast=_blast(comparison, sum(wanted)),
        wide=True,
    )


async def _blind(
    mitigation: str, scene: Scene, namespace: str, name: str, error: Forbidden, helm: Version | NoHelm
) -> Plan:
    """The plan of somebody who may not look at the release: what they would have to be allowed, and no more."""
    needs = helm_permissions.storage(namespace, 0)
    return Plan(
        id=new_act(),
        mitigation=mitigation,
        title=f"Roll back {name}",
        verb="Roll back",
        target=target_of_release(scene, namespace, name, None),
        commands=(shlex.join([NAME, "history", name, "--namespace", namespace]),),
        findings=(
            await preflight.allowed(scene, needs),
            Finding("release", Level.RED, f"its revisions cannot be read: {error}", error.hint),
            *_helm(helm),
        ),
        steps={"from": 0, "to": 0, "workloads": []},
        needs=tuple(needs),
        undo=Undo("nothing is done, so nothing is to be undone"),
        blast="not known",
        wide=True,
    )


async def _compared(
    current: Revision, chosen: Revision, namespace: str
) -> tuple[Comparison, dict[Ident, Document], list[Finding]]:
    """What the stored manifests say that changes, and the chosen one's objects."""
    if current.release is None or chosen.release is None:
        lost = current if current.release is None else chosen
        text = f"what changes is not known: revision {lost.number} cannot be read: {lost.problem}"
        return Comparison(), {}, [Finding("diff", Level.AMBER, text)]
    old, new = current.release.manifest, chosen.release.manifest

    def work() -> tuple[Comparison, dict[Ident, Document]]:
        after = documents(new, namespace)
        return compare(documents(old, namespace), after), after

    try:
        comparison, after = await asyncio.to_thread(work) if len(old) + len(new) > IN_THREAD else work()
    except Unreadable as error:
        return Comparison(), {}, [Finding("diff", Level.AMBER, f"what changes is not known: {error}")]
    return comparison, after, []


def _watched(comparison: Comparison) -> list[Ident]:
    """The workloads that the verdict is about: those that change, or all where none does and they are few."""
    changed = [ident for ident in comparison.touched if ident.kind in PLURALS]
    rest = [ident for ident in (*comparison.relabelled, *comparison.unchanged) if ident.kind in PLURALS]
    return changed or (rest if len(rest) <= FEW else [])


def _remark(history: History, chosen: Revision, field: Field, now: float) -> str:
    parts = []
    if field.options and field.options[0][0] == str(chosen.number) and chosen.succeeded:
        parts.append("the last that succeeded")
    if chosen.release is not None and chosen.release.chart_version:
        parts.append(f"chart {chosen.release.chart_version}")
    if chosen.deployed_at is not None:
        parts.append(f"deployed {age(now - chosen.deployed_at)} ago")
    return ", ".join(parts)


def _flaw(current: Revision) -> str:
    return "" if current.succeeded else f" ({current.status})"


def _ready(wanted: list[int]) -> str:
    return f"{sum(wanted)} of {sum(wanted)} ready" if wanted else "its workloads ready"


def _blast(comparison: Comparison, pods: int) -> str:
    changed = len(comparison.touched) + len(comparison.deleted) + len(comparison.relabelled)
    total = changed + len(comparison.unchanged)
    return f"{changed} of {total} objects, {'1 pod' if pods == 1 else f'{pods} pods'}"


# ---------------------------------------------------------------- helm


async def _version(scene: Scene) -> Version | NoHelm:
    try:
        return await scene.helm.version()
    except NoHelm as error:
        return error


def _helm(helm: Version | NoHelm) -> list[Finding]:
    if isinstance(helm, NoHelm):
        return [Finding("helm", Level.RED, str(helm), helm.hint)]
    if not helm.known:
        return [Finding("helm", Level.AMBER, f"{helm} is newer than what this console knows")]
    return []


def _with_helm(standing: Finding, helm: Version | NoHelm) -> Finding:
    return (
        replace(standing, text=f"{standing.text}; {helm}")
        if standing.level is Level.GREEN and isinstance(helm, Version)
        else standing
    )


def _command(scene: Scene, argv: list[str]) -> str:
    """As a person would type it: ``helm`` where PATH leads to the same one."""
    ours = scene.helm.command
    return shlex.join([NAME, *argv[len(ours) :]] if ours and ours == find() else argv)


def _force(taken: bool) -> Field:
    return Field(
        id="force",
        label="take fields over",
        kind="toggle",
        value="yes" if taken else "no",
        hint="--force-conflicts: helm overwrites what others have changed by hand, and owns it again",
    )


def _conflicting(conflicts: list[str], taken: bool) -> list[Finding]:
    if not conflicts:
        return []
    text = "; ".join(conflicts)
    if taken:
        return [Finding("conflicts", Level.AMBER, f"helm overwrites what others have set: {text}")]
    return [Finding("conflicts", Level.RED, f"helm will be refused: {text}", "take these fields over, below")]
