"""Checking a chain: names the first entry that is not as it was written, and says how.

Works on exported entries (see `incident.chain`), so that a file from another machine and the store are judged by the
same rules. It changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from incident import particulars, standing
from incident.chain import GENESIS, digest
from incident.entry import Entry, Incident, Kind, Source, Status
from incident.instants import parse_rfc3339, rfc3339

SCHEMA = "warroom/incident/1"
FILE_LIMIT = 256 * 1024 * 1024  # bytes; 50,000 entries have about 50 MB


class Verdict(Struct, frozen=True, kw_only=True):
    """What a check found. ``reason`` is a sentence unless ``ok``; ``broken_id`` is None if no one entry is to blame."""

    ok: bool
    entries: int  # how many were sound, from the first
    broken_id: str | None = None
    reason: str = ""
    head: str = ""  # hash of the last sound entry


class Broken(Exception):
    """The chain does not hold at one entry; internal to the walk."""

    def __init__(self, entry: str | None, reason: str) -> None:
        super().__init__(reason)
        self.entry = entry


class Walk:
    """Follows a chain from its first entry. Feed entries in their order with `step`, then ask `verdict`."""

    def __init__(self, incident_id: str) -> None:
        self.incident_id = incident_id
        self.count = 0
        self.head = GENESIS
        self.incident: Incident | None = None  # as the entries tell it
        self.broken: Broken | None = None
        self._seen: set[str] = set()

    def step(self, body: Mapping[str, Any]) -> bool:
        """Check one exported entry. False: the chain is broken here, and nothing after it means anything."""
        if self.broken is None:
            try:
                self._check(body)
            except Broken as broken:
                self.broken = broken
        return self.broken is None

    def verdict(self, incident: Incident, head_seq: int, head_hash: str) -> Verdict:
        """Judge the whole: the walk, where the chain ends, and what the incident says of itself."""
        broken = self.broken or self._end(incident, head_seq, head_hash)
        return Verdict(
            ok=broken is None,
            entries=self.count,
            broken_id=None if broken is None else broken.entry,
            reason="" if broken is None else str(broken),
            head=self.head,
        )

    def _check(self, body: Mapping[str, Any]) -> None:
        identity = body.get("id")
        if not isinstance(identity, str):
            raise Broken(None, f"The entry after number {self.count} has no ID.")
        if body.get("seq") != self.count + 1:
            raise Broken(
                identity,
                f"Entry {identity} has number {body.get('seq')} where {self.count + 1} is due: "
                "entries were removed, added or moved before it.",
            )
        if body.get("incident") != self.incident_id:
            raise Broken(identity, f"Entry {identity} belongs to {body.get('incident')}.")
        if body.get("previous_hash") != self.head:
            raise Broken(identity, f"Entry {identity} does not follow the entry before it: one of them was replaced.")
        try:
            expected = digest(body)
        except (TypeError, ValueError, RecursionError) as error:
            raise Broken(identity, f"Entry {identity} cannot be hashed: {error}.") from error
        if body.get("hash") != expected:
            raise Broken(identity, f"Entry {identity} was changed after it was written: its hash does not fit it.")
        if identity in self._seen:
            raise Broken(identity, f"Entry {identity} is there twice.")
        self._follow(identity, body)
        self._seen.add(identity)
        self.count += 1
        self.head = expected

    def _follow(self, identity: str, body: Mapping[str, Any]) -> None:
        if body.get("kind") not in (Kind.DECLARED, Kind.STATUS) and self.incident is not None:
            return
        try:
            entry = parse_entry(body)
            self.incident = standing.declared(entry) if self.incident is None else standing.after(self.incident, entry)
        except ValueError as error:
            raise Broken(identity, f"Entry {identity} makes no sense: {error}.") from error

    def _end(self, incident: Incident, head_seq: int, head_hash: str) -> Broken | None:
        if head_seq > self.count:
            return Broken(None, f"The last {head_seq - self.count} of {head_seq} entries are missing.")
        if (head_seq, head_hash) != (self.count, self.head):
            return Broken(
                None, f"The chain ends with number {self.count}, but its recorded end is another: {head_seq}."
            )
        if self.incident is None:
            return Broken(None, "There is no entry, so nothing declares the incident.")
        for name in Incident.__struct_fields__:
            told, said = getattr(self.incident, name), getattr(incident, name)
            if told != said:
                return Broken(None, f"The incident's {name} is {said!r}, but its entries make it {told!r}.")
        return None


def verify_file(path: Path) -> Verdict:
    """Check an exported incident.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        reason = f"{path.name} is not an exported incident: it has more than {FILE_LIMIT >> 20} MiB."
        return Verdict(ok=False, entries=0, reason=reason)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Verdict(ok=False, entries=0, reason=f"{path.name} is not an exported incident: it is not text.")
    return verify_json(text)


