"""Medians, percentiles and the table they are told in."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    """The 95th percentile, by the nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what was measured, against what, and the bar. ``held`` is None where there is no bar."""

    measure: str
    ours: str
    against: str
    ratio: str
    bar: str
    held: bool | None

    def row(self) -> str:
        mark = {True: "yes", False: "**no**", None: ""}[self.held]
        return f"| {self.measure} | {self.ours} | {self.against} | {self.ratio} | {self.bar} | {mark} |"


HEADER = "| measure | warroom | beside | ratio | bar | held |\n| --- | --- | --- | --- | --- | --- |"


def seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def mebibytes(value: float) -> str:
    return f"{value / 2**20:.0f} MiB"
