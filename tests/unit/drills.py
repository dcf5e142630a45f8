"""Drills as chains of entries, without a store or a platform: what was practised, and when."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from incident import chain
from incident.checks import check_draft
from incident.dossier import Dossier, dossier
from incident.entry import Draft, Entry, Kind, Source, Status
from incident.practice import Good, Harmful, Practice, Wanted, sealed
from incident.score import Judged, Score, score
from incident.standard import NEUTRAL, Check
from incident.standing import after, declaration_draft, declared, role_draft, severity_draft, status_draft
from incident.updates import missed_draft, update_draft
from runbook.plan import Target, Verdict
from tests.unit.act_drafts import intent, outcome
from tests.unit.incident_entries import BEGAN, entry

MINUTE = 60_000
STANDARD = replace(
    NEUTRAL,
    resolution=(
        Check(list="resolution", item="flow", text="Transactions flow"),
        Check(list="resolution", item="alerts", text="Alerts cleared"),
    ),
    others=(
        Check(list="external", item="page", text="Status page", severities=(1, 2)),
        Check(list="external", item="bank", text="Central bank", severities=(1,)),
        Check(list="external", item="scheme", text="Card schemes", scenarios=("payment-release",)),
        Check(list="external", item="police", text="Police", scenarios=("security-incident",)),
    ),
)
GOOD = Good(
    severity=2,
    mitigate_within=1800,
    path=(
        Wanted(id="declare", say="Declare it", done="declared"),
        Wanted(id="severity", say="Call it severity 2", done="severity"),
        Wanted(id="lead", say="Take the lead", role="technical-lead"),
        Wanted(id="told", say="Tell the team", update="team"),
        Wanted(id="scale", say="Scale it", act=("scale",), target="deployment/payment-service"),
        Wanted(id="checked", say="Verify it", checklist="resolution"),
        Wanted(id="resolve", say="Resolve it", done="resolved"),
    ),
    harmful=(Harmful(act="restart", target="deployment/*", why="it only crashes again"),),
)
EVIDENCE_FIRST = replace(
    GOOD,
    evidence_first=True,
    path=(*GOOD.path, Wanted(id="keep", say="Keep the evidence", evidence="pod/session-cache-0")),
)


class Drill:
    """Says what happens when, in minutes from its opening; ``score`` is what comes of it."""

    def __init__(
        self, good: Good | None = GOOD, *, declared: bool = False, severity: int | None = 2, at: float = 3, **how: Any
    ) -> None:
        """``how``: more fields of its practice."""
        self.entries: list[Entry] = []
        practice = Practice(scenario="payment-release", opened_at=BEGAN, declared=declared, good=good, **how)
        first = declaration_draft(
            title="Payments failing", author="ada", severity=severity, drill=True, cluster="drill-prod",
            namespace="prod", happened_at=None, kept=sealed(practice),
        )  # fmt: skip
        self.say(at, first)

    def say(self, at: float, draft: Draft) -> Drill:
        previous = self.entries[-1].hash if self.entries else chain.GENESIS
        self.entries.append(entry(len(self.entries) + 1, draft, previous, BEGAN + round(at * MINUTE)))
        return self

    def note(self, at: float) -> Drill:
        return self.say(at, Draft(text="looking", author="ada"))

    def update(self, at: float) -> Drill:
        return self.say(at, update_draft("we look into it", "ada", next_due=None, channels=["ops"]))

    def missed(self, at: float) -> Drill:
        return self.say(at, missed_draft(BEGAN + round(at * MINUTE), text="an update was due"))

    def severity(self, at: float, level: int) -> Drill:
        return self.say(at, severity_draft(level, "ada"))

    def role(self, at: float) -> Drill:
        return self.say(at, role_draft("technical-lead", "ada", "ada"))

    def act(self, at: float, mitigation: str, target: str, took: float = 1, **how: Any) -> Drill:
        """An act and its outcome. ``how``: verdict, sent, and fields of its plan."""
        kind, _, name = target.partition("/")
        aimed = Target(
            context="c", server="s", kind=kind, namespace="prod", name=name, uid="u", resource_version="1"
        )  # fmt: skip
        verdict, sent = how.pop("verdict", Verdict.WORKED), how.pop("sent", True)
        self.say(
            at,
            intent(f"a{len(self.entries)}", mitigation=mitigation, target=aimed, title=f"{mitigation} {target}", **how),
        )
        return self.say(at + took, outcome(self.entries[-1].id, verdict, sent=sent))

    def seen(self, at: float, level: str, what: str = "workload/payment-service") -> Drill:
        return self.say(
            at,
            Draft(text=f"{what} is {level}", author="probe", source=Source.PROBE, kind=Kind.OBSERVATION,
                  level=level, fold=f"{what}/health"),
        )  # fmt: skip

    def ticked(self, at: float, *items: str, of: str = "resolution") -> Drill:
        for item in items:
            self.say(at, check_draft(of, item, "done", "ada", text=item))
        return self

    def resolved(self, at: float, text: str = "") -> Drill:
        return self.say(at, status_draft(Status.RESOLVED, "ada", text))

    @property
    def dossier(self) -> Dossier:
        incident = declared(self.entries[0])
        for one in self.entries[1:]:
            incident = after(incident, one)
        return dossier(incident, self.entries, STANDARD)

    def score(self, now: float | None = None) -> Score:
        found = score(self.dossier, None if now is None else BEGAN + round(now * MINUTE))
        assert found is not None
        return found

    def row(self, name: str, now: float | None = None) -> Judged:
        return next(one for one in self.score(now).judged if one.id == name)


def played_right() -> Drill:
    """As well as it can be done."""
    drill = Drill().seen(3.1, "bad").note(4).role(4).update(5)
    drill.act(6, "scale", "Deployment/payment-service").seen(8, "good")
    return drill.ticked(9, "flow", "alerts").resolved(10)
