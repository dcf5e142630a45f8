"""Hostile text through the store into files: what comes back is what was stored, and nothing in a file can act."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace

from incident.entry import Draft, Entry, Incident, Kind, Source
from incident.errors import Refused
from incident.export import to_json, to_markdown
from incident.intake import visible
from incident.store import Store
from incident.verify import verify_file, verify_json
from tests.breadth import examples
from tui.export_files import write_exports

_PIECES = (
    *("\x1b[2J", "\x1b]0;x\x07", "\x9b31m", "\r\n", "\n\n", "\t", "\u202e", "\u2066", "\u200b", "\u2028", "\ud800"),
    *("[/bar]", "[bold]", "| x |", "\\|", "|---|", "`", "```", "~~~~", "<script>", "</details>", "<!--", "&lt;"),
    *(
        "# h",
        "- item",
        "---",
        "===",
        "> q",
        "![i](http://x)",
        "[a]: http://x",
        "<http://x>",
        "{{ x }}",
        "$x$",
        "界",
        "👩\u200d💻",
    ),
)
HOSTILE = st.one_of(
    st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=6)), max_size=8).map("".join),
    st.sampled_from(["e" + "\u0301" * 500, "|" * 3000, "`" * 3000, "\n" * 2000 + "x"]),
)
EVIDENCE = st.recursive(
    st.one_of(HOSTILE, st.none(), st.booleans(), st.integers(), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(HOSTILE, inner, max_size=3)),
    max_leaves=8,
)
DRAFTS = st.builds(
    lambda text, author, kind, source, evidence, level: Draft(
        text=f"x{text}", author=f"x{author}", kind=kind, source=source, evidence=evidence, level=level
    ),
    HOSTILE,
    HOSTILE,
    st.sampled_from([Kind.NOTE, Kind.FOLLOWUP, Kind.PIN, Kind.OBSERVATION]),
    st.sampled_from(Source),
    st.none() | st.dictionaries(HOSTILE, EVIDENCE, max_size=3),
    st.sampled_from(["info", "good", "warn", "bad"]),
)
ACTS = st.builds(
    lambda title, command, server, words, verdict, author, sent: (
        Draft(
            text=f"x{title}\n{command}",
            author=f"x{author}"[:200],
            source=Source.MITIGATION,
            kind=Kind.MITIGATION,
            evidence={
                "act": {"plan": {"commands": [command, title], "undo": {"words": words}}, "confirmed_by": author}
            },
        ),
        Draft(
            text=f"x{verdict}: {server}",
            author=f"x{words}"[:200],
            source=Source.MITIGATION,
            kind=Kind.OUTCOME,
            evidence={"outcome": {"verdict": verdict, "sent": sent, "seconds": 1, "undo": {"words": words}}},
            level="bad",
        ),
    ),
    *[HOSTILE] * 6,
    st.sampled_from([True, False, None]),
)
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
NEVER = {"code_block", "hr"}
MARK = re.compile(r"<!-- warroom:(review|fill|end|seal) [\w-]+ -->\n?")


async def stored(path: Path, title: str, where: str, drafts: Sequence[Draft]) -> tuple[Incident, list[Entry]]:
    """An incident of these drafts, the first of them amended and the last retracted, as a store gives it back."""
    async with await Store.open(path) as store:
        declared = await store.declare(title=f"x{title}"[:200], author="x", severity=2, cluster=where, namespace=where)
        kept = []
        for draft in drafts:
            try:
                kept.append(await store.append(declared.id, draft))
            except Refused:  # too long for a person to have meant it
                continue
        if kept:
            await store.amend(declared.id, kept[0].id, author=f"x{where}"[:200], text=f"x{title}")
            await store.retract(declared.id, kept[-1].id, author="x", reason=f"x{where}")
        assert (await store.verify(declared.id)).ok
        return await store.incident(declared.id), await store.entries(declared.id)


def invisible(text: str, allowed: str = "\n\u200c\u200d") -> list[str]:
    """What steers a terminal or the order of reading; the joiners of emoji and scripts do neither."""
    unseen = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [c for c in text if c not in allowed and unicodedata.category(c) in unseen]


def inline(tokens: Sequence[Token]) -> list[Token]:
    return [child for token in tokens for child in (token.children or [])]


def cells(tokens: Sequence[Token]) -> list[int]:
    """How many cells each row of every table has."""
    rows: list[int] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append(0)
        elif token.type in ("td_open", "th_open"):
            rows[-1] += 1
    return rows


@settings(max_examples=examples(12), deadline=None, derandomize=True)
@given(title=HOSTILE, where=HOSTILE, drafts=st.lists(DRAFTS, max_size=4))
def test_hostile_entries_come_back_from_both_exports_as_what_was_stored(
    title: str, where: str, drafts: list[Draft]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        incident, entries = asyncio.run(stored(Path(directory) / "warroom.db", title, where, drafts))
        check_json(to_json(incident, entries), incident, entries)
        check_markdown(to_markdown(incident, entries), entries)
        review, data = write_exports(incident, entries, Path(directory))
        assert verify_file(data).ok
        assert verify_json(data.read_text(encoding="utf-8")).ok
        assert not invisible(review.read_text(encoding="utf-8"))


@settings(max_examples=examples(8), deadline=None, derandomize=True)
@given(acts=st.lists(st.tuples(ACTS, st.sampled_from(["open", "ended", "twice", "unsent"])), min_size=1, max_size=3))
def test_hostile_acts_stay_in_their_cells_in_the_timeline_and_in_what_was_tried(
    acts: list[tuple[tuple[Draft, Draft], str]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        incident, entries = asyncio.run(acted(Path(directory) / "warroom.db", acts))
    check_json(to_json(incident, entries), incident, entries)
    review = to_markdown(incident, entries)
    check_markdown(review, entries)
    intents = [entry for entry in entries if entry.kind is Kind.MITIGATION]
    tried = tables(MARKDOWN.parse(review))[1]
    assert tried == [6] * (1 + len(intents))


async def acted(path: Path, acts: Sequence[tuple[tuple[Draft, Draft], str]]) -> tuple[Incident, list[Entry]]:
    """An incident with these acts: open, ended once or twice, or never sent."""
    async with await Store.open(path) as store:
        declared = await store.declare(title="x", author="x", severity=2)
        for (intent, outcome), how in acts:
            if how == "unsent":
                both = {**(intent.evidence or {}), **(outcome.evidence or {})}
                await store.append(declared.id, replace(intent, evidence=both))
                continue
            begun = await store.append(declared.id, intent)
            for _ in range({"open": 0, "ended": 1, "twice": 2}[how]):
                await store.append(declared.id, replace(outcome, refers_to=begun.id))
        return await store.incident(declared.id), await store.entries(declared.id)


def check_json(text: str, incident: Incident, entries: Sequence[Entry]) -> None:
    assert text.isascii()
    assert not invisible(text)
    document: dict[str, Any] = json.loads(text)
    assert document["incident"]["title"] == incident.title
    assert [entry["text"] for entry in document["entries"]] == [entry.text for entry in entries]
    assert [entry["author"] for entry in document["entries"]] == [entry.author for entry in entries]
    assert [entry.get("evidence") for entry in document["entries"]] == [entry.evidence for entry in entries]
    for entry in entries:  # the store's own cleaning, and nothing more to be cleaned
        assert visible(entry.text) == entry.text
    assert verify_json(text).ok
    if len(entries) > 1:
        document["entries"][1]["text"] += "!"
        assert not verify_json(json.dumps(document)).ok


def check_markdown(text: str, entries: Sequence[Entry]) -> None:
    assert not invisible(text)
    tokens = MARKDOWN.parse(text)
    assert {token.type for token in tokens} & NEVER == set()
    assert all(MARK.fullmatch(token.content) for token in tokens if token.type == "html_block")
    assert {token.content for token in inline(tokens) if token.type == "html_inline"} <= {"<br>"}
    assert not [token for token in inline(tokens) if token.type in ("image", "link_open")]
    # Header and rows of each table have the same number of cells: nothing broke out of its own.
    timeline, *others = [table for table in tables(tokens) if table]
    assert len(set(timeline)) == 1
    referring = (Kind.AMENDMENT, Kind.RETRACTION, Kind.REPEAT, Kind.OUTCOME)
    lines = [entry for entry in entries if entry.kind not in referring]
    assert len(timeline) == 1 + len(lines)
    assert all(len(set(table)) == 1 for table in others)


def tables(tokens: Sequence[Token]) -> list[list[int]]:
    found: list[list[int]] = []
    for index, token in enumerate(tokens):
        if token.type == "table_open":
            end = next(i for i in range(index, len(tokens)) if tokens[i].type == "table_close")
            found.append(cells(tokens[index:end]))
    return found


def test_a_megabyte_that_a_probe_saw_is_cut_and_one_that_a_person_pins_is_kept_as_evidence(tmp_path: Path) -> None:
    message = "A" * 1_000_000
    drafts = [
        Draft(text=message, author="probe", source=Source.PROBE, kind=Kind.OBSERVATION),
        Draft(text="pinned", author="tech-lead", kind=Kind.PIN, evidence={"message": message}),
    ]
    incident, entries = asyncio.run(stored(tmp_path / "warroom.db", "", "", drafts))
    assert len(entries[1].text) < 70_000
    assert "more bytes" in entries[1].text
    assert entries[2].evidence == {"message": message}
    document = to_json(incident, entries)
    assert verify_json(document).ok
    assert message in document
    review = to_markdown(incident, entries)
    assert len(review) < 300_000
    check_markdown(review, entries)
