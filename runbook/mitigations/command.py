"""A mitigation of the platform's own: a command of the runbook file, an argument list whose exit status is the verdict.

What it does cannot be foreseen here, nor whether it is allowed; the plan says so.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from incident.intake import visible
from probes.errors import ProbeError
from probes.kubeconfig import contexts
from runbook import preflight
from runbook.mitigation import Choices, Mitigation, Tell
from runbook.placeholders import put_in, used_in
from runbook.plan import Aim, Finding, Json, Level, Outcome, Plan, Target, Undo, Verdict
from runbook.stamps import new_act

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.jobs import Job
    from runbook.playbook import CommandSettings, Playbook
    from runbook.scene import Scene

LOOK_EVERY = 0.1  # seconds
MOST_PRINTED = 16 * 1024 * 1024  # bytes, after which it is ended: nobody reads that, and a disk is not endless
GRACE = 3.0  # seconds between asking it to end and making it end
FETCHED = ("Pod", "Node", "Deployment", "StatefulSet", "DaemonSet")
# These act on the kubeconfig's current context unless they are told another.
_CLUSTER_TOOLS = frozenset({"kubectl", "oc", "helm", "istioctl", "flux", "stern", "kustomize", "velero"})


class Command(Mitigation):
    """One of them; `commands_of` makes a class with its label and sentence for each."""

    settings: ClassVar[CommandSettings]

    @property
    def programs(self) -> tuple[str, ...]:
        return self.settings.argv[:1]

    def refuses(self, aim: Aim) -> str:
        kinds, used = self.settings.kinds, used_in(self.settings.argv)
        if kinds and aim.kind not in kinds:
            return f"for rows of {', '.join(kinds)}"
        if used & {"kind", "name"} and not (aim.kind and aim.name):
            return "this row is about nothing that has a name"
        return ""

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        settings = self.settings
        used = used_in(settings.argv)
        target, obj = await _target(scene, aim, named=bool(used & {"kind", "name"}))
        values = {
            "context": scene.cluster.context,
            "namespace": aim.namespace or scene.cluster.namespace,
            "kind": aim.kind.lower(),
            "name": aim.name,
            "kubeconfig": _kubeconfig(scene.cluster.kubeconfig),
        }
        argv = [put_in(part, values) for part in settings.argv]
        explicit = scene.cluster.kubeconfig
        environment = {"KUBECONFIG": values["kubeconfig"]} if values["kubeconfig"] else {}
        shown = [*(["env", f"KUBECONFIG={values['kubeconfig']}"] if explicit else []), *argv]
        findings = [
            _program(argv[0]),
            *_faults({name: values[name] for name in used}),
            *await _elsewhere(scene, argv[0], "context" in used),
            Finding("allowed", Level.AMBER, "what this command needs to be allowed, and changes, cannot be foreseen"),
            *(preflight.others(scene, obj) if obj is not None else []),
        ]
        return Plan(
            id=new_act(),
            mitigation=self.id,
            title=f"{settings.label[:1].upper()}{settings.label[1:]}: {target}",
            verb="Run",
            remark=settings.sentence,
            target=target,
            commands=(shlex.join(shown),),
            findings=tuple(findings),
            steps={"argv": argv, "environment": environment, "seconds": settings.timeout, "watched": obj is not None},
            verified_by=f"exit status 0 within {settings.timeout:g} s",
            undo=Undo(settings.undone_by or "the runbook file does not say how this is taken back"),
            blast="whatever the command does",
            wide=settings.wide,
        )

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json:
        environment = {**os.environ, **plan.steps["environment"]}
        hands.spawn(scene.jobs.of(plan.id), plan.steps["argv"], environment)
        tell(f"{plan.steps['argv'][0]} runs, for at most {plan.steps['seconds']:g} s")
        return {}

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        job, limit = scene.jobs.of(plan.id), float(plan.steps["seconds"])
        why = await _ended(job, limit, scene, tell)
        out, err = job.ends
        printed = {"stdout": visible(out), "stderr": visible(err)}
        evidence = {"command": {"argv": plan.steps["argv"], "exit": job.status, **printed}}
        if job.running:
            text = f"{why} and still runs; another console started it, so this one does not end it"
            return Outcome(verdict=Verdict.UNKNOWN, text=text, evidence=evidence)
        if why:
            text = f"{why} and was ended; what it had done by then stays done"
            return Outcome(verdict=Verdict.FAILED, text=text, evidence=evidence)
        said = visible(job.complaint or (job.said(1) or [""])[-1])[:300]
        words = f": {said}" if said else ""
        if job.status is None:
            return Outcome(verdict=Verdict.UNKNOWN, text=f"it ended, and nobody heard how{words}", evidence=evidence)
        if job.status < 0:
            text = f"it was ended by {_signal(-job.status)}{words}"
        else:
            text = f"exit status {job.status}{words}"
        return Outcome(verdict=Verdict.FAILED if job.status else Verdict.WORKED, text=text, evidence=evidence)

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        """It was carried out if it was started; what became of it, its output tells."""
        return scene.jobs.of(plan.id).known

    async def again(self, scene: Scene, plan: Plan) -> Target:
        """A command that names no object relies on none."""
        return await super().again(scene, plan) if plan.steps["watched"] else plan.target


def commands_of(playbook: Playbook) -> tuple[Mitigation, ...]:
    """The mitigations that the runbook file adds, in its order."""
    return tuple(_command(name, settings) for name, settings in playbook.commands.items())


def _command(name: str, settings: CommandSettings) -> Mitigation:
    own = {"label": settings.label, "sentence": settings.sentence, "looks_only": settings.looks, "settings": settings}
    made: type[Command] = type(f"Command {name}", (Command,), {**own, "__module__": __name__})
    return made(name, settings.key)


async def _target(scene: Scene, aim: Aim, *, named: bool) -> tuple[Target, Json | None]:
    """The row's object where the command names it and the API has it; else only a place, which cannot change."""
    if named and aim.kind in FETCHED:
        return await scene.found(aim, aim.kind, aim.namespace, aim.name)
    namespace = aim.namespace or scene.cluster.namespace
    return (
        Target(
            context=scene.cluster.context,
            server=scene.cluster.server,
            kind=aim.kind if named else "Namespace",
            namespace=namespace,
            name=aim.name if named else namespace,
            uid="",
            resource_version="",
        ),
        None,
    )


