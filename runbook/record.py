"""How an act stands on the timeline: an intent before it acts, and the outcome that completes the same line."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from incident.entry import Draft, Entry, Kind, Source
from runbook.plan import Finding, Json, Level, Outcome, Plan, Undo, Verdict

ACT, OUTCOME = "act", "outcome"  # keys in the evidence
PAIRS = "pairs"

LEVELS = {
    Verdict.WORKED: "good",
    Verdict.FAILED: "bad",
    Verdict.UNKNOWN: "warn",
    Verdict.CANCELLED: "info",
    Verdict.REFUSED: "warn",
}


class Intent(Struct, frozen=True):
    """What the evidence of an intent says. ``host`` and ``pid`` are the console's that acts."""

    plan: Plan
    confirmed_by: str
    acknowledged: tuple[str, ...]
    host: str
    pid: int

    @property
    def ours(self) -> bool:
        """Whether this very process wrote it."""
        return self.host == socket.gethostname() and self.pid == os.getpid()

    @property
    def running_elsewhere(self) -> bool:
        """Whether another console of this machine is at it right now, as far as its process tells."""
        if self.ours or self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True


def intent_draft(plan: Plan, author: str, acknowledged: Sequence[str]) -> Draft:
    """The entry that is on disk before the first byte is sent."""
    intent = Intent(plan, author, tuple(acknowledged), socket.gethostname(), os.getpid())
    return Draft(
        text="\n".join((plan.title, *plan.commands)),
        author=author,
        source=Source.MITIGATION,
        kind=Kind.MITIGATION,
        evidence={ACT: _told(intent)},
    )


def outcome_draft(
    intent_id: str, plan: Plan, outcome: Outcome, author: str, seconds: float, progress: Sequence[str] = ()
) -> Draft:
    """The entry that says how it ended; the reader sees it on the intent's line."""
    undo = outcome.undo or plan.undo
    evidence: Json = {
        "verdict": str(outcome.verdict),
        "sent": outcome.sent,
        "looked": plan.looks_only,
        "seconds": round(seconds, 3),
        "undo": msgspec.to_builtins(undo) if outcome.sent is not False else None,
        "found": outcome.evidence,
        "progress": list(progress)[-200:],
    }
    took = f" after {_spoken(seconds)}" if outcome.sent is not False else ""
    return Draft(
        text=f"{outcome.verdict}{took}: {outcome.text}",
        author=author,
        source=Source.MITIGATION,
        kind=Kind.OUTCOME,
        evidence={OUTCOME: evidence},
        refers_to=intent_id,
        level=LEVELS[outcome.verdict],
    )


def unsent_draft(plan: Plan, verdict: Verdict, why: str, author: str) -> Draft:
    """One entry for a plan that was looked at and not carried out: cancelled, or refused."""
    evidence: Json = {
        ACT: _told(Intent(plan, "", (), socket.gethostname(), os.getpid())),
        OUTCOME: {"verdict": str(verdict), "sent": False, "seconds": 0.0, "undo": None, "found": {}, "progress": []},
    }
    return Draft(
        text=f"{plan.title}\n{verdict}: {why}",
        author=author,
        source=Source.MITIGATION,
        kind=Kind.MITIGATION,
        evidence=evidence,
        level=LEVELS[verdict],
    )


def intent_of(evidence: Json | None) -> Intent | None:
    """The intent in an entry's evidence; None if there is none, or none that this version understands."""
    try:
        intent = msgspec.convert((evidence or {}).get(ACT), Intent)
        steps = msgspec.convert(_unpaired(intent.plan.steps), Json)
    except (msgspec.ValidationError, TypeError, ValueError):
        return None
    return replace(intent, plan=replace(intent.plan, steps=steps))


def _told(intent: Intent) -> Json:
    """The intent's JSON form.

    What is stored is redacted, by the names of keys too: a label ``auth`` of a selector would come back blank, and the
    act that needs it could not be followed on after a crash. So the steps' objects are lists of pairs in there. Their
    texts are still redacted by their form.
    """
    told: Json = msgspec.to_builtins(intent)
    told["plan"]["steps"] = _paired(told["plan"]["steps"])
    return told


def _paired(value: Any) -> Any:
    if isinstance(value, dict):
        return {PAIRS: [[key, _paired(item)] for key, item in value.items()]}
    return [_paired(item) for item in value] if isinstance(value, list | tuple) else value


def _unpaired(value: Any) -> Any:
    """What `_paired` was made from; an older version's steps were never paired and stay as they are."""
    if isinstance(value, dict) and value.keys() == {PAIRS}:
        return {key: _unpaired(item) for key, item in value[PAIRS]}
    return [_unpaired(item) for item in value] if isinstance(value, list) else value


def undo_of(evidence: Json | None) -> Undo | None:
    """How the act whose outcome this evidence is can be taken back; None if it cannot, or never happened."""
    found: Any = (evidence or {}).get(OUTCOME)
    if not isinstance(found, dict) or not found.get("undo"):
        return None
    try:
        return msgspec.convert(found["undo"], Undo)
    except msgspec.ValidationError:
        return None


def unfinished(entries: Sequence[Entry]) -> list[Entry]:
    """The intents among an incident's entries that have no outcome, oldest first."""
    ended = {entry.refers_to for entry in entries if entry.kind is Kind.OUTCOME}
    return [
        entry
        for entry in entries
        if entry.kind is Kind.MITIGATION and entry.id not in ended and OUTCOME not in (entry.evidence or {})
    ]


def spoken_findings(findings: Sequence[Finding]) -> str:
    """The findings that block, in one line."""
    return "; ".join(f"{found.name}: {found.text}" for found in findings if found.level is Level.RED)


def _spoken(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
