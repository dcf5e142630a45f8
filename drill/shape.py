"""What is wrong with the shape of a scenario, all of it: keys that are not there, values of the wrong kind.

msgspec converts a scenario in one go and stops at the first mistake; where it has stopped, this looks at each value by
itself, along the types of `drill.scenario`, so that whoever writes a scenario is told everything at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from drill.document import Mistake, Place, plain, shown


def mistakes(node: Node, kind: Any, place: Place = (), *, more: Sequence[str] = ()) -> Iterator[Mistake]:
    """Everything at which ``node`` is not of the type ``kind``; no mistake hides the next one.

    ``more`` are keys that somebody may have meant, besides those of the type.
    """
    bare, metas = _bare(kind)
    if isinstance(bare, type) and issubclass(bare, Struct):
        yield from _of_struct(node, bare, place, more)
    elif (choices := _structs(bare)) and not (_is_null(node) and NoneType in get_args(bare)):
        yield from _of_one(node, choices, place)
    elif get_origin(bare) in (tuple, list):
        yield from _of_list(node, get_args(bare)[0], metas, place)
    elif get_origin(bare) is dict:
        yield from _of_table(node, get_args(bare), place)
    elif wrong := _wrong(node, kind):
        yield Mistake(place, wrong)


def close_to(name: str, known: list[str]) -> str:
    """``; did you mean X?`` when a known name is near, else an empty string."""
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _of_struct(node: Node, kind: type[Struct], place: Place, more: Sequence[str] = ()) -> Iterator[Mistake]:
    if not isinstance(node, MappingNode):
        yield Mistake(place, f"expected keys with values, found {shown(node)}")
        return
    fields = _fields(kind)
    given = {key.value: value for key, value in node.value if isinstance(key, ScalarNode)}
    tag = kind.__struct_config__.tag_field
    known = [*([tag] if tag else []), *fields, *more]
    misspelt: set[str] = set()
    for key in given:
        if key not in known:
            near = get_close_matches(key, [name for name in known if name not in given], n=1, cutoff=0.6)
            misspelt |= {*near}
            hint = f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}"
            yield Mistake((*place, key), f"there is no such key{hint}")
    for name, field in fields.items():
        if name in given:
            yield from mistakes(given[name], field.type, (*place, name))
        elif field.required and name not in misspelt:
            yield Mistake((*place, name), f"missing, expected {expected(field.type)}")


@cache
def _fields(kind: type[Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def _of_one(node: Node, choices: list[type[Struct]], place: Place) -> Iterator[Mistake]:
    """One of several structs, told by its tag."""
    if len(choices) == 1:
        yield from _of_struct(node, choices[0], place)
        return
    field = choices[0].__struct_config__.tag_field or ""
    tags = {str(choice.__struct_config__.tag): choice for choice in choices}
    found = {key.value: value for key, value in node.value}.get(field) if isinstance(node, MappingNode) else None
    one_of = f"one of {', '.join(tags)}"
    if not isinstance(node, MappingNode):
        yield Mistake(place, f"expected keys with values, found {shown(node)}")
    elif found is None:
        yield Mistake((*place, field), f"missing, expected {one_of}")
    elif not isinstance(found, ScalarNode) or found.value not in tags:
        near = close_to(str(found.value), [*tags]) if isinstance(found, ScalarNode) else ""
        yield Mistake((*place, field), f"expected {one_of}, found {shown(found)}{near}")
    else:
        yield from _of_struct(node, tags[found.value], place)


def _of_list(node: Node, item: Any, metas: list[Meta], place: Place) -> Iterator[Mistake]:
    if not isinstance(node, SequenceNode):
        said = next((meta.description for meta in metas if meta.description), "a list")
        yield Mistake(place, f"expected {said}, found {shown(node)}")
        return
    for meta in metas:
        if meta.min_length is not None and len(node.value) < meta.min_length:
            yield Mistake(place, f"expected a list of at least {meta.min_length}")
        if meta.max_length is not None and len(node.value) > meta.max_length:
            yield Mistake(place, f"expected a list of at most {meta.max_length}, found {len(node.value)}")
    for index, value in enumerate(node.value):
        yield from mistakes(value, item, (*place, index))


def _of_table(node: Node, kinds: tuple[Any, ...], place: Place) -> Iterator[Mistake]:
    if not isinstance(node, MappingNode):
        yield Mistake(place, f"expected keys with values, found {shown(node)}")
        return
    for key, value in node.value:
        here = (*place, str(key.value)) if isinstance(key, ScalarNode) else place
        yield from mistakes(value, kinds[1], here)


def _wrong(node: Node, kind: Any) -> str:
    """Why a single value will not do; empty if it will."""
    try:
        msgspec.convert(plain(node), kind)
    except msgspec.ValidationError:
        advice = ""
        if isinstance(node, ScalarNode):
            quoted = bool(_takes(kind, node.value)) and not _is_null(node)
            advice = "; put it in quotes" if quoted else close_to(str(node.value), _options(kind))
        return f"expected {expected(kind)}, found {shown(node)}{advice}"
    return ""


def _takes(kind: Any, text: str) -> bool:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return False
    return True


def expected(kind: Any) -> str:
    """What a value of this type is, in words; `Meta.description` where the type has one."""
    bare, metas = _bare(kind)
    for meta in reversed(metas):
        if meta.description:
            return meta.description
    if get_origin(bare) in (Union, UnionType) and (
        said := [meta.description for arg in get_args(bare) for meta in _bare(arg)[1] if meta.description]
    ):
        return " or ".join(said)
    if options := [option for option in _options(bare) if option]:
        return f"one of {', '.join(options)}"
    if get_origin(bare) in (tuple, list):
        return "a list"
    if get_origin(bare) is dict or _structs(bare) or (isinstance(bare, type) and issubclass(bare, Struct)):
        return "keys with values"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    known = [words[arg] for arg in (get_args(bare) or (bare,)) if arg in words]
    return f"{' or '.join(known) or 'another value'}{_limits(metas)}"


def _limits(metas: list[Meta]) -> str:
    low = next((meta.ge for meta in metas if meta.ge is not None), None)
    high = next((meta.le for meta in metas if meta.le is not None), None)
    above = next((meta.gt for meta in metas if meta.gt is not None), None)
    longest = next((meta.max_length for meta in metas if meta.max_length is not None), None)
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if above is not None:
        return f" above {above:g}" + (f", at most {high:g}" if high is not None else "")
    if low is not None:
        return f" of at least {low:g}"
    if high is not None:
        return f" of at most {high:g}"
    return f" of at most {longest} characters" if longest is not None else ""


def _bare(kind: Any) -> tuple[Any, list[Meta]]:
    """A type without what annotates it."""
    metas: list[Meta] = []
    while get_origin(kind) is Annotated:
        kind, *more = get_args(kind)
        metas += [meta for meta in more if isinstance(meta, Meta)]
    if get_origin(kind) in (Union, UnionType):
        others = [arg for arg in get_args(kind) if arg is not NoneType]
        if len(others) == 1 and NoneType in get_args(kind) and get_origin(others[0]) is Annotated:
            return others[0].__origin__, [meta for meta in get_args(others[0])[1:] if isinstance(meta, Meta)]
    return kind, metas


def _structs(bare: Any) -> list[type[Struct]]:
    """The structs of a union."""
    if get_origin(bare) not in (Union, UnionType):
        return []
    return [arg for arg in get_args(bare) if isinstance(arg, type) and issubclass(arg, Struct)]


def _options(bare: Any) -> list[str]:
    if isinstance(bare, type) and issubclass(bare, Enum):
        return [str(option.value) for option in bare]
    if get_origin(bare) is Literal:
        return [str(option) for option in get_args(bare)]
    return []


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag.endswith(":null")
