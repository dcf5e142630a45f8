"""Which of the runbook's scenarios fits what is seen.

Each symptom that is there adds its weight. A scenario about particular services counts it up to twice: once, and once
more for the share of those that show it which are its services, so that payments among forty failing services are no
payment failure. A symptom of workloads that the scenario is not about says nothing for it. An endpoint that fails
counts once whatever it is called, because it does not say which service fails behind it; but where every endpoint does,
that speaks of the platform and not of a service. A scenario for which nothing speaks is none that fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from runbook.diagnosis.findings import Fit, Seen
from runbook.diagnosis.situation import Situation
from runbook.diagnosis.symptoms import unknowable, unwatched
from runbook.response import Scenario, Symptom

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
    everywhere = any(seen.symptom == "all-endpoints-failing" for seen in symptoms)
    reasons: list[Seen] = []
    for seen in symptoms:
        weight = scenario.fits.get(seen.symptom, 0)
        factor = 0.0 if everywhere and _is_part(scenario, seen) else _factor(scenario, seen)
        if weight <= 0 or factor <= 0:
            continue
        score += weight * factor
        particular = particular or factor > 1.0
        reasons.append(seen)
    if not reasons:
        return None
    there = {seen.symptom for seen in reasons}
    others = [symptom for symptom in scenario.fits if symptom not in there and not unwatched(now, symptom)]
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


def _is_part(scenario: Scenario, seen: Seen) -> bool:
    """Of a failure of every endpoint, one endpoint's is a part, and none of a particular service."""
    return bool(scenario.services) and seen.symptom == "endpoint-failing"


def _factor(scenario: Scenario, seen: Seen) -> float:
    if not scenario.services:
        return 1.0
    its_own = sum(any(fnmatchcase(name, glob) for glob in scenario.services) for name in seen.names)
    if its_own:
        return 1.0 + its_own / len(seen.names)
    return 1.0 if not seen.names or seen.symptom in ANYWHERE else 0.0
