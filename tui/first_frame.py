"""The first frame: the console's outline, painted before anything of it is imported, opened or asked."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from tui.outline import NARROW, Box, boxes


class FirstFrame(Widget):
    """Draws where the panes will be, so that nothing jumps when they are there."""

    DEFAULT_CSS = "FirstFrame { width: 1fr; height: 1fr; color: $foreground 40%; }"

    def __init__(self, *, databases: bool = False) -> None:
        super().__init__()
        self._boxes = boxes(databases)

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        style = self.rich_style
        text = _row(self._boxes, y, width, height) if width >= NARROW else ""
        if y == 0:
            text = " warroom  opening …"
        return Strip([Segment(text.ljust(width)[:width], style)], width)


def _row(boxes: Sequence[Box], y: int, width: int, height: int) -> str:
    row = [" "] * width
    for box in boxes:
        left, top, right, bottom = box.edges(width, height)
        if top <= y <= bottom and right < width:
            _draw(row, box, y, (left, top, right, bottom))
    return "".join(row)


def _draw(row: list[str], box: Box, y: int, edges: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = edges
    if y == top:
        row[left : right + 1] = f"╭─ {box.title} ".ljust(right - left, "─") + "╮"
    elif y == bottom:
        row[left : right + 1] = "╰".ljust(right - left, "─") + "╯"
    else:
        row[left] = row[right] = "│"
