"""What an incident's own row says is nothing but its entries played one after the other; these are the rules.

A DECLARED or STATUS entry carries what it changes in ``evidence["incident"]``. The store applies it in the same
transaction, and `verify` plays it again to notice a row that was changed by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from incident.entry import Draft, Entry, Incident, Kind, Status

CHANGE = "incident"  # the key in the evidence


def begin(incident_id: str, change: dict[str, Any], declared_at: int) -> Incident:
    """The incident that a declaration's ``change`` describes.

    Raises:
        ValueError: something is missing, or is no status or severity.
    """
    try:
        return Incident(
            id=incident_id,
            title=str(change["title"]),
            severity=_severity(change["severity"]),
            status=Status(change["status"]),
            declared_at=declared_at,
            resolved_at=None,
            drill=bool(change["drill"]),
            cluster=str(change["cluster"]),
            namespace=str(change["namespace"]),
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
    """The incident after one more entry. Resolving keeps the entry's time; reopening forgets it.

    Raises:
        ValueError: the entry names a status or severity that does not exist.
    """
    if entry.kind is not Kind.STATUS:
        return incident
    change = change_of(entry.evidence)
    if "severity" in change:
        incident = replace(incident, severity=_severity(change["severity"]))
    if "status" in change:
        status = Status(change["status"])
        resolved_at = incident.resolved_at
        if status in (Status.INVESTIGATING, Status.MITIGATING):
            resolved_at = None
        elif resolved_at is None:
            resolved_at = entry.happened_at
        incident = replace(incident, status=status, resolved_at=resolved_at)
    return incident


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


def declaration_draft(
    *, title: str, author: str, severity: int | None, drill: bool, cluster: str, namespace: str, happened_at: int | None
) -> Draft:
    """The entry that begins an incident."""
    change = {
        "title": title,
        "severity": severity,
        "status": str(Status.INVESTIGATING),
        "drill": drill,
        "cluster": cluster,
        "namespace": namespace,
    }
    text = f"Declared {severity_words(severity)}: {title}"
    return Draft(
        kind=Kind.DECLARED, text=text, author=author, happened_at=happened_at, level="warn", evidence={CHANGE: change}
    )


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


def _severity(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4:
        return value
    raise ValueError(f"{value!r} is not a severity: 1 (critical) to 4 (low)")
