"""Since when a database is near a limit, from the hour of its metrics. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probes.azure.rows import Database, Metric

HIGH = 80.0
NEAR = {"dtu_consumption_percent": 90.0, "cpu_percent": 90.0, "storage_percent": 85.0}
"""Percent of a limit from which on it counts as near, by metric; of others from `HIGH` on."""


def near_from(metric: Metric) -> float:
    return NEAR.get(metric.name, HIGH)


def high_since(metric: Metric, limit: float | None = None) -> float | None:
    """The first of the newest values in a row that are not below ``limit`` (by default the metric's own).

    None if the newest one is below.

    Of a metric that was high all the hour it is the hour's beginning: it may have been before that.
    """
    since, limit = None, near_from(metric) if limit is None else limit
    for at, value in reversed(metric.samples):
        if value is None:
            continue
        if value < limit:
            break
        since = at
    return since


def trouble_since(row: Database) -> float | None:
    """When the oldest of what is near its limit now came there; None if no metric says so."""
    found = (high_since(metric) for metric in row.metrics if metric.unit == "Percent")
    return min((at for at in found if at is not None), default=None)


def began(row: Database) -> float | None:
    """When its load came near a limit, if that is known: not of what was so all the hour, and not of a full disk."""
    dated = [
        at
        for metric in row.metrics
        if metric.unit == "Percent" and metric.name != "storage_percent" and (at := high_since(metric)) is not None
        if any(value is not None and sampled < at for sampled, value in metric.samples)
    ]
    return min(dated, default=None)


def trouble(row: Database) -> str:
    """What is wrong with it, in words: a status that is not Online, and what is near a limit; empty if nothing is."""
    return ", ".join((*([] if row.status == "Online" else [row.status]), *row.near))