def verify_json(text: str) -> Verdict:
    """Check the text of an exported incident. Never raises for what the text says."""
    document, reason = parse_document(text)
    return Verdict(ok=False, entries=0, reason=reason) if document is None else judge(document)


class Document(Struct, frozen=True, kw_only=True):
    """An exported incident, of which only the form was looked at."""

    incident: Incident
    entries: list[dict[str, Any]]
    head: object


def parse_document(text: str) -> tuple[Document | None, str]:
    """The parts of an export; or None, and in a sentence why it is none. Never raises for what the text says."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        return None, f"This is not an exported incident: {error}."
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        return None, f'This is not an exported incident: its schema is not "{SCHEMA}".'
    entries = document.get("entries")
    try:
        incident = parse_incident(document.get("incident"))
    except ValueError as error:
        return None, f"The incident makes no sense: {error}."
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None, "The entries are not a list of objects."
    return Document(incident=incident, entries=entries, head=document.get("head")), ""


def judge(document: Document) -> Verdict:
    """Check an export's chain, its end, and that the incident is what its entries say."""
    walk = Walk(document.incident.id)
    walk_all(walk, document.entries)
    head = document.head if isinstance(document.head, dict) else {}
    seq, digest_there = head.get("seq"), head.get("hash")
    if not isinstance(seq, int) or not isinstance(digest_there, str):
        if walk.broken is None:
            walk.broken = Broken(None, "The export has no head, so entries could be missing at its end.")
        seq, digest_there = walk.count, walk.head
    return walk.verdict(document.incident, seq, digest_there)


def walk_all(walk: Walk, bodies: Iterable[Mapping[str, Any]]) -> bool:
    """Step over all of them; False as soon as the chain is broken."""
    return all(walk.step(body) for body in bodies)


def parse_incident(body: object) -> Incident:
    """An incident from its exported form.

    Raises:
        ValueError: a field is missing or of another kind.
    """
    if not isinstance(body, dict):
        raise ValueError("it is not an object")
    try:
        return Incident(
            id=str(body["id"]),
            title=body["title"],
            severity=body["severity"],
            status=Status(body["status"]),
            declared_at=parse_rfc3339(body["declared_at"]),
            resolved_at=None if body["resolved_at"] is None else parse_rfc3339(body["resolved_at"]),
            drill=body["drill"],
            cluster=body["cluster"],
            namespace=body["namespace"],
            # What an incident of an older warroom knows nothing of.
            services=particulars.services_of(body.get("services", [])),
            impact=particulars.text_of(body.get("impact", ""), "impact"),
            facts=particulars.settled(particulars.facts_of(body.get("facts", {}))),
            roles=particulars.settled(particulars.roles_of(body.get("roles", {}))),
            times=particulars.settled(particulars.times_of(_instants(body.get("times", {})))),
        )
    except KeyError as error:
        raise ValueError(f"it lacks {error}") from error
    except TypeError as error:
        raise ValueError("an instant is not a text") from error


def _instants(times: object) -> object:
    return {mark: parse_rfc3339(at) for mark, at in times.items()} if isinstance(times, dict) else times


def exported_incident(incident: Incident) -> dict[str, Any]:
    """The incident as it leaves the program; the inverse of `parse_incident`."""
    return {
        "id": incident.id,
        "title": incident.title,
        "severity": incident.severity,
        "status": str(incident.status),
        "declared_at": rfc3339(incident.declared_at),
        "resolved_at": None if incident.resolved_at is None else rfc3339(incident.resolved_at),
        "drill": incident.drill,
        "cluster": incident.cluster,
        "namespace": incident.namespace,
        "services": list(incident.services),
        "impact": incident.impact,
        "facts": dict(incident.facts),
        "roles": dict(incident.roles),
        "times": {mark: rfc3339(at) for mark, at in incident.times.items()},
    }


def parse_entry(body: Mapping[str, Any]) -> Entry:
    """An entry from its exported form.

    Raises:
        ValueError: a field is missing or of another kind.
    """
    try:
        evidence = body["evidence"]
        if evidence is not None and not isinstance(evidence, dict):
            raise ValueError("its evidence is not an object")
        return Entry(
            id=body["id"],
            incident=body["incident"],
            seq=body["seq"],
            happened_at=parse_rfc3339(body["happened_at"]),
            recorded_at=parse_rfc3339(body["recorded_at"]),
            author=body["author"],
            source=Source(body["source"]),
            kind=Kind(body["kind"]),
            text=body["text"],
            evidence=evidence,
            refers_to=body["refers_to"],
            fold=body["fold"],
            level=body["level"],
            count=body["count"],
            previous_hash=body["previous_hash"],
            hash=body["hash"],
        )
    except KeyError as error:
        raise ValueError(f"it lacks {error}") from error
    except TypeError as error:
        raise ValueError(f"a field is of the wrong kind: {error}") from error
