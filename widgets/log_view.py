"""The log view: all that a crashing workload writes, followed, searched and wrapped; nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from widgets.cursor_view import CursorView
from widgets.log_buffer import MOST_CHARACTERS, MOST_LINES, LogBuffer, LogLineLike
from widgets.log_paint import Source, colour, labels, log_rows, notice_row, stamp
from widgets.plain import clock, fit, plain, width
from widgets.table_standing import fitting
from widgets.themed import Ink

_SIDEWAYS = 16  # cells
_SHOWN_OF_LONGEST = 16_384


class LogView(CursorView):
    """Shows lines as they are appended, and follows them unless the reader has moved up.

    ``selected`` is the line under the cursor (the newest while following), for pinning and copying.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "wrap", "wrap", id="logs.wrap", tooltip="Wrap long lines, or cut them and scroll sideways"),
        Binding("t", "stamps", "times", id="logs.times", tooltip="Show the time of every line, or do not"),
        Binding("n", "match(1)", "next", id="logs.next", tooltip="The next line that matches the search"),
        Binding("N", "match(-1)", "previous", id="logs.previous", tooltip="The previous line that matches"),
        Binding("o", "only", "only matches", id="logs.only", tooltip="Show only lines that match, or all of them"),
        Binding("b", "run", "run before", id="logs.run", tooltip="The run before the last restart, or the current one"),
        Binding("left,h", "sideways(-1)", "left", id="logs.left", show=False, tooltip="Scroll long lines"),
        Binding("right", "sideways(1)", "right", id="logs.right", show=False, tooltip="Scroll long lines"),
    ]

    INKS: ClassVar[Mapping[str, Ink]] = {
        "time": Ink("$foreground 60%"),
        "notice": Ink("$foreground 60%"),
        "bad": Ink("$text-error", bold=True),
        "warn": Ink("$text-warning", bold=True),
        "found": Ink(reverse=True),
        "gap": Ink("$text-warning", bold=True),
        "source-0": Ink("#7fb4ff", light="#0550ae"),
        "source-1": Ink("#8fd18a", light="#116329"),
        "source-2": Ink("#d7a6ff", light="#6f2da8"),
        "source-3": Ink("#5fd7d7", light="#00605f"),
        "source-4": Ink("#e6b673", light="#7d4e00"),
        "source-5": Ink("#ff9ec7", light="#99286e"),
    }

    class RunAsked(Message):
        """Show the logs of the previous run (``previous``) or of the current one."""

        def __init__(self, control: LogView, previous: bool) -> None:
            super().__init__()
            self._control = control
            self.previous = previous

        @property
        def control(self) -> LogView:
            return self._control

    def __init__(
        self,
        title: str = "",
        *,
        previous: bool = False,
        local_time: bool = False,
        most_lines: int = MOST_LINES,
        most_characters: int = MOST_CHARACTERS,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.wrap = False
        self.timestamps = True
        self.only_matches = False
        self._local = local_time
        self._bounds = (most_lines, most_characters)
        self.begin(title, previous=previous)

    # Data in.

    def begin(self, title: str, *, previous: bool = False) -> None:
        """Starts over with another log. ``title`` says whose; ``previous``: of the run before the last restart."""
        self._whose = title
        self.previous = previous
        self._buffer = LogBuffer(*self._bounds)
        self._sources: dict[Source, int] = {}
        self._labels: dict[Source, str] = {}
        self._label_cells = 0
        self._offset = 0
        self._search_from: int | None = None
        self._buffer.search(self.query_text)
        self.unseen, self._cursor, self.follow = 0, None, True
        self.forget()
        self.caption()

    def append(self, batch: Sequence[LogLineLike]) -> None:
        """Adds lines at the end. Cheap: nothing is measured or drawn that is not on the screen."""
        if not batch:
            return
        before = self.item_count()
        self._buffer.append(batch)
        self._meet(batch)
        added = self.item_count() - before
        self._bound()
        if not self.follow:
            self.unseen += added
        self.repaint()
        self.caption()

    @property
    def local_time(self) -> bool:
        return self._local

    @local_time.setter
    def local_time(self, local: bool) -> None:
        self._local = local
        self.forget()

    # Data out.

    @property
    def selected(self) -> LogLineLike | None:
        """The line under the cursor, if it is one."""
        index = self.cursor_index
        number = self._number(index) if index >= 0 else None
        return None if number is None else self._buffer[number]

    def copy_text(self) -> str:
        """The selected line as it came, in one line."""
        line = self.selected
        return plain(line.text, limit=len(line.text) + 1) if line else ""

    @property
    def dropped(self) -> int:
        """How many of the oldest lines are not in the view any more."""
        return self._buffer.dropped

    @property
    def line_count(self) -> int:
        """How many lines are in the view."""
        return len(self._buffer)

    # Sources.

    def _meet(self, batch: Sequence[LogLineLike]) -> None:
        new = {(line.pod, line.container) for line in batch if line.kind == "log"} - self._sources.keys()
        if not new:
            return
        for source in sorted(new):
            self._sources[source] = colour(source, self._sources.values())
        self._labels = labels(self._sources)
        self._label_cells = max(map(width, self._labels.values()))
        self.forget()

    def _bound(self) -> None:
        shown = self.item_count()
        if not self._buffer.trim(slack=1 if self.follow else 2):
            return
        self.shift(self.item_count() - shown)
        self.forget(["dropped"])

    # Items: the notice about what was dropped, then lines by number, all of them or only matches.

    @property
    def _head(self) -> int:
        return 1 if self._buffer.dropped else 0

    @property
    def _filtered(self) -> bool:
        return self.only_matches and bool(self._buffer.needle)

    def _number(self, index: int) -> int | None:
        index -= self._head
        if index < 0:
            return None
        return self._buffer.matches[index] if self._filtered else self._buffer.dropped + index

    def _index(self, number: int) -> int:
        """Where a line is among the items; the match itself or the next one, while only matches are shown."""
        if self._filtered:
            rank = self._buffer.rank(number)
            after = self._buffer.match_after(number)
            found = rank if rank is not None else self._buffer.rank(after) if after is not None else None
            return self._head + (found or 1) - 1
        return self._head + number - self._buffer.dropped

    def item_count(self) -> int:
        return self._head + (len(self._buffer.matches) if self._filtered else len(self._buffer))

    def item_key(self, index: int) -> Hashable:
        number = self._number(index)
        return "dropped" if number is None else (number, self._offset)

    def item_rows(self, index: int, cells: int) -> Sequence[Strip]:
        number = self._number(index)
        if number is None:
            return notice_row(self._dropped_sentence(), cells, self.ink("gap"), "!")
        line = self._buffer[number]
        time = f"{stamp(line.at, self._local)} " if self.timestamps else ""
        if line.kind != "log":
            label = "/".join(filter(None, (line.pod, line.container)))
            text = f"{time.strip()}  {label}  {line.text}" if label else f"{time.strip()}  {line.text}"
            gap = line.kind == "gap"
            return notice_row(text.strip(), cells, self.ink("gap" if gap else "notice"), "!" if gap else "·")
        source = (line.pod, line.container)
        prefix = [Segment(time, self.ink("time"))] if time else []
        if self._label_cells:
            shown = fit(self._labels[source], self._label_cells)
            prefix.append(Segment(f"{shown} ", self.ink(f"source-{self._sources[source]}")))
        return log_rows(line, prefix, cells, self.ink, self._buffer.needle, wrap=self.wrap, offset=self._offset)

    def _dropped_sentence(self) -> str:
        oldest = self._buffer.oldest_at
        since = f", oldest now {clock(oldest, self._local)}" if oldest is not None else ""
        return f"{self._buffer.dropped:,} older lines dropped from view{since}"

    # Search.

    def action_query(self) -> None:
        self._search_from = self._here()  # every letter searches from here, not from where the last one led
        super().action_query()

    def query_changed(self) -> None:
        here = self._search_from if self.typing else self._here()
        self._buffer.search(self.query_text)
        self._visit(here, 0)

    def _here(self) -> int | None:
        """The number of the line under the cursor."""
        return self._number(self.cursor_index) if self.item_count() else None

    def _visit(self, here: int | None, step: int) -> None:
        """Goes to a match beside line ``here``; with ``step`` 0 to the nearest one at or above it."""
        self.forget()
        if here is None or here < self._buffer.dropped:
            here = max(self._buffer.end - 1, self._buffer.dropped)
        buffer = self._buffer
        number = buffer.match_after(here) if step > 0 else buffer.match_before(here if step else here + 1)
        if number is not None:
            self.move_to(self._index(number), centre=True)
        elif not self._filtered and len(self._buffer):
            if not self.follow:
                self.move_to(self._index(here), centre=True)
        else:
            self._cursor, self.follow = None, True
        self.caption()

    def action_match(self, step: int) -> None:
        if not self.query_text:
            self.action_query()
            return
        self._visit(self._here(), step)

    def action_only(self) -> None:
        here, following = self._here(), self.follow
        self.only_matches = not self.only_matches
        self._cursor = None
        if following:
            self.forget()
            self.caption()
        else:
            self._visit(here, 0)

    # Views.

    def action_wrap(self) -> None:
        self.wrap = not self.wrap
        self._offset = 0
        self.forget()
        if not self.follow:
            self.reveal(self.cursor_index)
        self.caption()

    def action_stamps(self) -> None:
        self.timestamps = not self.timestamps
        self.forget()

    def action_sideways(self, step: int) -> None:
        if self.wrap:
            return
        longest = max((len(self._text_at(index)) for index, _ in self.in_window()), default=0)
        self._offset = max(min(self._offset + step * _SIDEWAYS, min(longest, _SHOWN_OF_LONGEST) - _SIDEWAYS), 0)
        self.forget()
        self.caption()

    def _text_at(self, index: int) -> str:
        number = self._number(index)
        return "" if number is None else self._buffer[number].text

    def action_run(self) -> None:
        self.post_message(self.RunAsked(self, not self.previous))

    # The border.

    def heading(self) -> Content | None:
        parts: list[str | tuple[str, str]] = [f"Logs  {plain(self._whose, 120)}".rstrip()]
        if self.previous:
            parts.append(("  PREVIOUS RUN", "bold $text-warning"))
        parts.append((f"  {len(self._buffer):,} lines", "$foreground 60%"))
        if self._buffer.dropped:
            parts.append((f"  {self._buffer.dropped:,} older dropped", "bold $text-warning"))
        if self._offset:
            parts.append((f"  → {self._offset}", "$foreground 60%"))
        return Content.assemble(*parts)

    def footing(self) -> Content | None:
        parts: list[str | tuple[str, str]] = []
        if not self.follow:
            said = f"▼ {self.unseen:,} new, end follows" if self.unseen else "not following"
            parts.append((f"{said} · ", "bold $text-warning"))
        if prompt := self.prompt():
            count, rank = len(self._buffer.matches), None
            if count and (number := self._here()) is not None:
                rank = self._buffer.rank(number)
            place = f"{rank:,} of {count:,}" if rank else f"{count:,} found" if count else "not found"
            only = "only matches · " if self.only_matches else ""
            parts += [(prompt, "bold $text-accent"), f"  {only}{place} · n N · o only · esc ends"]
            return Content.assemble(*parts)
        hints = ("following" if self.follow else "", "/ search", f"w {'cut' if self.wrap else 'wrap'}", "t times")
        run = "b current run" if self.previous else "b run before"
        parts.append(fitting([*hints, run], max(self.size.width - 40, 20)))
        return Content.assemble(*parts)
