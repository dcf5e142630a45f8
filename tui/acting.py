"""What keys that act ask for: a plan for the row under the cursor, an undo, arming, and a look at what is under way.

The aim is captured here, once, when the key is pressed. Nothing here sends anything: see `runbook.gate`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tui import writing
from widgets.acts_strip import ActRow
from widgets.plain import ago, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from incident.acts import ActRecord
    from runbook.act import Act
    from runbook.gate import Gate
    from runbook.plan import Aim
    from tui.room import ControlRoom

log = logging.getLogger(__name__)

LINGER = 12.0
"""Seconds that an act which ended stays in the strip."""

STYLES = {"worked": "good", "did not work": "bad", "unknown": "warn", "refused": "warn", "cancelled": "dim"}
MARKS = {"worked": "✓", "did not work": "✗", "unknown": "?", "refused": "!", "cancelled": "–"}


def plan(host: ControlRoom, name: str) -> None:
    """Show the plan of a mitigation for what is selected right now."""
    aim = host.desk.aim()
    refusal = host.desk.refusal(name, aim)
    if refusal:
        host.tell(f"{host.desk.act_label(name)}: {refusal}", "warning", timeout=4)
        return
    open_plan(host, name, aim)


def open_plan(host: ControlRoom, name: str, aim: Aim, choices: Mapping[str, str] | None = None, note: str = "") -> None:
    """Put a plan in front. A second press while it opens does nothing."""
    if host.plan_opening or host.session.view is None:
        return
    host.plan_opening = True
    writing.begin(host, _open_plan(host, name, aim, choices, note), f"plans {name}")


async def _open_plan(host: ControlRoom, name: str, aim: Aim, choices: Mapping[str, str] | None, note: str) -> None:
    from probes.errors import ProbeError
    from tui.screens.plan import PlanScreen

    try:
        view = host.session.view
        assert view is not None
        gate = await host.gates.of(view)
        await host.app.push_screen(PlanScreen(host, gate, name, aim, choices, note=note))
    except ProbeError as error:
        host.tell(f"no plan: {error}", "error")
    finally:
        host.plan_opening = False


# ------------------------------------------------------------------ arming


def arm(host: ControlRoom) -> None:
    """Arm the console for production, or disarm it."""
    gate = host.gate
    if gate is None and host.session.view is None:
        host.tell("not connected to a cluster yet", "warning")
    elif gate is None and not host.read_only:
        host.arm_by_declaration()  # as that does, as soon as there is a gate
        host.tell("this console will be armed as soon as it can act", "warning", timeout=4)
    elif gate is None or gate.read_only:
        host.tell("this console only looks: it was opened with --read-only", "warning")
    elif gate.armed:
        gate.disarm()
        host.tell("disarmed: acts on production are refused", timeout=4)
    else:
        gate.arm()
        minutes = round(gate.playbook.armed_for / 60)
        host.tell(f"armed for {minutes} minutes: a confirmed plan will act on production", "warning", timeout=4)


# ------------------------------------------------------------------ undo


def undo(host: ControlRoom) -> None:
    """Choose what to take back, and show the plan of that."""
    if not host.journal.ready:
        host.tell(writing.why_none(host.journal), "warning")
        return
    writing.begin(host, _undo(host), "lists what can be undone")


async def _undo(host: ControlRoom) -> None:
    from tui.screens.choose import Choice, ChooseScreen

    past = await host.book.acts()
    if not past:
        host.tell("nothing was done in this incident that could be taken back", "information")
        return
    now = host.now()
    choices = [
        Choice(act.id, act.title, f"{ago(now - act.intent.happened_at / 1000)} ago · {_verdict(act)} · {act.undo}")
        for act in past
    ]
    screen = ChooseScreen("Undo", choices, hint="enter shows the plan · esc leaves", stacked=True)
    chosen = await host.app.push_screen_wait(screen)
    for act in past:
        if act.id == chosen:
            undo_act(host, act)


def undo_act(host: ControlRoom, act: ActRecord) -> None:
    """The plan that takes one act back, or why there is none."""
    from runbook.record import intent_of, undo_of

    intent = intent_of(act.intent.evidence)
    known = undo_of(act.outcome.evidence) if act.outcome is not None else None
    undo = known or (intent.plan.undo if intent is not None else None)
    if intent is None or undo is None or undo.recipe is None:
        host.tell(f"cannot be taken back: {undo.words if undo else 'nothing is known of how'}", "warning", timeout=8)
        return
    target = intent.plan.target
    if host.gate is None or not host.gate.acts_on(target):
        host.tell(f"that was done on {target.context}: look at it first (c), then undo", "warning", timeout=8)
        return
    recipe = undo.recipe
    open_plan(host, recipe.mitigation, recipe.aim, recipe.choices, note=f"takes back: {act.title}")


def _verdict(act: ActRecord) -> str:
    return act.ending.verdict if act.ending is not None else "outcome unknown"


# ------------------------------------------------------------------ what is under way


def watch(host: ControlRoom) -> None:
    """Every act of this console, with its progress."""
    from tui.screens.acts import ActsScreen

    host.app.push_screen(ActsScreen(host))


def rows(acts: Sequence[Act], now: float) -> list[ActRow]:
    """The strip: what is under way, and for a moment what has ended."""
    return [row_of(act) for act in acts if act.ended_at is None or now - act.ended_at < LINGER]


def row_of(act: Act) -> ActRow:
    outcome = act.outcome
    if outcome is None:
        return ActRow("▶", act.plan.title, str(act.phase), act.latest, int(act.seconds))
    verdict = str(outcome.verdict)
    return ActRow(
        MARKS.get(verdict, "?"),
        act.plan.title,
        "",
        plain(outcome.text),
        int(act.seconds),
        verdict,
        STYLES.get(verdict, "warn"),
    )


async def prepare(host: ControlRoom, gate: Gate) -> None:
    """Find out what became of acts that an earlier console left without an outcome."""
    entries = await host.book.unfinished()
    for act in gate.resume(entries):
        host.tell(f"an act was left without an outcome: {act.plan.title}. Finding out …", "warning", timeout=15)
