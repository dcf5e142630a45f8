"""The drill's scenario payment-release as an incident, declared to resolved: what docs/example-review.md is of.

    python -m tests.example_review          writes the page anew

What the probes say is what they said in a drill, to the letter; people and clock are made up, so that the page is the
same each time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from drill.scenario import load
from incident import chain
from incident.checks import check_draft
from incident.dossier import Dossier, dossier
from incident.entry import Draft, Entry, Incident, Kind, Source, Status
from incident.intake import take_in
from incident.markdown import review
from incident.standard import Standard
from incident.standing import after, declaration_draft, declared, facts_draft, role_draft, severity_draft, status_draft
from incident.updates import delivery_draft, missed_draft, update_draft
from runbook import playbook_file, response_file
from runbook.plan import Aim, Outcome, Plan, Recipe, Target, Undo, Verdict
from runbook.record import intent_draft, outcome_draft, unsent_draft
from tui.measure import converted

PAGE = Path(__file__).parents[1] / "docs" / "example-review.md"

IDENTITY = "INC-20261123-1406-7kq2"
DECLARED = 1_795_442_760_000  # 2026-11-23T14:06:00Z
NAMESPACE = "banking-platform-prod"
CLUSTER = "drill-prod"
LEAD, COMMANDER, SCRIBE = "mara", "jonas", "priya"


class Story:
    """A chain that is written line by line, with a clock that is set by hand: minutes and seconds after declaration."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def tell(self, at: str, draft: Draft, happened: str | None = None) -> str:
        """Write a line at ``mm:ss``; ``happened`` where that was at another time. The entry's ID."""
        seq = len(self.entries) + 1
        draft = take_in(draft)
        self.entries.append(
            chain.sealed(
                Entry(
                    id=f"01kas{seq:021d}",
                    incident=IDENTITY,
                    seq=seq,
                    happened_at=_instant(happened or at),
                    recorded_at=_instant(at),
                    author=draft.author,
                    source=draft.source,
                    kind=draft.kind,
                    text=draft.text,
                    evidence=draft.evidence,
                    refers_to=draft.refers_to,
                    fold=draft.fold,
                    level=draft.level,
                    count=draft.count,
                    previous_hash=self.entries[-1].hash if self.entries else chain.GENESIS,
                    hash="",
                )
            )
        )
        return self.entries[-1].id

    def seen(self, at: str, happened: str, level: str, fold: str, text: str, **evidence: Any) -> str:
        return self.tell(
            at,
            Draft(
                text=text,
                author="probe",
                source=Source.PROBE,
                kind=Kind.OBSERVATION,
                level=level,
                fold=fold,
                evidence=evidence or None,
            ),
            happened,
        )

    def incident(self) -> Incident:
        incident = declared(self.entries[0])
        for entry in self.entries[1:]:
            incident = after(incident, entry)
        return incident


def _instant(clock: str) -> int:
    minutes, seconds = clock.lstrip("-").split(":")
    offset = (int(minutes) * 60 + int(seconds)) * 1000
    return DECLARED - offset if clock.startswith("-") else DECLARED + offset


def _workload(name: str, ready: int) -> dict[str, Any]:
    return {"namespace": NAMESPACE, "kind": "Deployment", "name": name, "desired": 3, "ready": ready}


def _plan(mitigation: str, title: str, command: str, undo: str, **target: str) -> Plan:
    return Plan(
        id=f"{mitigation}-1",
        mitigation=mitigation,
        title=title,
        verb=title.partition(" ")[0],
        target=Target(context=CLUSTER, server="https://127.0.0.1:6443", uid="", resource_version="", **target),
        commands=(command,),
        undo=Undo(
            undo,
            Recipe(
                mitigation=mitigation,
                aim=Aim(kind=target["kind"], namespace=target["namespace"], name=target["name"]),
                choices={},
            ),
        ),
    )


def _intent(plan: Plan, by: str) -> Draft:
    """What is on disk before an act, of a console that is the same each time."""
    draft = intent_draft(plan, by, ())
    assert draft.evidence is not None
    return replace(draft, evidence={"act": {**draft.evidence["act"], "host": "console", "pid": 1}})


