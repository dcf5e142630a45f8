"""A list to choose one from, which may be taken off the screen at any moment: also while it is being put there."""

from __future__ import annotations

import contextlib

from textual import events
from textual.css.query import NoMatches
from textual.widgets import Select


class ChoiceField(Select[str]):
    """Textual's, but for this: who leaves a dialog while its fields come must not take the console along."""

    def _on_mount(self, event: events.Mount) -> None:
        event.prevent_default()  # Textual would call the base's once more
        with contextlib.suppress(NoMatches):  # what it is made of is gone already
            super()._on_mount(event)

    def action_show_overlay(self) -> None:
        with contextlib.suppress(NoMatches):
            super().action_show_overlay()
