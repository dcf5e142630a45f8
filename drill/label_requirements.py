"""Label selectors as text (``app=web,tier!=db,zone in (a,b),!legacy``), read as k8s.io/apimachinery/pkg/labels does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from drill import naming, statuses

_TOKEN: Final = re.compile(r"[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^ \t\r\n=!(),<>]+))")
_OPERATORS: Final = ("=", "==", "!=", "in", "notin", ">", "<")
_EXPECTED: Final = "in, notin, =, ==, !=, gt, lt"
_SPECIAL: Final = frozenset(("==", "!=", "=", "!", "(", ")", ",", "<", ">"))


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term: ``operator`` is in, notin, exists, absent, > or <; equality is a set of one value."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        has = labels.get(self.key)
        match self.operator:
            case "in":
                return has in self.values
            case "notin":
                return has not in self.values
            case "exists":
                return has is not None
            case "absent":
                return has is None
        number, limit = _number(has), _number(next(iter(self.values)))
        if number is None or limit is None:
            return False
        return number > limit if self.operator == ">" else number < limit


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[-+]?\d+", text) else None


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """The requirements, all of which must hold. Raises BadRequest for a selector that a real server refuses, too."""
    return _Parser(text).requirements()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = [operator or word for operator, word in _TOKEN.findall(text)]
        self._at = 0

    def requirements(self) -> tuple[Requirement, ...]:
        found: list[Requirement] = []
        if not self._tokens:
            return ()
        while True:
            piece = self._peek()
            if piece != "!" and piece in _SPECIAL:
                raise _refused(f"found '{piece}', expected: !, identifier, or 'end of string'")
            found.append(self._requirement())
            piece = self._next()
            if not piece:
                return tuple(found)
            if piece != ",":
                raise _refused(f"found '{piece}', expected: ',' or 'end of string'")
            ahead = self._peek()
            if not ahead or (ahead != "!" and ahead in _SPECIAL):
                raise _refused(f"found '{ahead}', expected: identifier after ','")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        piece = self._peek()
        self._at += 1
        return piece

    def _requirement(self) -> Requirement:
        absent = self._peek() == "!"
        if absent:
            self._next()
        key = self._next()
        if not key or key in _SPECIAL:
            raise _unparsable(f"found '{key}', expected: identifier")
        wrong = naming.qualified(key)
        if wrong:
            raise _unparsable(f'key: Invalid value: "{key}": {"; ".join(wrong)}')
        if absent or self._peek() in ("", ","):
            return Requirement(key, "absent" if absent else "exists")
        operator = self._next()
        if operator not in _OPERATORS:
            raise _unparsable(f"found '{operator}', expected: {_EXPECTED}")
        values = self._set() if operator in ("in", "notin") else (self._exact(),)
        if operator in ("<", ">") and _number(values[0]) is None:
            raise _unparsable(
                f"values[0]: Invalid value: \"{values[0]}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )
        for position, value in enumerate(values):
            wrong = naming.label_value(value)
            if wrong:
                raise _unparsable(f'values[{position}][{key}]: Invalid value: "{value}": {"; ".join(wrong)}')
        meaning = {"=": "in", "==": "in", "!=": "notin"}.get(operator, operator)
        return Requirement(key, meaning, frozenset(values))

    def _exact(self) -> str:
        if self._peek() in ("", ","):
            return ""
        value = self._next()
        if value in _SPECIAL:
            raise _unparsable(f"found '{value}', expected: identifier")
        return value

    def _set(self) -> tuple[str, ...]:
        piece = self._next()
        if piece != "(":
            raise _unparsable(f"found '{piece}' expected: '('")
        values: list[str] = []
        piece = self._next()
        if piece == ")":
            return ("",)
        while True:
            if piece == ",":  # nothing before it is the empty value
                values.append("")
            elif piece in _SPECIAL or not piece:
                raise _unparsable(f"found '{piece}', expected: ',', or identifier")
            else:
                values.append(piece)
                piece = self._next()
                if piece == ")":
                    return tuple(values)
                if piece != ",":
                    raise _unparsable(f"found '{piece}', expected: ',' or ')'")
            piece = self._next()
            if piece == ")":
                return (*values, "")


def _refused(why: str) -> statuses.ApiError:
    return statuses.bad_request(why)


def _unparsable(why: str) -> statuses.ApiError:
    return statuses.bad_request(f"unable to parse requirement: {why}")
