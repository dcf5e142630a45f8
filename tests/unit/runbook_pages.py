"""A runbook as people write it, in Markdown, taken apart into statements: what a runbook file has to say somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_FENCE = re.compile(r"\s*```(\w*)")
_BULLET = re.compile(r"\s*(?:-|\d+\.)\s+(?:\[ \]\s+)?(.*)")
_LABEL = re.compile(r"\*\*([^*]+)\*\*:?\s*(.*)")
_TABLE_LINE = re.compile(r"\s*\|(.*)\|\s*")
_COMMENT = re.compile(r"^\s*(?:#|--)\s*")


class Statement(NamedTuple):
    """``under`` are the headings above it; ``kind`` is heading, text, label, code, cells, or a fence's language."""

    under: tuple[str, ...]
    kind: str
    text: str
    line: int


def statements(page: str) -> Iterator[Statement]:
    """Every line that says something, in order. A fence of bash or sql is code, and its comments are text."""
    under: list[str] = []
    fence: str | None = None
    for number, line in enumerate(page.splitlines(), 1):
        if mark := _FENCE.match(line):
            fence = None if fence is not None else mark[1] or "plain"
        elif not line.strip():
            continue
        elif fence is not None:
            yield from _fenced(tuple(under), fence, line, number)
        elif heading := _HEADING.match(line):
            level = len(heading[1])
            under = [*under[: level - 1], heading[2].strip()]
            yield Statement(tuple(under), "heading", heading[2].strip(), number)
        elif cells := _TABLE_LINE.fullmatch(line):
            yield Statement(tuple(under), "cells", cells[1], number)
        else:
            yield from _prose(tuple(under), line, number)


def _fenced(under: tuple[str, ...], fence: str, line: str, number: int) -> Iterator[Statement]:
    if fence in ("bash", "sql"):
        comment = _COMMENT.match(line)
        yield Statement(under, "text" if comment else "code", _COMMENT.sub("", line), number)
    else:
        yield Statement(under, fence, line.strip(), number)


def _prose(under: tuple[str, ...], line: str, number: int) -> Iterator[Statement]:
    bullet = _BULLET.fullmatch(line)
    text = bullet[1] if bullet else line.strip()
    label = _LABEL.fullmatch(text)
    if label is None:
        yield Statement(under, "text", text, number)
        return
    if bullet:  # "- **Logging**: Kibana" is one statement, "1. **Preserve Evidence**" another
        yield Statement(under, "text", f"{label[1]}: {label[2]}" if label[2] else label[1], number)
        return
    yield Statement(under, "label", label[1], number)
    if label[2]:
        yield Statement(under, "text", label[2], number)


def plain(text: str) -> str:
    """Words alone: no case, no emoji, one space between them."""
    text = "".join(" " if ord(character) > 0x2190 else character for character in text)
    return " ".join(text.casefold().split())
