"""A window onto a long list of items of unknown height, held by an anchor: which item is at the top, and which row.

Heights are worked out only for what is on the screen, so 100,000 wrapped entries open as fast as ten, and whatever
is added or dropped elsewhere cannot move what somebody is reading. Timeline, logs and details are drawn by it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from widgets.kept_lines import KeptLines
from widgets.table_draw import READABLE, contrast
from widgets.themed import Ink, Inks

_CACHED_ITEMS = 2048
_WHEEL_ROWS = 3
_THUMB = "▐"
_CURRENT = "▌"  # with a colour or without one, the current item is told by this

BLANK = Strip([Segment("")], 0)


_INKS: Final = {
    "item-dim": Ink("$foreground 60%"),
    "item-place": Ink("$foreground 60%", on="$foreground 8%"),
    "item-here": Ink("$primary", on="$primary 35%"),
}


class ItemView(KeptLines, can_focus=True):
    """The engine. A subclass says how many items there are and draws one of them when asked.

    ``follow`` is True while the end is kept in view. A reader who scrolls up switches it off and is never
    moved again, until the end is reached by hand.
    """

    ALLOW_MAXIMIZE = True
    FOLLOWS: ClassVar[bool] = True

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "rows(-1)", "up", show=False),
        Binding("down,j", "rows(1)", "down", show=False),
        Binding("pageup,ctrl+b", "pages(-1)", "page up", show=False),
        Binding("pagedown,ctrl+f,space", "pages(1)", "page down", show=False),
        Binding("home", "top", "first", show=False),
        Binding("end,G", "end", "last", show=False),
    ]

    INKS: ClassVar[Mapping[str, Ink]] = {}
    """What a subclass draws its items in, beside its own text."""

    DEFAULT_CSS = """
    ItemView {
        width: 1fr;
        height: 1fr;
        border: round $border-blurred;
        border-title-color: $foreground;
        border-subtitle-color: $foreground 60%;
        &:focus { border: round $border; }
    }
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name, id=id, classes=classes)
        self.follow = self.FOLLOWS
        self._top = 0  # the item at the top of the window
        self._skip = 0  # how many of its rows are above the window
        self._drawn: dict[Hashable, Sequence[Strip]] = {}
        self._drawn_width = -1
        self._window: list[tuple[int, Strip]] | None = None
        self.inks = Inks(self, {**_INKS, **self.INKS})
        self._flat: dict[str, Style] = {}  # inks without their background
        self._dragging = False

    # What a subclass provides.

    def item_count(self) -> int:
        """How many items there are."""
        raise NotImplementedError

    def item_key(self, index: int) -> Hashable:
        """A name of the item that stays while items before it come and go."""
        return index

    def item_rows(self, index: int, cells: int) -> Sequence[Strip]:
        """The item's rows, one or more, each at most ``cells`` wide (or wider, if `offset_x` scrolls sideways)."""
        raise NotImplementedError

    def current_item(self) -> int | None:
        """The item drawn as the current one, if any."""
        return None

    def item_clicked(self, index: int) -> None:
        """The person clicked on an item."""

    def scrolled(self) -> None:
        """The window moved or `follow` changed: a place to bring the border up to date."""

    @property
    def offset_x(self) -> int:
        """How many cells the rows are moved to the left."""
        return 0

    # Drawing.

    @property
    def text_width(self) -> int:
        """Cells for text: the first column belongs to the current item's mark, the last to the scroll bar's thumb."""
        return max(self.size.width - 2, 1)

    def ink(self, name: str) -> Style:
        """An ink's colour and attributes, without its background: the current item's shows through."""
        style = self._flat.get(name)
        if style is None:
            full = self.inks.style(name)
            style = Style(
                color=full.color,
                bold=full.bold,
                dim=full.dim,
                italic=full.italic,
                underline=full.underline,
                strike=full.strike,
                reverse=full.reverse,
            )
            self._flat[name] = style
        return style

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.inks.forget()
        self._flat.clear()
        self._drawn.clear()
        self._window = None

    def forget(self, keys: Sequence[Hashable] | None = None) -> None:
        """These items (None: all) have to be drawn anew; their heights may have changed."""
        if keys is None:
            self._drawn.clear()
        else:
            for key in keys:
                self._drawn.pop(key, None)
        self.repaint()

    def repaint(self) -> None:
        """Something on the screen may have changed."""
        self._window = None
        self.refresh()

    def rows_of(self, index: int) -> Sequence[Strip]:
        """The item's rows, drawn now or remembered."""
        cells = self.text_width
        if cells != self._drawn_width or len(self._drawn) > _CACHED_ITEMS:
            self._drawn.clear()
            self._drawn_width = cells
        key = self.item_key(index)
        rows = self._drawn.get(key)
        if rows is None:
            rows = self._drawn[key] = self.item_rows(index, cells) or (BLANK,)
        return rows

    def in_window(self) -> list[tuple[int, Strip]]:
        """What is in the window: the item of each row, and the row."""
        if self._window is None:
            if self.follow:
                self._top, self._skip = self._end()
            else:
                self._clamp()
            height, count = self.size.height, self.item_count()
            found: list[tuple[int, Strip]] = []
            index, skip = self._top, self._skip
            while len(found) < height and index < count:
                found.extend((index, row) for row in self.rows_of(index)[skip:])
                skip = 0
                index += 1
            self._window = found[:height]
        return self._window

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        visible = self.in_window()
        cells, offset = self.text_width, self.offset_x
        gutter, row = Segment(" ", base), Strip.blank(cells, base)
        if y < len(visible):
            index, row = visible[y]
            row = row.crop_extend(offset, offset + cells, None)
            if index == self.current_item():
                current = self.inks.style("item-here" if self.has_focus else "item-place")
                gutter = Segment(_CURRENT, current)
                row = readable(row, base + current.background_style)
            else:
                row = row.apply_style(base)
        thumb = self._thumb()
        if thumb is not None and thumb[0] <= y < thumb[1]:
            edge = Segment(_THUMB, base + self.ink("item-dim"))
        else:
            edge = Segment(" ", base)
        return Strip([gutter, *row, edge], cells + 2)

    def _thumb(self) -> tuple[int, int] | None:
        """The thumb's first row and the row after its last, or None while everything is in view."""
        count, height = self.item_count(), self.size.height
        visible = self.in_window()
        if not visible or height < 2:
            return None
        first, last = visible[0][0], visible[-1][0]
        if (self._top, self._skip) == (0, 0) and self.window_at_end:
            return None
        if self.follow and first == 0 and self._skip == 0:
            return None
        size = max(1, min(height - 1, round(height * (last - first + 1) / max(count, 1))))
        room = height - size
        above = max(count - (last - first + 1), 1)
        start = room if self.at_end else min(room - 1, round(room * first / above)) if room else 0
        return max(start, 0), max(start, 0) + size

    # Moving.

    def _end(self) -> tuple[int, int]:
        """The anchor that shows the last row at the bottom (or everything, if it is short)."""
        height, index = max(self.size.height, 1), self.item_count()
        rows = 0
        while index > 0 and rows < height:
            index -= 1
            rows += len(self.rows_of(index))
        return index, max(rows - height, 0)

    def _clamp(self) -> None:
        count = self.item_count()
        if self._top >= count:
            self._top, self._skip = self._end()
            return
        self._skip = min(self._skip, len(self.rows_of(self._top)) - 1)
        if (end := self._end()) < (self._top, self._skip):
            self._top, self._skip = end

    @property
    def window_at_end(self) -> bool:
        """Whether the window is as far down as it goes."""
        return (self._top, self._skip) >= self._end()

    @property
    def at_end(self) -> bool:
        """Whether the last row is in view."""
        return self.follow or self.window_at_end

    def go_to(self, index: int, skip: int = 0) -> None:
        """Puts an item at the top of the window (or as near as the end allows)."""
        self._top, self._skip = max(index, 0), max(skip, 0)
        self._moved()

    def go_to_end(self) -> None:
        self._top, self._skip = self._end()
        self._moved()

    def reveal(self, index: int, *, centre: bool = False) -> None:
        """Moves the window as little as needed to show the whole item (its first rows, if it is taller)."""
        height = max(self.size.height, 1)
        rows = min(len(self.rows_of(index)), height)
        self.in_window()
        if centre and not any(item == index for item, _ in self.in_window()):
            self._top, self._skip = index, 0
            self._back((height - rows) // 2)
        elif (index, 0) < (self._top, self._skip):
            self._top, self._skip = index, 0
        else:
            # The highest anchor that still has the item's last row in view.
            before, top = rows, index
            while before < height and top > 0:
                top -= 1
                before += len(self.rows_of(top))
            if (top, max(before - height, 0)) > (self._top, self._skip):
                self._top, self._skip = top, max(before - height, 0)
        self._moved()

    def scroll_rows(self, rows: int) -> None:
        """Moves the window down by ``rows`` (up, if negative)."""
        self.in_window()  # settles the anchor if the end was being followed
        if rows < 0:
            self._back(-rows)
        else:
            self._skip += rows
            while self._skip >= (height := len(self.rows_of(self._top)) if self.item_count() else 1):
                if self._top + 1 >= self.item_count():
                    self._skip = height - 1
                    break
                self._skip -= height
                self._top += 1
        self._moved()

    def _back(self, rows: int) -> None:
        self._skip -= rows
        while self._skip < 0 and self._top > 0:
            self._top -= 1
            self._skip += len(self.rows_of(self._top))
        self._skip = max(self._skip, 0)

    def _moved(self) -> None:
        if self.item_count():
            self.follow = False
            self._clamp()
            self.follow = self.FOLLOWS and self.at_end
        self.repaint()
        self.scrolled()

    def shift(self, items: int) -> None:
        """``items`` were added (dropped, if negative) before the window: the same rows stay in it."""
        self._top += items
        if self._top < 0:
            self._top = self._skip = 0
        self._window = None

    def top_item(self) -> int:
        """The item at the top of the window."""
        self.in_window()
        return self._top

    # Keys and mouse.

    def action_rows(self, rows: int) -> None:
        self.scroll_rows(rows)

    def action_pages(self, pages: int) -> None:
        self.scroll_rows(pages * max(self.size.height - 1, 1))

    def action_top(self) -> None:
        self.go_to(0)

    def action_end(self) -> None:
        self.go_to_end()

    def on_resize(self) -> None:
        self.repaint()
        self.scrolled()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(-_WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(_WHEEL_ROWS)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        place = event.get_content_offset(self)
        if place is not None and place.x > self.text_width and self._thumb() is not None:
            self._dragging = True
            self.capture_mouse()
            self._drag(place.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._drag(event.get_content_offset_capture(self).y)

    def on_mouse_up(self) -> None:
        if self._dragging:
            self._dragging = False
            self.release_mouse()

    def _drag(self, y: int) -> None:
        share = min(max(y / max(self.size.height - 1, 1), 0.0), 1.0)
        if share >= 1.0:
            self.go_to_end()
        else:
            self.go_to(int(share * self.item_count()))

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None or place.x > self.text_width:
            return
        visible = self.in_window()
        if place.y < len(visible):
            self.item_clicked(visible[place.y][0])


def readable(row: Strip, base: Style) -> Strip:
    """The row on ``base``; a colour that cannot be read there gives way to ``base``'s own."""
    own = Style(color=base.color)
    segments = []
    for text, style, control in row:
        over = base + style if style else base
        segments.append(Segment(text, over if contrast(over) >= READABLE else over + own, control))
    return Strip(segments, row.cell_length)
