"""How bad it is: what the probes can answer of the decision matrix's questions, and the severity that its rows propose.

Pure. Probes see services and how fast they answer; whether customers notice or complain, only people know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from msgspec import Struct

from probes.freshness import Snapshot
from probes.rows import Health
from runbook.diagnosis.sightings import Sightings
from runbook.diagnosis.situation import Situation, Told, answer, ill_text, node_trouble
from runbook.diagnosis.symptoms import latency_text, slow
from runbook.diagnosis.wording import not_live, utc
from runbook.response import FACTS, Fact, MatrixRow, Response

QUESTIONS: dict[Fact, str] = {
    "service_down": "Service down",
    "customer_impact": "Customer impact",
    "degraded": "Performance degraded",
    "complaints": "Customer complaints",
}
"""The facts as people call them."""

ASK = "no probe sees that: ask support, or who called"
"""Who answers the questions that probes cannot."""

MOST_SERVICES = 20
"""Services that are proposed as affected; with more of them, it is the platform that is affected."""


class Proposal(Struct, frozen=True, kw_only=True):
    """What the matrix says of some answers. ``words`` is one line, whether it proposes anything or not."""

    severity: int | None
    row: MatrixRow | None
    words: str


class Seen(Struct, frozen=True, kw_only=True):
    """How the probes answer a question, and by what. ``answer`` None: they cannot tell, and ``evidence`` says why."""

    answer: bool | None
    evidence: str


class View(Struct, frozen=True, kw_only=True):
    """What the probes propose at one instant. ``facts`` holds only the questions that probes can answer at all.

    ``services`` are workloads that are ill, the gravest first, and endpoints that fail where no workload explains it.
    """

    facts: dict[Fact, Seen]
    services: tuple[str, ...]

    @property
    def answers(self) -> dict[Fact, bool]:
        """The questions that they do answer."""
        return {fact: seen.answer for fact, seen in self.facts.items() if seen.answer is not None}


# ---------------------------------------------------------------------- the decision matrix


def proposed(matrix: Sequence[MatrixRow], facts: Mapping[str, bool]) -> Proposal:
    """The first row whose answers are all known and right; where none is, what would have to be known.

    A row that cannot be the first one, whatever the open questions turn out to be, proposes nothing.
    ``Severity 2 proposed: Service Down + No Customer Impact``.
    """
    possible = _possible(matrix, facts)
    row = next((row for row in possible if all(facts.get(fact) is want for fact, want in row.when.items())), None)
    if row is None:
        return Proposal(severity=None, row=None, words=_undecided(matrix, possible, facts))
    words = f"Severity {row.severity} proposed: {reason(row)}"
    worse = _ways(possible[: possible.index(row)], facts)
    return Proposal(severity=row.severity, row=row, words=f"{words}; {worse}" if worse else words)


def _possible(matrix: Sequence[MatrixRow], facts: Mapping[str, bool]) -> list[MatrixRow]:
    """The rows that may come to be the first that applies, once every question is answered; in their order."""
    asked = dict.fromkeys(fact for row in matrix for fact in row.when if fact not in facts)
    found: list[MatrixRow] = []
    for answers in product((True, False), repeat=len(asked)):
        known: dict[str, bool] = {**facts, **dict(zip(asked, answers, strict=True))}
        right = (row for row in matrix if row.when and all(known[fact] is want for fact, want in row.when.items()))
        first = next(right, None)
        if first is not None and first not in found:
            found.append(first)
    return sorted(found, key=list(matrix).index)


def reason(row: MatrixRow) -> str:
    """A row's words without what it comes to: ``Service Down + No Customer Impact``."""
    return row.words.partition("=")[0].strip() or row.words


def _ways(rows: Sequence[MatrixRow], facts: Mapping[str, bool]) -> str:
    """``customer impact? yes: severity 1, no: severity 2``: what one more answer would come to; maybe nothing."""
    ways: dict[Fact, list[str]] = {}
    for row in rows:
        open_facts = [fact for fact in row.when if fact not in facts]
        if len(open_facts) == 1 and len(open_facts) < len(row.when):
            (fact,) = open_facts
            ways.setdefault(fact, []).append(f"{'yes' if row.when[fact] else 'no'}: severity {row.severity}")
    return "; ".join(f"{QUESTIONS[fact].lower()}? {', '.join(found)}" for fact, found in ways.items())


def deciding(matrix: Sequence[MatrixRow], facts: Mapping[str, bool]) -> Fact | None:
    """The question whose answer would come to a severity; None where one is proposed, or one answer is not enough."""
    possible = _possible(matrix, facts)
    if proposed(matrix, facts).row is not None:
        return None
    lacking = ([fact for fact in row.when if fact not in facts] for row in possible if set(row.when) & set(facts))
    return next((left[0] for left in lacking if len(left) == 1), None)


