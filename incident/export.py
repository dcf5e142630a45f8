"""An incident as a file: the post-incident review for people, the whole record as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from incident import chain
from incident.entry import Entry, Incident
from incident.escape import json_text
from incident.markdown import to_markdown
from incident.verify import SCHEMA, exported_incident

__all__ = ["FORMATS", "file_name", "to_json", "to_markdown"]


def to_json(incident: Incident, entries: Sequence[Entry]) -> str:
    """Everything, one entry per line, as `warroom verify` checks it. The schema is ``warroom/incident/1``.

    Instants are RFC 3339 in UTC with milliseconds. ``head`` is the end of the chain: without it, entries that are
    missing at the end would not be noticed.

    Raises:
        ValueError: the entries were read without their evidence, or are not the incident's whole chain.
    """
    if [entry.seq for entry in entries] != list(range(1, len(entries) + 1)):
        raise ValueError("an export needs every entry of the incident, in the order of its chain")
    head = {"seq": len(entries), "hash": entries[-1].hash if entries else chain.GENESIS}
    lines = ",\n".join(json_text(chain.exported(entry)) for entry in entries)
    return (
        f'{{"schema":{json_text(SCHEMA)},\n"incident":{json_text(exported_incident(incident))},\n'
        f'"entries":[\n{lines}\n],\n"head":{json_text(head)}}}\n'
    )


FORMATS: dict[str, tuple[str, Callable[[Incident, Sequence[Entry]], str]]] = {
    "markdown": ("md", to_markdown),
    "json": ("json", to_json),
}


def file_name(incident: Incident, kind: str) -> str:
    """What to call an export of one of `FORMATS`: ``INC-20261123-1406-7kq2.md``, drills marked as such."""
    extension, _ = FORMATS[kind]
    return f"{incident.id}{'-DRILL' if incident.drill else ''}.{extension}"
