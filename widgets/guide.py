"""`GuidePane`: a scenario or phase as a checklist, and `GuidePanel`, the place beside the panes where it stands.

It draws the `GuideView` it is handed, and tells what the person wants done with a step. It does none of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Input

from widgets.guide_lines import Item, items
from widgets.guide_view import GuideView, StepView
from widgets.item_view import ItemView
from widgets.plain import crop, plain, width
from widgets.table_standing import fitting
from widgets.themed import Ink

_ENTER = {"look": "enter looks", "logs": "enter reads", "plan": "enter plans", "hand": ""}
_NOTING = ("enter saves the note", "esc leaves, the text stays")
LONGEST_NOTE = 1_000  # characters


class GuidePane(ItemView):
    """Hand it a view with `show`. The cursor stays on its step while what is said of it changes."""

    FOLLOWS: ClassVar[bool] = False

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "ask('run')", "run", id="guide.run", tooltip="Carry the step out: look, read logs, plan"),
        Binding("space", "ask('tick')", "tick", id="guide.tick", tooltip="Tick the step, or open it again"),
        Binding("o", "ask('show')", "show", id="guide.show", tooltip="Go to the pane or the logs it is about"),
        Binding("y", "ask('copy')", "copy", id="guide.copy", tooltip="Copy its code, with what is known filled in"),
        Binding("a,n", "ask('note')", "note", id="guide.note", tooltip="Write a note on the step"),
        Binding("escape", "leave", "close", id="guide.leave", tooltip="Close it; what is ticked stays so"),
        Binding("g", "leave", "close", id="guide.again", show=False),
        Binding("pagedown,ctrl+f", "pages(1)", "page down", show=False),
    ]

    INKS: ClassVar[Mapping[str, Ink]] = {
        "current": Ink(bold=True),
        "done": Ink("$foreground 60%"),
        "dim": Ink("$foreground 60%"),
        "heading": Ink("$foreground 60%"),
        "hand": Ink("$foreground 60%"),
        "good": Ink("$text-success", bold=True),
        "mark": Ink("$text-accent", bold=True),
        "way": Ink("$text-accent", bold=True),
        "code": Ink("$text-accent"),
        "found": Ink("$foreground 85%"),
        "warn": Ink("$text-warning"),
        "doing": Ink("$text-warning"),
    }

    class Asked(Message):
        """The person wants something done with a step. ``what``: run, tick, show, copy."""

        def __init__(self, pane: GuidePane, what: str, guide: str, step: str) -> None:
            super().__init__()
            self.pane = pane
            self.what = what
            self.guide = guide
            self.step = step

        @property
        def control(self) -> GuidePane:
            return self.pane

    class Left(Message):
        """Close the guide."""

    class NoteAsked(Message):
        """A note on the step under the cursor is to be typed."""

    def __init__(self, *, name: str | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name, id=id)
        self._view = GuideView()
        self._items: list[Item] = []
        self._step = ""  # under the cursor; empty until there is one
        self._shape = (-1, -1)
        self._captions = ("", "")
        self.noting = False  # a note is being typed below
        self.caption()

    # Data in, data out.

    def show(self, view: GuideView) -> None:
        """Draws another view; of another guide from its first open step on."""
        if view.id != self._view.id:
            first = next((step.id for step in view.steps if step.state == "open"), "")
            self._step = first or next((step.id for step in view.steps), "")
            self._items = []
            self.go_to(0)
        before = self._rows_here()
        self._view = view
        self._rebuild()
        index = self._index()
        if index is not None and self._rows_here() != before:
            self.reveal(index)  # what came of a step is seen at once
        self.caption()

    def _rows_here(self) -> int:
        index = self._index()
        return len(self._items[index].rows) if index is not None else 0

    @property
    def view(self) -> GuideView:
        return self._view

    @property
    def selected(self) -> StepView | None:
        return next((step for step in self._view.steps if step.id == self._step), None)

    def caption(self) -> None:
        """The border: which guide and how far; what the keys do with this step."""
        view, room = self._view, max(self.size.width - 4, 16)
        name, step = plain(view.name, 40), self.selected
        fits = "  ◀ fits" if view.fits else ""
        count = f"  {view.done} of {len(view.steps)} done"
        if width(name) + 2 + width(plain(view.title, 120)) + width(fits) + width(count) > room:
            count = f"  {view.done}/{len(view.steps)}"
        called = crop(plain(view.title, 120), max(room - width(name) - 2 - width(fits) - width(count), 8))
        title = Content.assemble(
            *(f"{name}  ", (called, "bold"), (fits, "bold $text-accent"), (count, "$foreground 60%"))
        )
        does = "" if step is None else _ENTER[step.way]
        usual = (does, "space ticks", "esc closes", "a note", "y copies", "o shows")
        hints = fitting(_NOTING if self.noting else usual, room)
        if (title.markup, hints) != self._captions:
            self._captions = title.markup, hints
            self.border_title, self.border_subtitle = title, Content(hints)

    # Items.

    def _rebuild(self) -> None:
        shape = self.text_width, self.size.height
        if shape != self._shape:
            self._shape, self._items = shape, []
        found = items(self._view, *shape, self._step)
        if found == self._items:
            return
        known = {item.key: item for item in self._items}
        self._items = found
        self.forget([item.key for item in found if known.get(item.key) != item])

    def _index(self) -> int | None:
        return next((index for index, item in enumerate(self._items) if item.step and item.step == self._step), None)

    def on_resize(self) -> None:
        self._rebuild()
        super().on_resize()
        index = self._index()
        if index is not None:
            self.reveal(index)
        self.caption()

    def item_count(self) -> int:
        return len(self._items)

    def item_key(self, index: int) -> Hashable:
        return self._items[index].key

    def item_rows(self, index: int, cells: int) -> Sequence[Strip]:
        return [Strip([Segment(text, self.ink(style)) for text, style in row]) for row in self._items[index].rows]

    def current_item(self) -> int | None:
        return self._index() if self.has_focus else None

    def item_clicked(self, index: int) -> None:
        if self._items[index].step:
            self._put(self._items[index].step)

    # Keys.

    def _put(self, step: str) -> None:
        self._step = step
        self._rebuild()
        index = self._index()
        if index is not None:
            self.reveal(index)
        self.repaint()
        self.caption()

    def action_rows(self, rows: int) -> None:
        steps = [step.id for step in self._view.steps]
        if not steps:
            return
        here = steps.index(self._step) if self._step in steps else -1
        index = here + (1 if rows > 0 else -1)
        if 0 <= index < len(steps):
            self._put(steps[index])
        else:
            self.scroll_rows(rows)  # what the cursor passes by can still be read

    def action_top(self) -> None:
        if self._view.steps:
            self._put(self._view.steps[0].id)
        self.go_to(0)

    def action_end(self) -> None:
        if self._view.steps:
            self._put(self._view.steps[-1].id)

    def action_ask(self, what: str) -> None:
        if self.selected is None:
            return
        if what == "note":
            self.post_message(self.NoteAsked())
        else:
            self.post_message(self.Asked(self, what, self._view.id, self._step))

    def action_leave(self) -> None:
        self.post_message(self.Left())


class GuidePanel(Vertical):
    """The guide, and under it a line for notes while one is being typed. A note is kept until it is saved."""

    ALLOW_MAXIMIZE = True

    DEFAULT_CSS = """
    GuidePanel { height: 1fr; }
    GuidePanel > #guide-note { height: 1; border: none; padding: 0 1; margin: 0 1; background: $panel; display: none; }
    GuidePanel > #guide-note:focus { background: $primary 20%; }
    GuidePanel.-noting > #guide-note { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "put_away", "leave", show=False)]

    class Noted(Message):
        """Record ``text`` as a note on a step, then call `saved` or `failed` on ``panel``."""

        def __init__(self, panel: GuidePanel, guide: str, step: str, text: str) -> None:
            super().__init__()
            self.panel = panel
            self.guide = guide
            self.step = step
            self.text = text

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._about = ("", "")  # guide and step that the note is on

    def compose(self) -> ComposeResult:
        yield GuidePane(id="guide-steps")
        yield Input(id="guide-note", compact=True, max_length=LONGEST_NOTE)

    @property
    def pane(self) -> GuidePane:
        return self.query_one("#guide-steps", GuidePane)

    @property
    def line(self) -> Input:
        return self.query_one("#guide-note", Input)

    @on(GuidePane.NoteAsked)
    def _ask(self, event: GuidePane.NoteAsked) -> None:
        event.stop()
        step = self.pane.selected
        if step is None:
            return
        about = (self.pane.view.id, step.id)
        if about != self._about:
            self._about, self.line.value = about, ""
        self.line.placeholder = f"note on: {plain(step.text, 80)} · enter saves · esc leaves"
        self._note(True)

    def _note(self, noting: bool) -> None:
        self.set_class(noting, "-noting")
        self.pane.noting = noting
        self.pane.caption()
        (self.line if noting else self.pane).focus()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if not text:
            self.action_put_away()
        elif not self.line.disabled:
            self.line.disabled = True  # until it is on disk: enter pressed twice saves once
            self.post_message(self.Noted(self, *self._about, text))

    def saved(self) -> None:
        self.line.disabled = False
        self.line.value = ""
        self.action_put_away()

    def failed(self) -> None:
        """It was not saved: the text stays to be tried again."""
        self.line.disabled = False
        self._note(True)

    def action_put_away(self) -> None:
        self._note(False)
