"""How a diagnosis reads line by line: the tree with its path, what fits, what changed. Pure, and inert.

An item is what the cursor stops at; its rows are pieces of (text, style). Nothing is told by colour alone: the path has
heavy lines and ▶, answers have ✓ ✗ ? and their word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from widgets.diagnosis_view import DiagnosisView, NodeView, PlaceView, ScenarioView, SuspectView
from widgets.ink import breaks
from widgets.plain import crop, fit, plain, width

Piece = tuple[str, str]
Row = tuple[Piece, ...]

ROOMY = 88  # cells from which branches have their words spelled out and what is not lit its evidence below
_MOST_ROWS = 4  # of one evidence
_LONGEST = 1_000

ANSWERS: Mapping[str, str] = {"yes": "✓ Yes", "no": "✗ No", "unknown": "? Not known"}
HERE = "◀ go on here"
SEEN, UNSEEN, UNKNOWN = "✓", "·", "?"

QUIET = "nothing changed that is known"
NO_ONSET = "since when it is so is not known, so nothing is held against it"
NO_SCENARIO = "none of the runbook's scenarios fits what is seen"
ALL_WELL = "nothing is ill"
BLIND = "whether anything is ill is not known"


class Item(NamedTuple):
    """``key`` stays while what is said of it changes. Without ``place`` and ``scenario`` the cursor passes it by."""

    key: str
    rows: tuple[Row, ...]
    place: PlaceView | None = None
    scenario: str = ""

    @property
    def stops(self) -> bool:
        return self.place is not None or bool(self.scenario)

    @property
    def text(self) -> str:
        """What is copied."""
        return "\n".join("".join(text for text, _ in row).strip() for row in self.rows)


class _Room(NamedTuple):
    cells: int
    airy: bool


class _Branch(NamedTuple):
    """The way down to a node: what stands before its first row, and before every other."""

    first: tuple[Piece, ...]
    rest: tuple[Piece, ...]


# ------------------------------------------------------------------ the tree


def tree(nodes: Sequence[NodeView], cells: int, *, airy: bool = False) -> list[Item]:
    """The framework from its first node on. A node that several lead to is drawn once, where it is first met.

    ``airy`` leaves a row between two nodes.
    """
    if not nodes:
        return []
    drawn = {nodes[0].id}
    by_id = {node.id: node for node in nodes}
    return list(_walk(nodes[0], by_id, _Branch((), ()), _Room(cells, airy), drawn))


def _walk(
    node: NodeView, by_id: Mapping[str, NodeView], branch: _Branch, room: _Room, drawn: set[str]
) -> Iterator[Item]:
    """The node, what follows it on the same line of descent, and its branches, each one step to the right.

    A loop and not a recursion along ``next``: a runbook's chain may be long. Branches nest as deep as its questions.
    """
    here: NodeView | None = node
    first = branch.first
    while here is not None:
        follower = _take(here.next, by_id, drawn)
        ways = [(word, _take(to, by_id, drawn)) for word, to in (("no", here.no), ("yes", here.yes))]
        branches = [(word, child) for word, child in ways if child is not None]
        lit_below = here.lit and not here.last
        below = _below(lit_below, bool(follower or branches))
        rest = (*branch.rest, below)
        yield Item(f"node:{here.id}", tuple(_node(here, first, rest, room.cells)), here.place or _NOWHERE)
        if room.airy:
            yield Item(f"air:{here.id}", (rest,))
        for index, (word, child) in enumerate(branches):
            taken = child.lit and lit_below
            last = index == len(branches) - 1 and follower is None
            heavy_after = any(other.lit for _, other in branches[index + 1 :]) and lit_below
            way = _branch(branch.rest, word, taken, last, heavy_after, room.cells)
            yield from _walk(child, by_id, way, room, drawn)
        here, first = follower, branch.rest


_NOWHERE = PlaceView("")


def _take(to: str, by_id: Mapping[str, NodeView], drawn: set[str]) -> NodeView | None:
    """The node, unless it has its place in the tree already."""
    if not to or to in drawn:
        return None
    drawn.add(to)
    return by_id.get(to)


def _below(lit: bool, goes_on: bool) -> Piece:
    return (("┃ ", "path") if lit else ("│ ", "dim")) if goes_on else ("  ", "dim")


def _branch(rest: tuple[Piece, ...], word: str, taken: bool, last: bool, heavy_after: bool, cells: int) -> _Branch:
    """``┣━ no ━━`` where the answers go, ``└─ yes ─`` where they do not; short where there is little room."""
    style = "path" if taken else "dim"
    line = "━" if taken else "─"
    if heavy_after:  # the path goes by to a branch further down
        fork, beside = ("┠", ("┃", "path"))
    elif taken:
        fork, beside = ("┗" if last else "┡", ("│", "dim"))
    else:
        fork, beside = ("└" if last else "├", ("│", "dim"))
    label = f"{line} {word} " if cells >= ROOMY else f"{line}{word}"
    size = 8 if cells >= ROOMY else 5
    fork_style = "path" if taken or heavy_after else "dim"
    first = (*rest, (fork, fork_style), (label + line * (size - 1 - len(label)), style))
    blank = " " * (size - 1)
    return _Branch(first, (*rest, (" " if last else beside[0], beside[1]), (blank, "dim")))


def _node(node: NodeView, first: tuple[Piece, ...], rest: tuple[Piece, ...], cells: int) -> Iterator[Row]:
    used = sum(width(text) for text, _ in first)
    room = max(cells - used - 2, 8)
    mark = ("▶ ", "path") if node.lit else ("▷ ", "dim")
    title = crop(plain(node.text, 200), room)
    head: list[Piece] = [*first, mark, (title, "lit" if node.lit else "dim")]
    left = room - width(title)
    if node.answer:
        said = ANSWERS.get(node.answer) or plain(node.answer, 40)
        head.append((crop(f"  {said}", max(left, 0)), node.answer if node.lit else "dim"))
        left -= width(said) + 2
    if node.last and left > width(HERE) + 2:
        head.append((f"  {HERE}", "here"))
        left -= width(HERE) + 2
    evidence = plain(node.evidence, _LONGEST)
    if not node.lit and cells < ROOMY:
        if evidence and left > 12:
            head.append((crop(f"  {evidence}", left), "dim"))
        yield tuple(head)
        return
    yield tuple(head)
    yield from _wrapped(evidence, rest, max(cells - sum(width(text) for text, _ in rest), 8), node.lit)


def _wrapped(evidence: str, before: tuple[Piece, ...], room: int, lit: bool) -> Iterator[Row]:
    if not evidence:
        return
    pieces = breaks(evidence, room)
    for number, (start, end) in enumerate(pieces[:_MOST_ROWS]):
        cut = number == _MOST_ROWS - 1 and len(pieces) > _MOST_ROWS
        text = crop(evidence[start:], room) if cut else evidence[start:end]
        yield (*before, (text, "evidence" if lit else "dim"))


# ------------------------------------------------------------------ what fits, what changed


def heading(text: str, cells: int, key: str) -> Item:
    said = f"─ {text} "
    return Item(key, (((crop(said + "─" * max(cells - width(said), 0), cells), "heading"),),))


def gap(key: str) -> Item:
    return Item(key, ((("", "dim"),),))


def side(view: DiagnosisView, cells: int, *, airy: bool = False) -> list[Item]:
    """The scenarios, then what changed before the first symptom, then what changed since.

    Without a tree nobody has looked yet, which is not to be taken for "all is well".
    """
    if not view.nodes:
        return [_sentence("remark", view.remark, cells)] if view.remark else []
    well = BLIND if view.blind else ALL_WELL
    items = [heading("Scenario", cells, "head:scenario")]
    for place, one in enumerate(view.scenarios):
        items += [gap(f"air:{one.id}")] if airy and place else []
        items.append(_scenario(one, place, cells))
    if not view.scenarios:
        items.append(_sentence("no-scenario", NO_SCENARIO if view.ill else well, cells))
    when = f"Changed before {plain(view.symptom_at, 40)}, the first symptom" if view.symptom_at else "Changed before"
    items += [gap("gap:before"), heading(when, cells, "head:before")]
    spans = max((width(plain(one.span, 14)) for one in (*view.suspects, *view.after)), default=0)
    for place, suspect in enumerate(view.suspects):
        items += [gap(f"air:{suspect.id}")] if airy and place else []
        items.append(_suspect(suspect, place, spans, cells))
    nothing = QUIET if view.symptom_at else NO_ONSET if view.ill else well
    if not view.suspects:
        items.append(_sentence("no-suspect", nothing, cells))
    if view.after:
        items += [gap("gap:after"), heading("Changed since then", cells, "head:after")]
        items += [_suspect(one, None, spans, cells) for one in view.after]
    if view.remark:
        items += [gap("gap:remark"), _sentence("remark", view.remark, cells)]
    return items


def _sentence(key: str, text: str, cells: int) -> Item:
    text = plain(text, _LONGEST)
    return Item(key, tuple((("  ", "dim"), (text[a:b], "dim")) for a, b in breaks(text, max(cells - 2, 8))))


def _scenario(one: ScenarioView, place: int, cells: int) -> Item:
    first = place == 0
    mark = ("▶ ", "path") if first else ("  ", "dim")
    title = crop(f"{one.number}  {plain(one.title, 200)}", max(cells - 2, 8))
    rows: list[Row] = [(mark, (title, "lit" if first else "text"))]
    for symptom, evidence in one.reasons:
        rows += _reason(SEEN, "no", f"{plain(symptom, 100)}: ", plain(evidence, _LONGEST), cells)
    for found, sign, words in ((one.missing, UNSEEN, "not seen: "), (one.unknown, UNKNOWN, "not known: ")):
        if found and first:
            rows += _reason(sign, "dim", words, plain(", ".join(found), _LONGEST), cells)
    return Item(f"scenario:{one.id}", tuple(rows), one.place, one.id)


def _reason(sign: str, style: str, words: str, evidence: str, cells: int) -> list[Row]:
    text, room = words + evidence, max(cells - 7, 8)
    quiet = "dim" if style == "dim" else "text"
    return [
        ((f"     {sign} " if number == 0 else " " * 7, style), (piece, quiet))
        for number, piece in enumerate(_two_rows(text, room))
    ]


def _two_rows(text: str, cells: int) -> list[str]:
    """At most two rows of it; what they do not hold ends in an ellipsis."""
    first, *more = breaks(text, cells)
    return [text[slice(*first)], *(crop(text[start:], cells) for start, _ in more[:1])]


def _suspect(one: SuspectView, place: int | None, spans: int, cells: int) -> Item:
    """Its rank, the time between, what it was; below it why it ranks there, and who did it and when."""
    first = place == 0
    mark = "▶ " if first else "  "
    number = f"{place + 1}" if place is not None else "·"
    word = "later " if one.after else "before"
    lead = f"{fit(plain(one.span, 14), spans, 'right')} {word}  "
    indent = 4 + width(lead)
    room = max(cells - indent, 8)
    what = plain(one.what, _LONGEST)
    loud = "lit" if first else "dim" if one.after else "text"
    rows: list[Row] = []
    for index, piece in enumerate(_two_rows(what, room)):
        before: Row = (
            ((mark, "path"), (f"{number} ", loud), (lead, "span" if first else loud))
            if index == 0
            else ((" " * indent, "dim"),)
        )
        rows.append((*before, (piece, loud)))
    told = " · ".join(filter(None, (plain(one.why, 300), plain(one.by, 80), plain(one.when, 40))))
    rows += [((" " * indent, "dim"), (piece, "dim")) for piece in _two_rows(told, room)]
    return Item(f"change:{one.id}", tuple(rows), one.place or _NOWHERE)
