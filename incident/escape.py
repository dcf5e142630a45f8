"""Text from people and clusters, made inert for the format it goes into. Nothing is dropped: the unseen is named.

Invisible and reordering characters become ``‹U+202E›``; line ends become what the format has for them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

# Joiners belong to emoji and to several scripts, and cannot reorder anything.
_KEPT = frozenset("\u200c\u200d")
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def _named(character: str) -> str:
    return f"‹U+{ord(character):04X}›"


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1]


class _Table(dict[int, str]):
    """A translation that works out each character once."""

    def __init__(self, fixed: dict[str, str], name: Callable[[str], str] = _named) -> None:
        self._name = name
        super().__init__({ord(character): replacement for character, replacement in fixed.items()})

    def __missing__(self, code: int) -> str:
        character = chr(code)
        unseen = unicodedata.category(character) in _UNSEEN and character not in _KEPT
        self[code] = self._name(character) if unseen else character
        return self[code]


_PLAIN = _Table({"\n": "\n", "\t": "    "})
# CommonMark's and GFM's inline constructs, and the braces of template languages. Entities where a backslash would do
# inside of a table cell or an HTML block too, but not for every reader.
_MARKDOWN = _Table(
    {"\n": "<br>", "\t": " ", "<": "&lt;", ">": "&gt;", "&": "&amp;"}
    | {character: f"\\{character}" for character in "\\`*_{}[]|~$"}
)
_HTML = _Table({"\n": "<br>", "\t": "    ", "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&#39;"})
_JSON = _Table({"\n": "\n"}, _json_escape)
_FENCE = re.compile("`{3,}")
_MAY_CALCULATE = re.compile(r"[=+\-@]")
_FORMULA = re.compile("((?:^|[,;|\n])[\\s\"']*)([=+\\-@＝＋－＠])")


def visible(text: str) -> str:
    """Any text as plain text with real line ends; nothing in it is invisible or changes the order of what is read."""
    return _one_line_end(text).translate(_PLAIN)


def markdown(text: str) -> str:
    """Any text as one inline run of Markdown, for a table cell, a list item or a heading; line ends become ``<br>``."""
    return _one_line_end(text).strip(" \t\n").translate(_MARKDOWN)


def markdown_block(text: str, language: str = "") -> str:
    """Any text as a fenced code block, whose fence is longer than any in the text."""
    body = visible(text)
    fence = "`" * max(3, 1 + max((len(run) for run in _FENCE.findall(body)), default=0))
    return f"{fence}{language}\n{body}\n{fence}"


def html(text: str) -> str:
    """Any text as one inline run of HTML, for an element or a quoted attribute; line ends become ``<br>``."""
    return _one_line_end(text).strip(" \t\n").translate(_HTML)


def html_block(text: str) -> str:
    """Any text as it is, line ends included, for a ``<pre>``."""
    return _one_line_end(text).translate(_HTML).replace("<br>", "\n")


def csv_cell(text: str) -> str:
    """Any text as what a spreadsheet shows and never calculates: a formula's first character gets ``'`` before it.

    Also where a cell could begin for a program that takes another character for the separator: after ``,``, ``;``,
    ``|`` or a line end, quotes and blanks between them or not.
    """
    if text.isascii() and text.isprintable() and not _MAY_CALCULATE.search(text):
        return text
    return _FORMULA.sub(r"\1'\2", visible(text))


def json_text(value: Any) -> str:
    """JSON on one line and in ASCII, so that nothing in it can be invisible or act on a terminal.

    Raises:
        ValueError, TypeError: the value has no JSON form.
    """
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def json_block(value: Any) -> str:
    """JSON for people: indented, letters of all languages as they are, invisible characters as ``\\u202e``.

    Raises:
        ValueError, TypeError: the value has no JSON form.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2).translate(_JSON)


def _one_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
