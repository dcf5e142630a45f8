"""The same sequence of requests to both servers at once, and the two transcripts held against one another."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from drill.platform import running
from tests.differential import allowed
from tests.differential.plain import Plain
from tests.differential.side import Side, opened
from tests.drill.small_scenario import SMALL
from tests.live.lab import Lab

Json = dict[str, Any]
Sequence = Callable[[Side], Awaitable[None]]
ABSENT = "(absent)"
SPEED = 10.0  # of the platform's clock: its rollouts need not wait


@dataclass
class Pair:
    """Both sides, in a namespace of the same name."""

    platform: Side
    lab: Side

    async def same(self, sequence: Sequence) -> None:
        """Play the sequence on both and fail with every difference that nobody allowed."""
        sides = (self.platform, self.lab)
        for side in sides:
            side.said.clear()
        ended = await asyncio.gather(*(sequence(side) for side in sides), return_exceptions=True)
        found = differences(self.platform, self.lab)
        broken = [(side.name, error) for side, error in zip(sides, ended, strict=True) if error is not None]
        found += [f"  {name} could not go on: {error!r}" for name, error in broken]
        if found:
            text = "\n".join(["the platform answers otherwise than a real API server:", *found])
            raise AssertionError(text) from (broken[0][1] if broken else None)


def differences(platform: Side, lab: Side) -> list[str]:
    """``step: path: what the platform says ≠ what the lab says``."""
    ours, theirs = (Plain(side.namespace).transcript(side.said) for side in (platform, lab))
    found: list[str] = []
    for mine, other in zip(ours, theirs, strict=False):  # one may have broken off
        if mine["step"] != other["step"]:
            return [*found, f"  {mine['step']}: the lab is at {other['step']}"]
        if mine["status"] != other["status"]:  # what the bodies say is of different things
            left, right = _summary(mine), _summary(other)
            if allowed.reason(mine["step"], "status", left, right) is None:
                found.append(f"  {mine['step']}: {left} ≠ {right}")
            continue
        for path, left, right in _compared(mine, other, ""):
            if allowed.reason(mine["step"], path, left, right) is None:
                found.append(f"  {mine['step']}: {path}: {left!r} ≠ {right!r}")
    return found


def _summary(answer: Json) -> str:
    body = answer["body"]
    return f"{answer['status']} {body.get('message', body.get('kind')) if isinstance(body, dict) else body!r}"


def _compared(ours: Any, theirs: Any, path: str) -> list[tuple[str, Any, Any]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = [*ours, *(key for key in theirs if key not in ours)]
        return [
            line for key in keys for line in _compared(ours.get(key, ABSENT), theirs.get(key, ABSENT), f"{path}.{key}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            line
            for at, (one, other) in enumerate(zip(ours, theirs, strict=True))
            for line in _compared(one, other, f"{path}[{at}]")
        ]
    return [] if ours == theirs and type(ours) is type(theirs) else [(path, ours, theirs)]


@asynccontextmanager
async def pair_of(lab: Lab, purpose: str) -> AsyncIterator[Pair]:
    """A fresh embedded platform beside the lab."""
    namespace = f"diff-{purpose}-{uuid.uuid4().hex[:6]}"
    async with running(SMALL, speed=SPEED) as started:
        server = started.platform.server
        trust = ssl.create_default_context(cadata=server.ca_pem)
        ours = opened("platform", server.url, server.tokens, namespace, trust, started.platform.store.compact)
        theirs = opened("lab", lab.server, dict(lab.tokens), namespace, trust=False)
        async with ours as platform, theirs as real:
            yield Pair(platform, real)
