"""Was that key meant? Tells a deliberate key from a repeated, pasted or stray one by when keys come.

Instants are monotonic seconds, as `textual.events.Event.time` has them.
"""

from __future__ import annotations

from collections import deque

SHOWN = 0.7  # seconds that something must have been on the screen before it can be confirmed
CALM = 0.35  # seconds without any key before the one that confirms; a held key repeats every 0.03
ALONE = 0.03  # seconds in which no other key may follow: a burst begins with a key that came after a pause, too
MOST = 512  # keys that are remembered
TYPED = 0.012  # seconds per character: who types is slower than that, what is pasted is not

UNREAD = "that was too soon after the plan appeared: read it, then press again"
HASTY = "that came too fast after another key: wait a moment, then press again"
PASTED = "type the name: what is pasted or comes all at once does not confirm"


class Deliberation:
    """Hears of every key, whether it means something or not."""

    def __init__(self) -> None:
        self._shown_at = float("inf")
        self._pressed: deque[float] = deque(maxlen=MOST)
        self.count = 0  # keys so far

    def shown(self, at: float) -> None:
        """What would be confirmed is on the screen from now on."""
        self._shown_at = at

    def pressed(self, at: float) -> None:
        """A key, any key."""
        self._pressed.append(at)
        self.count += 1

    def objection(self, at: float, typed: int = 0) -> str:
        """Why a confirmation by the key that came last does not count; empty if it does.

        ``typed`` is the length of the phrase that was typed before it, as fast as fingers are and no faster.
        """
        if at - self._shown_at < SHOWN:
            return UNREAD
        pressed = list(self._pressed)
        if len(pressed) > 1 and pressed[-1] - pressed[-2] < CALM:
            return HASTY
        letters = pressed[-1 - typed : -1] if typed > 1 else []
        if letters and letters[-1] - letters[0] < TYPED * (typed - 1):
            return PASTED
        return ""
