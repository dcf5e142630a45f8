"""The acts under way, one row each, over the key bar: what, on what, how far, how long. Gone when there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from msgspec import Struct
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from widgets.banner_state import countdown
from widgets.pieces import Piece, laid_out
from widgets.plain import crop, plain
from widgets.themed import Ink, Inks

MOST = 4  # rows


class ActRow(Struct, frozen=True):
    """One act. ``verdict`` is empty while it is under way; ``style`` is good, bad, warn or dim."""

    mark: str
    title: str
    phase: str
    news: str
    seconds: float
    verdict: str = ""
    style: str = "warn"


class ActsStrip(Widget):
    """Shows the rows it is handed, the newest last; more than `MOST` are counted."""

    INKS: ClassVar[Mapping[str, Ink]] = {
        "strong": Ink(bold=True),
        "dim": Ink("$foreground 60%"),
        "good": Ink("$text-success"),
        "bad": Ink("$text-error", bold=True),
        "warn": Ink("$text-warning", bold=True),
        "key": Ink("$text-accent", bold=True),
    }

    DEFAULT_CSS = """
    ActsStrip {
        height: auto;
        background: $panel;
    }
    """

    def __init__(self, *, key: str = "w", name: str | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name, id=id)
        self.inks = Inks(self, self.INKS)
        self._rows: tuple[ActRow, ...] = ()
        self._key = key

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.inks.forget()

    def show(self, rows: Sequence[ActRow]) -> None:
        """Draws other rows."""
        taller = min(len(rows), MOST) != min(len(self._rows), MOST)
        if tuple(rows) != self._rows:
            self._rows = tuple(rows)
            self.refresh(layout=taller)

    @property
    def rows(self) -> tuple[ActRow, ...]:
        return self._rows

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return min(len(self._rows), MOST)

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        cells = max(self.size.width, 1)
        shown = self._rows[-MOST:]
        if y >= len(shown):
            return Strip.blank(cells, base)
        return laid_out(self._pieces(shown[y], last=y == len(shown) - 1), cells, self.inks.style, base)

    def _pieces(self, row: ActRow, *, last: bool) -> list[Piece]:
        title, news = plain(row.title, 200), plain(row.news, 300)
        pieces = [
            Piece((row.mark,), row.style),
            Piece(tuple(crop(title, most) for most in (120, 60, 40, 24)), "strong", 1, 1),
            Piece((row.verdict or row.phase,), row.style, 0),
            Piece(tuple(crop(news, most) for most in (300, 120, 80, 50, 30, 16)), "text", 4),
            Piece((countdown(row.seconds),), "dim", 3),
        ]
        hidden = len(self._rows) - MOST
        if last:
            more = f"{hidden} more · " if hidden > 0 else ""
            pieces.append(Piece((f"{more}{self._key} shows all", self._key), "key", 5, 3))
        return pieces
