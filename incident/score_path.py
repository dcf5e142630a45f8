"""What was done, beside what the ideal path of a scenario asks for. Pure; instants are ms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from incident.acts import ActRecord
from incident.dossier import Dossier
from incident.entry import Entry, Source
from incident.practice import LEFT, Good, Practice, Wanted
from incident.review import UNANSWERED
from incident.told import audience

EVIDENCE = "evidence"
"""The mitigation that keeps evidence, and the choice by which others keep it first."""


class Deed(Struct, frozen=True, kw_only=True):
    """An act as a score sees it. ``target`` is ``kind/name``; ``sent`` whether it reached the world, or may have."""

    entry: str  # its intent's id
    at: int
    ended_at: int | None
    mitigation: str
    target: str
    title: str
    by: str
    sent: bool
    worked: bool
    looked: bool  # it finds something out and changes nothing
    keeps: bool  # the evidence of its target is kept by it, before it changes anything
    way: str = ""  # of a scaling up or down, of a node cordon, uncordon or drain
    takes_back: bool = False  # it undoes one of those before it
    unknown: bool = False  # it ended, and nobody knows how: it was left to itself

    @property
    def verdict(self) -> str:
        """How it ended, in words; of one that nobody knows the end of, that it is not known."""
        if self.worked or self.ended_at is None:
            return "worked" if self.worked else "no outcome yet"
        return "not known" if self.unknown else "did not work"

    @property
    def counts(self) -> bool:
        """Whether it did what it was for. A check did if it ran to its end: that nobody answers is a finding, too."""
        return self.worked or (self.looked and self.mitigation != EVIDENCE and self.sent and self.ended_at is not None)

    def on(self, mitigations: Sequence[str], glob: str, way: str = "") -> bool:
        """Whether it is one of these, on what ``glob`` matches, and goes this way, if one is said."""
        return self.mitigation in mitigations and fnmatchcase(self.target, glob) and way in ("", self.way)


class Taken(Struct, frozen=True, kw_only=True):
    """A step of the ideal path and, where it was done: when, what was done, and the entry of the act that did it.

    ``given``: the drill did it itself, which earns nobody points.
    """

    id: str
    say: str
    at: int | None
    what: str = ""
    entry: str = ""
    given: bool = False


def deeds(acts: Iterable[ActRecord]) -> tuple[Deed, ...]:
    """The acts, in the order in which they were begun."""
    found: list[Deed] = []
    undone: list[tuple[str, str, dict[str, Any]]] = []  # how what was done before is taken back
    for act in sorted(acts, key=lambda one: (one.intent.recorded_at, one.id)):
        plan, deed = _of(_of(act.intent.evidence, "act"), "plan"), _deed(act)
        recipe, choices = _of(_of(plan, "undo"), "recipe"), _of(plan, "choices")
        back = any(
            (deed.mitigation, deed.target) == (mitigation, target) and answers.items() <= choices.items()
            for mitigation, target, answers in undone
        )
        found.append(replace(deed, takes_back=back))
        if deed.sent and recipe and not back:
            undone.append((str(recipe.get("mitigation", "")), deed.target, _of(recipe, "choices")))
    return tuple(found)


def _deed(act: ActRecord) -> Deed:
    plan = _of(_of(act.intent.evidence, "act"), "plan")
    target, choices = _of(plan, "target"), _of(plan, "choices")
    mitigation, ending, outcome = str(plan.get("mitigation", "")), act.ending, act.outcome
    worked = outcome is not None and outcome.level == "good"
    looked = plan.get("looks_only") is True or (ending is not None and ending.looked)
    return Deed(
        entry=act.id,
        at=act.intent.recorded_at,
        ended_at=None if outcome is None else outcome.recorded_at,
        mitigation=mitigation,
        target=f"{str(target.get('kind', '')).lower()}/{target.get('name', '')}",
        title=act.title,
        by=act.by,
        sent=ending is None or ending.sent is not False,
        worked=worked,
        looked=looked,
        keeps=worked and (mitigation == EVIDENCE or choices.get(EVIDENCE) == "yes"),
        way=_way(mitigation, plan, choices),
        unknown=ending is not None and ending.verdict == "unknown",
    )


def _way(mitigation: str, plan: dict[str, Any], choices: dict[str, Any]) -> str:
    if mitigation == "cordon":
        return str(choices.get("act", ""))
    if mitigation != "scale":
        return ""
    before = _of(_of(_of(plan, "undo"), "recipe"), "choices").get("replicas")  # the number there was
    try:
        change = int(choices.get("replicas", "")) - int(before or "")
    except (TypeError, ValueError):
        return ""
    return "up" if change > 0 else "down" if change < 0 else ""


def _of(found: Any, key: str) -> dict[str, Any]:
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, dict) else {}


def first_change(done: Iterable[Deed]) -> Deed | None:
    """The first act that changed something, or may have."""
    return next((deed for deed in done if deed.sent and not deed.looked and deed.mitigation != EVIDENCE), None)


def kept(deed: Deed, glob: str, changed: Deed | None) -> bool:
    """Whether the act kept the evidence of what ``glob`` matches before ``changed`` began, or was part of it."""
    if not deed.keeps or deed.ended_at is None or not fnmatchcase(deed.target, glob):
        return False
    return changed is None or deed.entry == changed.entry or deed.ended_at <= changed.at


def answered(entries: Iterable[Entry]) -> int | None:
    """When a person first did or recorded something after the declaration."""
    return min((entry.recorded_at for entry in entries if _by_a_person(entry)), default=None)


def _by_a_person(entry: Entry) -> bool:
    return entry.source is not Source.PROBE and entry.kind not in UNANSWERED and entry.text != LEFT


def taken(
    step: Wanted,
    found: Dossier,
    practice: Practice,
    good: Good,
    done: Sequence[Deed],
    *,
    well: int | None,
    resolved: int | None,
) -> Taken:
    """What was done about a step. ``well``: when it was well again; ``resolved``: when somebody resolved it then."""
    at, what, entry = _how(step, found, practice, good, done, well, resolved)
    mine = practice.declared and at == found.incident.declared_at
    if mine and step.done in ("declared", "severity"):
        return Taken(id=step.id, say=step.say, at=at, what="the drill did it itself", given=True)
    return Taken(id=step.id, say=step.say, at=at, what=what, entry=entry)


Said = tuple[int | None, str, str]
_NOT: Said = None, "", ""


def healed(deed: Deed, done: Iterable[Deed], well: int | None) -> bool:
    """Whether it was well again after this act and before another changed anything, whatever was found at its end.

    An act is looked at for a while only: who heals in the middle of a peak is told that it did not work yet.
    """
    if well is None or not deed.sent or deed.looked or deed.takes_back or not deed.at <= well:
        return False
    return not any(one.sent and not one.looked and deed.at < one.at <= well for one in done)


def _how(
    step: Wanted,
    found: Dossier,
    practice: Practice,
    good: Good,
    done: Sequence[Deed],
    well: int | None,
    resolved: int | None,
) -> Said:
    if step.act:
        fitting = [one for one in done if one.on(step.act, step.target, step.way)]
        deed = next((one for one in fitting if one.counts), None)
        deed = deed or next((one for one in fitting if healed(one, done, well)), None)
        return (deed.at, deed.title, deed.entry) if deed is not None else _NOT
    if step.evidence:
        changed = first_change(done)
        deed = next((one for one in done if kept(one, step.evidence, changed)), None)
        return (deed.at, deed.title, deed.entry) if deed is not None else _NOT
    if step.update:
        sent = [one.update for one in found.updates if audience(one.update) == step.update]
        if step.over:
            sent = [one for one in sent if resolved is not None and one.at >= resolved]
        update = sent[step.times - 1] if len(sent) >= step.times else None
        return (update.at, f"update by {update.author}", "") if update is not None else _NOT
    if step.role:
        held = next((one for one in found.held if one.role == step.role), None)
        return (held.since, held.person, "") if held is not None else _NOT
    if step.checklist:
        return _checked(step.checklist, found, practice.scenario)
    return _happened(step.done, found, good, resolved)


def _checked(name: str, found: Dossier, scenario: str) -> Said:
    ticks = [tick for tick in found.ticks if tick.list == name]
    known = {
        one.item
        for one in (*found.standard.resolution, *found.standard.others)
        if one.list == name and one.concerns(found.incident.severity, scenario)
    }
    settled = {tick.item for tick in ticks if tick.state != "open"}
    if not ticks or len(settled) < len(ticks) or known - settled:
        return _NOT
    return max(tick.at for tick in ticks), f"{len(settled)} items settled", ""


def _happened(what: str, found: Dossier, good: Good, resolved: int | None) -> Said:
    match what:
        case "declared":
            return found.incident.declared_at, found.entries[0].text.partition("\n")[0], ""
        case "acknowledged":
            at = answered(found.entries)
            return (at, "the first entry of a person", "") if at is not None else _NOT
        case "severity" if good.right(found.incident.severity):
            call = next(one for one in reversed(found.classified) if one.severity == found.incident.severity)
            return call.at, f"called by {call.by}", ""
        case "resolved" if resolved is not None:
            return resolved, "resolved", ""
        case _:
            return _NOT
