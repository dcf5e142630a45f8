"""How one log line is drawn: time, who wrote it, its text with words of trouble and of the search standing out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from zlib import crc32

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from widgets.ink import Span, breaks, found, painted
from widgets.log_buffer import LogLineLike
from widgets.plain import crop, middle, plain, width

LONGEST = 16_384  # characters of a line that are drawn; the rest is said
SOURCE_STYLES = 6
_LABEL = 24  # cells

_TROUBLE = re.compile(
    r"\b(?:(?P<bad>fatal|panic|critical|severe|errors?|exception|traceback|fail(?:ed|ure|ures|ing|s)?|refused|killed)"
    r"|(?P<warn>warn(?:ing|ings)?|timed? ?out|timeouts?|retry(?:ing)?|degraded|deprecated))\b",
    re.IGNORECASE,
)

Source = tuple[str, str]  # pod, container
Ink = Callable[[str], Style]


def labels(sources: Iterable[Source]) -> dict[Source, str]:
    """What to call each source beside its lines: as much of its name as tells it from the others.

    Pods of one workload differ in their last part; a container is named when there is more than one. A single
    source needs no label.
    """
    known = list(sources)
    if len(known) < 2:
        return dict.fromkeys(known, "")
    pods = {pod for pod, _ in known}
    several_containers = len({container for _, container in known}) > 1
    tails = {pod: pod.rpartition("-")[2] for pod in pods}
    shared = len({pod.rpartition("-")[0] for pod in pods}) == 1 and len(set(tails.values())) == len(pods)
    named: dict[Source, str] = {}
    for pod, container in known:
        parts = [tails[pod] if shared else pod] if len(pods) > 1 else []
        if several_containers:
            parts.append(container)
        named[pod, container] = middle(plain("/".join(parts)), _LABEL)
    return named


def colour(source: Source, taken: Iterable[int]) -> int:
    """A number below `SOURCE_STYLES`: the same for a source every time, and not another's while some are free."""
    wanted = crc32("/".join(source).encode("utf-8", "surrogatepass")) % SOURCE_STYLES
    used = set(taken)
    for step in range(SOURCE_STYLES):
        if (free := (wanted + step) % SOURCE_STYLES) not in used:
            return free
    return wanted


def stamp(at: float | None, local: bool) -> str:
    """``14:02:11.482``, or blanks of the same width."""
    if at is None:
        return " " * 12
    try:
        seconds, milliseconds = divmod(round(at * 1000), 1000)
        then = time.localtime(seconds) if local else time.gmtime(seconds)
    except (OverflowError, ValueError, OSError):
        return " " * 12
    return f"{then.tm_hour:02}:{then.tm_min:02}:{then.tm_sec:02}.{milliseconds:03}"


def notice_row(text: str, cells: int, style: Style, mark: str = "–") -> list[Strip]:
    """A line across the whole width that no log line looks like."""
    shown = plain(text, LONGEST)
    rows = []
    for start, end in breaks(shown, max(cells - 8, 4)):
        head = f"─── {mark} {shown[start:end]} "
        rows.append(Strip([Segment(crop(head + "─" * max(cells - width(head), 0), cells), style)]))
        mark = " "
    return rows


def log_rows(
    line: LogLineLike, prefix: Sequence[Segment], cells: int, ink: Ink, needle: str, *, wrap: bool, offset: int
) -> list[Strip]:
    """The rows of a log line in ``cells`` cells; without ``wrap`` one row whose text starts ``offset`` cells later."""
    text = plain(line.text, LONGEST)
    if len(line.text) > LONGEST:
        text += f" ({len(line.text):,} characters)"
    base = ink("text")
    spans = [Span(*match.span(), ink("bad" if match["bad"] else "warn")) for match in _TROUBLE.finditer(text)]
    spans += [Span(start, end, ink("found")) for start, end in found(text, needle)]
    taken = sum(width(segment.text) for segment in prefix)
    room = max(cells - taken, 8)
    if not wrap:
        strip = Strip(painted(text, 0, len(text), base, spans))
        return [Strip([*prefix, *strip.crop(offset, offset + room)])]
    rows: list[Strip] = []
    head = list(prefix)
    for start, end in breaks(text, room):
        rows.append(Strip([*head, *painted(text, start, end, base, spans)]))
        head = [Segment(" " * taken)]
    return rows
