"""Hypothesis tries the same examples in every run, so that a failure is one of the change at hand.

``WARROOM_EXAMPLES`` (see `tests.breadth`) asks for more, and then for others each time.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("suite", derandomize=True)
if "WARROOM_EXAMPLES" not in os.environ:
    settings.load_profile("suite")
