"""``varies:`` of a scenario: which details differ from seed to seed. Seed 0 is the scenario as it is written.

It works on the nodes of the YAML text, before anything is read of them, so that every variant is checked like a
scenario that somebody wrote, and a mistake in one still has its line. docs/drills.md has the rows, one by one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from drill import document, shape
from drill.document import Mistake, Place
from drill.offsets import Offset, seconds, written
from drill.paths import PathError, Spot, find
from drill.rewriting import Rewriting, Words

KEY: Final = "varies"
VERBS: Final = ("say", "swap", "move", "number", "sometimes", "add")

Word = str | int | float
Odds = Annotated[float, Meta(gt=0.0, lt=1.0, description="a number between 0 and 1")]


class Row(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"or_": "or"}):
    """One thing that differs; exactly one of `VERBS`.

    ``say``, ``or``        a word (or several that belong together), and what may stand in its place
    ``swap``               words that change places
    ``move``, ``by``       offsets that move together, by something between these two
    ``number``, ``within`` a number at a path, and its bounds
    ``sometimes``          paths of what is not always there; as it is written, it is
    ``add``                by the path of a list, what is sometimes there besides; as it is written, it is not
    ``where``              the path to which ``say``, ``swap`` and ``move`` are confined
    ``odds``               how often it is there (``sometimes``, ``add``)
    """

    say: Word | tuple[Word, ...] = ()
    or_: tuple[Word | tuple[Word, ...], ...] = ()
    swap: tuple[Word, ...] = ()
    move: tuple[Offset, ...] = ()
    by: Annotated[tuple[Offset, ...], Meta(description="two offsets such as [-5m, +3m]")] = ()
    number: str = ""
    within: Annotated[tuple[float, ...], Meta(description="two numbers such as [0.86, 0.94]")] = ()
    sometimes: str | tuple[str, ...] = ()
    add: dict[str, tuple[Any, ...]] = {}
    where: str = ""
    odds: Odds = 0.5


class Chooser:
    """What one seed chooses. Every row has its own chance, so that another row more does not change it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._chance = random.Random()  # noqa: S311 (no secret hangs on it)

    def begin(self, row: int) -> None:
        self._chance.seed(f"{self.seed}/{row}")

    def one_of(self, count: int) -> int:
        return self._chance.randrange(count)

    def between(self, low: float, high: float) -> float:
        return self._chance.uniform(low, high)

    def order(self, count: int) -> list[int]:
        return self._chance.sample(range(count), count)

    def happens(self, odds: float) -> bool:
        return self._chance.random() < odds


class Extreme(Chooser):
    """The edges of what there is to choose: the ``turn``-th of all, the least or the most, all there or nothing."""

    def __init__(self, turn: int, *, most: bool, there: bool) -> None:
        super().__init__(0)
        self._turn, self._most, self._there = turn, most, there

    def one_of(self, count: int) -> int:
        return self._turn % count

    def between(self, low: float, high: float) -> float:
        return high if self._most else low

    def order(self, count: int) -> list[int]:
        return [(index + self._turn) % count for index in range(count)]

    def happens(self, odds: float) -> bool:
        return self._there


def varies(root: MappingNode) -> bool:
    """Whether the scenario has anything that differs."""
    return _rows(root) is not None


def as_written(root: MappingNode) -> MappingNode:
    """The scenario without its ``varies``: what seed 0 plays."""
    kept = [(key, value) for key, value in root.value if key.value != KEY]
    return root if len(kept) == len(root.value) else MappingNode(root.tag, kept, root.start_mark, root.end_mark)


def varied(root: MappingNode, chooser: Chooser) -> MappingNode:
    """The scenario as a chooser wants it. ``root`` has no `mistakes`."""
    told, rewriting = as_written(root), Rewriting()
    for index, (row, node) in enumerate(_read(root)):
        chooser.begin(index)
        _choose(row, node, told, chooser, rewriting)
    return rewriting.of(told)


def widest(root: MappingNode) -> int:
    """How many alternatives the row has that has the most."""
    return max((max(len(row.or_) + 1, len(row.swap)) for row, _ in _read(root)), default=1)


def _choose(row: Row, node: MappingNode, told: MappingNode, chooser: Chooser, rewriting: Rewriting) -> None:
    scope = find(told, row.where) if row.where else [Spot(told, (), told)]
    if row.say != ():
        options = [texts(_child(node, "say")), *(texts(option) for option in _child(node, "or").value)]
        chosen = options[chooser.one_of(len(options))]
        rewriting.words(scope, dict(zip(options[0], chosen, strict=True)))
    elif row.swap:
        names = texts(_child(node, "swap"))
        order = chooser.order(len(names))
        rewriting.words(scope, {name: names[to] for name, to in zip(names, order, strict=True)})
    elif row.move:
        by = round(chooser.between(*(seconds(bound) for bound in row.by)))
        rewriting.words(scope, {offset: written(seconds(offset) + by) for offset in row.move})
    elif row.number:
        digits = max(_digits(text) for text in texts(_child(node, "within")))
        value = chooser.between(*row.within)
        for spot in find(told, row.number):
            rewriting.number(spot.node, f"{value:.{max(digits, _digits(str(spot.node.value)))}f}")
    elif row.sometimes:
        if not chooser.happens(row.odds):
            for path in texts(_child(node, "sometimes")):
                rewriting.drop(spot.node for spot in find(told, path))
    elif chooser.happens(row.odds):
        for key, items in _child(node, "add").value:
            rewriting.add(find(told, key.value)[0].node, items.value)


