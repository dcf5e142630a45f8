"""Runs the real program as a shell would, without a terminal, while the test's event loop goes on serving."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from drill.platform import Running, running
from tests import warm_program
from tests.warm_program import Done


def fresh_user(directory: Path) -> dict[str, str]:
    """The environment of somebody who has no settings, no store and no kubeconfig yet."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "VIRTUAL_ENV")}
    return kept | {
        "HOME": str(directory),
        "XDG_CONFIG_HOME": str(directory / "config"),
        "XDG_STATE_HOME": str(directory / "state"),
    }


async def warroom(environ: Mapping[str, str], *arguments: str, limit: float = 60.0) -> Done:
    """Run one command to its end, at most ``limit`` seconds."""
    return await asyncio.to_thread(warm_program.done, arguments, environ, limit)


@asynccontextmanager
async def platform() -> AsyncIterator[tuple[str, ...]]:
    """The flags that look at a running platform."""
    async with running() as found:
        yield flags(found)


def flags(found: Running) -> tuple[str, ...]:
    return ("--kubeconfig", str(found.kubeconfig), "--config", str(found.config))


def document(done: Done) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.out)
    return found
