"""A drill's score as tables for an export, for any format (`incident.ink`)."""

from __future__ import annotations

from incident.ink import Ink
from incident.review import duration, moment
from incident.review_tables import Table
from incident.score import Score


def headline(found: Score, ink: Ink) -> str:
    """The points, what they are of, and how far the drill came."""
    points = "nothing could be judged" if found.points is None else f"{found.points} of 100 points"
    lost = f"{found.got} of the {found.of} that could be judged" if found.of < 100 else f"{found.got} of {found.of}"
    words = f"{ink.strong(points)} ({lost}), {found.state}" if found.of else ink.strong(points)
    return f"{words}. Scenario: {ink.text(found.played)}."


def judged(found: Score, ink: Ink) -> Table:
    """Row by row; what could not be judged has no points."""
    rows = [
        (
            one.label,
            ink.faint("not judged") if one.got is None else f"{one.got} of {one.of}",
            ink.text(one.said),
        )
        for one in found.judged
    ]
    return Table(("What", "Points", "How It Was"), rows)


def path(found: Score, ink: Ink) -> Table:
    """The ideal path, and what was done beside each of its steps; times since the drill was opened, too."""
    rows = [
        (
            str(number),
            ink.text(step.say),
            ink.strong("not done") if step.at is None else ink.text(step.what),
            "" if step.at is None else moment(step.at),
            "" if step.at is None else duration(step.at - found.opened_at),
        )
        for number, step in enumerate(found.path, 1)
    ]
    return Table(("#", "Ideal", "Yours", "Time (UTC)", "Since It Was Opened"), rows)


def besides(found: Score, ink: Ink) -> Table:
    """The acts that are not on the ideal path, with what harm they did."""
    why = {(one.at, one.what): one.why for one in found.harm}
    rows = [
        (
            moment(deed.at),
            ink.text(deed.title),
            deed.verdict,
            ink.text(why.get((deed.at, deed.title), "")),
        )
        for deed in found.others
    ]
    return Table(("Time (UTC)", "Act", "Verdict", "Harm"), rows)
