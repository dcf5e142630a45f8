"""A scenario's text as YAML nodes, which know their lines, and as plain data. Hostile text is refused in one sentence.

Nothing is constructed but texts, numbers, truth and nothing: tags, merge keys and dates have no place in a scenario.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

import yaml
from msgspec import Struct
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MOST: Final = 512 * 1024  # bytes of a file
DEEPEST: Final = 20  # libyaml's composer calls itself for each level, until the process dies of it
LARGEST: Final = 50_000  # values, those behind an alias counted as often as it is used

Place = tuple[str | int, ...]
"""Keys and indexes from the top: ``("script", 3, "at")``."""

_TEXT, _NULL, _BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("str", "null", "bool", "int", "float"))
_DATE: Final = "tag:yaml.org,2002:timestamp"
_MERGE: Final = "tag:yaml.org,2002:merge"


class ScenarioError(ValueError):
    """A scenario that cannot be played: which one, where in it, and what was expected."""


class Mistake(Struct, frozen=True):
    """What is wrong at a place of a scenario; ``what`` is a sentence without the place."""

    place: Place
    what: str


def compose(text: str, source: str) -> MappingNode:
    """The text as nodes. ``source`` is how it is called. Raises `ScenarioError`."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if len(text) > MOST:
        raise ScenarioError(f"{source}: larger than {MOST // 1024} KiB: this is no scenario")
    try:
        if _too_deep(text, loader):
            raise ScenarioError(f"{source}: nested deeper than {DEEPEST}: this is no scenario")
        node: Node | None = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}" if mark is not None else ""
        raise ScenarioError(f"{source}{where}: not YAML: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        raise ScenarioError(f"{source}: not YAML: {_shown_code(error)} has no place in it") from None
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(node, MappingNode):
        found = "nothing" if node is None else shown(node)
        raise ScenarioError(f"{source}: a scenario is keys with values, and here is {found}")
    if _size(node, {}) > LARGEST:
        raise ScenarioError(f"{source}: more than {LARGEST} values, aliases counted: this is no scenario")
    return node


def _shown_code(error: yaml.reader.ReaderError) -> str:
    found = error.character
    code = found if isinstance(found, int) else ord(found)
    return f"the character U+{code:04X}"


def _too_deep(text: str, loader: Any) -> bool:
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return True
    return False


def _size(node: Node, known: dict[int, int]) -> int:
    """How many values there are once every alias is followed; one inside of itself is endless."""
    if isinstance(node, ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = LARGEST + 1  # until it is known: whoever meets it meanwhile is inside of it
        known[id(node)] = 1 + sum(min(_size(child, known), LARGEST + 1) for child in _children(node))
    return known[id(node)]


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, SequenceNode):
        yield from node.value


def plain(node: Node) -> Any:
    """The data of a node: what YAML makes of it, a date left as text. Mistakes in it are those of `misread`."""
    if isinstance(node, MappingNode):
        return {key.value if isinstance(key, ScalarNode) else "": plain(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.value]
    return _scalar(node)


def _scalar(node: Node) -> Any:
    if node.tag == _NULL:
        return None
    if node.tag in (_BOOL, _INT, _FLOAT):
        try:
            return SafeConstructor().construct_object(node)
        except (ValueError, KeyError, IndexError, yaml.YAMLError):
            return node.value
    return node.value


def misread(node: Node, place: Place = ()) -> Iterator[Mistake]:
    """What `plain` cannot tell: a key that is there twice or is no name, a merge, a tag."""
    if node.tag not in _PLAIN:
        yield Mistake(place, f"a scenario has no tags such as {node.tag.replace('tag:yaml.org,2002:', '!!')}")
    if node.tag == _FLOAT and not isfinite(found if isinstance(found := plain(node), float) else 0.0):
        yield Mistake(place, f"expected a number, found {shown(node)}")
    if isinstance(node, MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == _MERGE:
                yield Mistake(place, f"a scenario has no merge keys (<<, on line {line}): write the keys out")
                continue
            if not isinstance(key, ScalarNode):
                yield Mistake(place, f"expected a name as a key on line {line}, found {shown(key)}")
                continue
            if key.value in seen:
                yield Mistake((*place, key.value), f"this key is there already, on line {seen[key.value]}")
            seen.setdefault(key.value, line)
            yield from misread(value, (*place, key.value))
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield from misread(item, (*place, index))


_PLAIN: Final = (
    *(_TEXT, _NULL, _BOOL, _INT, _FLOAT, _DATE, _MERGE),
    *(f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "value")),
)


def line_of(root: Node, place: Place) -> int:
    """The line, counted from 1, of what stands at a place; of what is around it where nothing stands there."""
    node, line = root, root.start_mark.line + 1
    for step in place:
        if isinstance(node, MappingNode):
            # The last one of its name, as a key that is there twice is complained of where it is again.
            found = next(((key, value) for key, value in reversed(node.value) if key.value == str(step)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


def dotted(place: Place) -> str:
    """``script[3].at``"""
    said = ""
    for step in place:
        said += f"[{step}]" if isinstance(step, int) else f".{step}" if said else step
    return printable(said)


def shown(node: Node) -> str:
    """A value as it stands in the file, short."""
    if isinstance(node, MappingNode):
        return "keys with values"
    if isinstance(node, SequenceNode):
        return "a list"
    text = repr(str(node.value)) if node.tag == _TEXT else str(node.value) or "nothing"
    text = printable(text)
    return text if len(text) <= 60 else text[:59] + "…"


def printable(text: str) -> str:
    """Without anything that a terminal would act on."""
    return "".join(character if character.isprintable() else "�" for character in text)


def told(mistake: Mistake, root: Node, source: str) -> str:
    """A mistake as a sentence with its place: file, line, key, what was expected."""
    where = f"{dotted(mistake.place)}: " if mistake.place else ""
    return f"{source}:{line_of(root, mistake.place)}: {where}{mistake.what}"
