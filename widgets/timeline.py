"""The timeline's pane: every line with its time, mark and remarks, newest at the bottom, however many there are.

It draws what `show` and `update` hand it and reports what the person wants done with an entry; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from incident.entry import Line
from widgets.cursor_view import CursorView
from widgets.ink import Span, breaks, found, painted
from widgets.plain import ago, crop, width
from widgets.themed import Ink
from widgets.timeline_line import as_text, clock_of, day_of, mark_of, rows, tone
from widgets.timeline_shown import CHOICES, Lines, Shown

NO_ENTRIES = "No entries yet. Press n to write the first one."
_NARROW = 40  # cells; below this the seconds give way to the text


class TimelinePane(CursorView):
    """Shows a timeline, follows its end unless the reader has moved up, and keeps a cursor on an entry.

    ``local_time`` shows times in the local zone instead of UTC. Nothing in an entry is parsed as markup.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "detail", id="timeline.open", tooltip="The entry in full, with its evidence"),
        Binding("a", "amend", "amend", id="timeline.amend", tooltip="Correct this entry; what it said first stays"),
        Binding(
            "x", "retract", "retract", id="timeline.retract", tooltip="Say that this entry does not stand, and why"
        ),
        Binding("o", "choose(1)", "only …", id="timeline.only", tooltip="Only people, only probes, only mitigations …"),
        # No upper-case letter: those act, here as well.
        Binding("ctrl+o", "choose(-1)", "only …", id="timeline.only-back", show=False, tooltip="Only …, one back"),
    ]

    INKS: ClassVar[Mapping[str, Ink]] = {
        "time": Ink("$foreground 60%"),
        "remark": Ink("$foreground 60%"),
        "day": Ink("$foreground 60%"),
        "retracted": Ink("$foreground 60%", strike=True),
        "bad": Ink("$text-error", bold=True),
        "warn": Ink("$text-warning"),
        "declared": Ink("$text-warning"),
        "good": Ink("$text-success"),
        "act": Ink(bold=True),
        "unknown": Ink("$text-warning", bold=True, reverse=True),
        "update": Ink("$text-accent"),
        "found": Ink(reverse=True),
    }

    class Asked(Message):
        """The person wants something done with an entry, captured when the key was pressed."""

        def __init__(self, pane: TimelinePane, line: Line) -> None:
            super().__init__()
            self.pane = pane
            self.line = line
            self.entry_id = line.id

        @property
        def control(self) -> TimelinePane:
            return self.pane

    class Opened(Asked):
        """Show this entry in full."""

    class Amend(Asked):
        """Correct this entry."""

    class Retract(Asked):
        """This entry does not stand."""

    def __init__(
        self,
        *,
        local_time: bool = False,
        placeholder: str = NO_ENTRIES,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._local = local_time
        self._placeholder = placeholder
        self._shown = Shown()
        # What the reader looks at, as it was read: an update of the timeline moves indexes.
        self._cursor_line: Line | None = None
        self._top_line: Line | None = None
        self._counted = 0  # lines shown at the last look; the timeline's own list is live
        self._now: float | None = None
        self._attended: frozenset[str] = frozenset()
        self.caption()

    # Data in.

    def show(self, timeline: Lines | None, placeholder: str = NO_ENTRIES) -> None:
        """Shows another timeline from its end; without one, ``placeholder`` says why there is none."""
        self._shown.timeline = timeline
        self._placeholder = placeholder
        self._rewind()
        self._shown.select()
        self._counted = len(self._shown.lines)
        self.forget()
        self.caption()

    def update(self, changed: Collection[str]) -> None:
        """The lines with these ids were added or changed in the timeline that is shown."""
        before, top = self._counted, self._top
        self._shown.select()
        self._counted = len(self._shown.lines)
        self._relocate()
        if self.follow:
            self.unseen = 0
        else:
            self.unseen = max(self.unseen + self._counted - before - (self._top - top), 0)
        self.forget([(id_, day) for id_ in changed for day in (False, True)])
        self.caption()

    def tick(self, now: float) -> None:
        """Time has passed: ``now`` is in seconds."""
        self._now = now
        self.caption()

    @property
    def running(self) -> Collection[str]:
        """The intents (entry IDs) that somebody is at: any other without an outcome reads "outcome unknown"."""
        return self._attended

    @running.setter
    def running(self, entries: Collection[str]) -> None:
        before, self._attended = self._attended, frozenset(entries)
        if changed := before ^ self._attended:
            self.forget([(id_, day) for id_ in changed for day in (False, True)])

    @property
    def local_time(self) -> bool:
        return self._local

    @local_time.setter
    def local_time(self, local: bool) -> None:
        self._local = local
        self.forget()

    # Data out.

    @property
    def selected(self) -> Line | None:
        """The line under the cursor: the last one until the reader moves."""
        lines = self._shown.lines
        return lines[min(self.cursor_index, len(lines) - 1)] if lines else None

    @property
    def selected_id(self) -> str | None:
        line = self.selected
        return line.id if line else None

    def copy_text(self) -> str:
        """The selected line as text to be pasted somewhere else."""
        line = self.selected
        return as_text(line, self._local, line.id in self._attended) if line else ""

    def _rewind(self) -> None:
        """To the end, with nothing unseen."""
        self._cursor = self._cursor_line = self._top_line = None
        self.unseen, self.follow = 0, True

    def _relocate(self) -> None:
        """Finds the lines that the reader looks at and points to where they are now."""
        if self._cursor_line is not None:
            self._cursor = self._shown.find(self._cursor_line)
        if not self.follow and self._top_line is not None:
            index = self._shown.find(self._top_line)
            if index is None:
                index = min(self._shown.place(self._top_line), max(len(self._shown.lines) - 1, 0))
            self._top = index

    def query_changed(self) -> None:
        self._shown.needle = self.query_text
        self._shown.select()
        self._reselect()

    def action_choose(self, step: int) -> None:
        self._shown.step(step)
        self._reselect()

    def _reselect(self) -> None:
        self.unseen, self._counted = 0, len(self._shown.lines)
        self._relocate()
        if self._cursor is None:
            self._rewind()
        self.forget()
        if self._cursor is not None:
            self.reveal(self._cursor)
        self.caption()

    # The border.

    def heading(self) -> Content | None:
        total = len(self._shown.all)
        parts: list[str | tuple[str, str]] = ["Timeline"]
        if len(self._shown.lines) != total:
            parts.append(f"  {len(self._shown.lines):,} of {total:,}")
        elif total:
            parts.append(f"  {total:,}")
        if total and self._now is not None:
            newest = self._shown.all[-1]
            parts.append((f"  last {ago(self._now - newest.last_at / 1000)} ago", "$foreground 60%"))
        return Content.assemble(*parts)

    def footing(self) -> Content | None:
        if self._shown.timeline is None:
            return None
        parts: list[str | tuple[str, str]] = []
        if self.unseen and not self.follow:
            parts.append((f"▼ {self.unseen:,} new, end shows · ", "bold $warning"))
        if prompt := self.prompt():
            parts.append((prompt, "bold $primary"))
            parts.append(" · enter keeps · esc all" if self.typing else " · esc all")
            return Content.assemble(*parts)
        if self._shown.choice is not CHOICES[0]:
            parts.append((f"only {self._shown.choice.name}", "bold $primary"))
            parts.append(" · o next")
        else:
            parts.append("o only …")
        parts.append(" · / search · a amend · x retract")
        return Content.assemble(*parts)

    # Drawing.

    def item_count(self) -> int:
        return len(self._shown.lines) or 1

    def item_key(self, index: int) -> Hashable:
        return (self._shown.lines[index].id, self._begins_day(index)) if self._shown.lines else ""

    def current_item(self) -> int | None:
        return super().current_item() if self._shown.lines else None

    def _begins_day(self, index: int) -> bool:
        here = self._shown.lines[index].happened_at
        return index == 0 or day_of(self._shown.lines[index - 1].happened_at, self._local) != day_of(here, self._local)

    def item_rows(self, index: int, cells: int) -> Sequence[Strip]:
        if not self._shown.lines:
            return self._apology(cells)
        line = self._shown.lines[index]
        quiet, time, spot = self.ink("remark"), self.ink("time"), self.ink("found")
        clock = clock_of(line.happened_at, self._local)[: 8 if cells >= _NARROW else 5]
        indent = Segment(" " * (len(clock) + 3))
        room = max(cells - len(clock) - 3, 2)
        strips: list[Strip] = []
        if self._begins_day(index):
            day = f"── {day_of(line.happened_at, self._local)} "
            strips.append(Strip([Segment(crop(day + "─" * (cells - width(day)), cells), self.ink("day"))]))
        # The mark is not struck through, or it could not be told from another.
        head = [
            Segment(f"{clock} ", time),
            Segment(f"{mark_of(line)} ", quiet if line.retracted is not None else self.ink(tone(line))),
        ]
        for text, name in rows(line, self._local, line.id in self._attended):
            style = self.ink(name)
            spans = [Span(start, end, spot) for start, end in found(text, self.query_text)]
            for start, end in breaks(text, room):
                strips.append(Strip([*head, *painted(text, start, end, style, spans)]))
                head = [indent]
        return strips

    def _apology(self, cells: int) -> Sequence[Strip]:
        """What stands where there are no lines: why, and what to do."""
        total = len(self._shown.all)
        if total:
            what = f"“{self.query_text}”" if self.query_text else self._shown.choice.name
            way = "esc" if self.query_text else "o"
            text = (
                f"None of the {total:,} entries is {'about' if self.query_text else 'from'} {what}. {way} shows more."
            )
        else:
            text = self._placeholder
        style = self.ink("remark")
        return [Strip(painted(text, start, end, style)) for start, end in breaks(text, cells)]

    # What the person wants.

    def scrolled(self) -> None:
        super().scrolled()
        lines = self._shown.lines
        self._cursor_line = None if self._cursor is None or not lines else lines[self.cursor_index]
        self._top_line = None if self.follow or not lines else lines[min(self._top, len(lines) - 1)]

    def put_cursor(self, index: int | None) -> None:
        super().put_cursor(index if self._shown.lines else None)

    def _ask(self, what: type[Asked]) -> None:
        line = self.selected
        if line is not None:
            self.post_message(what(self, line))

    def action_open(self) -> None:
        self._ask(self.Opened)

    def action_amend(self) -> None:
        self._ask(self.Amend)

    def action_retract(self) -> None:
        self._ask(self.Retract)
