"""The tables and lists of a post-incident review, for any format: cells that are inert in it (`incident.ink`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from incident.checks import Tick
from incident.dossier import Dossier
from incident.entry import CHANGES, Ending, Entry, Incident, Kind, Line, Source
from incident.ink import Ink
from incident.review import CHANGED, duration, moment
from incident.review_cells import Cells, by_whom
from incident.told import CUSTOMERS, PAGER, audience
from incident.updates import Delivery, Update

STEPS = {
    "began": "First symptom",
    "detected": "Detected",
    "acknowledged": "Acknowledged",
    "mitigated": "Mitigated",
    "resolved": "Resolved",
}
_SYMPTOMS = 12  # how many observed symptoms the summary lists

# What somebody did, as opposed to what happened.
_ACTIONS = (Source.MITIGATION, Source.UPDATE)
_ACTION_KINDS = (*CHANGES, Kind.UPDATE, Kind.CHECK)


class Table(Struct, frozen=True):
    """``lines`` are the lines of the timeline that the rows are of, where they are of any."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    lines: Sequence[Line] = ()


class Fact(Struct, frozen=True):
    """One line of the summary, and what is listed below it."""

    label: str
    value: str
    below: Sequence[str] = ()


def summary(found: Dossier, ink: Ink) -> Iterator[Fact]:
    """What the review begins with."""
    incident, unknown = found.incident, ink.faint("not recorded")
    said = found.classified
    severity = ink.text(found.standard.severity_words(incident.severity))
    if len(said) == 1 and incident.severity is not None:
        severity += f", decided by {ink.text(said[0].by)} at {moment(said[0].at)}"
    words: Callable[[int | None], str] = lambda level: ink.text(found.standard.severity_words(level))  # noqa: E731
    changes = [f"{moment(one.at)}: {words(one.severity)}, by {ink.text(one.by)}" for one in said]
    yield Fact("Title", ink.text(incident.title))
    yield Fact("Date/Time", _span(found))
    yield Fact("Duration", _length(found))
    yield Fact("Severity", severity, changes if len(said) > 1 else ())
    yield Fact("Status", str(incident.status))
    yield Fact("Cluster", ink.text(incident.cluster) or unknown)
    yield Fact("Namespace", ink.text(incident.namespace) or unknown)
    yield Fact("Services Affected", ", ".join(map(ink.text, incident.services)) or unknown, [*_symptoms(found, ink)])
    if worst := max(found.kept.signs, key=lambda sign: sign.sick, default=None):
        most = f"{worst.sick} of {worst.pods}, at {moment(worst.at)}" if worst.sick else f"none of {worst.pods}"
        yield Fact("Most Pods Unhealthy at Once", most)
    facts = incident.facts.items()
    yield Fact(
        "Customer Impact",
        ink.text(incident.impact) or unknown,
        [f"{ink.text(fact.replace('_', ' '))}: {'yes' if answer else 'no'}" for fact, answer in facts],
    )


def _span(found: Dossier) -> str:
    resolved = found.incident.resolved_at
    return (
        f"{moment(found.began)} UTC, not resolved"
        if resolved is None
        else (f"{moment(found.began)} to {moment(resolved)} UTC")
    )


def _length(found: Dossier) -> str:
    incident: Incident = found.incident
    if incident.resolved_at is None:
        return f"open ({incident.status})"
    length = f"{duration(incident.resolved_at - incident.declared_at)} from declaration"
    if found.began < incident.declared_at:
        length += f", {duration(incident.resolved_at - found.began)} from the first symptom"
    return length


def _symptoms(found: Dossier, ink: Ink) -> Iterator[str]:
    """What the probes saw go bad, each once, in order: what the list of affected services can be checked against.

    No nodes, no changes, and not what kept the probes themselves from seeing.
    """
    seen = dict.fromkeys(
        line.text
        for line in found.timeline.lines
        if line.entry.kind is Kind.OBSERVATION and line.entry.level == "bad" and line.retracted is None
        if not (line.entry.fold or "").startswith(("node/", "connection", *CHANGED))
    )
    for text in list(seen)[:_SYMPTOMS]:
        yield f"seen by a probe: {ink.text(text)}"
    if len(seen) > _SYMPTOMS:
        yield f"and {len(seen) - _SYMPTOMS} more, in the timeline"


def roles(found: Dossier, ink: Ink) -> Table:
    """Who held which role, and when."""
    names = found.standard.roles
    rows = [
        (
            ink.text(names.get(one.role, one.role)),
            ink.text(one.person),
            moment(one.since),
            "to the end" if one.until is None else moment(one.until),
        )
        for one in found.held
    ]
    return Table(("Role", "Person", "From (UTC)", "To (UTC)"), rows)


