"""What a guide looks like, as data: a scenario or phase of the runbook as a checklist.

All texts are as they came, the runbook file's and the cluster's among them: drawing makes them inert. Times are worded.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Way = Literal["look", "logs", "plan", "hand"]
"""What enter does with a step: looks through the probes, reads logs, opens a plan, or nothing but show it."""

Standing = Literal["open", "done", "not-needed"]


class RecordView(Struct, frozen=True):
    """What was found or noted, when and by whom. ``kept`` False: it is nowhere but here."""

    text: str
    when: str = ""
    by: str = ""
    kept: bool = True


class StepView(Struct, frozen=True, kw_only=True):
    """One step. ``code`` has what is known filled in. ``doing`` words what is under way, ``warning`` what to mind."""

    id: str
    text: str
    state: Standing = "open"
    way: Way = "hand"
    code: str = ""
    notes: tuple[str, ...] = ()
    records: tuple[RecordView, ...] = ()
    doing: str = ""
    warning: str = ""


class SectionView(Struct, frozen=True):
    title: str
    steps: tuple[StepView, ...]


class GuideView(Struct, frozen=True, kw_only=True):
    """All of it. ``name`` is "Scenario 2", ``lead`` are (what, words); ``fits``: the diagnosis says it is this one."""

    id: str = ""
    name: str = ""
    title: str = ""
    fits: bool = False
    lead: tuple[tuple[str, str], ...] = ()
    sections: tuple[SectionView, ...] = ()

    @property
    def steps(self) -> tuple[StepView, ...]:
        return tuple(step for section in self.sections for step in section.steps)

    @property
    def done(self) -> int:
        return sum(step.state != "open" for step in self.steps)
