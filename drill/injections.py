"""What an organiser writes to have something happen: ``pod-fate service=card-service fate=crash``, or YAML.

The kinds are those of a script and of `drill.troubles`, as their types have them; nothing is listed here a second time.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any, Final, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from drill import document, scenario, script, shape, troubles
from drill.document import ScenarioError
from drill.scenario import Scenario
from drill.shape import expected

Json = dict[str, Any]

SOURCE: Final = "step"
NOW: Final = "+0s"
_STEPS: Final[tuple[Any, ...]] = get_args(script.Step)
_TROUBLES: Final[tuple[Any, ...]] = get_args(troubles.Kind)
_MESSAGE: Final = re.compile(r"\s*message\s+(?!(?:text|warning)=)(\S.*?)\s*", re.DOTALL)
"""``message`` with words as they are: nobody wants to quote an apostrophe."""
_ASIDE: Final = re.compile(r" ?\(see [^)]*\)")
_EITHER: Final[Any] = script.Step | troubles.Kind


class BadStep(ValueError):
    """What was written is nothing that can happen here; one sentence."""


class Field(Struct, frozen=True):
    """A key of a kind: what it expects in words; ``fallback`` is what it is without being named, as it is written."""

    name: str
    expects: str
    required: bool
    fallback: str = ""


class Form(Struct, frozen=True):
    """A kind, told by ``do``; ``says`` is its first sentence, ``example`` one that could be sent as it is."""

    do: str
    says: str
    fields: tuple[Field, ...]
    example: str = ""


def forms(played: Scenario) -> list[Form]:
    """Every kind there is, the script's first, with an example out of a scenario's own names."""
    return [_form(kind, played) for kind in (*_STEPS, *_TROUBLES)]


def parse(text: str, played: Scenario, at: float) -> script.Step | troubles.Kind:
    """A step out of what was written, checked as one of ``played``'s script that happens at ``at`` (seconds).

    An ``at`` in the text is relative to that moment. Raises `BadStep`.
    """
    data = _data(text)
    if not data.get("do"):
        raise BadStep("nothing says what to do; begin with one of " + ", ".join(_tags()))
    kind: Any = next((kind for kind in (*_STEPS, *_TROUBLES) if _tag(kind) == data["do"]), None)
    if kind in _STEPS:
        data.setdefault("at", NOW)
    try:
        step: Any = msgspec.convert(data, _EITHER, strict=False)
    except msgspec.ValidationError as error:
        root = document.compose(json.dumps(data), SOURCE)
        found = next(shape.mistakes(root, _EITHER), None)
        where = f"{document.dotted(found.place)}: " if found is not None and found.place else ""
        raise BadStep(f"{where}{found.what if found is not None else error}") from None
    for field in msgspec.structs.fields(kind):
        if field.required and expected(field.type) == "text" and not getattr(step, field.name):
            raise BadStep(f"{field.encode_name}: missing, expected text")
    if kind in _STEPS:
        after = scenario.seconds(step.at)
        if after < 0:
            raise BadStep(f"at: {step.at} has passed; expected nothing, for now, or a time from now such as +90s")
        step = replace(step, at=f"+{max(0.0, at) + after:.3f}s")
        _check(step, played)
    known: script.Step | troubles.Kind = step
    return known


def written(step: Struct) -> str:
    """A step as `parse` reads it, without what is as it would be anyway."""
    if isinstance(step, troubles.Message) and not step.warning:
        words = _MESSAGE.fullmatch(f"message {step.text}")
        if words is not None and words[1] == step.text:
            return f"message {step.text}"
    told: Json = msgspec.to_builtins(step)
    fields = {field.encode_name: field for field in msgspec.structs.fields(type(step))}
    pieces = [str(told.pop("do"))]
    for name, value in told.items():
        field = fields[name]
        if name == "at" or (not field.required and value == field.default):
            continue
        if field.default_factory is not msgspec.NODEFAULT and value == field.default_factory():
            continue
        if isinstance(value, dict):
            pieces += [f"{name}.{key}={_quoted(inner)}" for key, inner in value.items()]
        else:
            pieces.append(f"{name}={_quoted(value)}")
    return " ".join(pieces)


def _quoted(value: object) -> str:
    return shlex.quote(str(value).lower() if isinstance(value, bool) else str(value)) if value != "" else ""


def _tag(kind: Any) -> str:
    return str(kind.__struct_config__.tag)


def _tags() -> list[str]:
    return [_tag(kind) for kind in (*_STEPS, *_TROUBLES)]


def _data(text: str) -> Json:
    if text.lstrip().startswith("{") or text.lstrip().startswith("do:"):
        try:
            root = document.compose(text, SOURCE)
            found = next(document.misread(root), None)
        except ScenarioError as error:
            raise BadStep(str(error)) from None
        if found is not None:
            raise BadStep(found.what)
        data: Json = document.plain(root)
        return data
    if words := _MESSAGE.fullmatch(text):
        return {"do": "message", "text": words[1]}
    try:
        pieces = shlex.split(text)
    except ValueError as error:
        raise BadStep(f"{error}; close the quotes") from None
    data = {"do": pieces[0]} if pieces else {}
    for word in pieces[1:]:
        name, mark, value = word.partition("=")
        if not mark or not name:
            raise BadStep(f"expected NAME=VALUE, found {word!r}; a text with blanks goes in quotes")
        outer, dot, inner = name.partition(".")
        if dot:
            table = data.setdefault(outer, {})
            if not isinstance(table, dict):
                raise BadStep(f"{outer} is given twice")
            table[inner] = value
        else:
            data[name] = value
    return data


def _check(step: script.Step, played: Scenario) -> None:
    """By the checker of scenarios, as if the step had been in the script."""
    longer = replace(played, script=(*played.script, step))
    last = len(played.script)
    for mistake in scenario.mistakes(longer):
        if mistake.place[:2] == ("script", last):
            where = document.dotted(mistake.place[2:])
            raise BadStep(f"{where}: {mistake.what}" if where else mistake.what)


# ------------------------------------------------------------------ the forms


def _form(kind: Any, played: Scenario) -> Form:
    fields = tuple(
        Field(
            name=field.encode_name,
            expects="a time from now such as +90s; default: now" if field.name == "at" else expected(field.type),
            required=field.required and field.name != "at",
            fallback=_fallback(field),
        )
        for field in msgspec.structs.fields(kind)
    )
    says = _ASIDE.sub("", (kind.__doc__ or "").strip().partition("\n")[0].replace("`", ""))
    return Form(_tag(kind), says, fields, _example(kind, fields, played))


def _fallback(field: Any) -> str:
    if field.default is msgspec.NODEFAULT or field.default in ("", None, False):
        return ""
    return str(field.default)


def _example(kind: Any, fields: tuple[Field, ...], played: Scenario) -> str:
    """The kind with what it cannot do without, filled with names of the scenario; what is free is left open."""
    known = {
        "service": played.services[0].name,
        "node": played.nodes[-1].name,
        "namespace": played.namespace,
        "deployment": played.services[0].name,
        "host": next((one.host for one in played.externals), ""),
        "chart": next((step.chart for _, step in reversed(played.steps()) if isinstance(step, script.Upgrade)), ""),
    }
    words = [_tag(kind)]
    for field in fields:
        if field.required or field.name == "lasts":
            options = field.expects.removeprefix("one of ").split(", ") if field.expects.startswith("one of") else []
            value = known.get(field.name, "")
            value = "2m" if field.name == "lasts" else value or next((one for one in options if one != "ok"), "")
            words.append(f"{field.name}={value}")
    return " ".join(words)
