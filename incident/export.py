"""An incident as a file: the post-incident review for people, the whole record for programs, and both with evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from incident import chain, markdown, score
from incident.dossier import Dossier
from incident.entry import Entry, Incident
from incident.escape import json_text
from incident.markdown import to_markdown
from incident.score import Score
from incident.verify import SCHEMA, exported_incident

__all__ = ["BUNDLE", "EXTENSIONS", "TEXTS", "file_name", "render", "to_json", "to_markdown"]

BUNDLE = "bundle"


def to_json(incident: Incident, entries: Sequence[Entry], won: Score | None = None) -> str:
    """Everything, one entry per line, as `warroom verify` checks it. The schema is ``warroom/incident/1``.

    Instants are RFC 3339 in UTC with milliseconds. ``head`` is the end of the chain: without it, entries that are
    missing at the end would not be noticed. ``won``, of a drill, comes last; it is worked out of the rest.

    Raises:
        ValueError: the entries were read without their evidence, or are not the incident's whole chain.
    """
    if [entry.seq for entry in entries] != list(range(1, len(entries) + 1)):
        raise ValueError("an export needs every entry of the incident, in the order of its chain")
    head = {"seq": len(entries), "hash": entries[-1].hash if entries else chain.GENESIS}
    lines = ",\n".join(json_text(chain.exported(entry)) for entry in entries)
    last = "" if won is None else f',\n"score":{json_text(score.to_json(won))}'
    return (
        f'{{"schema":{json_text(SCHEMA)},\n"incident":{json_text(exported_incident(incident))},\n'
        f'"entries":[\n{lines}\n],\n"head":{json_text(head)}{last}}}\n'
    )


def _html(found: Dossier) -> str:
    from incident.html_review import to_html

    return to_html(found)


def _csv(found: Dossier) -> str:
    from incident.csv_export import to_csv

    return to_csv(found)


TEXTS: dict[str, Callable[[Dossier], str]] = {
    "markdown": markdown.review,
    "html": _html,
    "json": lambda found: to_json(found.incident, found.entries, score.score(found)),
    "csv": _csv,
}
"""The formats that are one text. A `BUNDLE` (`incident.bundle`) has all of them."""

EXTENSIONS = {"markdown": "md", "html": "html", "json": "json", "csv": "csv", BUNDLE: "zip"}


def render(form: str, found: Dossier) -> bytes:
    """One of `TEXTS` as the bytes of its file: UTF-8."""
    return TEXTS[form](found).encode("utf-8")


def file_name(incident: Incident, form: str) -> str:
    """What to call an export of one of `EXTENSIONS`: ``INC-20261123-1406-7kq2.md``, drills marked as such."""
    return f"{incident.id}{'-DRILL' if incident.drill else ''}.{EXTENSIONS[form]}"
