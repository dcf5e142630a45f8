"""Texts from the runbook file's templates: Jinja2 in a sandbox, because the file may come from anybody.

A template reads the values it is given and nothing else. What it may cost is bounded: its own length, that of every
value it makes and of the result, and the time it takes. Whatever is wrong with it is one sentence that names the line.

Jinja2 is imported on first use. A status update's template ("status-update") may use `UPDATE_FIELDS`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Collection, Mapping
from functools import cache
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

SOURCE_LIMIT = 16 * 1024  # characters
VALUE_LIMIT = 64 * 1024  # characters of any text that a template makes, its result included
RANGE_LIMIT = 1_000
TIME_LIMIT = 1.0  # seconds of the processor's: a busy machine is no fault of a template

UPDATE_FIELDS: Mapping[str, str] = {
    "incident_id": "INC-20261123-1402-ab3f",
    "title": "what is wrong, as it was declared",
    "severity": 'the number 1 to 4, or "unclassified"',
    "severity_name": "the severity's name in the runbook, or empty",
    "status": "INVESTIGATING, MITIGATING, RESOLVED or REVIEWED",
    "impact": "customer impact in the incident's words, or empty",
    "services": "list of the services affected",
    "since": "list of what was done since the last update, oldest first, each one line",
    "eta": "expected time of resolution, or empty: nobody but a person knows it",
    "resolved": "when it was resolved: 15:10 UTC; empty while it is open",
    "next_update": "14:35 UTC; empty if this is the last one",
    "ic": "who is incident commander, or empty",
    "number": "which update of this incident it is, from 1",
    "opened": "when it was declared: 2026-11-23 14:02 UTC",
    "elapsed": "how long it is open, or was: 1 h 12 min",
    "now": "14:20 UTC",
    "cluster": "the cluster's context",
    "namespace": "the namespace looked at",
    "drill": "true if this is an exercise",
}
"""What a "status-update" template can name, and what it gets."""

# What makes long texts from short ones (center, format, indent …) is not here; `replace` and `join` are bounded.
_FILTERS = (
    *("abs", "attr", "capitalize", "count", "d", "default", "escape", "first", "float", "groupby", "int", "items"),
    *("last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "select"),
    *("selectattr", "sort", "string", "striptags", "sum", "title", "trim", "truncate", "unique", "upper", "wordcount"),
    *("join", "replace", "e"),
)
_METHODS = frozenset(
    (
        *("upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "startswith", "endswith", "split"),
        *("splitlines", "find", "count", "isdigit", "items", "keys", "values", "get", "index", "partition"),
    )
)


class TemplateError(Exception):
    """What is wrong with a template or its values, in one sentence with the template's line."""


async def rendered(source: str, values: Mapping[str, Any], name: str = "status-update") -> str:
    """`render` in a thread."""
    return await asyncio.to_thread(render, source, values, name)


