"""What it costs to stay open: memory at size and beside an empty cluster, processor when nothing happens, growth."""

from __future__ import annotations

from collections.abc import Iterator

from bench.figures import Figure, mebibytes, median, seconds
from bench.platforms import BIG, Served, served
from bench.startup import ALL_LIVE
from bench.terminal import Terminal

SETTLED = 20.0
"""Seconds after all panes are live at which memory is read: what the start needed for a moment is gone."""

EMPTY_LIVE = "probes 7 live"
"""Without a metrics server one source has nothing to say."""

MEMORY_BAR = 200 * 2**20
SMALL, LARGE = 1_000, 10_000


def figures(*, quick: bool = False) -> Iterator[Figure]:
    minute = 10.0 if quick else 60.0
    with served(module="bench.empty") as platform:
        empty, _ = _memory_and_processor(platform, 1.0, EMPTY_LIVE)
    with served(*BIG) as platform:
        full, quiet = _memory_and_processor(platform, minute)
    held = full <= MEMORY_BAR
    measure = "resident memory at 5,000 pods, 500 nodes, 10,000 events"
    yield Figure(measure, mebibytes(full), "", "", "≤ 200 MB", held)
    ratio = full / empty
    yield Figure(
        "the same beside an empty cluster", mebibytes(full), mebibytes(empty), f"{ratio:.2f}", "≤ 2", ratio <= 2
    )
    yield Figure(
        f"processor over {minute:g} s, that cluster quiet", f"{quiet:.1%} of a core", "", "", "≤ 3 %", quiet <= 0.03
    )
    yield from _growth(2 if quick else 5)


def _memory_and_processor(platform: Served, during: float, live: str = ALL_LIVE) -> tuple[float, float]:
    """Resident bytes once settled, and the share of a core used during the seconds after that."""
    with Terminal(platform.console(), platform.environment) as terminal:
        terminal.wait(live)
        terminal.idle(SETTLED)
        resident, before = terminal.resident(), terminal.processor()
        terminal.idle(during)
        return resident, (terminal.processor() - before) / during


def _growth(times: int) -> Iterator[Figure]:
    lives: dict[int, float] = {}
    sizes: dict[int, float] = {}
    for pods in (SMALL, LARGE):
        with served("--pods", str(pods)) as platform:
            runs = [_live_and_memory(platform) for _ in range(times)]
        lives[pods] = median([live for live, _ in runs])
        sizes[pods] = median([memory for _, memory in runs])
    for what, values, words in (("time to live", lives, seconds), ("memory", sizes, mebibytes)):
        ratio = values[LARGE] / values[SMALL]
        measure = f"growth from {SMALL:,} to {LARGE:,} pods: {what}"
        yield Figure(
            measure, words(values[LARGE]), words(values[SMALL]), f"{ratio:.2f}", "≤ 10", ratio <= LARGE / SMALL
        )


def _live_and_memory(platform: Served) -> tuple[float, float]:
    with Terminal(platform.console(), platform.environment) as terminal:
        live = terminal.wait(ALL_LIVE) - terminal.started
        terminal.idle(5)
        return live, terminal.resident()
