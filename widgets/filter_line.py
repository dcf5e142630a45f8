"""The ``/`` line of an item view: typed into the pane's own border, so that it costs no row and no widget."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content

from widgets.item_view import ItemView
from widgets.plain import plain

_LONGEST = 200


class SearchableView(ItemView):
    """An item view that can be searched. While ``typing``, every printable key belongs to the query.

    ``query_text`` is what was typed, inert. A subclass decides what it means (filter or find) in `query_changed`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "query", "search", key_display="/", id="paper.search", tooltip="Search this pane for a text"),
        Binding("escape", "clear_query", "clear search", id="paper.clear", show=False, tooltip="End the search"),
    ]

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name, id=id, classes=classes)
        self.query_text = ""
        self.typing = False
        self._title: Content | None = None
        self._subtitle: Content | None = None

    def query_changed(self) -> None:
        """``query_text`` changed."""

    def query_entered(self) -> None:
        """Enter was pressed: the query stays, keys are the pane's again."""

    def heading(self) -> Content | None:
        """The border's title. Never parsed as markup."""
        return None

    def footing(self) -> Content | None:
        """The border's subtitle. Never parsed as markup."""
        return None

    def caption(self) -> None:
        """Brings the border up to date; repaints only if its text changed."""
        title, subtitle = self.heading(), self.footing()
        if not _same(title, self._title):
            self._title = title
            self.border_title = title
        if not _same(subtitle, self._subtitle):
            self._subtitle = subtitle
            self.border_subtitle = subtitle

    def prompt(self) -> str:
        """The query as the border shows it, with a cursor while it is being typed; empty without one."""
        if self.typing:
            return f"/{self.query_text}▏"
        return f"/{self.query_text}" if self.query_text else ""

    def scrolled(self) -> None:
        self.caption()

    def set_query(self, text: str) -> None:
        """Searches for ``text``; an empty text ends the search."""
        text = plain(text, _LONGEST)
        if text != self.query_text:
            self.query_text = text
            self.query_changed()
        self.caption()

    def action_query(self) -> None:
        self.typing = True
        self.caption()

    def action_clear_query(self) -> None:
        self.typing = False
        self.set_query("")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # Escape belongs to whoever is above, unless there is a search to end.
        if action == "clear_query":
            return bool(self.query_text) or self.typing
        return super().check_action(action, parameters)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return self.typing and character is not None and character.isprintable()

    def on_blur(self) -> None:
        self.typing = False
        self.caption()

    async def _on_key(self, event: events.Key) -> None:
        if not self.typing:
            await super()._on_key(event)
            return
        if event.is_printable and event.character is not None:
            self.set_query(self.query_text + event.character)
        elif event.key in ("backspace", "ctrl+h"):
            if not self.query_text:
                self.typing = False
            self.set_query(self.query_text[:-1])
        elif event.key == "ctrl+u":
            self.set_query("")
        elif event.key == "ctrl+w":
            self.set_query(self.query_text.rstrip().rpartition(" ")[0])
        elif event.key == "enter":
            self.typing = False
            self.query_entered()
            self.caption()
        elif event.key == "escape":
            self.action_clear_query()
        else:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        if self.typing:
            event.stop()
            self.set_query(self.query_text + " ".join(event.text.split()))


def _same(new: Content | None, old: Content | None) -> bool:
    if new is None or old is None:
        return new is old
    return new.plain == old.plain and new.spans == old.spans
