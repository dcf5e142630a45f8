"""How words are put down in a format: text from outside made inert, and the few that are said louder or softer."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from incident.escape import html, markdown


class Ink(Struct, frozen=True, kw_only=True):
    """``text`` makes any text one inert run; the others take what is inert already. ``gap`` parts lines in a cell."""

    text: Callable[[str], str]
    struck: Callable[[str], str]
    strong: Callable[[str], str]
    faint: Callable[[str], str]
    gap: str


MARKDOWN = Ink(
    text=markdown,
    struck=lambda text: f"~~{text}~~",
    strong=lambda text: f"**{text}**",
    faint=lambda text: f"_{text}_",
    gap="<br>",
)
HTML = Ink(
    text=html,
    struck=lambda text: f"<s>{text}</s>",
    strong=lambda text: f"<strong>{text}</strong>",
    faint=lambda text: f"<em>{text}</em>",
    gap="<br>",
)
