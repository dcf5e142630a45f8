"""Cells into strips: the palette a table draws with, and rows, headers and sentences of an exact width."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from widgets.bars import bar
from widgets.columns import GAP, TAIL_GAP, Cell, Column
from widgets.plain import crop, fit, middle, plain, width

CURSOR_MARK = "▌"
THUMB = "▐"

#: The names a cell may be drawn in; each is a component class ``table--NAME`` of `TablePane`.
NAMES = ("text", "strong", "dim", "failing", "degraded", "healthy", "dormant", "accent", "header", "cursor", "mark")


class Palette:
    """Component styles, resolved once and combined with the cursor's background and the dimming of stale rows."""

    def __init__(self, resolve: Callable[[str], Style]) -> None:
        self._resolve = resolve
        self._styles: dict[tuple[str, bool, bool], Style] = {}

    def style(self, name: str, cursor: bool = False, dim: bool = False) -> Style:
        found = self._styles.get((name, cursor, dim))
        if found is None:
            found = self._styles[name, cursor, dim] = self._combine(name, cursor, dim)
        return found

    def _combine(self, name: str, cursor: bool, dim: bool) -> Style:
        style = self._resolve("dim" if dim else name)
        if not cursor:
            return style
        row = self._resolve("cursor")
        return style + Style(bgcolor=row.bgcolor, bold=row.bold or None, reverse=row.reverse or None)


def draw_row(
    cells: Sequence[Cell],
    columns: Sequence[Column],
    widths: Sequence[int],
    total: int,
    palette: Palette,
    *,
    cursor: bool = False,
    dim: bool = False,
) -> Strip:
    """One row: the cursor's mark, the cells, blanks up to ``total`` cells."""
    blank = palette.style("text", cursor, dim)
    segments = [Segment(CURSOR_MARK, palette.style("mark", True, dim)) if cursor else Segment(" ", blank)]
    used = 1
    for cell, column, cells_wide in zip(cells, columns, widths, strict=True):
        if cells_wide == 0:
            continue
        if used > 1:
            segments.append(Segment(" " * GAP, blank))
            used += GAP
        style = palette.style(cell.style, cursor, dim)
        if cell.bar is not None:
            filled, track = bar(cell.bar, cells_wide)
            segments += [Segment(filled, style), Segment(track, palette.style("dim", cursor, dim))]
        elif cell.tail and width(cell.text) + TAIL_GAP < cells_wide:
            room = cells_wide - width(cell.text) - TAIL_GAP
            tail = fit(cell.tail, room)
            segments += [
                Segment(cell.text + " " * TAIL_GAP, style),
                Segment(tail, palette.style(cell.tail_style, cursor, dim)),
            ]
        else:
            text = middle(cell.text, cells_wide) if cell.short == "middle" else cell.text
            segments.append(Segment(fit(text, cells_wide, column.align), style))
        used += cells_wide
    if used < total:
        segments.append(Segment(" " * (total - used), blank))
    return Strip(segments, max(used, total)).crop(0, total) if used > total else Strip(segments, total)


def draw_header(columns: Sequence[Column], widths: Sequence[int], total: int, palette: Palette) -> Strip:
    """The line of column titles."""
    titles = tuple(Cell(column.title, "header") for column in columns)
    return draw_row(titles, columns, widths, total, palette)


def draw_sentences(sentences: Sequence[tuple[str, str]], total: int, height: int, palette: Palette) -> list[Strip]:
    """(text, palette name) paragraphs, wrapped and centred in ``height`` lines of ``total`` cells."""
    lines: list[tuple[str, str]] = []
    for text, name in sentences:
        lines += [(line, name) for line in wrap(plain(text, 2000), max(total - 4, 1))]
    lines = lines[:height]
    above = (height - len(lines)) // 2
    strips = [Strip.blank(total, palette.style("text"))] * above
    for text, name in lines:
        text = crop(text, total)
        left = (total - width(text)) // 2
        strips.append(Strip([Segment(fit(" " * left + text, total), palette.style(name))], total))
    strips += [Strip.blank(total, palette.style("text"))] * (height - len(strips))
    return strips


def wrap(text: str, cells: int) -> list[str]:
    """An inert line as lines of at most ``cells`` cells, broken at blanks where there are any."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if width(joined) <= cells:
            line = joined
            continue
        if line:
            lines.append(line)
        line = crop(word, cells)
    if line:
        lines.append(line)
    return lines
