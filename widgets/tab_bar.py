"""The row of panes at 80×24, where one is shown at a time: its number, its name, and how many are sick in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from msgspec import Struct
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from widgets.plain import crop, plain, width
from widgets.themed import Ink, Inks


class Tab(Struct, frozen=True):
    """One pane. ``short`` stands for ``name`` where there is little room.

    ``mark`` is ✗, ! or ``–`` (its source is stale) and ``count`` how many are sick; a healthy pane has neither.
    """

    id: str
    key: str
    name: str
    short: str = ""
    mark: str = ""
    count: int = 0


class TabBar(Widget):
    """Shows the tabs it is handed and which one is active. A click is reported."""

    INKS: ClassVar[Mapping[str, Ink]] = {
        "name": Ink("$foreground 70%"),
        "active": Ink(bold=True, reverse=True),
        "bad": Ink("$text-error", bold=True),
        "warn": Ink("$text-warning", bold=True),
    }

    DEFAULT_CSS = """
    TabBar {
        height: 1;
    }
    """

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, tab: Tab) -> None:
            super().__init__()
            self.tab = tab

    def __init__(
        self,
        tabs: Sequence[Tab] = (),
        active: str = "",
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.inks = Inks(self, self.INKS)
        self._tabs = tuple(tabs)
        self._active = active
        self._places: list[tuple[int, int, Tab]] = []

    def show(self, tabs: Sequence[Tab], active: str) -> None:
        """Shows other tabs, or another one as active (its ``id``)."""
        if (tuple(tabs), active) != (self._tabs, self._active):
            self._tabs, self._active = tuple(tabs), active
            self.refresh()

    @property
    def active(self) -> str:
        return self._active

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.inks.forget()

    def render_line(self, y: int) -> Strip:
        cells, base, ink = self.size.width, self.rich_style, self.inks.style
        # Every tab stays, whatever the width: it is names that give way, and the active one's last.
        for shorten in range(4):
            texts = [self._texts(tab, shorten) for tab in self._tabs]
            if sum(width(head) + width(sick) for head, sick in texts) <= cells:
                break
        segments: list[Segment] = []
        self._places, at = [], 0
        for tab, (head, sick) in zip(self._tabs, texts if self._tabs else [], strict=True):
            style = ink("active" if tab.id == self._active else "name")
            segments.append(Segment(head, style))
            if sick:
                segments.append(Segment(sick, ink("bad" if tab.mark == "✗" else "warn")))
            length = width(head) + width(sick)
            self._places.append((at, at + length, tab))
            at += length
        return Strip(segments).adjust_cell_length(cells, base)

    def _texts(self, tab: Tab, shorten: int) -> tuple[str, str]:
        name, short = plain(tab.name, 40), plain(tab.short or tab.name, 40)
        active = tab.id == self._active
        shown = (name, name if active else short, short if active else crop(short, 4), short if active else "")[shorten]
        head = f" {plain(tab.key, 3)} {shown} " if shown else f" {plain(tab.key, 3)} "
        sick = f"{plain(tab.mark, 2)}{tab.count or ''} " if tab.mark else ""
        return head, sick

    def on_click(self, event: events.Click) -> None:
        for start, end, tab in self._places:
            if start <= event.x < end:
                self.post_message(self.Chosen(tab))
                return
