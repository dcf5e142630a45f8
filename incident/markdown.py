"""The post-incident review in Markdown: the runbook's "Review Template", filled in with everything that is known.

What only people can know is theirs to write between marks, and is kept when the review is exported again
(`incident.fills`). All text is escaped (`incident.escape`): a pod's log line cannot add a row, a link or a tag.
Amendments and retractions are visible; nothing vanishes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from incident import chain, fills, review_tables, score_tables
from incident.dossier import Dossier, dossier
from incident.entry import Entry, Incident
from incident.escape import json_block, markdown, markdown_block
from incident.ink import MARKDOWN
from incident.review import moment
from incident.review_cells import by_whom
from incident.review_tables import Table
from incident.score import score
from incident.standard import NEUTRAL, Standard, Topic

WATERMARK = "This was an exercise, not an incident."

IMPACT, TIMES, ITEMS, MANDATORY = (
    "impact-assessment",
    "response-time-analysis",
    "action-items",
    "mandatory-review-items",
)
"""The sections for people that every review has, besides its topics."""

_EVIDENCE_LIMIT = 20_000  # characters of one piece; the JSON export has all of it

# The heading of the runbook's template below which response times stand; the action items come after it.
_EVALUATION = "Response Evaluation"


def to_markdown(incident: Incident, entries: Sequence[Entry], standard: Standard = NEUTRAL) -> str:
    """The review of an incident from all of its entries, in the order of the chain. Times are UTC.

    The same entries give the same text, byte for byte.

    Raises:
        ValueError: the entries were read without their evidence.
    """
    return review(dossier(incident, entries, standard))


def review(found: Dossier) -> str:
    """The review as Markdown, with what people wrote into an earlier export of it."""
    parts = [
        _head(found.incident),
        _summary(found),
        f"### Impact Assessment\n{fills.section(IMPACT, found.fills)}",
        *_score(found),
        *_section("## Roles", review_tables.roles(found, MARKDOWN)),
        _table("## Timeline", review_tables.timeline(found, MARKDOWN)),
        *_section("## What Was Tried and Whether It Worked", review_tables.tried(found, MARKDOWN)),
        *_updates(found),
        *_checklists(found),
        *_people(found),
        _mandatory(found),
        *_left_over(found),
        *_appendix(found),
        _integrity(found),
    ]
    if found.incident.drill:
        parts.append(f"> **DRILL.** {WATERMARK}")
    return fills.sealed("\n\n".join(parts) + "\n")


def _head(incident: Incident) -> str:
    title = f"# Post-Incident Review: {markdown(incident.id)}"
    mark = fills.begun(incident.id)
    return f"{title} (DRILL)\n{mark}\n\n> **DRILL.** {WATERMARK}" if incident.drill else f"{title}\n{mark}"


def _summary(found: Dossier) -> str:
    lines = ["## Incident Summary"]
    for fact in review_tables.summary(found, MARKDOWN):
        lines.append(f"- **{fact.label}**: {fact.value}")
        lines += [f"  - {below}" for below in fact.below]
    return "\n".join(lines)


def _table(heading: str, table: Table) -> str:
    rows = [f"| {' | '.join(row)} |" for row in (table.columns, *table.rows)]
    return "\n".join([heading, rows[0], f"|{'---|' * len(table.columns)}", *rows[1:]])


def _section(heading: str, table: Table) -> Iterator[str]:
    if table.rows:
        yield _table(heading, table)


def _score(found: Dossier) -> Iterator[str]:
    """How the drill was handled, if it was one that can be scored."""
    won = score(found)
    if won is not None:
        yield f"## Drill Score\n{score_tables.headline(won, MARKDOWN)}"
        yield _table("### Points", score_tables.judged(won, MARKDOWN))
        yield _table("### The Ideal Path and Yours", score_tables.path(won, MARKDOWN))
        yield from _section("### Acts Besides", score_tables.besides(won, MARKDOWN))


def _updates(found: Dossier) -> Iterator[str]:
    """The status updates word for word, what became of each, and those that were due and not sent."""
    if found.updates or found.missed:
        yield "## Status Updates"
    for number, told in enumerate(found.updates, 1):
        update = told.update
        due = "" if update.next_due is None else f" The next one was promised for {moment(update.next_due)}."
        said = f"{moment(update.at)} UTC, by {markdown(update.author)}{review_tables.whom(update)}.{due}"
        sent = [f"- {review_tables.delivered(one, found, MARKDOWN)}" for one in told.deliveries]
        parts = [
            f"### Status Update {number}",
            said,
            "",
            fills.unmarked(markdown_block(update.text, "text")),
            "",
            *sent,
        ]
        yield "\n".join(parts).rstrip("\n")
    yield from _section("### Missed Updates", review_tables.missed(found, MARKDOWN))


def _checklists(found: Dossier) -> Iterator[str]:
    """How every item that somebody or a probe has judged stands at the end."""
    if not found.ticks:
        return
    lines = ["## Checklists"]
    for name in dict.fromkeys(tick.list for tick in found.ticks):
        lines += ["", f"### {markdown(found.standard.checklist(name))}"]
        lines += [
            f"- [{' ' if tick.state == 'open' else 'x'}] {review_tables.ticked(found, tick, MARKDOWN)}"
            for tick in found.ticks
            if tick.list == name
        ]
    yield "\n".join(lines)


def _people(found: Dossier) -> Iterator[str]:
    """The sections for people, with the response times and the action items where the template has them."""
    placed = False
    for topic, questions in asked(found.standard):
        yield _topic(topic, questions, found)
        if topic.title == _EVALUATION:
            placed = True
            yield from _response(found, "###")
    if not placed:
        yield from _response(found, "##")


def _response(found: Dossier, level: str) -> Iterator[str]:
    times = _table(f"{level} Response Time Analysis", review_tables.times(found, MARKDOWN))
    items = _table("## Action Items", review_tables.action_items(found, MARKDOWN))
    yield f"{times}\n\n{fills.section(TIMES, found.fills)}"
    yield f"{items}\n\n{fills.section(ITEMS, found.fills)}"


def _topic(topic: Topic, questions: Sequence[tuple[str, str]], found: Dossier) -> str:
    lines = [f"## {markdown(topic.title)}"]
    for question, name in questions:
        lines += [*([f"### {markdown(question)}"] if question else []), fills.section(name, found.fills), ""]
    return "\n".join(lines[:-1])


def asked(standard: Standard) -> list[tuple[Topic, list[tuple[str, str]]]]:
    """The topics with their questions and the names of their sections; one without questions asks by its heading.

    No two sections have the same name, however alike their questions are.
    """
    taken = {IMPACT, TIMES, ITEMS, MANDATORY}
    topics = []
    for topic in standard.topics:
        named = []
        for question in topic.questions or ("",):
            name = first = fills.slug(topic.title, question)
            number = 1
            while name in taken:
                number += 1
                name = f"{first}-{number}"
            taken.add(name)
            named.append((question, name))
        topics.append((topic, named))
    return topics


def _mandatory(found: Dossier) -> str:
    boxes = ((item, "x" if review_tables.settled(found, item) else " ") for item in found.standard.mandatory)
    items = "\n".join(f"- [{box}] {markdown(item)}" for item, box in boxes) or fills.PLACEHOLDER
    return f"## Mandatory Review Items\n{fills.section(MANDATORY, found.fills, items)}"


def _left_over(found: Dossier) -> Iterator[str]:
    """What people wrote where the review no longer asks: kept, below a heading that says so."""
    names = [name for _, questions in asked(found.standard) for _, name in questions]
    left = fills.left_over((IMPACT, TIMES, ITEMS, MANDATORY, *names), found.fills)
    if left:
        sections = [f"### {markdown(name)}\n{fills.section(name, found.fills)}" for name in left]
        yield "\n\n".join(["## Kept From an Earlier Review", *sections])


def _appendix(found: Dossier) -> Iterator[str]:
    if found.numbers:
        yield "## Appendix: Evidence"
    for number, entry in review_tables.with_evidence(found):
        text, cut = evidence_text(entry)
        about = f"{moment(entry.happened_at)}, {by_whom(entry, MARKDOWN)}: {markdown(entry.text[:200])}"
        more = f"\n\n{cut}" if cut else ""
        yield f"### E{number}\n{about}\n\n{fills.unmarked(markdown_block(text, 'json'))}{more}"


def evidence_text(entry: Entry) -> tuple[str, str]:
    """The evidence as JSON for people, and a sentence about what was left out, empty if nothing was."""
    text = json_block(entry.evidence)
    if len(text) <= _EVIDENCE_LIMIT:
        return text, ""
    return text[:_EVIDENCE_LIMIT], f"{len(text) - _EVIDENCE_LIMIT:,} more characters are in the JSON export."


def _integrity(found: Dossier) -> str:
    head = found.entries[-1].hash if found.entries else chain.GENESIS
    return "\n".join(
        [
            "## Appendix: Integrity",
            f"- **Entries**: {len(found.entries)}",
            f"- **Chain head**: `{head}`",
            f"- **Check**: `warroom verify {found.incident.id}`, or on the JSON export, whose head must be this one.",
        ]
    )
