"""What is behind a dialog: the screen below as Textual itself would dim it, also while it changes."""

from __future__ import annotations

import pytest
from rich.style import Style
from rich.text import Text
from textual.app import App, ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from widgets.backdrop import Dialog

TINT = "background: #102030 60%; align: center middle;"


class Ours(Dialog[None]):
    CSS = f"Ours {{ {TINT} }} Ours Static {{ width: 12; height: 1; }}"

    def compose(self) -> ComposeResult:
        yield Static("the question")


class Theirs(ModalScreen[None]):
    CSS = f"Theirs {{ {TINT} }} Theirs Static {{ width: 12; height: 1; }}"

    def compose(self) -> ComposeResult:
        yield Static("the question")


class Below(App[None]):
    CSS = "#red { color: red; background: blue; } #plain { border: round green; }"

    def compose(self) -> ComposeResult:
        yield Static("✗ payment-service 支払い", id="red")
        yield Static(Text.assemble(("bold", "bold"), " and ", ("link", "link https://example.com")), id="plain")


def drawn(app: App[None]) -> list[list[tuple[str, Style | None]]]:
    """Every cell of the screen with its style."""
    strips = app.screen._compositor.render_strips()
    return [[(cell, style) for text, style, _ in strip for cell in text] for strip in strips]


@pytest.mark.parametrize("change", [False, True])
async def test_a_dialog_dims_what_is_below_as_textual_does(change: bool) -> None:
    found = []
    for dialog in (Ours(), Theirs()):
        app = Below()
        async with app.run_test(size=(60, 12)) as pilot:
            red = app.query_one("#red", Static)
            await app.push_screen(dialog)
            await pilot.pause()
            if change:
                red.update("✓ recovered")
                await pilot.pause()
            found.append(drawn(app))
    ours, theirs = found
    assert ours == theirs
    text = "\n".join("".join(cell for cell, _ in line) for line in ours)
    assert ("recovered" in text) is change
    assert "the question" in text
