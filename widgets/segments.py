"""`Segments`: one of a few words, chosen on one line by arrow, letter or click. The chosen one stands in brackets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from widgets.plain import plain, width


class Segment(Struct, frozen=True):
    """One word to choose. ``keys`` choose it at once, in Textual's notation."""

    id: str
    label: str
    keys: tuple[str, ...] = ()


class Segments(Widget, can_focus=True):
    """Ask `value`; `Changed` is posted when a person chose, not when the program did."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "previous", show=False, tooltip="The word before"),
        Binding("right,space", "step(1)", "next", show=False, tooltip="The next word"),
    ]
    DEFAULT_CSS = """
    Segments { height: 1; width: auto; color: $foreground 80%; }
    Segments:focus { color: $foreground; background: $primary 30%; }
    Segments:focus:nocolor { text-style: reverse; }
    """

    class Changed(Message):
        def __init__(self, segments: Segments, value: str) -> None:
            super().__init__()
            self.segments = segments
            self.value = value

        @property
        def control(self) -> Segments:
            return self.segments

    def __init__(self, choices: Sequence[Segment], value: str, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._choices = choices
        self._value = value

    @property
    def choices(self) -> Sequence[Segment]:
        return self._choices

    @choices.setter
    def choices(self, choices: Sequence[Segment]) -> None:
        """Others to choose among; a chosen one that is none of them gives way to the last."""
        self._choices = choices
        if all(choice.id != self._value for choice in choices):
            self._value = choices[-1].id
        self.refresh(layout=True)

    @property
    def value(self) -> str:
        return self._value

    @value.setter
    def value(self, value: str) -> None:
        if value != self._value:
            self._value = value
            self.refresh()

    def get_content_width(self, container: object, viewport: object) -> int:
        return sum(width(plain(choice.label)) + 2 for choice in self._choices)

    def render(self) -> Content:
        parts = []
        for choice in self._choices:
            label = plain(choice.label)
            chosen = choice.id == self._value
            parts.append((f"[{label}]", "bold") if chosen else (f" {label} ", "$foreground 60%"))
        return Content.assemble(*parts)

    def on_key(self, event: events.Key) -> None:
        for choice in self._choices:
            if event.key in choice.keys:
                event.stop()
                event.prevent_default()
                self._choose(choice.id)
                return

    def on_click(self, event: events.Click) -> None:
        begin = 0
        for choice in self._choices:
            end = begin + width(plain(choice.label)) + 2
            if begin <= event.x < end:
                self._choose(choice.id)
                return
            begin = end

    def action_step(self, by: int) -> None:
        ids = [choice.id for choice in self._choices]
        here = ids.index(self._value) if self._value in ids else 0
        self._choose(ids[(here + by) % len(ids)])

    def _choose(self, value: str) -> None:
        self.value = value
        self.post_message(self.Changed(self, value))
