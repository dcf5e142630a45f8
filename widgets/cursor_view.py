"""An item view with a cursor: on the last item while the end is followed, on one that the reader chose otherwise."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from widgets.filter_line import SearchableView


class CursorView(SearchableView):
    """Keeps the cursor on the screen, so that no key ever acts on an item that is not seen.

    A reader whose cursor is on another item than the last is not following: what is added below is only counted
    (``unseen``). Reaching the end, by key or by wheel, follows again.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "follow", id="paper.follow", tooltip="Stop at this place, or follow the end again"),
    ]

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name, id=id, classes=classes)
        self._cursor: int | None = None  # None: the last item, whichever that is
        self.unseen = 0

    @property
    def cursor_index(self) -> int:
        """The item that a key would act on; -1 if there are none."""
        last = self.item_count() - 1
        return last if self._cursor is None else min(self._cursor, last)

    def current_item(self) -> int | None:
        return self.cursor_index if self.has_focus else None

    def put_cursor(self, index: int | None) -> None:
        """Puts the cursor on an item without moving the window; on the last one it stays there."""
        if index is not None and index >= self.item_count() - 1:
            index = None
        self._cursor = index

    def move_to(self, index: int, *, centre: bool = False) -> None:
        """Puts the cursor on an item and moves the window to show it."""
        if not self.item_count():
            return
        index = min(max(index, 0), self.item_count() - 1)
        self.put_cursor(index)
        if self._cursor is None:
            self.go_to_end()
        elif index == 0:
            self.go_to(0)
        else:
            self.reveal(index, centre=centre)

    def shift(self, items: int) -> None:
        super().shift(items)
        if self._cursor is not None:
            self._cursor = max(self._cursor + items, 0)

    def scrolled(self) -> None:
        rows = self.in_window()
        if rows and not (self.follow and self._cursor is None):
            first, last = rows[0][0], rows[-1][0]
            if not first <= self.cursor_index <= last:
                self.put_cursor(min(max(self.cursor_index, first), last))
        if self._cursor is not None:
            self.follow = False
        if self.follow:
            self.unseen = 0
        super().scrolled()

    def action_follow(self) -> None:
        if self.follow:
            self.in_window()  # settles where the end is, before it is held
            self.follow = False
            self.caption()
        else:
            self.action_end()

    def action_rows(self, rows: int) -> None:
        self.move_to(self.cursor_index + rows)

    def action_pages(self, pages: int) -> None:
        super().action_pages(pages)
        self._follow_from_end(pages)

    def action_top(self) -> None:
        self.move_to(0)

    def action_end(self) -> None:
        self.move_to(self.item_count() - 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.prevent_default()  # the parent's handler, which is called below
        super().on_mouse_scroll_down(event)
        self._follow_from_end(1)

    def _follow_from_end(self, direction: int) -> None:
        if direction > 0 and self.item_count() and self.window_at_end:
            self.action_end()

    def item_clicked(self, index: int) -> None:
        self.put_cursor(index)
        self.scrolled()
        self.repaint()
