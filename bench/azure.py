"""What Azure costs: keys among 10,000 operations and 50 databases, memory, and that the first frame pays nothing."""

from __future__ import annotations

from collections.abc import Iterator

from bench.figures import Figure, mebibytes, median, p95, seconds
from bench.load import CURSOR
from bench.platforms import Served, served, without_azure
from bench.startup import frame
from bench.terminal import Terminal

KEY_BAR = 0.060
MEMORY_BAR = 60 * 2**20
FRAME_BAR = 1.1
LIVE, WITHOUT_LIVE = "probes 11 live", "probes 8 live"
SETTLED = 20.0


def figures(*, quick: bool = False) -> Iterator[Figure]:
    with served(module="bench.azure_platform", azure=True) as platform:
        without = without_azure(platform)
        yield _frames(platform, without, 3 if quick else 15)
        yield from _keys_and_memory(platform, without, 15 if quick else 60)


def _frames(platform: Served, without: Served, times: int) -> Figure:
    ours, beside = [], []
    for _ in range(times):
        beside.append(frame(without))
        ours.append(frame(platform))
    return Figure.ratio("process start to first painted frame, with Azure", ours, beside, "without it", FRAME_BAR)


def _keys_and_memory(platform: Served, without: Served, times: int) -> Iterator[Figure]:
    with Terminal(without.console(), without.environment) as terminal:
        terminal.wait(WITHOUT_LIVE)
        terminal.idle(SETTLED)
        bare = terminal.resident()
    with Terminal(platform.console(), platform.environment) as terminal:
        terminal.wait(LIVE)
        terminal.idle(SETTLED)
        resident = terminal.resident()
        changes, databases = _moves(terminal, "5", times), _moves(terminal, "7", times)
    for pane, moves in (("changes", changes), ("databases", databases)):
        shown = f"p95 {seconds(p95(moves))} (median {seconds(median(moves))})"
        measure = f"cursor key to repaint in the {pane}, 10,000 operations and 50 databases"
        yield Figure(measure, shown, "", "", "p95 ≤ 60 ms", p95(moves) <= KEY_BAR)
    more = f"{mebibytes(resident - bare)} more"
    yield Figure(
        "resident memory, the same",
        mebibytes(resident),
        mebibytes(bare),
        more,
        "≤ 60 MB more",
        resident - bare <= MEMORY_BAR,
    )


def _moves(terminal: Terminal, pane: str, times: int) -> list[float]:
    terminal.send(pane)
    terminal.idle(0.5)
    terminal.send("j")
    _, row = terminal.wait_elsewhere(CURSOR, None)
    moves = []
    for number in range(times):
        terminal.idle(0.13)
        sent = terminal.send("kj"[number % 2])
        painted, row = terminal.wait_elsewhere(CURSOR, row)
        moves.append(painted - sent)
    return moves
