"""A scenario of one's own: a file that is read whatever it is, checked in every variant, and played."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from yaml.nodes import MappingNode

from drill import document, variation
from drill import scenario as scenarios
from drill.document import Mistake, ScenarioError
from drill.good import Good
from drill.scenario import Scenario

TEMPLATE: Final = Path(__file__).with_name("template.yaml")
_SEEDS: Final = range(1, 41)  # that a check tries, besides the edges


class Checked(Struct, frozen=True):
    """A scenario, or every mistake in its file: sentences without the file's name, by line.

    ``good`` is what it says is good, if that can be read, whatever is wrong elsewhere.
    """

    scenario: Scenario | None
    good: Good | None
    mistakes: tuple[tuple[int, str], ...]
    root: MappingNode
    varies: int  # rows


def is_file(name: str) -> bool:
    """Whether what somebody calls a scenario is a file's name."""
    return "/" in name or name.endswith((".yaml", ".yml"))


def load(name: str, seed: int = 0) -> Scenario:
    """A scenario that ships, or one's own, in the details of a seed. Raises `ScenarioError`."""
    if is_file(name):
        return scenarios.parse(text(name), source=document.printable(name), seed=seed)
    return scenarios.load(name, seed)


def text(name: str) -> str:
    """What is in a file. Raises `ScenarioError` with one sentence, for a directory, a pipe or a film, too."""
    path, said = Path(name), document.printable(name)
    try:
        mode = path.stat().st_mode
        content = b""
        if stat.S_ISREG(mode):  # a pipe would be waited for
            with path.open("rb") as file:
                content = file.read(document.MOST + 1)
    except OSError as error:
        raise ScenarioError(f"{said}: cannot be read: {error.strerror or error}") from None
    except ValueError:  # a name with a NUL
        raise ScenarioError(f"{said}: there is no file of that name") from None
    if not stat.S_ISREG(mode):
        raise ScenarioError(f"{said}: this is {'a directory' if stat.S_ISDIR(mode) else 'no file'}, and no scenario")
    if len(content) > document.MOST:
        raise ScenarioError(f"{said}: larger than {document.MOST // 1024} KiB: this is no scenario")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{said}: not UTF-8 text (byte {error.start})") from None


def check(name: str) -> Checked:
    """A file with all that is wrong in it, also in what its ``varies`` makes of it. Raises `ScenarioError`."""
    root = document.compose(text(name), document.printable(name))
    found = [*variation.mistakes(root)]
    told = variation.as_written(root)
    scenario, more = scenarios.read(told)
    said = {(document.line_of(root, one.place), _said(one)): None for one in (*found, *more)}
    rows = next((len(value.value) for key, value in root.value if key.value == variation.KEY), 0) if not found else 0
    if not said and rows:
        said |= dict.fromkeys(_in_variants(root))
    return Checked(None if said else scenario, _good(root), tuple(sorted(said)), root, rows)


def _good(root: MappingNode) -> Good | None:
    try:
        return msgspec.convert(document.plain(root).get("good"), Good | None)
    except msgspec.ValidationError:
        return None


def _in_variants(root: MappingNode) -> Iterator[tuple[int, str]]:
    """The mistakes that only some seeds have, each with how to see it."""
    known: set[tuple[int, str]] = set()
    edges = [
        ("at an edge of what varies", variation.Extreme(turn, most=most, there=there))
        for turn in range(variation.widest(root))
        for most in (False, True)
        for there in (False, True)
    ]
    for how, chooser in [*((f"with --seed {seed}", variation.Chooser(seed)) for seed in _SEEDS), *edges]:
        told = variation.varied(root, chooser)
        for one in scenarios.read(told)[1]:
            here = (document.line_of(told, one.place), one.what)
            if here not in known:
                known.add(here)
                yield here[0], f"{_said(one)} ({how})"


def _said(mistake: Mistake) -> str:
    return f"{document.dotted(mistake.place)}: {mistake.what}" if mistake.place else mistake.what
