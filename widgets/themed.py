"""The colours that a widget draws its lines in, straight out of the theme.

Textual's component classes would do the same, and style a virtual node for each of them whenever the widget's own style
changes: 0.1 ms for each of the console's 150, at the start and again with every move of the focus.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from rich.style import Style
from textual.color import Color
from textual.widget import Widget

CLEAR: Final = Color(0, 0, 0, 0)


class Ink(NamedTuple):
    """How a piece of text looks beside the widget's own text.

    ``color`` and ``on`` (its background) are ``$variable`` of the theme, ``#rrggbb`` or ``auto`` (black or white,
    whichever stands out), each with a share of it if wanted, ``$foreground 60%``; empty: the widget's own. With
    ``light`` that is the colour on a light theme.
    """

    color: str = ""
    on: str = ""
    bold: bool | None = None
    italic: bool | None = None
    strike: bool | None = None
    reverse: bool | None = None
    light: str = ""


PLAIN: Final = Ink()


class Inks:
    """A widget's inks by name, each resolved when it is first used; a name that is not in ``table`` is `PLAIN`."""

    def __init__(self, widget: Widget, table: Mapping[str, Ink]) -> None:
        self._widget = widget
        self._table = table
        self._styles: dict[str, Style] = {}

    def forget(self) -> None:
        """The widget's style, or the theme, has changed."""
        self._styles.clear()

    def style(self, name: str) -> Style:
        """A piece of text with its background."""
        found = self._styles.get(name)
        if found is None:
            found = self._styles[name] = drawn(self._widget, self._table.get(name, PLAIN))
        return found


def drawn(widget: Widget, ink: Ink) -> Style:
    """An ink as this widget draws it now, on the background that its ancestors and itself have."""
    own, variables = widget.visual_style, widget.app.theme_variables
    below = own.background or CLEAR
    ground = below + _color(ink.on, variables, CLEAR)
    words = ink.light if ink.light and not widget.app.current_theme.dark else ink.color
    color = _color(words, variables, ground) if words else own.foreground or CLEAR
    return Style(
        color=(ground + color).rich_color if ground.a or color.a else None,
        bgcolor=ground.rich_color if ground.a else None,
        bold=own.bold if ink.bold is None else ink.bold,
        dim=own.dim,
        italic=own.italic if ink.italic is None else ink.italic,
        underline=own.underline,
        strike=own.strike if ink.strike is None else ink.strike,
        reverse=own.reverse if ink.reverse is None else ink.reverse,
    )


def _color(words: str, variables: Mapping[str, str], ground: Color) -> Color:
    """``$variable``, ``#rrggbb`` or ``auto``, and perhaps a share; a variable may stand for all of that again."""
    if not words:
        return CLEAR
    name, _, share = words.partition(" ")
    if name.startswith("$"):
        color = _color(variables[name[1:]], variables, ground)
    elif name == "auto":
        color = ground.get_contrast_text(1.0)
    else:
        color = Color.parse(name)
    return color.multiply_alpha(float(share.rstrip("%")) / 100) if share else color
