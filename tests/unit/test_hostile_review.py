"""Hostile text in every field of an incident and its runbook: CommonMark makes nothing of it, JSON keeps it."""

from __future__ import annotations

import json
import re

from markdown_it import MarkdownIt

from incident.dossier import dossier
from incident.export import render
from incident.fills import read
from incident.verify import verify_json
from tests.unit.hostile_incident import hostile_dossier, hostile_texts

MARK = re.compile(r"<!-- warroom:(review|fill|end|seal) [\w-]+ -->\n?")
URL = "http://127.0.0.1:9"


def test_commonmark_finds_no_html_no_link_and_no_image_in_the_review() -> None:
    whole = hostile_dossier(URL)
    found = dossier(whole.incident, whole.entries, whole.standard, kept=whole.kept)
    text = render("markdown", found).decode()
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    inline = [child for token in tokens for child in (token.children or [])]

    assert all(MARK.fullmatch(token.content) for token in tokens if token.type == "html_block")
    assert {token.content for token in inline if token.type == "html_inline"} <= {"<br>"}
    assert not [token for token in inline if token.type in ("link_open", "image")]
    assert not read(text.encode()).touched
    columns = [0]
    for token in tokens:
        if token.type == "tr_open":
            columns.append(0)
        elif token.type in ("td_open", "th_open"):
            columns[-1] += 1
    assert set(columns[1:]) == {3, 4, 5, 6}


def test_the_json_is_what_was_recorded_and_its_chain_holds() -> None:
    found = hostile_dossier(URL)
    text = render("json", found).decode()

    assert verify_json(text).ok
    assert [entry["text"] for entry in json.loads(text)["entries"]] == [entry.text for entry in found.entries]
    assert text.isascii()
    assert hostile_texts(URL)[-1] in {entry["text"] for entry in json.loads(text)["entries"]}