def _undecided(matrix: Sequence[MatrixRow], possible: Sequence[MatrixRow], facts: Mapping[str, bool]) -> str:
    """``No severity proposed yet: customer impact? yes: severity 1, no: severity 2``."""
    if not matrix:
        return "No severity proposed: the runbook has no decision matrix"
    if ways := _ways(possible, facts):
        return f"No severity proposed yet: {ways}"
    if all(fact in facts for fact in FACTS):
        return "No severity proposed: no row of the decision matrix applies"
    return "No severity proposed yet: answer what is known"


def standing(matrix: Sequence[MatrixRow], facts: Mapping[str, bool], severity: int | None) -> str:
    """How a severity stands to the matrix, for an incident that has one already."""
    found = proposed(matrix, facts)
    if found.row is None:
        if severity is None:
            return found.words
        known = all(fact in facts for fact in FACTS)
        return f"decided by a person, {'no row of the matrix applies' if known else 'the questions below are open'}"
    if severity == found.severity:
        return found.row.words
    if severity is None:
        return f"matrix: {found.row.words}"
    return f"! matrix says {found.severity}: {reason(found.row)}; a person decided"


# ---------------------------------------------------------------------- what the probes see


def view(latest: Mapping[str, Snapshot[Any]], response: Response, now: float) -> View:
    """What the newest snapshots propose at ``now`` (epoch seconds). Unknown stays unknown."""
    sight = Sightings()
    sight.look(latest)
    situation = Situation(sight, response, now, utc, Told())
    return View(
        facts={"service_down": _service_down(situation), "degraded": _degraded(situation)},
        services=_affected(situation),
    )


def _matters(situation: Situation, name: str) -> bool:
    """Whether a workload counts for "service down"; where the runbook calls none critical, every one does."""
    return situation.critical(name) if situation.response.services else True


def _service_down(situation: Situation) -> Seen:
    sight = situation.sight
    dead = [illness for illness in situation.dead() if _matters(situation, illness.name)]
    checked = [endpoint for endpoint in sight.endpoints if endpoint.ok is not None]
    failing = situation.failing_endpoints
    if dead and sight.live("workloads"):
        words = "; ".join(f"{one.name}: 0 of {one.total} ready" for one in dead[:3])
        return Seen(answer=True, evidence=words + _more(len(dead) - 3))
    if checked and len(failing) == len(checked) and sight.live("endpoints"):
        told = ", ".join(f"{one.name} {answer(one)}" for one in failing[:2])
        return Seen(answer=True, evidence=f"every health endpoint fails: {told}{_more(len(failing) - 2)}")
    if not sight.live("workloads"):
        return Seen(answer=None, evidence=not_live("workloads", sight.snapshots.get("workloads"), utc))
    return Seen(answer=False, evidence=_up(situation, bool(checked) and sight.live("endpoints")))


def _up(situation: Situation, endpoints: bool) -> str:
    kind = "critical service" if situation.response.services else "service"
    others = [illness.name for illness in situation.dead()]
    if others:
        return f"no {kind} is down (not critical: {', '.join(others[:3])}{_more(len(others) - 3)})"
    return f"every {kind} has a ready replica" + (", an endpoint answers" if endpoints else "")


def _degraded(situation: Situation) -> Seen:
    sight = situation.sight
    told: list[str] = []
    if sight.live("endpoints"):
        told += [f"{one.name} {answer(one)}" for one in situation.failing_endpoints]
        told += [f"{one.name} slow, {latency_text(one)}" for one in sight.endpoints if slow(one)]
    if sight.live("workloads") and sight.live("pods"):
        told += [ill_text(illness) for illness in situation.illnesses]
    if sight.live("nodes"):
        told += [f"{node.name} {node_trouble(node)}" for node in situation.sick_nodes if node.health <= Health.DEGRADED]
    if told:
        return Seen(answer=True, evidence="; ".join(told[:2]) + _more(len(told) - 2))
    blind = [source for source in ("pods", "workloads", "nodes") if not sight.live(source)]
    if blind:
        return Seen(answer=None, evidence=not_live(blind[0], sight.snapshots.get(blind[0]), utc))
    return Seen(answer=False, evidence="every workload is ready, nothing fails or is slow")


def _affected(situation: Situation) -> tuple[str, ...]:
    names = list(dict.fromkeys(illness.name for illness in situation.illnesses))
    if not names and situation.sight.live("endpoints"):
        names = list(dict.fromkeys(endpoint.name for endpoint in situation.failing_endpoints))
    return tuple(names[:MOST_SERVICES])


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""
