"""A status update before it is sent: what the template is filled with, and whom the notification matrix wants told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from incident.channels.kinds import unusable
from incident.channels.message import Channel
from incident.channels.reach import stays_here
from incident.entry import Kind, Line
from incident.told import CUSTOMERS, TEAM

if TYPE_CHECKING:
    from incident.entry import Incident
    from incident.told import Told
    from runbook.response import Party, Response

TEMPLATES = {TEAM: "status-update", CUSTOMERS: "customer-update"}
"""The runbook's template for each audience."""

PLAIN = (
    "INCIDENT UPDATE - {{ incident_id }}: {{ title }}\nSeverity: {{ severity }}\nStatus: {{ status }}\n"
    "Impact: {{ impact or ('not recorded' if resolved else 'under assessment') }}\n"
    "Next Update: {{ next_update or 'none, this is the last one' }}\n"
    "IC: {{ ic or 'not assigned yet' }}\n"
)
"""For a runbook without a template."""

HALF_A_DAY = 43_200_000  # ms

MOST_SINCE, LONGEST_SINCE = 12, 160
"""Lines of what was done that go into a draft, and characters of each."""

_OPEN_ITEMS = re.compile(r"\d+ items? (?:was|were) open on ")  # our own checklist is nobody else's business
_FOLDER = re.compile(r"; in /.*$")  # nor where on this machine the evidence lies


class Recipient(Struct, frozen=True, kw_only=True):
    """A channel as the matrix sees it.

    ``wanted``  it is told at this severity; ``why`` by what: "CTO, Legal: severity 1".
    ``judge``   somebody must judge whether it is: not ticked before somebody does.
    ``trouble`` why nothing can be sent there now; empty if something can.
    """

    channel: Channel
    wanted: bool
    why: str
    judge: bool = False
    trouble: str = ""


def recipients(
    response: Response, severity: int | None, environment: Mapping[str, str], audience: str, *, drill: bool = False
) -> list[Recipient]:
    """The channels for this audience, in the runbook's order. A drill's go to this machine only."""
    found = []
    for one in response.channels:
        if for_customers(response, one.kind, one.parties) is not (audience == CUSTOMERS):
            continue
        channel = Channel(id=one.id, name=one.name, kind=one.kind, env=one.env, options=one.options)
        told = [party for party in response.parties if party.id in one.parties]
        trouble = unusable(channel, environment)
        if drill and not trouble and not stays_here(channel, environment):
            trouble = "not in a drill: that is another machine"
        found.append(_judged(channel, one.severities, told, severity, response, trouble))
    return found


def for_customers(response: Response, kind: str, parties: Sequence[str]) -> bool:
    """Whether a channel reaches customers and nobody else, so that it needs words of its own."""
    if CUSTOMERS_TEMPLATE not in response.templates:
        return False
    return kind == "statuspage" or (bool(parties) and set(parties) <= {CUSTOMERS})


CUSTOMERS_TEMPLATE = TEMPLATES[CUSTOMERS]


def _judged(
    channel: Channel,
    severities: Sequence[int],
    parties: Sequence[Party],
    severity: int | None,
    response: Response,
    trouble: str,
) -> Recipient:
    if severity is None:
        always = {level.level for level in response.severities} <= set(severities)
        why = "at every severity" if always else "not classified yet: judge"
        return Recipient(channel=channel, wanted=always, why=why, judge=not always, trouble=trouble)
    yes = [party.name for party in parties if party.notified.get(severity) == "yes"]
    judge = [party.name for party in parties if party.notified.get(severity) == "judge"]
    if yes:
        return Recipient(channel=channel, wanted=True, why=f"{', '.join(yes)}: severity {severity}", trouble=trouble)
    if severity in severities:
        return Recipient(channel=channel, wanted=True, why=f"severity {severity}", trouble=trouble)
    if judge:
        why = f"{', '.join(judge)} at severity {severity}: judge"
        return Recipient(channel=channel, wanted=False, why=why, judge=True, trouble=trouble)
    return Recipient(channel=channel, wanted=False, why=f"not at severity {severity}", trouble=trouble)


def fields(
    incident: Incident, response: Response, lines: Iterable[Line], told: Told, *, due: int | None, now: int
) -> dict[str, Any]:
    """What a template may name (see `incident.templates.UPDATE_FIELDS`). ``now`` and ``due`` in ms."""
    level = response.severity(incident.severity)
    commander = next((role.id for role in response.roles if role.short == "IC"), "ic")
    until = incident.resolved_at if not incident.open and incident.resolved_at else now
    return {
        "incident_id": incident.id,
        "title": incident.title,
        "severity": "unclassified" if incident.severity is None else incident.severity,
        "severity_name": level.name if level else "",
        "status": incident.status.value,
        "impact": incident.impact,
        "services": list(incident.services),
        "since": since(lines, told.updates[-1].at if told.updates else incident.declared_at, told.turns),
        "eta": "",
        "resolved": "" if incident.open or incident.resolved_at is None else clock(incident.resolved_at),
        "next_update": "" if due is None else clock(due, now),
        "ic": incident.roles.get(commander, ""),
        "number": len(told.updates) + 1,
        "opened": datetime.fromtimestamp(incident.declared_at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "elapsed": elapsed((until - incident.declared_at) / 1000),
        "now": clock(now),
        "cluster": incident.cluster,
        "namespace": incident.namespace,
        "drill": incident.drill,
    }


def since(lines: Iterable[Line], at: int, turns: Mapping[str, bool]) -> list[str]:
    """What was done since ``at`` (ms), oldest first: acts with their outcome, and what became of the incident.

    ``turns`` (see `Told`) are the changes of the incident that count, with the reason that was given. Answers to the
    decision matrix, roles and the like are not what others wait for.
    """
    found = []
    for line in lines:
        if line.entry.recorded_at < at or line.retracted is not None:
            continue
        acted = line.entry.kind is Kind.MITIGATION and line.acted
        if acted or line.entry.id in turns:
            text, *more = (part.strip() for part in line.text.split("\n"))
            ended = _FOLDER.sub("", (line.outcome or "").partition("\n")[0].strip())
            if not acted and turns[line.entry.id] and more and not _OPEN_ITEMS.match(more[0]):
                ended = more[0]
            said = f"{clock(line.happened_at)} {text}{f': {ended}' if ended else ''}"
            found.append(said if len(said) <= LONGEST_SINCE else f"{said[: LONGEST_SINCE - 1]}…")
    return found[-MOST_SINCE:]


def clock(at: int, now: int | None = None) -> str:
    """``14:35 UTC``; with its date if that is half a day or more after ``now``."""
    far = now is not None and at - now >= HALF_A_DAY
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC" if far else "%H:%M UTC")


def elapsed(seconds: float) -> str:
    """``12 min``, ``1 h 12 min``, ``2 d 3 h``. Never negative."""
    minutes = max(int(seconds), 0) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