def render(source: str, values: Mapping[str, Any], name: str = "status-update") -> str:
    """The template's text with these values, without white space around it.

    Not to be called on an event loop's thread: it imports Jinja2, and a bad template may take `TIME_LIMIT`.

    Raises:
        TemplateError: it cannot be read, names what there is not, does what it may not, or costs too much.
    """
    if len(source) > SOURCE_LIMIT:
        raise TemplateError(f"The template {name} has {len(source):,} characters; at most {SOURCE_LIMIT:,} are read.")
    from jinja2 import TemplateError as JinjaError
    from jinja2 import TemplateSyntaxError

    try:
        template = _environment().from_string(source)
        with _Bounds():
            text: str = template.render(dict(values))
    except TemplateSyntaxError as error:
        raise TemplateError(
            f"The template {name} cannot be read, line {error.lineno}: {str(error.message).rstrip('.')}."
        ) from None
    except (JinjaError, TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        said = str(error).rstrip(".") or type(error).__name__
        raise TemplateError(f"The template {name} failed, line {_line(error)}: {said}.") from None
    except RecursionError:
        raise TemplateError(f"The template {name} failed: it goes too deep.") from None
    if len(text) > VALUE_LIMIT:
        raise TemplateError(f"The template {name} makes {len(text):,} characters; at most {VALUE_LIMIT:,} are kept.")
    return text.strip()


def fault_of(source: str, known: Collection[str] = ()) -> tuple[int, str] | None:
    """What is wrong with a template as far as it can be told without values: its line and words; None: nothing.

    It may name what is in ``known``, or anything where that is empty. As slow as `render`.
    """
    if len(source) > SOURCE_LIMIT:
        return 1, f"{len(source):,} characters; at most {SOURCE_LIMIT:,} are read"
    from jinja2 import TemplateSyntaxError, meta, nodes

    environment = _environment()
    try:
        tree = environment.parse(source)
        environment.from_string(source)  # compiled: what it names of filters and tests is there
        missing = meta.find_undeclared_variables(tree) - set(known) - set(environment.globals) if known else set()
    except TemplateSyntaxError as error:
        return error.lineno, str(error.message).rstrip(".")
    except RecursionError:
        return 1, "it goes too deep"
    for node in tree.find_all(nodes.Name):
        if node.name in missing:
            return node.lineno, f"there is no {node.name}; there are: {', '.join(known)}"
    return None


def _line(error: BaseException) -> int:
    """The template's line: Jinja2 rewrites tracebacks so that they speak of it."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset(("*", "**", "%"))

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if operator == "**" or not (isinstance(left, int | float) and isinstance(right, int | float)):
                raise TemplateError(f"{operator} is for small numbers only")
            if max(abs(left), abs(right)) > 1e12:
                raise TemplateError(f"{operator} is for small numbers only")
            return super().call_binop(context, operator, left, right)

        def wrap_str_format(self, value: Any) -> Any:
            return None  # else "{:1000000000}".format(1) would be let through: its callable is the sandbox's own

        def is_safe_callable(self, obj: Any) -> bool:
            owner = getattr(obj, "__self__", None)
            if isinstance(owner, str | bytes | list | tuple | dict | int | float):
                return obj.__name__ in _METHODS
            return super().is_safe_callable(obj)

    environment = Sandbox(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False
    )
    filters = {name: environment.filters[name] for name in _FILTERS if name in environment.filters}
    environment.filters = filters | {"replace": _replaced, "join": _joined}
    environment.globals = {"range": _short_range}
    return environment


def _short_range(*bounds: int) -> range:
    asked = range(*bounds)
    if len(asked) > RANGE_LIMIT:
        raise TemplateError(f"range goes over at most {RANGE_LIMIT:,} numbers")
    return asked


def _replaced(value: Any, old: str, new: str) -> str:
    text, old, new = str(value), str(old), str(new)
    if len(text) + text.count(old) * len(new) > VALUE_LIMIT:
        raise TemplateError(f"replace makes a text of more than {VALUE_LIMIT:,} characters")
    return text.replace(old, new)


def _joined(values: Any, between: str = "", attribute: str | None = None) -> str:
    parts = [str(value if attribute is None else value[attribute]) for value in values]
    between = str(between)
    if sum(map(len, parts)) + len(between) * len(parts) > VALUE_LIMIT:
        raise TemplateError(f"join makes a text of more than {VALUE_LIMIT:,} characters")
    return between.join(parts)


class _Bounds:
    """Ends what runs in this thread for too long, or keeps too long a text, at its next line of Python.

    A template is compiled to Python, so its lines are seen by the trace function; one call into C is bounded by what
    the sandbox lets it be called with.
    """

    def __enter__(self) -> None:
        self._until = time.thread_time() + TIME_LIMIT
        self._before = sys.gettrace()
        sys.settrace(self._trace)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if time.thread_time() > self._until:
            raise TemplateError(f"it takes more than {TIME_LIMIT:g} s")
        if frame.f_code.co_filename == "<template>":
            for value in frame.f_locals.values():
                if isinstance(value, str) and len(value) > VALUE_LIMIT:
                    raise TemplateError(f"a text in it has more than {VALUE_LIMIT:,} characters")
        return self._trace
