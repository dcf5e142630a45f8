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
    share: str
    bar: str
    held: bool | None

    def row(self) -> str:
        mark = {True: "yes", False: "**no**", None: ""}[self.held]
        return f"| {self.measure} | {self.ours} | {self.against} | {self.share} | {self.bar} | {mark} |"

    @classmethod
    def ratio(cls, measure: str, ours: Sequence[float], other: Sequence[float], beside: str, most: float) -> Figure:
        """Times against times: the medians' ratio may be at most ``most``."""
        ratio = median(ours) / median(other)
        return cls(measure, versus(ours), f"{versus(other)} {beside}", f"{ratio:.2f}", f"≤ {most:g}", ratio <= most)


HEADER = "| measure | warroom | beside | ratio | bar | held |\n| --- | --- | --- | --- | --- | --- |"


def versus(values: Sequence[float]) -> str:
    """Median and 95th percentile of seconds."""
    return f"{seconds(median(values))} (p95 {seconds(p95(values))})"


def seconds(value: float) -> str:
    if value < 0.01:
        return f"{value * 1000:.2f} ms"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def mebibytes(value: float) -> str:
    return f"{value / 2**20:.0f} MiB"
