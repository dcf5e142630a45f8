"""What a draft goes through before it may be stored: limits, control characters made visible, secrets taken out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from incident.entry import Draft, Kind, Source
from incident.errors import Refused, TooLong
from incident.instants import EARLIEST, LATEST
from incident.redact import redact, redact_json

TEXT_LIMIT = 64 * 1024  # bytes of UTF-8
NAME_LIMIT = 1024  # bytes, of an author or a fold key
TITLE_LIMIT = 1024  # bytes
EVIDENCE_LIMIT = 4 * 1024 * 1024  # bytes of JSON; a Kubernetes object has at most 1.5 MiB
DEPTH_LIMIT = 100  # a Kubernetes object nests about 15 deep

LEVELS = ("info", "good", "warn", "bad")

# C0 without tab and newline, DEL, C1 and lone surrogates: nothing that a person types on purpose.
_CONTROL = "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"  # compiled when it is first needed, not at every start


def visible(text: str) -> str:
    """Line ends as ``\\n``; control characters as pictures (``␀``, ``␛``) or ``�``; tabs and newlines as they are."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(_CONTROL, _picture, text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "�"


def take_in(draft: Draft) -> Draft:
    """The draft as it may be stored. Doing it twice changes nothing.

    A person's text that is too long is refused, so that the person can shorten it; a probe's is cut, because nobody is
    there to do so.

    Raises:
        TooLong: text, author, fold key or evidence is over its limit.
        Refused: an empty note, an unknown level, an impossible instant, evidence that is not JSON.
    """
    text = redact(visible(draft.text)).strip()
    if not text and draft.kind is not Kind.AMENDMENT:
        raise Refused("There is nothing to record: the text is empty.")
    if _bytes(text) > TEXT_LIMIT:
        if draft.source is not Source.PROBE:
            raise TooLong(
                f"The text has {_bytes(text):,} bytes; at most {TEXT_LIMIT:,} fit into one entry. "
                "Nothing was recorded: shorten it, or split it over several entries."
            )
        text = _cut(text)
    if draft.level not in LEVELS:
        raise Refused(f"{draft.level!r} is not a level: {', '.join(LEVELS)}.")
    if draft.count < 1:
        raise Refused("Something that happened was seen at least once.")
    if draft.happened_at is not None and not EARLIEST <= draft.happened_at <= LATEST:
        raise Refused("The time it happened is not between the years 1970 and 9999.")
    return replace(
        draft,
        text=text,
        author=line(draft.author, "author"),
        fold=None if draft.fold is None else line(draft.fold, "fold key"),
        evidence=None if draft.evidence is None else _evidence(draft.evidence),
    )


def line(text: str, what: str, limit: int = NAME_LIMIT) -> str:
    """One line of something short: an author, a title, a fold key.

    Raises:
        Refused: it is empty. TooLong: it is over ``limit`` bytes.
    """
    cleaned = " ".join(redact(visible(text)).split())
    if not cleaned:
        raise Refused(f"The {what} is empty. Nothing was recorded.")
    if _bytes(cleaned) > limit:
        raise TooLong(f"The {what} has {_bytes(cleaned):,} bytes; at most {limit:,} are kept. Nothing was recorded.")
    return cleaned


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _cut(text: str) -> str:
    """At most `TEXT_LIMIT` bytes, saying how much is missing; never through the middle of a character."""
    whole = text.encode()
    kept = whole[: TEXT_LIMIT - 64].decode(errors="ignore")
    return f"{kept}… ({len(whole) - len(kept.encode()):,} more bytes)"


def _evidence(evidence: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = redact_json(_plain(evidence, 0))
    size = len(json.dumps(cleaned))
    if size > EVIDENCE_LIMIT:
        raise TooLong(
            f"The evidence has {size:,} bytes of JSON; at most {EVIDENCE_LIMIT:,} are kept with one entry. "
            "Nothing was recorded: pin an excerpt."
        )
    assert isinstance(cleaned, dict)
    return cleaned


def _plain(value: Any, depth: int) -> Any:
    """JSON and nothing else, its strings made visible."""
    if depth > DEPTH_LIMIT:
        raise TooLong(f"The evidence is nested more than {DEPTH_LIMIT} deep. Nothing was recorded: pin an excerpt.")
    if isinstance(value, str):
        return visible(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {visible(str(key)): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    raise Refused(f"The evidence holds a {type(value).__name__}, which has no JSON form. Nothing was recorded.")
