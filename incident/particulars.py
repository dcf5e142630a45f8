"""The particulars of an incident, taken from outside: evidence, a row, an exported file. Whatever comes is checked.

Each raises ValueError with words that follow "the incident makes no sense: ".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from incident.entry import MARKS
from incident.instants import EARLIEST, LATEST

T = TypeVar("T")


def severity_of(value: object) -> int | None:
    """1 (critical) to 4 (low), or None: nobody has classified it."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4:
        return value
    raise ValueError(f"{value!r} is not a severity: 1 (critical) to 4 (low)")


def text_of(value: object, what: str) -> str:
    """A text, maybe an empty one."""
    if not isinstance(value, str):
        raise ValueError(f"the {what} is not a text")
    return value


def services_of(value: object) -> tuple[str, ...]:
    """The services affected, from a list of names."""
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError("the services are not a list of names")
    return tuple(value)


def facts_of(value: object) -> dict[str, bool | None]:
    """Answers by question: yes, no, or None for not known any more."""
    facts = _mapping(value, "facts")
    if not all(answer is None or isinstance(answer, bool) for answer in facts.values()):
        raise ValueError("a fact is neither true nor false")
    return {question: answer if isinstance(answer, bool) else None for question, answer in facts.items()}


def roles_of(value: object) -> dict[str, str | None]:
    """Persons by role; None: nobody has it any more."""
    roles = _mapping(value, "roles")
    if not all(person is None or isinstance(person, str) for person in roles.values()):
        raise ValueError("a role is held by no name")
    return {role: person if isinstance(person, str) else None for role, person in roles.items()}


def times_of(value: object) -> dict[str, int | None]:
    """Instants (ms) by mark; None: not set any more."""
    times: dict[str, int | None] = {}
    for mark, at in _mapping(value, "times").items():
        if mark not in MARKS:
            raise ValueError(f"{mark!r} is not a time of an incident: {', '.join(MARKS)}")
        if at is not None and (not isinstance(at, int) or isinstance(at, bool) or not EARLIEST <= at <= LATEST):
            raise ValueError(f"the time {mark!r} is not an instant between the years 1970 and 9999")
        times[mark] = at if isinstance(at, int) else None
    return times


def merged(before: Mapping[str, T], changes: Mapping[str, T | None]) -> dict[str, T]:
    """``before`` with the changes; None takes away."""
    after: dict[str, T | None] = {**before, **changes}
    return {key: value for key, value in after.items() if value is not None}


def settled(values: Mapping[str, T | None]) -> dict[str, T]:
    """The same, of an incident as it stands: there is nothing to take away any more."""
    if None in values.values():
        raise ValueError(f"something is left open: {', '.join(key for key, value in values.items() if value is None)}")
    return merged({}, values)


def _mapping(value: object, what: str) -> dict[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"the {what} are not an object")
    return value
