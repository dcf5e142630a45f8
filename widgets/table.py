"""`TablePane`: the widget under every table of the console. Line API: only what is on the screen is drawn.

A pane is handed snapshots and reports what the person did; it fetches nothing and starts nothing.
"""

from __future__ import annotations

from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from widgets.plain import plain
from widgets.table_canvas import TableCanvas
from widgets.table_data import RowT


class TablePane(TableCanvas[RowT], can_focus=True):
    """A table with a cursor, a filter and a freeze.

    The application asks it for `selected_key`, `selected_row`, `row_text`, `counts`, `title_text`; it tells `Opened`
    and `Selected`.
    """

    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = """
    TablePane { border: round $border-blurred; border-title-color: $foreground; border-subtitle-color: $text-muted; }
    TablePane:focus { border: round $border; }
    TablePane.-stale { border: round $border-blurred; border-subtitle-color: $warning; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "detail", id="table.open", tooltip="Show the row's detail and its raw object"),
        Binding("slash", "filter", "filter", key_display="/", id="table.filter", tooltip="Show only rows with a text"),
        Binding("f,space", "freeze", "freeze", id="table.freeze", tooltip="Hold the rows still while you read"),
        Binding("escape", "clear_filter", "show all", id="table.clear", show=False, tooltip="Clear the filter"),
        Binding("up,k", "move(-1)", "up", id="table.up", show=False, tooltip="The row above"),
        Binding("down,j", "move(1)", "down", id="table.down", show=False, tooltip="The row below"),
        Binding("pageup,ctrl+b", "page(-1)", "page up", id="table.page-up", show=False, tooltip="A page up"),
        Binding("pagedown,ctrl+f", "page(1)", "page down", id="table.page-down", show=False, tooltip="A page down"),
        Binding("home", "edge(-1)", "top", id="table.top", show=False, tooltip="The first row"),
        Binding("end,G", "edge(1)", "bottom", id="table.bottom", show=False, tooltip="The last row"),
    ]

    class Opened(Message):
        """Enter or a double click: the person wants to see this row."""

        def __init__(self, pane: TablePane[Any], key: str, row: object) -> None:
            super().__init__()
            self.pane = pane
            self.key = key
            self.row = row

        @property
        def control(self) -> TablePane[Any]:
            return self.pane

    class Selected(Message):
        """Another row is under the cursor: the person moved it, or the row went away. ``key`` None: there is no row."""

        def __init__(self, pane: TablePane[Any], key: str | None) -> None:
            super().__init__()
            self.pane = pane
            self.key = key

        @property
        def control(self) -> TablePane[Any]:
            return self.pane

    _told_key: str | None = None

    def settle(self) -> None:
        super().settle()
        if self.selected_key != self._told_key:
            self._told_key = self.selected_key
            self.post_message(self.Selected(self, self.selected_key))

    # -- what the person does ------------------------------------------------------------------------------------

    def on_focus(self) -> None:
        self.viewport.visited = True

    def action_move(self, lines: int) -> None:
        self.viewport.move_to(self.viewport.cursor + lines)
        self.settle()

    def go_to(self, key: str) -> bool:
        """Put the cursor on a row; a filter that hides it goes. False: there is no such row, or it is folded away."""
        if self.filter_text and self.viewport.rows.index(key) is None and self.row_of(key) is not None:
            self.action_clear_filter()
        index = self.viewport.rows.index(key)
        if index is None:
            return False
        self.viewport.visited = True
        self.viewport.move_to(index)
        self.settle()
        return True

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(self.viewport.page - 1, 1))

    def action_edge(self, direction: int) -> None:
        self.viewport.move_to(0 if direction < 0 else len(self.viewport.rows) - 1)
        self.settle()

    def action_open(self) -> None:
        key, row = self.selected_key, self.selected_row
        if key is not None and row is not None:
            self.post_message(self.Opened(self, key, row))

    def action_filter(self) -> None:
        self.typing = True
        self.settle()

    def action_clear_filter(self) -> None:
        self.typing = False
        self.set_filter("")

    def action_freeze(self) -> None:
        if self.frozen_since is None:
            self.hold(self.clock_now())
        else:
            self.release()
        self.settle()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # Without a filter escape belongs to whoever is above: it leaves a maximised pane, closes a screen.
        return bool(self.typing or self.filter_text) if action == "clear_filter" else True

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return self.typing and (character is not None or key in ("backspace", "ctrl+u", "enter", "escape"))

    def on_key(self, event: events.Key) -> None:
        if not self.typing:
            return
        text = self.filter_text
        if event.key == "enter":
            self.typing = False
        elif event.key == "escape":
            self.typing, text = False, ""
        elif event.key == "backspace":
            text = text[:-1]
        elif event.key == "ctrl+u":
            text = ""
        elif event.is_printable and event.character:
            text += event.character
        else:
            return
        event.stop()
        event.prevent_default()
        self.set_filter(text)

    def on_paste(self, event: events.Paste) -> None:
        if self.typing:
            event.stop()
            self.set_filter(self.filter_text + plain(event.text))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        line = -1 if offset is None else offset.y - 1
        if 0 <= line < len(self.viewport.shown()):
            self.viewport.move_to(self.viewport.top + line)
            self.settle()
            if event.chain == 2:
                self.action_open()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.viewport.scroll(3)
        self.settle()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.viewport.scroll(-3)
        self.settle()

    def on_blur(self) -> None:
        self.typing = False
        self.settle()
