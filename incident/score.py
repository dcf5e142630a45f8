"""How a drill was handled, in points out of a hundred. Pure: of the incident's entries alone, and the same each time.

The rule (docs/score.md has it for people). Each row of `WEIGHTS` is judged by what was recorded at the time, not by
what somebody corrected later. A time earns all of its points below the target, half of them below twice the target,
else none. What could not be judged says why, and is neither won nor lost: the points are a hundred times what was won,
by what could be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from incident import score_path
from incident.checks import ticks
from incident.dossier import Dossier
from incident.instants import rfc3339
from incident.practice import Good, Practice, practice_of, resolving, was_left
from incident.review import duration, milestones
from incident.score_path import Deed, Taken, deeds
from incident.standing import severity_words
from incident.told import TEAM, audience

LATER = "told when it is over"

WEIGHTS: dict[str, tuple[str, int]] = {
    "detection": ("Detection", 6),
    "response": ("Response", 6),
    "first-update": ("First update", 6),
    "mitigation": ("Mitigation", 12),
    "resolution": ("Resolution", 6),
    "severity": ("Severity", 10),
    "updates": ("Updates on time", 8),
    "evidence": ("Evidence preserved", 10),
    "harm": ("No harmful act", 12),
    "checklist": ("Checklist", 6),
    "path": ("Ideal path", 18),
}
"""By row: what it is called, and its points. Together they are a hundred."""


class Judged(Struct, frozen=True, kw_only=True):
    """One row. ``got`` None: it could not be judged, and ``said`` says why. ``took``, ``target``: ms, of a time."""

    id: str
    label: str
    of: int
    got: int | None
    said: str
    took: int | None = None
    target: int | None = None

    @property
    def level(self) -> str:
        """How loud it is: info where nothing is judged, good, warn where some points are lost, bad where all are."""
        if self.got is None:
            return "info"
        return "good" if self.got == self.of else "warn" if self.got else "bad"


class Harm(Struct, frozen=True, kw_only=True):
    """An act that did harm, at (ms), and why."""

    at: int
    what: str
    why: str


class Score(Struct, frozen=True, kw_only=True):
    """``finished``: somebody resolved the incident; else this is how it stands so far, or stood when it was ``left``.

    ``path`` is the ideal one with what was done beside it; ``others`` are acts that are not on it, in order of time.
    ``hidden``: it is a surprise that is not over, so that neither the scenario is told, nor the severity that the
    incident should have, nor what was right or wrong.
    """

    scenario: str
    opened_at: int  # ms
    severity: int  # that it should have
    finished: bool
    left: bool
    judged: tuple[Judged, ...]
    path: tuple[Taken, ...]
    harm: tuple[Harm, ...]
    others: tuple[Deed, ...]
    seed: int = 0
    hidden: bool = False

    @property
    def played(self) -> str:
        """The scenario as a person reads it, with the seed that plays it again."""
        return f"{self.scenario}, seed {self.seed}" if self.seed and not self.hidden else self.scenario

    @property
    def got(self) -> int:
        return sum(one.got or 0 for one in self.judged)

    @property
    def of(self) -> int:
        """The points of what could be judged."""
        return sum(one.of for one in self.judged if one.got is not None)

    @property
    def points(self) -> int | None:
        """Of a hundred; None while nothing can be judged."""
        return round(100 * self.got / self.of) if self.of else None

    @property
    def state(self) -> str:
        return "finished" if self.finished else "left unfinished" if self.left else "so far"


def score(found: Dossier, now: int | None = None) -> Score | None:
    """The score of a drill; None for real incidents, and for drills whose scenario does not say what is good.

    ``now`` (ms) is how far an open incident has come; without it, its last entry.
    """
    practice = practice_of(found.entries) if found.incident.drill else None
    if practice is None or practice.good is None:
        return None
    return _Judge(found, practice, practice.good, now).score()


class _Judge:
    """One look at an incident. Times are ms."""

    def __init__(self, found: Dossier, practice: Practice, good: Good, now: int | None) -> None:
        self._found, self._practice, self._good = found, practice, good
        last = resolving(found.entries)
        self._over = last is not None
        self._hidden = practice.surprise and not self._over
        # The targets of the right severity would tell which that is.
        self._level = found.standard.level(found.incident.severity if self._hidden else good.severity)
        # A relapse is seen only by who stays after the end, who must not have less for it than who leaves.
        self._lines = [one for one in found.timeline.lines if last is None or one.entry.seq <= last.seq]
        self._known = milestones(found.incident, self._lines)
        self._deeds = deeds(found.acts)
        self._left = was_left(found.entries)
        self._resolved = None if last is None or self._left else last.recorded_at
        self._end = last.recorded_at if last is not None else max(now or 0, found.end)
        self._declared = found.incident.declared_at
        self._recovered = self._well_again()
        told = [one.update for one in found.updates]
        self._team = [one for one in told if audience(one) == TEAM]

    def _well_again(self) -> int | None:
        """When it was well again, and not only looked like it; None if it is not, or was not when it ended."""
        at, steps = self._known.recovered, [step for step in self._good.path if step.id == self._good.cure]
        if at is not None and steps:
            done = [
                deed.at for deed in self._deeds if deed.counts and deed.on(steps[0].act, steps[0].target, steps[0].way)
            ]
            at = max(at, done[0]) if done else None
        return None if at is None or at > self._end else at

    @property
    def _too_early(self) -> str:
        """Said of who resolved what was not well again."""
        return f"resolved while it {'was not' if self._known.recovered is None else 'only looked'} well again"

    def score(self) -> Score:
        over = None if self._recovered is None else self._resolved  # it is no step of any path to resolve what is down
        path = tuple(
            score_path.taken(
                step, self._found, self._practice, self._good, self._deeds, well=self._recovered, resolved=over
            )
            for step in self._good.path
        )
        harm = tuple(
            Harm(at=deed.at, what=deed.title, why=why)
            for deed in self._deeds
            if (why := self._harms(deed)) and deed.sent and not deed.takes_back
        )
        if self._hidden:  # that a step is done says that it was right
            told = (one.done != "severity" and not one.act and not one.evidence for one in self._good.path)
            path = tuple(step for step, open_ in zip(path, told, strict=True) if open_ and step.at is not None)
            harm = ()
        on_path = {step.entry for step in path if step.entry}
        return Score(
            scenario=self._practice.told(over=self._over),
            seed=self._practice.seed,
            opened_at=self._practice.opened_at,
            severity=self._good.severity,
            finished=self._resolved is not None,
            left=self._left,
            judged=(
                self._detection(),
                self._response(),
                self._first_update(),
                self._mitigation(),
                self._resolution(),
                self._severity(),
                self._updates(),
                self._evidence(),
                self._harm(harm),
                self._checklist(),
                self._path(path),
            ),
            path=path,
            harm=harm,
            others=tuple(deed for deed in self._deeds if deed.sent and not deed.looked and deed.entry not in on_path),
            hidden=self._hidden,
        )

    # ------------------------------------------------------------------ times

    def _timed(self, name: str, since: int, at: int | None, target: float | None, missing: str = "") -> Judged:
        """A time against its target (seconds). ``missing`` is said where it did not happen and no more can."""
        limit = None if target is None else round(target * 1000)
        whole = WEIGHTS[name][1]
        if limit is None:
            said = "no target" if at is None else f"{duration(at - since)}, no target"
            return _row(name, None, said, took=None if at is None else max(0, at - since))
        under = f"under {duration(limit)}"
        if at is not None:
            took = max(0, at - since)
            met = took < limit
            got = whole if met else whole // 2 if took < 2 * limit else 0
            return _row(name, got, f"{duration(took)}, {'' if met else 'not '}{under}", took=took, target=limit)
        if missing:
            return _row(name, 0, missing, target=limit)
        if self._end - since >= limit:
            return _row(name, 0, f"not in {duration(self._end - since)}: {under}", target=limit)
        return _row(name, None, "it ended before that was due" if self._over else f"not yet: {under}", target=limit)

    def _detection(self) -> Judged:
        if self._practice.declared:
            return _row("detection", None, "the drill declared it itself")
        symptom = self._known.first_symptom
        opened = self._practice.opened_at
        since = max(opened, symptom) if symptom is not None and symptom <= self._declared else opened
        return self._timed("detection", since, self._declared, self._level.detect_within if self._level else None)

    def _response(self) -> Judged:
        target = self._level.respond_within if self._level else None
        return self._timed("response", self._declared, score_path.answered(self._found.entries), target)

    def _first_update(self) -> Judged:
        at = min((one.at for one in self._team), default=None)
        return self._timed("first-update", self._declared, at, self._level.first_update_within if self._level else None)

    def _mitigation(self) -> Judged:
        if self._hidden:
            return _row("mitigation", None, LATER)
        missing = self._too_early if self._resolved is not None else ""
        return self._timed("mitigation", self._declared, self._recovered, self._good.mitigate_within, missing)

    def _resolution(self) -> Judged:
        target = self._level.resolve_within if self._level else None
        if self._resolved is not None and self._recovered is None:
            return _row("resolution", 0, self._too_early)
        return self._timed("resolution", self._declared, self._resolved, target)

    # ------------------------------------------------------------------ the rest

    def _path(self, path: Sequence[Taken]) -> Judged:
        counted = [step for step in path if not step.given]
        done = sum(step.at is not None for step in counted)
        if not self._over or not counted:  # what is not done yet is not lost
            return _row(
                "path", None, f"{done} of {len(counted)} steps so far" if not self._hidden else f"{done} so far"
            )
        return _row("path", _share("path", done, len(counted)), f"{done} of {len(counted)} steps")

    def _severity(self) -> Judged:
        said, right = [one for one in self._found.classified if one.at <= self._end], self._good.severity
        now, whole = said[-1].severity if said else None, WEIGHTS["severity"][1]
        if self._practice.declared and len(said) == 1 and self._good.right(now):
            return _row("severity", None, f"the drill called it {severity_words(now)} itself")
        if now is None and not self._over:
            return _row("severity", None, "not called yet")
        if self._hidden:
            return _row("severity", None, LATER)
        if not self._good.right(now):
            return _row("severity", 0, f"{severity_words(now)}, where {severity_words(right)} is right")
        first = next((one.severity for one in said if one.severity is not None), None)
        if self._good.right(first) or self._practice.declared:
            return _row("severity", whole, severity_words(now))
        return _row("severity", whole // 2, f"{severity_words(first)} at first, then {severity_words(now)}")

    def _updates(self) -> Judged:
        sent, missed = len(self._team), len({one.due for one in self._found.missed})
        if not sent + missed:
            return _row("updates", None, "none was due" if self._over else "none is due yet")
        return _row("updates", _share("updates", sent, sent + missed), f"{sent} sent, {missed} missed")

    def _evidence(self) -> Judged:
        if self._hidden:
            return _row("evidence", None, LATER)
        if not self._good.evidence_first:
            return _row("evidence", None, "this scenario asks for none")
        wanted = [step.evidence for step in self._good.path if step.evidence]
        changed = score_path.first_change(self._deeds)
        kept = [any(score_path.kept(deed, glob, changed) for deed in self._deeds) for glob in wanted]
        if all(kept):
            return _row("evidence", WEIGHTS["evidence"][1], "kept before anything was changed")
        if changed is None and not self._over:
            return _row("evidence", None, "nothing was changed yet")
        late = [any(score_path.kept(deed, glob, None) for deed in self._deeds) for glob in wanted]
        return _row("evidence", 0, "kept only after something was changed" if all(late) else "not kept")

    def _harms(self, deed: Deed) -> str:
        return next((one.why for one in self._good.harmful if deed.on((one.act,), one.target, one.way)), "")

    def _harm(self, harm: Sequence[Harm]) -> Judged:
        if not any(deed.sent and not deed.looked for deed in self._deeds):
            return _row("harm", None, "nothing was done")
        if self._hidden:
            return _row("harm", None, LATER)
        whole = WEIGHTS["harm"][1]
        if not harm:
            return _row("harm", whole, "none")
        return _row("harm", whole // 2 if len(harm) == 1 else 0, "; ".join(one.what for one in harm))

    def _checklist(self) -> Judged:
        items = [one for one in self._found.standard.resolution if one.concerns(self._found.incident.severity)]
        if not items:
            return _row("checklist", None, "the runbook has no resolution checklist")
        if self._resolved is None:
            return _row("checklist", None, "the drill was left" if self._left else "not resolved yet")
        settled = {item for item, tick in ticks(self._lines).items() if tick.state != "open"}
        left = [one.text for one in items if (one.list, one.item) not in settled]
        said = f"open: {'; '.join(left)}" if left else "nothing left open"
        return _row("checklist", _share("checklist", len(items) - len(left), len(items)), said)


def _share(name: str, part: int, of: int) -> int:
    """So many of the row's points; all of them only for all, however near a part comes."""
    whole = WEIGHTS[name][1]
    return whole if part == of else min(whole - 1, round(whole * part / of))


