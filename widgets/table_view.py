"""The window onto a table's rows: which are on the screen, where the cursor is, and what a filter lets through."""

from __future__ import annotations

from typing import Generic, TypeVar

from widgets.table_rows import Rows

RowT = TypeVar("RowT")

_UNKNOWN_PAGE = 1_000  # before the first layout; a page of one would scroll to every new row


class Viewport(Generic[RowT]):
    """A cursor that is kept by key and is always on the screen, over rows that come, go and move.

    ``page`` is the number of rows that fit. A cursor that cannot be seen could be acted on by mistake, so wherever
    the window goes the cursor goes with it. Until the person comes to the pane (``visited``) the cursor is on the first
    row, whichever that is: nobody chose another.
    """

    def __init__(self, rows: Rows[RowT]) -> None:
        self.rows = rows
        self.page = _UNKNOWN_PAGE
        self.visited = False
        self.top = 0
        self.cursor = 0
        self.key: str | None = None

    @property
    def row(self) -> RowT | None:
        return None if self.key is None else self.rows.get(self.key)

    @property
    def below(self) -> int:
        """How many rows are under the window."""
        return max(0, len(self.rows) - self.top - self.page)

    def shown(self) -> list[tuple[str, RowT]]:
        return self.rows.window(self.top, self.top + self.page)

    def move_to(self, index: int) -> None:
        """Puts the cursor on a row, scrolling as little as possible."""
        self.cursor = max(0, min(index, len(self.rows) - 1))
        self.key = self.rows.key_at(self.cursor) if len(self.rows) else None
        self._clamp()

    def scroll(self, lines: int) -> None:
        """Moves the window; the cursor is pushed along by its edge."""
        self.top = max(0, min(self.top + lines, len(self.rows) - self.page))
        self.move_to(max(self.top, min(self.cursor, self.top + self.page - 1)))

    def settle(self) -> None:
        """After the rows changed: the cursor stays on its key, and that row on its line of the screen.

        At the very top the window stays there, so that what has just become sick is seen. If the row under the
        cursor is gone, the one that took its place has the cursor.
        """
        if not self.visited:
            self.move_to(0)
            return
        index = None if self.key is None else self.rows.index(self.key)
        if index is not None:
            if self.top > 0:
                self.top += index - self.cursor
            self.cursor = index
            self._clamp()
        else:
            self.move_to(self.cursor)

    def resize(self, page: int) -> None:
        """``page`` rows fit now. A pane that is not displayed has no room, and keeps its place for when it is."""
        if page > 0:
            self.page = page
            self._clamp()

    def _clamp(self) -> None:
        self.top = min(self.top, self.cursor)
        self.top = max(self.top, self.cursor - self.page + 1)
        self.top = max(0, min(self.top, len(self.rows) - self.page))

    def thumb(self) -> range:
        """The lines of the window that a scroll mark covers; empty if everything fits."""
        total = len(self.rows)
        if total <= self.page:
            return range(0)
        length = max(1, self.page * self.page // total)
        start = round(self.top / (total - self.page) * (self.page - length))
        return range(start, start + length)


class Filter:
    """Words that must all be in a row's text, or with ``!`` must not. Upper and lower case are the same."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        words = text.casefold().split()
        self._wanted = tuple(word for word in words if not word.startswith("!"))
        self._unwanted = tuple(word[1:] for word in words if word.startswith("!") and len(word) > 1)

    def __bool__(self) -> bool:
        return bool(self._wanted or self._unwanted)

    def admits(self, text: str) -> bool:
        """Whether a row with this (case-folded) text is shown."""
        for word in self._wanted:  # loops, because thousands of rows are asked at a key
            if word not in text:
                return False
        return not self._unwanted or all(word not in text for word in self._unwanted)

    def narrows(self, other: Filter) -> bool:
        """Whether it lets through nothing that ``other`` does not: a word was begun, or went on."""
        return bool(other._wanted) and self.text.startswith(other.text) and not self._unwanted
