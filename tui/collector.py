"""When the garbage collector may run: not while the console starts, and never again over what it started with.

Imports and first lists make hundreds of thousands of objects that stay. Walking through them finds nothing: it costs
about 5 % of the start, and later a pause of up to 100 ms (5,000 pods, 10,000 events) in the middle of a key press.
"""

from __future__ import annotations

import gc

YOUNG = 20_000
"""Net new objects between two collections of the youngest generation (Python's own default is 700)."""


def hold() -> None:
    """Switch it off, for the start."""
    gc.disable()


def release() -> None:
    """What is there now stays: leave it out of every later collection, and let those go on, less often.

    Does nothing unless it is held, so it may be called again and again.
    """
    if gc.isenabled():
        return
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
    gc.enable()
