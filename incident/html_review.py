"""The post-incident review as one HTML file that needs nothing else: no script, no request, made to be printed.

All text is escaped; a content security policy forbids scripts and requests even if something were not. What people
wrote into the Markdown review is rendered as CommonMark without HTML and without images.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence

from incident import chain, review_tables, score_tables, svg_chart
from incident.dossier import Dossier
from incident.escape import html, html_block, visible
from incident.html_style import STYLE
from incident.ink import HTML
from incident.kept import BESIDE
from incident.markdown import IMPACT, ITEMS, MANDATORY, TIMES, WATERMARK, asked, evidence_text
from incident.review import moment
from incident.review_cells import by_whom
from incident.review_tables import Table
from incident.score import score

_SCREENS = {
    "declared": "When it was declared",
    "mitigating": "When mitigation began",
    "resolved": "When it was resolved",
}


def to_html(found: Dossier) -> str:
    """The review. The same dossier gives the same text, byte for byte."""
    title = f"Post-Incident Review: {found.incident.id}{' (DRILL)' if found.incident.drill else ''}"
    body = "\n".join(part for part in _body(found, title) if part)
    allowed = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; img-src data:; base-uri 'none'; form-action 'none'"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="referrer" content="no-referrer">\n<meta name="viewport" content="width=device-width">\n'
        f"<title>{html(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _body(found: Dossier, title: str) -> Iterator[str]:
    drill = found.incident.drill
    if drill:
        yield '<div class="drill" aria-hidden="true">DRILL</div>'
    yield f"<h1>{html(title)}</h1>"
    if drill:
        yield f'<p class="banner">DRILL. {WATERMARK}</p>'
    yield "<h2>Incident Summary</h2>\n" + _summary(found)
    yield _people("Impact Assessment", IMPACT, found)
    yield from _score(found)
    yield from _pictures(found)
    yield _section("Roles", review_tables.roles(found, HTML))
    yield _section("Timeline", review_tables.timeline(found, HTML))
    yield _section("What Was Tried and Whether It Worked", review_tables.tried(found, HTML))
    yield from _updates(found)
    yield from _checklists(found)
    for topic, questions in asked(found.standard):
        yield f"<h2>{html(topic.title)}</h2>"
        for question, name in questions:
            yield _people(question, name, found)
    yield _section("Response Time Analysis", review_tables.times(found, HTML)) + _people("", TIMES, found)
    yield _section("Action Items", review_tables.action_items(found, HTML)) + _people("", ITEMS, found)
    yield "<h2>Mandatory Review Items</h2>\n" + _mandatory(found)
    yield from _appendix(found)
    yield _integrity(found)
    if drill:
        yield f'<p class="banner">DRILL. {WATERMARK}</p>'


def _summary(found: Dossier) -> str:
    lines = []
    for fact in review_tables.summary(found, HTML):
        below = "".join(f"<li>{one}</li>" for one in fact.below)
        lines.append(f"<dt>{fact.label}</dt><dd>{fact.value}{f'<ul>{below}</ul>' if below else ''}</dd>")
    return "<dl>\n" + "\n".join(lines) + "\n</dl>"


def _score(found: Dossier) -> Iterator[str]:
    won = score(found)
    if won is not None:
        yield f"<h2>Drill Score</h2>\n<p>{score_tables.headline(won, HTML)}</p>"
        yield _section("Points", score_tables.judged(won, HTML), "h3")
        yield _section("The Ideal Path and Yours", score_tables.path(won, HTML), "h3")
        yield _section("Acts Besides", score_tables.besides(won, HTML), "h3")


def _pictures(found: Dossier) -> Iterator[str]:
    scale = svg_chart.scale_of(found)
    drawing, outside = svg_chart.timeline(found, scale)
    yield "<h2>Course of the Incident</h2>"
    more = f" Outside of it: {outside} entries, in the timeline below." if outside else ""
    span = f"{moment(scale.first)} to {moment(scale.last)} UTC, to scale."
    key = "▲ bad, ◆ warning, ● good, ▮ anything else."
    yield _figure(drawing, f"{span} {key}{more}")
    sick = svg_chart.sick_pods(found, scale)
    if sick is None:
        yield '<p class="todo">Nothing was recorded about how many pods were unhealthy.</p>'
    else:
        series, known = sick
        yield _figure(svg_chart.chart("Unhealthy pods", "", [series], scale, stepped=True), f"Unhealthy pods, {known}.")
    cpu, memory, left = svg_chart.node_usage(found.kept.signs)
    if not cpu:
        yield '<p class="todo">The usage of nodes was not recorded.</p>'
    for name, lines in (("CPU", cpu), ("Memory", memory)) if cpu else ():
        chart = svg_chart.chart(f"{name} of nodes", "%", lines, scale, stepped=False, most=100.0)
        yield _figure(chart, f"{name} of the nodes that used most{f'; {left} more are not drawn' if left else ''}.")
    for screen in found.kept.screens:
        data = base64.b64encode(screen.svg.encode()).decode()
        words = _SCREENS.get(screen.name, screen.name)
        yield _figure(f'<img alt="The console" src="data:image/svg+xml;base64,{data}">', f"{html(words)}.")
    if found.kept.signs or found.kept.screens:
        yield f'<p class="todo">{BESIDE}</p>'
    for said in found.kept.unreadable:
        yield f'<p class="todo">Not shown: {html(said)}</p>'


def _figure(inside: str, caption: str) -> str:
    return f"<figure>{inside}<figcaption>{caption}</figcaption></figure>"


def _section(heading: str, table: Table, rank: str = "h2") -> str:
    if not table.rows:
        return ""
    head = "".join(f"<th>{column}</th>" for column in table.columns)
    levels: Sequence[str] = [line.level if line.level in ("bad", "warn", "good") else "" for line in table.lines]
    rows = []
    for number, row in enumerate(table.rows):
        level = f' class="{levels[number]}"' if levels and levels[number] else ""
        rows.append(f"<tr{level}>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>")
    body = "\n".join(rows)
    return f"<{rank}>{heading}</{rank}>\n<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>\n"


def _updates(found: Dossier) -> Iterator[str]:
    if found.updates or found.missed:
        yield "<h2>Status Updates</h2>"
    for number, told in enumerate(found.updates, 1):
        update = told.update
        due = "" if update.next_due is None else f" The next one was promised for {moment(update.next_due)}."
        by = f"by {html(update.author)}{review_tables.whom(update)}"
        yield f"<h3>Status Update {number}</h3>\n<p>{moment(update.at)} UTC, {by}.{due}</p>"
        yield f"<pre>{html_block(update.text)}</pre>"
        if told.deliveries:
            sent = "".join(f"<li>{review_tables.delivered(one, found, HTML)}</li>" for one in told.deliveries)
            yield f"<ul>{sent}</ul>"
    yield _section("Missed Updates", review_tables.missed(found, HTML))


def _checklists(found: Dossier) -> Iterator[str]:
    if found.ticks:
        yield "<h2>Checklists</h2>"
    for name in dict.fromkeys(tick.list for tick in found.ticks):
        items = "".join(
            f"<li>{'☐' if tick.state == 'open' else '☑'} {review_tables.ticked(found, tick, HTML)}</li>"
            for tick in found.ticks
            if tick.list == name
        )
        yield f"<h3>{html(found.standard.checklist(name))}</h3>\n<ul>{items}</ul>"


def _people(heading: str, name: str, found: Dossier) -> str:
    """What people wrote in one section, or that they have not yet."""
    written = found.fills.written(name)
    head = f"<h3>{html(heading)}</h3>\n" if heading else ""
    if written:
        return f'{head}<div class="people">\n{rendered(written)}</div>'
    return f'{head}<p class="todo">To be filled in at the review, in the Markdown file.</p>' if heading else ""


def _mandatory(found: Dossier) -> str:
    written = found.fills.written(MANDATORY)
    if written:
        return f'<div class="people">\n{rendered(written)}</div>'
    boxes = ((item, "☑" if review_tables.settled(found, item) else "☐") for item in found.standard.mandatory)
    return "<ul>" + "".join(f"<li>{box} {html(item)}</li>" for item, box in boxes) + "</ul>"


def rendered(text: str) -> str:
    """People's CommonMark, with tables, as HTML: no HTML of theirs, no images, nothing that is loaded."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
    boxes = visible(text).replace("- [ ] ", "- ☐ ").replace("- [x] ", "- ☑ ").replace("- [X] ", "- ☑ ")
    return str(reader.render(boxes))


def _appendix(found: Dossier) -> Iterator[str]:
    if found.numbers:
        yield "<h2>Appendix: Evidence</h2>"
    for number, entry in review_tables.with_evidence(found):
        text, cut = evidence_text(entry)
        about = f"{moment(entry.happened_at)}, {by_whom(entry, HTML)}: {html(entry.text[:200])}"
        yield f"<h3>E{number}</h3>\n<p>{about}</p>\n<pre>{html_block(text)}</pre>{f'<p>{cut}</p>' if cut else ''}"


def _integrity(found: Dossier) -> str:
    head = found.entries[-1].hash if found.entries else chain.GENESIS
    return (
        f"<h2>Appendix: Integrity</h2>\n<dl><dt>Entries</dt><dd>{len(found.entries)}</dd>"
        f"<dt>Chain head</dt><dd><code>{head}</code></dd><dt>Check</dt>"
        f"<dd><code>warroom verify {html(found.incident.id)}</code>, "
        "or on the JSON export, whose head must be this one.</dd></dl>"
    )
