"""Acts in the post-incident review: what was tried, by whom, and whether it worked. All text is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from incident.acts import ActRecord
from incident.entry import Entry
from incident.escape import markdown
from incident.review import duration, moment

UNKNOWN = "outcome unknown"


def told(act: ActRecord) -> Iterator[str]:
    """What a cell of the timeline says of an act: what, the command, and how it ended, as every entry of that says."""
    yield markdown(act.title)
    for command in act.commands:
        yield markdown(command)
    endings = [(entry, verdict(entry)) for entry in ([act.intent] if act.intent.ending else []) + [*act.outcomes]]
    if not endings:
        yield f"— {UNKNOWN}"
    for entry, said in endings[:-1]:
        yield f"— before that{_by_another(act, entry)}: {said}"
    for entry, said in endings[-1:]:
        yield f"— {said}{_by_another(act, entry)}"


def verdict(entry: Entry) -> str:
    """How an act ended, from its outcome, or from the one entry of an act that was never sent."""
    text = entry.text if entry.refers_to else entry.text.partition("\n")[2]
    return markdown(text) or markdown(entry.ending.verdict if entry.ending else "") or "ended"


def _by_another(act: ActRecord, entry: Entry) -> str:
    return "" if entry.author == act.intent.author else f" (found out by {markdown(entry.author)})"


def tried(acts: Sequence[ActRecord]) -> str:
    """The section about acts; empty if there was none."""
    if not acts:
        return ""
    rows = ["| Time (UTC) | Act | By Whom | Verdict | Took | Undo |", f"|{'---|' * 6}"]
    for act in acts:
        cells = [
            moment(act.intent.happened_at),
            "<br>".join(map(markdown, (act.title, *act.commands))),
            markdown(act.by),
            UNKNOWN if act.outcome is None else verdict(act.outcome),
            _took(act),
            _undo(act),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(["## What Was Tried and Whether It Worked", *rows])


def _took(act: ActRecord) -> str:
    if act.ending is None or act.ending.sent is False:
        return ""
    seconds = act.ending.seconds
    return f"{seconds:.1f} s" if seconds < 60 else duration(round(seconds * 1000))


def _undo(act: ActRecord) -> str:
    if act.ending is not None and act.ending.sent is False:
        return "nothing was sent"
    return markdown(act.undo) or "_not recorded_"
