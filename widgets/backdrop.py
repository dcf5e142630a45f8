"""What is behind a dialog: the screen below, dimmed, at a price that a busy cluster can pay.

Textual's own backdrop takes every segment of the screen below through Rich each time (45 ms at 200×55), and the
panes below a plan go on changing. Here a line is dimmed again only when it reads differently.
"""

from __future__ import annotations

from typing import TypeVar

from rich.console import RenderableType
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.color import Color
from textual.css.styles import RulesMap
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual

ResultT = TypeVar("ResultT")


class Dialog(ModalScreen[ResultT]):
    """A modal screen over a dimmed one. ``background`` in its CSS is the tint, with its strength as alpha."""

    def render(self) -> RenderableType | Visual:  # type: ignore[override]  # Textual draws either; Screen says less
        behind = super().render()
        return Backdrop(behind.screen, behind.color) if isinstance(behind, BackgroundScreen) else behind


class Backdrop(Visual):
    """A screen's lines under a tint."""

    def __init__(self, screen: Screen[object], tint: Color) -> None:
        self._screen = screen
        self._tint = tint
        self._lines: list[tuple[Strip, Strip]] = []  # as they were last time, and dimmed
        self._styles: dict[RichStyle | None, RichStyle] = {}
        self._under = RichStyle()  # the dialog's own, where a segment has no colour

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        if style.rich_style != self._under:
            self._under, self._lines, self._styles = style.rich_style, [], {}
        before = self._lines
        self._lines = [
            before[y] if y < len(before) and before[y][0] == strip else (strip, self._dimmed(strip))
            for y, strip in enumerate(self._screen._compositor.render_strips()[:height])
        ]
        return [dimmed for _, dimmed in self._lines]

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self._screen.size.height

    def _dimmed(self, strip: Strip) -> Strip:
        return Strip([Segment(text, self._dim(style)) for text, style, _ in strip], strip.cell_length)

    def _dim(self, style: RichStyle | None) -> RichStyle:
        known = self._styles.get(style)
        if known is None:
            known = RichStyle() if style is None else style.clear_meta_and_links()
            color, background = known.color, known.bgcolor
            known += RichStyle.from_color(
                None if color is None else (Color.from_rich_color(color) + self._tint).rich_color,
                None if background is None else (Color.from_rich_color(background) + self._tint).rich_color,
            )
            known = self._styles[style] = self._under + known
        return known
