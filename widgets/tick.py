"""Yes or no, told by a mark and a word and not by a colour."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Checkbox


class Tick(Checkbox):
    """``[x] yes`` or ``[ ] no``; enter, space or a click turn it over."""

    DEFAULT_CSS = """
    Tick { border: none; padding: 0; background: transparent; width: 9; }
    Tick.-textual-compact:focus { border: none; background: $primary 20%; }
    """

    def __init__(self, value: bool, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("", value, id=id, compact=True)

    def render(self) -> Content:
        return Content.assemble(("[x]" if self.value else "[ ]", "bold"), " yes " if self.value else " no ")
