"""A long text to be read: a raw object as YAML, an entry with its evidence. Searched, wrapped, inert."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.strip import Strip

from widgets.filter_line import SearchableView
from widgets.ink import Span, breaks, found, painted
from widgets.plain import plain, width
from widgets.table_standing import fitting
from widgets.themed import Ink

LONGEST = 16_384  # characters of a line that are drawn; the rest is said
_SIDEWAYS = 16  # cells

# A key of a mapping, possibly the first of a list's item: enough to find one's way, not a YAML parser.
_KEY = re.compile(r"^(?P<indent>[\s-]*)(?P<key>[^\s:#\"'\[{][^:]{0,100}|\"[^\"]{0,100}\"):(?=\s|$)")
_HEADING = re.compile(r"^(# .*|---.*)$")


class DetailView(SearchableView):
    """Shows ``text`` from its beginning. ``title`` stands in the border, ``remark`` at its lower edge."""

    FOLLOWS = False

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "wrap", "wrap", id="detail.wrap", tooltip="Wrap long lines, or cut them and scroll sideways"),
        Binding("n", "match(1)", "next", id="detail.next", tooltip="The next match of the search"),
        Binding("N", "match(-1)", "previous", id="detail.previous", tooltip="The previous match of the search"),
        Binding("left,h", "sideways(-1)", "left", id="detail.left", show=False, tooltip="Scroll long lines"),
        Binding("right", "sideways(1)", "right", id="detail.right", show=False, tooltip="Scroll long lines"),
    ]

    INKS: ClassVar[Mapping[str, Ink]] = {
        "key": Ink("$text-accent"),
        "comment": Ink("$foreground 60%"),
        "found": Ink(reverse=True),
    }

    def __init__(
        self,
        text: str = "",
        *,
        title: str = "",
        remark: str = "",
        yaml: bool = True,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.wrap = True
        self._match: int | None = None  # the line whose match was visited last
        self.show(text, title=title, remark=remark, yaml=yaml)

    def show(self, text: str, *, title: str = "", remark: str = "", yaml: bool = True) -> None:
        """Shows another text from its beginning; with ``yaml`` its keys are told from its values."""
        self.text = text
        self._lines = text.splitlines()
        self._whose, self._remark, self._yaml = title, remark, yaml
        self._offset, self._match = 0, None
        self._top = self._skip = 0
        self._find()
        self.forget()
        self.caption()

    def copy_text(self) -> str:
        """The whole text as it is."""
        return self.text

    @property
    def line_count(self) -> int:
        return len(self._lines)

    # Items: the lines.

    def item_count(self) -> int:
        return len(self._lines)

    def current_item(self) -> int | None:
        return self._match

    def item_rows(self, index: int, cells: int) -> Sequence[Strip]:
        raw = self._lines[index]
        text = plain(raw, LONGEST)
        if len(raw) > LONGEST:
            text += f" ({len(raw):,} characters)"
        base, spans = self.ink("text"), []
        indent = 0
        if self._yaml:
            indent = min(len(text) - len(text.lstrip(" -")), cells // 2)
            if key := _KEY.match(text):
                spans.append(Span(*key.span("key"), self.ink("key")))
            elif _HEADING.match(text):
                base = self.ink("comment")
        spans += [Span(start, end, self.ink("found")) for start, end in found(text, self.query_text)]
        if not self.wrap:
            return [Strip(painted(text, 0, len(text), base, spans)).crop(self._offset, self._offset + cells)]
        if width(text) <= cells:
            return [Strip(painted(text, 0, len(text), base, spans))]
        # Continued rows stand under the value, so that the indentation still tells the structure.
        body = [(start + indent, end + indent) for start, end in breaks(text[indent:], max(cells - indent, 8))]
        rows = [Strip(painted(text, 0, body[0][1], base, spans))]
        rows += [Strip([Segment(" " * indent), *painted(text, start, end, base, spans)]) for start, end in body[1:]]
        return rows

    # Search.

    def _find(self) -> None:
        needle = self.query_text.lower()
        self._matches = [index for index, line in enumerate(self._lines) if needle in line.lower()] if needle else []

    def query_changed(self) -> None:
        self._find()
        self._match = None
        self.forget()
        if self._matches:
            index = bisect_left(self._matches, self.top_item())
            self._visit(self._matches[index if index < len(self._matches) else 0])

    def _visit(self, line: int) -> None:
        self._match = line
        self.reveal(line, centre=True)
        self.caption()

    def action_match(self, step: int) -> None:
        if not self.query_text:
            self.action_query()
        elif self._matches:
            here = self.top_item() if self._match is None else self._match
            index = bisect_right(self._matches, here) if step > 0 else bisect_left(self._matches, here) - 1
            self._visit(self._matches[index % len(self._matches)])

    # Views.

    def action_wrap(self) -> None:
        self.wrap = not self.wrap
        self._offset = 0
        self.forget()
        self.caption()

    def action_sideways(self, step: int) -> None:
        if self.wrap:
            return
        longest = max((len(self._lines[index]) for index, _ in self.in_window()), default=0)
        self._offset = max(min(self._offset + step * _SIDEWAYS, min(longest, LONGEST) - _SIDEWAYS), 0)
        self.forget()
        self.caption()

    # The border.

    def heading(self) -> Content | None:
        parts: list[str | tuple[str, str]] = [plain(self._whose, 200)] if self._whose else []
        parts.append((f"{'  ' if self._whose else ''}{len(self._lines):,} lines", "$foreground 60%"))
        if self._offset:
            parts.append((f"  → {self._offset}", "$foreground 60%"))
        return Content.assemble(*parts)

    def footing(self) -> Content | None:
        if prompt := self.prompt():
            count = len(self._matches)
            place = "not found"
            if count:
                rank = bisect_left(self._matches, self._match) + 1 if self._match is not None else 0
                place = f"{rank:,} of {count:,} lines" if rank else f"{count:,} lines"
            return Content.assemble((prompt, "bold $text-accent"), f"  {place} · n N · esc ends")
        hints = (plain(self._remark, 120), "/ search", f"w {'cut' if self.wrap else 'wrap'}", "y copy")
        return Content(fitting(hints, max(self.size.width - 4, 20)))