def _program(name: str) -> Finding:
    found = shutil.which(name)
    if found is None:
        advice = "install it, put it on PATH, or name it by its path in the runbook file"
        return Finding("program", Level.RED, f"there is no program {name} on this machine", advice)
    return Finding("program", Level.GREEN, f"{name} is {found}" if found != name else f"{name} is there")


def _faults(values: dict[str, str]) -> list[Finding]:
    """Values that would not be taken for what they are: an empty one, one that is an option to the program."""
    found = []
    for name, value in values.items():
        if not value:
            found.append(Finding("runbook", Level.RED, f"there is no {name} to put in for {{{name}}}"))
        elif value.startswith("-") or not value.isprintable():
            found.append(Finding("runbook", Level.RED, f"{value[:60]!r} cannot be put in for {{{name}}}"))
    return found


async def _elsewhere(scene: Scene, program: str, names_context: bool) -> list[Finding]:
    """Red for a tool that would act on the kubeconfig's current context, while the console looks at another."""
    if names_context or Path(program).name not in _CLUSTER_TOOLS:
        return []
    try:
        known = await asyncio.to_thread(contexts, scene.cluster.kubeconfig)
    except ProbeError as error:
        return [Finding("context", Level.AMBER, f"which context it acts on is not known: {error}", error.hint)]
    current = next((each.name for each in known if each.current), "")
    if current == scene.cluster.context:
        return []
    text = f"it would act on the context {current or 'that is none'}, and this console is on {scene.cluster.context}"
    return [Finding("context", Level.RED, text, "put {context} into its argv in the runbook file")]


def _kubeconfig(named: str | None) -> str:
    """As KUBECONFIG wants it: the file that the console was given, or the usual places; empty if there is none."""
    if named:
        return str(Path(named).expanduser().absolute())
    if os.environ.get("KUBECONFIG"):
        return os.environ["KUBECONFIG"]
    usual = Path("~/.kube/config").expanduser()
    return str(usual) if usual.exists() else ""


async def _ended(job: Job, limit: float, scene: Scene, tell: Tell) -> str:
    """Wait for its end, telling what it says. Empty when it ended by itself, else why it must not go on."""
    began = job.began_at or scene.now()
    while job.running:
        if job.size > MOST_PRINTED:
            why = f"it printed more than {MOST_PRINTED // 2**20} MiB"
        elif scene.now() - began > limit:
            why = f"it was not done within {limit:g} s"
        else:
            for line in job.said(1):
                tell(visible(line)[:200])
            await asyncio.sleep(LOOK_EVERY)
            continue
        await _end(job)
        return why
    return ""


async def _end(job: Job) -> None:
    """Ask it to end, and after a while make it, with everything that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        job.end(number)
        for _ in range(round(GRACE / LOOK_EVERY)):
            if not job.ours:
                return
            await asyncio.sleep(LOOK_EVERY)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
