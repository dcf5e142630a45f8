"""Was that key meant? Tells a deliberate key from a repeated, pasted or stray one by when keys come.

Instants are monotonic seconds, as `textual.events.Event.time` has them.
"""

from __future__ import annotations

SHOWN = 0.7  # seconds that something must have been on the screen before it can be confirmed
CALM = 0.35  # seconds without any key before the one that confirms; a held key repeats every 0.03
TYPED = 0.012  # seconds per character: who types is slower than that, what is pasted is not

UNREAD = "that was too soon after the plan appeared: read it, then press again"
HASTY = "that came too fast after another key: wait a moment, then press again"
PASTED = "type the name: what is pasted or comes all at once does not confirm"


class Deliberation:
    """Hears of every key, whether it means something or not."""

    def __init__(self) -> None:
        self._shown_at = float("inf")
        self._pressed_at = float("-inf")
        self._before = float("-inf")
        self._first: float | None = None
        self._typed = 0

    def shown(self, at: float) -> None:
        """What would be confirmed is on the screen from now on; what was typed for something else does not count."""
        self._shown_at = at

    def pressed(self, at: float) -> None:
        """A key, any key."""
        self._before, self._pressed_at = self._pressed_at, at

    def typed(self, length: int, at: float) -> None:
        """The phrase has ``length`` characters now."""
        if length <= 1 or self._first is None:
            self._first = at if length else None
        self._typed = length

    def objection(self, at: float) -> str:
        """Why a confirmation by the key that came last does not count; empty if it does."""
        if at - self._shown_at < SHOWN:
            return UNREAD
        if self._pressed_at - self._before < CALM:
            return HASTY
        if self._typed > 1 and self._first is not None and self._before - self._first < TYPED * (self._typed - 1):
            return PASTED
        return ""
