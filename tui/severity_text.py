"""What a severity means, in the runbook's words, for where one is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from runbook.response import Response, SeverityLevel
from widgets.plain import plain
from widgets.segments import Segment

UNCLASSIFIED = "0"
PLAIN = (
    SeverityLevel(level=1, name="Critical", headline="Customers cannot work", definition="An outage or a breach"),
    SeverityLevel(level=2, name="High", headline="Customers notice", definition="Something important is down or slow"),
    SeverityLevel(level=3, name="Medium", headline="Some notice", definition="Something that matters less is down"),
    SeverityLevel(level=4, name="Low", headline="Nobody notices", definition="No impact on service"),
)
"""For the moment in which the runbook is still being read."""


def levels(response: Response | None) -> tuple[SeverityLevel, ...]:
    return response.severities if response is not None and response.severities else PLAIN


def segments(found: Sequence[SeverityLevel]) -> list[Segment]:
    """A word for each severity, its digit chooses it; and ? for one that nobody knows yet."""
    words = [Segment(str(one.level), f"{one.level} {one.name}", (str(one.level),)) for one in found]
    return [*words, Segment(UNCLASSIFIED, "?", ("0", "question_mark", "u"))]


def level_of(value: str) -> int | None:
    """What a chosen segment says."""
    return int(value) if value != UNCLASSIFIED else None


def meaning(found: Sequence[SeverityLevel], level: int | None) -> Content:
    """Definition, examples, how fast and how often; three or four lines."""
    one = next((one for one in found if one.level == level), None)
    if one is None:
        return Content.styled(
            "Nobody has classified it yet. Updates are due as if it were severity 2.", "$foreground 60%"
        )
    said = []
    if one.response:
        said.append(f"response {one.response}")
    if one.updates:
        said.append(f"updates {one.updates[:1].lower()}{one.updates[1:]}")
    if one.resolve_within:
        said.append(f"resolution within {hours(one.resolve_within)}")
    lines = [Content.assemble((plain(f"{one.headline}: " if one.headline else ""), "bold"), plain(one.definition, 300))]
    if one.examples:
        lines.append(Content.styled(plain("such as: " + " · ".join(one.examples), 400), "$foreground 70%"))
    if said:
        lines.append(Content(plain(" · ".join(said), 200)))
    return Content("\n").join(lines)


def hours(seconds: float) -> str:
    """``45 min``, ``2 h``, ``7 d``."""
    for size, word in ((86_400, "d"), (3600, "h")):
        if seconds >= size and seconds % size == 0 and (word == "h" or seconds > 86_400):
            return f"{seconds / size:.0f} {word}"
    return f"{seconds / 60:.0f} min"
