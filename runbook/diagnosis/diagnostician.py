"""Puts a diagnosis together. One of these lives as long as the console looks at one cluster."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from probes.freshness import Snapshot
from runbook.diagnosis.answers import Evidence, Reached, answered, shown
from runbook.diagnosis.findings import Answer, Diagnosis, Finding, Seen, Suspect
from runbook.diagnosis.flowchart import FRAMEWORK, way
from runbook.diagnosis.scenarios import fitting
from runbook.diagnosis.sightings import NOTHING, Sightings
from runbook.diagnosis.situation import Situation, Told
from runbook.diagnosis.suspects import suspects
from runbook.diagnosis.symptoms import symptoms
from runbook.diagnosis.wording import Clock, utc
from runbook.response import Asks, Question, Response

NOTHING_TOLD = Told()


class Diagnostician:
    """Ask it as often as you like: what did not change costs nothing, and the same input has the same answer.

    A framework that the runbook file leaves out is the runbook's flowchart.
    """

    def __init__(self, response: Response) -> None:
        self.response = response
        self.framework: tuple[Question, ...] = response.framework or FRAMEWORK
        self._sight = Sightings()
        self._reached: dict[str, Reached] = {}
        for one in self.framework:
            if one.asks:
                self._reached |= {one.yes: (one.asks, "yes"), one.no: (one.asks, "no")}

    def diagnose(
        self,
        latest: Mapping[str, Snapshot[Any]],
        now: float,
        clock: Clock = utc,
        told: Told = NOTHING_TOLD,
        changed: Mapping[str, Collection[str]] = NOTHING,
    ) -> Diagnosis:
        """The diagnosis from the newest snapshot of each source, at the instant ``now``, in epoch seconds.

        ``clock`` words the instants in sentences. ``changed`` spares comparing
        (see `Sightings.look`). Never raises for what is in the snapshots.
        """
        self._sight.look(latest, changed)
        situation = Situation(self._sight, self.response, now, clock, told)
        before, after = suspects(situation)
        seen = symptoms(situation)
        found: dict[Asks, Evidence] = {
            one.asks: answered(one.asks, situation, before) for one in self.framework if one.asks
        }
        answers: dict[str, Answer] = {asks: evidence.answer for asks, evidence in found.items()}
        path = way(self.framework, answers)
        return Diagnosis(
            findings=tuple(self._finding(one, situation, found, path, before, seen) for one in self.framework),
            path=path,
            first_symptom=situation.began,
            first_text=situation.onset.text if situation.onset is not None else "",
            symptoms=seen,
            fits=fitting(self.response.scenarios, seen, situation),
            suspects=before,
            after=after,
            chronic=situation.chronic,
            ill=situation.ill,
        )

    def _finding(
        self,
        question: Question,
        situation: Situation,
        found: Mapping[Asks, Evidence],
        path: Sequence[str],
        before: Sequence[Suspect],
        seen: Sequence[Seen],
    ) -> Finding:
        evidence = found[question.asks] if question.asks else self._shown(question, situation, before, seen)
        return Finding(
            id=question.id,
            text=question.text,
            asks=question.asks,
            answer=evidence.answer,
            evidence=evidence.text,
            place=evidence.place,
            since=evidence.since,
            lit=question.id in path,
            yes=question.yes,
            no=question.no,
            next=question.next,
        )

    def _shown(
        self, question: Question, situation: Situation, before: Sequence[Suspect], seen: Sequence[Seen]
    ) -> Evidence:
        return shown(question.pane, self._reached.get(question.id, ("", "")), situation, before, seen)
