"""One-row bars: pieces of styled text in order, the least important given up first when they do not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from widgets.plain import crop, width


class Piece(NamedTuple):
    """A piece of a bar. ``texts`` from the longest to the shortest way to say it, inert; the style's name is the bar's.

    Where it does not fit, the pieces of the highest ``weight`` are shortened first; if that is not enough, they are
    dropped first.
    ``gap`` blanks stand before it, unless it is the first.
    """

    texts: tuple[str, ...]
    style: str = ""
    weight: int = 0
    gap: int = 2


def chosen(pieces: Sequence[Piece], cells: int) -> list[tuple[str, Piece]]:
    """The pieces that fit ``cells`` cells, each in the longest wording there is room for."""
    picks = {index: 0 for index, piece in enumerate(pieces) if piece.texts[0]}

    def taken() -> int:
        total = sum(width(pieces[index].texts[pick]) + pieces[index].gap for index, pick in picks.items())
        return total - (pieces[min(picks)].gap if picks else 0)

    while picks and taken() > cells:
        wordy = [index for index, pick in picks.items() if pick + 1 < len(pieces[index].texts)]
        index = max(wordy or picks, key=lambda i: (pieces[i].weight, i))
        if wordy:
            picks[index] += 1
        elif len(picks) > 1:
            del picks[index]
        else:
            break
    # Dropping one may have made room for the longer wording of another.
    for index in sorted(picks, key=lambda i: (pieces[i].weight, i)):
        while picks[index] > 0:
            picks[index] -= 1
            if taken() > cells:
                picks[index] += 1
                break
    return [(pieces[index].texts[pick], pieces[index]) for index, pick in picks.items()]


def laid_out(
    pieces: Sequence[Piece], cells: int, ink: Callable[[str], Style], base: Style, *, indent: int = 1
) -> Strip:
    """The pieces as a strip of exactly ``cells`` cells; ``ink`` is what a piece's style by name looks like."""
    segments = [Segment(" " * indent, base)]
    room = max(cells - 2 * indent, 1)
    for text, piece in chosen(pieces, room):
        if len(segments) > 1:
            segments.append(Segment(" " * piece.gap, base))
        segments.append(Segment(crop(text, room), base + ink(piece.style)))
    return Strip(segments).adjust_cell_length(cells, base)
