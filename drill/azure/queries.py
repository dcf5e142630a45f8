"""What of SQL the drill's server has to understand: one SELECT's columns, table, limit and condition."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_WORD: Final = re.compile(r"[A-Za-z_@#][\w@#.$]*")
_TOP: Final = re.compile(r"\s*TOP\s*\(?\s*(\d+)\s*\)?\s+", re.IGNORECASE)
_ALIAS: Final = re.compile(r"\bAS\s+\[?(\w+)\]?\s*$", re.IGNORECASE)


class Select(Struct, frozen=True):
    """``columns`` are the names in the answer (``*`` for all there are), ``source`` the table or view, "" for none.

    ``where`` is all that follows the source, in lower case and without superfluous blanks.
    """

    columns: tuple[str, ...]
    source: str
    top: int | None
    where: str


def parse(text: str) -> Select | None:
    """The SELECT that a batch is; None if it is something else."""
    bare = _COMMENT.sub(" ", text).strip().rstrip(";").strip()
    if not bare.upper().startswith("SELECT"):
        return None
    rest = bare[len("SELECT") :]
    top = _TOP.match(rest)
    if top is not None:
        rest = rest[top.end() :]
    at = _from(rest)
    listed = rest if at is None else rest[:at]
    after = "" if at is None else rest[at + len("FROM") :].strip()
    source = _WORD.match(after)
    return Select(
        columns=tuple(_name(part) for part in _parts(listed)),
        source=source[0].lower() if source is not None else "",
        top=int(top[1]) if top is not None else None,
        where=" ".join(after[source.end() if source is not None else 0 :].lower().split()),
    )


def _from(text: str) -> int | None:
    """Where the statement's own FROM is, and not one of a query within it."""
    depth = 0
    for at, letter in _outside_texts(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and letter in "Ff" and re.match(r"FROM\b", text[at:], re.IGNORECASE):
            before = text[at - 1] if at else " "
            if not (before.isalnum() or before in "_@#$."):
                return at
    return None


def _parts(text: str) -> list[str]:
    """What stands between the commas of a list."""
    parts, start, depth = [], 0, 0
    for at, letter in _outside_texts(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def _outside_texts(text: str) -> list[tuple[int, str]]:
    inside, found = False, []
    for at, letter in enumerate(text):
        if letter == "'":
            inside = not inside
        elif not inside:
            found.append((at, letter))
    return found


def _name(part: str) -> str:
    """What a column is called in the answer; "" for a calculation without a name."""
    alias = _ALIAS.search(part)
    if alias is not None:
        return alias[1]
    if part.endswith("*"):
        return "*"
    plain = re.fullmatch(r"(?:\[?\w+\]?\.)*\[?([A-Za-z_]\w*)\]?", part)
    return plain[1] if plain is not None else ""
