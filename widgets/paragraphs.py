"""Paragraphs with hanging indents: a mark, a text that wraps beside it, and a remark that is never torn apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

_GAP = 3  # cells between a text and its remark
_NARROWEST = 8  # cells for a text, however deep it is indented

EMPTY = Content("")


class Paragraph(NamedTuple):
    """``lead`` is drawn once and indents what follows; ``remark`` goes behind ``text`` or, whole, under it."""

    lead: Content
    text: Content
    remark: Content = EMPTY


class Paragraphs(Widget):
    """Draws paragraphs, as high as they are."""

    DEFAULT_CSS = "Paragraphs { height: auto; width: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._paragraphs: tuple[Paragraph, ...] = ()

    def show(self, paragraphs: Sequence[Paragraph]) -> None:
        self._paragraphs = tuple(paragraphs)
        self.refresh(layout=True)

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return sum(1 for _ in self._lines(width))

    def rows(self, index: int) -> tuple[int, int]:
        """The first row of a paragraph, and the one after its last."""
        heights = [len(_drawn(paragraph, self.size.width)) for paragraph in self._paragraphs[: index + 1]]
        return sum(heights[:-1]), sum(heights)

    def _lines(self, width: int) -> Iterator[Content]:
        for paragraph in self._paragraphs:
            yield from _drawn(paragraph, width)


def _drawn(paragraph: Paragraph, width: int) -> list[Content]:
    lead, text, remark = paragraph
    indent = lead.cell_length
    cells = max(width - indent, _NARROWEST)
    lines = text.wrap(cells)
    if remark and lines[-1].cell_length + _GAP + remark.cell_length <= cells:
        lines[-1] = Content.assemble(lines[-1], " " * _GAP, remark)
    elif remark:
        lines += remark.wrap(cells)
    blank = Content(" " * indent)
    return [Content.assemble(blank if number else lead, line) for number, line in enumerate(lines)]
