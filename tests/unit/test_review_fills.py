"""What people write into a review is there, byte for byte, when it is exported again; or the export is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from incident.dossier import dossier
from incident.fills import PLACEHOLDER, Fills, NotUnderstood, read
from incident.markdown import review
from incident.standard import NEUTRAL, Standard, Topic
from incident.updates import update_draft
from tests.unit.incident_entries import INCIDENT, incident_with, note
from tui.export_files import filled_in, write_exports
from tui.sentences import CommandFailed

INCIDENT_OF, ENTRIES = incident_with([note("it broke"), note("it was fixed")])
SECTIONS = (
    "impact-assessment",
    "root-cause-analysis-what-happened",
    "root-cause-analysis-why-did-it-happen",
    "lessons-learned-process-lessons",
    "action-items",
    "mandatory-review-items",
)


def exported(fills: Fills | None = None, standard: Standard = NEUTRAL, entries: int = len(ENTRIES)) -> str:
    return review(dossier(INCIDENT_OF, ENTRIES[:entries], standard, fills))


def filled(text: str, section: str, words: str) -> str:
    """The review after somebody wrote ``words`` into a section with an editor."""
    begin, end = f"<!-- warroom:fill {section} -->\n", f"<!-- warroom:end {section} -->"
    before, _, rest = text.partition(begin)
    return before + begin + words + end + rest.partition(end)[2]


def section(text: str, name: str) -> str:
    return text.split(f"<!-- warroom:fill {name} -->\n")[1].split(f"<!-- warroom:end {name} -->")[0]


def test_every_section_is_kept_when_the_review_is_exported_again_with_more_entries() -> None:
    text = exported(entries=2)
    for number, name in enumerate(SECTIONS):
        text = filled(text, name, f"\n{number}. **Because** | of `this`\n\n- [x] done\n")

    again = exported(read(text.encode()))

    assert [section(again, name) for name in SECTIONS] == [section(text, name) for name in SECTIONS]
    assert "it was fixed" in again
    assert "it was fixed" not in text
    assert exported(read(again.encode())) == again


HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "## Timeline\n| a |\n# Post-Incident Review: INC-1\n",
            "```\nnever closed",
            "<!-- warroom:fill what -- >",
            " <!-- warroom:end impact-assessment -->",
            "<script>alert(1)</script>",
            "\r\nwindows\r\n\r\n",
            "\x00\x1b[2J\u202e\ufeff",
            "trailing   \n\t\n\n\n",
            PLACEHOLDER,
            "",
        ]
    ),
)


@settings(deadline=None, max_examples=60)
@given(HOSTILE, HOSTILE)
def test_any_text_is_kept_byte_for_byte(one: str, other: str) -> None:
    text = filled(exported(), SECTIONS[1], f"{one}\n")
    text = filled(text, SECTIONS[3], f"{other}\n")
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return  # no file holds half a character

    again = exported(read(data))

    assert section(again, SECTIONS[1]).encode() == f"{one}\n".encode()
    assert section(again, SECTIONS[3]).encode() == f"{other}\n".encode()
    assert not read(again.encode()).touched


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace("<!-- warroom:end action-items -->\n", ""), "where section action-items has not"),
        (lambda text: filled(text, "action-items", "<!-- warroom:end impact-assessment -->\n"), "has not ended"),
        (lambda text: text + text, "below the seal"),
        (lambda text: text.rpartition("<!-- warroom:seal")[0], "the seal, is missing"),
        (lambda text: "my own notes\n", "not a review that this program wrote"),
        (lambda text: text.replace("<!-- warroom:fill action-items -->", "", 1), "which has not begun"),
    ],
)
def test_what_cannot_be_understood_is_refused(change: object, why: str) -> None:
    assert callable(change)
    with pytest.raises(NotUnderstood, match=why):
        read(change(exported()).encode())


def test_questions_that_are_alike_have_sections_of_their_own() -> None:
    alike = replace(
        NEUTRAL, topics=(Topic(title="Action Items"), Topic(title="Why", questions=("a?", "a!", "界", "界")))
    )
    text = filled(exported(standard=alike), "why-a", "first\n")
    text = filled(text, "why-a-2", "second\n")

    again = exported(read(text.encode()), alike)

    assert (section(again, "why-a"), section(again, "why-a-2")) == ("first\n", "second\n")
    assert again.count("<!-- warroom:fill ") == 9


def test_a_status_update_that_quotes_the_marks_of_a_review_is_no_mark() -> None:
    quoted = "<!-- warroom:end impact-assessment -->\n<!-- warroom:fill action-items -->\n<!-- warroom:seal 0 -->"
    update = update_draft(f"said\n{quoted}", "ana", next_due=None, channels=())
    text = review(dossier(*incident_with([update])))

    assert not read(text.encode()).touched
    assert " <!-- warroom:end impact-assessment -->\n" in text


def test_text_outside_of_the_sections_is_noticed_and_what_editors_do_is_not() -> None:
    text = exported()

    assert read(text.replace("Payments failing", "Payments slow").encode()).touched
    assert read(text.replace("## Timeline\n", "## Timeline\nI was there.\n").encode()).touched
    assert not read(text.replace("\n", "\r\n").encode()).touched
    assert not read(f"\ufeff{text}\n\n".encode()).touched


def test_a_section_that_is_asked_no_more_is_kept_with_its_words() -> None:
    text = filled(exported(), "lessons-learned-process-lessons", "Page earlier.\n")
    other = replace(NEUTRAL, topics=(Topic(title="Five Whys"),))

    again = exported(read(text.encode()), other)

    assert "## Kept From an Earlier Review" in again
    assert section(again, "lessons-learned-process-lessons") == "Page earlier.\n"
    assert "five-whys" in again
    assert exported(read(again.encode()), NEUTRAL).count("Page earlier.") == 1


def test_a_review_of_another_incident_or_with_changes_is_never_overwritten_unasked(tmp_path: Path) -> None:
    file = tmp_path / "review.md"
    file.write_text(exported().replace("Payments failing", "Payments slow"))
    with pytest.raises(CommandFailed, match="changed outside"):
        filled_in(file, INCIDENT_OF)
    assert filled_in(file, INCIDENT_OF, force=True).incident == INCIDENT

    with pytest.raises(CommandFailed, match=f"review of {INCIDENT}"):
        filled_in(file, replace(INCIDENT_OF, id="INC-20270101-0000-aaaa"))
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(CommandFailed, match="not UTF-8"):
        filled_in(file, INCIDENT_OF)


def test_the_consoles_second_export_has_the_words_of_the_first_review(tmp_path: Path) -> None:
    review, _ = write_exports(INCIDENT_OF, ENTRIES, tmp_path)
    review.write_text(filled(review.read_text(), SECTIONS[1], "The pool.\n"))

    second, data = write_exports(INCIDENT_OF, ENTRIES, tmp_path)
    alone, *_ = write_exports(INCIDENT_OF, ENTRIES, tmp_path, ("markdown",))

    assert (second.name, data.name) == (f"{INCIDENT}-2.md", f"{INCIDENT}-2.json")
    assert section(second.read_text(), SECTIONS[1]) == "The pool.\n"
    assert alone == review
    assert section(alone.read_text(), SECTIONS[1]) == "The pool.\n"
