"""Writes a scenario's nodes anew: other words, other numbers, something left out, something put in. Lines stay."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from drill.paths import Spot

_TEXT: Final = "tag:yaml.org,2002:str"
_WHOLE: Final = re.compile(r"[+-]?(\d+(\.\d+)?[dhms])+|[+-]?\d+(\.\d+)?")  # a time or a number is no part of a text
_BEFORE, _AFTER = r"(?<![A-Za-z0-9])(?<![A-Za-z0-9]-)(?<!\d\.)", r"(?![A-Za-z0-9])(?!-[A-Za-z0-9])(?!\.\d)"
# A dash that more follows is part of a word: "api" does not stand in "api-gateway". A dot is one between digits.


class Words:
    """What stands in the place of which words. All at once: what has been put somewhere is not replaced again."""

    def __init__(self, instead: Mapping[str, str]) -> None:
        self.instead = dict(instead)
        self._whole = {word: other for word, other in instead.items() if _WHOLE.fullmatch(word)}
        self._parts = {word: other for word, other in instead.items() if word not in self._whole}
        words = sorted(self._parts, key=len, reverse=True)
        self._pattern = re.compile(f"{_BEFORE}(?:{'|'.join(map(re.escape, words))}){_AFTER}") if words else None

    def in_text(self, text: str) -> str:
        if text in self._whole:
            return self._whole[text]
        return self._pattern.sub(lambda found: self._parts[found[0]], text) if self._pattern else text

    def stands_in(self, node: Node) -> bool:
        """Whether any of the words is anywhere in there."""
        if isinstance(node, ScalarNode):
            return node.value in self._whole or bool(self._pattern and self._pattern.search(node.value))
        children = [part for pair in node.value for part in pair] if isinstance(node, MappingNode) else node.value
        return any(self.stands_in(child) for child in children)


class Rewriting:
    """Collects what is to be different, and then makes it of the nodes; those are left as they are."""

    def __init__(self) -> None:
        self._words: dict[int, dict[str, str]] = {}
        self._numbers: dict[int, str] = {}
        self._dropped: set[int] = set()
        self._added: defaultdict[int, list[Node]] = defaultdict(list)

    def words(self, scope: Iterable[Spot], instead: Mapping[str, str]) -> None:
        """Other words in all of these."""
        for spot in scope:
            self._words.setdefault(id(spot.node), {}).update(instead)

    def number(self, node: Node, text: str) -> None:
        self._numbers[id(node)] = text

    def drop(self, nodes: Iterable[Node]) -> None:
        """Leave items of a list out, or keys with their values."""
        self._dropped |= {id(node) for node in nodes}

    def add(self, to: Node, items: Iterable[Node]) -> None:
        """More items at the end of a list."""
        self._added[id(to)] += items

    def of(self, root: MappingNode) -> MappingNode:
        made = self._made(root, Words({}))
        assert isinstance(made, MappingNode)
        return made

    def _made(self, node: Node, words: Words) -> Node:
        if id(node) in self._words:
            words = Words(words.instead | self._words[id(node)])
        if isinstance(node, MappingNode):
            pairs = [
                (self._made(key, words), self._made(value, words))
                for key, value in node.value
                if id(value) not in self._dropped
            ]
            return MappingNode(node.tag, pairs, node.start_mark, node.end_mark)
        if isinstance(node, SequenceNode):
            items = [item for item in (*node.value, *self._added.get(id(node), ())) if id(item) not in self._dropped]
            made = [self._made(item, words) for item in items]
            return SequenceNode(node.tag, made, node.start_mark, node.end_mark)
        text = self._numbers.get(id(node)) or words.in_text(node.value)
        if text == node.value:
            return node
        # What was text stays text: 1.5 in the place of 1.5.0 is no number.
        resolver: Any = yaml.resolver.Resolver()
        tag = node.tag if node.tag == _TEXT else resolver.resolve(ScalarNode, text, (True, False))
        return ScalarNode(tag, text, node.start_mark, node.end_mark)