def _row(name: str, got: int | None, said: str, *, took: int | None = None, target: int | None = None) -> Judged:
    label, of = WEIGHTS[name]
    return Judged(id=name, label=label, of=of, got=got, said=said, took=took, target=target)


def to_json(found: Score) -> dict[str, Any]:
    """The score as it leaves the program; durations in seconds, null where nothing is known."""
    return {
        "scenario": found.scenario,
        "seed": None if found.hidden else found.seed,
        "state": found.state,
        "points": found.points,
        "of": 100,
        "got": found.got,
        "judged": found.of,
        "opened_at": rfc3339(found.opened_at),
        "severity": None if found.hidden else found.severity,
        "rows": [
            {
                "id": one.id,
                "label": one.label,
                "got": one.got,
                "of": one.of,
                "said": one.said,
                "seconds": None if one.took is None else one.took / 1000,
                "target_seconds": None if one.target is None else one.target / 1000,
            }
            for one in found.judged
        ],
        "path": [
            {"id": one.id, "say": one.say, "at": None if one.at is None else rfc3339(one.at), "yours": one.what}
            for one in found.path
        ],
        "harmful": [{"at": rfc3339(one.at), "what": one.what, "why": one.why} for one in found.harm],
        "others": [{"at": rfc3339(one.at), "what": one.title, "verdict": one.verdict} for one in found.others],
    }