# What is wrong


def mistakes(root: MappingNode) -> Iterator[Mistake]:
    """What is wrong with ``varies`` itself."""
    rows = _rows(root)
    if rows is None:
        return
    found = [*document.misread(rows, (KEY,)), *shape.mistakes(rows, tuple[Row, ...], (KEY,))]
    yield from found
    if found:
        return
    told = as_written(root)
    known: dict[tuple[str, str], int] = {}
    for index, (row, node) in enumerate(_read(root)):
        here: Place = (KEY, index)
        given = [verb for verb in VERBS if _has(node, verb)]
        if len(given) != 1:
            yield Mistake(here, f"expected exactly one of {', '.join(VERBS)}, found {' and '.join(given) or 'none'}")
            continue
        try:
            yield from _mistakes_of(row, node, told, here)
        except PathError as error:
            yield Mistake(here, str(error))
            continue
        words = [*texts(_child(node, given[0]))] if given[0] in ("say", "swap", "move") else []
        for word in words:
            for where in {"", row.where} if row.where else {"", *(where for where, _ in known)}:
                if (where, word) in known:
                    yield Mistake((*here, given[0]), f"{word!r} is in varies[{known[where, word]}] already")
                    break
            known.setdefault((row.where, word), index)


def _mistakes_of(row: Row, node: MappingNode, told: MappingNode, here: Place) -> Iterator[Mistake]:
    scope = find(told, row.where) if row.where else [Spot(told, (), told)]
    if row.where and not (row.say != () or row.swap or row.move):
        yield Mistake((*here, "where"), "only say, swap and move have a where")
    if _has(node, "odds") and not (row.sometimes or row.add):
        yield Mistake((*here, "odds"), "only sometimes and add have odds")
    words: list[str] = []
    if _has(node, "say"):
        words = texts(_child(node, "say"))
        if not row.or_:
            yield Mistake((*here, "or"), "missing, expected what else to say: a list")
        for index, option in enumerate(_child(node, "or").value if row.or_ else ()):
            if len(texts(option)) != len(words):
                yield Mistake((*here, "or", index), f"expected as many words as say has: {len(words)}")
    elif _has(node, "swap"):
        words = texts(_child(node, "swap"))
        if len({*words}) < 2 or len({*words}) < len(words):
            yield Mistake((*here, "swap"), "expected at least two words, all of them different")
    elif _has(node, "move"):
        words = [*row.move]
        yield from _mistakes_of_move(row, here)
    elif _has(node, "number"):
        if len(row.within) != 2 or row.within[0] > row.within[1]:
            yield Mistake((*here, "within"), "expected two numbers, the least and the most, such as [0.86, 0.94]")
        for spot in find(told, row.number):
            if not isinstance(spot.node, ScalarNode) or not spot.node.tag.endswith((":int", ":float")):
                yield Mistake(
                    (*here, "number"), f"{row.number}: expected a number there, found {document.shown(spot.node)}"
                )
    elif _has(node, "sometimes"):
        for path in texts(_child(node, "sometimes")):
            find(told, path)
    else:
        for key, _ in _child(node, "add").value:
            if not all(isinstance(spot.node, SequenceNode) for spot in find(told, key.value)):
                yield Mistake((*here, "add", key.value), "expected the path of a list")
    for word in words:
        if not any(Words({word: word}).stands_in(spot.node) for spot in scope):
            where = f"in {row.where}" if row.where else "in the scenario"
            yield Mistake((*here, next(verb for verb in VERBS if _has(node, verb))), f"{word!r} stands nowhere {where}")


def _mistakes_of_move(row: Row, here: Place) -> Iterator[Mistake]:
    bounds = [seconds(bound) for bound in row.by]
    if len(bounds) != 2 or bounds[0] > bounds[1]:
        yield Mistake((*here, "by"), "expected two offsets, the least and the most, such as [-5m, +3m]")
        return
    for offset in row.move:
        if any((seconds(offset) > 0) != (seconds(offset) + bound > 0) for bound in bounds):
            yield Mistake((*here, "by"), f"{offset} would move from one side of the start to the other")


# The rows


def _rows(root: MappingNode) -> Node | None:
    return next((value for key, value in root.value if key.value == KEY), None)


def _read(root: MappingNode) -> list[tuple[Row, MappingNode]]:
    rows = _rows(root)
    if rows is None:
        return []
    return [(msgspec.convert(document.plain(node), Row), node) for node in rows.value]


def _child(node: MappingNode, key: str) -> Node:
    found: Node = next(value for name, value in node.value if name.value == key)
    return found


def _has(node: MappingNode, key: str) -> bool:
    return any(name.value == key for name, _ in node.value)


def texts(node: Node) -> list[str]:
    """The words of a list, or the one word, as they stand in the file."""
    return [str(item.value) for item in node.value] if isinstance(node, SequenceNode) else [str(node.value)]


def _digits(text: str) -> int:
    return len(re.sub(r"^[^.]*\.?", "", text))
