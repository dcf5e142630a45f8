"""Runs the real program as a shell would, without a terminal, while the test's event loop goes on serving."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill.platform import Running, running


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str


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
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tui.cli",
        *arguments,
        env=dict(environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(limit):
            out, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    done = Done(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in done.out + done.err
    return done


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
