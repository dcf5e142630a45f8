"""Cells into strips: the palette a table draws with, and rows, headers and sentences of an exact width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from widgets.bars import bar
from widgets.columns import GAP, TAIL_GAP, Cell, Column
from widgets.plain import Align, crop, middle, plain, width

CURSOR_MARK = "▌"
THUMB = "▐"

READABLE = 3.0  # WCAG AA for bold text: with less contrast a text gives way to the cursor row's own colour


class Cursor(IntEnum):
    """Where the cursor is, as far as one row is concerned."""

    ELSEWHERE = 0
    PLACE = 1  # here, but the keys go to another pane
    HERE = 2


class Palette:
    """A table's inks, resolved once and combined with the cursor's background and the dimming of stale rows."""

    def __init__(self, resolve: Callable[[str], Style]) -> None:
        self._resolve = resolve
        self._styles: dict[tuple[str, Cursor, bool], Style] = {}

    def style(self, name: str, cursor: Cursor = Cursor.ELSEWHERE, dim: bool = False) -> Style:
        found = self._styles.get((name, cursor, dim))
        if found is None:
            found = self._styles[name, cursor, dim] = self._combine(name, cursor, dim)
        return found

    def _combine(self, name: str, cursor: Cursor, dim: bool) -> Style:
        style = self._resolve("dim" if dim else name)
        if cursor is Cursor.ELSEWHERE:
            return style
        row = self._resolve("cursor" if cursor is Cursor.HERE else "place")
        style += Style(bgcolor=row.bgcolor, reverse=row.reverse)
        if row.reverse:  # inverted, every cell has to have the same colour
            return style + Style(color=row.color)
        return style if contrast(style) >= READABLE else style + Style(color=row.color)


def contrast(style: Style) -> float:
    """The contrast ratio of a style's text on its background, from 1 to 21 (WCAG 2, relative luminance)."""
    if style.color is None or style.bgcolor is None:
        return 21.0
    light, dark = sorted((_luminance(style.color), _luminance(style.bgcolor)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in color.get_truecolor())
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class _Pen:
    """Writes one line. Blanks are saved up, so that a gap and the padding around it are one segment."""

    def __init__(self, blank: Style) -> None:
        self._blank = blank
        self._blanks = 0
        self._segments: list[Segment] = []
        self.used = 0

    def text(self, text: str, style: Style) -> None:
        if text:
            self._flush()
            self._segments.append(Segment(text, style))
            self.used += width(text)

    def blanks(self, count: int) -> None:
        self._blanks += count
        self.used += count

    def fitted(self, text: str, cells: int, style: Style, align: Align = "left") -> None:
        text = crop(text, cells)
        spare = cells - width(text)
        if align == "right":
            self.blanks(spare)
        self.text(text, style)
        if align == "left":
            self.blanks(spare)

    def strip(self, total: int) -> Strip:
        if self.used < total:
            self.blanks(total - self.used)
        self._flush()
        strip = Strip(self._segments, self.used)
        return strip.crop(0, total) if self.used > total else strip

    def _flush(self) -> None:
        if self._blanks:
            self._segments.append(Segment(" " * self._blanks, self._blank))
            self._blanks = 0


def draw_row(
    cells: Sequence[Cell],
    columns: Sequence[Column],
    widths: Sequence[int],
    total: int,
    palette: Palette,
    *,
    cursor: Cursor = Cursor.ELSEWHERE,
    dim: bool = False,
) -> Strip:
    """One row: the cursor's mark, the cells, blanks up to ``total`` cells."""
    pen = _Pen(palette.style("text", cursor, dim))
    pen.fitted(CURSOR_MARK if cursor is Cursor.HERE else "", 1, palette.style("mark", cursor))
    gap = 0
    for cell, column, cells_wide in zip(cells, columns, widths, strict=True):
        if cells_wide == 0:
            continue
        pen.blanks(gap)
        gap = GAP
        style = palette.style(cell.style, cursor, dim)
        spare = cells_wide - width(cell.text)
        if cell.bar is not None:
            filled, track = bar(cell.bar, cells_wide)
            pen.text(filled, style)
            pen.text(track, palette.style("dim", cursor, dim))
        elif cell.tail and spare > TAIL_GAP:
            pen.text(cell.text, style)
            pen.blanks(TAIL_GAP)
            pen.fitted(cell.tail, spare - TAIL_GAP, palette.style(cell.tail_style, cursor, dim))
        else:
            text = middle(cell.text, cells_wide) if cell.short == "middle" else cell.text
            pen.fitted(text, cells_wide, style, column.align)
    return pen.strip(total)


def draw_header(columns: Sequence[Column], widths: Sequence[int], total: int, palette: Palette) -> Strip:
    """The line of column titles."""
    titles: list[Cell] = []
    left_out = ""
    for column, cells_wide in zip(columns, widths, strict=True):
        # A percentage without its bar still needs to be called something.
        carried = left_out[: max(cells_wide - 1, 0)] if not column.title else ""
        title = column.brief if column.brief and width(column.title) > cells_wide else column.title
        titles.append(Cell(title or carried, "header"))
        left_out = column.title if cells_wide == 0 else ""
    return draw_row(titles, columns, widths, total, palette)


def draw_sentences(sentences: Sequence[tuple[str, str]], total: int, height: int, palette: Palette) -> list[Strip]:
    """(text, palette name) paragraphs, wrapped and centred in ``height`` lines of ``total`` cells."""
    lines: list[tuple[str, str]] = []
    for text, name in sentences:
        lines += [(line, name) for line in wrap(plain(text, 2000), max(total - 4, 1))]
    lines = lines[:height]
    above = (height - len(lines)) // 2
    blank = Strip.blank(total, palette.style("text"))
    strips = [blank] * above
    for text, name in lines:
        pen = _Pen(palette.style("text"))
        pen.blanks((total - width(text)) // 2)
        pen.text(text, palette.style(name))
        strips.append(pen.strip(total))
    return strips + [blank] * (height - len(strips))


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
