"""Exports say everything that is known, and no text from a person or a cluster can act in them."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from incident.chain import digest
from incident.entry import Draft, Incident, Kind, Source, Status
from incident.escape import json_block, json_text, markdown, markdown_block, visible
from incident.export import file_name, to_json, to_markdown
from incident.intake import take_in
from incident.standing import after, severity_draft, status_draft
from tests.breadth import examples
from tests.unit.incident_entries import BEGAN, INCIDENT, amendment, incident_with, note, retraction

HOSTILE = [
    "| a | b |",
    "\\| \\\\| \\",
    "`code` ``` ~~~~",
    "*a* _b_ **c** ~~d~~ $x$",
    "[link](http://evil) ![img](http://evil) [ref]: http://evil",
    "<script>alert(1)</script><!-- --><b>",
    "&lt;b&gt; &amp; &#60;",
    "<http://evil> <a@b.c>",
    "# heading\n## heading\n- item\n> quote\n---\n===\n1. one",
    "a\r\nb\rc\n\n\n| x |\n|---|\n",
    "\x1b[31mred\x1b[0m \x07\x00\x9b31m",
    "\u202eevil\u2066 \u200b\ufeff\u00ad\U000e0041",
    "{{ template }} {% tag %}",
    "```\n</details>\n<h1>",
    "    indented code",
    "\u2028\u2029\x85\x0b\x0c",
    "👩\u200d💻 naïve Ünïcödé 中文 עברית",
]
ANY = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=30),
    st.lists(st.sampled_from([*"|\\`*_[]()<>&~$#!-+=\n\r\t {}:\"'x", "\u202e", "\x1b"]), max_size=14).map("".join),
)
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
MARK = re.compile(r"<!-- warroom:(review|fill|end|seal) [\w-]+ -->\n?")
OURS = {"text", "html_inline", "s_open", "s_close", "softbreak"}


def inline(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in (token.children or [])]


def shown(tokens: list[Token]) -> str:
    """What a reader sees of inline tokens."""
    return "".join("\n" if token.type == "html_inline" else token.content for token in inline(tokens))


def invisible(text: str) -> list[str]:
    return [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\u200c\u200d"]


@settings(deadline=None, max_examples=examples(80))
@given(ANY)
def test_any_text_in_markdown_reads_as_itself_and_is_nothing_else(text: str) -> None:
    escaped = markdown(text)
    assert "\n" not in escaped
    tokens = MARKDOWN.parse(f"- **Title**: {escaped}")
    kinds = {token.type for token in inline(tokens)} - {"strong_open", "strong_close"}
    assert kinds <= {"text", "html_inline"}
    assert all(token.content == "<br>" for token in inline(tokens) if token.type == "html_inline")
    assert not invisible(escaped)
    said = " ".join(visible(text.replace("\t", " ")).split())
    assert " ".join(shown(tokens).removeprefix("Title:").split()) == said


@settings(deadline=None, max_examples=examples(80))
@given(ANY, ANY)
def test_any_text_stays_in_its_cell_of_a_table(left: str, right: str) -> None:
    tokens = MARKDOWN.parse(f"| A | B | C |\n|---|---|---|\n| {markdown(left)} | ~~{markdown(right)}~~ | end |\n")
    cells = [token for token, before in zip(tokens[1:], tokens, strict=False) if before.type == "td_open"]
    assert len(cells) == 3
    assert cells[2].content == "end"
    assert {token.type for token in inline(cells)} <= OURS


@settings(deadline=None)
@given(ANY)
def test_any_text_stays_in_its_code_block(text: str) -> None:
    tokens = MARKDOWN.parse(markdown_block(text, "json") + "\n\nafter")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content == visible(text) + "\n"
    assert not invisible(tokens[0].content)


@settings(deadline=None)
@given(st.dictionaries(ANY, ANY, max_size=3))
def test_json_is_the_same_value_with_nothing_invisible_in_it(value: dict[str, str]) -> None:
    assert json.loads(json_text(value)) == value
    assert json_text(value).isascii()
    assert json.loads(json_block(value)) == value
    assert not invisible(json_block(value))


DRAFTS = st.lists(
    st.builds(
        lambda text, author, kind, source, evidence: Draft(
            text=f"x{text}", author=f"x{author}", kind=kind, source=source, evidence=evidence
        ),
        ANY,
        ANY,
        st.sampled_from([Kind.NOTE, Kind.FOLLOWUP, Kind.PIN, Kind.OBSERVATION]),
        st.sampled_from(list(Source)),
        st.none() | st.dictionaries(ANY, ANY, max_size=2),
    ).map(take_in),
    max_size=5,
)


@settings(deadline=None, max_examples=examples(20))
@given(DRAFTS, ANY, ANY, st.booleans())
def test_a_review_of_hostile_text_has_the_structure_of_a_harmless_one(
    drafts: list[Draft], title: str, cluster: str, amended: bool
) -> None:
    changes = [amendment("e1", title or "-", BEGAN, cluster), retraction("e1", cluster)] if amended else []
    incident, entries = incident_with([*drafts, *changes], title=title, cluster=cluster)
    review = to_markdown(incident, entries)
    assert not invisible(review)
    tokens = MARKDOWN.parse(review)
    lines = 1 + len(drafts)
    followups = sum(draft.kind is Kind.FOLLOWUP for draft in drafts)
    evidence = sum(bool(draft.evidence) for draft in drafts)
    assert sum(token.type == "tr_open" for token in tokens) == (1 + lines) + (1 + 5) + (1 + max(1, followups))
    assert sum(token.type == "fence" for token in tokens) == evidence
    assert {token.type for token in tokens} & {"code_block", "hr", "blockquote_open"} == set()
    assert all(MARK.fullmatch(token.content) for token in tokens if token.type == "html_block")
    assert {token.type for token in inline(tokens)} <= OURS | {
        "strong_open", "strong_close", "em_open", "em_close", "code_inline"
    }  # fmt: skip
    assert {token.content for token in inline(tokens) if token.type == "html_inline"} <= {"<br>"}
    codes = [token.content for token in inline(tokens) if token.type == "code_inline"]
    assert codes == [entries[-1].hash, f"warroom verify {INCIDENT}"]


def test_the_review_is_the_runbooks_template() -> None:
    review = to_markdown(*incident_with([]))
    headings = re.findall(r"^#+ .*$", review, re.MULTILINE)
    assert headings[:18] == [
        f"# Post-Incident Review: {INCIDENT}",
        "## Incident Summary",
        "### Impact Assessment",
        "## Timeline",
        "## Root Cause Analysis",
        "### What Happened?",
        "### Why Did It Happen?",
        "### Contributing Factors",
        "## Response Evaluation",
        "### What Went Well?",
        "### What Could Be Improved?",
        "### Response Time Analysis",
        "## Action Items",
        "## Lessons Learned",
        "### Technical Lessons",
        "### Process Lessons",
        "### Communication Lessons",
        "## Mandatory Review Items",
    ]
    for field in ("Date/Time", "Duration", "Severity", "Services Affected", "Customer Impact"):
        assert f"- **{field}**: " in review
    assert "| Action | Owner | Due Date | Priority |" in review
    assert "- [ ] Root cause analysis completed" in review


def _over() -> tuple[Incident, str]:
    """An incident from its first symptom to its end, and its review."""
    minute = 60_000
    incident, entries = incident_with(
        [
            note(
                "payment-service unhealthy, 0 of 3 ready",
                source=Source.PROBE,
                author="pods",
                kind=Kind.OBSERVATION,
                level="bad",
                happened_at=BEGAN - 4 * minute,
                evidence={"pod": "payment-service-755cc495fc-kw78d"},
            ),
            note("it is the database", happened_at=BEGAN + minute),
            retraction("e3", "DTU was fine"),
            note("rolled back to rev 11", source=Source.MITIGATION, happened_at=BEGAN + 14 * minute),
            amendment("e5", "rolled back to rev 10", BEGAN + 15 * minute, author="ops"),
            note("again", kind=Kind.REPEAT, refers_to="e2", count=21, happened_at=BEGAN + 12 * minute),
            note("alert on pool exhaustion", kind=Kind.FOLLOWUP),
            severity_draft(1, "tech-lead"),
            status_draft(Status.RESOLVED, "tech-lead"),
        ]
    )
    for entry in entries[1:]:
        incident = after(incident, entry)
    return incident, to_markdown(incident, entries)


def test_services_are_affected_and_no_nodes() -> None:
    found = [
        Draft(text=text, author="probe", source=Source.PROBE, kind=Kind.OBSERVATION, level="bad", fold=fold)
        for text, fold in (("aks-1 NotReady", "node/aks-1/notready"), ("api 503", "endpoint/api/down"))
    ]
    _, summary, *_ = to_markdown(*incident_with(found)).split("## ")
    assert [line for line in summary.splitlines() if "seen by" in line] == ["  - seen by a probe: api 503"]


def test_the_review_says_what_is_known() -> None:
    _, review = _over()
    assert "- **Severity**: 1 (Critical)" in review
    assert "- **Date/Time**: 2026-11-23 14:02:00 to 2026-11-23 14:06:10 UTC" in review
    assert "- **Duration**: 00:00:09 from declaration, 00:04:10 from the first symptom" in review
    assert "seen by a probe: payment-service unhealthy, 0 of 3 ready" in review
    assert "| First symptom | 2026-11-23 14:02:00 |" in review
    assert "| Detected | 2026-11-23 14:06:01 | 00:04:01 from first symptom | met (under 00:05:00) |" in review
    assert "| Acknowledged | 2026-11-23 14:06:03 | 00:00:02 from detected | met (under 00:05:00) |" in review
    assert "| alert on pool exhaustion |  |  |  |" in review


def test_amendments_retractions_and_repeats_are_visible() -> None:
    _, review = _over()
    (retracted,) = [row for row in review.splitlines() if "~~it is the database~~" in row]
    assert "retracted at 2026-11-23 14:06:04 by tech-lead: DTU was fine" in retracted
    (amended,) = [row for row in review.splitlines() if "rolled back to rev 10<br>" in row]
    assert "amended at 2026-11-23 14:06:06 by ops" in amended
    assert "before: ~~rolled back to rev 11~~" in amended
    assert "time before: 2026-11-23 14:20:00" in amended
    assert "— seen 21 times, last at 2026-11-23 14:18:00" in review


def test_what_was_done_and_what_happened_stand_in_their_own_columns() -> None:
    _, review = _over()
    rows = [row.split(" | ") for row in review.splitlines() if row.startswith("| 2026")]
    happened, done = [row[2] for row in rows if row[2]], [row[3] for row in rows if row[3]]
    assert [text[:12] for text in happened] == ["payment-serv", "Follow-up: a", "~~it is the "]
    assert [text[:12] for text in done] == ["Declared SEV", "Severity: SE", "Status: RESO", "rolled back "]
    assert len(happened) + len(done) == len(rows)


def test_the_time_recorded_is_shown_only_where_it_differs() -> None:
    assert "| Time (UTC) | Event |" in to_markdown(*incident_with([note("at once")]))
    late = to_markdown(*incident_with([note("at once"), note("late", happened_at=BEGAN - 60_000)]))
    assert "| Time (UTC) | Recorded | Event |" in late
    assert "| 2026-11-23 14:05:00 | 2026-11-23 14:06:03 | late |" in late
    assert "| 2026-11-23 14:06:02 |  | at once |" in late


def test_evidence_is_in_the_appendix_and_referred_to() -> None:
    _, review = _over()
    assert "— evidence E1" in review
    assert '"pod": "payment-service-755cc495fc-kw78d"' in review.split("### E1", 1)[1]


def test_large_evidence_is_cut_and_says_so() -> None:
    incident, entries = incident_with([note("pin", kind=Kind.PIN, evidence={"log": "x" * 50_000})])
    review = to_markdown(incident, entries)
    assert len(review) < 40_000
    assert "more characters are in the JSON export" in review


def test_a_drill_can_not_be_mistaken_for_an_incident() -> None:
    incident, entries = incident_with([], drill=True)
    review = to_markdown(incident, entries)
    assert review.splitlines()[0].endswith("(DRILL)")
    assert review.count("**DRILL.**") == 2
    assert file_name(incident, "markdown") == f"{INCIDENT}-DRILL.md"
    assert "DRILL" not in to_markdown(*incident_with([]))


def test_the_review_names_the_head_of_the_chain() -> None:
    incident, entries = incident_with([note("a")])
    assert f"`{entries[-1].hash}`" in to_markdown(incident, entries)


def test_the_same_entries_give_the_same_review() -> None:
    assert _over()[1] == _over()[1]


def test_the_json_has_the_agreed_shape() -> None:
    incident, entries = incident_with([note("a", evidence={"kind": "Pod"}, happened_at=BEGAN + 123)])
    text = to_json(incident, entries)
    assert text.startswith('{"schema":"warroom/incident/1",\n"incident":{')
    document = json.loads(text)
    assert list(document) == ["schema", "incident", "entries", "head"]
    last = document["entries"][-1]
    assert set(last) >= {
        "id", "happened_at", "recorded_at", "author", "source", "kind", "text", "hash", "previous_hash", "evidence"
    }  # fmt: skip
    assert last["happened_at"] == "2026-11-23T14:06:00.123Z"
    assert last["evidence"] == {"kind": "Pod"}
    assert document["incident"]["declared_at"] == "2026-11-23T14:06:01.000Z"
    assert document["head"] == {"seq": 2, "hash": entries[-1].hash}


def test_a_reader_without_this_program_can_check_the_json() -> None:
    incident, entries = incident_with([note("ünïcode \u202e", evidence={"b": 1.5, "a": None})])
    for body in json.loads(to_json(incident, entries))["entries"]:
        assert digest(body) == body["hash"]


def test_an_export_of_only_some_entries_is_refused() -> None:
    incident, entries = incident_with([note("a"), note("b")])
    with pytest.raises(ValueError, match="every entry"):
        to_json(incident, entries[:1] + entries[2:])
