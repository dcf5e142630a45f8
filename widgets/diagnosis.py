"""`DiagnosisPane`: the investigation framework as a tree with its path lit, what fits, what changed before.

It draws the `DiagnosisView` it is handed, and tells what the person wants to see.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar, Literal

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from widgets.diagnosis_lines import Item, gap, side, tree
from widgets.diagnosis_view import DiagnosisView, PlaceView
from widgets.item_view import ItemView
from widgets.plain import plain
from widgets.themed import Ink

Part = Literal["tree", "side", "all"]
"""What a pane shows: on a wide terminal the tree and what is beside it have a pane each."""


AIRY = 40
"""Rows from which a row is left between two things."""


class DiagnosisPane(ItemView):
    """Hand it a view with `show`. The cursor stays on what it is on while the view changes around it."""

    FOLLOWS: ClassVar[bool] = False

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "show it", id="diagnosis.open", tooltip="Go to the row that is the evidence"),
        Binding("g", "guide", "guide", id="diagnosis.guide", tooltip="The guide of the scenario that fits"),
        Binding("y", "copy", "copy", id="diagnosis.copy", tooltip="Copy what the cursor is on (OSC 52)"),
    ]

    INKS: ClassVar[Mapping[str, Ink]] = {
        "path": Ink("$text-accent", bold=True),
        "lit": Ink(bold=True),
        "evidence": Ink("$foreground 85%"),
        "dim": Ink("$foreground 60%"),
        "yes": Ink("$text-success", bold=True),
        "no": Ink("$text-error", bold=True),
        "unknown": Ink("$text-warning", bold=True),
        "here": Ink("$text-accent", bold=True),
        "heading": Ink("$foreground 60%"),
        "span": Ink("$text-warning", bold=True),
    }

    class Jump(Message):
        """Show this row. ``place`` None: there is nothing that could be shown."""

        def __init__(self, pane: DiagnosisPane, place: PlaceView | None) -> None:
            super().__init__()
            self.pane = pane
            self.place = place

        @property
        def control(self) -> DiagnosisPane:
            return self.pane

    class Guide(Message):
        """Open the guide of this scenario (its id)."""

        def __init__(self, pane: DiagnosisPane, scenario: str) -> None:
            super().__init__()
            self.pane = pane
            self.scenario = scenario

        @property
        def control(self) -> DiagnosisPane:
            return self.pane

    class Copied(Message):
        """This text is to be copied; it is inert."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, part: Part = "all", *, name: str | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name, id=id)
        self._part: Part = part
        self._view = DiagnosisView()
        self._items: list[Item] = []
        self._width = -1
        self._key = ""  # of the item under the cursor; empty until there is one
        self._moved_by_hand = False

    # Data in.

    def show(self, view: DiagnosisView) -> None:
        """Draws another view; what reads the same is not painted again."""
        self._view = view
        self._rebuild()

    @property
    def part(self) -> Part:
        return self._part

    @part.setter
    def part(self, part: Part) -> None:
        if part != self._part:
            self._part = part
            self._rebuild()

    # Data out.

    @property
    def selected(self) -> Item | None:
        """What the cursor is on."""
        index = self._index()
        return self._items[index] if index is not None else None

    # Items.

    def _rebuild(self) -> None:
        cells = self.text_width
        if cells != self._width:
            self._width, self._items = cells, []
        airy = self.size.height >= AIRY
        items: list[Item] = []
        if self._part != "side":
            items += tree(self._view.nodes, cells, airy=airy)
        if self._part == "all":
            items.append(gap("gap:side"))
        if self._part != "tree":
            items += side(self._view, cells, airy=airy)
        if items == self._items:
            return
        known = {item.key: item for item in self._items}
        self._items = items
        if not self._moved_by_hand or self._index() is None:
            self._key = self._start()
        self.forget([item.key for item in items if known.get(item.key) != item])

    def _start(self) -> str:
        """Where the cursor is before anybody moved it: the last question that the path answered, or the first item."""
        asked = [node for node in self._view.nodes if node.lit and node.answer]
        keys = [item.key for item in self._items if item.stops]
        wanted = f"node:{asked[-1].id}" if asked else ""
        return wanted if wanted in keys else keys[0] if keys else ""

    def _index(self) -> int | None:
        return next((index for index, item in enumerate(self._items) if item.key == self._key), None)

    def on_resize(self) -> None:
        self._rebuild()
        super().on_resize()

    def item_count(self) -> int:
        return len(self._items)

    def item_key(self, index: int) -> Hashable:
        return self._items[index].key

    def item_rows(self, index: int, cells: int) -> Sequence[Strip]:
        return [Strip([Segment(text, self.ink(style)) for text, style in row]) for row in self._items[index].rows]

    def current_item(self) -> int | None:
        return self._index() if self.has_focus else None

    def item_clicked(self, index: int) -> None:
        if self._items[index].stops:
            self._put(index)

    # Keys.

    def _put(self, index: int) -> None:
        self._key, self._moved_by_hand = self._items[index].key, True
        self.reveal(index)

    def action_rows(self, rows: int) -> None:
        here = self._index()
        step = 1 if rows > 0 else -1
        index = (-1 if step > 0 else len(self._items)) if here is None else here
        while 0 <= (index := index + step) < len(self._items):
            if self._items[index].stops:
                self._put(index)
                return
        self.scroll_rows(step)  # what the cursor passes by can still be read

    def action_top(self) -> None:
        self.go_to(0)
        self._put_first(range(len(self._items)))

    def action_end(self) -> None:
        self._put_first(range(len(self._items) - 1, -1, -1))
        self.go_to_end()

    def _put_first(self, indexes: range) -> None:
        index = next((index for index in indexes if self._items[index].stops), None)
        if index is not None:
            self._put(index)

    def action_open(self) -> None:
        item = self.selected
        if item is not None:
            self.post_message(self.Jump(self, item.place if item.place is not None and item.place.pane else None))

    def action_guide(self) -> None:
        item = self.selected
        best = next((one.id for one in self._view.scenarios), "")
        chosen = item.scenario if item is not None and item.scenario else best
        self.post_message(self.Guide(self, chosen))

    def action_copy(self) -> None:
        item = self.selected
        if item is not None:
            self.post_message(self.Copied("\n".join(plain(line, 2_000) for line in item.text.split("\n"))))
