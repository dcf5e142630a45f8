"""What the interpreter does differently while the console starts: no garbage collections, and quicker turns of threads.

Imports and first lists make hundreds of thousands of objects that stay. Walking through them finds nothing: it costs
about 5 % of the start, and later a pause of up to 100 ms (5,000 pods, 10,000 events) in the middle of a key press.
"""

from __future__ import annotations

import gc
import sys

YOUNG = 20_000
"""Net new objects between two collections of the youngest generation (Python's own default is 700)."""

TURN = 0.0005
"""Seconds until a thread that imports lets the event loop have its turn. With Python's 5 ms the dozen turns that a
connection needs would add up to 60 ms; the additional switches cost less than can be measured."""

_usual_turn = sys.getswitchinterval()


def hold() -> None:
    """For the start: collections off, turns short."""
    gc.disable()
    sys.setswitchinterval(TURN)


def release() -> None:
    """What is there now stays: leave it out of every later collection, and let those go on, less often.

    Does nothing unless it is held, so it may be called again and again.
    """
    if gc.isenabled():
        return
    sys.setswitchinterval(_usual_turn)
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
    gc.enable()
