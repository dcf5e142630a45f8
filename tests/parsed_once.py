"""Stylesheets parsed once in a process: the apps of the suite all have the same, and each would parse them anew."""

from __future__ import annotations

from functools import wraps

from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation

_known: dict[object, list[RuleSet]] = {}
_parse = Stylesheet._parse_rules


@wraps(_parse)
def _parsed(
    self: Stylesheet,
    css: str,
    read_from: CSSLocation,
    is_default_rules: bool = False,
    tie_breaker: int = 0,
    scope: str = "",
) -> list[RuleSet]:
    """A theme is other variables, and so other rules."""
    key = (css, read_from, is_default_rules, tie_breaker, scope, tuple(self._variables.items()))
    if key not in _known:
        _known[key] = _parse(self, css, read_from, is_default_rules, tie_breaker, scope)
    return _known[key]


Stylesheet._parse_rules = _parsed  # type: ignore[method-assign]
