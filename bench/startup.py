"""From the start of the process: to the first painted frame, and to every pane live."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench.figures import Figure, median, seconds, versus
from bench.platforms import BIG, Served, served
from bench.terminal import Terminal

BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("one static")

Bare().run()
"""

ALL_LIVE = "probes 8 live"
"""What the banner says when pods, nodes, workloads, events, usage, releases, endpoints and commits are all live."""


def figures(*, quick: bool = False) -> Iterator[Figure]:
    with served() as platform:
        yield from _first_frame(platform, 5 if quick else 25)
        yield from _small(platform, 5 if quick else 20)
    with served(*BIG) as platform:
        yield from _big(platform, 2 if quick else 7)


def _first_frame(platform: Served, times: int) -> Iterator[Figure]:
    ours, bare = [], []
    for _ in range(times):
        bare.append(bare_frame(platform))
        ours.append(frame(platform))
    yield Figure.ratio("process start to first painted frame", ours, bare, "bare Textual, one Static", 1.3)


def _small(platform: Served, times: int) -> Iterator[Figure]:
    bare, kubectl, ours, full = [], [], [], []
    for _ in range(times):
        bare.append(bare_frame(platform))
        kubectl.append(platform.kubectl())
        whole, live = until_live(platform)
        full.append(whole)
        ours.append(live)
    yield Figure("process start to the console's first full frame", versus(full), "", "", "", None)
    budget = median(bare) + 3 * median(kubectl)
    beside = f"{seconds(median(bare))} bare Textual + 3 × {seconds(median(kubectl))} kubectl = {seconds(budget)}"
    ratio = median(ours) / budget
    yield Figure("start to every pane live", versus(ours), beside, f"{ratio:.2f}", "≤ 1", ratio <= 1)


def _big(platform: Served, times: int) -> Iterator[Figure]:
    kubectl, ours = [], []
    for _ in range(times):
        kubectl.append(platform.kubectl())
        ours.append(until_live(platform)[1])
    yield Figure.ratio("the same at 5,000 pods, 500 nodes, 10,000 events", ours, kubectl, "one kubectl", 0.5)


def bare_frame(platform: Served) -> float:
    """Seconds until a Textual app with nothing but one Static has painted it."""
    with Terminal([sys.executable, "-c", BARE], platform.environment) as terminal:
        return terminal.wait("one static") - terminal.started


def frame(platform: Served) -> float:
    """Seconds until the console has painted its outline: the frame before anything is asked of anyone."""
    with Terminal(platform.console(), platform.environment) as terminal:
        return terminal.wait("opening …") - terminal.started


def until_live(platform: Served) -> tuple[float, float]:
    """Seconds until the console's own panes are painted, and until the banner says that all of them are live."""
    with Terminal(platform.console(), platform.environment) as terminal:
        full = terminal.wait("Timeline") and terminal.wait("probes ")
        terminal.wait("No incident yet")  # the timeline is open
        return full - terminal.started, terminal.wait(ALL_LIVE) - terminal.started
