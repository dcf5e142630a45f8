"""What a table's cell holds, and how columns share a pane's width. Pure: no widget is touched here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from widgets.plain import Align, width

GAP = 1  # cells between two columns
BAR = 14  # cells of a bar that has room
TAIL_GAP = 2  # cells between a cell's text and its detail


class Cell(NamedTuple):
    """One cell of one row: inert text (see `widgets.plain.plain`), and the palette name it is drawn in.

    ``tail``  a detail after the text, the first thing to go when room is short: ``CrashLoopBackOff  exit 1``.
    ``bar``   a fraction; the cell is then a bar across its column and ``text`` is not drawn.
    ``short`` how text too long is cut: at its end, or in its middle so that the end stays readable.
    """

    text: str
    style: str = "text"
    tail: str = ""
    tail_style: str = "dim"
    bar: float | None = None
    short: str = "end"

    @property
    def cells(self) -> int:
        """The width that shows everything."""
        if self.bar is not None:
            return BAR
        return width(self.text) + (TAIL_GAP + width(self.tail) if self.tail else 0)


EMPTY = Cell("")


class Column(NamedTuple):
    """One column.

    ``least``  the width it is still worth showing at. ``most`` the width its text never makes it exceed.
    ``grow``   takes this share of what room is left over; 0 keeps the column as wide as its text.
    ``drop``   the rank at which it leaves when room is short, the highest first; 0 never leaves.
    ``shrink`` the rank at which it gives up room before anything leaves, the highest first; 0 keeps its width.
    ``brief``  its title where it has given up so much room that the title does not fit.
    """

    title: str
    least: int
    most: int | None = None
    align: Align = "left"
    grow: int = 0
    drop: int = 0
    shrink: int = 0
    brief: str = ""


def share(columns: Sequence[Column], natural: Sequence[int], available: int) -> tuple[int, ...]:
    """The width of each column in ``available`` cells; 0 for one that is left out.

    ``natural`` is the width each column's text needs. The sum of the widths and the gaps between the columns
    shown never exceeds ``available`` (unless a single cell is asked to hold a table).
    """
    wanted = [_wanted(column, need) for column, need in zip(columns, natural, strict=True)]
    least = [min(column.least, want) if column.shrink else want for column, want in zip(columns, wanted, strict=True)]
    shown = [index for index, want in enumerate(wanted) if want > 0]
    while _total(least, shown) > available:
        droppable = [index for index in shown if columns[index].drop]
        if not droppable:
            break
        shown.remove(max(droppable, key=lambda index: columns[index].drop))
    widths = [0] * len(columns)
    for index in shown:
        widths[index] = wanted[index]
    over = _total(widths, shown) - available
    for index in sorted(shown, key=lambda index: -columns[index].shrink):
        if over <= 0:
            break
        given = min(over, widths[index] - least[index])
        widths[index] -= given
        over -= given
    # Narrower than everything that never leaves: the widest column pays, down to a single cell.
    while over > 0 and any(widths[index] > 1 for index in shown):
        widest = max(shown, key=lambda index: widths[index])
        widths[widest] -= 1
        over -= 1
    _spread(columns, widths, shown, available - _total(widths, shown))
    return tuple(widths)


def _wanted(column: Column, need: int) -> int:
    want = max(need, column.least, width(column.title))
    return want if column.most is None else min(want, column.most)


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[index] for index in shown) + GAP * max(len(shown) - 1, 0)


def _spread(columns: Sequence[Column], widths: list[int], shown: Sequence[int], spare: int) -> None:
    growing = [index for index in shown if columns[index].grow]
    shares = sum(columns[index].grow for index in growing)
    for index in growing:
        if spare <= 0:
            return
        part = -(-spare * columns[index].grow // shares)
        shares -= columns[index].grow
        widths[index] += part
        spare -= part