def _refused(plan: Plan, why: str, by: str) -> Draft:
    draft = unsent_draft(plan, Verdict.REFUSED, why, by)
    assert draft.evidence is not None
    act = {**draft.evidence["act"], "host": "console", "pid": 1}
    return replace(draft, evidence={**draft.evidence, "act": act})


def standard() -> Standard:
    """The banking platform's."""
    return converted(response_file.load(playbook_file.find("banking-platform")).response)


def told() -> Dossier:
    """The whole incident."""
    scenario, story = load("payment-release"), Story()
    story.tell(
        "00:00",
        declaration_draft(
            title=scenario.title,
            author=LEAD,
            severity=2,
            drill=True,
            cluster=CLUSTER,
            namespace=NAMESPACE,
            happened_at=None,
            services=("payment-service",),
            impact="Card payments fail in web and app",
            facts={"service_down": False, "customer_impact": True},
        ),
    )
    story.seen(
        "00:01",
        "-19:20",
        "bad",
        f"workload/{NAMESPACE}/payment-service/unhealthy",
        "payment-service already unhealthy when the console opened, 0 of 3 ready\n"
        "CrashLoopBackOff, exit 1 · ProgressDeadlineExceeded · 24 restarts",
        **_workload("payment-service", 0),
    )
    story.seen(
        "00:01",
        "-06:20",
        "warn",
        "node/aks-system-00001/MemoryPressure/on",
        "aks-system-00001 already under memory pressure when the console opened",
        node="aks-system-00001",
        pressures=["MemoryPressure"],
        reason="KubeletHasInsufficientMemory",
    )
    story.seen(
        "00:01",
        "-04:10",
        "warn",
        f"workload/{NAMESPACE}/transaction-service/unhealthy",
        "transaction-service already unhealthy when the console opened, 2 of 3 ready\n1 × Running, not ready",
        **_workload("transaction-service", 2),
    )
    story.seen(
        "00:02",
        "-04:02",
        "bad",
        "endpoint/https://api.banking-platform.com/health/down",
        "api.banking-platform.com/health already unhealthy when the console opened: 503\nstatus 503, expected 200",
        status=503,
        error="status 503, expected 200",
    )
    story.tell("01:10", role_draft("ic", COMMANDER, LEAD, name="Incident Commander"))
    story.tell("01:15", role_draft("technical-lead", LEAD, LEAD, name="Technical Lead"))
    story.tell("02:05", severity_draft(1, COMMANDER, "Severity: SEV 1 — payments are down for everybody"))
    story.tell(
        "02:20",
        facts_draft(COMMANDER, services=("payment-service", "transaction-service"), facts={"service_down": True}),
    )
    update = story.tell(
        "03:40",
        update_draft(
            _update("INVESTIGATING", "No card payment succeeds.", "14:25"),
            COMMANDER,
            next_due=_instant("18:40"),
            channels=("incident-channel", "pager"),
        ),
    )
    _delivered(story, "03:41", update)
    story.tell(
        "04:30",
        Draft(
            text="Pool timeouts to BankingAccountsDb in the log of every new pod",
            author=LEAD,
            kind=Kind.PIN,
            evidence={
                "log": "System.InvalidOperationException: Timeout expired. The "
                "timeout period elapsed prior to obtaining a connection from the pool."
            },
        ),
    )
    wrong = story.tell("05:05", Draft(text="The node under memory pressure is the cause", author=SCRIBE))
    story.tell(
        "05:50", Draft(text="No payment pod runs on that node", author=LEAD, kind=Kind.RETRACTION, refers_to=wrong)
    )
    restart = _plan(
        "restart",
        "Restart deployment/payment-service",
        f"kubectl rollout restart deployment/payment-service -n {NAMESPACE}",
        "",
        kind="Deployment",
        namespace=NAMESPACE,
        name="payment-service",
    )
    story.tell("06:30", _refused(restart, "blocked: armed: this is production and the console is disarmed", LEAD))
    story.tell("07:00", status_draft(Status.MITIGATING, COMMANDER))
    back = _plan(
        "rollback",
        f"Roll back {NAMESPACE} from revision 12 to revision 11",
        f"helm rollback {NAMESPACE} 11 --namespace {NAMESPACE} --wait --timeout 300s",
        "roll forward to revision 12 again",
        kind="Release",
        namespace=NAMESPACE,
        name=NAMESPACE,
    )
    act = story.tell("07:25", _intent(back, LEAD))
    story.seen(
        "07:27",
        "07:27",
        "warn",
        f"release/{NAMESPACE}/{NAMESPACE}/13/pending-rollback",
        f"helm {NAMESPACE} rev 13 pending-rollback\nrollback to rev 11 · chart 1.4.0 ← 1.5.0",
    )
    story.seen(
        "07:52",
        "07:52",
        "good",
        "endpoint/https://api.banking-platform.com/health/up",
        "api.banking-platform.com/health 503 → 200\nafter 11 min",
        status=200,
    )
    story.seen(
        "08:01",
        "08:01",
        "good",
        f"workload/{NAMESPACE}/payment-service/recovered",
        "payment-service recovered, 3 of 3 ready\nafter 27 min",
        **_workload("payment-service", 3),
    )
    story.seen(
        "08:02",
        "08:02",
        "info",
        f"release/{NAMESPACE}/{NAMESPACE}/13/deployed",
        f"helm {NAMESPACE} rev 13 deployed\nrollback to rev 11 · chart 1.4.0 ← 1.5.0",
    )
    story.seen(
        "08:11",
        "08:11",
        "good",
        f"workload/{NAMESPACE}/transaction-service/recovered",
        "transaction-service recovered, 3 of 3 ready\nafter 12 min",
        **_workload("transaction-service", 3),
    )
    story.tell(
        "08:16",
        outcome_draft(
            act,
            back,
            Outcome(
                verdict=Verdict.WORKED,
                sent=True,
                evidence={"revision": 13},
                text="3 of 3 ready, no new warning for 20 s, every health endpoint answers well",
            ),
            LEAD,
            50.2,
        ),
    )
    story.tell("18:41", missed_draft(_instant("18:40"), text="The status update due at 14:24:40 was not sent"))
    update = story.tell(
        "20:10",
        update_draft(
            _update("MITIGATING", "Payments succeed again.", "14:45"),
            COMMANDER,
            next_due=_instant("38:00"),
            channels=("incident-channel", "pager"),
        ),
    )
    _delivered(story, "20:11", update)
    story.tell(
        "21:00", Draft(text="alert on pool exhaustion @mara due 2026-12-04 !high", author=LEAD, kind=Kind.FOLLOWUP)
    )
    item = story.tell(
        "21:30", Draft(text="load test the settlement worker @tomasz due 2026-12-11", author=LEAD, kind=Kind.FOLLOWUP)
    )
    story.tell(
        "22:10",
        Draft(
            text="load test the settlement worker with 2 pools @tomasz due 2026-12-11 !medium",
            author=SCRIBE,
            kind=Kind.AMENDMENT,
            refers_to=item,
        ),
        "21:30",
    )
    for at, name, words in (
        ("30:02", "health-checks", "All services responding to health checks"),
        ("30:03", "error-rates", "Error rates returned to normal levels"),
    ):
        story.tell(at, check_draft("resolution", name, "done", "probe", text=words, by="probe"))
    story.tell(
        "31:20",
        check_draft(
            "resolution",
            "data-corruption",
            "done",
            LEAD,
            text="No data corruption detected",
            note="ledger and payments agree to the cent",
        ),
    )
    story.tell("32:00", status_draft(Status.RESOLVED, COMMANDER))
    return dossier(story.incident(), story.entries, standard())


def _update(status: str, impact: str, following: str) -> str:
    return (
        f"🚨 INCIDENT UPDATE - {IDENTITY}\nSeverity: 1\nStatus: {status}\nImpact: {impact}\n"
        f"ETA: not known yet\nNext Update: {following} UTC\nIC: {COMMANDER}"
    )


def _delivered(story: Story, at: str, update: str) -> None:
    for channel, kind, ok, detail in (
        ("incident-channel", "slack", True, ""),
        ("pager", "pagerduty", False, "answered 503 three times"),
    ):
        words = f"{channel}: {'delivered' if ok else 'NOT delivered'}"
        story.tell(
            at,
            delivery_draft(update, channel, kind=kind, ok=ok, detail=detail, attempts=1 if ok else 3, text=words),
        )


def page() -> str:
    """The review, as it is in docs."""
    return review(told())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
