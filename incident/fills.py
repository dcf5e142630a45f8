"""What people wrote into a review, carried over when it is exported again: byte for byte, or the export is refused.

A review in Markdown has sections for people between marks that readers do not see:

    <!-- warroom:fill what-happened -->
    _To be filled in at the review._
    <!-- warroom:end what-happened -->

Everything between the two lines is the person's. Everything else is the program's, and a seal at the end of the file
(a hash of it) tells whether somebody wrote there too: then there is something to lose, and `read` says so instead.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

PLACEHOLDER = "_To be filled in at the review._"

_LINE = re.compile(r"<!-- warroom:(review|fill|end|seal) (\S+) -->[ \t]*\r?")
_SLUG = re.compile(r"[^a-z0-9]+")


class NotUnderstood(Exception):
    """A file is not a review that can be carried over; ``str(error)`` is a sentence's end: "it …"."""


class Fills(Struct, frozen=True, kw_only=True):
    """What people wrote, by section, as it stood between the marks. ``touched``: they wrote outside of them, too."""

    incident: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    touched: bool = False

    def written(self, name: str) -> str:
        """What people wrote in one section, without the line ends around it; empty if it is as it was exported."""
        text = self.texts.get(name, "").strip("\r\n")
        return "" if text.strip() == PLACEHOLDER else text


def slug(*headings: str) -> str:
    """The name of a section: ``what-went-well``. What has no letter of the alphabet is named by a hash."""
    text = " ".join(headings)
    return _SLUG.sub("-", text.lower()).strip("-")[:80] or hashlib.sha256(text.encode()).hexdigest()[:12]


def section(name: str, fills: Fills, default: str = PLACEHOLDER) -> str:
    """A section with what people wrote, or with ``default``; no line end after it."""
    text = fills.texts.get(name)
    body = f"{default}\n" if text is None else text
    return f"<!-- warroom:fill {name} -->\n{body}<!-- warroom:end {name} -->"


def unmarked(text: str) -> str:
    """Text that stands in the program's part as it is: a line that could be taken for a mark gets a blank before it."""
    if "<!-- warroom:" not in text:
        return text
    return "\n".join(f" {line}" if _LINE.fullmatch(line) else line for line in text.split("\n"))


def begun(incident_id: str) -> str:
    """The line that tells of which incident a file is the review."""
    return f"<!-- warroom:review {incident_id} -->"


def sealed(text: str) -> str:
    """The review with its seal, the last line."""
    body = text if text.endswith("\n") else f"{text}\n"
    return f"{body}<!-- warroom:seal {_seal(_split(body)[1])} -->\n"


def left_over(names: Iterable[str], fills: Fills) -> Mapping[str, str]:
    """Sections of an earlier export that the review no longer asks for, with what people wrote in them."""
    asked = set(names)
    return {name: text for name, text in fills.texts.items() if name not in asked and fills.written(name)}


def read(data: bytes) -> Fills:
    """What people wrote into an exported review.

    Raises:
        NotUnderstood: it is no such file, or its marks are not as they were written.
    """
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise NotUnderstood("it is not UTF-8 text") from error
    incident, others, texts, seal = _parsed(text)
    if not incident:
        raise NotUnderstood("it is not a review that this program wrote")
    if not seal:
        raise NotUnderstood("its last line, the seal, is missing")
    return Fills(incident=incident, texts=texts, touched=_seal(others) != seal)


def _split(text: str) -> tuple[str, list[str]]:
    incident, others, _, _ = _parsed(text)
    return incident, others


def _parsed(text: str) -> tuple[str, list[str], dict[str, str], str]:
    """The incident, the lines that are the program's, what stands in each section, and the seal."""
    incident = seal = inside = ""
    others: list[str] = []
    texts: dict[str, str] = {}
    begins = 0  # where the section that is being read begins
    at = 0
    for number, line in enumerate(text.split("\n"), 1):
        match = _LINE.fullmatch(line)
        what, name = match.groups() if match else ("", "")
        if inside:
            if what == "end" and name == inside:
                texts[inside] = text[begins:at]
                inside = ""
                others.append(line)
            elif what:
                raise NotUnderstood(f"line {number} has a mark where section {inside} has not ended")
        elif what == "fill":
            if name in texts:
                raise NotUnderstood(f"line {number} begins section {name} a second time")
            inside, begins = name, at + len(line) + 1
            others.append(line)
        elif what == "end":
            raise NotUnderstood(f"line {number} ends section {name}, which has not begun")
        elif what == "seal":
            if seal:
                raise NotUnderstood(f"line {number} is a second seal")
            seal = name
        elif seal and line.strip():
            raise NotUnderstood(f"line {number} stands below the seal")
        else:
            if what == "review":
                if incident:
                    raise NotUnderstood(f"line {number} begins a second review")
                incident = name
            others.append(line)
        at += len(line) + 1
    if inside:
        raise NotUnderstood(f"section {inside} has no end")
    return incident, others, texts, seal


def _seal(lines: list[str]) -> str:
    """A hash of the program's lines. Line ends, and blanks at the end of a line or file, are editors' business."""
    text = "\n".join(line.rstrip() for line in lines).strip()
    return hashlib.sha256(text.encode()).hexdigest()
