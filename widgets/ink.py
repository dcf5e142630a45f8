"""Inert text with styled spans, broken into rows of cells. Not for hostile text: that passes through `plain` first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from rich.cells import get_character_cell_size
from rich.segment import Segment
from rich.style import Style

from widgets.plain import width


class Span(NamedTuple):
    """``style`` over the characters ``start`` to ``end``; a later span is drawn over an earlier one."""

    start: int
    end: int
    style: Style


def breaks(text: str, cells: int) -> list[tuple[int, int]]:
    """Where to break ``text`` so that every row fits ``cells`` cells: ``(start, end)`` of each row, in characters.

    Breaks at a blank where there is one (the blank is not drawn), and inside a word that is wider than a row.
    There is always at least one row, and every row of a non-empty text has at least one character.
    """
    if width(text) <= cells:
        return [(0, len(text))]
    rows: list[tuple[int, int]] = []
    start, length = 0, len(text)
    while start < length:
        end = _reach(text, start, cells)
        if end >= length:
            rows.append((start, length))
            break
        blank = text.rfind(" ", start, end + 1)
        if blank > start and not text[start:blank].isspace():
            rows.append((start, blank))
            start = blank + 1
        else:
            rows.append((start, end))
            start = end
        while start < length and text[start] == " ":
            start += 1
    return rows


def _reach(text: str, start: int, cells: int) -> int:
    """The furthest index such that ``text[start:index]`` fits; at least one character on."""
    if text.isascii():
        return min(len(text), start + max(cells, 1))
    used = 0
    for index in range(start, len(text)):
        used += get_character_cell_size(text[index])
        if used > cells:
            return max(index, start + 1)
    return len(text)


def painted(text: str, start: int, end: int, style: Style, spans: Sequence[Span] = ()) -> list[Segment]:
    """The characters ``start`` to ``end`` as segments in ``style`` with ``spans`` laid over it."""
    inside = [span for span in spans if span.start < end and span.end > start]
    if not inside:
        return [Segment(text[start:end], style)]
    edges = sorted({start, end, *(max(span.start, start) for span in inside), *(min(span.end, end) for span in inside)})
    segments: list[Segment] = []
    for left, right in pairwise(edges):
        over = style
        for span in inside:
            if span.start <= left and span.end >= right:
                over += span.style
        segments.append(Segment(text[left:right], over))
    return segments


def found(text: str, needle: str) -> Iterator[tuple[int, int]]:
    """Where ``needle`` occurs in ``text``, upper and lower case alike, without overlaps, in ``text``'s own offsets."""
    if needle:
        # Not `lower().find()`: lower-casing may change how many characters there are.
        for match in re.finditer(re.escape(needle), text, re.IGNORECASE):
            yield match.span()
