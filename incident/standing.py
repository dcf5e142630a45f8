"""What an incident's own row says is nothing but its entries played one after the other; these are the rules.

A DECLARED or STATUS entry carries what it changes in ``evidence["incident"]``. The store applies it in the same
transaction, and `verify` plays it again to notice a row that was changed by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from incident import particulars
from incident.entry import Draft, Entry, Incident, Kind, Status
from incident.instants import rfc3339

CHANGE = "incident"  # the key in the evidence
OPEN = (Status.INVESTIGATING, Status.MITIGATING)


def begin(incident_id: str, change: dict[str, Any], declared_at: int) -> Incident:
    """The incident that a declaration's ``change`` describes.

    Raises:
        ValueError: something is missing, or is no status or severity.
    """
    try:
        return Incident(
            id=incident_id,
            title=str(change["title"]),
            severity=particulars.severity_of(change["severity"]),
            status=Status(change["status"]),
            declared_at=declared_at,
            resolved_at=None,
            drill=bool(change["drill"]),
            cluster=str(change["cluster"]),
            namespace=str(change["namespace"]),
            # What an incident of an older warroom knows nothing of.
            services=particulars.services_of(change.get("services", ())),
            impact=particulars.text_of(change.get("impact", ""), "impact"),
            facts=particulars.settled(particulars.facts_of(change.get("facts", {}))),
        )
    except KeyError as error:
        raise ValueError(f"the declaration lacks {error}") from error


def declared(entry: Entry) -> Incident:
    """The incident that a DECLARED entry begins.

    Raises:
        ValueError: the entry does not declare an incident.
    """
    if entry.kind is not Kind.DECLARED:
        raise ValueError("the first entry does not declare the incident")
    return begin(entry.incident, change_of(entry.evidence), entry.happened_at)


def after(incident: Incident, entry: Entry) -> Incident:
    """The incident after one more entry.

    Resolving keeps the entry's time, unless somebody has set the mark; reopening forgets when it was mitigated and
    resolved, because it was not.

    Raises:
        ValueError: the entry names a status, severity or time that does not exist, or holds something of another kind.
    """
    if entry.kind is not Kind.STATUS:
        return incident
    change = change_of(entry.evidence)
    fields: dict[str, Any] = {}
    if "title" in change:
        fields["title"] = particulars.text_of(change["title"], "title")
    if "severity" in change:
        fields["severity"] = particulars.severity_of(change["severity"])
    if "services" in change:
        fields["services"] = particulars.services_of(change["services"])
    if "impact" in change:
        fields["impact"] = particulars.text_of(change["impact"], "impact")
    if "facts" in change:
        fields["facts"] = particulars.merged(incident.facts, particulars.facts_of(change["facts"]))
    if "roles" in change:
        fields["roles"] = particulars.merged(incident.roles, particulars.roles_of(change["roles"]))
    times, status, resolved_at = incident.times, incident.status, incident.resolved_at
    if "times" in change:
        times = particulars.merged(times, particulars.times_of(change["times"]))
    if "status" in change:
        status = Status(change["status"])
        if status in OPEN and incident.status not in OPEN:
            times = {mark: at for mark, at in times.items() if mark not in ("mitigated", "resolved")}
    if status in OPEN:
        resolved_at = None
    elif "resolved" in times:
        resolved_at = times["resolved"]
    elif resolved_at is None:
        resolved_at = entry.happened_at
    return replace(incident, status=status, times=times, resolved_at=resolved_at, **fields)


def status_draft(status: Status, author: str, text: str = "") -> Draft:
    """An entry that moves the incident to ``status``."""
    level = "good" if status in (Status.RESOLVED, Status.REVIEWED) else "info"
    change = {"status": str(status)}
    return Draft(
        kind=Kind.STATUS, text=text or f"Status: {status}", author=author, level=level, evidence={CHANGE: change}
    )


def severity_draft(severity: int | None, author: str, text: str = "") -> Draft:
    """An entry that classifies the incident, 1 (critical) to 4 (low)."""
    text = text or f"Severity: {severity_words(severity)}"
    return Draft(kind=Kind.STATUS, text=text, author=author, level="warn", evidence={CHANGE: {"severity": severity}})


def title_draft(title: str, author: str) -> Draft:
    """An entry that gives the incident another title."""
    return Draft(kind=Kind.STATUS, text=f"Title: {title}", author=author, evidence={CHANGE: {"title": title}})


def role_draft(role: str, person: str | None, author: str, *, name: str = "", before: str | None = None) -> Draft:
    """An entry by which ``person`` takes a role, or leaves it to nobody (None): ``Technical lead: Ada → Grace``.

    ``role`` is its id in the runbook, ``name`` what people call it. Whom it passes from is looked up when the entry is
    written (`informed`), because two consoles may hand it over at once; ``before`` is for when that is known.
    """
    name = name or role.replace("-", " ").capitalize()
    there = person or "nobody"
    return Draft(
        kind=Kind.STATUS,
        text=f"{name}: {before} → {there}" if before else f"{name}: {there}",
        author=author,
        evidence={CHANGE: {"roles": {role: person}}, "role": {"id": role, "name": name, "before": before}},
    )


def facts_draft(
    author: str,
    *,
    services: Sequence[str] | None = None,
    impact: str | None = None,
    facts: Mapping[str, bool | None] | None = None,
) -> Draft:
    """An entry that says what is affected and how; what is None stays as it is.

    ``facts`` are answers to the decision matrix; those that are not in it stay, None means not known any more.
    """
    change: dict[str, Any] = {}
    if services is not None:
        change["services"] = list(services)
    if impact is not None:
        change["impact"] = impact
    if facts is not None:
        change["facts"] = dict(facts)
    text = "\n".join(_told(change)) or "Nothing new about what is affected"
    return Draft(kind=Kind.STATUS, text=text, author=author, evidence={CHANGE: change})


def time_draft(mark: str, at: int | None, author: str) -> Draft:
    """An entry that says when one of the `MARKS` was (ms); None: it is not known after all."""
    when = "not known" if at is None else f"{rfc3339(at)[:19].replace('T', ' ')} UTC"
    change = {"times": {mark: at}}
    return Draft(kind=Kind.STATUS, text=f"{mark.capitalize()}: {when}", author=author, evidence={CHANGE: change})


def declaration_draft(
    *,
    title: str,
    author: str,
    severity: int | None,
    drill: bool,
    cluster: str,
    namespace: str,
    happened_at: int | None,
    services: Sequence[str] = (),
    impact: str = "",
    facts: Mapping[str, bool] | None = None,
    kept: Mapping[str, Any] | None = None,
) -> Draft:
    """The entry that begins an incident. ``kept``: more of its evidence, which changes nothing about the incident."""
    change = {
        "title": title,
        "severity": severity,
        "status": str(Status.INVESTIGATING),
        "drill": drill,
        "cluster": cluster,
        "namespace": namespace,
        "services": list(services),
        "impact": impact,
        "facts": dict(facts or {}),
    }
    text = "\n".join((f"Declared {severity_words(severity)}: {title}", *_told(change)))
    return Draft(
        kind=Kind.DECLARED,
        text=text,
        author=author,
        happened_at=happened_at,
        level="warn",
        evidence={**(kept or {}), CHANGE: change},
    )


def _told(change: Mapping[str, Any]) -> list[str]:
    """What a change says of the services, the impact and the facts, a line each; empty ones are left out."""
    told = []
    if change.get("services"):
        told.append(f"Services affected: {', '.join(change['services'])}")
    elif "services" in change and "title" not in change:
        told.append("Services affected: none")
    if change.get("impact"):
        told.append(f"Customer impact: {change['impact']}")
    elif "impact" in change and "title" not in change:
        told.append("Customer impact: none")
    if change.get("facts"):
        answers = {True: "yes", False: "no", None: "not known"}
        facts = change["facts"].items()
        told.append("; ".join(f"{fact.replace('_', ' ')}: {answers[answer]}" for fact, answer in facts).capitalize())
    return told


def severity_words(severity: int | None) -> str:
    """``SEV 2``, or that nobody has classified it yet."""
    return "unclassified" if severity is None else f"SEV {severity}"


def change_of(evidence: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a piece of evidence changes about the incident; empty for most.

    Raises:
        ValueError: there is something, but not an object.
    """
    change = (evidence or {}).get(CHANGE, {})
    if not isinstance(change, dict):
        raise ValueError("the change of the incident is not an object")
    return change
