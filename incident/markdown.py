"""The post-incident review in Markdown: the runbook's "Review Template", filled in with everything that is known.

What only people can know is left as a placeholder. All text is escaped (`incident.escape`): a pod's log line cannot add
a row, a link or a tag. Amendments and retractions are visible; nothing vanishes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from incident import chain, markdown_acts
from incident.acts import ActRecord, acts
from incident.entry import Entry, Incident, Kind, Line, Source
from incident.escape import json_block, markdown, markdown_block
from incident.review import SEVERITIES, TARGETS, Milestones, duration, milestones, moment
from incident.timeline import Timeline

_TODO = "_To be filled in at the review._"
_EVIDENCE_LIMIT = 20_000  # characters of one piece; the JSON export has all of it
_SYMPTOMS = 12  # how many observed symptoms the summary lists

# What somebody did, as opposed to what happened.
_ACTIONS = (Source.MITIGATION, Source.UPDATE)
_ACTION_KINDS = (Kind.DECLARED, Kind.STATUS)

_QUESTIONS = """\
## Root Cause Analysis
### What Happened?
{todo}

### Why Did It Happen?
{todo}

### Contributing Factors
{todo}

## Response Evaluation
### What Went Well?
{todo}

### What Could Be Improved?
{todo}

### Response Time Analysis
"""

_LESSONS = """\
## Lessons Learned
### Technical Lessons
{todo}

### Process Lessons
{todo}

### Communication Lessons
{todo}

