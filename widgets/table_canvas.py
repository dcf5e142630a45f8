"""`TableCanvas`: draws a table's data on the screen, and marks only those lines that read differently than before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.strip import Strip

from probes.freshness import Freshness, Snapshot, State
from widgets.columns import Column, share
from widgets.kept_lines import KeptLines
from widgets.plain import clock, crop, plain, width
from widgets.table_data import RowT, TableData
from widgets.table_draw import THUMB, Cursor, Palette, draw_header, draw_row, draw_sentences
from widgets.table_standing import SEPARATOR, fitting, sentences, standing
from widgets.themed import Ink, Inks

Parts = list[str | tuple[str, str]]  # of a label: text, or text and its style
Shown = list[tuple[str, RowT, object]]  # key, row, and what varies in its cells, for each line of the screen

_STRIPS = 2000  # drawn lines kept
NO_KEYS: frozenset[str] = frozenset()


def _alike(before: Freshness, after: Freshness) -> bool:
    return (before.state, before.since, before.detail) == (after.state, after.since, after.detail)


class TableCanvas(TableData[RowT], KeptLines):
    """A table that is handed snapshots with `show`, and the time once a second with `tick`.

    ``clock_now`` is where it takes the time from between ticks.
    """

    INKS: ClassVar[Mapping[str, Ink]] = {
        "strong": Ink(bold=True),
        "dim": Ink("$text-muted"),
        "dormant": Ink("$text-muted"),
        "header": Ink("$text-muted"),
        "failing": Ink("$error", bold=True),
        "degraded": Ink("$warning"),
        "healthy": Ink("$success"),
        "accent": Ink("$accent"),
        "mark": Ink("$accent"),
        "cursor": Ink("$block-cursor-foreground", on="$block-cursor-background"),
        "place": Ink(on="$foreground 8%"),
    }

    local_time: reactive[bool] = reactive(False, repaint=False, init=False)

    def __init__(
        self,
        *,
        where: str = "",
        name: str | None = None,
        id: str | None = None,  # noqa: A002  Textual's name for it
        classes: str | None = None,
    ) -> None:
        KeptLines.__init__(self, name=name, id=id, classes=classes)
        TableData.__init__(self, where)
        self.clock_now: Callable[[], float] = time.time
        self.typing = False  # the filter is being typed
        self.inks = Inks(self, self.INKS)
        self._palette = Palette(self._resolve)
        self._drawn_columns: tuple[Column, ...] = ()
        self._natural: list[int] = []
        self._widths: tuple[int, ...] = ()
        self._measured: dict[str, tuple[RowT, object]] = {}
        self._strips: dict[tuple[str, Cursor, bool], tuple[RowT, object, Strip]] = {}
        self._painted: list[object] = []
        self._labels: dict[str, Parts] = {}
        self._fitted = Size(0, 0)
        self._header: Strip | None = None
        self._sentences: list[tuple[str, str]] = []
        self._sentence_strips: list[Strip] | None = None

    # -- what the application uses -------------------------------------------------------------------------------

    def show(self, snapshot: Snapshot[Any]) -> None:
        """Draws a snapshot of one of the pane's `SOURCES`; while the pane is frozen it is only counted."""
        before = self._snapshots.get(snapshot.source)
        self.accept(snapshot)
        if before is not None and snapshot.changed == NO_KEYS and _alike(before.freshness, snapshot.freshness):
            return  # the source has proved itself once more: the age is drawn with the next tick
        self.now = self.clock_now()
        self.settle()

    def tick(self, now: float) -> None:
        """A second has passed: draws again the ages and the freshness that read differently now, nothing else."""
        self.now = now
        self.settle()

    def set_filter(self, text: str) -> None:
        """As if the person had typed it after ``/``; an empty text shows everything."""
        self.filter_by(text)
        self.settle()

    def redraw(self) -> None:
        """Forgets everything drawn: the cells look different though no row has changed."""
        self._strips.clear()
        self._measured.clear()
        self._painted.clear()
        self._header = self._sentence_strips = None
        self.settle()

    @property
    def title_text(self) -> str:
        return "" if self._border_title is None else self._border_title.plain

    @property
    def subtitle_text(self) -> str:
        return "" if self._border_subtitle is None else self._border_subtitle.plain

    # -- drawing -------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        total = self.size.width
        if not self._widths or self._drawn_columns != self.columns():
            return self._blank(total)  # a frame before the first size; settling draws it again
        if y == 0:
            if self._header is None:
                self._header = draw_header(self._drawn_columns, self._widths, total, self._palette)
            return self._header
        line = y - 1
        shown = self.viewport
        if not len(shown.rows):
            return self._sentence_line(line, total)
        index = shown.top + line
        if index >= len(shown.rows):
            return self._blank(total)
        strip = self._row_strip(shown.rows.key_at(index), self._cursor(index), total - 1)
        mark = THUMB if line in shown.thumb() else " "
        return Strip([*strip, Segment(mark, self._palette.style("dim"))], total)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self.viewport.rows) + 1

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.inks.forget()
        self._palette = Palette(self._resolve)
        self._strips.clear()
        self._header = self._sentence_strips = None

    def _resolve(self, name: str) -> Style:
        style = self.inks.style(name)
        if not self.app.no_color:
            return style
        # Without colours red is a dark grey and a blue row hardly one: the loudest must not become the faintest.
        if name in ("failing", "degraded"):
            return style + Style(color=self.inks.style("text").color)
        return style + Style(reverse=True) if name == "cursor" else style

    def _blank(self, total: int) -> Strip:
        return Strip.blank(total, self._palette.style("text"))

    def _sentence_line(self, line: int, total: int) -> Strip:
        if self._sentence_strips is None:
            self._sentence_strips = draw_sentences(self._sentences, total, self.viewport.page, self._palette)
        return self._sentence_strips[line] if line < len(self._sentence_strips) else self._blank(total)

    def _cursor(self, index: int) -> Cursor:
        if index != self.viewport.cursor:
            return Cursor.ELSEWHERE
        return Cursor.HERE if self.has_focus else Cursor.PLACE

    def _row_strip(self, key: str, cursor: Cursor, total: int) -> Strip:
        row = self.viewport.rows.get(key)
        assert row is not None
        dim = not self.freshness_of(self.source_of(row)).live
        varying = self.varying(row, self.now)
        known = self._strips.get((key, cursor, dim))
        if known is not None and known[0] is row and known[1] == varying:
            return known[2]
        cells = self.cells(row, self.now)
        strip = draw_row(cells, self._drawn_columns, self._widths, total, self._palette, cursor=cursor, dim=dim)
        if len(self._strips) >= _STRIPS:
            self._strips.clear()
            self._measured.clear()
        self._strips[key, cursor, dim] = (row, varying, strip)
        return strip

    # -- what differs --------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Brings the screen up to what the data is now, by marking the lines that differ."""
        if not self.is_attached or not self.size:
            return
        total, height = self.size
        self.viewport.resize(height - 1)
        shown = [(key, row, self.varying(row, self.now)) for key, row in self.viewport.shown()]
        self._settle_columns(total, shown)
        lines = self._lines(shown)
        before, self._painted = self._painted, lines
        differing = [y for y, line in enumerate(lines) if y >= len(before) or before[y] != line]
        if len(differing) * 2 > len(lines):
            self.refresh(Region(0, 0, total, height))
        else:
            for y in differing:
                self.refresh(Region(0, y, total, 1))
        self._settle_border()

    def _settle_columns(self, total: int, shown: Shown[RowT]) -> None:
        columns = self.columns()
        if columns != self._drawn_columns:
            self._drawn_columns = columns
            self._natural = []
            self._measured.clear()
        if not self._natural:
            self._natural = [0] * len(columns)
        # Columns grow with the widest text seen and never shrink back: a table that breathes cannot be read.
        for key, row, varying in shown:
            known = self._measured.get(key)
            if known is None or known[0] is not row or known[1] != varying:
                self._measured[key] = (row, varying)
                wide = (cell.cells for cell in self.cells(row, self.now))
                self._natural = [max(pair) for pair in zip(self._natural, wide, strict=True)]
        widths = share(columns, self._natural, total - 2)
        if widths != self._widths:
            self._widths = widths
            self._strips.clear()
            self._painted.clear()
            self._header = None

    def _lines(self, shown: Shown[RowT]) -> list[object]:
        """One comparable thing per line of the content: a line is drawn again when its thing differs."""
        view = self.viewport
        if not shown:
            sentences_now = self._nothing()
            if sentences_now != self._sentences:
                self._sentences, self._sentence_strips = sentences_now, None
            return [None, *[tuple(sentences_now)] * view.page]
        thumb = view.thumb()
        live = {source: self.freshness_of(source).live for source in self.SOURCES}
        lines: list[object] = [None]
        for line, (key, row, varying) in enumerate(shown):
            cursor = self._cursor(view.top + line)
            lines.append((key, row, varying, cursor, live[self.source_of(row)], line in thumb))
        return lines + [None] * (view.page + 1 - len(lines))

    def _nothing(self) -> list[tuple[str, str]]:
        if self._row_filter and self._placed:
            return [(f"nothing here matches {self.filter_text}", "degraded"), ("esc shows all", "dim")]
        told = (
            sentence
            for source in self._telling_sources()
            for sentence in sentences(self.freshness_of(source), self.what, self.empty_sentence())
        )
        return list(dict.fromkeys(told))

    def _telling_sources(self) -> list[str]:
        """The sources that explain why there is nothing: the row sources that are not live, or else all of them."""
        rows = [source for source in self.SOURCES if source in self.ROW_SOURCES]
        return [source for source in rows if not self.freshness_of(source).live] or rows

    # -- the border ----------------------------------------------------------------------------------------------

    def _settle_border(self) -> None:
        state = self.freshness.state
        self.set_class(state not in (State.LIVE, State.LOADING), "-stale")
        room = max(self.size.width - 4, 1)
        self._label_border("_border_title", self._title(), -1)
        self._label_border("_border_subtitle", [self._subtitle(room)], self.size.height)

    def _label_border(self, attribute: str, parts: Parts, y: int) -> None:
        """Sets a label without parsing markup and draws its line only, where Textual's own setter redraws the pane."""
        if self._labels.get(attribute) != parts:
            self._labels[attribute] = parts
            setattr(self, attribute, Content.assemble(*parts).rstrip())
            self.refresh(Region(-1, y, self.size.width + 2, 1))

    def _title(self) -> Parts:
        parts: Parts = [(f"{self.NAME}  ", "bold")]
        if self.typing or self._row_filter:
            caret = "▏" if self.typing else ""
            parts += [(f" /{self.filter_text}{caret} ", "reverse"), f" {len(self.viewport.rows)} shown  "]
        if self.frozen_since is not None:
            since = clock(self.frozen_since, self.local_time, self.now)
            parts += [(f" FROZEN since {since} ", "reverse"), f" {self.waiting} changes waiting  "]
        # A pane that was refused or never answered has no counts: nought would look healthy.
        if self._placed or self.freshness.live:
            parts.append(self.summary())
        return parts

    def _subtitle(self, room: int) -> str:
        now = standing(self.freshness, self.now)
        if self.typing:
            return fitting(("enter keeps", "esc clears", "!word hides", now), room)
        if not self._placed and not self.freshness.live:
            return now.split(SEPARATOR)[0]  # the pane itself says the rest
        shown = self.viewport
        place = " ".join(f"{arrow} {count}" for arrow, count in (("↑", shown.top), ("↓", shown.below)) if count)
        thaw = "f thaws" if self.frozen_since is not None else ""
        hint = "esc shows all" if self._row_filter else "/ filter"
        detail = plain(self.freshness.detail) if self.freshness.live else ""
        notice = crop(detail, max(room - width(now) - width(SEPARATOR), 1)) if detail else ""
        # A remark tells of something that is missing from the rows: cut, but never left out for want of room.
        left = room - width(SEPARATOR.join(filter(None, (now, notice, thaw))) + SEPARATOR)
        remarks = [crop(said, max(left, 1)) for said in self.remarks()]
        return fitting((now, notice, thaw, *remarks, place, self.ORDER, hint), room)

    def watch_local_time(self) -> None:
        self.redraw()

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        """Textual tells of a new size after the frame that has it: without this, a console's first one is empty."""
        changed = super()._size_updated(size, virtual_size, container_size, layout)
        if changed:
            self._fit()
        return changed

    def on_resize(self) -> None:
        if self._fitted != self.size:
            self._fit()

    def _fit(self) -> None:
        self._fitted = self.size
        self._natural = []
        self.redraw()

    def on_focus(self) -> None:
        self.settle()
