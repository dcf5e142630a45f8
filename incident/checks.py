"""Checklists on the timeline: an entry for every tick, and reading them back."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Literal, get_args

from msgspec import Struct

from incident.entry import Draft, Kind, Line, Source

State = Literal["done", "open", "not-needed"]
By = Literal["person", "probe"]

_STATES: tuple[State, ...] = get_args(State)
_WORDS = {"done": "Done", "open": "Open again", "not-needed": "Not needed"}


class Tick(Struct, frozen=True, kw_only=True):
    """How an item of a checklist stands. ``by`` a person or a probe; ``author`` who exactly; ``at`` (ms) since when."""

    list: str
    item: str
    state: State
    by: By
    note: str
    author: str
    at: int
    entry: str  # its id


def check_draft(
    list_id: str, item: str, state: State, author: str, *, text: str, by: By = "person", note: str = "", word: str = ""
) -> Draft:
    """An entry that ticks an item, opens it again, or says that it is not needed. ``text`` is the item's own words.

    ``note`` is what was found, or why not. ``word`` begins the entry instead of the state's, where the state did not
    change: "Noted".
    """
    told = f"{word or _WORDS[state]}: {text}"
    return Draft(
        kind=Kind.CHECK,
        text=f"{told}\n{note}" if note else told,
        author=author,
        source=Source.PERSON if by == "person" else Source.PROBE,
        level="good" if state == "done" else "info",
        evidence={"check": {"list": list_id, "item": item, "state": state, "by": by, "note": note}},
    )


def ticks(lines: Iterable[Line]) -> dict[tuple[str, str], Tick]:
    """How every item that was ever ticked stands, by list and item: what was written last counts, retracted ones never.

    What is not as `check_draft` makes it says nothing.
    """
    return {key: found[-1] for key, found in histories(lines).items()}


def histories(lines: Iterable[Line]) -> dict[tuple[str, str], tuple[Tick, ...]]:
    """All that was said of every item, oldest first; retracted ones never."""
    found: dict[tuple[str, str], list[tuple[int, Tick]]] = {}
    for line in lines:
        if line.entry.kind is not Kind.CHECK or line.retracted is not None:
            continue
        tick = _tick(line)
        if tick is not None:
            found.setdefault((tick.list, tick.item), []).append((line.entry.seq, tick))
    # In the order of the chain: two machines' clocks may disagree about which tick was the last.
    return {key: tuple(tick for _, tick in sorted(each, key=itemgetter(0))) for key, each in found.items()}


def _tick(line: Line) -> Tick | None:
    check = (line.entry.evidence or {}).get("check")
    if not isinstance(check, dict):
        return None
    list_id, item, note = check.get("list"), check.get("item"), check.get("note")
    state = next((state for state in _STATES if state == check.get("state")), None)
    if not isinstance(list_id, str) or not isinstance(item, str) or state is None:
        return None
    return Tick(
        list=list_id,
        item=item,
        state=state,
        by="probe" if check.get("by") == "probe" else "person",
        note=note if isinstance(note, str) else "",
        author=line.entry.author,
        at=line.happened_at,
        entry=line.id,
    )
