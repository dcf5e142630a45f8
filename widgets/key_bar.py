"""The last rows of the console: the keys that look, and after them the keys that act; on a small screen in one row.

Dim where a key does nothing now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

from msgspec import Struct
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from widgets.plain import crop, plain, width
from widgets.themed import Ink, Inks

_HELP_CELLS = 4  # "  ? "
_GAP, _CLOSE = "   ", "  "
_MANY = 12  # so many hints stand closer together where that makes room for more of them
_UNSAID = "–"  # off, but there is no room for the reason
_DIVIDER = "   │   "


class KeyHint(Struct, frozen=True):
    """One key. ``weight`` says how early it is dropped when the row is narrow: higher goes earlier.

    ``disabled`` says why the key does nothing now; empty if it works.
    """

    key: str
    label: str
    weight: int = 1
    act: bool = False
    disabled: str = ""
    action: str = ""  # what a click on it runs; empty: nothing


class KeyBar(Widget):
    """Shows the hints it is handed. ``?`` is always at the right end; a click on a hint is reported, not run."""

    INKS: ClassVar[Mapping[str, Ink]] = {
        "look": Ink("$text-accent", bold=True),
        "act": Ink("$text-error", bold=True),
        "label": Ink("$foreground 80%"),
        "off": Ink("$foreground 40%", italic=True),
    }

    DEFAULT_CSS = """
    KeyBar {
        height: 1;
        background: $panel;
    }
    """

    class Pressed(Message):
        """A hint was clicked."""

        def __init__(self, hint: KeyHint) -> None:
            super().__init__()
            self.hint = hint

    def __init__(
        self,
        hints: Sequence[KeyHint] = (),
        *,
        help_key: str = "?",
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.inks = Inks(self, self.INKS)
        self._hints = tuple(hints)
        self._help = KeyHint(help_key, "", action="help")
        self._places: dict[int, list[tuple[int, int, KeyHint]]] = {}  # by row

    def show(self, hints: Sequence[KeyHint]) -> None:
        """Shows other hints, in this order, those that look before those that act."""
        if tuple(hints) != self._hints:
            self._hints = tuple(hints)
            self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.inks.forget()

    def render_line(self, y: int) -> Strip:
        cells, base, ink = self.size.width, self.rich_style, self.inks.style
        segments = [Segment("  ", base)]
        places: list[tuple[int, int, KeyHint]] = []
        at, before = 2, None
        last = y == self.size.height - 1
        hints, room = self._hints_of(y), cells - (_HELP_CELLS if last else 0) - 2
        closer = len(hints) > _MANY or self.size.height > 2
        between = _CLOSE if closer and self._taken(hints, _GAP) > room else _GAP
        for hint in self._fitting(hints, room, between):
            if before is not None:
                gap = _DIVIDER if hint.act and not before.act else between
                segments.append(Segment(gap, ink("label")))
                at += len(gap)
            texts = self._texts(hint)
            segments += _drawn(hint, texts, self.inks)
            length = sum(map(width, texts))
            places.append((at, at + length, hint))
            at += length
            before = hint
        if last:
            shown_help = crop(plain(self._help.key, 3), 2)
            blank = max(cells - at - width(shown_help) - 1, 0)
            segments += [Segment(" " * blank, base), Segment(shown_help, ink("look")), Segment(" ", base)]
            places.append((at + blank, cells, self._help))
        self._places[y] = places
        return Strip(segments).adjust_cell_length(cells, base)

    def _hints_of(self, y: int) -> list[KeyHint]:
        """What stands in a row: as much as fits, without the reasons, and in the last one all the rest.

        Where those that look leave room below them, those that act begin in a row of their own.
        """
        rows: list[list[KeyHint]] = [[]]
        for hint in self._hints:
            row, room = rows[-1], self.size.width - _HELP_CELLS - 2
            full = self._taken([*map(_quiet, row), _quiet(hint)], _CLOSE) > room
            acts_begin = len(rows) == 1 and hint.act and bool(row) and not row[-1].act
            if row and (full or acts_begin) and len(rows) < self.size.height:
                rows.append([])
            rows[-1].append(hint)
        return rows[y] if y < len(rows) else []

    def _texts(self, hint: KeyHint) -> tuple[str, str]:
        reason = f" ({plain(hint.disabled, 40)})" if hint.disabled not in ("", _UNSAID) else ""
        return plain(hint.key, 12), f" {plain(hint.label, 40)}{reason}"

    def _fitting(self, hints: Sequence[KeyHint], cells: int, gap: str) -> list[KeyHint]:
        """The hints that fit. A reason why a key is off goes before a key does."""
        kept = list(hints)
        while kept and self._taken(kept, gap) > cells:
            if talkative := [hint for hint in kept if hint.disabled not in ("", _UNSAID)]:
                longest = max(talkative, key=lambda hint: (hint.weight, len(hint.disabled)))
                kept[kept.index(longest)] = KeyHint(
                    longest.key, longest.label, longest.weight, longest.act, _UNSAID, longest.action
                )
            else:
                heaviest = max(range(len(kept)), key=lambda index: (kept[index].weight, index))
                del kept[heaviest]
        return kept

    def _taken(self, hints: Sequence[KeyHint], gap: str) -> int:
        total = sum(sum(map(width, self._texts(hint))) for hint in hints) + len(gap) * (len(hints) - 1)
        divided = any(after.act and not before.act for before, after in pairwise(hints))
        return total + (len(_DIVIDER) - len(gap) if divided else 0)

    def on_click(self, event: events.Click) -> None:
        for start, end, hint in self._places.get(event.y, ()):
            if start <= event.x < end and not hint.disabled:
                self.post_message(self.Pressed(hint))
                return


def _quiet(hint: KeyHint) -> KeyHint:
    """The hint without the reason why it is off."""
    return KeyHint(hint.key, hint.label, hint.weight, hint.act, _UNSAID if hint.disabled else "", hint.action)


def _drawn(hint: KeyHint, texts: tuple[str, str], inks: Inks) -> list[Segment]:
    key, label = texts
    if hint.disabled:
        return [Segment(key + label, inks.style("off"))]
    return [Segment(key, inks.style("act" if hint.act else "look")), Segment(label, inks.style("label"))]
