"""A person's drills in a shell: one after the other with their points, what cost the most, whether it gets better."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from incident.instants import rfc3339
from incident.review import duration
from widgets.plain import plain

if TYPE_CHECKING:
    from incident.practising import Exercise, Progress
    from tui.columns import Page

MOST = 3  # of what was missed
WIDE = 120  # columns that all of a row takes
_SHORT = {"finished": "–", "left unfinished": "left", "so far": "open"}


def show(people: list[Progress], page: Page) -> None:
    """For each person a few lines and a table; on a narrow terminal without the drills' IDs and bars."""
    columns = page.columns
    for one in people:
        page.line("")
        for said in _said(one):
            for line in textwrap.wrap(said, min(columns, WIDE), subsequent_indent="  "):
                page.line(line)
        if columns >= WIDE:
            page.table(
                ("DRILL", "SCENARIO", ">POINTS", "", "CALLED", "WELL IN", "PATH", "HARM"),
                ((_grade(each), _row(each, wide=True)) for each in one.exercises),
            )
        else:
            page.table(
                ("DAY", "SCENARIO", ">POINTS", "CALLED", "WELL IN", "PATH", "HARM"),
                ((_grade(each), _row(each, wide=False)) for each in one.exercises),
            )
    page.line("")


def _said(one: Progress) -> list[str]:
    drills = f"{len(one.exercises)} {'drill' if len(one.exercises) == 1 else 'drills'}"
    if one.mean is None:
        return [f"{plain(one.person)}: {drills}, none of them finished."]
    words = [f"{plain(one.person)}: {drills}"]
    if len(one.points) < len(one.exercises):
        words.append(f"{len(one.points)} finished")
    words.append(f"mean {one.mean}, best {one.best}")
    if one.trend is not None:
        words.append(f"{one.gained:+d} from the first to the last")
    if one.trend is not None and len(one.points) > 3:
        words.append(f"{one.trend:+d} from the older half to the newer one")
    lines = [", ".join(words) + "."]
    if one.missed:
        lost = [f"{row.what} ({row.points} points in {_times(row.drills)})" for row in one.missed[:MOST]]
        lines.append(f"Cost the most: {', '.join(lost)}.")
    if one.left_out:
        often = [step for step in one.left_out if step.drills > 1] or one.left_out
        steps = [f"{plain(step.what, 80)} ({_times(step.drills)})" for step in often[:MOST]]
        lines.append(f"Left out most: {'; '.join(steps)}.")
    return lines


def _times(drills: int) -> str:
    return f"{drills} {'drill' if drills == 1 else 'drills'}"


def _grade(one: Exercise) -> str:
    if one.counted is None:
        return ""
    return "" if one.counted >= 80 else "warn" if one.counted >= 50 else "bad"


def _row(one: Exercise, *, wide: bool) -> tuple[str, ...]:
    won, state = one.score, one.state
    first: tuple[str, ...]
    scenario, points, bar = one.scenario or "–", "–", state
    if one.counted is not None:
        points, bar = str(one.counted), "█" * max(1, round(one.counted / 10))
    elif won is None and state == "finished":
        bar = "no score"
    if not wide:
        first = (rfc3339(one.incident.declared_at)[:10], scenario, points if one.counted is not None else _SHORT[state])
    else:
        others = f" +{len(one.people) - 1}" if len(one.people) > 1 else ""
        first = (one.incident.id, scenario + others, points, bar)
    if won is None:
        return (*first, "–", "–", "–", "–")
    rows = {row.id: row for row in won.judged}
    took = rows["mitigation"].took
    counted = [step for step in won.path if not step.given]
    return (
        *first,
        {"info": "–", "good": "right", "warn": "late"}.get(rows["severity"].level, "wrong"),
        "–" if took is None else duration(took).removeprefix("00:"),
        f"{sum(step.at is not None for step in counted)}/{len(counted)}" if not won.hidden else str(len(counted)),
        str(len(won.harm)) if won.harm else "–",
    )