def timeline(found: Dossier, ink: Ink) -> Table:
    """What happened and what was done, in order of happening, with all that was said about it later."""
    cells = Cells(found, ink)
    lines = [line for line in found.timeline.lines if not cells.told_elsewhere(line)]
    recorded = any(_recorded_later(line) for line in lines)
    columns = ["Time (UTC)", *(["Recorded"] if recorded else []), "Event", "Action Taken", "By Whom"]
    rows = []
    for line in lines:
        told, entry = cells.told(line), line.entry
        action = entry.kind in _ACTION_KINDS or (entry.source in _ACTIONS and entry.kind is not Kind.MISSED)
        rows.append(
            (
                moment(line.happened_at),
                *([moment(entry.recorded_at) if _recorded_later(line) else ""] if recorded else []),
                *(("", told) if action else (told, "")),
                by_whom(entry, ink),
            )
        )
    return Table(columns, rows, lines)


def _recorded_later(line: Line) -> bool:
    return line.happened_at // 1000 != line.entry.recorded_at // 1000


def tried(found: Dossier, ink: Ink) -> Table:
    """The acts: what was tried, by whom, and whether it worked."""
    cells = Cells(found, ink)
    rows = [
        (
            moment(act.intent.happened_at),
            ink.gap.join(map(ink.text, (act.title, *act.commands))),
            ink.text(act.by),
            cells.verdict(act.outcome),
            _took(act.ending),
            cells.undo(act),
        )
        for act in found.acts
    ]
    return Table(("Time (UTC)", "Act", "By Whom", "Verdict", "Took", "Undo"), rows)


def _took(ending: Ending | None) -> str:
    if ending is None or ending.sent is False:
        return ""
    return f"{ending.seconds:.1f} s" if ending.seconds < 60 else duration(round(ending.seconds * 1000))


def times(found: Dossier, ink: Ink) -> Table:
    """The response times against the targets, and where each time is from."""
    rows = []
    for step in found.steps:
        name, at = STEPS[step.mark.name], step.mark.at
        if at is None:
            rows.append((name, ink.faint("not recorded"), "", "", ""))
            continue
        took = "" if step.took is None else f"{duration(step.took)} from {STEPS[step.since].lower()}"
        met = ""
        if step.met is not None and step.target is not None:
            met = f"{'met' if step.met else 'MISSED'} (under {duration(step.target)})"
        rows.append((name, moment(at), took, met, step.mark.why))
    return Table(("Step", "Time (UTC)", "Took", "Target", "Known From"), rows)


def missed(found: Dossier, ink: Ink) -> Table:
    """Status updates that were due and not sent."""
    rows = [(moment(one.due), moment(one.entry.happened_at), ink.text(one.entry.text)) for one in found.missed]
    return Table(("Due (UTC)", "Noticed (UTC)", "What"), rows)


def delivered(delivery: Delivery, found: Dossier, ink: Ink) -> str:
    """What became of an update on one channel."""
    channel = ink.text(found.standard.channels.get(delivery.channel, delivery.channel))
    outcome = "delivered" if delivery.ok else ink.strong("NOT DELIVERED")
    attempts = "1 attempt" if delivery.attempts == 1 else f"{delivery.attempts} attempts"
    return f"{channel}: {outcome} at {moment(delivery.at)}, {attempts}{_colon(delivery.detail, ink)}"


def ticked(found: Dossier, tick: Tick, ink: Ink) -> str:
    """An item of a checklist in its own words, and who says how it stands."""
    words = _item(found, tick)
    unneeded = " not needed," if tick.state == "not-needed" else ""
    source = f" ({tick.by})" if tick.by not in ("person", tick.author) else ""
    by = f"by {ink.text(tick.author)}{source} at {moment(tick.at)}"
    return f"{ink.text(words)} —{unneeded} {by}{_colon(tick.note, ink)}"


def settled(found: Dossier, item: str) -> bool:
    """Whether somebody has ticked an item of these words, on whichever list."""
    return any(tick.state != "open" and _item(found, tick) == item for tick in found.ticks)


def _item(found: Dossier, tick: Tick) -> str:
    line = found.timeline.get(tick.entry)
    told = line.text.partition("\n")[0] if line is not None else ""
    return told.partition(": ")[2] or told or tick.item


def whom(update: Update) -> str:
    """What stands after an update's author if it was not for the team."""
    return {CUSTOMERS: ", for customers", PAGER: ", to the pager"}.get(audience(update), "")


def _colon(text: str, ink: Ink) -> str:
    return f": {ink.text(text)}" if text else ""


def action_items(found: Dossier, ink: Ink) -> Table:
    """The follow-ups that still stand, oldest first; one that is done says so."""
    rows = [
        (
            f"{ink.struck(ink.text(item.text))} (done)" if item.done else ink.text(item.text),
            ink.text(item.owner),
            item.due.isoformat() if item.due else "",
            item.priority,
        )
        for _, item in found.followups
    ]
    return Table(("Action", "Owner", "Due Date", "Priority"), rows or [("", "", "", "")])


def with_evidence(found: Dossier) -> Iterator[tuple[int, Entry]]:
    """The pieces of evidence in the appendix, with their numbers."""
    for entry in found.entries:
        if entry.id in found.numbers:
            yield found.numbers[entry.id], entry