## Mandatory Review Items
- [ ] Root cause analysis completed
- [ ] Timeline accuracy verified
- [ ] Impact assessment documented
- [ ] Response effectiveness evaluated
- [ ] Communication effectiveness reviewed
"""


def to_markdown(incident: Incident, entries: Sequence[Entry]) -> str:
    """The review of an incident from all of its entries, in the order of the chain. Times are UTC.

    The same entries give the same text, byte for byte.
    """
    timeline = Timeline(entries)
    numbers = {entry.id: number for number, entry in enumerate(_with_evidence(entries), 1)}
    known = milestones(incident, timeline.lines)
    done = acts(entries)
    parts = [
        _head(incident),
        _summary(incident, timeline, known),
        _table(timeline, done, numbers),
        *filter(None, [markdown_acts.tried(done)]),
        _QUESTIONS.format(todo=_TODO) + _response_times(incident, known),
        _action_items(timeline),
        _LESSONS.format(todo=_TODO).rstrip(),
        *_appendix(entries, numbers),
        _integrity(incident, entries),
    ]
    if incident.drill:
        parts.append(_watermark())
    return "\n\n".join(parts) + "\n"


def _head(incident: Incident) -> str:
    title = f"# Post-Incident Review: {markdown(incident.id)}"
    return f"{title} (DRILL)\n\n{_watermark()}" if incident.drill else title


def _watermark() -> str:
    return "> **DRILL.** This was an exercise, not an incident."


def _summary(incident: Incident, timeline: Timeline, known: Milestones) -> str:
    severity = incident.severity
    began = known.declared if known.first_symptom is None else min(known.first_symptom, known.declared)
    if incident.resolved_at is None:
        span, length = f"{moment(began)} UTC, not resolved", f"open ({incident.status})"
    else:
        span = f"{moment(began)} to {moment(incident.resolved_at)} UTC"
        length = f"{duration(incident.resolved_at - began)} from the first symptom" if began < known.declared else ""
        length = f"{duration(incident.resolved_at - known.declared)} from declaration" + (length and f", {length}")
    lines = [
        "## Incident Summary",
        f"- **Title**: {markdown(incident.title)}",
        f"- **Date/Time**: {span}",
        f"- **Duration**: {length}",
        f"- **Severity**: {'not classified' if severity is None else f'{severity} ({SEVERITIES[severity]})'}",
        f"- **Status**: {incident.status}",
        f"- **Cluster**: {markdown(incident.cluster) or '_not recorded_'}",
        f"- **Namespace**: {markdown(incident.namespace) or '_not recorded_'}",
        f"- **Services Affected**: {_TODO}",
        *_symptoms(timeline),
        f"- **Customer Impact**: {_TODO}",
    ]
    return "\n".join(lines)


def _symptoms(timeline: Timeline) -> Iterator[str]:
    """What the probes saw go bad, each once, in order: where the list of affected services begins."""
    seen = dict.fromkeys(
        line.text
        for line in timeline.lines
        if line.entry.kind is Kind.OBSERVATION and line.entry.level == "bad" and line.retracted is None
    )
    for text in list(seen)[:_SYMPTOMS]:
        yield f"  - seen by a probe: {markdown(text)}"
    if len(seen) > _SYMPTOMS:
        yield f"  - and {len(seen) - _SYMPTOMS} more, in the timeline"


def _table(timeline: Timeline, done: Sequence[ActRecord], numbers: dict[str, int]) -> str:
    act_of = {act.id: act for act in done}
    recorded = any(_recorded_later(line) for line in timeline.lines)
    columns = ["Time (UTC)", *(["Recorded"] if recorded else []), "Event", "Action Taken", "By Whom"]
    rows = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for line in timeline.lines:
        told = _told(line, timeline.history(line.id), act_of.get(line.id), numbers)
        action = line.entry.source in _ACTIONS or line.entry.kind in _ACTION_KINDS
        cells = [
            moment(line.happened_at),
            *([moment(line.entry.recorded_at) if _recorded_later(line) else ""] if recorded else []),
            *(("", told) if action else (told, "")),
            _by_whom(line.entry),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(["## Timeline", *rows])


def _recorded_later(line: Line) -> bool:
    return line.happened_at // 1000 != line.entry.recorded_at // 1000


def _by_whom(entry: Entry) -> str:
    author = markdown(entry.author)
    return author if entry.source is Source.PERSON else f"{author} ({entry.source})"


def _told(line: Line, history: Sequence[Entry], act: ActRecord | None, numbers: dict[str, int]) -> str:
    """A cell: the text as it stands, then everything that was said about it."""
    entry = line.entry
    text = markdown(line.text) if act is None else "<br>".join(markdown_acts.told(act))
    if entry.kind is Kind.FOLLOWUP:
        text = f"Follow-up: {text}"
    parts = [f"~~{text}~~" if line.retracted is not None and text else text]
    if line.count > 1:
        parts.append(f"— seen {line.count} times, last at {moment(line.last_at)}")
    before_text, before_time = entry.text, entry.happened_at
    for change in history:
        said = f"at {moment(change.recorded_at)} by {markdown(change.author)}"
        if change.kind is Kind.RETRACTION:
            parts.append(f"— retracted {said}: {markdown(change.text)}")
            continue
        was = []
        if change.text != before_text:
            was.append(f"before: ~~{markdown(before_text)}~~")
        if change.happened_at != before_time:
            was.append(f"time before: {moment(before_time)}")
        parts.append(f"— amended {said}; {', '.join(was) or 'nothing changed'}")
        before_text, before_time = change.text, change.happened_at
    said_of_it = (entry, *history, *(act.outcomes if act is not None else ()))
    references = [numbers[one.id] for one in said_of_it if one.id in numbers]
    if references:
        parts.append("— evidence " + ", ".join(f"E{number}" for number in references))
    return "<br>".join(parts)


def _response_times(incident: Incident, known: Milestones) -> str:
    detection, response, resolution = TARGETS.get(incident.severity or 0, (None, None, None))
    rows = [
        "| Step | Time (UTC) | Took | Target |",
        "|---|---|---|---|",
        _step("First symptom", known.first_symptom, None, None),
        _step("Declared", known.declared, known.first_symptom, detection),
        _step("First mitigation", known.first_action, known.declared, response),
        _step("Resolved", known.resolved, known.declared, resolution),
    ]
    return "\n".join([*rows, "", _TODO])


def _step(name: str, at: int | None, since: int | None, target: int | None) -> str:
    if at is None:
        return f"| {name} | _not recorded_ | | |"
    took = "" if since is None else duration(at - since)
    met = ""
    if since is not None and target is not None:
        met = f"{'met' if at - since < target else 'MISSED'} (under {duration(target)})"
    return f"| {name} | {moment(at)} | {took} | {met} |"


def _action_items(timeline: Timeline) -> str:
    rows = [f"| {markdown(line.text)} | | | |" for line in timeline.followups] or ["| | | | |"]
    return "\n".join(["## Action Items", "| Action | Owner | Due Date | Priority |", "|---|---|---|---|", *rows])


def _with_evidence(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Entries whose evidence a reader wants to see: a change of the incident itself is told by its text."""
    for entry in entries:
        if entry.evidence_on_disk:
            raise ValueError(f"entry {entry.id} was read without its evidence")
        if entry.evidence and entry.kind not in _ACTION_KINDS:
            yield entry


def _appendix(entries: Sequence[Entry], numbers: dict[str, int]) -> Iterator[str]:
    if not numbers:
        return
    yield "## Appendix: Evidence"
    for entry in entries:
        if entry.id not in numbers:
            continue
        text = json_block(entry.evidence)
        cut = ""
        if len(text) > _EVIDENCE_LIMIT:
            cut = f"\n\n{len(text) - _EVIDENCE_LIMIT:,} more characters are in the JSON export."
            text = text[:_EVIDENCE_LIMIT]
        about = f"{moment(entry.happened_at)}, {_by_whom(entry)}: {markdown(entry.text[:200])}"
        yield f"### E{numbers[entry.id]}\n{about}\n\n{markdown_block(text, 'json')}{cut}"


def _integrity(incident: Incident, entries: Sequence[Entry]) -> str:
    head = entries[-1].hash if entries else chain.GENESIS
    return "\n".join(
        [
            "## Appendix: Integrity",
            f"- **Entries**: {len(entries)}",
            f"- **Chain head**: `{head}`",
            f"- **Check**: `warroom verify {incident.id}`, or on the JSON export, whose head must be this one.",
        ]
    )
