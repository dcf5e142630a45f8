"""`KeptLines`: a widget that is asked again for lines which did not change hands over what it handed over before.

Textual renders every widget that touches the box around all that has changed. On a console where each pane's age ticks
that box is the whole screen, every second: two thirds of a repaint went into lines that stayed as they were.
"""

from __future__ import annotations

from typing import Any

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class KeptLines(Widget):
    """Draws as `Widget` does. Leans on the cache of Textual's ``StylesCache``, which knows what is dirty."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self._kept: dict[int, tuple[Strip, Strip]] = {}  # by line: as Textual has it cached, and as it was handed over
        self._kept_as: object = None

    def render_lines(self, crop: Region) -> list[Strip]:
        cache = self._styles_cache
        seen_as = (self.outer_size, self.app.theme, self.opacity)
        if seen_as != self._kept_as or crop.column_span != (0, self.outer_size.width):
            self._kept.clear()
            self._kept_as = seen_as
            return super().render_lines(crop)
        cached, dirty, kept = cache._cache, cache._dirty_lines, self._kept
        stale = [y for y in crop.line_range if y in dirty or y not in kept or cached.get(y) is not kept[y][0]]
        if stale:
            top, end = stale[0], stale[-1] + 1
            strips = super().render_lines(Region(crop.x, top, crop.width, end - top))
            kept.update((y, (cached[y], strip)) for y, strip in zip(range(top, end), strips, strict=True))
        return [kept[y][1] for y in crop.line_range]
