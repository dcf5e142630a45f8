"""What may not be stored is refused in a sentence or made harmless; doing it twice changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.entry import Draft, Kind, Source
from incident.errors import Refused, TooLong
from incident.intake import DEPTH_LIMIT, EVIDENCE_LIMIT, TEXT_LIMIT, take_in, visible
from incident.redact import REDACTED


def draft(text: str = "text", **fields: Any) -> Draft:
    return Draft(text=text, **({"author": "tech-lead"} | fields))


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def test_control_characters_become_pictures_and_line_ends_are_one_kind() -> None:
    assert visible("a\x00b\x1b[31mc\x7f\x9b\ud800") == "a␀b␛[31mc␡��"
    assert visible("a\r\nb\rc\n\td") == "a\nb\nc\n\td"


def test_secrets_are_gone_from_text_author_and_evidence() -> None:
    taken = take_in(draft("password=hunter2", author="token=hunter2", evidence={"kind": "Secret", "data": {"a": "b"}}))
    assert "hunter2" not in repr(taken)
    assert taken.evidence == {"kind": "Secret", "data": {"a": REDACTED}}


def test_a_persons_long_text_is_refused_and_a_probes_is_cut_and_says_so() -> None:
    with pytest.raises(TooLong, match="65,537 bytes"):
        take_in(draft("x" * (TEXT_LIMIT + 1)))
    cut = take_in(draft("é" * 1_000_000, source=Source.PROBE)).text
    assert len(cut.encode()) <= TEXT_LIMIT
    assert cut.endswith(" more bytes)")
    assert take_in(draft("é" * (TEXT_LIMIT // 2))).text


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (draft("  \n "), "the text is empty"),
        (draft(author=" "), "author is empty"),
        (draft(author="x" * 2000), "author has 2,000 bytes"),
        (draft(level="loud"), "not a level"),
        (draft(count=0), "at least once"),
        (draft(happened_at=-1), "between the years"),
        (draft(happened_at=10**15), "between the years"),
        (draft(evidence={"a": object()}), "no JSON form"),
        (draft(evidence={"a": "x" * EVIDENCE_LIMIT}), "pin an excerpt"),
        (draft(evidence=nested(DEPTH_LIMIT + 1)), "nested more than"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(bad: Draft, says: str) -> None:
    with pytest.raises(Refused, match=says):
        take_in(bad)


def test_evidence_becomes_plain_json() -> None:
    taken = take_in(draft(evidence={"a": (1, float("nan"), float("-inf")), 3: True, "n\x00": "\x1b"}))
    assert taken.evidence == {"a": [1, "nan", "-inf"], "3": True, "n␀": "␛"}
    assert take_in(draft(evidence=nested(DEPTH_LIMIT))).evidence == nested(DEPTH_LIMIT)


def test_an_amendment_may_leave_the_text_as_it_is() -> None:
    assert take_in(draft("", kind=Kind.AMENDMENT, refers_to="e1")).text == ""


TEXT = st.text(max_size=30) | st.sampled_from(["password=x", '{"token":"x"}', "a\rb", "\x00", "Bearer abcdef123"])


@settings(deadline=None)
@given(TEXT, TEXT, st.none() | st.dictionaries(TEXT, TEXT | st.lists(TEXT, max_size=2), max_size=3))
def test_taking_in_twice_is_taking_in_once(text: str, author: str, evidence: dict[str, Any] | None) -> None:
    once = take_in(draft(f"x{text}", author=f"x{author}", evidence=evidence))
    assert take_in(once) == once
    once.text.encode()
