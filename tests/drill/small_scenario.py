"""A small cluster that starts in a tenth of a second: what tests of mitigations need, and nothing else.

One release that went bad (payment-service 1.5.0 crash-loops), services that are well with a past to go back to, a
StatefulSet whose image has no curl, a DaemonSet of the cluster's own, and a host outside that answers.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from drill.scenario import parse
from tests.drill.mitigation_desk import desk

SMALL_FILE = Path(__file__).with_name("small-scenario.yaml")
"""For ``warroom drill FILE``, and `drill.serve`'s ``--scenario FILE``."""

SMALL = parse(SMALL_FILE.read_text(encoding="utf-8"), source=SMALL_FILE.name)

village = partial(desk, scenario=SMALL)
"""A desk in front of it."""
