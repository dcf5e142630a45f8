"""How a guide reads line by line. Pure, and inert: state and what a step can do are told by a mark and a word."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from widgets.guide_view import GuideView, RecordView, StepView
from widgets.ink import breaks
from widgets.plain import crop, plain, width

Row = tuple[tuple[str, str], ...]  # pieces of (text, style)

STATES: Mapping[str, str] = {"open": "☐", "done": "☑", "not-needed": "–"}
WAYS: Mapping[str, str] = {"look": "▶ looks", "logs": "▶ reads logs", "plan": "⚑ plan", "hand": "by hand"}

_INDENT = 2
_MOST_CODE = 40  # rows of one step's code
_MOST_RECORDS = 6  # of one step; the timeline has them all
_MOST_TEXT = (3, 12)  # rows of one record: of any step, of the one under the cursor
_LONGEST = 2_000


class Item(NamedTuple):
    """``key`` stays while what is said changes. The cursor stops at what has a ``step`` (its id)."""

    key: str
    rows: tuple[Row, ...]
    step: str = ""


def items(view: GuideView, cells: int, rows: int, current: str = "") -> list[Item]:
    """The guide, ``cells`` wide. Every step's code is shown if that fits ``rows``; else that of the open steps; else of
    the ``current`` one alone."""
    for shown in (("open", "done", "not-needed"), ("open",)):
        roomy = list(_items(view, cells, current, shown))
        if sum(len(item.rows) for item in roomy) <= rows:
            return roomy
    return list(_items(view, cells, current, ()))


def _items(view: GuideView, cells: int, current: str, shown: Collection[str]) -> Iterator[Item]:
    for what, words in view.lead:
        yield Item(f"lead:{what}", tuple(_lead(what, words, cells)))
    for number, section in enumerate(view.sections):
        if number or view.lead:
            yield Item(f"gap:{number}", ((("", "dim"),),))
        said = f"─ {plain(section.title, 200)} "
        line = crop(said + "─" * max(cells - width(said), 0), cells)
        yield Item(f"head:{number}", (((line, "heading"),),))
        for step in section.steps:
            here = step.id == current
            yield Item(f"step:{step.id}", tuple(_step(step, cells, here, here or step.state in shown)), step.id)


def _lead(what: str, words: str, cells: int) -> Iterator[Row]:
    label = f"{plain(what, 40)}: "
    text = label + plain(words, _LONGEST)
    for number, (start, end) in enumerate(breaks(text, max(cells, 8))[:3]):
        if number == 0 and end > len(label):
            yield (label, "dim"), (text[len(label) : end], "text")
        else:
            yield ((text[start:end], "text"),)


def _step(step: StepView, cells: int, here: bool, code: bool) -> Iterator[Row]:
    """Its mark, its words and what it can do; what it says to do; what came of it."""
    way = WAYS[step.way]
    done = step.state != "open"
    room = max(cells - _INDENT - width(way) - 2, 12)
    loud = "done" if done else "current" if here else "text"
    mark = (f"{STATES[step.state]} ", "good" if step.state == "done" else "dim" if done else "mark")
    text = plain(step.text, _LONGEST)
    for number, (start, end) in enumerate(breaks(text, room)[:4]):
        if number:
            yield ((" " * _INDENT, "dim"), (text[start:end], loud))
            continue
        said = text[start:end]
        blank = " " * max(cells - _INDENT - width(said) - width(way), 2)
        yield (mark, (said, loud), (blank, "dim"), (way, "hand" if step.way == "hand" else "way"))
    if code:
        yield from _notes(step.notes, cells)
        yield from _code(step.code, cells)
    if step.warning:
        yield from _wrapped("! ", plain(step.warning, _LONGEST), cells, "warn", 3)
    for record in step.records[-_MOST_RECORDS:]:
        yield from _record(record, cells, _MOST_TEXT[here])
    if step.doing:
        yield from _wrapped("▶ ", plain(step.doing, _LONGEST), cells, "doing", 2)


def _notes(notes: tuple[str, ...], cells: int) -> Iterator[Row]:
    for note in notes[:_MOST_CODE]:
        yield from _wrapped("· ", plain(note, _LONGEST), cells, "dim", 3)


def _code(code: str, cells: int) -> Iterator[Row]:
    """Every line of it, broken where it is too long: what is copied is the code itself."""
    left = _MOST_CODE
    for line in code.strip("\n").split("\n") if code else ():
        text, room = plain(line, _LONGEST), max(cells - _INDENT - 2, 8)
        for start, end in breaks(text, room):
            if not left:
                yield ((" " * _INDENT, "dim"), ("│ …", "dim"))
                return
            left -= 1
            quiet = text.lstrip().startswith(("#", "--"))
            yield ((f"{' ' * _INDENT}│ ", "dim"), (text[start:end], "dim" if quiet else "code"))


def _record(record: RecordView, cells: int, most: int) -> Iterator[Row]:
    """What was found, and behind it or below it when and by whom."""
    said = " ".join(filter(None, (plain(record.when, 40), plain(record.by, 80))))
    said = said if record.kept else "not recorded: no incident is open (I declares one)"
    text = plain(record.text, _LONGEST)
    if not text:
        yield ((" " * _INDENT, "dim"), (crop(f"↳ {said}", cells - _INDENT), "dim"))
        return
    rows = list(_wrapped("↳ ", text, cells, "found", most))
    last = rows[-1]
    if sum(width(piece) for piece, _ in last) + 3 + width(said) <= cells:
        rows[-1] = (*last, (f"   {said}", "dim"))
    elif said:
        rows.append(((" " * (_INDENT + 2), "dim"), (crop(said, cells - _INDENT - 2), "dim")))
    yield from rows


def _wrapped(sign: str, text: str, cells: int, style: str, most: int) -> Iterator[Row]:
    room = max(cells - _INDENT - width(sign), 8)
    pieces = breaks(text, room)
    for number, (start, end) in enumerate(pieces[:most]):
        cut = number == most - 1 and len(pieces) > most
        lead = sign if number == 0 else " " * width(sign)
        yield ((f"{' ' * _INDENT}{lead}", style), (crop(text[start:], room) if cut else text[start:end], style))
