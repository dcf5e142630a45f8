"""Inks are drawn as Textual would draw component classes with the same rules, in every theme."""

from __future__ import annotations

from typing import ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.widget import Widget

from tui.theme import THEMES
from widgets.themed import Ink, Inks

RULES = {
    "text": (Ink(), ""),
    "quiet": (Ink("$foreground 60%"), "color: $foreground 60%;"),
    "muted": (Ink("$text-muted"), "color: $text-muted;"),
    "bad": (Ink("$text-error", bold=True, reverse=True), "color: $text-error; text-style: bold reverse;"),
    "badge": (Ink("auto", on="$warning", bold=True), "background: $warning; color: auto; text-style: bold;"),
    "fixed": (Ink("#ffffff", on="#c8102e"), "background: #c8102e; color: #ffffff;"),
    "place": (Ink(on="$foreground 8%"), "background: $foreground 8%;"),
    "gone": (Ink("$accent", strike=True, italic=True), "color: $accent; text-style: strike italic;"),
}


class Written(Widget):
    """Has the same rules twice: as inks, and as component classes."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"written--{name}" for name in RULES}
    DEFAULT_CSS = "\n".join(f"Written > .written--{name} {{ {rule} }}" for name, (_, rule) in RULES.items())

    def __init__(self) -> None:
        super().__init__()
        self.inks = Inks(self, {name: ink for name, (ink, _) in RULES.items()})

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.inks.forget()


class Page(App[None]):
    CSS = "Written { background: $panel; } Written.-loud { background: $error 22%; color: $success; }"

    def compose(self) -> ComposeResult:
        yield Written()


@pytest.mark.asyncio
async def test_an_ink_is_what_a_component_class_with_its_rules_would_be() -> None:
    app = Page()
    async with app.run_test() as pilot:
        written = app.query_one(Written)
        for theme in THEMES:
            app.register_theme(theme)
        for name in (*(theme.name for theme in THEMES), "textual-dark", "textual-light"):
            app.theme = name
            for loud in (True, False):
                written.set_class(loud, "-loud")
                await pilot.pause()
                drawn = {rule: written.inks.style(rule) for rule in RULES}
                assert drawn == {rule: written.get_component_rich_style(f"written--{rule}") for rule in RULES}, name
