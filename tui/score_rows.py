"""A drill's score as the rows of its card. Pure; the screen draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.content import Content

from incident.review import duration
from incident.score import Judged, Score
from incident.score_path import Taken
from widgets.plain import clock, crop, fit, plain
from widgets.row_list import ListRow
from widgets.table_draw import wrap

DIM = "$foreground 60%"
LABEL, POINTS, TIME = 20, 7, 8
"""Cells of a row's name, of its points, of a time since the drill was opened."""

MARKS = {
    "good": ("✓", "$text-success"),
    "warn": ("!", "$text-warning"),
    "bad": ("✗", "bold $text-error"),
    "info": ("○", DIM),
}
LATER = "shown when the incident is resolved"
"""For a step that was not done, while somebody may still find it."""


def point_rows(found: Score, cells: int) -> list[ListRow]:
    """What was judged, row by row, then what did harm."""
    rows = [ListRow("heading points", Content.styled("What is judged", "bold $text-accent"), heading=True)]
    rows += [_judged(one, cells) for one in found.judged]
    if found.harm:
        rows.append(ListRow("heading harm", Content.styled("\nWhat did harm", "bold $text-accent"), heading=True))
        rows += _harmful(found, cells)
    return rows


def _judged(one: Judged, cells: int) -> ListRow:
    mark, style = MARKS[one.level]
    points = "–" if one.got is None else f"{one.got}/{one.of}"
    said, room = plain(one.said, 500), max(cells - LABEL - POINTS - 6, 10)
    shown = crop(said, room)
    content = Content.assemble(
        (mark, style),
        " ",
        (fit(one.label, LABEL), "bold" if one.level == "bad" else "$foreground 80%"),
        " ",
        (points.rjust(POINTS), DIM if one.got is None else "bold"),
        "  ",
        (shown, DIM if one.got is None else style if one.level != "good" else ""),
    )
    return ListRow(f"row {one.id}", content, full=said if shown != said else "")


def _harmful(found: Score, cells: int) -> Iterator[ListRow]:
    for number, one in enumerate(found.harm):
        what, why = plain(one.what, 300), plain(one.why, 300)
        lines = [
            Content.assemble(
                ("✗ ", "bold $text-error"),
                (_since(found, one.at), DIM),
                "  ",
                (crop(what, max(cells - TIME - 4, 10)), "bold"),
            ),
            *(Content.styled(f"  {' ' * TIME}  {part}", DIM) for part in wrap(why, max(cells - TIME - 4, 10))),
        ]
        yield ListRow(f"harm {number}", Content("\n").join(lines), full=f"{what} · {why}")


def path_rows(found: Score, cells: int, *, local: bool) -> list[ListRow]:
    """The ideal path with what was done beside each step, and the acts that are not on it."""
    open_still = not (found.finished or found.left)
    rows = [
        ListRow(
            "heading path", Content.styled("The ideal path, and below each step what you did", "bold $text-accent"),
            heading=True,
        )
    ]  # fmt: skip
    rows += [_step(found, number, step, cells, local, hidden=open_still) for number, step in enumerate(found.path, 1)]
    if found.others:
        rows.append(ListRow("heading others", Content.styled("\nActs besides", "bold $text-accent"), heading=True))
    harmful = {(one.at, one.what) for one in found.harm}
    for deed in found.others:
        mark, style = MARKS["bad" if (deed.at, deed.title) in harmful else "info"]
        title = plain(deed.title, 300)
        verdict = deed.verdict
        shown = crop(title, max(cells - TIME - len(verdict) - 6, 10))
        rows.append(
            ListRow(
                f"act {deed.entry}",
                Content.assemble(
                    (mark, style), " ", (_since(found, deed.at), DIM), "  ", shown, "  ", (verdict, DIM)
                ),
                full=title if shown != title else "",
            )
        )  # fmt: skip
    return rows


def _step(found: Score, number: int, step: Taken, cells: int, local: bool, *, hidden: bool) -> ListRow:
    say, room = plain(step.say, 300), max(cells - 5, 10)
    mark, style = MARKS["good" if step.at is not None else "info" if hidden else "bad"]
    if step.at is None and hidden:
        content = Content.assemble((mark, style), f" {number:>2} ", (crop(LATER, room), DIM))
        return ListRow(f"step {step.id}", content)
    yours = "not done"
    if step.at is not None:
        yours = f"{_since(found, step.at)}  {clock(step.at / 1000, local)}  {plain(step.what, 300)}"
    lines = [
        Content.assemble((mark, style), f" {number:>2} ", (crop(say, room), "" if step.at is not None else "bold")),
        Content.styled(f"     {crop(yours, room)}", DIM if step.at is not None else "$text-error"),
    ]
    return ListRow(f"step {step.id}", Content("\n").join(lines), full=f"{say} · {yours}" if len(say) > room else "")


def _since(found: Score, at: int) -> str:
    return duration(at - found.opened_at)[-TIME:]


def title(found: Score) -> Content:
    """The points in large words: what they are of, and how far the drill is."""
    points = "nothing to judge yet" if found.points is None else f"{found.points} of 100"
    style = "bold" if found.points is None else _grade(found.points)
    judged = f"{found.got} of {found.of} judged · " if 0 < found.of < 100 else ""
    rest = f"  {judged}{found.state}"
    return Content.assemble((points, style), (rest, DIM))


def _grade(points: int) -> str:
    return "bold $text-success" if points >= 80 else "bold $text-warning" if points >= 50 else "bold $text-error"


def hints(parts: Sequence[str]) -> Content:
    """What the keys do, for a border."""
    return Content(" · ".join(filter(None, parts)))
