"""An incident drawn to scale: its timeline, and vital signs through it, as SVG. No script, nothing loaded.

All drawings share one scale of time, so that what stands above each other happened together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from incident.dossier import Dossier
from incident.entry import Kind, Source
from incident.escape import html
from incident.kept import Sign, spread
from incident.review import moment
from incident.review_tables import STEPS

WIDTH, LEFT, RIGHT = 1000, 86, 14
_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_TICKS = (
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 7, 14, 30, 90, 365)),
)
_LOUDNESS = {"bad": 3, "warn": 2, "good": 1}
_LANES = (Source.PROBE, Source.PERSON, Source.MITIGATION, Source.UPDATE)
_BUCKET = 5  # px: what is closer together is one sign with a count
_COLOURS = ("#0550ae", "#9a6700", "#8250df", "#1a7f37", "#b42318", "#57606a")
_DASHES = ("", "6 3", "2 2", "9 3 2 3", "1 3", "12 4")
_NODES = len(_COLOURS)
_POINTS = 600
_ROWS = 4  # of names of marks


class Scale(Struct, frozen=True):
    """Where an instant (ms) is drawn."""

    first: int
    last: int

    def x(self, at: int) -> float:
        inside = min(max(at, self.first), self.last)
        return LEFT + (inside - self.first) * (WIDTH - LEFT - RIGHT) / max(1, self.last - self.first)

    def holds(self, at: int) -> bool:
        return self.first <= at <= self.last

    def ticks(self) -> tuple[int, int]:
        """(the first tick, the time between two), ms."""
        span = self.last - self.first
        step = next((each for each in _TICKS if span / each <= 10), span // 10 + 1)
        return -(-self.first // step) * step, step


def scale_of(found: Dossier) -> Scale:
    """From before the incident began to after its end. One that was over at once is shown as a minute."""
    length = max(found.end - found.began, _MINUTE)
    return Scale(max(0, found.began - length // 20), found.began + length + length // 20)


def timeline(found: Dossier, scale: Scale) -> tuple[str, int]:
    """The timeline, a lane for each source; and how many lines lie outside of what is drawn."""
    buckets: dict[tuple[Source, int], tuple[int, str, int]] = {}
    outside = 0
    for line in found.timeline.lines:
        if line.retracted is not None or line.entry.kind is Kind.DELIVERY:
            continue
        if not scale.holds(line.happened_at):
            outside += 1
            continue
        key = (line.entry.source, int(scale.x(line.happened_at)) // _BUCKET)
        count, level, at = buckets.get(key, (0, "info", line.happened_at))
        louder = _LOUDNESS.get(line.level, 0) > _LOUDNESS.get(level, 0)
        buckets[key] = (count + 1, line.level if louder else level, at)
    height, top = 74 + 26 * len(_LANES), 54
    parts = [*_axis(scale, height - 18, top - 6)]
    for number, lane in enumerate(_LANES):
        y = top + 13 + 26 * number
        parts.append(f'<text x="4" y="{y + 4}">{lane}</text>')
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#d0d7de"/>')
    for (source, _), (count, level, at) in sorted(buckets.items()):
        y = top + 13 + 26 * _LANES.index(source)
        many = f"{count} entries, the first" if count > 1 else "1 entry"
        parts.append(f"<g><title>{many} at {moment(at)}</title>{_shape(scale.x(at), y, level)}</g>")
    parts += _marks(found, scale, top + 26 * len(_LANES))
    return _svg(height, parts, "The timeline, drawn to scale"), outside


def _shape(x: float, y: float, level: str) -> str:
    """What differs in shape differs without colour, too."""
    match level:
        case "bad":
            return f'<path d="M{x:.1f} {y - 8} l7 14 h-14 z" fill="#b42318"/>'
        case "warn":
            return f'<path d="M{x:.1f} {y - 7} l6 7 l-6 7 l-6 -7 z" fill="#9a6700"/>'
        case "good":
            return f'<circle cx="{x:.1f}" cy="{y}" r="5.5" fill="#1a7f37"/>'
        case _:
            return f'<rect x="{x - 1.5:.1f}" y="{y - 7}" width="3" height="14" fill="#57606a"/>'


def _marks(found: Dossier, scale: Scale, bottom: float) -> Iterator[str]:
    """The marks of the incident as lines; their names step down where they would cover each other."""
    names: dict[int, list[str]] = {}
    for mark in found.marks.values():
        if mark.at is not None:
            names.setdefault(round(scale.x(mark.at)), []).append(STEPS[mark.name])
    taken: list[list[tuple[float, float]]] = [[] for _ in range(_ROWS)]
    for x, several in sorted(names.items()):
        name = ", ".join(several)
        width = 6.2 * len(name) + 6
        begin = x - width if x + width > WIDTH else x
        free = (row for row, spans in enumerate(taken) if all(begin >= end or begin + width <= at for at, end in spans))
        row = next(free, _ROWS - 1)
        taken[row].append((begin, begin + width))
        anchor, shift = ("end", -3) if begin < x else ("start", 3)
        yield f'<line x1="{x}" x2="{x}" y1="4" y2="{bottom}" stroke="#1b1f24" stroke-dasharray="3 3"/>'
        yield f'<text x="{x + shift}" y="{11 + 11 * row}" text-anchor="{anchor}">{name}</text>'


def _axis(scale: Scale, y: float, top: float) -> Iterator[str]:
    first, step = scale.ticks()
    for at in range(first, scale.last + 1, step):
        x, words = scale.x(at), moment(at)
        label = words[:10] if step >= _DAY else words[11:16]
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{y}" stroke="#eaeef2"/>'
        yield f'<text x="{x:.1f}" y="{y + 14}" text-anchor="middle">{label}</text>'


class Series(Struct, frozen=True):
    """A line of a chart: (ms, value)."""

    name: str
    points: Sequence[tuple[int, float]]


def chart(title: str, unit: str, series: Sequence[Series], scale: Scale, *, stepped: bool, most: float = 0.0) -> str:
    """A chart of lines that differ in colour and in dashes; the legend names each with its highest value."""
    top, bottom = 8 + 15 * -(-len(series) // 2), 0
    bottom = top + 110
    highest = max([most, *(value for one in series for _, value in one.points)]) or 1.0
    parts = [*_axis(scale, bottom, top)]
    for value in (0.0, highest / 2, highest):
        y = bottom - value / highest * (bottom - top)
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}{unit}</text>')
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d0d7de"/>')
    for number, one in enumerate(series):
        colour, dash = _COLOURS[number % _NODES], _DASHES[number % _NODES]
        path = _path(one.points, scale, lambda value: bottom - value / highest * (bottom - top), stepped=stepped)
        look = f'fill="none" stroke="{colour}" stroke-width="1.8" stroke-dasharray="{dash}"'
        parts.append(f'<path d="{path}" {look}/>')
        x, y = LEFT + 440 * (number % 2), 10 + 15 * (number // 2)
        peak = max((value for _, value in one.points), default=0.0)
        parts.append(f'<path d="M{x} {y - 4} h30" {look}/>')
        parts.append(f'<text x="{x + 36}" y="{y}">{html(one.name)}, at most {peak:g}{unit}</text>')
    return _svg(bottom + 18, parts, title)


def _path(points: Sequence[tuple[int, float]], scale: Scale, y_of: object, *, stepped: bool) -> str:
    assert callable(y_of)
    parts: list[str] = []
    for at, value in points:
        if not scale.holds(at):
            continue
        x, y = scale.x(at), y_of(value)
        if not parts:
            parts.append(f"M{x:.1f} {y:.1f}")
        else:
            parts.append(f"H{x:.1f} V{y:.1f}" if stepped else f"L{x:.1f} {y:.1f}")
    return " ".join([*parts, "h3"] if len(parts) == 1 else parts)  # one sample is a dot


def _svg(height: float, parts: Sequence[str], title: str) -> str:
    body = "\n".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{html(title)}">\n{body}\n</svg>'


def sick_pods(found: Dossier, scale: Scale) -> tuple[Series, str] | None:
    """Unhealthy pods through the incident, and where that is known from; None if nothing says it."""
    if found.kept.signs:
        points = [(sign.at, float(sign.sick)) for sign in spread(found.kept.signs, _POINTS)]
        return Series("unhealthy pods", points), "counted by the console about twice a minute"
    missing: dict[str, int] = {}
    points = [(scale.first, 0.0)]
    for line in found.timeline.lines:
        entry = line.entry
        if entry.kind is not Kind.OBSERVATION or line.retracted is not None or not entry.evidence or not entry.fold:
            continue
        counted = _missing(entry.evidence)
        if counted is None or not entry.fold.startswith("workload/"):
            continue
        missing[entry.fold.rpartition("/")[0]] = counted
        points.append((max(line.happened_at, scale.first), float(sum(missing.values()))))
    if len(points) == 1:
        return None
    points.append((found.end, points[-1][1]))
    return Series("pods that were not ready", points), "from what the probes wrote on the timeline"


def _missing(evidence: Mapping[str, object]) -> int | None:
    desired, ready = evidence.get("desired"), evidence.get("ready")
    if not isinstance(desired, int) or not isinstance(ready, int):
        return None
    return min(max(0, desired - ready), 1_000_000)


def node_usage(signs: Sequence[Sign]) -> tuple[list[Series], list[Series], int]:
    """CPU and memory of the nodes that used most of either, and how many nodes are not drawn."""
    taken = spread(signs, _POINTS)
    peaks: dict[str, float] = {}
    for sign in taken:
        for name, used in sign.nodes.items():
            peaks[name] = max(peaks.get(name, 0.0), *used)
    shown = sorted(peaks, key=lambda name: (-peaks[name], name))[:_NODES]
    cpu, memory = (
        [Series(name, [(s.at, s.nodes[name][which]) for s in taken if name in s.nodes]) for name in shown]
        for which in (0, 1)
    )
    return cpu, memory, len(peaks) - len(shown)
