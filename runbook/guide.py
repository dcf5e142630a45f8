"""A scenario or a phase of the runbook as a checklist: what each of its steps can do here, and how it stands. Pure.

What a step finds is `runbook.guide_findings`; carrying one out is the business of whoever shows the guide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

from incident.checks import State, Tick
from runbook.response import Language, Look, Phase, Response, Scenario, Section, Step

Way = Literal["look", "logs", "plan", "hand"]
"""What a step can do here: look through the probes, read logs, start a plan, or nothing (it is done elsewhere)."""

CONNECTIVITY, EVIDENCE, QUARANTINE = "connectivity", "evidence", "quarantine"
"""Ids of mitigations that a guide knows something about."""

Histories = Mapping[tuple[str, str], Sequence[Tick]]
"""Every tick of an item, oldest first, by list and item (`incident.checks.histories`)."""


class GuideStep(Struct, frozen=True, kw_only=True):
    """One step. ``mitigation`` is the plan it starts, of a connectivity check too; ``state`` as it was ticked last.

    ``query`` is what a look of SQL asks.
    """

    id: str
    section: str
    text: str
    way: Way
    code: str = ""
    language: Language = ""
    query: str = ""
    notes: tuple[str, ...] = ()
    look: Look | None = None
    mitigation: str = ""
    state: State = "open"
    ticks: tuple[Tick, ...] = ()


class Guide(Struct, frozen=True, kw_only=True):
    """``lead`` are (what, words): symptoms, causes, impact; a phase's window. ``services`` are a scenario's globs."""

    id: str
    title: str
    number: int
    phase: bool
    lead: tuple[tuple[str, str], ...]
    steps: tuple[GuideStep, ...]
    services: tuple[str, ...] = ()
    security: bool = False

    @property
    def name(self) -> str:
        return f"{'Phase' if self.phase else 'Scenario'} {self.number}"

    @property
    def done(self) -> int:
        """How many steps are not open any more."""
        return sum(step.state != "open" for step in self.steps)

    def step(self, id: str) -> GuideStep | None:  # noqa: A002
        return next((step for step in self.steps if step.id == id), None)


def guides(response: Response, histories: Histories | None = None) -> tuple[Guide, ...]:
    """The scenarios and then the phases, in the runbook's order."""
    known = histories or {}
    return (
        *(of_scenario(scenario, known) for scenario in response.scenarios),
        *(of_phase(phase, number, known) for number, phase in enumerate(response.phases, 1)),
    )


def guide(response: Response, id: str, histories: Histories | None = None) -> Guide | None:  # noqa: A002
    """One of them by its id; a scenario before a phase of the same name."""
    known = histories or {}
    for scenario in response.scenarios:
        if scenario.id == id:
            return of_scenario(scenario, known)
    for number, phase in enumerate(response.phases, 1):
        if phase.id == id:
            return of_phase(phase, number, known)
    return None


def of_scenario(scenario: Scenario, known: Histories) -> Guide:
    words = (("Symptoms", scenario.symptoms), ("Likely causes", scenario.causes), ("Impact", scenario.impact))
    return Guide(
        id=scenario.id,
        title=scenario.title,
        number=scenario.number,
        phase=False,
        lead=tuple((what, said) for what, said in words if said),
        steps=_steps(scenario.id, scenario.sections, known),
        services=scenario.services,
        security=scenario.security,
    )


def of_phase(phase: Phase, number: int, known: Histories) -> Guide:
    return Guide(
        id=phase.id,
        title=phase.title,
        number=number,
        phase=True,
        lead=(("When", phase.window),) if phase.window else (),
        steps=_steps(phase.id, phase.sections, known),
    )


def _steps(list_id: str, sections: Sequence[Section], known: Histories) -> tuple[GuideStep, ...]:
    return tuple(
        _step(step, section.title, tuple(known.get((list_id, step.id), ())))
        for section in sections
        for step in section.steps
    )


def _step(step: Step, section: str, ticks: tuple[Tick, ...]) -> GuideStep:
    way, mitigation = _way(step)
    return GuideStep(
        id=step.id,
        section=section,
        text=step.text,
        way=way,
        code=step.code,
        language=step.language,
        query=step.query or (step.code if step.language == "sql" else ""),
        notes=step.notes,
        look=step.look,
        mitigation=mitigation,
        state=ticks[-1].state if ticks else "open",
        ticks=ticks,
    )


def _way(step: Step) -> tuple[Way, str]:
    if step.mitigation:
        return "plan", step.mitigation
    if step.look is None:
        return "hand", ""
    if step.look.what == "connectivity":
        return "plan", CONNECTIVITY
    return ("logs" if step.look.what == "logs" else "look"), ""


def of_service(name: str, globs: Sequence[str]) -> bool:
    """Whether a workload of this name is one that ``globs`` speak of; without any, each is."""
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


def aims_at(guide: Guide, step: GuideStep) -> tuple[str, ...]:
    """Globs of the workloads that a step is about; empty: any."""
    return (step.look.of,) if step.look is not None and step.look.of else guide.services


def unpreserved(guide: Guide, step: GuideStep) -> str:
    """Why containment is early: the step before it that preserves evidence and is still open; empty if none is."""
    if step.mitigation != QUARANTINE:
        return ""
    for other in guide.steps:
        if other.id == step.id:
            return ""
        if other.mitigation == EVIDENCE and other.state == "open":
            return other.text
    return ""


# ---------------------------------------------------------------------- what stands for something in a step's code


class Filling(Struct, frozen=True, kw_only=True):
    """What is known of what a step's code leaves open. ``pods`` are (pod, its workload), the sickest first.

    ``chosen`` is the pod under the cursor: the only one that is taken for the suspicious one.
    """

    workload: str = ""
    chosen: str = ""
    pods: tuple[tuple[str, str], ...] = ()
    revision: int = 0


NOTHING = Filling()

_PLACEHOLDER = re.compile(r"<([a-z][a-z0-9-]{0,40})>")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_WORKLOAD = ("service", "service-name", "deployment", "deployment-name", "workload", "workload-name")
_REVISION = ("previous-version", "previous-revision", "revision")
_OF_ANY = ("", "sick", "failing", "any", "some")  # … of a pod


def filled(code: str, known: Filling) -> str:
    """``code`` with what is known in place of ``<payment-pod>``, ``<service-name>``, ``<previous-version>`` …

    A placeholder for which nothing is known stays, and so does one whose value is no Kubernetes name: what comes from
    a cluster is pasted into a shell.
    """

    def put(found: re.Match[str]) -> str:
        value = _value(found[1], known)
        return value if _NAME.fullmatch(value) else found[0]

    return _PLACEHOLDER.sub(put, code)


def _value(name: str, known: Filling) -> str:
    if name in _REVISION:
        return str(known.revision) if known.revision > 0 else ""
    if name in _WORKLOAD:
        return known.workload
    of, _, last = name.rpartition("-")
    if name == "pod-name":
        of, last = "", "pod"
    if last != "pod":
        return ""
    if of == "suspicious":
        return known.chosen
    if of in _OF_ANY:
        return known.chosen or next((pod for pod, _ in known.pods), "")
    return next((pod for pod, workload in known.pods if of in workload), "")
