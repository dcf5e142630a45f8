"""The frames of a console that has no terminal: rendered when a test looks, and not sixty times a second for nobody.

Textual renders every frame of a headless app and throws it away, which is half of what a test with a console costs.
Layout, styles, and all that goes with a frame for the widgets happen as ever; what it shows is rendered by `shown`.
"""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from textual import screen as textual_screen
from textual._compositor import Compositor
from textual._context import visible_screen_stack
from textual.app import App
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.strip import Strip

from tests import parsed_once, settled  # noqa: F401 (every app starts quicker, and keys are heard)
from tui.app import WarroomApp
from tui.options import ConsoleOptions


class HeardConsole(WarroomApp):
    """The console; what it tells in passing is kept in ``heard``, because it passes whoever listens."""

    def __init__(self, options: ConsoleOptions) -> None:
        super().__init__(options)
        self.heard: list[str] = []

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        self.heard.append(message)
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)


class UnwatchedConsole(HeardConsole):
    """The same, seen by nobody but who looks at `shown`."""


class _Frames(Compositor):
    """Counts the frames, and renders those of any app that is no `UnwatchedConsole`, as Textual does."""

    count = 0

    def render_update(
        self, full: bool = False, screen_stack: list[Screen[object]] | None = None, simplify: bool = False
    ) -> RenderableType | None:
        self.count += 1
        if self.root is None or not isinstance(self.root.app, UnwatchedConsole):
            return super().render_update(full, screen_stack, simplify)
        self._dirty_regions.clear()
        return None


textual_screen.Compositor = _Frames  # type: ignore[attr-defined]


def shown(app: App[Any]) -> list[Strip]:
    """What a terminal would show now."""
    visible_screen_stack.set(app._background_screens)  # of the task that looks: a dialog draws what is behind it
    return app.screen._compositor.render_strips()


def frame(app: WarroomApp) -> tuple[int, int]:
    """Differs from what it was at an earlier look if there was a frame since."""
    compositor = app.screen._compositor
    return id(compositor), getattr(compositor, "count", 0)
