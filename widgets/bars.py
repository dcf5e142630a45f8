"""Numbers as text: bars, sparklines, cores and bytes, each of a width that is known beforehand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

FULL = "█"
TRACK = "·"
_LEVELS = "▁▂▃▄▅▆▇"

_KI = 1024
_UNITS = ("Ki", "Mi", "Gi", "Ti", "Pi")


def bar(fraction: float, cells: int) -> tuple[str, str]:
    """A bar of ``cells`` cells as (filled, track). Anything above nothing shows at least one filled cell."""
    if not fraction > 0:  # not a number included
        return "", TRACK * cells
    filled = min(cells, max(1, round(min(fraction, 1.0) * cells)))
    return FULL * filled, TRACK * (cells - filled)


def sparkline(values: Sequence[float | None], cells: int, *, ceiling: float | None = None) -> str:
    """The last ``cells`` values, one character each, right-aligned; None is a gap.

    ``ceiling`` is the value of the tallest mark; by default the largest value. A flat line is drawn low.
    """
    shown = list(values[-cells:]) if cells > 0 else []
    known = [value for value in shown if value is not None and math.isfinite(value)]
    top = ceiling if ceiling is not None else max(known, default=0.0)
    marks = "".join(" " if value is None else _level(value, top) for value in shown)
    return marks.rjust(cells)


def _level(value: float, top: float) -> str:
    if not value > 0 or top <= 0:  # not a number included
        return _LEVELS[0]
    share = min(value, top) / top if math.isfinite(value) else 1.0
    return _LEVELS[int(share * (len(_LEVELS) - 1) + 0.5)]


def buckets(samples: Iterable[tuple[float, float]], cells: int, *, until: float, span: float) -> list[list[float]]:
    """Samples (instant, value) sorted into ``cells`` equal stretches of the ``span`` seconds before ``until``."""
    into: list[list[float]] = [[] for _ in range(cells)]
    if cells <= 0 or span <= 0:
        return into
    start = until - span
    for at, value in samples:
        if start <= at <= until:
            into[min(cells - 1, int((at - start) / span * cells))].append(value)
    return into


def cores(value: float) -> str:
    """Processor use as ``kubectl top`` prints it: ``410m``; from ten cores on ``12.5``."""
    return f"{round(value * 1000)}m" if value < 10 else f"{value:.1f}"


def size(value: float) -> str:
    """Bytes in at most six cells: ``388Mi``, ``12.4Gi``."""
    amount, unit = value / _KI, 0
    # Memory is spoken of in Mi up to ten Gi, as kubectl top does.
    while (amount >= 10 * _KI or unit == 0) and unit < len(_UNITS) - 1:
        amount, unit = amount / _KI, unit + 1
    return f"{amount:.0f}{_UNITS[unit]}" if amount >= 100 or unit == 1 else f"{amount:.1f}{_UNITS[unit]}"


def percent(fraction: float) -> str:
    """``91%``."""
    return f"{fraction * 100:.0f}%"


def latency(milliseconds: float) -> str:
    """``38 ms``, ``2.41 s``."""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"
