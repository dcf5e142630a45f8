"""Which of the runbook's scenarios fits what is seen.

Each symptom that is there adds its weight. A scenario about particular services counts it twice when one of them shows
it, and once when the symptom names only endpoints of other names (an endpoint does not say which service fails behind
it) or nothing at all. A symptom of workloads that the scenario is not about says nothing for it. A scenario for which
nothing speaks is none that fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from runbook.diagnosis.findings import Fit, Seen
from runbook.diagnosis.situation import Situation
from runbook.diagnosis.symptoms import unknowable
from runbook.response import Scenario, Symptom

PARTICULAR = 2.0
ANYWHERE: frozenset[Symptom] = frozenset(
    {"all-endpoints-failing", "endpoint-failing", "slow-endpoints", "api-unreachable"}
)
"""Symptoms that may come from a service whose name they do not tell."""


def fitting(scenarios: Sequence[Scenario], symptoms: Sequence[Seen], now: Situation) -> tuple[Fit, ...]:
    """Those for which something speaks, the best first; equal ones in the runbook's order."""
    fits = [fit for scenario in scenarios if (fit := _fit(scenario, symptoms, now)) is not None]
    return tuple(sorted(fits, key=lambda fit: (-fit.score, not fit.particular, fit.number, fit.id)))


def _fit(scenario: Scenario, symptoms: Sequence[Seen], now: Situation) -> Fit | None:
    score, particular = 0.0, False
    reasons: list[Seen] = []
    for seen in symptoms:
        weight = scenario.fits.get(seen.symptom, 0)
        factor = _factor(scenario, seen)
        if weight <= 0 or factor <= 0:
            continue
        score += weight * factor
        particular = particular or factor == PARTICULAR
        reasons.append(seen)
    if not reasons:
        return None
    there = {seen.symptom for seen in reasons}
    others = [symptom for symptom in scenario.fits if symptom not in there]
    reasons.sort(key=lambda seen: -scenario.fits[seen.symptom] * _factor(scenario, seen))
    return Fit(
        id=scenario.id,
        number=scenario.number,
        title=scenario.title,
        score=score,
        particular=particular,
        reasons=tuple(reasons),
        missing=tuple(symptom for symptom in others if not unknowable(now, symptom)),
        unknown=tuple(symptom for symptom in others if unknowable(now, symptom)),
    )


def _factor(scenario: Scenario, seen: Seen) -> float:
    if not scenario.services:
        return 1.0
    if any(fnmatchcase(name, glob) for name in seen.names for glob in scenario.services):
        return PARTICULAR
    return 1.0 if not seen.names or seen.symptom in ANYWHERE else 0.0
