"""How many examples Hypothesis tries. A run of the suite tries a few; ``WARROOM_EXAMPLES=10`` ten times as many.

Tests whose examples take milliseconds leave the number to tests/conftest.py; this is for those that open a console for
each.
"""

from __future__ import annotations

import os

FACTOR = float(os.environ.get("WARROOM_EXAMPLES", "1"))


def examples(number: int) -> int:
    """``number``, times what somebody asked for."""
    return max(1, round(number * FACTOR))
