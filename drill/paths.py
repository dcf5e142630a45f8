"""Where something is in a scenario, as a path: ``nodes[aks-system-00001].cpu``, ``script[reason=BackOff]``."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

from msgspec import Struct
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_PATH: Final = re.compile(r"[\w-]+(\[[^\[\]]+\])*(\.[\w-]+(\[[^\[\]]+\])*)*")
_STEP: Final = re.compile(r"\.?([\w-]+)|\[([^\[\]]+)\]")
_NAMES: Final = ("name", "host", "id", "session", "act")  # the keys by which an item of a list is known


class PathError(ValueError):
    """A path that leads nowhere; the sentence says where it ends."""


class Spot(Struct, frozen=True):
    """What stands somewhere: in which mapping or list, and at which places from the top."""

    parent: Node
    place: tuple[str | int, ...]
    node: Node


def find(root: MappingNode, path: str) -> list[Spot]:
    """All that a path means, at least one. Raises `PathError`.

    ``[3]`` is the fourth of a list, ``[NAME]`` the item of that name, ``[key=value,…]`` all items that say so.
    """
    if not _PATH.fullmatch(path):
        raise PathError(f"{path}: expected a path such as nodes[NAME].cpu or script[do=node-fate]")
    spots = [Spot(root, (), root)]
    for key, chosen in _STEP.findall(path):
        found = [spot for one in spots for spot in (_below(one, key) if key else _among(one, chosen))]
        if not found:
            raise PathError(f"{path}: there is no {key or f'[{chosen}]'}{_near(spots[0].node, key or chosen)}")
        spots = found
    return spots


def _below(spot: Spot, name: str) -> list[Spot]:
    if not isinstance(spot.node, MappingNode):
        return []
    return [Spot(spot.node, (*spot.place, name), value) for key, value in spot.node.value if key.value == name]


def _among(spot: Spot, chosen: str) -> list[Spot]:
    if not isinstance(spot.node, SequenceNode):
        return []
    items = [Spot(spot.node, (*spot.place, index), item) for index, item in enumerate(spot.node.value)]
    if "=" in chosen:
        wanted = [pair.partition("=") for pair in chosen.split(",")]
        return [
            item for item in items if all(_said(item.node, key.strip()) == value.strip() for key, _, value in wanted)
        ]
    named = [item for item in items if any(_said(item.node, key) == chosen for key in _NAMES)]
    if not named and chosen.isdecimal() and len(chosen) < 6:
        return items[int(chosen) : int(chosen) + 1]
    return named


def _name(node: Node) -> str | None:
    """The name that somebody would call an item by."""
    return next((said for key in _NAMES if (said := _said(node, key)) is not None), None)


def _said(node: Node, key: str) -> str | None:
    if not isinstance(node, MappingNode):
        return None
    return next(
        (str(value.value) for name, value in node.value if name.value == key and isinstance(value, ScalarNode)), None
    )


def _near(node: Node, name: str) -> str:
    known: list[str] = []
    if isinstance(node, MappingNode):
        known = [str(key.value) for key, _ in node.value]
    elif isinstance(node, SequenceNode):
        known = [said for item in node.value if (said := _name(item)) is not None]
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
