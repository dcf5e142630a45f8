"""A drill that does not say which scenario it is. What scores it travels packed, and is unpacked when it is over."""

from __future__ import annotations

import json
import random
import zlib
from secrets import randbelow
from typing import Any, Final

import msgspec

from drill.scenario import Scenario, names

NAME: Final = "surprise"
TITLE: Final = "Surprise drill"


_SEEDS: Final = 1_000_000


def drawn() -> int:
    """A seed for a surprise that was given none. The platform draws it: what started it has it in no list."""
    return randbelow(_SEEDS) + 1


def pick(seed: int) -> str:
    """One of the scenarios that ship."""
    return random.Random(f"surprise/{seed}").choice(names())  # noqa: S311 (whoever wants to know reads the source)


def announced(scenario: Scenario, seed: int, *, surprise: bool, packed: bool = False) -> dict[str, Any]:
    """What a platform says of its drill: ``incident``, ``scenario``, ``seed``, ``surprise``, and what scores it.

    That is ``good``, or ``sealed``: the scenario's name, ``seed`` and ``good``, packed so that nobody reads them in
    passing. A surprise has no title, severity or seed: those are for who practises to find, or say which it is.
    """
    good = msgspec.to_builtins(scenario.good)
    sealed = zlib.compress(json.dumps({"scenario": scenario.name, "seed": seed, "good": good}).encode(), 9).hex()
    return {
        "incident": {"title": TITLE, "severity": None}
        if surprise
        else {"title": scenario.title, "severity": scenario.severity},
        "scenario": NAME if surprise else scenario.name,
        "seed": None if surprise else seed,
        "surprise": surprise,
        **({"sealed": sealed} if surprise or packed else {"good": good}),
    }
