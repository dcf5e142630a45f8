"""What became of the plans that a guide opened, and of those that were begun by their own keys meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from runbook.guide import Guide
from runbook.guide_findings import Found
from runbook.plan import Verdict
from tui import guide_aims

if TYPE_CHECKING:
    from runbook.act import Act
    from runbook.plan import Aim

Claimed = Collection[tuple[str, str]]
"""(guide, intent) of the acts whose end was recorded as a finding of that guide, or will be."""


class Planned(Struct, frozen=True):
    """A plan of a step: the act that came of it is that step's finding."""

    key: tuple[str, str]  # guide, step
    text: str
    mitigation: str
    aim: Aim
    since: float
    incident: str


def act_of(planned: Planned, acts: Sequence[Act], claimed: Claimed) -> Act | None:
    """The newest act that came of a plan: its mitigation, on what it was aimed at, on its incident."""
    for act in reversed(acts):
        plan = act.plan
        if act.began_at < planned.since or (planned.key[0], act.entry) in claimed:
            continue
        if (plan.mitigation, plan.aim, act.incident) == (planned.mitigation, planned.aim, planned.incident):
            return act
    return None


def begun_elsewhere(
    one: Guide, acts: Sequence[Act], incident: str, claimed: Claimed, under_way: Collection[tuple[str, str]]
) -> Iterator[tuple[Planned, Act]]:
    """Open steps that an act of this incident has taken, although it was begun by its own key; each act one step.

    Only what worked counts: whether a failure is the end of a step, its own guide's person decides.
    """
    taken: set[str] = set()
    for step in one.steps:
        key = (one.id, step.id)
        if step.state != "open" or not step.mitigation or key in under_way:
            continue
        for act in reversed(acts):
            if (one.id, act.entry) in claimed or act.entry in taken or act.incident != incident:
                continue
            worked = act.finished and act.outcome is not None and act.outcome.verdict is Verdict.WORKED
            if worked and act.plan.mitigation == step.mitigation and guide_aims.suits(one, step, act.plan.aim):
                taken.add(act.entry)
                yield Planned(key, step.text, step.mitigation, act.plan.aim, act.began_at, incident), act
                break


def found_of(act: Act) -> Found | None:
    """What a step came to; None if nothing was carried out, which the timeline has, and the step is as it was."""
    outcome = act.outcome
    if outcome is None or outcome.verdict in (Verdict.CANCELLED, Verdict.REFUSED):
        return None
    # A check that found a host unreachable has found something; a restart that did not help has to be done again.
    done = outcome.verdict is Verdict.WORKED or (act.plan.looks_only and outcome.verdict is Verdict.FAILED)
    return Found(
        text=f"{act.plan.title}: {outcome.verdict}, {outcome.text}",
        known=done,
        level="good" if outcome.verdict is Verdict.WORKED else "warn",
        facts={"act": act.plan.id, "verdict": str(outcome.verdict)},
    )
