"""The incident's card as rows: what it is, who has which role, when what was. Pure; the screen draws and changes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from incident.entry import MARKS, Incident, Kind, Line, Status
from incident.standing import OPEN
from runbook.classification import ASK, QUESTIONS, standing
from runbook.response import FACTS
from tui.severity_text import levels
from widgets.plain import clock

if TYPE_CHECKING:
    from incident.review import Mark
    from runbook.classification import View
    from runbook.response import Response, Role

NEXT_WORDS = {
    Status.INVESTIGATING: "investigating",
    Status.MITIGATING: "somebody acts on it",
    Status.RESOLVED: "it is over",
    Status.REVIEWED: "the review is done",
}
DIM, LOUD = "$foreground 60%", "bold $text-warning"


class Row(Struct, frozen=True, kw_only=True):
    """One line of the card. An empty ``id`` is a heading. ``hint`` says what its keys do."""

    id: str
    label: str
    value: str = ""
    style: str = ""  # of the value
    more: str = ""  # quieter, after the value
    hint: str = ""


def rows(
    incident: Incident,
    response: Response | None,
    marks: dict[str, Mark],
    held: dict[str, int],
    *,
    local: bool,
    now: float,
    relapse: str = "",
    seen: View | None = None,
) -> list[Row]:
    """``held``: since when (ms) each role is held by who holds it. ``relapse``: what is ill again after it was over.

    ``seen``: what the probes propose now, for what nobody has said yet.
    """
    hint = "enter reopens the incident"
    again = (
        [Row(id="relapse", label="✗ RELAPSE", value=relapse, style="bold $text-error", hint=hint)] if relapse else []
    )
    return [
        *again,
        *_standing(incident, response, marks),
        Row(id="", label="What"),
        *_what(incident, seen),
        Row(id="", label="Roles"),
        *_roles(incident, response, held, local, now),
        Row(id="", label="Times"),
        *_times(incident, marks, local, now),
    ]


def _standing(incident: Incident, response: Response | None, marks: dict[str, Mark]) -> list[Row]:
    level = next((one for one in levels(response) if one.level == incident.severity), None)
    value = "not classified" if incident.severity is None else f"SEV {incident.severity}"
    matrix = response.matrix if response is not None else ()
    mitigated = marks.get("mitigated")
    behind = incident.status is Status.INVESTIGATING and mitigated is not None and mitigated.at is not None
    ways = f"! {mitigated.why}: enter moves it on" if behind and mitigated is not None else _ways(incident)
    return [
        Row(
            id="severity",
            label="Severity",
            value=f"{value} {level.name}" if level is not None else value,
            style="bold" if level is not None else LOUD,
            more=standing(matrix, incident.facts, incident.severity),
            hint="enter changes it",
        ),
        Row(
            id="status",
            label="Status",
            value=incident.status.value,
            style="bold" if incident.status in OPEN else "bold $text-success",
            more=ways,
            hint="enter moves it on, or reopens it",
        ),
    ]


def _ways(incident: Incident) -> str:
    return " → ".join(status.value if status is incident.status else status.value.lower() for status in Status)


def _what(incident: Incident, seen: View | None) -> list[Row]:
    named = ", ".join(incident.services)
    ill = f"ill now: {', '.join(seen.services)}" if seen is not None and seen.services and not named else ""
    found = [
        Row(id="title", label="Title", value=incident.title, hint="enter changes it"),
        Row(
            id="services",
            label="Services",
            value=named or "none named",
            style="" if named else DIM,
            more=ill,
            hint="enter names them",
        ),
        Row(
            id="impact",
            label="Customer impact",
            value=incident.impact or "not described",
            style="" if incident.impact else DIM,
            hint="enter describes it",
        ),
    ]
    words = {True: "yes", False: "no", None: "not known"}
    for fact in FACTS:
        answer = incident.facts.get(fact)
        style = DIM if answer is None else "bold" if answer else ""
        proposed = seen.facts.get(fact) if seen is not None and answer is None else None
        more = ""
        if proposed is not None and proposed.answer is not None:
            more = f"seen by probes: {words[proposed.answer]}, {proposed.evidence}"
        elif answer is None and proposed is None and seen is not None:
            more = ASK
        hint = "y yes · n no · u not known"
        label = f"{QUESTIONS[fact]}?"
        found.append(Row(id=f"fact:{fact}", label=label, value=words[answer], style=style, more=more, hint=hint))
    return found


def roles_of(incident: Incident, response: Response | None) -> list[Role]:
    """The roles that are taken here, and any that is held although the runbook does not name it."""
    from runbook.response import Role

    known = [role for role in response.roles if role.core] if response is not None else []
    names = {role.id for role in known}
    others = [
        Role(id=role, name=role.replace("-", " ").capitalize(), short=role[:5].upper()) for role in incident.roles
    ]
    return [*known, *(role for role in others if role.id not in names)]


def _roles(
    incident: Incident, response: Response | None, held: dict[str, int], local: bool, now: float
) -> Iterable[Row]:
    for role in roles_of(incident, response):
        person = incident.roles.get(role.id)
        since = f"since {clock(held[role.id] / 1000, local, now)}" if person and role.id in held else ""
        backup = f", else {role.backup}" if role.backup else ""
        usual = f"usually {role.primary}{backup}" if role.primary else role.does
        yield Row(
            id=f"role:{role.id}",
            label=role.name,
            value=person or "nobody",
            style="bold" if person else DIM,
            more=" · ".join(filter(None, (since, usual))),
            hint="t takes it · enter hands it over",
        )


def _times(incident: Incident, marks: dict[str, Mark], local: bool, now: float) -> Iterable[Row]:
    for name in MARKS:
        mark = marks.get(name)
        at = mark.at if mark is not None else None
        yield Row(
            id=f"time:{name}",
            label=name.capitalize(),
            value="not yet" if at is None else f"{clock(at / 1000, local, now)} {'local' if local else 'UTC'}",
            style=DIM if at is None else "bold" if mark is not None and mark.corrected else "",
            more=(f"proposed: {mark.why}" if mark is not None and not mark.corrected and mark.why else "")
            or ("set by a person" if mark is not None and mark.corrected else ""),
            hint="enter corrects it",
        )


def held_since(lines: Sequence[Line], incident: Incident) -> dict[str, int]:
    """Since when (ms) each role is held by who holds it now. ``lines`` are of changes, with their evidence."""
    from incident.standing import change_of

    since: dict[str, tuple[str, int]] = {}
    for line in sorted(lines, key=lambda one: one.entry.seq):
        if line.entry.kind is not Kind.STATUS:
            continue
        roles = change_of(line.entry.evidence).get("roles")
        for role, person in roles.items() if isinstance(roles, dict) else ():
            if isinstance(person, str):
                since[role] = person, line.happened_at
            else:
                since.pop(role, None)
    return {role: at for role, (person, at) in since.items() if incident.roles.get(role) == person}
