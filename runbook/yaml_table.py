"""Reading YAML strictly: every key is asked for once, with what it must be, and what is left over is a typo.

It exists so that an error can name the file, the line, the key and what was expected. Nothing is constructed: the
document stays nodes, and only the scalars that somebody asks for become values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MOST = 256 * 1024  # bytes of a file
DEEPEST = 20  # libyaml's composer calls itself for each level, until the process dies of it
NAME, LONGEST_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*"), 40
_TEXT, _BOOL, _NULL = (f"tag:yaml.org,2002:{name}" for name in ("str", "bool", "null"))
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_TRUE = ("yes", "true", "on")
_DURATION = re.compile(r"(\d{1,9}) ?(s|sec|min|m|h|hours?|d|days?|w|weeks?)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}  # seconds, by a unit's first letter


class YamlError(Exception):
    """The file cannot be used. ``str(error)`` is one sentence: file, line, key, what was expected."""


def read(path: Path) -> Table:
    """The whole file as a table; one that is empty has no keys. Raises `YamlError`."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST + 1)
    except OSError as error:
        raise YamlError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(content) > MOST:
        raise YamlError(f"{path}: larger than {MOST // 1024} KiB: this is no runbook file")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = content.decode("utf-8-sig")
        if _too_deep(text, loader):
            raise YamlError(f"{path}: nested deeper than {DEEPEST}: this is no runbook file")
        node = yaml.compose(text, Loader=loader)
    except UnicodeDecodeError as error:
        raise YamlError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}" if mark is not None else ""
        raise YamlError(f"{path}{where}: not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise YamlError(f"{path}: not valid YAML: {' '.join(str(error).split())[:200]}") from error
    if node is None or (isinstance(node, ScalarNode) and node.tag == _NULL):
        return Table(path, "", 1, {})
    return _table(path, "", node)


class Table:
    """One mapping. Readers return the default for an absent key and raise `YamlError` for a wrong one."""

    def __init__(self, path: Path, name: str, line: int, entries: dict[str, tuple[int, Node]]) -> None:
        self.path = path
        self.name = name
        self.line = line
        self._entries = entries
        self._asked: list[str] = []

    def has(self, key: str) -> bool:
        return key in self._entries

    def is_text(self, key: str) -> bool:
        return _text(self._entries[key][1]) is not None

    def wrong(self, key: str, expected: str, advice: str = "") -> YamlError:
        """The error for a value that is not what was ``expected``."""
        line, node = self._entries[key]
        return self.fault(key, f"expected {expected}, found {_shown(node)}{advice}", line)

    def fault(self, key: str, what: str, line: int = 0) -> YamlError:
        """An error at a key, which need not be there. What is missing is often there under a misspelt name."""
        if what.startswith("missing"):
            others = [other for other in self._entries if other not in self._asked]
            for near in get_close_matches(key, others, n=1, cutoff=0.6):
                return self.fault(near, f"there is no such key; did you mean {key}?")
        line = line or (self._entries[key][0] if key in self._entries else self.line)
        return YamlError(f"{self.path}:{line}: {self._dotted(key)}: {what}")

    def line_of(self, key: str, number: int = 1) -> int:
        """The file's line on which line ``number`` of a block of text stands."""
        _, node = self._entries[key]
        return int(node.start_mark.line) + number + (getattr(node, "style", None) in ("|", ">"))

    def text(self, key: str, default: str | None = None) -> str:
        """Text on one line. Without a default the key must be there."""
        if not self._ask(key):
            if default is None:
                raise self.fault(key, "missing, expected text")
            return default
        value = _text(self._entries[key][1])
        if value is None or not value.strip():
            raise self.wrong(key, "text")
        if not value.isprintable():
            raise self.wrong(key, "text on one line, without control characters")
        return value.strip()

    def block(self, key: str, default: str | None = None) -> str:
        """Text of any number of lines, as ``|`` writes it, without the empty lines at its end."""
        if not self._ask(key):
            if default is None:
                raise self.fault(key, "missing, expected text")
            return default
        value = _text(self._entries[key][1])
        if value is None or not value.strip():
            raise self.wrong(key, "text")
        if not all(line.replace("\t", " ").isprintable() for line in value.split("\n")):
            raise self.wrong(key, "text without control characters")
        return value.rstrip()

    def choice(self, key: str, default: str | None, known: Sequence[str]) -> str:
        value = self.text(key, default)
        if value not in known:
            raise self.wrong(key, f"one of {', '.join(known)}", close_to(value, known))
        return value

    def seconds(self, key: str, default: float, *, low: float, high: float) -> float:
        if not self._ask(key):
            return default
        node = self._entries[key][1]
        expected = f"a number of seconds from {low:g} to {high:g}"
        try:
            value = float(node.value) if isinstance(node, ScalarNode) and node.tag in _NUMBERS else float("nan")
        except ValueError:  # 1:30, 0x10: numbers to YAML 1.1
            value = float("nan")
        if not low <= value <= high:
            raise self.wrong(key, expected)
        return value

    def duration(self, key: str, default: float | None, *, low: float, high: float) -> float | None:
        """Seconds, from a number of them or a text like ``15 min``, ``2 h``, ``1 week``."""
        if not self._ask(key):
            return default
        node = self._entries[key][1]
        value = float("nan")
        if isinstance(node, ScalarNode):
            told = _DURATION.fullmatch(node.value) if node.tag == _TEXT else None
            if told:
                value = float(told[1]) * _UNITS[told[2][0]]
            elif node.tag in _NUMBERS and node.value.isdecimal():
                value = float(node.value)
        if not low <= value <= high:
            raise self.wrong(key, f'a duration like "15 min", from {words_of(low)} to {words_of(high)}')
        return value

    def number(self, key: str, default: int | None, *, low: int, high: int) -> int:
        """A whole number. Without a default the key must be there."""
        expected = f"a whole number from {low} to {high}"
        if not self._ask(key):
            if default is None:
                raise self.fault(key, f"missing, expected {expected}")
            return default
        value = _whole(self._entries[key][1])
        if value is None or not low <= value <= high:
            raise self.wrong(key, expected)
        return value

    def numbers(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers; none when it is absent."""
        if not self._ask(key):
            return ()
        node = self._entries[key][1]
        found = [_whole(item) for item in node.value] if isinstance(node, SequenceNode) else [None]
        numbers = [number for number in found if number is not None]
        if len(numbers) != len(found):
            raise self.wrong(key, "a list of whole numbers, e.g. [1, 2]")
        return tuple(numbers)

    def flag(self, key: str, default: bool) -> bool:
        if not self._ask(key):
            return default
        node = self._entries[key][1]
        if not isinstance(node, ScalarNode) or node.tag != _BOOL:
            raise self.wrong(key, "true or false")
        return node.value.lower() in _TRUE

    def texts(self, key: str, default: Sequence[str] | None = ()) -> tuple[str, ...]:
        """A list of texts. With a default of None the key must be there and the list not empty."""
        expected = 'a list of texts, e.g. ["one", "two"]'
        if not self._ask(key):
            if default is None:
                raise self.fault(key, f"missing, expected {expected}")
            return tuple(default)
        line, node = self._entries[key]
        if not isinstance(node, SequenceNode) or (default is None and not node.value):
            raise self.wrong(key, expected)
        found = []
        for number, item in enumerate(node.value):
            value = _text(item) if not _is_number(item) else item.value
            if value is None or not value.isprintable() or not value:
                at = item.start_mark.line + 1 if item.start_mark else line
                raise YamlError(
                    f"{self.path}:{at}: {self._dotted(key)}[{number}]: expected text in quotes, found {_shown(item)}"
                )
            found.append(value)
        return tuple(found)

    def table(self, key: str) -> Table:
        """The mapping below a key; one without keys when it is absent or empty."""
        if not self._ask(key):
            return Table(self.path, self._dotted(key), self.line, {})
        line, node = self._entries[key]
        if isinstance(node, ScalarNode) and node.tag == _NULL:
            return Table(self.path, self._dotted(key), line, {})
        if not isinstance(node, MappingNode):
            raise self.wrong(key, "keys with values")
        return _table(self.path, self._dotted(key), node)

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Every key of this table, each with the mapping below it: for names that are not ours to know."""
        for key in self._entries:
            yield key, self.table(key)

    def rows(self, key: str) -> tuple[Table, ...]:
        """A list of mappings; none when it is absent."""
        if not self._ask(key):
            return ()
        node = self._entries[key][1]
        if not isinstance(node, SequenceNode):
            raise self.wrong(key, "a list, each of its items keys with values")
        return tuple(
            _table(self.path, f"{self._dotted(key)}[{number}]", item) for number, item in enumerate(node.value)
        )

    def keys_there(self) -> tuple[str, ...]:
        """The keys as they stand, none of them asked for by that."""
        return tuple(self._entries)

    def names(self) -> Iterator[str]:
        """The keys, where they are names that a person made up: lower-case words joined by dashes."""
        for key in self._entries:
            if not NAME.fullmatch(key) or len(key) > LONGEST_NAME:
                raise self.fault(key, "expected a name of lower-case letters, digits and dashes")
            yield key

    def named(self) -> Iterator[tuple[str, Table]]:
        """`names`, each with the mapping below it."""
        for key in self.names():
            yield key, self.table(key)

    def answers(self) -> Iterator[tuple[str, str]]:
        """Every key of this table with its value as text; true and false are ``yes`` and ``no``, as in a plan."""
        for key, (_, node) in self._entries.items():
            self._asked.append(key)
            if not isinstance(node, ScalarNode) or node.tag == _NULL or not node.value.isprintable():
                raise self.wrong(key, "one value")
            yield key, ("yes" if node.value.lower() in _TRUE else "no") if node.tag == _BOOL else node.value

    def done(self) -> None:
        """Raise `YamlError` for the first key that nobody asked for."""
        for key, (line, _) in self._entries.items():
            if key not in self._asked:
                known = close_to(key, self._asked) or f"; known here: {', '.join(dict.fromkeys(self._asked))}"
                raise self.fault(key, f"there is no such key{known}", line)

    def _ask(self, key: str) -> bool:
        self._asked.append(key)
        return key in self._entries

    def _dotted(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name and key else self.name or key


def _too_deep(text: str, loader: Any) -> bool:
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return True
    return False


def words_of(seconds: float) -> str:
    """A duration as `Table.duration` reads it: ``90 s``, ``15 min``, ``2 h``, ``1 d``."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def close_to(name: str, known: Sequence[str]) -> str:
    """``; did you mean X?`` when a known name is near, else an empty string."""
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _table(path: Path, name: str, node: Node) -> Table:
    line = node.start_mark.line + 1
    where = f"{name}: " if name else ""
    if not isinstance(node, MappingNode):
        raise YamlError(f"{path}:{line}: {where}expected keys with values, found {_shown(node)}")
    entries: dict[str, tuple[int, Node]] = {}
    for key_node, value in node.value:
        at = key_node.start_mark.line + 1
        key = key_node.value if isinstance(key_node, ScalarNode) else None
        if key is None or not key.isprintable():
            raise YamlError(f"{path}:{at}: {where}expected a name as key, found {_shown(key_node)}")
        if key in entries:
            first = entries[key][0]
            dotted = f"{name}.{key}" if name else key
            raise YamlError(f"{path}:{at}: {dotted}: this key is there already, on line {first}")
        entries[key] = (at, value)
    return Table(path, name, line, entries)


def _text(node: Node) -> str | None:
    return str(node.value) if isinstance(node, ScalarNode) and node.tag == _TEXT else None


def _whole(node: Node) -> int | None:
    plain = isinstance(node, ScalarNode) and node.tag in _NUMBERS and len(node.value) <= 9
    return int(node.value) if plain and node.value.isdecimal() and node.value.isascii() else None


def _is_number(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag in _NUMBERS


def _shown(node: Node) -> str:
    """A value as it stands in the file, short."""
    if isinstance(node, MappingNode):
        return "keys with values"
    if isinstance(node, SequenceNode):
        return "a list"
    text = repr(str(node.value)) if node.tag == _TEXT else str(node.value) or "nothing"
    text = "".join(character if character.isprintable() else "�" for character in text)
    return text if len(text) <= 60 else text[:59] + "…"
