"""Under load: from a key to the screen, and from the wire to the screen, with 200 changes a second going on."""

from __future__ import annotations

from collections.abc import Iterator

from bench.figures import Figure, median, p95, seconds
from bench.platforms import BIG, Served, Writer, served
from bench.startup import ALL_LIVE
from bench.terminal import Terminal

CURSOR = "▌"
"""What stands before the row under the cursor."""

TYPED = "the quick brown fox jumps over the lazy dog"
CHURN = ("--churn", "200")
WIRE_BAR = 0.4


def figures(*, quick: bool = False) -> Iterator[Figure]:
    times = 15 if quick else 60
    with served() as platform:
        quiet_moves, quiet_letters, _ = _used(platform, times)
    with served(*BIG, *CHURN) as platform:
        busy_moves, busy_letters, wire = _used(platform, times)
    yield _p95("cursor key to repaint, 5,000 pods at 200 changes/s", busy_moves, quiet_moves)
    yield _p95("letter typed to letter shown, the same", busy_letters, quiet_letters)
    held = p95(wire) <= WIRE_BAR
    shown = f"p95 {seconds(p95(wire))} (median {seconds(median(wire))})"
    yield Figure("an event written to the API to its row on the screen, the same", shown, "", "", "≤ 400 ms", held)


def _p95(measure: str, busy: list[float], quiet: list[float]) -> Figure:
    ratio = p95(busy) / p95(quiet)
    ours = f"p95 {seconds(p95(busy))} (median {seconds(median(busy))})"
    beside = f"p95 {seconds(p95(quiet))} (median {seconds(median(quiet))}) on the quiet scenario"
    return Figure(measure, ours, beside, f"{ratio:.2f}", "≤ 2", ratio <= 2)


def _used(platform: Served, times: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of each cursor key, each letter, and each event, on one console."""
    writer = Writer(platform)
    with Terminal(platform.console(), platform.environment) as terminal:
        terminal.wait(ALL_LIVE)
        terminal.idle(3)
        moves = _moves(terminal, times)
        terminal.send("n")
        terminal.idle(0.5)
        letters = []
        for _ in range(-(-times // len(TYPED))):
            letters += [_letter(terminal, TYPED[: number + 1]) for number in range(len(TYPED))]
            terminal.send("\x15")  # ctrl+u: empty again
            terminal.idle(0.5)
        terminal.send("\x1b")
        terminal.idle(0.5)
        wire = [_event(terminal, writer, f"Bm{number:04}") for number in range(times)]
    return moves, letters, wire


def _moves(terminal: Terminal, times: int) -> list[float]:
    """Down and up in turn, each until the cursor was painted on another row: changes repaint its row all the time."""
    terminal.send("j")
    _, row = terminal.wait_elsewhere(CURSOR, None)
    moves = []
    for number in range(times):
        terminal.idle(0.13)
        sent = terminal.send("kj"[number % 2])
        painted, row = terminal.wait_elsewhere(CURSOR, row)
        moves.append(painted - sent)
    return moves


def _letter(terminal: Terminal, text: str) -> float:
    terminal.idle(0.07)
    sent = terminal.send(text[-1])
    # A blank at the end cannot be told from the empty line; the letter before it can.
    return terminal.wait(text.rstrip(), 10) - sent


def _event(terminal: Terminal, writer: Writer, reason: str) -> float:
    terminal.idle(0.17)
    sent = writer.event(reason)
    return terminal.wait(reason, 10) - sent
